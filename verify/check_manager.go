package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

func managerChecks() []Check {
	return []Check{
		{
			ID: "manager-conflict-nm", Title: "NetworkManager manages a bridge or tap of libvirt's", Severity: Warning, Class: Guarded, Recorded: true,
			Needs: []Need{Networks, Guests, Links, NM},
			Doc: Doc{
				Symptom:  "A bridge gets another address, or taps fall out of it, whenever NetworkManager restarts or a profile is activated.",
				Cause:    "A profile of NetworkManager names the bridge, or its default profile took a tap.",
				Evidence: "The state and the active profile of libvirt's bridges and of guests' taps on the system bus. A device that NetworkManager only shows (connected externally), and one that it leaves alone, are as they should be; so are bridges that NetworkManager itself made for guests.",
				Cure:     "Tell NetworkManager to leave virbr* and vnet* alone.",
			},
			run: managedByNM,
		},
		{
			ID: "manager-conflict-networkd", Title: "systemd-networkd configures a bridge or tap of libvirt's", Severity: Warning, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Guests, Links, Networkd},
			Doc: Doc{
				Symptom:  "A DHCP client runs on libvirt's bridge, forwarding is off on one link, or taps lose their bridge.",
				Cause:    "A .network file, written by hand or by netplan, matches more than it should: Name=*, or Type=ether.",
				Evidence: "Links that systemd-networkd says it configures (ADMIN_STATE in /run/systemd/netif/links), and the file that matched. Unmanaged links are as they should be; so are bridges that networkd itself made for guests.",
				Cure:     "A file that comes first and leaves virbr* and vnet* unmanaged.",
			},
			run: managedByNetworkd,
		},
		{
			ID: "firewalld-zone", Title: "a network's bridge is in the wrong zone of firewalld", Severity: Error, Class: Manual, Recorded: true,
			Needs: []Need{Networks, Links, PacketFilter, Firewalld}, After: []string{"bridge-missing", "manager-conflict-nm"},
			Doc: Doc{
				Symptom:  "Guests get no DHCP and no DNS, or reach nothing, though libvirt's own rules are all there.",
				Cause:    "firewalld was reloaded with another assignment, somebody or a NetworkManager profile moved the bridge, or the zone was not there when the network started.",
				Evidence: "The zone that firewalld has the bridge in, against the network's own wish, else libvirt-routed for mode route where firewalld has policy libvirt-routed-out, else libvirt. Networks of mode open are in none. A zone that accepts everything is as good, and for an isolated network one that lets DHCP and DNS in; so is one of your own where the whole ruleset accepts what the network needs. A warning when firewalld does not filter with nftables: libvirt's rules then come first.",
				Cure:     "Put the bridge back into its zone, which is what libvirt does when the network starts.",
			},
			run: firewalldZone,
		},
	}
}

// othersLinks are the links that no manager of the host may touch: libvirt's
// bridges and the taps of its guests.
func (h *host) libvirtsLinks() []scope {
	var list []scope
	for _, name := range h.ownBridges {
		if h.links[name] != nil {
			list = append(list, scope{kind: aBridge, bridge: name, network: h.owners[name].Name})
		}
	}
	for i := range h.nics {
		if n := &h.nics[i]; n.tap != nil && n.kind == bridged {
			list = append(list, n.subject)
		}
	}
	return list
}

// sameNamespace says whether a manager works on the links that were read; one
// whose namespace is not known is believed to.
func (h *host) sameNamespace(namespace uint64) bool {
	return namespace == 0 || h.snap.Kernel.Namespace == 0 || namespace == h.snap.Kernel.Namespace
}

