package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ctStates are the bits of XT_CONNTRACK_STATE_* (linux/netfilter/xt_conntrack.h).
var ctStates = []string{"INVALID", "ESTABLISHED", "RELATED", "NEW", "", "", "SNAT", "DNAT", "UNTRACKED"}

// stateNames writes states in the order of iptables.
func stateNames(names []string, bits uint32) (string, bool) {
	_, ok := bitNames(names, bits)
	var out []string
	for _, n := range []string{"INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT"} {
		if i := slices.Index(names, n); i >= 0 && bits&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ","), ok
}

func bitNames(names []string, bits uint32) (string, bool) {
	var out []string
	for i, n := range names {
		if bits&(1<<i) == 0 {
			continue
		}
		if n == "" {
			return "", false
		}
		out = append(out, n)
		bits &^= 1 << i
	}
	return strings.Join(out, ","), bits == 0
}

func xtState(x xtData) ([]Option, bool) {
	if x.short(4) {
		return nil, false
	}
	names := append([]string{}, ctStates...)
	names[6], names[7] = "UNTRACKED", "" // XT_STATE_UNTRACKED
	v, ok := stateNames(names, native.Uint32(x.info))
	return []Option{{Name: "--state", Value: v}}, ok
}

// xtConntrack understands ctstate, ctstatus and direction; ports and
// addresses of the connection leave the match unknown.
func xtConntrack(x xtData) ([]Option, bool) {
	if x.rev < 2 || x.short(156) {
		return nil, false
	}
	b := x.info[128+8+10:]
	match, inv := native.Uint16(b), native.Uint16(b[2:])
	states, status := native.Uint16(b[4:]), native.Uint16(b[6:])
	const stateFlag, statusFlag, directionFlag, alias = 1 << 0, 1 << 6, 1 << 12, 1 << 13
	if match&^(stateFlag|statusFlag|directionFlag|alias) != 0 {
		return nil, false
	}
	var out []Option
	if match&stateFlag != 0 {
		v, ok := stateNames(ctStates, uint32(states))
		if !ok {
			return nil, false
		}
		out = append(out, Option{"--ctstate", v, inv&stateFlag != 0})
	}
	if match&statusFlag != 0 {
		v, ok := bitNames([]string{"EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"}, uint32(status))
		if status == 0 {
			v, ok = "NONE", true
		}
		if !ok {
			return nil, false
		}
		out = append(out, Option{"--ctstatus", v, inv&statusFlag != 0})
	}
	if match&directionFlag != 0 {
		// The kernel matches the original direction, inverted the reply.
		v := "ORIGINAL"
		if inv&directionFlag != 0 {
			v = "REPLY"
		}
		out = append(out, Option{Name: "--ctdir", Value: v})
	}
	return out, true
}

func portRange(lo, hi uint16) string {
	if lo == hi {
		return strconv.Itoa(int(lo))
	}
	return strconv.Itoa(int(lo)) + ":" + strconv.Itoa(int(hi))
}

// ports reads spts[2], dpts[2] of struct xt_tcp and xt_udp.
func xtPorts(b []byte, inv byte) (out []Option) {
	for i, name := range []string{"--sport", "--dport"} {
		lo, hi := native.Uint16(b[4*i:]), native.Uint16(b[4*i+2:])
		if not := inv&(1<<i) != 0; not || lo != 0 || hi != 0xffff {
			out = append(out, Option{name, portRange(lo, hi), not})
		}
	}
	return out
}

func xtUDP(x xtData) ([]Option, bool) {
	if x.short(9) {
		return nil, false
	}
	return xtPorts(x.info, x.info[8]), true
}

func xtTCP(x xtData) ([]Option, bool) {
	if x.short(12) {
		return nil, false
	}
	b := x.info
	out := xtPorts(b, b[11])
	if b[8] != 0 {
		out = append(out, Option{"--tcp-option", strconv.Itoa(int(b[8])), b[11]&8 != 0})
	}
	if b[9] != 0 || b[11]&4 != 0 {
		out = append(out, Option{"--tcp-flags", tcpFlagNames(b[9]) + " " + tcpFlagNames(b[10]), b[11]&4 != 0})
	}
	return out, true
}

var tcpFlags = []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

func tcpFlagNames(b byte) string {
	if b == 0 {
		return "NONE"
	}
	s, _ := bitNames(tcpFlags, uint32(b))
	return s
}

func xtMultiport(x xtData) ([]Option, bool) {
	if x.rev != 1 || x.short(48) {
		return nil, false
	}
	kind, n := x.info[0], int(x.info[1])
	if kind > 2 || n > 15 {
		return nil, false
	}
	var list []string
	for i := 0; i < n; i++ {
		lo := native.Uint16(x.info[2+2*i:])
		if x.info[32+i] != 0 && i+1 < n {
			i++
			list = append(list, strconv.Itoa(int(lo))+":"+strconv.Itoa(int(native.Uint16(x.info[2+2*i:]))))
			continue
		}
		list = append(list, strconv.Itoa(int(lo)))
	}
	name := []string{"--sports", "--dports", "--ports"}[kind]
	return []Option{{name, strings.Join(list, ","), x.info[47] != 0}}, true
}

