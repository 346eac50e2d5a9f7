package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// untracker is the rule about connection tracking behind a breach; its Table is empty
// where there is none.
func (b breach) untracker() firewall.Reference {
	var by firewall.Reference
	for _, s := range b.flows {
		if s.untracked() {
			return s.Untracked
		}
		if by.Table == "" {
			by = s.strayed
		}
	}
	return by
}

// networks names the networks of a breach.
func (b breach) networks() string {
	if len(b.others) == 0 {
		return "network " + show(b.net.net.Name)
	}
	names := []string{b.net.net.Name}
	for _, n := range b.others {
		names = append(names, n.net.Name)
	}
	return "networks " + someNames(names)
}

// tellUntracked tells of a rule that keeps packets from conntrack, or puts those of
// one direction into a zone of its; ok is false where there is none behind the
// breach.
func tellUntracked(p *pass, b breach) (f Finding, ok bool) {
	by := b.untracker()
	if by.Table == "" {
		return f, false
	}
	what, say := "a rule takes the packets of %s from connection tracking, and with it from NAT and from libvirt's rules: %s", "except the bridge and its uplink from it"
	if !slices.ContainsFunc(b.flows, seen.untracked) {
		what, say = "a rule puts the packets of %s into another zone of connection tracking than their answers, which are not translated back: %s", "put the answers into the same zone"
	}
	text, _ := effects(b)
	return Finding{
		Message:  fmt.Sprintf(what, b.networks(), text),
		Evidence: evidence(by),
		Fix:      Fix{Class: Manual, Say: "delete the rule, or " + say, Steps: p.packets().deleteThat(by)},
	}, true
}
