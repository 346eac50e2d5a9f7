package firewall

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

func xtSetMark(x xtData) ([]Option, bool) {
	if x.rev != 2 || x.short(8) { // struct xt_mark_tginfo2
		return nil, false
	}
	v := hex32(native.Uint32(x.info)) + "/" + hex32(native.Uint32(x.info[4:]))
	return []Option{{Name: "--set-xmark", Value: v}}, true
}

// xtConnmark reads struct xt_connmark_tginfo1 and 2.
func xtConnmark(x xtData) ([]Option, bool) {
	at := 12
	if x.rev == 2 {
		at = 14
	}
	if x.rev < 1 || x.rev > 2 || x.short(at+1) || x.rev == 2 && x.info[13] != 0 {
		return nil, false // a shift
	}
	ctmark, ctmask, nfmask := native.Uint32(x.info), native.Uint32(x.info[4:]), native.Uint32(x.info[8:])
	switch x.info[at] {
	case 0:
		return []Option{{Name: "--set-xmark", Value: hex32(ctmark) + "/" + hex32(ctmask)}}, true
	case 1:
		return []Option{{Name: "--save-mark"}, {Name: "--nfmask", Value: hex32(nfmask)}, {Name: "--ctmask", Value: hex32(ctmask)}}, true
	case 2:
		return []Option{{Name: "--restore-mark"}, {Name: "--nfmask", Value: hex32(nfmask)}, {Name: "--ctmask", Value: hex32(ctmask)}}, true
	}
	return nil, false
}

// xtReject only shows what is sent back: a reject is a drop for the packet.
func xtReject(x xtData) ([]Option, bool) {
	if x.short(4) {
		return nil, false
	}
	names, with := rejectWith4, native.Uint32(x.info)
	if x.v6 {
		names = rejectWith6
	}
	if with >= uint32(len(names)) {
		return nil, true
	}
	return []Option{{Name: "--reject-with", Value: names[with]}}, true
}

var (
	rejectWith4 = []string{"icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable",
		"", "icmp-net-prohibited", "icmp-host-prohibited", "tcp-reset", "icmp-admin-prohibited"}
	rejectWith6 = []string{"icmp6-no-route", "icmp6-adm-prohibited", "", "icmp6-addr-unreachable", "icmp6-port-unreachable", "",
		"tcp-reset", "icmp6-policy-fail", "icmp6-reject-route"}
)

// natRange is struct nf_nat_range, nf_nat_range2 or the IPv4 form of them.
type natRange struct {
	flags          uint32
	addrLo, addrHi netip.Addr
	portLo, portHi uint16
}

const (
	natMapIPs    = 1 << 0 // NF_NAT_RANGE_MAP_IPS
	natMapPorts  = 1 << 1 // NF_NAT_RANGE_PROTO_SPECIFIED
	natRandom    = 1<<2 | 1<<4
	natOffset    = 1 << 5 // NF_NAT_RANGE_PROTO_OFFSET
	natNetmap    = 1 << 6 // NF_NAT_RANGE_NETMAP
	natCompatLen = 20     // struct nf_nat_ipv4_multi_range_compat with one range
)

func parseNATRange(x xtData) (r natRange, ok bool) {
	switch {
	case len(x.info) >= 40: // nf_nat_range(2): addresses of 16 bytes
		r.flags = native.Uint32(x.info)
		r.addrLo, r.addrHi = x.addr(4), x.addr(20)
		r.portLo, r.portHi = binary.BigEndian.Uint16(x.info[36:]), binary.BigEndian.Uint16(x.info[38:])
	case len(x.info) >= natCompatLen && native.Uint32(x.info) == 1:
		b := x.info[4:]
		r.flags = native.Uint32(b)
		r.addrLo, r.addrHi = netip.AddrFrom4([4]byte(b[4:8])), netip.AddrFrom4([4]byte(b[8:12]))
		r.portLo, r.portHi = binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	default:
		return r, false
	}
	return r, r.flags&natOffset == 0
}

func (r natRange) ports() string {
	if r.portLo == r.portHi {
		return strconv.Itoa(int(r.portLo))
	}
	return strconv.Itoa(int(r.portLo)) + "-" + strconv.Itoa(int(r.portHi))
}

// xtMasquerade is also REDIRECT: ports only.
func xtMasquerade(x xtData) ([]Option, bool) {
	r, ok := parseNATRange(x)
	if ok && r.flags&natMapPorts != 0 {
		return []Option{{Name: "--to-ports", Value: r.ports()}}, true
	}
	return nil, ok
}

// xtNAT gives "--to" for SNAT, DNAT and NETMAP alike; the save command has
// three names for it.
func xtNAT(x xtData) ([]Option, bool) {
	r, ok := parseNATRange(x)
	if !ok {
		return nil, false
	}
	v := ""
	if r.flags&natMapIPs != 0 {
		v = r.addrLo.String()
		if r.addrHi != r.addrLo {
			v += "-" + r.addrHi.String()
		}
		if r.addrLo.Is6() && r.flags&natMapPorts != 0 {
			v = "[" + v + "]"
		}
	}
	if r.flags&natMapPorts != 0 {
		v += ":" + r.ports()
	}
	out := []Option{{Name: "--to", Value: v}}
	if r.flags&natRandom != 0 {
		out = append(out, Option{Name: "--random"})
	}
	return out, true
}

// xtCT reads what linux/netfilter/xt_CT.h lays out.
func xtCT(x xtData) ([]Option, bool) {
	if x.short(4) {
		return nil, false
	}
	const notrack, original, reply, mark = 1 | 2, 4, 8, 16
	flags, zone := native.Uint16(x.info), native.Uint16(x.info[2:])
	name, value := "--zone", strconv.Itoa(int(zone))
	switch {
	case flags&notrack != 0:
		return []Option{{Name: "--notrack"}}, true
	case flags&original != 0:
		name = "--zone-orig"
	case flags&reply != 0:
		name = "--zone-reply"
	}
	if flags&mark != 0 {
		value = "mark"
	}
	if zone != 0 || flags&(original|reply|mark) != 0 {
		return []Option{{Name: name, Value: value}}, true
	}
	return nil, true // helper, timeout, events: no verdict hangs on them here
}

func hexMAC(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 3*len(b))
	for i, v := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = append(out, digits[v>>4], digits[v&15])
	}
	return string(out)
}
