# bash completion of opsctl: the program itself knows what may stand next.
_opsctl() {
    local candidates IFS=$'\n'
    candidates=$(_OPSCTL_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [ $? -eq 3 ]; then
        compopt -o default
        return
    fi
    COMPREPLY=($candidates)
    # A directory or `key=` goes on; everything else is a whole word.
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -F _opsctl opsctl
