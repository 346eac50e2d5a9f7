package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
)

// Every command, whoever adds it, has the help that the contract asks for.
func TestHelpOfEveryCommand(t *testing.T) {
	app := newApp(&env{})
	example := regexp.MustCompile(`(?m)^EXAMPLE\n   .*\bkvnet [^\n]+\n?$`)
	for _, c := range app.Commands {
		var out bytes.Buffer
		if code := run(context.Background(), []string{"kvnet", c.Name, "--help"}, nil, &out, &out); code != 0 {
			t.Errorf("%s --help: exit code %d", c.Name, code)
		}
		text := out.String()
		if !strings.Contains(text, "\nEXIT STATUS\n   0  ") || !example.MatchString(text) {
			t.Errorf("%s: help without exit codes or example:\n%s", c.Name, text)
		}
		if strings.Contains(text, "`") || strings.Contains(text, "%!") {
			t.Errorf("%s: help holds %q:\n%s", c.Name, "` or %!", text)
		}
		for line := range strings.Lines(text) {
			if len(line) > 150 {
				t.Errorf("%s: line of %d columns: %s", c.Name, len(line), line)
			}
		}
		if c.Usage == "" || c.Category == "" && !c.Hidden {
			t.Errorf("%s: lacks a usage text or a heading", c.Name)
		}
		for _, f := range c.Flags {
			if _, text := flagText(f); text == "" {
				t.Errorf("%s: flag %v has no text", c.Name, f.Names())
			}
		}
	}
}

// The examples in the helps are command lines that the parser takes.
func TestExamplesParse(t *testing.T) {
	for _, c := range newApp(&env{}).Commands {
		_, example, _ := strings.Cut(c.Description, "\nEXAMPLE\n   ")
		_, words, found := strings.Cut(example, "kvnet ")
		if !found {
			t.Errorf("%s: example %q", c.Name, example)
			continue
		}
		words, _, _ = strings.Cut(strings.TrimRight(words, ")"), " | ")
		line, err := parseLine(newApp(&env{}), append([]string{"kvnet"}, strings.Fields(words)...))
		if err != nil || line.cmd == nil || line.cmd.Name != c.Name {
			t.Errorf("%s: example %q: command %v, error %v", c.Name, example, line.cmd, err)
		}
	}
}

// The page names every command and flag, and no text begins a roff request.
func TestManPage(t *testing.T) {
	app := newApp(&env{})
	page := manPage(app, "1.0-rc")
	for _, c := range app.Commands {
		if heading := ".SS \"" + roff(synopsis(c)) + "\"\n"; strings.Contains(page, heading) == c.Hidden {
			t.Errorf("%s: hidden %v, in the page %v", c.Name, c.Hidden, !c.Hidden)
		}
		for _, f := range visible(c.Flags) {
			if name, _ := flagText(f); !c.Hidden && !strings.Contains(page, ".B "+roff(name)+"\n") {
				t.Errorf("%s: the page lacks %s", c.Name, name)
			}
		}
	}
	request := regexp.MustCompile(`^\.(TH|SH|SS|PP|TP|B|BR|I|RS|RE|nf|fi)\b`)
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !request.MatchString(line) {
			t.Errorf("text begins a request: %s", line)
		}
	}
}

func TestRoff(t *testing.T) {
	for have, want := range map[string]string{
		".nf": `\&.nf`, "'x": `\&'x`, `a\b`: `a\eb`, "--all": `\-\-all`, `say "x"`: `say \(dqx\(dq`, "a\n.b": "a\n\\&.b",
	} {
		if have := roff(have); have != want {
			t.Errorf("roff: %q, want %q", have, want)
		}
	}
}