// maskedName writes an interface name of which mask says how much counts.
func maskedName(name, mask []byte) string {
	n := 0
	for n < len(mask) && mask[n] != 0 {
		n++
	}
	full := cString(name)
	if n > len(full) {
		return full // the terminating NUL is compared, too
	}
	return full[:n] + "+"
}

func xtPhysdev(x xtData) ([]Option, bool) {
	if x.short(66) {
		return nil, false
	}
	b, inv, bits := x.info, x.info[64], x.info[65]
	var out []Option
	for i, o := range []struct {
		bit  byte
		name string
	}{{1, "--physdev-in"}, {2, "--physdev-out"}, {8, "--physdev-is-in"}, {16, "--physdev-is-out"}, {4, "--physdev-is-bridged"}} {
		if bits&o.bit == 0 {
			continue
		}
		opt := Option{Name: o.name, Not: inv&o.bit != 0}
		if i < 2 {
			opt.Value = maskedName(b[32*i:32*i+16], b[32*i+16:32*i+32])
		}
		out = append(out, opt)
	}
	return out, bits&^0x1f == 0
}

var addrTypes = []string{"UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW", "NAT", "XRESOLVE"}

func xtAddrtype(x xtData) ([]Option, bool) {
	if x.short(8) {
		return nil, false
	}
	src, dst := native.Uint16(x.info), native.Uint16(x.info[2:])
	fl := native.Uint32(x.info[4:])
	if x.rev == 0 {
		if x.short(12) {
			return nil, false
		}
		fl = fl&1 | native.Uint32(x.info[8:])&1<<1
	}
	var out []Option
	ok := true
	for _, o := range []struct {
		name string
		bits uint16
		inv  uint32
	}{{"--src-type", src, 1}, {"--dst-type", dst, 2}} {
		if o.bits == 0 {
			continue
		}
		v, known := bitNames(addrTypes, uint32(o.bits))
		ok = ok && known
		out = append(out, Option{o.name, v, fl&o.inv != 0})
	}
	if fl&4 != 0 {
		out = append(out, Option{Name: "--limit-iface-in"})
	}
	if fl&8 != 0 {
		out = append(out, Option{Name: "--limit-iface-out"})
	}
	return out, ok && fl < 16
}

func hex32(n uint32) string { return "0x" + strconv.FormatUint(uint64(n), 16) }

func xtMark(x xtData) ([]Option, bool) {
	if x.rev != 1 || x.short(9) {
		return nil, false
	}
	v := hex32(native.Uint32(x.info))
	if m := native.Uint32(x.info[4:]); m != 0xffffffff {
		v += "/" + hex32(m)
	}
	return []Option{{"--mark", v, x.info[8] != 0}}, true
}

func xtICMP(x xtData) ([]Option, bool) {
	if x.short(4) {
		return nil, false
	}
	t, lo, hi, inv := x.info[0], x.info[1], x.info[2], x.info[3]&1 != 0
	if t == 255 && lo == 0 && hi == 255 {
		return []Option{{"--icmp-type", "any", inv}}, true
	}
	v := strconv.Itoa(int(t))
	switch {
	case lo == 0 && hi == 255:
	case lo == hi:
		v += "/" + strconv.Itoa(int(lo))
	default:
		return nil, false
	}
	return []Option{{"--icmp-type", v, inv}}, true
}

func xtMAC(x xtData) ([]Option, bool) {
	if x.short(12) {
		return nil, false
	}
	return []Option{{"--mac-source", hexMAC(x.info[:6]), native.Uint32(x.info[8:]) != 0}}, true
}

func xtPktType(x xtData) ([]Option, bool) {
	if x.short(8) {
		return nil, false
	}
	names := []string{"unicast", "broadcast", "multicast", "otherhost"}
	n := native.Uint32(x.info)
	if n >= uint32(len(names)) {
		return nil, false
	}
	return []Option{{"--pkt-type", names[n], native.Uint32(x.info[4:]) != 0}}, true
}

func xtIPRange(x xtData) ([]Option, bool) {
	if x.rev != 1 || x.short(65) {
		return nil, false
	}
	fl := x.info[64]
	var out []Option
	for i, name := range []string{"--src-range", "--dst-range"} {
		if fl&(1<<i) != 0 {
			lo, hi := x.addr(32*i), x.addr(32*i+16)
			out = append(out, Option{name, lo.String() + "-" + hi.String(), fl&(16<<i) != 0})
		}
	}
	return out, true
}

// addr reads the union nf_inet_addr at an offset.
func (x xtData) addr(at int) netip.Addr {
	if x.v6 {
		return netip.AddrFrom16([16]byte(x.info[at : at+16]))
	}
	return netip.AddrFrom4([4]byte(x.info[at : at+4]))
}
