package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

func netNameCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  networks,
		Usage:     "the name of a network",
		ArgsUsage: "NETWORK",
		Description: describe(`Prints the name of the network with the UUID (or name) NETWORK.`,
			"kvnet net-name 5dc8ae5b-a6fe-4750-bdbe-bac6a6c603d2", 0, 1, 2, 5),
		Action: func(c *cli.Context) error { return runNetName(c, e, false) },
	}
}

func netUUIDCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:    networks,
		Usage:       "the UUID of a network",
		ArgsUsage:   "NETWORK",
		Description: describe(`Prints the UUID of the network with the name (or UUID) NETWORK.`, "kvnet net-uuid default", 0, 1, 2, 5),
		Action:      func(c *cli.Context) error { return runNetName(c, e, true) },
	}
}

// netIdentity is what net-name and net-uuid print.
type netIdentity struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

func runNetName(c *cli.Context, e *env, uuid bool) error {
	args, err := arguments(c, "NETWORK")
	if err != nil {
		return err
	}
	id, err := findNetwork(c.Context, e, args[0])
	if err != nil {
		return err
	}
	return e.print(id, func(w io.Writer) {
		if uuid {
			fmt.Fprintln(w, id.UUID)
			return
		}
		fmt.Fprintln(w, clean(id.Name))
	})
}

func findNetwork(ctx context.Context, e *env, name string) (netIdentity, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return netIdentity{}, err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, name)
	return netIdentity{Name: n.Name, UUID: n.UUID}, err
}
