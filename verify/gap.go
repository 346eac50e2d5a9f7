package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
)

// Need is a part of the snapshot that a check cannot do without.
type Need string

// The parts of the libvirt half. EveryNetwork and EveryGuest are for checks
// that conclude from the absence of one: a single one that could not be read
// takes their ground away.
const (
	Networks     Need = "libvirt networks"
	EveryNetwork Need = "every libvirt network"
	Guests       Need = "libvirt guests"
	EveryGuest   Need = "every libvirt guest"
)

// The parts of the kernel half; each needs a kernel that is libvirt's.
const (
	Links      Need = "kernel links"
	Addresses  Need = "kernel addresses"
	Routes     Need = "kernel routes"
	Rules      Need = "kernel rules"
	Forwarding Need = "kernel forwarding"
	Sysctls    Need = "kernel sysctls"
	Sockets    Need = "kernel sockets"
	IPsec      Need = "kernel xfrm" // a document of before it was read has neither it nor a gap
)

// PacketFilter is the whole ruleset: a part of it decides nothing.
const PacketFilter Need = "kernel firewall"

// Journal is kvnet's own: what of it cannot be read may be a change that was cut
// off.
const Journal Need = "journal"

// lack is a need that is not met, or not fully.
type lack struct {
	source string // as in Report.Gaps
	why    string
	// partial: the rest of the part is there and is judged.
	partial bool
}

// gaps are all gaps of the snapshot, sorted out by the needs they touch.
type gaps struct {
	list  []Gap
	lacks map[Need][]lack
	// ports are the networks whose ports could not be read.
	ports map[string]string
	// leases are the networks whose leases could not be read.
	leases map[string]string
}

// findGaps collects what could not be read. It also proves that the kernel is
// the one libvirt runs on; without that proof the whole kernel half is a gap.
func findGaps(s *Snapshot) gaps {
	g := gaps{list: []Gap{}, lacks: map[Need][]lack{}, ports: map[string]string{}, leases: map[string]string{}}
	for _, gap := range s.Libvirt.Gaps {
		g.libvirt(gap.Source, oneLine(gap.Message))
	}
	why := notTheKernel(s)
	if why != "" {
		g.add("kernel", why)
		for _, n := range []Need{Links, Addresses, Routes, Rules, Forwarding, Sysctls, Sockets, IPsec, PacketFilter} {
			g.lacks[n] = append(g.lacks[n], lack{source: "kernel", why: why})
		}
	}
	for _, gap := range s.Kernel.Gaps {
		g.kernel(gap.Source, oneLine(gap.Message))
	}
	if s.Firewall == nil && len(g.lacks[PacketFilter]) == 0 {
		g.kernel(FirewallGap, "firewall was not read")
	}
	g.services(s)
	for _, message := range s.JournalGaps {
		g.add(string(Journal), oneLine(message))
		g.lacks[Journal] = append(g.lacks[Journal], lack{source: string(Journal), why: oneLine(message), partial: true})
	}
	return g
}

// notTheKernel says why the kernel half cannot be held against libvirt's; ""
// when it is proven to be the daemon's.
func notTheKernel(s *Snapshot) string {
	d := s.Libvirt.Daemon
	switch {
	case strings.EqualFold(s.Libvirt.Driver, "test"):
		return "libvirt's test driver has no kernel behind it"
	case !d.Local && slices.ContainsFunc(s.Libvirt.Gaps, func(g libvirtnet.Gap) bool { return g.Source == "connection" }):
		return "without libvirt's answer there is nothing to hold the kernel against"
	}
	return Elsewhere(d, s.Kernel.Namespace)
}

