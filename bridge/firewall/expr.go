package firewall

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// field stores one attribute of an expression. It reports false for a value
// that this package does not understand.
type field func(e *Expr, v []byte) bool

// layouts says for each expression what its attributes are, by their numbers
// (NFTA_META_*, NFTA_CMP_*, ..., linux/netfilter/nf_tables.h). An attribute
// beyond the list comes from a newer kernel: the expression is then Unknown,
// since it may mean something else than it did.
var layouts = map[string][]field{
	"meta":         {nil, dreg, named(metaKeys), sreg},
	"payload":      {nil, dreg, named(payloadBases), offset, length, sreg, skip, skip, skip},
	"cmp":          {nil, sreg, op(cmpOps), data},
	"bitwise":      {nil, sreg, dreg, length, mask, data, op(bitwiseOps), data, sreg2},
	"byteorder":    {nil, sreg, dreg, op([]string{"ntoh", "hton"}), length, offset},
	"ct":           {nil, dreg, named(ctKeys), direction, sreg},
	"lookup":       {nil, set, sreg, mapDreg, skip, invert},
	"range":        {nil, sreg, op([]string{"eq", "neq"}), data, end},
	"immediate":    {nil, dreg, data},
	"counter":      {nil, skip, skip, skip},
	"last":         {nil, skip, skip, skip},
	"reject":       {nil, op([]string{"icmp", "tcp reset", "icmpx"}), code},
	"masq":         {nil, natFlags, natReg(portMin), natReg(portMax)},
	"nat":          {nil, natKind, natFamily, natReg(addrMin), natReg(addrMax), natReg(portMin), natReg(portMax), natFlags},
	"redir":        {nil, natReg(portMin), natReg(portMax), natFlags},
	"fib":          {nil, dreg, named(fibResults), flags},
	"limit":        {nil, rate, unit, skip, op([]string{"packets", "bytes"}), invert, skip},
	"log":          {nil, skip, label, skip, skip, level, skip},
	"quota":        {nil, skip, invert, skip, skip},
	"connlimit":    {nil, offset, invert},
	"rt":           {nil, dreg, named(rtKeys)},
	"socket":       {nil, named([]string{"transparent", "mark", "wildcard", "cgroupv2"}), dreg, skip},
	"tproxy":       {nil, skip, skip, skip},
	"numgen":       {nil, dreg, length, op([]string{"inc", "random"}), offset, skip, skip},
	"hash":         {nil, sreg, dreg, length, skip, skip, offset, op([]string{"jhash", "symhash"}), skip, skip},
	"exthdr":       {nil, dreg, code, offset, length, flags, op(exthdrOps), sreg},
	"dynset":       {nil, set, skip, op([]string{"add", "update", "delete"}), sreg, sreg2, skip, stateful, skip, flags, stateful},
	"objref":       {nil, flags, label, sreg, set, skip},
	"notrack":      {nil},
	"queue":        {nil, queueFirst, queueTotal, queueFlags, sreg},
	"synproxy":     {nil, skip, skip, skip},
	"dup":          {nil, skip, skip},
	"fwd":          {nil, skip, skip, skip},
	"osf":          {nil, dreg, skip, skip},
	"xfrm":         {nil, dreg, skip, skip, skip},
	"tunnel":       {nil, skip, dreg, skip},
	"flow_offload": {nil, label},
	"match":        {nil, skip, skip, skip}, // see xtables
	"target":       {nil, skip, skip, skip},
}

var (
	metaKeys = []string{"length", "protocol", "priority", "mark", "iif", "oif", "iifname", "oifname", "iiftype", "oiftype",
		"skuid", "skgid", "nftrace", "rtclassid", "secmark", "nfproto", "l4proto", "ibrname", "obrname", "pkttype", "cpu",
		"iifgroup", "oifgroup", "cgroup", "random", "secpath", "iifkind", "oifkind", "ibrpvid", "ibrvproto",
		"time", "day", "hour", "sdif", "sdifname"}
	ctKeys = []string{"state", "direction", "status", "mark", "secmark", "expiration", "helper", "l3proto", "saddr", "daddr",
		"protocol", "proto-src", "proto-dst", "label", "packets", "bytes", "avgpkt", "zone", "event", "ip saddr", "ip daddr",
		"ip6 saddr", "ip6 daddr", "id"}
	payloadBases = []string{"link", "network", "transport", "inner"}
	cmpOps       = []string{"eq", "neq", "lt", "lte", "gt", "gte"}
	bitwiseOps   = []string{"mask-xor", "lshift", "rshift", "and", "or", "xor"}
	fibResults   = []string{"", "oif", "oifname", "type"}
	rtKeys       = []string{"classid", "nexthop", "nexthop6", "mtu", "ipsec"}
	exthdrOps    = []string{"ip6", "tcp", "ip", "sctp", "dccp"}
)

