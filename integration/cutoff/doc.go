//go:build amd64

// Command cutoff runs a command and cuts it off at one of its acts: a system call
// by which it changes something that outlives it. What it only reads is no act,
// so there are few of them, and they come in the same order each time. It is
// how a test meets a change at every step; the kernel tells of the calls by
// ptrace(2), before they are made.
//
//	cutoff -o FILE [-at N [-do kill|interrupt|PROGRAM]] COMMAND...
//	cutoff -o FILE [-at N [-do kill|interrupt|PROGRAM]] -pid PID
//
// FILE gets the acts, a line each. At the Nth one the command is killed, or is
// sent SIGINT, or waits until PROGRAM has run. Only the command itself is
// followed, with its threads, not what it starts. A process that runs already is
// followed until it ends or cutoff gets SIGTERM; a line on stdout says from when.
// Exit code: the command's, 137 when it was killed. It needs root.
package main
