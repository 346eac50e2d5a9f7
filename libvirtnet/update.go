package libvirtnet

import (
	"context"
	"slices"

	"github.com/kvnet/kvnet/xml"
)

// UpdateCommand is what is done to an entry of a section.
type UpdateCommand string

// The commands of virNetworkUpdateCommand that kvnet uses.
const (
	UpdateAdd    UpdateCommand = "add"
	UpdateDelete UpdateCommand = "delete"
	UpdateModify UpdateCommand = "modify"
)

// SectionUpdate is a change of one entry of a network's section in one layer.
type SectionUpdate struct {
	Command UpdateCommand `json:"command"`
	Section xml.Section   `json:"section"`
	// Parent is the index of the <ip> that the entry belongs to; -1 elsewhere.
	Parent int `json:"parent"`
	// Former is the entry as it was: what a delete or modify takes back to.
	Former string `json:"former,omitempty"`
}

// back is the change that takes u back; entry is what u did it with.
func (u SectionUpdate) back(entry string) (SectionUpdate, string) {
	switch u.Command {
	case UpdateAdd:
		u.Command, u.Former = UpdateDelete, entry
		return u, entry
	case UpdateDelete:
		u.Command = UpdateAdd
	}
	former := u.Former
	u.Former = entry
	return u, former
}

// PlanUpdate changes one entry of a section of a network, in the running
// network (live) or in its definition. What guests feel of it: [Effects].
func PlanUpdate(have Network, u SectionUpdate, entry string, live bool) Plan {
	layer := "in the definition of network " + show(have.Name)
	if live {
		layer = "in running network " + show(have.Name)
	}
	p := Plan{Network: have.Name}.clone()
	p.Steps = append(p.Steps, PlanStep{Do: Update, Object: have.Name, Document: entry, Update: &u, Live: live, Config: !live,
		Say: string(u.Command) + " " + string(u.Section) + " " + layer, Why: updateReasons[u.Command]})
	return p
}

var updateReasons = map[UpdateCommand]string{
	UpdateAdd:    "it is not there",
	UpdateDelete: "it is there",
	UpdateModify: "it says something else",
}

func (t step) update(ctx context.Context) (undo, error) {
	u := t.s.Update
	if u == nil {
		return undo{}, &Error{Op: opUpdateNetwork, Object: "network " + show(t.s.Object), Message: "no update to make", Kind: ErrInvalid}
	}
	back, former := u.back(t.s.Document)
	takeBack := func(ctx context.Context) error {
		return t.h.UpdateNetwork(ctx, t.s.Object, back, former, t.s.Live)
	}
	done, err := t.change(ctx, func(ctx context.Context) error {
		return t.h.UpdateNetwork(ctx, t.s.Object, *u, t.s.Document, t.s.Live)
	}, takeBack)
	if err != nil && done.do == nil && t.s.Live && t.updated(ctx) {
		done.do = takeBack
	}
	return done, err
}

// updated says whether a running network shows an update that failed: libvirt keeps
// it when the server then does not start again with it.
func (t step) updated(ctx context.Context) bool {
	document, err1 := t.h.NetworkXML(ctx, t.s.Object, false)
	list, err2 := xml.Entries(document, t.s.Update.Section)
	want, err3 := xml.ParseEntry(t.s.Document, t.s.Update.Section)
	if err1 != nil || err2 != nil || err3 != nil {
		return false
	}
	there := slices.ContainsFunc(list, func(have xml.Entry) bool { return have.Says(want) && want.Says(have) })
	return there != (t.s.Update.Command == UpdateDelete)
}
