package verify

import (
	"encoding/xml"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	netxml "github.com/kvnet/kvnet/xml"
)

func staticChecks() []Check {
	return []Check{
		{
			ID: "dhcp-static-bad", Title: "a DHCP reservation cannot work", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests},
			Doc: Doc{
				Symptom:  "A guest does not get the address that is reserved for it.",
				Cause:    "libvirt takes reservations outside of the subnet, of the host's own address, and of one MAC or address twice, when a network is defined.",
				Evidence: "The reservations of each network against its subnet and each other: an error while the network is active, else a warning. A name that stands twice is a warning; a reservation that bears the name of a guest of the network and a MAC of nobody is an info. Reservations within the range, or outside of it and within the subnet, are fine.",
				Cure:     "Delete or correct the reservation.",
			},
			run: dhcpStaticBad,
		},
	}
}

// reservation is one <host> with where it stands.
type reservation struct {
	net    *libvirtnet.Network
	index  int // of its <ip>
	many   bool
	subnet netip.Prefix
	own    netip.Addr
	host   *netxml.Host
}

func dhcpStaticBad(p *pass) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		s := scope{kind: aNetwork, network: n.Name}
		def := n.Def()
		if !def.Managed() || !slices.ContainsFunc(def.IPs, func(ip netxml.IP) bool { return len(ip.Hosts) > 0 }) || !p.on(s) {
			continue
		}
		seen := map[string]*reservation{}
		for j := range def.IPs {
			for k := range def.IPs[j].Hosts {
				ip := &def.IPs[j]
				r := reservation{
					net: n, index: j, many: len(def.IPs) > 1, subnet: plainPrefix(ip.Address),
					own: ip.Address.Addr().WithZone("").Unmap(), host: &ip.Hosts[k],
				}
				p.reserved(s, &r, seen)
			}
		}
	}
}

// reserved judges one reservation; seen has those before it, by what must not
// stand twice.
func (p *pass) reserved(s scope, r *reservation, seen map[string]*reservation) {
	h, addr := r.host, r.host.IP.WithZone("").Unmap()
	family := familyOf(r.own)
	wrong, want := "", ""
	switch {
	case !addr.IsValid() || !r.subnet.IsValid():
	case !r.subnet.Contains(addr):
		wrong, want = "is outside of the subnet "+r.subnet.String(), "an address of "+r.subnet.String()
	case addr == r.own:
		wrong, want = "is the host's own address", "another address"
	case family == 4 && r.subnet.Bits() < 31 && (addr == r.subnet.Addr() || addr == lastOf(r.subnet)):
		wrong, want = "is the subnet's own or broadcast address", "another address"
	}
	severity := Error
	for _, key := range []struct{ what, value string }{
		{"MAC", strings.ToLower(h.MAC)}, {"id", h.ID}, {"address", addrText(addr)}, {"name", strings.ToLower(h.Name)},
	} {
		at := fmt.Sprintf("%d %s %s", family, key.what, key.value)
		if key.value == "" {
			continue
		}
		if seen[at] != nil && wrong == "" {
			wrong, want = "has the "+key.what+" of another reservation", "each "+key.what+" once"
			if key.what == "name" {
				severity = Warning
			}
		}
		setFirst(seen, at, r)
	}
	if wrong == "" {
		if wrong, want = p.nobodysMAC(r); wrong == "" {
			return
		}
		severity = Info
	}
	if severity == Error && !r.net.Active {
		severity = Warning
	}
	p.found(s, Finding{
		Severity: severity,
		Message:  fmt.Sprintf("a reservation of network %s (%s) %s", show(r.net.Name), r.say(), wrong),
		Evidence: "<host> " + r.say() + " of <dhcp>", Want: want, Have: r.say(),
		Fix: Fix{
			Class: Manual, Say: "delete the reservation, and add it again as it should be",
			Steps: []Step{r.remove()},
		},
	})
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// nobodysMAC finds a reservation that was made for a guest of the network which
// has another MAC by now.
func (p *pass) nobodysMAC(r *reservation) (wrong, want string) {
	h := r.host
	if h.Name == "" || h.MAC == "" {
		return "", ""
	}
	var mine []*nic
	for i := range p.nics {
		n := &p.nics[i]
		if strings.EqualFold(n.iface.MAC, h.MAC) {
			return "", ""
		}
		if n.guest.Name == h.Name && n.net == r.net && n.iface.MAC != "" {
			mine = append(mine, n)
		}
	}
	if len(mine) == 0 || p.reservesFor(r.net, mine[0].iface.MAC) {
		return "", ""
	}
	return "is for a MAC that no guest has; guest " + show(h.Name) + " has " + show(mine[0].iface.MAC), "mac " + show(mine[0].iface.MAC)
}

func (p *pass) reservesFor(n *libvirtnet.Network, mac string) bool {
	for _, ip := range n.Def().IPs {
		if slices.ContainsFunc(ip.Hosts, func(h netxml.Host) bool { return strings.EqualFold(h.MAC, mac) }) {
			return true
		}
	}
	return false
}

// say writes a reservation for a message.
func (r *reservation) say() string {
	var parts []string
	for _, part := range [][2]string{{"mac", r.host.MAC}, {"id", r.host.ID}, {"name", r.host.Name}, {"ip", addrText(r.host.IP)}} {
		if part[1] != "" {
			parts = append(parts, part[0]+" "+show(part[1]))
		}
	}
	return strings.Join(parts, ", ")
}

// remove is the step that takes a reservation out of its network.
func (r *reservation) remove() Step {
	var b strings.Builder
	b.WriteString("<host")
	for _, a := range [][2]string{{"mac", r.host.MAC}, {"id", r.host.ID}, {"name", r.host.Name}, {"ip", addrText(r.host.IP)}} {
		if a[1] != "" {
			b.WriteString(" " + a[0] + "=\"")
			_ = xml.EscapeText(&b, []byte(a[1])) // a Builder takes everything
			b.WriteString("\"")
		}
	}
	b.WriteString("/>")
	var args []string
	if r.net.Active {
		args = append(args, "--live")
	}
	if r.net.Persistent {
		args = append(args, "--config")
	}
	if r.many {
		args = append(args, "--parent-index", strconv.Itoa(r.index))
	}
	return Step{Do: HostDel, On: r.net.Name, With: b.String(), Args: args}
}
