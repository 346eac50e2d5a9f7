package firewall

import (
	"cmp"
	"slices"
	"strings"
)

// Mark is what is known of a packet's mark: the bits of Value that are set in
// Known. By is the rule that wrote it last; its Table is empty when none did.
type Mark struct {
	Value, Known uint32
	By           Reference
}

// RoutingMark is the mark of a flow's packets at the time when the host looks
// for their way: what the chains of ingress and prerouting made of it. Nothing
// is known of packets that do not come so far, or may have been marked on a
// bridge port that the flow does not name.
func (f *Filter) RoutingMark(flow Flow) Mark {
	if flow.problem() != "" || flow.PhysIn == (Interface{}) && f.marksFrames() {
		return Mark{}
	}
	j := f.journey(flow, cmp.Or(append(flow.CT, StateNew)...))
	j.arrive()
	if j.finished || j.doubt != nil {
		return Mark{}
	}
	return Mark{Value: j.order.Uint32(j.st.mark.val), Known: j.order.Uint32(j.st.mark.known), By: j.marker.ref()}
}

// marksFrames says whether any rule of the bridge or of a device marks packets.
func (f *Filter) marksFrames() bool {
	for i := range f.rs.Tables {
		t := &f.rs.Tables[i]
		if t.Family != "bridge" && t.Family != "netdev" {
			continue
		}
		for j := range t.Chains {
			for k := range t.Chains[j].Rules {
				if slices.ContainsFunc(t.Chains[j].Rules[k].Exprs, marks) {
					return true
				}
			}
		}
	}
	return false
}

func marks(e *Expr) bool {
	return e.Kind == "meta" && e.Key == "mark" && e.Sreg != 0 || e.Kind == "target" && strings.Contains(strings.ToLower(e.Key), "mark")
}
