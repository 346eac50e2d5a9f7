package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

func dnsmasqFileChecks() []Check {
	return []Check{
		{
			ID: "dnsmasq-config-drift", Title: "a network's DHCP and DNS server has another configuration than the network", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Links, DnsmasqFiles},
			After: []string{"bridge-missing", "dnsmasq-dead", "dnsmasq-port-conflict", "ra-missing"},
			Doc: Doc{
				Symptom:  "Changes to ranges, domain or forwarders have no effect, or guests get what the network does not say.",
				Cause:    "The file was edited by hand, or was written after dnsmasq started, which reads it once.",
				Evidence: "The lines of /var/lib/libvirt/dnsmasq/NAME.conf for port, no-resolv, interface, domain, dhcp-range, dhcp-lease-max, dhcp-option and server against those that libvirt writes for the live network, with what <dnsmasq:options> adds; and the time of the file against that of dnsmasq's pid file. The lines of NAME.hostsfile against the reservations of the live network, in any order and with any lease time.",
				Cure:     "End the server and let the daemon reload: it writes the file anew and starts the server again.",
			},
			run: configDrift,
		},
		{
			ID: "ra-missing", Title: "an IPv6 network announces no router", Severity: Warning, Class: Manual,
			Needs: []Need{Networks, Links, DnsmasqFiles},
			After: []string{"bridge-missing", "dnsmasq-dead", "dnsmasq-port-conflict"},
			Doc: Doc{
				Symptom:  "Guests have no IPv6 default route, or no address from one of the prefixes.",
				Cause:    "The file for dnsmasq lost the line, or one prefix has DHCP and another is for autoconfiguration: libvirt then announces the first only.",
				Evidence: "enable-ra with DHCP for IPv6, else a dhcp-range=ADDRESS,ra-only for each IPv6 address, in the network's file for dnsmasq. Networks for which libvirt starts no dnsmasq, with neither DNS nor DHCP, announce nothing on purpose; isolated ones announce a router that is none (ra-param=*,0,0).",
				Cure:     "Let libvirt write the file anew; give each prefix DHCP, or a network of its own.",
			},
			run: raMissing,
		},
	}
}

// served are the active networks with a bridge whose file for dnsmasq is known.
func (p *pass) served(judge func(s scope, n *libvirtnet.Network, files *services.Network)) {
	for i := range p.snap.Libvirt.Networks {
		n := &p.snap.Libvirt.Networks[i]
		def := n.Def()
		if !n.Active || !runsDnsmasq(def) || p.links[def.Bridge] == nil {
			continue
		}
		files := p.files(n)
		if files == nil || files.Config == nil {
			continue // nothing to hold against; whether the server runs is another check's
		}
		s := scope{kind: aNetwork, network: n.Name, bridge: def.Bridge}
		if p.on(s) {
			judge(s, n, files)
		}
	}
}

func configPath(n *libvirtnet.Network) string {
	return "/var/lib/libvirt/dnsmasq/" + show(n.Name) + ".conf"
}

// writing is how much later than its own pid file a dnsmasq's configuration may
// seem to be written.
const writing = time.Second

func configDrift(p *pass) {
	p.served(func(s scope, n *libvirtnet.Network, files *services.Network) {
		def := n.Def()
		have := haveConfig(files.Config, def)
		want := wantConfig(def)
		if !slices.ContainsFunc(have, func(l string) bool { return strings.HasPrefix(l, "interface=") }) {
			// A dnsmasq before 2.63 listens on addresses.
			want = slices.DeleteFunc(want, func(l string) bool { return strings.HasPrefix(l, "interface=") })
		}
		missing, extra := differing(want, have)
		from := configPath(n)
		if lost, more := differingHosts(def, files.Hosts); len(missing)+len(extra) == 0 && len(lost)+len(more) > 0 {
			missing, extra, from = lost, more, hostsPath(n)
		}
		f := Finding{Fix: Fix{
			Class: Guarded, Steps: p.rewrite(n, files),
			Say: "end the server and let the daemon reload: it writes the file anew and starts the server again",
		}}
		switch {
		case len(missing)+len(extra) > 0:
			f.Message = fmt.Sprintf("the DHCP and DNS server of network %s is configured with %s, and the network says %s",
				show(n.Name), someOrNothing(extra), someOrNothing(missing))
			f.Evidence = "lines of " + from
			f.Want, f.Have = someOrNothing(missing), someOrNothing(extra)
		case files.PID > 0 && files.Modified.Sub(files.Started) > writing && !files.Modified.After(p.snap.Taken):
			f.Message = fmt.Sprintf("the configuration of network %s's DHCP and DNS server was written after the server had started, and is read at its start only", show(n.Name))
			f.Evidence = "times of " + configPath(n) + " and of the server's pid file"
			f.Want = "written before " + files.Started.UTC().Format(time.RFC3339)
			f.Have = "written " + files.Modified.UTC().Format(time.RFC3339)
		default:
			return
		}
		p.found(s, f)
	})
}

func someOrNothing(lines []string) string {
	if len(lines) == 0 {
		return "nothing more"
	}
	return someNames(lines)
}

func raMissing(p *pass) {
	p.served(func(s scope, n *libvirtnet.Network, files *services.Network) {
		def := n.Def()
		var plain []string
		dhcp := false
		for _, ip := range def.IPs {
			switch {
			case !ip.Address.IsValid() || ip.Address.Addr().Unmap().Is4():
			case ip.DHCP():
				dhcp = true
			default:
				plain = append(plain, ip.Address.Addr().String())
			}
		}
		if dhcp && len(plain) > 0 {
			p.mixedIPv6(s, n, plain)
			return
		}
		var want []string
		if dhcp {
			want = append(want, "enable-ra")
		}
		for _, a := range plain {
			want = append(want, "dhcp-range="+a+",ra-only")
		}
		have := routerLines(files.Config)
		missing, _ := differing(want, have)
		if len(missing) == 0 || slices.Contains(have, "enable-ra") {
			return
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("network %s announces no IPv6 router: its guests have no IPv6 default route", show(n.Name)),
			Evidence: "lines of " + configPath(n),
			Want:     someNames(missing), Have: orNone(strings.Join(have, ", ")),
			Fix: Fix{
				Class: Guarded, Steps: p.rewrite(n, files),
				Say: "end the server and let the daemon reload: it writes the file anew and starts the server again",
			},
		})
	})
}

// routerLines are the lines that make dnsmasq announce a router.
func routerLines(config []string) []string {
	var list []string
	for _, line := range config {
		switch {
		case line == "enable-ra":
			list = append(list, line)
		case strings.HasPrefix(line, "dhcp-range=") && strings.Contains(line, ",ra-"):
			address, _, _ := strings.Cut(line, ",")
			list = append(list, address+",ra-only")
		}
	}
	return list
}

// mixedIPv6: libvirt announces only the prefix with DHCP, and merely warns in
// its log.
func (p *pass) mixedIPv6(s scope, n *libvirtnet.Network, plain []string) {
	p.found(s, Finding{
		Message:  fmt.Sprintf("network %s has IPv6 with DHCP and without: guests get no address of %s", show(n.Name), someNames(plain)),
		Evidence: "<ip family='ipv6'> elements of network " + show(n.Name),
		Want:     "DHCP on every IPv6 address of a network, or on none", Have: "none on " + someNames(plain),
		Fix: Fix{Class: Manual, Say: "give the other prefix DHCP, too, or a network of its own (kvnet net-define)"},
	})
}
