package verify

import (
	"fmt"
	"slices"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

func programChecks() []Check {
	return []Check{
		{
			ID: "fw-backend-unavailable", Title: "the program that makes libvirt's firewall rules is missing", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Programs, Backend},
			Doc: Doc{
				Symptom:  "Networks do not start: cannot execute iptables, or the requested firewall backend is not available.",
				Cause:    "iptables or nftables is not installed, or firewall_backend in network.conf names the one that is missing.",
				Evidence: "The programs are looked for in the daemon's PATH and the usual folders. Before libvirt 10.4, iptables is needed, and ip6tables for IPv6; later the backend that is set, or else either. Networks of mode open need none. An error when a network that should run is down, a warning when all run and would not start again.",
				Cure:     "Install the program, or set the other backend, and start the networks.",
			},
			run: backendUnavailable,
		},
		{
			ID: "dnsmasq-binary-missing", Title: "dnsmasq is not installed", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Programs},
			Doc: Doc{
				Symptom:  "Networks with an address do not start: cannot check dnsmasq binary.",
				Cause:    "The package is missing or was removed; libvirt packages only recommend it.",
				Evidence: "No executable dnsmasq in the daemon's PATH and the usual folders, and a network that libvirt would start it for: one with an <ip>, unless it has neither DNS nor DHCP. An error when such a network should run and is down, a warning when all run.",
				Cure:     "Install dnsmasq and start the networks.",
			},
			run: dnsmasqMissing,
		},
	}
}

// program is where a program is; "" when it is missing.
func (h *host) program(name string) string {
	for _, p := range h.snap.Services.Programs {
		if p.Name == name {
			return p.Path
		}
	}
	return ""
}

// runsDnsmasq says whether libvirt starts dnsmasq for a network
// (networkStartDhcpDaemon): one with an address, and DNS or DHCP.
func runsDnsmasq(def xml.Network) bool {
	if !def.Managed() || len(def.IPs) == 0 {
		return false
	}
	for _, ip := range def.IPs {
		if ip.DHCP() {
			return true
		}
	}
	return def.DNS == nil || def.DNS.Enabled == nil || *def.DNS.Enabled
}

func dnsmasqMissing(p *pass) {
	needful, stopped := p.needful(func(n *libvirtnet.Network) bool { return runsDnsmasq(n.Def()) })
	if !p.onAny(networkKeys(needful)) || p.program("dnsmasq") != "" {
		return
	}
	p.missing(needful, stopped, Finding{
		Subject: "dnsmasq", Evidence: "program dnsmasq in the PATH of libvirt's daemon",
		Want: "an executable dnsmasq", Have: "none",
		Message: "dnsmasq is not installed",
		Fix:     Fix{Say: "install dnsmasq (package dnsmasq-base on Debian and Ubuntu, dnsmasq elsewhere)"},
	})
}

// missing reports a program without which networks do not start.
func (p *pass) missing(needful, stopped []*libvirtnet.Network, f Finding) {
	f.Fix.Class = Manual
	if len(stopped) > 0 {
		f.Message += ": network " + someNames(networkNames(stopped)) + " cannot start"
		f.Fix.Say += ", and start what could not"
		f.Fix.Steps = p.startAll(stopped)
	} else {
		f.Severity = Warning
		f.Message += ": network " + someNames(networkNames(needful)) + " runs, and would not start again"
	}
	p.foundFor(networkKeys(needful), f)
}

// firstChoice is the first libvirt that knows firewall backends.
const firstChoice = 10_004_000

// backendTools are the programs that libvirt needs for a network's rules, and
// what asked for them.
func (h *host) backendTools(n *libvirtnet.Network) (tools []string, asked string) {
	asked = "libvirt's only firewall backend"
	tool := "iptables"
	if h.snap.Libvirt.Version >= firstChoice {
		switch set := h.snap.Services.Backend; set {
		case "nftables":
			tool, asked = "nft", "firewall_backend of /etc/libvirt/network.conf"
		case "iptables":
			asked = "firewall_backend of /etc/libvirt/network.conf"
		default:
			asked = "libvirt without nft"
			if h.program("nft") != "" {
				tool = "nft"
			}
		}
	}
	tools = []string{tool}
	if tool == "iptables" {
		for _, ip := range n.Def().IPs {
			if ip.Address.IsValid() && ip.Address.Addr().Unmap().Is6() {
				tools = append(tools, "ip6tables")
				break
			}
		}
	}
	return tools, asked
}

func backendUnavailable(p *pass) {
	needful, _ := p.needful(func(n *libvirtnet.Network) bool {
		def := n.Def()
		return def.Managed() && def.Mode != xml.Open
	})
	if !p.onAny(networkKeys(needful)) {
		return
	}
	lacking := map[string][]*libvirtnet.Network{}
	asked := ""
	for _, n := range needful {
		tools, why := p.backendTools(n)
		for _, tool := range tools {
			if p.program(tool) == "" {
				lacking[tool] = append(lacking[tool], n)
				asked = why
				break
			}
		}
	}
	for _, tool := range []string{"iptables", "ip6tables", "nft"} {
		hit := lacking[tool]
		if len(hit) == 0 {
			continue
		}
		var stopped []*libvirtnet.Network
		for _, n := range hit {
			if !n.Active {
				stopped = append(stopped, n)
			}
		}
		p.missing(hit, stopped, Finding{
			Subject: tool, Evidence: fmt.Sprintf("program %s in the PATH of libvirt's daemon; %s", tool, asked),
			Want: "an executable " + tool, Have: "none",
			Message: tool + " is missing, which " + asked + " needs",
			Fix:     Fix{Say: installTool(tool, p.snap.Services)},
		})
	}
}

// installTool says how to get a backend's program, or around it.
func installTool(tool string, s *services.State) string {
	say, other, program := "install package iptables", "nftables", "nft"
	if tool == "nft" {
		say, other, program = "install package nftables", "iptables", "iptables"
	}
	there := slices.ContainsFunc(s.Programs, func(p services.Program) bool { return p.Name == program && p.Path != "" })
	if s.Backend != "" && there {
		say += fmt.Sprintf(`, or set firewall_backend = "%s" and restart the daemon`, other)
	}
	return say
}
