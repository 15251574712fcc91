#compdef opsctl
# zsh completion of opsctl: the program itself knows what may stand next.
_opsctl() {
    local answer line
    local -a whole unfinished shown half
    answer="$(_OPSCTL_COMPLETE=zsh ${words[1]} "${(@)words[2,CURRENT]}" 2>/dev/null)"
    if [[ $? -eq 3 ]]; then
        compset -P '--*='
        _files
        return
    fi
    for line in ${(f)answer}; do
        if [[ ${line%%$'\t'*} == *= ]]; then
            unfinished+=("${line%%$'\t'*}") half+=("${line/$'\t'/  }")
        else
            whole+=("${line%%$'\t'*}") shown+=("${line/$'\t'/  }")
        fi
    done
    compadd -l -d shown -a whole
    compadd -S '' -l -d half -a unfinished
}
# From a file of $fpath this text is the function's body; sourced, it has to be made known.
if [[ $funcstack[1] == _opsctl ]]; then
    _opsctl "$@"
else
    compdef _opsctl opsctl
fi
