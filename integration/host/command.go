package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const sideHost = "host"

// Result is what a command inside a host left.
type Result struct {
	Stdout, Stderr string
	Code           int // 128+N when signal N ended it, 127 when there is no such command
}

// Command prepares a command inside the host, to be run like any other. Its
// exit code is the command's, signals sent to it reach the command, and the
// command is killed when it is. The working folder stays when it exists inside,
// else it is /. Ended by the context, it is killed.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	return h.command(ctx, sideHost, argv)
}

// OutsideCommand is Command in the outside's network namespace.
func (h *Host) OutsideCommand(ctx context.Context, argv ...string) *exec.Cmd {
	return h.command(ctx, strconv.Itoa(h.info.Outside), argv)
}

// Become replaces this program by a command inside the host, or outside of it:
// what is done to the process is done to the command. It returns only errors.
func (h *Host) Become(outside bool, argv ...string) error {
	side := sideHost
	if outside {
		side = strconv.Itoa(h.info.Outside)
	}
	if err := unix.Exec(selfExe, h.enterArgs(side, argv), os.Environ()); err != nil {
		return fmt.Errorf("enter host %s: %w", h.info.Name, err)
	}
	return nil
}

func (h *Host) enterArgs(side string, argv []string) []string {
	return append([]string{roleEnter, strconv.Itoa(h.info.PID), h.born, side}, argv...)
}

func (h *Host) command(ctx context.Context, side string, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, selfExe)
	cmd.Args = h.enterArgs(side, argv)
	// A daemon that the command left may hold its output open.
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Exec runs a command inside the host. A command that ran and failed is no
// error: look at Code.
func (h *Host) Exec(ctx context.Context, argv ...string) (Result, error) {
	return run(ctx, h.Command(ctx, argv...), argv)
}

// Outside is Exec in the outside's network namespace.
func (h *Host) Outside(ctx context.Context, argv ...string) (Result, error) {
	return run(ctx, h.OutsideCommand(ctx, argv...), argv)
}

func run(ctx context.Context, cmd *exec.Cmd, argv []string) (Result, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return result, fmt.Errorf("run %s: %w", strings.Join(argv, " "), context.Cause(ctx))
	case errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay):
		err = nil
	}
	if err != nil {
		return result, fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
	}
	if result.Code == codeLost && strings.HasPrefix(result.Stderr, "kvlab: enter host") {
		return result, errors.New(strings.TrimSpace(result.Stderr))
	}
	return result, nil
}

// must runs a command that has no reason to fail, and makes its failure an error.
func (h *Host) must(ctx context.Context, argv ...string) (string, error) {
	result, err := h.Exec(ctx, argv...)
	if err != nil {
		return "", err
	}
	if result.Code != 0 {
		return "", fmt.Errorf("run %s: exit code %d: %s", strings.Join(argv, " "), result.Code, strings.TrimSpace(result.Stderr))
	}
	return result.Stdout, nil
}
