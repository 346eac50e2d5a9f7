package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
)

// legacyFamily is one of the two address families of iptables-legacy.
type legacyFamily struct {
	family string
	names  string // lists the tables that exist in this thread's namespace
	tools  [][]string
}

var legacyFamilies = []legacyFamily{
	{"ip", "/proc/thread-self/net/ip_tables_names", [][]string{
		{"iptables-legacy-save"}, {"xtables-legacy-multi", "iptables-save"}, {"iptables-save"},
	}},
	{"ip6", "/proc/thread-self/net/ip6_tables_names", [][]string{
		{"ip6tables-legacy-save"}, {"xtables-legacy-multi", "ip6tables-save"}, {"ip6tables-save"},
	}},
}

// readLegacy reads the tables of iptables-legacy, which nf_tables knows
// nothing of. The save command is started only when the kernel lists tables:
// it would make them otherwise.
func readLegacy(ctx context.Context) (tables []Table, gaps []Gap) {
	for _, f := range legacyFamilies {
		list, err := f.read(ctx)
		tables = append(tables, list...)
		if err != nil {
			gaps = append(gaps, Gap{f.family + "tables-legacy", err.Error()})
		}
	}
	return tables, gaps
}

func (f legacyFamily) read(ctx context.Context) ([]Table, error) {
	names, err := os.ReadFile(f.names)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without it
	}
	if err != nil {
		return nil, fmt.Errorf("read names of legacy tables: %w", err)
	}
	if len(bytes.TrimSpace(names)) == 0 {
		return nil, nil
	}
	tool, err := f.tool(ctx)
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, tool[0], tool[1:]...) // one of three fixed commands
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %.200s", tool[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return ParseSave(f.family, text)
}

// tool finds the save command. Plain iptables-save counts only where it is
// the legacy one, which says so by not naming nf_tables.
func (f legacyFamily) tool(ctx context.Context) ([]string, error) {
	for _, t := range f.tools {
		path := lookPath(t[0])
		if path == "" {
			continue
		}
		if t[0] == "iptables-save" || t[0] == "ip6tables-save" {
			version, err := exec.CommandContext(ctx, path, "--version").Output() // a fixed command
			if err != nil || bytes.Contains(version, []byte("nf_tables")) {
				continue
			}
		}
		return append([]string{path}, t[1:]...), nil
	}
	return nil, fmt.Errorf("tables of iptables-legacy exist, and %s is not installed", f.tools[0][0])
}

// lookPath also looks where users' PATH often does not.
func lookPath(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p
		}
	}
	return ""
}
