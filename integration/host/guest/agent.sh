#!/bin/busybox sh
# Answers and runs commands that arrive on the second serial port.
#   asked:    HELLO ID
#   answered: READY ID          (another word: a terminal's echo must not count)
#   asked:    RUN ID SECONDS BASE64(shell command)
#   answered: BEGIN ID / base64 lines of stdout / ERR / base64 lines of stderr / END ID CODE
stty raw -echo
set -f
while IFS= read -r line; do
	set -- $line
	case $1/$# in
	HELLO/2) echo "READY $2" ;;
	RUN/4)
		command=$(echo "$4" | base64 -d)
		timeout -s KILL "$3" sh -c "$command" >/run/agent.out 2>/run/agent.err </dev/null
		code=$?
		echo "BEGIN $2"
		base64 /run/agent.out
		echo ERR
		base64 /run/agent.err
		echo "END $2 $code"
		;;
	esac
done
