package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// commandLine is a command line with every flag in its place.
type commandLine struct {
	args   []string // as urfave/cli wants it: program, global flags, command, its flags, "--", arguments
	output string   // value of --output, known even when the rest is wrong
	help   bool     // --help stands somewhere
	cmd    *cli.Command
}

// parser walks a command line once, in any order of flags and arguments.
// urfave/cli takes a flag behind an argument for an argument, so the flags
// are sorted out before it sees them.
type parser struct {
	app             *cli.App
	cmd             *cli.Command // nil until named
	globals, locals []string
	positional      []string
	output          string
	help            bool
}

// parseLine reorders args. Flags before the command may be the command's,
// flags behind it may be global. "--" ends flags; a flag that needs a value
// takes the next argument unless that is one of the known flags.
func parseLine(app *cli.App, args []string) (commandLine, error) {
	if len(args) == 0 {
		args = []string{app.Name}
	}
	words := expandAliases(app, args[1:])
	p := parser{app: app, cmd: findCommand(app, words)}
	err := p.walk(words)
	line := commandLine{args: append([]string{args[0]}, p.globals...), output: p.output, help: p.help, cmd: p.cmd}
	if len(p.positional) > 0 && (p.cmd == nil || !p.cmd.HasName(p.positional[0])) {
		return line, unknownCommand(app, p.positional[0])
	}
	if err != nil {
		return line, err
	}
	if p.cmd != nil {
		line.args = append(append(line.args, p.cmd.Name), p.locals...)
		p.positional = p.positional[1:]
	}
	if len(p.positional) > 0 {
		line.args = append(append(line.args, "--"), p.positional...)
	}
	return line, nil
}

// walk sorts every word into flags and arguments.
func (p *parser) walk(words []string) error {
	var firstErr error
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			p.positional = append(p.positional, words[i+1:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			p.positional = append(p.positional, word)
			continue
		}
		used, err := p.flag(word, words[i+1:])
		if err != nil && firstErr == nil {
			firstErr = err // walk on: --output may follow and decides how the error looks
		}
		i += used
	}
	return firstErr
}

// flag takes one flag with its value and returns how many of the following
// words it used.
func (p *parser) flag(word string, following []string) (int, error) {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
	if name == "help" || name == "h" {
		p.help = true
		return 0, nil
	}
	f, global := p.find(name)
	if f == nil && !strings.HasPrefix(word, "--") {
		return p.cluster(word, following)
	}
	if f == nil {
		return 0, p.unknownFlag(word)
	}
	used := 0
	if !hasValue && takesValue(f) {
		if len(following) == 0 || p.isFlag(following[0]) {
			return 0, usage(p.commandName(), "flag "+quoteWord(word)+" needs a value", "")
		}
		value, hasValue, used = following[0], true, 1
	}
	canonical := "--" + f.Names()[0]
	if hasValue {
		canonical += "=" + value
	}
	if f.Names()[0] == "output" {
		p.output = value
	}
	if global {
		p.globals = append(p.globals, canonical)
	} else {
		p.locals = append(p.locals, canonical)
	}
	return used, nil
}

// cluster takes -qojson apart: one-letter flags, the last may have a value.
func (p *parser) cluster(word string, following []string) (int, error) {
	letters := word[1:]
	for i := 0; i < len(letters); i++ {
		f, _ := p.find(letters[i : i+1])
		switch rest := letters[i+1:]; {
		case f == nil:
			return 0, p.unknownFlag(word)
		case takesValue(f) && rest != "":
			return p.flag("-"+letters[i:i+1]+"="+strings.TrimPrefix(rest, "="), nil)
		case takesValue(f):
			return p.flag("-"+letters[i:], following)
		}
		if _, err := p.flag("-"+letters[i:i+1], nil); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// find looks a flag up: the command's own, then the global ones.
func (p *parser) find(name string) (f cli.Flag, global bool) {
	if p.cmd != nil {
		for _, f := range p.cmd.Flags {
			if hasName(f, name) {
				return f, false
			}
		}
	}
	for _, f := range p.app.Flags {
		if hasName(f, name) {
			return f, true
		}
	}
	return nil, false
}

func (p *parser) isFlag(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	f, _ := p.find(name)
	return f != nil || word == "--" || name == "help" || name == "h"
}

func (p *parser) commandName() string {
	if p.cmd == nil {
		return ""
	}
	return p.cmd.Name
}

func (p *parser) unknownFlag(word string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	known := []string{"help"}
	flags := append([]cli.Flag{}, p.app.Flags...)
	if p.cmd != nil {
		flags = append(flags, p.cmd.Flags...)
	}
	for _, f := range flags {
		if len(f.Names()[0]) > 1 {
			known = append(known, f.Names()[0])
		}
	}
	hint := "kvnet " + strings.TrimSpace(p.commandName()+" --help lists the flags; a name that begins with '-' goes behind --")
	if near := nearest(name, known); len(near) > 0 {
		hint = "did you mean --" + strings.Join(near, ", --") + "?"
	}
	return usage(p.commandName(), "unknown flag "+quoteWord(word), hint)
}

func unknownCommand(app *cli.App, word string) error {
	var names []string
	for _, c := range app.Commands {
		if !c.Hidden {
			names = append(names, c.Names()...)
		}
	}
	return usage("", "unknown command "+quote(word), meant(word, names, "kvnet --help lists the commands"))
}

// findCommand returns the command that words name.
func findCommand(app *cli.App, words []string) *cli.Command {
	if i := commandIndex(app, words); i >= 0 {
		return app.Command(words[i])
	}
	return nil
}

// commandIndex is the place of the first word that is neither a flag nor a
// flag's value: the command, known or not; -1 when there is none.
func commandIndex(app *cli.App, words []string) int {
	p := parser{app: app}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			if i+1 < len(words) {
				return i + 1
			}
			return -1
		}
		if len(word) < 2 || word[0] != '-' {
			if app.Command(word) != nil || !p.behindUnknown(words, i) {
				return i
			}
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if f, _ := p.find(name); f != nil && takesValue(f) && !hasValue {
			i++
		}
	}
	return -1
}

// behindUnknown says that words[i] may be the value of a flag that only the
// command knows, such as vnet0 in "kvnet --target vnet0 domif-attach ...".
func (p *parser) behindUnknown(words []string, i int) bool {
	if i == 0 || len(words[i-1]) < 2 || words[i-1][0] != '-' || strings.Contains(words[i-1], "=") {
		return false
	}
	f, _ := p.find(strings.TrimLeft(words[i-1], "-"))
	return f == nil
}

// expandAliases turns what people type out of habit into commands: "help X"
// into "X --help", "--version" into "version", "brctl show" into bridge-list.
func expandAliases(app *cli.App, words []string) []string {
	if len(words) > 0 && (words[0] == "--version" || words[0] == "-v" || words[0] == "-V") {
		return append([]string{"version"}, words[1:]...)
	}
	i := commandIndex(app, words)
	switch {
	case i < 0:
	case words[i] == "help":
		return slices.Concat(words[:i], []string{"--help"}, words[i+1:])
	case words[i] == "brctl" && i+1 < len(words) && words[i+1] == "show":
		return slices.Concat(words[:i], []string{"bridge-list"}, words[i+2:])
	}
	return words
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func hasName(f cli.Flag, name string) bool {
	return slices.Contains(f.Names(), name)
}
