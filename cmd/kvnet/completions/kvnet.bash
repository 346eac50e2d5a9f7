# Completion of kvnet for bash. kvnet itself knows the candidates.
_kvnet() {
	local line=${COMP_LINE:0:COMP_POINT} candidate current prefix
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	current=${words[-1]}
	# Readline breaks words at = and : as well, and replaces the last piece only.
	prefix=${current%"${current##*[=:]}"}
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		candidate=$(printf %q "$candidate")
		COMPREPLY+=("${candidate#"$prefix"}")
	done < <("$1" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -o bashdefault -o default -F _kvnet kvnet