// splitExpr takes one NFTA_LIST_ELEM apart: a name and the attributes that
// belong to it.
func splitExpr(b []byte) (name, raw []byte, err error) {
	err = walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case 1: // NFTA_EXPR_NAME
			name = v
		case 2: // NFTA_EXPR_DATA
			raw = v
		}
		return nil
	})
	return name, raw, err
}

// parseExpr reads one NFTA_LIST_ELEM. What it does not understand is kept by
// name and size. v6: the table is one of IPv6.
func parseExpr(b []byte, v6 bool) (Expr, error) {
	var e Expr
	name, raw, err := splitExpr(b)
	if err != nil {
		return e, err
	}
	e.Kind = shared(name)
	layout, known := layouts[e.Kind]
	e.Unknown = !known
	defaults(&e)
	if known {
		err = walk(raw, func(typ uint16, v []byte) error {
			if int(typ) >= len(layout) || layout[typ] == nil || !layout[typ](&e, v) {
				e.Unknown = true
			}
			return nil
		})
	}
	if e.Kind == "match" || e.Kind == "target" {
		parseXtables(&e, raw, v6)
	}
	if e.Unknown {
		e.Size = uint32(len(raw)) // of one netlink message
	}
	return e, err
}

// sharedNames keeps one copy of each name that rules repeat.
var sharedNames = func() map[string]string {
	all := map[string]string{}
	for k := range layouts {
		all[k] = k
	}
	for k := range xtMatches {
		all[k] = k
	}
	for k := range xtTargets {
		all[k] = k
	}
	return all
}()

// shared is the text before the first NUL, without a copy if it is well known.
func shared(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if s, ok := sharedNames[string(b)]; ok {
		return s
	}
	return string(b)
}

// plain are the verdicts without a chain; all rules share them.
var plain = map[string]*Jump{"accept": {Code: "accept"}, "drop": {Code: "drop"}, "return": {Code: "return"}, "continue": {Code: "continue"}}

func defaults(e *Expr) {
	switch e.Kind {
	case "bitwise":
		e.Op = bitwiseOps[0] // kernels before 5.6 have no other
	case "masq":
		e.NAT = &Translate{Kind: "masquerade"}
	case "redir":
		e.NAT = &Translate{Kind: "redirect"}
	case "nat":
		e.NAT = &Translate{Kind: "snat"}
	}
}

func skip(*Expr, []byte) bool { return true }

func register(to *uint8, v []byte) bool {
	n := be32(v)
	*to = uint8(n)
	return n <= 4 || n >= 8 && n < 24
}

func dreg(e *Expr, v []byte) bool  { return register(&e.Dreg, v) }
func sreg(e *Expr, v []byte) bool  { return register(&e.Sreg, v) }
func sreg2(e *Expr, v []byte) bool { return register(&e.Sreg2, v) }

func offset(e *Expr, v []byte) bool { e.Offset = be32(v); return true }
func length(e *Expr, v []byte) bool { e.Len = be32(v); return true }
func flags(e *Expr, v []byte) bool  { e.Flags = be32(v); return true }

func set(e *Expr, v []byte) bool   { e.Set = cString(v); return true }
func label(e *Expr, v []byte) bool { e.Key = cString(v); return true }

func invert(e *Expr, v []byte) bool { e.Invert = be32(v)&1 != 0; return true }

func stateful(e *Expr, _ []byte) bool { e.Key = "stateful"; return true }

func level(e *Expr, v []byte) bool { e.Flags = be32(v); return true }

// code is a number of one byte: an ICMP code or the type of a header.
func code(e *Expr, v []byte) bool {
	if len(v) < 1 {
		return false
	}
	e.Data = Bytes{v[0]}
	return true
}

func direction(e *Expr, v []byte) bool {
	if len(v) < 1 || v[0] > 1 {
		return false
	}
	e.Op = []string{"original", "reply"}[v[0]]
	return true
}

