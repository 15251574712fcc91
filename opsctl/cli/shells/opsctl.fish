# fish completion of opsctl: the program itself knows what may stand next.
function __opsctl_complete
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    set --local current (commandline --cut-at-cursor --current-token)
    set --local answer (env _OPSCTL_COMPLETE=fish $words[1] $words[2..] "$current" 2>/dev/null)
    if test $status -eq 3
        __fish_complete_path "$current"
        return
    end
    printf '%s\n' $answer
end
complete --command opsctl --no-files --arguments '(__opsctl_complete)'
