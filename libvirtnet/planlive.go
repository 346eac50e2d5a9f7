package libvirtnet

import (
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

// PlanLive plans what makes a running network what the document want says, as
// far as libvirt does that in place: live is the document that it runs with.
// Later are the differences that are left for a restart. Guests are those that
// may feel it.
func PlanLive(have Network, live, want string, guests []Guest) (Plan, error) {
	p := Plan{Network: have.Name}.clone()
	changes, left, err := xml.SectionChanges(live, want)
	if err != nil {
		return p, &Error{Op: opUpdateNetwork, Object: "network " + show(have.Name), Message: err.Error(), Kind: ErrInvalid}
	}
	for _, c := range changes {
		u, entry := SectionUpdate{Command: UpdateAdd, Section: c.Section}, c.Want
		switch {
		case c.Want == nil:
			u.Command, entry = UpdateDelete, c.Have
		case c.Have != nil:
			u.Command = UpdateModify
		}
		if c.Have != nil {
			u.Former = c.Have.Text
		}
		u.Parent = entry.Parent
		p = p.With(PlanUpdate(have, u, entry.Text, true))
	}
	p.Later = left
	p.Disturbs = Effects(have, guests, p)
	return p, nil
}

// sideEffect is what libvirt 9.0 does to a running network for an update of a
// section (networkUpdate in src/network/bridge_driver.c).
type sideEffect struct{ firewall, server bool }

var sideEffects = map[xml.Section]sideEffect{
	xml.DHCPHosts:         {firewall: true},
	xml.DHCPRanges:        {firewall: true, server: true},
	xml.ForwardInterfaces: {firewall: true},
	xml.DNSTexts:          {server: true},
	xml.DNSServices:       {server: true},
}

// Effects says, one line each, what guests feel of a plan's updates of a
// running network.
func Effects(have Network, guests []Guest, p Plan) []string {
	firewall, server := 0, 0
	for _, s := range p.Steps {
		if s.Do != Update || !s.Live || s.Update == nil {
			continue
		}
		if e := sideEffects[s.Update.Section]; e.firewall || e.server {
			firewall += map[bool]int{true: 1}[e.firewall]
			server += map[bool]int{true: 1}[e.server]
		}
	}
	who := felt(Attached(have, guests))
	lines := []string{}
	if firewall > 0 {
		lines = append(lines, fmt.Sprintf("libvirt removes and adds the firewall rules of network %s%s: new connections%s may fail for a moment", show(have.Name), times(firewall), who))
	}
	if server > 0 {
		lines = append(lines, fmt.Sprintf("the DHCP and DNS server of network %s is restarted%s", show(have.Name), times(server)))
	}
	return lines
}

func times(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}

// felt names the guests of some interfaces: " of guests a, b".
func felt(list []Attachment) string {
	var names []string
	seen := map[string]bool{}
	for _, a := range list {
		if !seen[a.Guest] {
			seen[a.Guest] = true
			names = append(names, show(a.Guest))
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " of guest " + names[0]
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return " of guests " + strings.Join(names, ", ")
}
