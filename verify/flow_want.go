package verify

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// Flows of a network, by what libvirt's documentation calls them in
// docs/firewall.rst.
const (
	flowDHCP      = "guests' DHCP requests to the host"
	flowDHCPReply = "the host's DHCP replies to guests"
	flowDNS       = "guests' DNS queries to the host"
	flowDNSReply  = "the host's DNS answers to guests"
	flowTFTP      = "guests' TFTP requests to the host"
	flowND        = "guests' packets of IPv6 neighbour discovery"
	flowNDReply   = "the host's answers to IPv6 neighbour discovery"
	flowRouter    = "guests' IPv6 router solicitations"
	flowRouterAd  = "the host's IPv6 router advertisements"
	flowOut       = "guests to the outside"
	flowRest      = "guests' pings to the outside"
	flowBack      = "answers from the outside to guests"
	flowIn        = "new connections from the outside to guests"
	flowSpoof     = "packets of guests with a source of another network"
)

// declared is a packet of a network and what the network's mode says must become
// of it. It has several ways where it is not sure which link it takes.
type declared struct {
	say  string
	v6   bool
	ways []firewall.Flow
	want firewall.Answer
	nat  bool // and its source is to be translated
}

func familyName(v6 bool) string {
	if v6 {
		return "ip6"
	}
	return "ip"
}

// flowsOf are the flows of one family whose verdict the network's mode
// declares. What it leaves to the policy of the host is not among them: new
// connections to guests of a routed network, which a host's firewall may well
// refuse.
func (h *host) flowsOf(n flowNet, v6 bool) []declared {
	if !n.ruled(v6) {
		return nil
	}
	return append(h.serviceFlows(n, v6), h.forwardFlows(n, v6)...)
}

// serviceFlows are those between guests and the host's DHCP, DNS and TFTP
// server.
func (h *host) serviceFlows(n flowNet, v6 bool) []declared {
	var list []declared
	add := func(say string, f firewall.Flow) {
		f.Family = familyName(v6)
		list = append(list, declared{say: say, v6: v6, want: firewall.Accept, ways: []firewall.Flow{f}})
	}
	in := func(say, proto string, port int, src, dst netip.Prefix) {
		add(say, firewall.Flow{Path: firewall.PathInput, IIF: n.bridge, Src: src, Dst: dst, Proto: proto, DstPort: port})
	}
	for _, ip := range n.def.IPs {
		prefix := plainPrefix(ip.Address)
		if !prefix.IsValid() || prefix.Addr().Is6() != v6 {
			continue
		}
		host := single(ip.Address.Addr().WithZone("").Unmap())
		if ip.DHCP() {
			ask, reply := dhcpFlows(n.bridge, host, prefix)
			add(flowDHCP, ask)
			add(flowDHCPReply, reply)
		}
		if n.def.DNS == nil || n.def.DNS.Enabled == nil || *n.def.DNS.Enabled {
			in(flowDNS, "udp", 53, prefix, host)
			in(flowDNS, "tcp", 53, prefix, host)
			for _, proto := range []string{"udp", "tcp"} {
				add(flowDNSReply, firewall.Flow{
					Path: firewall.PathOutput, OIF: n.bridge, Src: host, Dst: prefix, Proto: proto, SrcPort: 53, DstPort: dynamicPort,
					CT: []string{firewall.StateEstablished}, Reply: true,
				})
			}
		}
		if ip.TFTP != "" {
			in(flowTFTP, "udp", 69, prefix, host)
		}
		if v6 {
			for say, f := range discovery(n.bridge, host, prefix) {
				add(say, f)
			}
		}
	}
	return list
}

// discovery are the packets by which guests and the host find each other, and
// guests their gateway: libvirt has dnsmasq advertise on every network with IPv6
// (RFC 4861, 4 and 10).
func discovery(bridge firewall.Interface, host, prefix netip.Prefix) iter.Seq2[string, firewall.Flow] {
	local := netip.MustParsePrefix("fe80::/64")
	return func(yield func(string, firewall.Flow) bool) {
		for _, m := range []struct {
			say, path string
			typ       uint8
			src, dst  netip.Prefix
		}{
			{flowND, firewall.PathInput, 135, prefix, netip.MustParsePrefix("ff02::1:ff00:0/104")},
			{flowNDReply, firewall.PathOutput, 136, host, prefix},
			{flowRouter, firewall.PathInput, 133, local, netip.MustParsePrefix("ff02::2/128")},
			{flowRouterAd, firewall.PathOutput, 134, local, netip.MustParsePrefix("ff02::1/128")},
		} {
			f := firewall.Flow{
				Path: m.path, Src: m.src, Dst: m.dst, Proto: "ipv6-icmp", ICMPType: &m.typ, ICMPCode: new(uint8),
				CT: []string{firewall.StateUntracked},
			}
			if m.path == firewall.PathInput {
				f.IIF = bridge
			} else {
				f.OIF = bridge
			}
			if !yield(m.say, f) {
				return
			}
		}
	}
}

// dynamicPort is one that a guest may ask from (RFC 6335, 6).
const dynamicPort = 49152

