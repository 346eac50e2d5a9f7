package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// completePatience bounds the wait for names: a shell hangs meanwhile.
const completePatience = 2 * time.Second

// completeCommand is what the completion scripts call: the words of the line
// so far behind "--", the last one unfinished. It prints candidates, one a
// line, each with a remark behind a tab.
func completeCommand(e *env) *cli.Command {
	return &cli.Command{
		Hidden:    true,
		Usage:     "candidates for the last word of a command line",
		ArgsUsage: "[WORD ...]",
		Description: describe(`Prints what the last WORD may become, for the completion scripts.`,
			"kvnet __complete -- net-info def", 0),
		Action: func(c *cli.Context) error {
			ctx, cancel := context.WithTimeout(c.Context, completePatience)
			defer cancel()
			x := newCompletion(newApp(e), c.Args().Slice())
			var b strings.Builder
			for _, name := range x.candidates(ctx, e) {
				fmt.Fprintln(&b, name)
			}
			return e.write([]byte(b.String()))
		},
	}
}

// completion is a command line under way.
type completion struct {
	parser
	before []string // the words in front of the unfinished one
	word   string   // the unfinished one
	flags  bool     // "--" has not ended them
}

func newCompletion(app *cli.App, words []string) *completion {
	if len(words) == 0 {
		words = []string{""}
	}
	last := len(words) - 1
	before := expandAliases(app, slices.Clone(words[:last]))
	x := &completion{before: before, word: words[last], flags: !slices.Contains(before, "--")}
	x.parser = parser{app: app, cmd: findCommand(app, before)}
	_ = x.walk(before) // what is wrong so far is not for completion to say
	return x
}

// candidates are the words that fit, sorted, with their remarks.
func (x *completion) candidates(ctx context.Context, e *env) []string {
	found := map[string]string{}
	flag, value, isValue := x.valueOf()
	head := ""
	switch {
	case isValue:
		head = strings.TrimSuffix(x.word, value)
		for _, v := range x.flagValues(flag) {
			found[v] = ""
		}
	case x.flags && strings.HasPrefix(x.word, "-"):
		x.flagNames(found)
	case x.cmd == nil:
		for _, c := range x.app.Commands {
			if !c.Hidden {
				found[c.Name] = c.Usage
			}
		}
	default:
		x.arguments(ctx, e, found)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if full := head + name; name != "" && strings.HasPrefix(full, x.word) && clean(name) == name {
			out = append(out, strings.TrimSuffix(full+"\t"+found[name], "\t"))
		}
	}
	return out
}

// valueOf says whether the unfinished word is a flag's value, and how far it
// is: behind "--flag" as a word of its own, or behind "--flag=".
func (x *completion) valueOf() (flag, value string, ok bool) {
	if !x.flags {
		return "", "", false
	}
	if name, value, found := strings.Cut(x.word, "="); found && strings.HasPrefix(name, "-") {
		if f, _ := x.find(strings.TrimLeft(name, "-")); f != nil && takesValue(f) {
			return f.Names()[0], value, true
		}
	}
	if n := len(x.before); n > 0 && strings.HasPrefix(x.before[n-1], "-") {
		if f, _ := x.find(strings.TrimLeft(x.before[n-1], "-")); f != nil && takesValue(f) {
			return f.Names()[0], x.word, true
		}
	}
	return "", "", false
}

func (x *completion) flagNames(found map[string]string) {
	flags := x.app.Flags
	if x.cmd != nil {
		flags = slices.Concat(x.cmd.Flags, flags)
	}
	found["--help"] = "how to use it"
	for _, f := range visible(flags) {
		_, found["--"+f.Names()[0]] = flagText(f)
	}
}

// flagValues are the values of flags that have a fixed set.
func (x *completion) flagValues(flag string) []string {
	switch flag {
	case "output":
		if x.cmd != nil && x.cmd.Name == "verify" {
			return []string{"table", "json", "yaml", "junit"}
		}
		if x.cmd != nil && x.cmd.Name == "lint" {
			return []string{"table", "json", "yaml", "sarif"}
		}
		return []string{"table", "json", "yaml"}
	case "connect":
		return []string{libvirtnet.SystemURI}
	case "event":
		return []string{string(libvirtnet.Lifecycle), string(libvirtnet.MetadataChange)}
	case "min-severity":
		var names []string
		for _, s := range verify.Severities {
			names = append(names, string(s))
		}
		return names
	case "check", "explain":
		var ids []string
		for _, c := range verify.Checks() {
			ids = append(ids, c.ID)
		}
		return ids
	}
	return nil
}

// arguments completes an argument by the kind that the command's usage names
// for its place: "GUEST SOURCE" wants a guest first, then a source.
func (x *completion) arguments(ctx context.Context, e *env, found map[string]string) {
	places := strings.Fields(strings.ReplaceAll(x.cmd.ArgsUsage, " ...", "..."))
	n := len(x.positional) - 1 // the command stands in front
	if n >= len(places) {
		if len(places) == 0 || !strings.Contains(places[len(places)-1], "...") {
			return
		}
		n = len(places) - 1
	}
	kinds := strings.FieldsFunc(places[n], func(r rune) bool { return strings.ContainsRune("[]|.", r) })
	for _, kind := range kinds {
		switch kind {
		case "NETWORK", "GUEST", "INTERFACE", "SOURCE":
			x.libvirtNames(ctx, e, kind, found)
		}
		switch kind {
		case "BRIDGE", "SOURCE":
			bridgeNamesInto(ctx, found)
		}
		if kind == strings.ToLower(kind) {
			found[kind] = ""
		}
	}
}

// libvirtNames asks the connection that the line names; without an answer
// there are no candidates.
func (x *completion) libvirtNames(ctx context.Context, e *env, kind string, found map[string]string) {
	uri := e.uri
	for _, g := range x.globals {
		if v, ok := strings.CutPrefix(g, "--connect="); ok {
			uri = v
		}
	}
	conn, err := libvirtnet.OpenContext(ctx, uri)
	if err != nil {
		return
	}
	defer conn.Close()
	switch kind {
	case "NETWORK", "SOURCE":
		nets, _ := conn.Networks(ctx)
		for _, n := range nets {
			found[n.Name] = activeWord(n.Active) + " network"
		}
	case "GUEST":
		list, _ := conn.Guests(ctx)
		for _, g := range list {
			found[g.Name] = g.State + " guest"
		}
	case "INTERFACE":
		if len(x.positional) < 2 {
			return
		}
		g, _ := conn.Guest(ctx, x.positional[1])
		for _, i := range g.Interfaces {
			found[i.Target], found[i.MAC] = i.Source, i.Source
		}
	}
}

func bridgeNamesInto(ctx context.Context, found map[string]string) {
	state, _ := bridge.Read(ctx)
	for _, b := range state.Bridges {
		if _, taken := found[b.Name]; !taken {
			found[b.Name] = "bridge"
		}
	}
}
