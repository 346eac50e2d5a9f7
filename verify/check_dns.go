package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func dnsChecks() []Check {
	return []Check{
		{
			ID: "dns-loop", Title: "the host asks a network's DNS server, and that asks the host", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Links, Resolver}, After: []string{"bridge-missing", "net-subnet-collision"},
			Doc: Doc{
				Symptom:  "Slow or failing name resolution, and a storm in the log: maximum number of concurrent DNS queries reached.",
				Cause:    "The address of a libvirt bridge was made the host's name server, so that the host knows its guests by name, while the network's dnsmasq forwards what it does not know to the host's name servers.",
				Evidence: "The servers of /etc/resolv.conf, of systemd-resolved and its links, and the server= lines of the host's dnsmasq against the addresses of networks that forward to the host. Another server in resolv.conf breaks the circle, since dnsmasq leaves itself out. For single domains it is a warning, and none when the network keeps its domain to itself (localOnly). Isolated networks and those with forwarders do not ask the host.",
				Cure:     "Keep the domain local (<domain localOnly='yes'/>), give the network a forwarder, or the host a name server outside.",
			},
			run: dnsLoop,
		},
		{
			ID: "dns-upstream-unusable", Title: "a network's DNS server has nobody to ask", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Links, Routes, Rules, Sockets, Resolver},
			After: []string{"bridge-missing", "dns-loop", "net-subnet-collision"},
			Doc: Doc{
				Symptom:  "Guests get an address and reach others by number, but resolve no name outside.",
				Cause:    "/etc/resolv.conf is empty or gone, or names a server on this host that does not run.",
				Evidence: "The servers of /etc/resolv.conf, which dnsmasq forwards to; of a loopback address it is looked whether anybody listens there. The stub of systemd-resolved is fine: dnsmasq runs on this host. Networks that do not forward to the host, and hosts without a default route, are left alone.",
				Cure:     "Give the host a name server that works, or the network a forwarder.",
			},
			run: dnsUpstream,
		},
	}
}

// asksHost says whether a network's dnsmasq asks the servers of the host's
// resolv.conf: by its definition, and by what its file says where that is known.
func (h *host) asksHost(n *libvirtnet.Network) bool {
	def := n.Def()
	off := func(lines []string) bool {
		return slices.ContainsFunc(lines, func(l string) bool {
			return l == "no-resolv" || l == "port=0" || strings.HasPrefix(l, "resolv-file=") || strings.HasPrefix(l, "servers-file=")
		})
	}
	if !n.Active || !runsDnsmasq(def) || noResolv(def) || off(options(def)) {
		return false
	}
	if def.DNS != nil && def.DNS.Enabled != nil && !*def.DNS.Enabled {
		return false
	}
	files := h.files(n)
	return files == nil || !off(files.Config)
}

// forwarders are the networks that ask the host, each judged.
func (p *pass) forwarders(judge func(s scope, n *libvirtnet.Network)) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		s := scope{kind: aNetwork, network: n.Name, bridge: n.Def().Bridge}
		if p.links[s.bridge] != nil && p.asksHost(n) && p.on(s) {
			judge(s, n)
		}
	}
}

// loop is a way from the host's resolver to a network's DNS server.
type loop struct {
	by, evidence string
	domain       string // "" for every name
	severity     Severity
}

func dnsLoop(p *pass) {
	p.forwarders(func(s scope, n *libvirtnet.Network) {
		l := p.loopTo(n)
		if l == nil {
			return
		}
		f := Finding{
			Severity: l.severity, Evidence: l.evidence,
			Message: fmt.Sprintf("%s asks the DNS server of network %s, and that asks the host: a circle", l.by, show(n.Name)),
			Want:    "no way from the host's resolver to " + show(s.bridge), Have: l.by + " asks it",
			Fix: Fix{Class: Manual, Say: "give the host a name server outside, or network " + show(n.Name) + " a forwarder (<dns><forwarder addr='...'/></dns>)"},
		}
		if l.domain != "" {
			f.Message = fmt.Sprintf("%s asks the DNS server of network %s for %s, and what that does not know it asks the host: a circle", l.by, show(n.Name), show(l.domain))
			f.Want = "network " + show(n.Name) + " keeps " + show(l.domain) + " to itself"
			f.Fix.Say = fmt.Sprintf("keep the domain of network %s local: <domain name='...' localOnly='yes'/>", show(n.Name))
		}
		p.found(s, f)
	})
}

