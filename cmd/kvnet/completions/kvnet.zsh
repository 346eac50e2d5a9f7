#compdef kvnet
# Completion of kvnet for zsh. kvnet itself knows the candidates.
_kvnet() {
	local line name
	local -a candidates
	"${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null | while IFS= read -r line; do
		name=${line%%$'\t'*}
		candidates+=("${name//:/\\:}${${line#"$name"}/$'\t'/:}") # NAME, or NAME:DESCRIPTION
	done
	if (( ${#candidates} )); then
		_describe kvnet candidates
	else
		_files
	fi
}
if [[ $funcstack[1] == _kvnet ]]; then
	_kvnet "$@"
else
	compdef _kvnet kvnet
fi
