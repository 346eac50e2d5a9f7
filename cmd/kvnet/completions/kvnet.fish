# Completion of kvnet for fish. kvnet itself knows the candidates.
function __kvnet_complete
    set -l words (commandline -opc)
    $words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c kvnet -f -a '(__kvnet_complete)'
complete -c kvnet -F -n 'test (count (__kvnet_complete)) -eq 0'
