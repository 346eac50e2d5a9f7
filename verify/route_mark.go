package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
)

// markOf is what is known of the mark of what a network's guests send to an
// address, at the time when the host looks for its way. Without the whole
// packet filter nothing is known, and without rules for marks nothing asked.
func (h *host) markOf(link string, src netip.Prefix, far netip.Addr) firewall.Mark {
	f := h.packets()
	if f == nil || len(h.gaps.lacks[PacketFilter]) > 0 || !slices.ContainsFunc(h.snap.Kernel.Rules, func(r bridge.Rule) bool { return r.Mark != 0 || r.Mask != 0 }) {
		return firewall.Mark{}
	}
	return f.filter.RoutingMark(firewall.Flow{
		Family: familyName(far.Is6()), Path: firewall.PathForward, IIF: h.device(link), Src: src, Dst: single(far),
	})
}

// marked is a flow from guests to the outside with what is known of its mark.
func (h *host) marked(one *home, src netip.Prefix, addr, far netip.Addr) flow {
	return flow{dst: far, src: addr, iif: one.bridge, mark: h.markOf(one.bridge, src, far)}
}

// refusedFlow is what guests of a network send beyond the host, and cannot.
type refusedFlow struct {
	home *home
	flow flow
	answers
	guest bool // it is a single guest's
}

// lost says whether the packets of an answer do not leave.
func (a answer) lost() bool { return a.refused() || a.kind == noRoute }

// refusedOf finds what of a subnet is refused: of every guest, or of one of
// those that run where a mark hangs on the guest.
func (p *pass) refusedOf(one *home) *refusedFlow {
	far := p.routing().beyond(familyOf(one.own))
	all := p.marked(one, one.prefix, one.guests[0], far)
	// The host's own packets find a route.
	if found := p.routing().lookup(all); found.plain.lost() {
		return &refusedFlow{home: one, flow: all, answers: found}
	}
	if all.mark.Known == ^uint32(0) {
		return nil
	}
	running := p.runningOn(one.bridge)
	for _, l := range p.liveLeases(one.net) {
		if g := running[strings.ToLower(l.MAC)]; g == nil || !one.prefix.Contains(l.IP) {
			continue
		}
		fl := p.marked(one, single(l.IP), l.IP, far)
		if found := p.routing().lookup(fl); fl.mark.By.Table != "" && found.plain.lost() && found.all(answer.lost) {
			return &refusedFlow{home: one, flow: fl, answers: found, guest: true}
		}
	}
	return nil
}

// evidence writes what decided, with the rule of the packet filter that the
// mark is of.
func (r *refusedFlow) evidence() string {
	text := r.plain.evidence()
	if r.plain.kind == noRoute {
		text = "no rule leads to a route"
	}
	if by := r.flow.mark.By; by.Table != "" {
		text += fmt.Sprintf("; the packets have mark %#x: %s", r.flow.mark.Value, evidence(by))
	}
	return text
}
