package verify

import (
	"strings"

	"github.com/kvnet/kvnet/services"
)

// The parts of what stands around libvirt and the kernel. They are held against
// libvirt only if its daemon is proven to have the files that were read; the
// daemons themselves need no such proof.
const (
	Daemons      Need = "services daemons"
	Programs     Need = "services programs"
	Devices      Need = "services devices"
	Backend      Need = "services firewall backend"
	DnsmasqFiles Need = "services dnsmasq"
	Resolver     Need = "services resolver"
	Helper       Need = "services bridge helper"
	Firewalld    Need = "services firewalld"
	NM           Need = "services NetworkManager"
	Networkd     Need = "services networkd"
	OVS          Need = "services Open vSwitch"
)

var servicesNeeds = []Need{Programs, Devices, Backend, DnsmasqFiles, Resolver, Helper, Firewalld, NM, Networkd, OVS}

// partsOfServices says which need a gap's source touches.
var partsOfServices = map[string]Need{
	services.PartDaemons:   Daemons,
	services.PartDevices:   Devices,
	services.PartBackend:   Backend,
	services.PartDnsmasq:   DnsmasqFiles,
	services.PartResolver:  Resolver,
	services.PartHelper:    Helper,
	services.PartFirewalld: Firewalld,
	services.PartNM:        NM,
	services.PartNetworkd:  Networkd,
	services.PartOVS:       OVS,
}

// services sorts out what is missing of the services.
func (g *gaps) services(s *Snapshot) {
	if s.Services == nil {
		g.noServices("services were not read", append(servicesNeeds[:len(servicesNeeds):len(servicesNeeds)], Daemons))
		return
	}
	if why := notTheServices(s); why != "" {
		g.noServices(why, servicesNeeds)
	}
	for _, gap := range s.Services.Gaps {
		shown := "services " + oneLine(gap.Source)
		g.add(shown, oneLine(gap.Message))
		if need, ok := partsOfServices[gap.Source]; ok {
			g.lacks[need] = append(g.lacks[need], lack{source: shown, why: oneLine(gap.Message)})
		}
	}
}

// noServices notes that nothing of these parts is known. Where the kernel half
// is missing, too, its gap has said why.
func (g *gaps) noServices(why string, needs []Need) {
	source := "services"
	if kernel := g.lacks[Links]; len(kernel) > 0 && kernel[0].source == "kernel" {
		source, why = "kernel", kernel[0].why
	} else {
		g.add(source, why)
	}
	for _, n := range needs {
		g.lacks[n] = append(g.lacks[n], lack{source: source, why: why})
	}
}

// notTheServices says why the services cannot be held against libvirt; "" when
// the daemon is proven to have them. The network managers are those of a
// network namespace, as the kernel is.
func notTheServices(s *Snapshot) string {
	d := s.Libvirt.Daemon
	switch {
	case strings.EqualFold(s.Libvirt.Driver, "test"):
		return "libvirt's test driver uses no services"
	case !d.Local:
		return "the connection leads to no daemon on this host, so its services are not those that were read"
	case d.PID == 0:
		return "the process of the libvirt daemon is not known, so its files are not proven to be those that were read"
	case s.Services.ProvenFor != d.PID:
		return "the libvirt daemon is not proven to have the files that were read"
	}
	return ""
}
