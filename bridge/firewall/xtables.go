package firewall

import (
	"encoding/binary"
	"strconv"
)

// The binary forms of xtables matches and targets (struct xt_*, ipt_*, ip6t_*
// in linux/netfilter*/). Numbers are in the byte order of the host except
// where said. Every decoder gives the options of iptables(8): what comes from
// the kernel and what comes from iptables-legacy-save then look alike.

var native = binary.NativeEndian

// decoder turns a match's or target's data into options; false if it does not
// understand them.
type decoder func(x xtData) ([]Option, bool)

type xtData struct {
	rev  uint32
	info []byte
	v6   bool // its table is one of IPv6
}

// short: fewer bytes than the structure has.
func (x xtData) short(n int) bool { return len(x.info) < n }

var xtMatches = map[string]decoder{
	"comment":   xtComment,
	"conntrack": xtConntrack,
	"state":     xtState,
	"tcp":       xtTCP,
	"udp":       xtUDP,
	"udplite":   xtUDP,
	"multiport": xtMultiport,
	"physdev":   xtPhysdev,
	"addrtype":  xtAddrtype,
	"mark":      xtMark,
	"connmark":  xtMark,
	"icmp":      xtICMP,
	"icmp6":     xtICMP,
	"mac":       xtMAC,
	"pkttype":   xtPktType,
	"iprange":   xtIPRange,
	"limit":     xtLimit,
	"ip":        ebtIP,
}

var xtTargets = map[string]decoder{
	"LOG":         xtLog,
	"NFLOG":       xtNothing,
	"CHECKSUM":    xtChecksum,
	"MARK":        xtSetMark,
	"CONNMARK":    xtConnmark,
	"REJECT":      xtReject,
	"MASQUERADE":  xtMasquerade,
	"REDIRECT":    xtMasquerade,
	"SNAT":        xtNAT,
	"DNAT":        xtNAT,
	"NETMAP":      xtNAT,
	"CT":          xtCT,
	"NFQUEUE":     xtQueue,
	"TCPMSS":      xtNothing,
	"CLASSIFY":    xtNothing,
	"DSCP":        xtNothing,
	"TOS":         xtNothing,
	"TTL":         xtNothing,
	"HL":          xtNothing,
	"TRACE":       xtNothing,
	"AUDIT":       xtNothing,
	"SECMARK":     xtNothing,
	"CONNSECMARK": xtNothing,
}

// parseXtables reads NFTA_MATCH_* or NFTA_TARGET_* (linux/netfilter/nf_tables_compat.h).
func parseXtables(e *Expr, raw []byte, v6 bool) {
	x := xtData{v6: v6}
	err := walk(raw, func(typ uint16, v []byte) error {
		switch typ {
		case 1:
			e.Key = shared(v)
		case 2:
			x.rev = be32(v)
		case 3:
			x.info = v
		}
		return nil
	})
	table := xtMatches
	if e.Kind == "target" {
		table = xtTargets
	}
	decode, ok := table[e.Key]
	if err == nil && ok {
		e.Offset = x.rev
		e.Options, ok = decode(x)
	}
	if err != nil || !ok {
		e.Unknown = true
		e.Options = nil
	}
}

func xtNothing(xtData) ([]Option, bool) { return nil, true }

func xtComment(x xtData) ([]Option, bool) {
	return []Option{{Name: "--comment", Value: cString(x.info)}}, true
}

func xtLog(x xtData) ([]Option, bool) {
	if x.short(32) { // struct xt_log_info: level, logflags, prefix[30]
		return nil, false
	}
	if p := cString(x.info[2:32]); p != "" {
		return []Option{{Name: "--log-prefix", Value: p}}, true
	}
	return nil, true
}

func xtLimit(x xtData) ([]Option, bool) {
	if x.short(8) {
		return nil, false
	}
	// struct xt_rateinfo.avg: 1/10000 s between packets.
	avg := native.Uint32(x.info)
	for _, u := range []struct {
		name  string
		scale uint32
	}{{"sec", 10000}, {"min", 600000}, {"hour", 36000000}, {"day", 864000000}} {
		if avg > 0 && u.scale/avg > 0 {
			return []Option{{Name: "--limit", Value: strconv.Itoa(int(u.scale/avg)) + "/" + u.name}}, true
		}
	}
	return nil, true
}

func xtChecksum(xtData) ([]Option, bool) {
	return []Option{{Name: "--checksum-fill"}}, true // its only operation
}
