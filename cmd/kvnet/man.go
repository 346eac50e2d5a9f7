package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func manCommand(e *env) *cli.Command {
	return &cli.Command{
		Category: program,
		Usage:    "the manual page, in roff",
		Description: describe(`Prints the manual page kvnet(8) for man(1), made from the same texts as --help.`,
			"kvnet man | man -l -", 0, 1, 2),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			return e.write([]byte(manPage(newApp(e), readVersion().Version)))
		},
	}
}

// manPage writes all commands, flags and exit codes with the macros of man(7).
func manPage(app *cli.App, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH KVNET 8 \"\" \"kvnet %s\" \"System Administration\"\n", roff(version))
	fmt.Fprintf(&b, ".SH NAME\nkvnet \\- %s\n", roff(app.Usage))
	b.WriteString(".SH SYNOPSIS\n.B kvnet\n.I COMMAND\n[\\fIARGUMENT\\fR ...] [\\fIFLAG\\fR ...]\n")
	b.WriteString(".SH DESCRIPTION\nWhat libvirt says and what the kernel has are two things; kvnet looks at both.\n" +
		"Flags may stand anywhere on the line; a lone \\fB\\-\\-\\fR ends them.\n" +
		"Data goes to standard output, everything else to standard error.\n")
	b.WriteString(".SH FLAGS OF EVERY COMMAND\n")
	manFlags(&b, app.Flags)
	for _, category := range categories(app) {
		fmt.Fprintf(&b, ".SH COMMANDS: %s\n", strings.ToUpper(roff(category)))
		for _, c := range app.Commands {
			if c.Category == category && !c.Hidden {
				manEntry(&b, c)
			}
		}
	}
	b.WriteString(".SH EXIT STATUS\n")
	for code, meaning := range exitMeanings {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", code, roff(meaning))
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n.B LIBVIRT_DEFAULT_URI\nthe connection where \\fB\\-\\-connect\\fR is not given\n" +
		".TP\n.B NO_COLOR\nwhen set and not empty, no colour on terminals\n")
	b.WriteString(".SH SEE ALSO\n.BR virsh (1),\n.BR bridge (8),\n.BR brctl (8)\n")
	return b.String()
}

func manEntry(b *strings.Builder, c *cli.Command) {
	fmt.Fprintf(b, ".SS \"%s\"\n", roff(synopsis(c)))
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "Alias: %s.\n.PP\n", roff(strings.Join(c.Aliases, ", ")))
	}
	text, rest, _ := strings.Cut(c.Description, "\nEXIT STATUS\n")
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		fmt.Fprintf(b, ".PP\n%s\n", roff(paragraph))
	}
	manFlags(b, c.Flags)
	codes, example, _ := strings.Cut(rest, "\nEXAMPLE\n")
	var numbers []string
	for line := range strings.Lines(codes) {
		if fields := strings.Fields(line); len(fields) > 0 {
			numbers = append(numbers, fields[0])
		}
	}
	fmt.Fprintf(b, ".PP\nExit status: %s.\n", strings.Join(numbers, ", "))
	fmt.Fprintf(b, ".PP\n.RS 4\n.nf\n%s\n.fi\n.RE\n", roff(strings.TrimSpace(example)))
}

func manFlags(b *strings.Builder, flags []cli.Flag) {
	for _, f := range visible(flags) {
		name, text := flagText(f)
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(text))
	}
}

// roff escapes text for roff: backslashes, hyphens that are typed, and a dot
// or quote that would begin a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			l = `\&` + l
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}
