package host

import (
	"fmt"
	"os"
	"sync/atomic"
)

// The roles a program plays when this package starts it again; the role is
// argv[0], which no user and no test framework sets by accident.
const (
	roleInit  = "kvlab-host"  // first process of a host
	roleEnter = "kvlab-enter" // runs one command inside a host
)

const selfExe = "/proc/self/exe"

// hooked tells whether Main was called: without it a host would start the whole
// program (or test run) again instead of its first process.
var hooked atomic.Bool

// Main must be called first in main or TestMain. In an ordinary process it
// returns at once. When this package started the process to be a host's first
// process, or to run a command inside one, it does that and never returns.
func Main() {
	hooked.Store(true)
	if len(os.Args) == 0 {
		return
	}
	switch os.Args[0] {
	case roleInit:
		os.Exit(runInit())
	case roleEnter:
		code, err := runEnter(os.Args[1:])
		if err != nil {
			fmt.Fprintf(os.Stderr, "kvlab: %v\n", err)
		}
		os.Exit(code)
	}
}
