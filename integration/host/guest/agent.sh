#!/bin/busybox sh
# Runs commands that arrive on the second serial port.
#   asked:    RUN ID SECONDS BASE64(shell command)
#   answered: BEGIN ID / base64 lines of stdout / ERR / base64 lines of stderr / END ID CODE
stty raw -echo
while IFS= read -r line; do
	set -f
	set -- $line
	[ "$1" = RUN ] && [ $# = 4 ] || continue
	command=$(echo "$4" | base64 -d)
	timeout -s KILL "$3" sh -c "$command" >/run/agent.out 2>/run/agent.err </dev/null
	code=$?
	echo "BEGIN $2"
	base64 /run/agent.out
	echo ERR
	base64 /run/agent.err
	echo "END $2 $code"
done
