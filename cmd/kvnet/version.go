package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker (-X main.version=...); without it the build
// information of the Go module stands in.
var version = ""

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source; empty when it was not built from a checkout
	Modified bool   `json:"modified"` // the checkout held changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand(e *env) *cli.Command {
	return &cli.Command{
		Category: program,
		Usage:    "the program's version",
		Description: describe(`Prints the version and what the program was built with. Connects to nothing.`,
			"kvnet version -o json", 0, 1, 2),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			return runVersion(e)
		},
	}
}

func runVersion(e *env) error {
	v := readVersion()
	return e.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "kvnet %s\n", v.Version)
		if e.quiet {
			return
		}
		if v.Revision != "" {
			fmt.Fprintf(w, "revision %s\n", v.Revision)
		}
		fmt.Fprintf(w, "built with %s for %s\n", v.Go, v.Platform)
	})
}

func readVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	return v
}
