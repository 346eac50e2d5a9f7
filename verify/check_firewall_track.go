package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// untracker is the rule about connection tracking behind a breach; its Table is empty
// where there is none.
func (b breach) untracker() firewall.Reference {
	for _, s := range b.flows {
		switch {
		case s.untracked():
			return s.Untracked
		case s.strayed.Table != "":
			return s.strayed
		}
	}
	return firewall.Reference{}
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

// tellUntracked tells of a rule that keeps packets from conntrack; ok is false where
// there is none behind the breach.
func tellUntracked(p *pass, b breach) (f Finding, ok bool) {
	i := slices.IndexFunc(b.flows, seen.untracked)
	if i < 0 {
		return f, false
	}
	by := b.flows[i].Untracked
	text, _ := effects(b)
	return Finding{
		Message:  fmt.Sprintf("a rule takes the packets of %s from connection tracking, and with it from NAT and from libvirt's rules: %s", b.networks(), text),
		Evidence: evidence(by),
		Fix:      Fix{Class: Manual, Say: "delete the rule, or except the bridge and its uplink from it", Steps: p.packets().deleteThat(by)},
	}, true
}

// tellStrayed tells of a rule that puts packets of one direction into a zone of
// conntrack's; ok is false where there is none behind the breach.
func tellStrayed(p *pass, b breach) (f Finding, ok bool) {
	i := slices.IndexFunc(b.flows, func(s seen) bool { return s.strayed.Table != "" })
	if i < 0 {
		return f, false
	}
	by := b.flows[i].strayed
	text, _ := effects(b)
	return Finding{
		Message:  fmt.Sprintf("a rule puts the packets of %s into another zone of connection tracking than their answers, which are not translated back: %s", b.networks(), text),
		Evidence: evidence(by),
		Fix:      Fix{Class: Manual, Say: "delete the rule, or put the answers into the same zone", Steps: p.packets().deleteThat(by)},
	}, true
}
