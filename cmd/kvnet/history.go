package main

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/journal"
)

func historyCommand(e *env) *cli.Command {
	return &cli.Command{
		Category: truth,
		Usage:    "the changes that were made, each with its number for undo",
		Description: describe(`
Lists the changes of this host that kvnet keeps a way back for, oldest first: the
number, when, how it ended, what was done, and the command. A change that was cut
off half-way, by a crash or a power cut, stands there as "begun". The journal is
in /var/lib/kvnet, and in ~/.local/state/kvnet for changes by other users than
root; it holds the last 200.`,
			"kvnet history", 0, 1, 2),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			return runHistory(e)
		},
	}
}

// historyRow is one entry; what it keeps is left to the journal's files.
type historyRow struct {
	ID       int             `json:"id"`
	Time     time.Time       `json:"time"`
	Outcome  journal.Outcome `json:"outcome"`
	Op       string          `json:"op"`
	Object   string          `json:"object"`
	Command  []string        `json:"command"`
	URI      string          `json:"uri"`
	Left     []string        `json:"left"`
	Backs    int             `json:"backs"`
	BackedBy int             `json:"backed_by"`
}

func runHistory(e *env) error {
	dir, err := stateDir()
	if err != nil {
		return &failure{op: "read", object: "the journal", err: err}
	}
	entries, err := journal.Entries(dir)
	rows := []historyRow{}
	for _, n := range entries {
		rows = append(rows, historyRow{
			ID: n.ID, Time: n.Time, Outcome: n.Outcome, Op: n.Op, Object: n.Object, Command: list(n.Command), URI: n.URI,
			Left: list(n.Left), Backs: n.Backs, BackedBy: n.BackedBy,
		})
	}
	printed := e.print(rows, func(w io.Writer) {
		t := table{headings: []string{"Number", "Time", "Outcome", "Change", "Command"}}
		for _, r := range rows {
			t.add(strconv.Itoa(r.ID), r.Time.Local().Format(time.DateTime), outcomeWords(rows, r), r.Op+" "+r.Object, commandWords(r.Command))
		}
		t.write(w, e.quiet)
	})
	if err != nil {
		err = &failure{op: "read", object: "the journal", err: errors.New(oneLine(err)), hint: "what can be read is listed"}
	}
	return errors.Join(printed, err)
}

// outcomeWords are how a change ended and what became of it.
func outcomeWords(rows []historyRow, r historyRow) string {
	words := string(r.Outcome)
	for verb, next := "taken back", "made again"; r.BackedBy != 0; verb, next = next, verb {
		words += ", " + verb + " by " + strconv.Itoa(r.BackedBy)
		i := slices.IndexFunc(rows, func(by historyRow) bool { return by.ID == r.BackedBy && by.ID > r.ID })
		if i < 0 {
			break
		}
		r = rows[i]
	}
	return words
}

// commandWords is a command line for people: a long argument is cut.
func commandWords(args []string) string {
	words := slices.Clone(args)
	for i := range words {
		words[i] = shorten(words[i])
	}
	return strings.Join(words, " ")
}
