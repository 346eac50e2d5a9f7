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
