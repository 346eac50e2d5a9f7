package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
)

// planDocument is a plan as -o json prints it. Documents are in it with
// --print-xml only.
type planDocument struct {
	DryRun bool `json:"dry_run"`
	libvirtnet.Plan
}

// printPlan is the end of a dry run.
func (e *env) printPlan(plan libvirtnet.Plan, o changeOptions) error {
	plan = plan.With() // a copy, its lists never nil
	var documents []string
	for i, s := range plan.Steps {
		if s.Document != "" && o.printXML {
			documents = append(documents, strings.TrimSpace(s.Document))
		}
		if !o.printXML && s.Update == nil && s.Metadata == nil {
			plan.Steps[i].Document = ""
		}
	}
	return e.print(planDocument{DryRun: true, Plan: plan}, func(w io.Writer) {
		if o.dryRun {
			printSteps(w, plan)
		}
		for _, d := range documents {
			fmt.Fprintln(w, d)
		}
	})
}

func printSteps(w io.Writer, plan libvirtnet.Plan) {
	for _, s := range plan.Steps {
		fmt.Fprintf(w, "would %s: %s\n", clean(s.Say), clean(s.Why))
		if s.Update != nil {
			fmt.Fprintf(w, "  %s %s\n", signs[s.Update.Command], clean(strings.Join(strings.Fields(s.Document), " ")))
		}
		if s.Metadata != nil {
			printNote(w, "-", s.Metadata.Former)
			printNote(w, "+", s.Document)
		}
	}
	for _, c := range plan.Changes {
		fmt.Fprintf(w, "  %s\n", clean(signed(c)))
	}
	for _, d := range plan.Disturbs {
		fmt.Fprintf(w, "note: %s\n", clean(d))
	}
	if len(plan.Steps) == 0 {
		fmt.Fprintln(w, "nothing to do")
	}
}

// changeWords is one difference of two definitions: "mtu: 1400 -> 1500".
func changeWords(c libvirtnet.Change) string {
	return c.Path + ": " + word(c.Have) + " -> " + word(c.Want)
}

var signs = map[libvirtnet.UpdateCommand]string{libvirtnet.UpdateAdd: "+", libvirtnet.UpdateDelete: "-", libvirtnet.UpdateModify: "~"}

// signed is a difference as plans show it: + for what comes, - for what goes,
// ~ for what becomes something else.
func signed(c libvirtnet.Change) string {
	switch {
	case c.Have == "":
		return "+ " + c.Path + ": " + c.Want
	case c.Want == "":
		return "- " + c.Path + ": " + c.Have
	}
	return "~ " + changeWords(c)
}

func word(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// printNote prints a text of metadata on one line.
func printNote(w io.Writer, sign, text string) {
	if text != "" {
		fmt.Fprintf(w, "  %s %s\n", sign, clean(shorten(strings.Join(strings.Fields(text), " "))))
	}
}
