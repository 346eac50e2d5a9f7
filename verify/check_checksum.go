package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// checksum looks for networks whose DHCP replies nobody completes.
func checksum(p *pass) {
	f := p.packets()
	filling := f.fillingRules()
	for _, n := range p.flowNets() {
		dhcp := slices.ContainsFunc(n.def.IPs, func(ip xml.IP) bool { return ip.DHCP() && ip.Address.Addr().Unmap().Is4() })
		backend := f.backend(n, false)
		if !dhcp || backend != "iptables" && (backend != "nftables" || !p.fillsChecksums(n)) || !p.on(n.scope()) {
			continue
		}
		lost := false
		finding := Finding{
			Evidence: "ip mangle POSTROUTING: no CHECKSUM for packets to " + show(n.bridge.Name) + " port 68",
			Want:     "a rule with CHECKSUM --checksum-fill", Have: "none",
		}
		if backend == "iptables" {
			lost = !slices.ContainsFunc(filling, func(r *firewall.Rule) bool { return ruleNames(r, n.bridge, "oif") || len(f.ruleLinks(r)) == 0 })
		} else {
			lost = p.leavesChecksums(n)
			finding.Evidence = "filters of the root qdisc of " + show(n.bridge.Name) + " (RTM_GETTFILTER), its feature tx-checksum"
			finding.Want, finding.Have = "a filter with action csum, or tx-checksum off", "no filter, tx-checksum on"
		}
		if lost {
			p.tellChecksum(n, finding)
		}
	}
}

// fillsChecksums says whether libvirt remembers to have made a filter of
// traffic control for a network that fills in checksums: releases differ.
func (p *pass) fillsChecksums(n flowNet) bool {
	if p.snap.Services == nil {
		return false
	}
	files := p.files(n.net)
	return files != nil && files.Checksum
}

// leavesChecksums says whether that filter is gone, and the host leaves the
// checksums of what it sends over the bridge to whoever receives it.
func (p *pass) leavesChecksums(n flowNet) bool {
	link := p.links[n.bridge.Name]
	if link == nil || link.Offloads == nil || !link.Offloads.Checksum {
		return false
	}
	if p.snap.Kernel.Qdiscs == nil {
		p.cannot(string(Qdiscs), "the queueing disciplines of links were not read")
		return false
	}
	return !slices.ContainsFunc(p.snap.Kernel.Qdiscs, func(q bridge.Qdisc) bool { return q.Link == n.bridge.Name && q.Checksums })
}

func (p *pass) tellChecksum(n flowNet, f Finding) {
	name := show(n.net.Name)
	f.Severity, f.Fix = Info, p.rulesAgain()
	f.Message = fmt.Sprintf("nothing completes the checksum of DHCP replies to network %s; none of its running guests uses vhost-net, and nothing is lost yet", name)
	if fast := p.vhostGuests(n); len(fast) > 0 {
		f.Severity = Warning
		f.Message = fmt.Sprintf("nothing completes the checksum of DHCP replies to network %s: %s may ignore them", name, someNames(fast))
	}
	if len(f.Fix.Steps) == 0 {
		f.Fix.Class = Manual
	}
	p.found(n.scope(), f)
}

// fillingRules are the rules that packets meet and that fill in checksums.
func (f *packetFilter) fillingRules() []*firewall.Rule {
	var list []*firewall.Rule
	f.rulesOf(func(t *firewall.Table, c *firewall.Chain, r *firewall.Rule) {
		if t.Family == "ip" && slices.ContainsFunc(r.Exprs, func(e *firewall.Expr) bool { return e.Kind == "target" && e.Key == "CHECKSUM" }) &&
			f.reached(t)[c.Name] {
			list = append(list, r)
		}
	})
	return list
}

// vhostGuests are the running guests of a network whose packets the kernel
// itself delivers.
func (h *host) vhostGuests(n flowNet) []string {
	there := false
	if s := h.snap.Services; s != nil {
		for i := range s.Devices {
			there = there || s.Devices[i].Path == "/dev/vhost-net" && s.Devices[i].Node
		}
	}
	if !there {
		return nil
	}
	var list []string
	for _, nic := range h.byNet[n.net.Name] {
		if nic.active && nic.guest.Virt == "kvm" && strings.HasPrefix(nic.iface.Model, "virtio") && nic.iface.Driver != "qemu" && !slices.Contains(list, nic.guest.Name) {
			list = append(list, nic.guest.Name)
		}
	}
	return list
}
