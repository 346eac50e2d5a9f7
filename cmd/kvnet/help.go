package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// exitMeanings are the exit codes of the program, in the words of its
// contract; every command's help names those that it can return.
var exitMeanings = [...]string{
	"done, or nothing to do, or nothing wrong",
	"could not do it",
	"wrong command line; nothing was done",
	"did its work and something is wrong",
	"refused",
	"timed out waiting",
}

// describe builds a command's long help: text, exit codes, one example.
func describe(text, example string, codes ...int) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(text))
	b.WriteString("\n\nEXIT STATUS\n")
	for _, code := range codes {
		fmt.Fprintf(&b, "   %d  %s\n", code, exitMeanings[code])
	}
	b.WriteString("\nEXAMPLE\n   " + example)
	return b.String()
}

// printHelp writes the help of cmd, or of the program when cmd is nil.
func printHelp(w io.Writer, app *cli.App, cmd *cli.Command) error {
	var b strings.Builder
	if cmd == nil {
		appHelp(&b, app)
	} else {
		commandHelp(&b, app, cmd)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func appHelp(b *strings.Builder, app *cli.App) {
	fmt.Fprintf(b, "%s - %s\n\nUSAGE\n   %s COMMAND [ARGUMENT ...] [FLAG ...]\n", app.Name, app.Usage, app.Name)
	var width int
	for _, c := range app.Commands {
		if !c.Hidden {
			width = max(width, len(synopsis(c)))
		}
	}
	for _, category := range categories(app) {
		fmt.Fprintf(b, "\n%s\n", strings.ToUpper(category))
		for _, c := range app.Commands {
			if c.Category == category && !c.Hidden {
				fmt.Fprintf(b, "   %-*s   %s\n", width, synopsis(c), c.Usage)
			}
		}
	}
	b.WriteString("\nFLAGS OF EVERY COMMAND (anywhere on the line)\n")
	flagHelp(b, app.Flags)
	b.WriteString("\nEXIT STATUS\n")
	for code, meaning := range exitMeanings {
		fmt.Fprintf(b, "   %d  %s\n", code, meaning)
	}
	b.WriteString("\nEXAMPLE\n   kvnet verify default\n")
}

func commandHelp(b *strings.Builder, app *cli.App, c *cli.Command) {
	fmt.Fprintf(b, "%s %s - %s\n\nUSAGE\n   %s %s%s\n", app.Name, c.Name, c.Usage, app.Name, synopsis(c), flagsWord(c))
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "   alias: %s\n", strings.Join(c.Aliases, ", "))
	}
	text, rest, _ := strings.Cut(c.Description, "\nEXIT STATUS\n")
	fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(text))
	if len(visible(c.Flags)) > 0 {
		b.WriteString("\nFLAGS\n")
		flagHelp(b, c.Flags)
	}
	b.WriteString("\nFLAGS OF EVERY COMMAND\n")
	flagHelp(b, app.Flags)
	fmt.Fprintf(b, "\nEXIT STATUS\n%s\n", rest)
}

func flagHelp(b *strings.Builder, flags []cli.Flag) {
	names, texts, width := []string{}, []string{}, 0
	for _, f := range visible(flags) {
		name, text := flagText(f)
		names, texts, width = append(names, name), append(texts, text), max(width, len(name))
	}
	for i := range names {
		fmt.Fprintf(b, "   %-*s   %s\n", width, names[i], texts[i])
	}
}

// flagText returns "--connect URI, -c URI" and what the flag does. The value's
// name stands in back quotes in the flag's usage.
func flagText(f cli.Flag) (name, text string) {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "--" + f.Names()[0], ""
	}
	text = d.GetUsage()
	value := ""
	if before, after, found := strings.Cut(text, "`"); found {
		word, end, _ := strings.Cut(after, "`")
		value, text = " "+word, before+word+end
	} else if d.TakesValue() {
		value = " VALUE"
	}
	if def := d.GetDefaultText(); d.TakesValue() && def != "" && def != `""` && def != "0" && d.GetValue() != "" {
		text += " (default: " + strings.Trim(def, `"`) + ")"
	}
	var parts []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			parts = append(parts, "-"+n+value)
		} else {
			parts = append(parts, "--"+n+value)
		}
	}
	return strings.Join(parts, ", "), text
}

func visible(flags []cli.Flag) []cli.Flag {
	var out []cli.Flag
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); !ok || v.IsVisible() {
			out = append(out, f)
		}
	}
	return out
}

func synopsis(c *cli.Command) string {
	return strings.TrimSpace(c.Name + " " + c.ArgsUsage)
}

func flagsWord(c *cli.Command) string {
	if len(visible(c.Flags)) == 0 {
		return ""
	}
	return " [FLAG ...]"
}

// categories returns the headings of the command list in order of appearance.
func categories(app *cli.App) []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range app.Commands {
		if !c.Hidden && !seen[c.Category] {
			seen[c.Category] = true
			out = append(out, c.Category)
		}
	}
	return out
}
