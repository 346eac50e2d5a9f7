package firewall

import (
	"encoding/binary"
	"fmt"
	mathbits "math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// format says how a value is written.
type format int

const (
	asNumber format = iota // big endian
	asHost                 // number in host order
	asHex                  // host order, hexadecimal: marks
	asIndex
	asName
	asAddress
	asProtocol
	asEtherType
	asMAC
	asCTState
	asCTStatus
	asNFProto
	asPktType
	asAddrType
	asPresence
	asTCPFlags
	asBytes
)

func (w *writer) value(f format, b Bytes) string {
	n := uintOf(b, binary.BigEndian)
	host := uintOf(b, w.rs.hostOrder())
	switch f {
	case asNumber:
		return strconv.FormatUint(n, 10)
	case asHost, asIndex:
		return strconv.FormatUint(host, 10)
	case asHex:
		return fmt.Sprintf("0x%x", host)
	case asName:
		if len(b) < 16 && (len(b) == 0 || b[len(b)-1] != 0) {
			return `"` + cString(b) + `*"`
		}
		return `"` + cString(b) + `"`
	case asAddress:
		if a, ok := netip.AddrFromSlice(b); ok {
			return a.String()
		}
	case asMAC:
		return hexMAC(b)
	case asProtocol:
		return protocolName(uint8(n)) // one byte
	case asEtherType:
		return nameIn(map[uint64]string{0x800: "ip", 0x86dd: "ip6", 0x806: "arp", 0x8100: "vlan"}, n, "0x%04x")
	case asNFProto:
		return nameIn(map[uint64]string{2: "ipv4", 10: "ipv6"}, n, "%d")
	case asPktType:
		return nameIn(map[uint64]string{0: "host", 1: "broadcast", 2: "multicast", 3: "other"}, n, "%d")
	case asAddrType:
		return nameIn(map[uint64]string{1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast"}, host, "%d")
	case asPresence:
		return nameIn(map[uint64]string{0: "missing"}, n, "exists")
	case asTCPFlags:
		return strings.ToLower(tcpFlagNames(byte(n)))
	case asCTState:
		return bitText(map[uint64]string{1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"}, host)
	case asCTStatus:
		return bitText(map[uint64]string{1: "expected", 2: "seen-reply", 4: "assured", 8: "confirmed", 16: "snat", 32: "dnat", 512: "dying"}, host)
	}
	return "0x" + fmt.Sprintf("%x", []byte(b))
}

func uintOf(b []byte, order binary.ByteOrder) (n uint64) {
	if len(b) > 8 {
		return 0
	}
	for i := range b {
		j := i
		if order == binary.LittleEndian {
			j = len(b) - 1 - i
		}
		n = n<<8 | uint64(b[j])
	}
	return n
}

func nameIn(names map[uint64]string, n uint64, otherwise string) string {
	if s, ok := names[n]; ok {
		return s
	}
	return fmt.Sprintf(otherwise, n)
}

func bitText(names map[uint64]string, n uint64) string {
	var out []string
	for rest := n; rest != 0; rest &= rest - 1 {
		bit := uint64(1) << mathbits.TrailingZeros64(rest)
		out = append(out, nameIn(names, bit, "0x%x"))
	}
	if out == nil {
		return "0x0"
	}
	return strings.Join(out, ",")
}

// protocols are the names that matter here (IANA, protocol numbers).
var protocols = map[string]uint8{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132, "udplite": 136, "vrrp": 112, "ipv6": 41, "ipip": 94}

func protocolName(n uint8) string {
	for name, v := range protocols {
		if v == n {
			return name
		}
	}
	return strconv.Itoa(int(n))
}

// prefixLen is the length of a mask of leading ones.
func prefixLen(mask []byte) (int, bool) {
	n := 0
	for _, b := range mask {
		n += mathbits.LeadingZeros8(^b)
		if b != 0xff {
			break
		}
	}
	for i, b := range mask {
		if want := byte(0xff) << max(0, min(8, 8*(i+1)-n)); b != want {
			return 0, false
		}
	}
	return n, true
}

// masked writes a comparison of something masked: a prefix, bits that are set,
// or the mask itself.
func (w *writer) masked(d described, op string, value Bytes) clause {
	zero := strings.Trim(string(value), "\x00") == ""
	switch {
	case d.mask == nil:
		return clause{left: d.text, op: op, right: w.value(d.format, value)}
	case d.format == asAddress:
		if n, ok := prefixLen(d.mask); ok {
			return clause{left: d.text, op: op, right: w.value(asAddress, value) + "/" + strconv.Itoa(n)}
		}
	case d.format == asTCPFlags:
		return clause{left: d.text, op: op, right: w.value(d.format, value) + " / " + w.value(d.format, d.mask)}
	case zero && op == "!=":
		return clause{left: d.text, right: w.value(d.format, d.mask)}
	case zero && op == "" && (d.format == asCTState || d.format == asCTStatus):
		return clause{left: d.text, op: "!=", right: w.value(d.format, d.mask)}
	case d.format == asHex && (op == "" || op == "!="):
		return clause{left: d.text, op: op, right: w.value(asHex, value) + "/" + w.value(asHex, d.mask)}
	}
	if op == "" {
		op = "=="
	}
	return clause{left: d.text + " & " + w.value(d.format, d.mask), op: op, right: w.value(d.format, value)}
}