// dhcpFlows are a guest's first request, and the answer to it.
func dhcpFlows(bridge firewall.Interface, host, prefix netip.Prefix) (ask, reply firewall.Flow) {
	ask = firewall.Flow{Path: firewall.PathInput, IIF: bridge, Proto: "udp"}
	reply = firewall.Flow{Path: firewall.PathOutput, OIF: bridge, Proto: "udp"}
	if prefix.Addr().Is4() { // RFC 2131
		ask.Src, ask.Dst = netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("255.255.255.255/32")
		ask.SrcPort, ask.DstPort = 68, 67
		reply.Src, reply.Dst, reply.SrcPort, reply.DstPort = host, prefix, 67, 68
		return ask, reply
	}
	local := netip.MustParsePrefix("fe80::/64") // RFC 8415
	ask.Src, ask.Dst, ask.SrcPort, ask.DstPort = local, netip.MustParsePrefix("ff02::1:2/128"), 546, 547
	reply.Src, reply.Dst, reply.SrcPort, reply.DstPort = local, local, 547, 546
	return ask, reply
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// forwardFlows are those between guests and the outside. A network that may
// not reach the outside is asked only where the host would carry its packets.
func (h *host) forwardFlows(n flowNet, v6 bool) []declared {
	outside := h.outside(v6)
	var list []declared
	add := func(w declared, make func(way firewall.Interface) firewall.Flow, src netip.Prefix) {
		w.v6 = v6
		for _, way := range h.waysOut(n, outside, src) {
			f := make(way)
			f.Family, f.Path = familyName(v6), firewall.PathForward
			w.ways = append(w.ways, f)
		}
		list = append(list, w)
	}
	out := func(prefix netip.Prefix) func(firewall.Interface) firewall.Flow {
		return func(way firewall.Interface) firewall.Flow {
			return firewall.Flow{IIF: n.bridge, OIF: way, Src: prefix, Dst: outside}
		}
	}
	in := func(prefix netip.Prefix, f firewall.Flow) func(firewall.Interface) firewall.Flow {
		return func(way firewall.Interface) firewall.Flow {
			f.IIF, f.OIF, f.Src, f.Dst = way, n.bridge, outside, prefix
			return f
		}
	}
	prefixes := n.prefixes(v6)
	if n.def.Mode == xml.Isolated {
		if h.carries(n, v6) {
			prefix := netip.Prefix{} // no subnet of its own: guests have addresses of any
			if len(prefixes) > 0 {
				prefix = prefixes[0]
			}
			add(declared{say: flowOut, want: firewall.Drop}, out(prefix), prefix)
		}
		return list
	}
	natted := n.natted(v6)
	for _, prefix := range prefixes {
		add(declared{say: flowOut, want: firewall.Accept, nat: natted}, out(prefix), prefix)
		back := firewall.Flow{CT: []string{firewall.StateEstablished}, Reply: true, Translated: natted}
		if natted {
			back.CTStatus = []string{"snat"}
		}
		add(declared{say: flowBack, want: firewall.Accept}, in(prefix, back), prefix)
		if natted && h.carries(n, v6) {
			add(declared{say: flowIn, want: firewall.Drop}, in(prefix, firewall.Flow{}), prefix)
		}
	}
	return list
}

// spoofed is a packet of a guest with a source that is not its network's.
func (h *host) spoofed(n flowNet, v6 bool) declared {
	outside := h.outside(v6)
	w := declared{say: flowSpoof, v6: v6, want: firewall.Drop}
	src := netip.MustParsePrefix("198.18.0.0/15") // RFC 2544: nobody's
	if v6 {
		src = netip.MustParsePrefix("2001:2::/48") // RFC 5180
	}
	for _, p := range n.prefixes(v6) {
		if p.Overlaps(src) {
			return w
		}
	}
	for _, way := range h.waysOut(n, outside, src) {
		w.ways = append(w.ways, firewall.Flow{
			Family: familyName(v6), Path: firewall.PathForward, IIF: n.bridge, OIF: way, Src: src, Dst: outside,
		})
	}
	return w
}

// carries says whether the host is known to route packets of the family that
// come from the network: what it does not route cannot leak.
func (h *host) carries(n flowNet, v6 bool) bool {
	if v6 {
		return h.snap.Kernel.Sysctls["net.ipv6.conf.all.forwarding"] == "1"
	}
	on, known := h.forwarding[n.bridge.Name]
	return h.snap.Kernel.Sysctls[ipForward] == "1" && (on || !known)
}

// Ranges that are in use all over the world and in no list of addresses that a
// host should not see: the outside is one of them that the host has no route
// of its own to.
var (
	outside4 = prefixesOf("96.0.0.0/6", "64.0.0.0/6", "208.0.0.0/6", "80.0.0.0/6", "8.0.0.0/8", "18.0.0.0/8")
	outside6 = prefixesOf("2600::/12", "2a00::/12", "2400::/12", "2800::/12")
)

func prefixesOf(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

// outside is a range of addresses that only default routes lead to.
func (h *host) outside(v6 bool) netip.Prefix {
	if p, ok := h.outsides[v6]; ok {
		return p
	}
	if h.outsides == nil {
		h.outsides = map[bool]netip.Prefix{}
	}
	ranges := outside4
	if v6 {
		ranges = outside6
	}
	h.outsides[v6] = ranges[max(0, slices.IndexFunc(ranges, func(p netip.Prefix) bool {
		for i := range h.snap.Kernel.Routes {
			if dst := plainPrefix(h.snap.Kernel.Routes[i].Dst); dst.IsValid() && dst.Bits() > 4 && dst.Overlaps(p) {
				return false
			}
		}
		for i := range h.snap.Kernel.Addresses {
			if a := plainPrefix(h.snap.Kernel.Addresses[i].Prefix); a.IsValid() && a.Overlaps(p) {
				return false
			}
		}
		return true
	}))]
	return h.outsides[v6]
}
