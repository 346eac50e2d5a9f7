package libvirtnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// NewPlan says what makes a network's definition be the document want: have
// is the network of that name as it is, nil when there is none. The UUID, the
// bridge and its MAC of an existing definition are kept where want leaves
// them open. The plan is empty when the definition says it all already. What a
// running network is to have of it at once: [PlanLive]. more are differences
// that a [Network] has no field for, such as [xml.Metadata.Drift].
//
// The error is an ErrInvalid when want is no network document or names
// another network than have, and an ErrExists when its UUID is another.
func NewPlan(have *Network, want string, more ...xml.Change) (Plan, error) {
	w, err := xml.Parse(want)
	if err != nil {
		return Plan{}, &Error{Op: opDefine, Object: "network", Message: err.Error(), Kind: ErrInvalid}
	}
	// What goes to libvirt is UTF-8, whatever the document came in: libvirt
	// takes the text for UTF-8 although the document names its encoding.
	if want, err = xml.KeepIdentity(want, "", ""); err != nil {
		return Plan{}, &Error{Op: opDefine, Object: "network " + show(w.Name), Message: err.Error(), Kind: ErrInvalid}
	}
	p := Plan{Network: w.Name, Changes: withOthers(xml.Statements(w), more)}.clone()
	step := PlanStep{Do: Define, Object: w.Name, Document: want,
		Say: "define network " + show(w.Name), Why: "it is not defined"}
	if have == nil {
		p.Steps = append(p.Steps, step)
		return p, nil
	}
	object := "network " + show(w.Name)
	if w.Name != have.Name {
		return Plan{}, &Error{Op: opDefine, Object: object, Message: "it is to replace network " + show(have.Name), Kind: ErrInvalid}
	}
	if step.Document, err = keepIdentity(have, want, w); errors.Is(err, xml.ErrOtherUUID) {
		return Plan{}, &Error{Op: opDefine, Object: object, Message: "it already exists with UUID " + have.UUID, Kind: ErrExists}
	} else if err != nil {
		return Plan{}, &Error{Op: opDefine, Object: object, Message: err.Error(), Kind: ErrInvalid}
	}
	if !have.Persistent {
		step.Why = "it is transient"
		p.Steps = append(p.Steps, step)
		return p, nil
	}
	p.Changes = []Change{}
	step.Do, step.Say, step.Why = Redefine, "redefine network "+show(w.Name), "its definition could not be read"
	if have.Config != nil {
		if w, err = xml.Parse(step.Document); err != nil {
			return Plan{}, &Error{Op: opDefine, Object: object, Message: err.Error(), Kind: ErrInvalid}
		}
		changes := withOthers(xml.Drift(*have.Config, w), more)
		if len(changes) == 0 {
			return p, nil
		}
		p.Changes, step.Why = changes, differences(changes)
	}
	p.Steps = append(p.Steps, step)
	return p, nil
}

// withOthers adds those of more that are not in the list.
func withOthers(list, more []Change) []Change {
	for _, c := range more {
		if !slices.ContainsFunc(list, func(told Change) bool { return told.Path == c.Path }) {
			list = append(list, c)
		}
	}
	return list
}

// differences names what differs, for a step's reason.
func differences(changes []Change) string {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	return fmt.Sprintf("%s: %s", count(len(paths), "difference"), strings.Join(paths, ", "))
}
