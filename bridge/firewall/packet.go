package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
)

// state is what is known of a packet at one point of its way.
type state struct {
	family     string // ip, ip6, arp
	ll, nh, th bits   // link, network and transport header
	mark       bits   // 4 bytes in host order, like the next two
	ctmark     bits
	status     bits   // IPS_*, linux/netfilter/nf_conntrack_common.h
	ct         string // state of the connection once conntrack saw it
	untracked  tri
	zone       bits // 2 bytes in host order
	zoned      tri  // a rule has chosen the zone
	version    int  // grows with every change
}

// Offsets in headers (RFC 791, RFC 8200, RFC 826, RFC 9293).
const (
	ip4Src, ip4Dst, ip4Proto, ip4Len = 12, 16, 9, 20
	ip6Src, ip6Dst, ip6Next, ip6Len  = 8, 24, 6, 40
	arpLen, linkLen, transportLen    = 28, 14, 20
	protoTCP, protoUDP               = 6, 17
	protoICMP, protoICMP6            = 1, 58
)

func newState(f *Flow, ct string, order binary.ByteOrder) *state {
	s := &state{family: f.Family, ct: ct, ll: linkHeader(f), th: transportHeader(f)}
	s.nh = networkHeader(f)
	mark := make([]byte, 4)
	order.PutUint32(mark, f.Mark)
	s.mark, s.ctmark, s.zone = knownBits(mark), unknownBits(4), knownBits(make([]byte, 2))
	s.status = connectionStatus(f, ct, order)
	if ct == StateNew {
		s.ctmark = knownBits(make([]byte, 4))
	}
	if ct == StateUntracked {
		s.untracked = yes
	}
	return s
}

func (s *state) changed() { s.version++ }

func linkHeader(f *Flow) bits {
	b := unknownBits(linkLen)
	for at, text := range map[int]string{0: f.DstMAC, 6: f.SrcMAC} {
		if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
			b.set(at, mac)
		}
	}
	b.set(12, binary.BigEndian.AppendUint16(nil, etherType(f.Family)))
	return b
}

func etherType(family string) uint16 {
	switch family {
	case "ip6":
		return 0x86dd
	case "arp":
		return 0x806
	}
	return 0x800
}

// set writes bytes that are known.
func (b bits) set(at int, v []byte) {
	copy(b.val[at:], v)
	for i := range v {
		b.known[at+i] = 0xff
	}
}

// setPrefix writes the known part of an address.
func (b bits) setPrefix(at int, p netip.Prefix) {
	addr := p.Addr().AsSlice()
	for i := range addr {
		m := ^byte(0xff >> max(0, min(8, p.Bits()-8*i)))
		b.known[at+i], b.val[at+i] = m, addr[i]&m
	}
}

func networkHeader(f *Flow) bits {
	proto, ok := protocolNumber(f.Proto)
	switch f.Family {
	case "arp":
		b := unknownBits(arpLen)
		b.set(0, []byte{0, 1, 8, 0, 6, 4})
		if f.ARPOp != 0 {
			b.set(6, binary.BigEndian.AppendUint16(nil, f.ARPOp))
		}
		return b
	case "ip6":
		b := unknownBits(ip6Len)
		b.set(0, []byte{0x60})
		b.known[0] = 0xf0
		if ok {
			b.set(ip6Next, []byte{proto})
		}
		setAddresses(b, f, ip6Src, 16)
		return b
	}
	b := unknownBits(ip4Len)
	b.set(0, []byte{0x45})
	b.set(6, []byte{0, 0})
	b.known[6] = 0x3f // more fragments and offset are 0, whole packets
	if ok {
		b.set(ip4Proto, []byte{proto})
	}
	setAddresses(b, f, ip4Src, 4)
	return b
}

func setAddresses(b bits, f *Flow, at, size int) {
	for i, p := range []netip.Prefix{f.Src, f.Dst} {
		if p.IsValid() && p.Addr().BitLen() == 8*size {
			b.setPrefix(at+i*size, p)
		}
	}
}

// protocolNumber reads a name or number.
func protocolNumber(name string) (uint8, bool) {
	if n, ok := protocols[name]; ok {
		return n, true
	}
	if name == "icmpv6" {
		return protoICMP6, true
	}
	n, err := strconv.ParseUint(name, 10, 8)
	return uint8(n), err == nil
}

func transportHeader(f *Flow) bits {
	b := unknownBits(transportLen)
	proto, ok := protocolNumber(f.Proto)
	if !ok {
		return b
	}
	port := func(at, n int) {
		if n > 0 && n < 1<<16 {
			b.set(at, binary.BigEndian.AppendUint16(nil, uint16(n)))
		}
	}
	switch proto {
	case protoICMP, protoICMP6:
		for at, v := range []*uint8{f.ICMPType, f.ICMPCode} {
			if v != nil {
				b.set(at, []byte{*v})
			}
		}
	case protoTCP:
		if len(f.CT) == 0 || len(f.CT) == 1 && f.CT[0] == StateNew {
			b.set(13, []byte{0x02}) // a connection begins with SYN
			b.known[13] = 0x3f      // with or without the bits of ECN
		}
		fallthrough
	default:
		port(0, f.SrcPort)
		port(2, f.DstPort)
	}
	return b
}

// Bits of a connection's status (IPS_*).
const (
	ipsExpected, ipsSeenReply, ipsAssured, ipsConfirmed = 1, 2, 4, 8
	ipsSNAT, ipsDNAT, ipsSNATDone, ipsDNATDone          = 0x10, 0x20, 0x80, 0x100
	ipsHelper                                           = 0x2000
)

func connectionStatus(f *Flow, ct string, order binary.ByteOrder) bits {
	val, known := make([]byte, 4), make([]byte, 4)
	var v, k uint32
	switch ct {
	case StateNew:
		k = 0xffffffff &^ ipsHelper
	case StateEstablished:
		v, k = ipsSeenReply|ipsConfirmed, ipsSeenReply|ipsConfirmed
		if f.CTStatus != nil {
			k |= ipsSNAT | ipsDNAT
		}
	}
	for _, s := range f.CTStatus {
		switch s {
		case "snat":
			v |= ipsSNAT
		case "dnat":
			v |= ipsDNAT
		}
	}
	order.PutUint32(known, k)
	order.PutUint32(val, v&k)
	return bits{val, known}
}

// proto is the transport protocol.
func (s *state) proto() bits {
	switch s.family {
	case "ip":
		return s.nh.sub(ip4Proto, ip4Proto+1)
	case "ip6":
		return s.nh.sub(ip6Next, ip6Next+1)
	}
	return unknownBits(1)
}

// address is the source or destination address; ARP has none here.
func (s *state) address(dst bool) (bits, bool) {
	at, size := ip4Src, 4
	switch s.family {
	case "ip6":
		at, size = ip6Src, 16
	case "ip":
	default:
		return bits{}, false
	}
	if dst {
		at += size
	}
	return s.nh.sub(at, at+size), true
}

// isProto says whether the packet is of a protocol.
func (s *state) isProto(list ...byte) tri {
	if s.family == "arp" {
		return no
	}
	answer := no
	for _, p := range list {
		answer = max(answer, s.proto().equal([]byte{p}))
	}
	return answer
}
