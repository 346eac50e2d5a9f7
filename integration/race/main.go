package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Lap is one run of each command.
type Lap struct {
	Seconds [2]float64 `json:"seconds"`
	Memory  [2]int64   `json:"memory"` // peak resident KiB of the largest process
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "race:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	middle := slices.Index(args, "--")
	if middle < 2 || middle == len(args)-1 {
		return fmt.Errorf("usage: race ROUNDS COMMAND... -- COMMAND")
	}
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	sides := [2][]string{args[1:middle], args[middle+1:]}
	for round := range rounds + 1 {
		var lap Lap
		for i, argv := range sides {
			if lap.Seconds[i], lap.Memory[i], err = once(argv); err != nil {
				return err
			}
		}
		if round == 0 {
			continue // the first finds cold caches
		}
		if err := json.NewEncoder(os.Stdout).Encode(lap); err != nil {
			return err
		}
	}
	return nil
}

// once runs a command with its output thrown away. Exit code 3 is a verdict,
// not a failure.
func once(argv []string) (seconds float64, memory int64, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	err = cmd.Run()
	seconds = time.Since(start).Seconds()
	if cmd.ProcessState == nil || (err != nil && cmd.ProcessState.ExitCode() != 3) {
		return 0, 0, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return seconds, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss, nil
}
