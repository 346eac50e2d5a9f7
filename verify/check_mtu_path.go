package verify

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/kvnet/kvnet/bridge/firewall"
)

func mtuPathChecks() []Check {
	return []Check{{
		ID: "mtu-path-smaller", Title: "guests send more than the way out carries, and are not told", Severity: Warning, Class: Guarded,
		Needs: []Need{Networks, Guests, Links, Addresses, Routes, Rules, PacketFilter},
		After: []string{
			"bridge-missing", "bridge-admin-down", "bridge-ip-missing", "ip-forward-off", "ip-forward-per-if-off", "host-no-default-route",
			"fw-foreign-drop-forward", "fw-foreign-drop-input", "fw-rules-missing", "ufw-blocks", "vpn-killswitch",
		},
		Doc: Doc{
			Symptom:  "ssh and ping work from guests, and downloads, HTTPS or apt hang.",
			Cause:    "The link out of the host carries less than the bridge (VPN, PPPoE, clouds), and a rule drops the ICMP message by which the host tells senders so (RFC 1191, RFC 8201).",
			Evidence: "IFLA_MTU of the bridge and of the way out, the MTU of the default route, and what the packet filter does to the host's own \"fragmentation needed\" or \"packet too big\" on its way to a guest. Without such a rule the kernel's message arrives, and with one that clamps the MSS of TCP no one needs it: then nothing is said.",
			Cure:     "Let the message pass, clamp the MSS, or give the network the smaller MTU.",
		},
		run: mtuPathSmaller,
	}}
}

func mtuPathSmaller(p *pass) {
	f := p.packets()
	if f == nil || f.clamps() {
		return
	}
	for _, n := range p.flowNets() {
		l := p.links[n.bridge.Name]
		active := p.usersOf(n.net).active
		if l == nil || !routed(*n.def) || len(active) == 0 || !p.on(n.scope()) {
			continue
		}
		exit, mtu := p.narrowest(n)
		sends := 0
		for _, nic := range active {
			wish := nic.iface.MTU
			if wish == 0 {
				wish = l.MTU
			}
			sends = max(sends, wish)
		}
		if exit == "" || mtu >= sends {
			continue
		}
		for _, v6 := range []bool{false, true} {
			if v := f.filter.Decide(tooBig(n, v6)); len(n.prefixes(v6)) > 0 && v.Answer == firewall.Drop {
				p.found(n.scope(), tooBigLost(n, v, lostAt{exit: exit, mtu: mtu, sends: sends, v6: v6}))
				break
			}
		}
	}
}

// narrowest is the way out of a network that carries least, and its MTU: that
// of the link, or of the default route over it.
func (p *pass) narrowest(n flowNet) (exit string, mtu int) {
	for _, name := range p.exits(*n.def) {
		l := p.links[name]
		if l == nil || l.MTU == 0 {
			continue
		}
		carries := l.MTU
		for _, r := range p.defaultRoutes() {
			if r.Link == l.Name && r.MTU > 0 {
				carries = min(carries, r.MTU)
			}
		}
		if exit == "" || carries < mtu {
			exit, mtu = l.Name, carries
		}
	}
	return exit, mtu
}

// tooBig is the host's message to a guest whose packet does not fit.
func tooBig(n flowNet, v6 bool) firewall.Flow {
	flow := firewall.Flow{Family: familyName(v6), Path: firewall.PathOutput, OIF: n.bridge, CT: []string{firewall.StateRelated}}
	for _, ip := range n.def.IPs {
		prefix := plainPrefix(ip.Address)
		if prefix.IsValid() && prefix.Addr().Is6() == v6 {
			flow.Src, flow.Dst = single(ip.Address.Addr().WithZone("").Unmap()), netip.PrefixFrom(prefix.Addr(), prefix.Bits())
			break
		}
	}
	typ, code := uint8(3), uint8(4) // RFC 792, RFC 1191
	flow.Proto = "icmp"
	if v6 {
		typ, code = 2, 0 // RFC 4443
		flow.Proto = "ipv6-icmp"
	}
	flow.ICMPType, flow.ICMPCode = &typ, &code
	return flow
}

// lostAt is where and what is lost.
type lostAt struct {
	exit       string
	mtu, sends int
	v6         bool
}

func tooBigLost(n flowNet, v firewall.Verdict, at lostAt) Finding {
	tool, message := "iptables", "fragmentation needed"
	if at.v6 {
		tool, message = "ip6tables", "packet too big"
	}
	return Finding{
		Message:  fmt.Sprintf("%s carries %d bytes, guests of network %s send up to %d, and the host's \"%s\" to them is dropped: large transfers hang", show(at.exit), at.mtu, show(n.net.Name), at.sends, message),
		Evidence: evidence(v.By) + "; IFLA_MTU of " + show(at.exit) + " and of " + show(n.bridge.Name),
		Want:     "ICMP \"" + message + "\" reaches guests", Have: "dropped",
		Fix: Fix{
			Class: Guarded,
			Say:   "clamp the size of TCP segments to the way, which needs no ICMP, and keep the rule; better still let ICMP errors out, or set the network's MTU to " + strconv.Itoa(at.mtu) + " (kvnet net-define)",
			Steps: []Step{{Do: Filter, On: tool, Args: []string{"-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu"}}},
		},
	}
}

// clamps says whether a rule sets the MSS of TCP connections: TCPMSS of
// iptables, or nft's tcp option maxseg.
func (f *packetFilter) clamps() bool {
	found := false
	f.rulesOf(func(_ *firewall.Table, _ *firewall.Chain, r *firewall.Rule) {
		for _, e := range r.Exprs {
			written := e.Kind == "exthdr" && e.Op == "tcp" && e.Sreg != 0 && e.Dreg == 0
			found = found || e.Key == "TCPMSS" || written
		}
	})
	return found
}
