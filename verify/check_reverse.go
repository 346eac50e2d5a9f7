package verify

import (
	"fmt"
	"slices"
)

func reverseChecks() []Check {
	return []Check{
		{
			ID: "rp-filter-strict", Title: "the reverse path filter drops guests' packets", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Links, Addresses, Routes, Rules, Forwarding},
			After: append([]string{"route-shadow", "policy-route-steals", "ip-forward-off", "ip-forward-per-if-off"}, homeless...),
			Doc: Doc{
				Symptom:  "What guests send leaves the host, and no answer comes back; on hosts with two uplinks or a VPN.",
				Cause:    "rp_filter is strict on a link that guests' packets arrive on while the route back to their sender leads over another.",
				Evidence: "The greater of the rp_filter of all and of the link is 1, and a lookup of the way back gives another link: for answers on the link that guests' packets leave by, for guests' packets on the bridge. A warning when packets with a mark might find another way. Strict filters on symmetric ways are healthy.",
				Cure:     "Set rp_filter of the link to 2 (loose).",
			},
			run: rpFilterStrict,
		},
	}
}

// strict says whether a link drops IPv4 packets that came by another link than
// the route back takes: the greater value counts (IN_DEV_RPFILTER,
// linux/inetdevice.h).
func (h *host) strict(link string) bool {
	value := 0
	for i := range h.snap.Kernel.Forwarding {
		if f := &h.snap.Kernel.Forwarding[i]; f.Family == 4 && (f.Link == "all" || f.Link == link) {
			value = max(value, f.RPFilter)
		}
	}
	return value == 1
}

func rpFilterStrict(p *pass) {
	homes := p.homes()
	done := map[string]bool{}
	for i := range homes {
		one := &homes[i]
		if !routed(one.def) || !one.own.Is4() || len(one.guests) == 0 || done[one.net.Name] || !p.on(one.scope()) {
			continue
		}
		far := p.routing().beyond(4)
		guest := one.guests[0]
		done[one.net.Name] = p.dropsOn(one, one.bridge, flow{dst: guest, src: far})
		if done[one.net.Name] {
			continue
		}
		out := p.routing().lookup(flow{dst: far, src: guest, iif: one.bridge})
		if out.plain.kind != toLink {
			continue
		}
		back := flow{dst: far, src: guest}
		for _, r := range out.plain.routes {
			if !p.routing().lookup(back).plain.over(r.Link) && p.dropsOn(one, r.Link, back) {
				done[one.net.Name] = true
				break
			}
		}
	}
}

// dropsOn reports a link whose filter drops packets, given the flow back to
// their sender.
func (p *pass) dropsOn(one *home, link string, back flow) bool {
	found := p.routing().lookup(back)
	elsewhere := func(a answer) bool { return a.kind == toLink && !a.over(link) }
	if link == "" || !p.strict(link) || !elsewhere(found.plain) {
		return false
	}
	what, from := "what guests send", back.dst.String()
	if link != one.bridge {
		what = "answers to guests"
	}
	f := Finding{
		Severity: Error,
		Message:  fmt.Sprintf("%s of network %s come by %s and are dropped: the way back to %s is %s, and the reverse path filter is strict", what, show(one.net.Name), show(link), from, found.plain.where()),
		Evidence: "sysctl net.ipv4.conf." + show(link) + ".rp_filter; " + found.plain.evidence(),
		Want:     from + " dev " + show(link) + ", or rp_filter = 2", Have: from + " " + found.plain.where() + ", rp_filter = 1",
		Fix: Fix{
			Class: Guarded, Say: "make the filter loose on " + show(link) + ", also in /etc/sysctl.d; or make the way back the same",
			Steps: []Step{{Do: SetSysctl, On: linkSysctl(4, link, "rp_filter"), With: "2"}},
		},
	}
	if slices.ContainsFunc(found.rest, func(a answer) bool { return !elsewhere(a) }) {
		f.Severity = Warning
	}
	p.found(one.scope(), f)
	return true
}
