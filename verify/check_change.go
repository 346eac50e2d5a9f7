package verify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func changeChecks() []Check {
	return []Check{
		{
			ID: "change-half-done", Title: "a change by kvnet stands half-way", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Journal},
			Doc: Doc{
				Symptom:  "Something is neither as it was nor as it was to be.",
				Cause:    "kvnet was killed, or the host stopped, between two steps of a change; or libvirt ended under it, and what was done could not be taken back.",
				Evidence: "kvnet's journal has an entry that began and did not end, and no kvnet is at work; or one that failed, with what is left of it, and no later change of the same things.",
				Cure:     "kvnet undo makes what the change touched as it was before; then the change can be made again.",
			},
			run: changeHalfDone,
		},
	}
}

func changeHalfDone(p *pass) {
	for _, u := range p.snap.Unfinished {
		s := scope{kind: theHost, link: "change " + strconv.Itoa(u.Number)}
		if len(u.Networks) > 0 {
			s.network = u.Networks[0]
		}
		if len(u.Guests) > 0 {
			s.guest = u.Guests[0]
		}
		if !p.on(s) {
			continue
		}
		f := Finding{
			Message:  fmt.Sprintf("change %d (%s) was cut off half-way", u.Number, oneLine(u.Change)),
			Evidence: "entry " + strconv.Itoa(u.Number) + " of kvnet's journal",
			Want:     "a change that ended", Have: "one that began at " + u.Began.UTC().Format(time.RFC3339),
			Fix: Fix{
				Class: Guarded, Say: "make what it touched as it was before, then make the change again",
				Steps: []Step{{Do: UndoChange, On: strconv.Itoa(u.Number)}},
			},
		}
		if len(u.Left) > 0 {
			f.Message = fmt.Sprintf("change %d (%s) failed half-way", u.Number, oneLine(u.Change))
			f.Have = "not taken back: " + oneLine(strings.Join(u.Left, ", "))
		}
		p.found(s, f)
	}
}

// UndoChange takes a change back: On is its number.
const UndoChange Action = "undo"