func managedByNM(p *pass) {
	nm := p.snap.Services.NetworkManager
	if nm == nil || !p.sameNamespace(nm.Namespace) {
		return
	}
	devices := map[string]*services.NMDevice{}
	for i := range nm.Devices {
		setFirst(devices, nm.Devices[i].Link, &nm.Devices[i])
	}
	for _, s := range p.libvirtsLinks() {
		d := devices[s.name()]
		if d == nil || !p.on(s) || d.External || d.Connection == "" || d.State <= services.NMDisconnected || d.State > services.NMActivated {
			continue
		}
		p.found(s, Finding{
			Message:  fmt.Sprintf("NetworkManager has its profile %s on %s, which is libvirt's", show(d.Connection), show(s.name())),
			Evidence: fmt.Sprintf("State %d and ActiveConnection of device %s on the system bus", d.State, show(s.name())),
			Want:     "unmanaged, or connected externally", Have: "profile " + show(d.Connection),
			Fix: Fix{
				Class: Guarded,
				Say:   "tell NetworkManager to leave the links of libvirt alone, and look again: what the profile changed stays",
				Steps: []Step{
					{Do: WriteLines, On: "/etc/NetworkManager/conf.d/90-libvirt.conf", Args: []string{
						"[keyfile]", "unmanaged-devices+=interface-name:" + s.name() + ";interface-name:virbr*;interface-name:vnet*",
					}},
					{Do: RunArgs, On: "nmcli", Args: []string{"general", "reload", "conf"}},
				},
			},
		})
	}
}

// configures says whether networkd has its hand on a link (systemd's
// LinkState: what it does not touch is unmanaged, pending or initialized).
func configures(admin string) bool {
	return slices.Contains([]string{"configuring", "configured", "failed"}, admin)
}

func managedByNetworkd(p *pass) {
	networkd := p.snap.Services.Networkd
	if networkd == nil || !p.sameNamespace(networkd.Namespace) {
		return
	}
	byIndex := map[int]*services.NetworkdLink{}
	for i := range networkd.Links {
		byIndex[networkd.Links[i].Index] = &networkd.Links[i]
	}
	files := map[string][]string{}
	first := map[string]*services.NetworkdLink{}
	sufferers := map[string][]key{}
	for _, s := range p.libvirtsLinks() {
		l := byIndex[p.links[s.name()].Index]
		if l == nil || !configures(l.Admin) {
			if l != nil {
				p.on(s)
			}
			continue
		}
		files[l.File] = append(files[l.File], s.name())
		setFirst(first, l.File, l)
		sufferers[l.File] = append(sufferers[l.File], s.subject())
	}
	for _, file := range sortedKeys(files) {
		if !p.onAny(sufferers[file]) {
			continue
		}
		l := first[file]
		match := "no [Match] lines known"
		if len(l.Match) > 0 {
			match = "[Match] " + someNames(l.Match)
		}
		p.foundFor(sufferers[file], Finding{
			Subject:  files[file][0],
			Message:  fmt.Sprintf("systemd-networkd configures %s, which libvirt does, by %s", someNames(files[file]), cmp.Or(show(file), "some file")),
			Evidence: fmt.Sprintf("ADMIN_STATE and NETWORK_FILE of /run/systemd/netif/links/%d, %s", l.Index, match),
			Want:     "unmanaged", Have: show(l.Admin),
			Fix: Fix{
				Class: Manual, Say: "leave libvirt's links unmanaged by a file that comes first, and let " + orNone(file) + " match less",
				Steps: []Step{
					{Do: WriteLines, On: "/etc/systemd/network/00-libvirt.network", Args: []string{
						"[Match]", "Name=" + strings.Join(patterns(files[file]), " "), "", "[Link]", "Unmanaged=yes",
					}},
					{Do: RunArgs, On: "networkctl", Args: []string{"reload"}},
				},
			},
		})
	}
}