// mapDreg marks a lookup as one in a map: register 0 is a verdict then, and
// not the absence of a register.
func mapDreg(e *Expr, v []byte) bool { e.Op = "map"; return dreg(e, v) }

func rate(e *Expr, v []byte) bool { e.Offset = uint32(be64(v)); return true } // shown only
func unit(e *Expr, v []byte) bool { e.Len = uint32(be64(v)); return true }    // shown only

func named(names []string) field {
	return func(e *Expr, v []byte) (ok bool) { e.Key, ok = nameOf(names, v); return ok }
}

func op(names []string) field {
	return func(e *Expr, v []byte) (ok bool) { e.Op, ok = nameOf(names, v); return ok }
}

func nameOf(names []string, v []byte) (string, bool) {
	n := be32(v)
	if len(v) < 4 || n >= uint32(len(names)) {
		return strconv.FormatUint(uint64(n), 10), false
	}
	return names[n], true
}

func data(e *Expr, v []byte) bool {
	value, jump, err := parseData(v)
	e.Data, e.Jump = value, jump
	return err == nil
}

func mask(e *Expr, v []byte) bool {
	value, _, err := parseData(v)
	e.Mask = value
	return err == nil
}

func end(e *Expr, v []byte) bool {
	value, _, err := parseData(v)
	e.End = value
	return err == nil
}

// parseData reads NFTA_DATA_*: a value or a verdict.
func parseData(b []byte) (value Bytes, jump *Jump, err error) {
	err = walk(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case 1: // NFTA_DATA_VALUE
			value = append(Bytes{}, v...)
		case 2: // NFTA_DATA_VERDICT
			jump, err = parseVerdict(v)
		}
		return err
	})
	return value, jump, err
}

// parseVerdict reads NFTA_VERDICT_*. The codes are NF_* of linux/netfilter.h
// and, negative, NFT_* of linux/netfilter/nf_tables.h.
func parseVerdict(b []byte) (*Jump, error) {
	var j Jump
	err := walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case 1: // NFTA_VERDICT_CODE
			j.Code = verdictName(int32(be32(v))) // the kernel's s32
		case 2: // NFTA_VERDICT_CHAIN
			j.Chain = cString(v)
		}
		return nil
	})
	if p := plain[j.Code]; p != nil && j.Chain == "" {
		return p, err
	}
	return &j, err
}

func verdictName(n int32) string {
	switch n {
	case 0:
		return "drop"
	case 1:
		return "accept"
	case 2:
		return "stolen"
	case -1:
		return "continue"
	case -2:
		return "break"
	case -3:
		return "jump"
	case -4:
		return "goto"
	case -5:
		return "return"
	}
	if n > 0 && n&0xff == 3 { // NF_VERDICT_MASK
		return "queue"
	}
	return strconv.Itoa(int(n))
}

func natFlags(e *Expr, v []byte) bool { e.NAT.Flags = be32(v); return true }

func natKind(e *Expr, v []byte) (ok bool) {
	e.NAT.Kind, ok = nameOf([]string{"snat", "dnat"}, v)
	return ok
}

func natFamily(e *Expr, v []byte) bool {
	e.NAT.Family = familyName(uint8(be32(v))) // NFPROTO_*
	return e.NAT.Family == "ip" || e.NAT.Family == "ip6"
}

func addrMin(t *Translate) *uint8 { return &t.AddrMin }
func addrMax(t *Translate) *uint8 { return &t.AddrMax }
func portMin(t *Translate) *uint8 { return &t.PortMin }
func portMax(t *Translate) *uint8 { return &t.PortMax }

func natReg(which func(*Translate) *uint8) field {
	return func(e *Expr, v []byte) bool { return register(which(e.NAT), v) }
}

// familyName is nft's word for NFPROTO_* (linux/netfilter.h).
func familyName(n uint8) string {
	switch n {
	case 1:
		return "inet"
	case 2:
		return "ip"
	case 3:
		return "arp"
	case 5:
		return "netdev"
	case 7:
		return "bridge"
	case 10:
		return "ip6"
	}
	return strconv.Itoa(int(n))
}

// hostOrder is the byte order of the host that was read: it is that of marks,
// interface indexes and ct states.
func (rs *Ruleset) hostOrder() binary.ByteOrder {
	if rs.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
