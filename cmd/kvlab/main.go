// Command kvlab starts sealed libvirt hosts and runs commands and guests in
// them. What a host is, is said in package integration/host.
package main

import (
	"context"
	"os"

	"github.com/kvnet/kvnet/integration/host"
)

func main() {
	host.Main()
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}
