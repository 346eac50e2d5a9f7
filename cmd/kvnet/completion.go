package main

import (
	"embed"

	"github.com/urfave/cli/v2"
)

//go:embed completions
var completions embed.FS

// shells are those that completion knows, each with its script below
// completions.
var shells = []string{"bash", "zsh", "fish"}

func completionCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  program,
		Usage:     "a script that completes kvnet's commands in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: describe(`
Prints the completion script for a shell: source it, or put it where the shell
looks for such scripts. It completes commands, flags, and the names of networks,
guests, interfaces, bridges and checks by asking kvnet.`,
			"source <(kvnet completion bash)", 0, 1, 2),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "bash|zsh|fish")
			if err != nil {
				return err
			}
			script, err := completions.ReadFile("completions/kvnet." + args[0])
			if err != nil {
				return usage("completion", "no shell "+quote(args[0]), meant(args[0], shells, "one of bash, zsh, fish"))
			}
			return e.write(script)
		},
	}
}
