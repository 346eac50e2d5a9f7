package firewall

import (
	"encoding/binary"
	mathbits "math/bits"
	"net/netip"
	"strconv"
)

// What struct ebt_ip_info asks for (linux/netfilter_bridge/ebt_ip.h). Type of
// service, ICMP and IGMP are not understood.
const (
	ebtIPSource, ebtIPDest     = 1 << 0, 1 << 1
	ebtIPProto                 = 1 << 3
	ebtIPSrcPort, ebtIPDstPort = 1 << 4, 1 << 5
	ebtIPLen                   = 28
)

// ebtIP reads the match of ebtables for IPv4 packets, which ebtables-nft hands
// over as it is.
func ebtIP(x xtData) ([]Option, bool) {
	if x.short(ebtIPLen) {
		return nil, false
	}
	b := x.info
	asked, not := b[18], b[19]
	if asked&^(ebtIPSource|ebtIPDest|ebtIPProto|ebtIPSrcPort|ebtIPDstPort) != 0 {
		return nil, false
	}
	var out []Option
	add := func(bit byte, name, value string) {
		if asked&bit != 0 {
			out = append(out, Option{name, value, not&bit != 0})
		}
	}
	ports := func(at int) string {
		return strconv.Itoa(int(native.Uint16(b[at:]))) + ":" + strconv.Itoa(int(native.Uint16(b[at+2:])))
	}
	src, whole := maskedAddress(b, 8)
	dst, too := maskedAddress(b[4:], 8)
	if asked&ebtIPSource != 0 && !whole || asked&ebtIPDest != 0 && !too {
		return nil, false
	}
	add(ebtIPSource, "--ip-src", src.String())
	add(ebtIPDest, "--ip-dst", dst.String())
	add(ebtIPProto, "--ip-proto", strconv.Itoa(int(b[17])))
	add(ebtIPSrcPort, "--ip-sport", ports(20))
	add(ebtIPDstPort, "--ip-dport", ports(24))
	return out, true
}

// maskedAddress is an IPv4 address with the mask that stands some bytes behind
// it; false where that is no prefix length.
func maskedAddress(b []byte, mask int) (netip.Prefix, bool) {
	ones := mathbits.LeadingZeros32(^binary.BigEndian.Uint32(b[mask:]))
	whole := mathbits.OnesCount32(binary.BigEndian.Uint32(b[mask:])) == ones
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), ones), whole
}

func (m *machine) ebtIP(o Option) tri {
	switch o.Name {
	case "--ip-src", "--ip-dst":
		p, err := netip.ParsePrefix(o.Value)
		addr, has := m.st.address(o.Name == "--ip-dst")
		if err != nil || !has || len(addr.val) != 4 {
			return m.openOption("ip", o)
		}
		mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
		return addr.maskXor(mask, make([]byte, 4)).equal(p.Masked().Addr().AsSlice()).invert(o.Not)
	case "--ip-proto":
		proto, err := strconv.ParseUint(o.Value, 10, 8)
		if err != nil {
			return m.openOption("ip", o)
		}
		return m.st.isProto(byte(proto)).invert(o.Not)
	case "--ip-sport":
		return m.xtPort(Option{"--sport", o.Value, o.Not})
	case "--ip-dport":
		return m.xtPort(Option{"--dport", o.Value, o.Not})
	}
	return m.openOption("ip", o)
}
