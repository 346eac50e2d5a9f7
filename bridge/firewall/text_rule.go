package firewall

import (
	"fmt"
	"strings"
)

// described is what a register holds.
type described struct {
	text   string
	format format
	len    int
	mask   Bytes
	value  Bytes // of an immediate
}

type decompiler struct {
	*writer
	regs  [16]described // by registers of 4 bytes
	proto string        // transport protocol compared so far
	out   []clause
}

// slot is the first 4-byte register of one.
func slot(reg uint8) int {
	if reg >= 8 {
		return int(reg-8) & 15
	}
	return int(reg-1) & 3 * 4
}

// decompile turns a rule's expressions into clauses.
func (w *writer) decompile(r *Rule) []clause {
	d := &decompiler{writer: w, out: make([]clause, 0, len(r.Exprs))}
	for i := range r.Exprs {
		d.expr(r.Exprs[i])
	}
	return d.out
}

func (d *decompiler) add(c clause) { d.out = append(d.out, c) }

func (d *decompiler) say(text string) { d.add(clause{left: text}) }

func (d *decompiler) expr(e *Expr) {
	if e.Unknown && e.Kind != "match" && e.Kind != "target" {
		d.say(fmt.Sprintf("(unknown %s, %d bytes)", e.Kind, e.Size))
		return
	}
	if d.load(e) {
		return
	}
	switch e.Kind {
	case "bitwise":
		d.regs[slot(e.Dreg)] = d.bitwise(d.regs[slot(e.Sreg)], e)
	case "byteorder":
		v := d.regs[slot(e.Sreg)]
		if v.format == asHost || v.format == asHex {
			v.format = asNumber
		}
		d.regs[slot(e.Dreg)] = v
	case "cmp":
		d.compare(e)
	case "range":
		v := d.regs[slot(e.Sreg)]
		d.add(clause{left: v.text, op: opText(e.Op), right: d.value(v.format, e.Data) + "-" + d.value(v.format, e.End)})
	case "lookup":
		d.lookup(e)
	case "immediate":
		if e.Jump != nil {
			d.add(clause{verdict: e.Jump})
		} else {
			d.regs[slot(e.Dreg)] = described{value: e.Data, text: fmt.Sprintf("0x%x", []byte(e.Data)), format: asBytes, len: len(e.Data)}
		}
	case "match", "target":
		d.add(clause{xt: e})
	default:
		d.statement(e)
	}
}

// bitwise writes what is done to a value: bits kept, set or toggled.
func (d *decompiler) bitwise(v described, e *Expr) described {
	zero := strings.Trim(string(e.Data), "\x00") == ""
	sets := len(e.Mask) == len(e.Data)
	for i := range e.Data {
		sets = sets && e.Mask[i] == ^e.Data[i]
	}
	switch {
	case e.Op != "mask-xor":
		v.text += " " + e.Op + " " + d.value(v.format, e.Data)
	case zero:
		v.mask = e.Mask
	case sets:
		v.text += " | " + d.value(v.format, e.Data)
	default:
		v.text += " & " + d.value(v.format, e.Mask) + " ^ " + d.value(v.format, e.Data)
	}
	return v
}