// Elsewhere says why the kernel of a network namespace is not the one that a
// daemon works on; "" when it is proven to be.
func Elsewhere(d libvirtnet.Daemon, have uint64) string {
	switch {
	case !d.Local:
		return "the connection leads to no daemon on this host, so this kernel is not its kernel"
	case d.Namespace == 0:
		return "the network namespace of the libvirt daemon could not be read (run as root), so this kernel is not proven to be its kernel"
	case have == 0:
		return "the network namespace that was read is not known, so it is not proven to be the libvirt daemon's"
	case d.Namespace != have:
		return fmt.Sprintf("the libvirt daemon runs in network namespace %d, and %d was read", d.Namespace, have)
	}
	return ""
}

func (g *gaps) add(source, message string) {
	g.list = append(g.list, Gap{Source: source, Message: message})
}

// libvirt sorts out a gap of the libvirt half: the name of a whole list, or
// of one object in it ("ports of default", "guest web").
func (g *gaps) libvirt(source, message string) {
	shown := "libvirt " + oneLine(source)
	g.add(shown, message)
	if name, ok := strings.CutPrefix(source, "ports of "); ok {
		g.ports[name] = message
		return
	}
	if name, ok := strings.CutPrefix(source, "leases of "); ok {
		g.leases[name] = message
		return
	}
	kind, name, _ := strings.Cut(strings.ToLower(source), " ")
	missing := lack{source: shown, why: message, partial: name != ""}
	switch strings.TrimSuffix(kind, "s") {
	case "guest", "domain", "interface":
		g.lacks[Guests] = append(g.lacks[Guests], missing)
		g.lacks[EveryGuest] = append(g.lacks[EveryGuest], lack{source: shown, why: message})
	case "network":
		g.lacks[Networks] = append(g.lacks[Networks], missing)
		g.lacks[EveryNetwork] = append(g.lacks[EveryNetwork], lack{source: shown, why: message})
	case "", "libvirt", "connection", "connect":
		for _, n := range []Need{Networks, EveryNetwork, Guests, EveryGuest} {
			g.lacks[n] = append(g.lacks[n], lack{source: shown, why: message})
		}
	}
}

// kernel sorts out a gap of the kernel half. The owners of sockets and taps
// are wanted, not needed.
func (g *gaps) kernel(source, message string) {
	shown := "kernel " + oneLine(source)
	g.add(shown, message)
	missing := lack{source: shown, why: message}
	word, _, _ := strings.Cut(strings.ToLower(source), " ")
	if n, ok := insideNeeds[word]; ok {
		g.lacks[n] = append(g.lacks[n], missing)
		return
	}
	if strings.EqualFold(source, "socket owners") {
		return
	}
	switch strings.TrimSuffix(word, "s") {
	case "link", "bridge", "port":
		g.lacks[Links] = append(g.lacks[Links], missing)
	case "addresse", "address":
		g.lacks[Addresses] = append(g.lacks[Addresses], missing)
	case "route":
		g.lacks[Routes] = append(g.lacks[Routes], missing)
	case "rule":
		g.lacks[Rules] = append(g.lacks[Rules], missing)
	case "forwarding", "netconf":
		g.lacks[Forwarding] = append(g.lacks[Forwarding], missing)
	case "sysctl":
		g.lacks[Sysctls] = append(g.lacks[Sysctls], missing)
	case FirewallGap:
		g.lacks[PacketFilter] = append(g.lacks[PacketFilter], missing)
	case "socket":
		g.lacks[Sockets] = append(g.lacks[Sockets], missing)
	case "xfrm":
		g.lacks[IPsec] = append(g.lacks[IPsec], missing)
	case "device", "wireles", "offload", "qdisc":
		g.devices(strings.ToLower(word), missing)
	}
}

// unmet returns what a check lacks, and whether it can be made nevertheless
// for the rest.
func (g *gaps) unmet(c *Check) (lacks []lack, canRun bool) {
	canRun = true
	seen := map[string]bool{}
	for _, n := range c.Needs {
		for _, l := range g.lacks[n] {
			canRun = canRun && l.partial
			if !seen[l.source] {
				seen[l.source] = true
				lacks = append(lacks, l)
			}
		}
	}
	return lacks, canRun
}