// patterns are the names that a .network file must match to leave links alone:
// libvirt's own patterns, and what does not fit them.
func patterns(names []string) []string {
	list := []string{"virbr*", "vnet*"}
	for _, n := range names {
		if !strings.HasPrefix(n, "virbr") && !strings.HasPrefix(n, "vnet") && !strings.ContainsAny(n, " *?[]!\n") {
			list = append(list, n)
		}
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func firewalldZone(p *pass) {
	f := p.snap.Services.Firewalld
	if f == nil || !p.sameNamespace(f.Namespace) {
		return
	}
	for _, name := range p.ownBridges {
		n := p.owners[name]
		def := n.Def()
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if def.Mode == xml.Open || p.links[name] == nil || !p.on(s) {
			continue
		}
		want, have := zoneWanted(def, f), f.ZoneOf(name)
		if have == want || have != "" && (p.asGood(f, have, def) || p.letsPass(n)) || have == "" && p.asGood(f, f.DefaultZone, def) {
			continue
		}
		p.wrongZone(s, n, want, have)
	}
}

// zoneWanted is the zone into which libvirt puts a bridge
// (networkAddFirewallRules, src/network/bridge_driver_linux.c).
func zoneWanted(def xml.Network, f *services.Firewalld) string {
	switch {
	case def.Zone != "":
		return def.Zone
	case def.Mode == xml.Route && slices.Contains(f.Policies, "libvirt-routed-out"):
		return "libvirt-routed"
	}
	return "libvirt"
}

// otherZone is the zone into which a network's bridge belongs; "" where it is in
// that.
func (h *host) otherZone(n flowNet) string {
	f := &services.Firewalld{}
	if s := h.snap.Services; s != nil && s.Firewalld != nil && h.sameNamespace(s.Firewalld.Namespace) {
		f = s.Firewalld
	}
	if zone := zoneWanted(*n.def, f); zone != f.ZoneOf(n.bridge.Name) {
		return zone
	}
	return ""
}

// asGood says whether another zone lets through what the network needs.
func (h *host) asGood(f *services.Firewalld, zone string, def xml.Network) bool {
	for _, z := range f.Zones {
		if z.Name != zone {
			continue
		}
		serves := slices.Contains(z.Services, "dhcp") && slices.Contains(z.Services, "dns")
		return z.Target == "ACCEPT" || def.Mode == xml.Isolated && serves
	}
	return false
}

// letsPass says whether the packet filter, with firewalld's rules in it, lets
// through all that the network needs: somebody made the zone for that.
func (p *pass) letsPass(n *libvirtnet.Network) bool {
	f := p.packets()
	if f == nil || !p.firewalldFilters() {
		return false
	}
	dropped := func(w declared) bool { return w.want == firewall.Accept && f.see(w).Answer != firewall.Accept }
	return slices.ContainsFunc(p.flowNets(), func(own flowNet) bool {
		return own.net == n && !slices.ContainsFunc(p.flowsOf(own, false), dropped) && !slices.ContainsFunc(p.flowsOf(own, true), dropped)
	})
}

func (p *pass) wrongZone(s scope, n *libvirtnet.Network, want, have string) {
	f := p.snap.Services.Firewalld
	finding := Finding{
		Message:  fmt.Sprintf("bridge %s of network %s is in zone %s of firewalld, not in %s", show(s.bridge), show(n.Name), show(have), show(want)),
		Evidence: "active zones of firewalld on the system bus",
		Want:     "zone " + show(want), Have: "zone " + show(have),
		Fix: Fix{
			Class: Safe, Say: "put the bridge back into its zone, as libvirt does when the network starts",
			Steps: []Step{{Do: RunArgs, On: "firewall-cmd", Args: []string{"--zone=" + want, "--change-interface=" + s.bridge}}},
		},
	}
	if have == "" {
		finding.Message = fmt.Sprintf("bridge %s of network %s is in no zone of firewalld: the default zone %s holds", show(s.bridge), show(n.Name), show(f.DefaultZone))
		finding.Have = "no zone"
	}
	if !slices.ContainsFunc(f.Zones, func(z services.Zone) bool { return z.Name == want }) {
		finding.Message += fmt.Sprintf(", and firewalld has no zone %s", show(want))
		finding.Fix = Fix{Class: Manual, Say: "install the zone (it comes with libvirt's network driver, as /usr/lib/firewalld/zones/libvirt.xml), reload firewalld and restart the network"}
	}
	if !p.firewalldFilters() {
		finding.Severity = Warning
	}
	p.found(s, finding)
}

// firewalldFilters says whether firewalld has a table of its own in nftables:
// then its verdict counts beside libvirt's. With iptables the two share chains.
func (h *host) firewalldFilters() bool {
	if h.snap.Firewall == nil {
		return true
	}
	for _, t := range h.snap.Firewall.Tables {
		if t.Name == "firewalld" {
			return true
		}
	}
	return false
}