var opTexts = map[string]string{"neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

func opText(op string) string { return opTexts[op] }

// load describes what an expression puts into a register.
func (d *decompiler) load(e *Expr) bool {
	var v described
	switch e.Kind {
	case "meta":
		v = metaText(e)
	case "ct":
		v = described{text: strings.Join(strings.Fields("ct "+e.Op+" "+e.Key), " "), format: ctFormat(e.Key)}
	case "payload":
		v = d.payload(e)
	case "fib":
		v = described{text: fibText(e)}
		switch {
		case e.Key == "type":
			v.format = asAddrType
		case e.Flags&fibPresent != 0:
			v.format = asPresence
		case e.Key == "oif":
			v.format = asIndex
		case e.Key == "oifname":
			v.format = asName
		}
	case "rt", "socket", "numgen", "hash", "exthdr", "osf", "xfrm", "tunnel":
		v = described{text: strings.TrimSpace(e.Kind + " " + e.Key), format: asBytes}
	default:
		return false
	}
	if e.Sreg != 0 && e.Dreg == 0 {
		from := d.regs[slot(e.Sreg)]
		right := from.text
		if from.value != nil {
			right = d.value(v.format, from.value)
		}
		d.add(clause{left: v.text, op: "set", right: right})
		return true
	}
	v.len = int(e.Len)
	d.regs[slot(e.Dreg)] = v
	return true
}

func ctFormat(key string) format {
	switch key {
	case "state":
		return asCTState
	case "status":
		return asCTStatus
	case "mark":
		return asHex
	case "saddr", "daddr", "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr":
		return asAddress
	case "protocol":
		return asProtocol
	}
	return asNumber
}

func metaText(e *Expr) described {
	v := described{text: e.Key}
	switch e.Key {
	case "iif", "oif":
		v.format = asIndex
	case "iifname", "oifname":
		v.format = asName
	case "ibrname", "obrname":
		v.text, v.format = "meta "+e.Key, asName
	case "mark":
		v.text, v.format = "meta mark", asHex
	case "l4proto":
		v.text, v.format = "meta l4proto", asProtocol
	case "nfproto":
		v.text, v.format = "meta nfproto", asNFProto
	case "protocol":
		v.text, v.format = "meta protocol", asEtherType
	case "pkttype":
		v.text, v.format = "meta pkttype", asPktType
	default:
		v.text, v.format = "meta "+e.Key, asHost
	}
	return v
}

func fibText(e *Expr) string {
	var keys []string
	for i, k := range []string{"saddr", "daddr", "mark", "iif", "oif"} {
		if e.Flags&(1<<i) != 0 {
			keys = append(keys, k)
		}
	}
	return "fib " + strings.Join(keys, " . ") + " " + e.Key
}

// payload names the fields that rules usually match on. Fewer bytes than an
// address are a prefix of whole bytes.
func (d *decompiler) payload(e *Expr) described {
	at := func(off, length uint32) bool { return e.Offset == off && e.Len == length }
	prefix := func(off, length uint32) bool { return e.Offset == off && e.Len > 0 && e.Len <= length }
	v6 := d.family == "ip6" || d.family != "ip" && (e.Offset == 8 || e.Offset == 24) && e.Len > 1
	switch {
	case e.Key == "network" && !v6 && prefix(12, 4):
		return described{text: "ip saddr", format: asAddress}
	case e.Key == "network" && !v6 && prefix(16, 4):
		return described{text: "ip daddr", format: asAddress}
	case e.Key == "network" && !v6 && at(9, 1):
		return described{text: "ip protocol", format: asProtocol}
	case e.Key == "network" && v6 && prefix(8, 16):
		return described{text: "ip6 saddr", format: asAddress}
	case e.Key == "network" && v6 && prefix(24, 16):
		return described{text: "ip6 daddr", format: asAddress}
	case e.Key == "network" && v6 && at(6, 1):
		return described{text: "ip6 nexthdr", format: asProtocol}
	case e.Key == "link" && at(0, 6):
		return described{text: "ether daddr", format: asMAC}
	case e.Key == "link" && at(6, 6):
		return described{text: "ether saddr", format: asMAC}
	case e.Key == "link" && at(12, 2):
		return described{text: "ether type", format: asEtherType}
	case e.Key == "transport" && at(0, 2):
		return described{text: d.transport() + " sport"}
	case e.Key == "transport" && at(2, 2):
		return described{text: d.transport() + " dport"}
	case e.Key == "transport" && at(0, 1):
		return described{text: d.transport() + " type"}
	case e.Key == "transport" && at(1, 1):
		return described{text: d.transport() + " code"}
	case e.Key == "transport" && at(13, 1) && d.proto == "tcp":
		return described{text: "tcp flags", format: asTCPFlags}
	}
	base := map[string]string{"link": "ll", "network": "nh", "transport": "th", "inner": "ih"}[e.Key]
	return described{text: fmt.Sprintf("@%s,%d,%d", base, uint64(e.Offset)*8, uint64(e.Len)*8), format: asBytes}
}

func (d *decompiler) transport() string {
	switch d.proto {
	case "":
		return "th"
	case "ipv6-icmp":
		return "icmpv6"
	}
	return d.proto
}

func (d *decompiler) compare(e *Expr) {
	v := d.regs[slot(e.Sreg)]
	value := e.Data
	if v.format == asAddress && v.mask == nil {
		// A prefix of whole bytes has no bitwise part.
		if n, full := len(value), addressLen(v.text, len(value)); n < full {
			v.mask = append(Bytes{}, strings.Repeat("\xff", n)+strings.Repeat("\x00", full-n)...)
			value = append(append(Bytes{}, value...), make(Bytes, full-n)...)
		}
	}
	c := d.masked(v, opText(e.Op), value)
	if c.left == "meta l4proto" || c.left == "ip protocol" || c.left == "ip6 nexthdr" {
		d.proto = c.right
	}
	d.add(c)
}

func addressLen(text string, n int) int {
	switch {
	case strings.HasPrefix(text, "ip6 "):
		return 16
	case strings.HasPrefix(text, "ip "):
		return 4
	}
	return n
}
