package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// texts is the value of a flag that may be repeated. urfave/cli's own would cut
// it at commas, and values hold some: --dhcp-host mac=..,ip=..
type texts []string

// Set adds a value.
func (t *texts) Set(text string) error {
	*t = append(*t, strings.TrimSpace(text))
	return nil
}

func (t *texts) String() string { return strings.Join(*t, ", ") }

// listFlag is a flag that may be repeated.
func listFlag(name, use string) cli.Flag {
	return &cli.GenericFlag{Name: name, Usage: use, Value: new(texts)}
}

// listOf are the values of such a flag.
func listOf(c *cli.Context, name string) []string {
	t, _ := c.Generic(name).(*texts)
	return *t
}