// loopTo finds the worst way from the host's resolver to a network's server.
func (h *host) loopTo(n *libvirtnet.Network) *loop {
	r := h.snap.Services.Resolver
	own := func(server string) bool {
		a, err := netip.ParseAddr(strings.TrimSpace(server))
		return err == nil && slices.ContainsFunc(n.Def().IPs, func(ip xml.IP) bool { return ip.Address.Addr().Unmap() == a.WithZone("").Unmap() })
	}
	if len(r.Servers) > 0 && !slices.ContainsFunc(r.Servers, func(s string) bool { return !own(s) }) {
		return &loop{by: "/etc/resolv.conf", evidence: "nameserver lines of /etc/resolv.conf", severity: Error}
	}
	var found *loop
	worse := func(l loop) {
		if found == nil || l.severity.rank() < found.severity.rank() {
			found = &l
		}
	}
	if slices.Contains(r.Servers, "127.0.0.53") || slices.Contains(r.Servers, "127.0.0.54") {
		h.resolvedLoops(n, own, worse)
	}
	if slices.ContainsFunc(r.Servers, loopback) {
		for _, f := range r.Forwards {
			if !own(f.Server) || f.Domain != "" && keeps(n, f.Domain) {
				continue
			}
			l := loop{by: "the host's dnsmasq", evidence: "server= lines of " + show(f.File), domain: f.Domain, severity: Error}
			if f.Domain != "" {
				l.severity = Warning
			}
			worse(l)
		}
	}
	return found
}

// resolvedLoops: systemd-resolved asks a link's servers for the link's domains,
// and for everything when it has none or "~.".
func (h *host) resolvedLoops(n *libvirtnet.Network, own func(string) bool, worse func(loop)) {
	r := h.snap.Services.Resolver
	byLink := false
	for _, l := range r.Links {
		if !slices.ContainsFunc(l.Servers, own) {
			continue
		}
		byLink = true
		if len(l.Domains) == 0 || slices.Contains(l.Domains, "~.") {
			worse(loop{by: "systemd-resolved", evidence: fmt.Sprintf("SERVERS and DOMAINS of link %d in /run/systemd/resolve/netif", l.Index), severity: Error})
			continue
		}
		for _, d := range l.Domains {
			if d = strings.Trim(d, "~."); !keeps(n, d) {
				worse(loop{by: "systemd-resolved", domain: d, evidence: fmt.Sprintf("SERVERS and DOMAINS of link %d in /run/systemd/resolve/netif", l.Index), severity: Warning})
			}
		}
	}
	if !byLink && slices.ContainsFunc(r.Upstream, own) {
		worse(loop{by: "systemd-resolved", evidence: "nameserver lines of /run/systemd/resolve/resolv.conf", severity: Error})
	}
}

// keeps says whether a network's server answers for a domain by itself, and
// forwards nothing of it: its own one with localOnly, names below it, and the
// addresses of a subnet with localPtr.
func keeps(n *libvirtnet.Network, domain string) bool {
	def := n.Def()
	domain = strings.ToLower(strings.Trim(domain, "."))
	if def.DomainLocal && def.Domain != "" {
		if local := strings.ToLower(def.Domain); domain == local || strings.HasSuffix(domain, "."+local) {
			return true
		}
	}
	if strings.HasSuffix(domain, ".arpa") {
		return slices.ContainsFunc(def.Other, func(o xml.Setting) bool { return o.Path == "ip@localPtr" && o.Value == "yes" })
	}
	return slices.Contains(options(def), "local=/"+domain+"/")
}

func loopback(server string) bool {
	a, err := netip.ParseAddr(server)
	return err == nil && a.Unmap().IsLoopback()
}

func dnsUpstream(p *pass) {
	online := len(p.defaultRoutes()) > 0
	p.forwarders(func(s scope, n *libvirtnet.Network) {
		r := p.snap.Services.Resolver
		if !online || slices.ContainsFunc(r.Servers, p.answers) {
			return
		}
		have := "no server"
		switch {
		case !r.Found:
			have = "no such file"
		case len(r.Servers) > 0:
			have = someNames(r.Servers) + ", where nobody listens"
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("the DNS server of network %s has nobody to ask: its guests resolve no name outside", show(n.Name)),
			Evidence: "nameserver lines of /etc/resolv.conf, sockets on port 53",
			Want:     "a name server in /etc/resolv.conf", Have: have,
			Fix: Fix{Class: Manual, Say: "give the host a name server that works, or network " + show(n.Name) + " a forwarder (<dns><forwarder addr='...'/></dns>)"},
		})
	})
}

// answers says whether a server may answer: one of another machine is believed
// to, one of this host's loopback when somebody listens there.
func (h *host) answers(server string) bool {
	a, err := netip.ParseAddr(server)
	if err != nil {
		return false
	}
	if a = a.WithZone("").Unmap(); !a.IsLoopback() && !a.IsUnspecified() {
		return true
	}
	for i := range h.snap.Kernel.Sockets {
		k := &h.snap.Kernel.Sockets[i]
		at := k.Address.WithZone("").Unmap()
		// A dnsmasq of libvirt's has its bridge's device.
		if k.Port == 53 && k.Protocol == "udp" && k.Device == "" && (at == a || at.IsUnspecified() && (at.Is4() == a.Is4() || at.Is6() && !k.V6Only)) {
			return true
		}
	}
	return false
}
