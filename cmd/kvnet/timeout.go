package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// patience is how long a wait may take unless --timeout says otherwise.
const patience = 15 * time.Second

// afterthought is how long the result of a change that stands may take to be
// read for printing.
const afterthought = 10 * time.Second

// duration is the value of --timeout: a number of seconds, or Go's notation
// with units.
type duration struct{ d *time.Duration }

// Set reads "5", "5s" and "1m30s".
func (v duration) Set(text string) error {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		*v.d = time.Duration(n) * time.Second
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("want seconds, or a duration such as 5s or 1m30s")
	}
	*v.d = d
	return nil
}

func (v duration) String() string {
	if v.d == nil {
		return ""
	}
	return v.d.String()
}

// timeoutFlag is --timeout of the commands that wait for the kernel.
func timeoutFlag(into *time.Duration, use string) cli.Flag {
	*into = patience
	return &cli.GenericFlag{Name: "timeout", Value: duration{into}, Usage: use}
}

// checkTimeout refuses what is no time to wait.
func checkTimeout(command string, d time.Duration) error {
	if d <= 0 {
		return usage(command, "flag --timeout: "+d.String()+" is no time to wait", "")
	}
	return nil
}

// afterwards is a context for what follows a change that stands: who interrupts
// now is not told that it was undone.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterthought)
}
