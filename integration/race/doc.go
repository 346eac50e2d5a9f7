// Command race runs two commands in turn and prints what each run took, a line
// of JSON a round. It runs inside a sealed host, so that entering the host is
// no part of what is measured.
//
//	race ROUNDS COMMAND... -- COMMAND...
package main
