package firewall

import (
	"net"
	"slices"
	"strings"
)

func (m *machine) xtMAC(o Option) tri {
	mac, err := net.ParseMAC(o.Value)
	if err != nil || o.Name != "--mac-source" {
		return m.openOption("mac", o)
	}
	if m.at.local {
		return no // no link header yet
	}
	return m.st.ll.sub(6, 12).equal(mac).invert(o.Not)
}

func (m *machine) xtPktType(o Option) tri {
	n := slices.Index([]string{"unicast", "broadcast", "multicast", "otherhost"}, o.Value)
	v, known := m.pktType()
	if n < 0 || o.Name != "--pkt-type" {
		return m.openOption("pkttype", o)
	}
	if known == maybe {
		return maybe
	}
	return v.equal([]byte{byte(n)}).invert(o.Not)
}

func (m *machine) xtAddrtype(o Option) tri { return m.xtAddrtypeOn(o, nil) }

// xtAddrtypeOn compares types of addresses, with --limit-iface-in or -out
// only of those on that device.
func (m *machine) xtAddrtypeOn(o Option, all []Option) tri {
	var dev *Interface
	for _, l := range all {
		switch l.Name {
		case "--limit-iface-in":
			dev = m.at.in
		case "--limit-iface-out":
			dev = m.at.out
		}
	}
	if o.Name != "--src-type" && o.Name != "--dst-type" {
		return m.openOption("addrtype", o)
	}
	addr, ok := m.st.address(o.Name == "--dst-type")
	if !ok {
		return m.openOption("addrtype", o)
	}
	types := strings.Split(o.Value, ",")
	if m.st.family == "ip6" {
		return m.xtAddrtype6(addr, types, dev).invert(o.Not)
	}
	typ, known := m.f.host.addrType(addr, dev)
	if !known {
		return m.doubt("the type of the address is not known")
	}
	answer := no
	for _, want := range types {
		answer = max(answer, triOf(slices.Index(addrTypes, want) == int(typ)))
	}
	return answer.invert(o.Not)
}

// xtAddrtype6: for IPv6 the kernel wants all of MULTICAST, UNICAST and UNSPEC
// that are named, and one of those that only a route can tell.
func (m *machine) xtAddrtype6(addr bits, types []string, dev *Interface) tri {
	multicast := addr.sub(0, 1).equal([]byte{0xff})
	any6 := addr.equal(make([]byte, 16))
	answer, byRoute := yes, no
	asked := false
	for _, want := range types {
		switch want {
		case "MULTICAST":
			answer = min(answer, multicast)
		case "UNICAST":
			answer = min(answer, multicast.not(), any6.not())
		case "UNSPEC":
			answer = min(answer, any6)
		default:
			asked = true
			typ, known := m.f.host.addrType(addr, dev)
			if !known {
				byRoute = max(byRoute, maybe)
			}
			byRoute = max(byRoute, triOf(known && slices.Index(addrTypes, want) == int(typ)))
		}
	}
	if asked {
		answer = min(answer, byRoute)
	}
	return answer
}

// xtPolicy: packets are without IPsec.
func (m *machine) xtPolicy(o Option) tri {
	switch o.Name {
	case "--dir":
		return yes
	case "--pol":
		return triOf(o.Value == "none")
	}
	return m.openOption("policy", o)
}

// xtOwner: only packets of this host have a socket.
func (m *machine) xtOwner(o Option) tri {
	if m.at.local {
		return m.doubt("the owner of the socket is not known")
	}
	return triOf(o.Not)
}

// xtRPFilter says whether the route back leads to where the packet came from.
func (m *machine) xtRPFilter(options []Option) tri {
	invert, loose := false, false
	for _, o := range options {
		switch o.Name {
		case "--invert":
			invert = true
		case "--loose":
			loose = true
		default:
			return m.openOption("rpfilter", o)
		}
	}
	src, ok := m.st.address(false)
	if !ok || m.at.in == nil {
		return m.doubt("match rpfilter")
	}
	if m.at.in.Name == "lo" {
		return yes.invert(invert)
	}
	typ, known := m.f.host.addrType(src, nil)
	oif, route := m.f.host.route(src, nil)
	if !known || !route {
		return m.doubt("the route back to the source is not known")
	}
	if typ == rtnBroadcast && src.complete() && src.val[0] == 0 {
		return maybe // DHCP's 0.0.0.0 has rules of its own
	}
	back := typ == rtnUnicast && oif != nil && (loose || same(oif, m.at.in))
	return triOf(back).invert(invert)
}
