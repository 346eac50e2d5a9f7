package libvirtnet

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// NewPlan says what makes a network's definition be the document want: have
// is the network of that name as it is, nil when there is none. The UUID, the
// bridge and its MAC of an existing definition are kept where want leaves
// them open. The plan is empty when the definition says it all already. A
// running network keeps its live definition until it is restarted, so nothing
// is disturbed but that.
//
// The error is an ErrInvalid when want is no network document or names
// another network than have, and an ErrExists when its UUID is another.
func NewPlan(have *Network, want string) (Plan, error) {
	w, err := xml.Parse(want)
	if err != nil {
		return Plan{}, &Error{Op: opDefine, Object: "network", Message: err.Error(), Kind: ErrInvalid}
	}
	p := Plan{Network: w.Name}.clone()
	step := PlanStep{Do: Define, Object: w.Name, Document: want,
		Say: "define network " + show(w.Name), Why: "it is not defined"}
	if have == nil {
		p.Steps = append(p.Steps, step)
		return p, nil
	}
	if err := sameNetwork(have, w.Name, w.UUID); err != nil {
		return Plan{}, err
	}
	if step.Document, err = keepIdentity(have, want, w); err != nil {
		return Plan{}, &Error{Op: opDefine, Object: "network " + show(w.Name), Message: err.Error(), Kind: ErrInvalid}
	}
	if have.Config == nil {
		step.Why = "it is transient"
		p.Steps = append(p.Steps, step)
		return p, nil
	}
	if w, err = xml.Parse(step.Document); err != nil {
		return Plan{}, &Error{Op: opDefine, Object: "network " + show(have.Name), Message: err.Error(), Kind: ErrInvalid}
	}
	if p.Changes = changes(*have.Config, w); len(p.Changes) == 0 {
		return p.clone(), nil
	}
	var paths []string
	for _, c := range p.Changes {
		paths = append(paths, c.Path)
	}
	step.Do = Redefine
	step.Say = "redefine network " + show(w.Name)
	step.Why = fmt.Sprintf("%s: %s", count(len(paths), "difference"), strings.Join(paths, ", "))
	p.Steps = append(p.Steps, step)
	if have.Active {
		p.Disturbs = append(p.Disturbs, "running network "+show(w.Name)+" keeps its former definition until it is restarted")
	}
	return p, nil
}

// sameNetwork refuses a document that is about another network than have.
func sameNetwork(have *Network, name, uuid string) error {
	object := "network " + show(name)
	if name != have.Name {
		return &Error{Op: opDefine, Object: object, Message: "the document does not describe network " + show(have.Name), Kind: ErrInvalid}
	}
	if uuid != "" && have.UUID != "" && !strings.EqualFold(strings.ReplaceAll(uuid, "-", ""), strings.ReplaceAll(have.UUID, "-", "")) {
		return &Error{Op: opDefine, Object: object, Message: "it already exists with UUID " + have.UUID, Kind: ErrExists}
	}
	return nil
}
