package firewall

import (
	"fmt"
	"strings"
)

// elementsShown bounds how many elements of an anonymous set a rule's text
// lists.
const elementsShown = 16

// lookup writes a search in a set or map. The key may be several registers in
// a row, each filled up to four bytes.
func (d *decompiler) lookup(e *Expr) {
	s := d.sets[e.Set]
	keyLen := 0
	if s != nil {
		keyLen = s.KeyLen
	}
	var parts []described
	var names []string
	for at, i := slot(e.Sreg), 0; i < 16; i++ {
		v := d.regs[at&15]
		parts = append(parts, v)
		names = append(names, v.text)
		n := valueLen(v)
		keyLen -= (n + 3) &^ 3
		at += (n + 3) / 4
		if keyLen <= 0 {
			break
		}
	}
	c := clause{left: strings.Join(names, " . "), op: map[bool]string{true: "!="}[e.Invert], right: d.setText(s, e.Set, parts)}
	if e.Op != "map" {
		d.add(c)
		return
	}
	if e.Dreg == 0 {
		c.op = "vmap"
		d.add(c)
		return
	}
	d.regs[slot(e.Dreg)] = described{text: c.left + " map " + c.right, format: asBytes}
}

func valueLen(v described) int {
	if v.len > 0 {
		return v.len
	}
	switch v.format {
	case asName:
		return 16
	case asProtocol, asNFProto, asPktType:
		return 1
	case asEtherType:
		return 2
	}
	return 4
}

func (d *decompiler) setText(s *Set, name string, parts []described) string {
	if s == nil || !s.Anonymous {
		return "@" + name
	}
	var list []string
	for i, e := range s.Elements {
		if i == elementsShown {
			list = append(list, "...")
			break
		}
		text := "*"
		if !e.CatchAll {
			text = d.keyText(e, parts)
		}
		switch {
		case e.Jump != nil:
			text += " : " + verdictText(e.Jump)
		case e.Data != nil:
			text += fmt.Sprintf(" : 0x%x", []byte(e.Data))
		case e.Object != "":
			text += " : " + e.Object
		}
		list = append(list, text)
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

func (d *decompiler) keyText(e Element, parts []described) string {
	var out []string
	at := 0
	for _, p := range parts {
		n := valueLen(p)
		if len(parts) == 1 {
			n = len(e.Key)
		}
		if at+n > len(e.Key) {
			return fmt.Sprintf("0x%x", []byte(e.Key))
		}
		text := d.value(p.format, e.Key[at:at+n])
		if at+n <= len(e.End) {
			if last := d.value(p.format, e.End[at:at+n]); last != text {
				text += "-" + last
			}
		}
		out = append(out, text)
		at += (n + 3) &^ 3
	}
	return strings.Join(out, " . ")
}

// statement writes what neither loads nor compares.
func (d *decompiler) statement(e *Expr) {
	switch e.Kind {
	case "counter", "notrack":
		d.say(e.Kind)
	case "reject":
		d.say(strings.TrimSpace("reject" + rejectText(d.family, e)))
	case "masq", "redir", "nat":
		if e.NAT == nil {
			d.say(e.Kind)
			return
		}
		d.say(d.natText(e.NAT))
	case "limit":
		over := ""
		if e.Invert {
			over = "over "
		}
		d.say(fmt.Sprintf("limit rate %s%d/%s", over, e.Offset, map[uint32]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}[e.Len]))
	case "log":
		text := "log"
		if e.Key != "" {
			text += fmt.Sprintf(" prefix %q", e.Key)
		}
		d.say(text)
	case "dynset":
		d.say(fmt.Sprintf("%s @%s { %s }", e.Op, e.Set, d.regs[slot(e.Sreg)].text))
	case "queue":
		d.say(queueText(e))
	case "objref":
		d.say(strings.TrimSpace("object " + e.Key))
	default:
		d.say(e.Kind)
	}
}

func queueText(e *Expr) string {
	text := "queue"
	if e.Flags&queueBypass != 0 {
		text += " flags bypass"
	}
	switch {
	case e.Sreg != 0:
	case e.Len > 1:
		text += fmt.Sprintf(" to %d-%d", e.Offset, e.Offset+e.Len-1)
	default:
		text += fmt.Sprintf(" to %d", e.Offset)
	}
	return text
}

// rejectText is empty for the default of the family, as nft prints it.
func rejectText(family string, e *Expr) string {
	const portUnreachable4, portUnreachable6, portUnreachableX = 3, 4, 1
	code := uint32(255)
	if len(e.Data) > 0 {
		code = uint32(e.Data[0])
	}
	switch {
	case e.Op == "tcp reset":
		return " with tcp reset"
	case e.Op == "icmpx" && code == portUnreachableX,
		family == "ip" && code == portUnreachable4, family == "ip6" && code == portUnreachable6:
		return ""
	}
	return fmt.Sprintf(" with %s %d", e.Op, code)
}

func (d *decompiler) natText(t *Translate) string {
	text := t.Kind
	reg := func(r uint8, f format) string {
		v := d.regs[slot(r)]
		if v.value == nil {
			return v.text
		}
		if f == asNumber && len(v.value) > 2 {
			return d.value(f, v.value[:2])
		}
		return d.value(f, v.value)
	}
	span := func(lo, hi uint8, f format) string {
		s := reg(lo, f)
		if hi != 0 && hi != lo && reg(hi, f) != s {
			s += "-" + reg(hi, f)
		}
		return s
	}
	to := ""
	if t.AddrMin != 0 {
		to = span(t.AddrMin, t.AddrMax, asAddress)
		if t.Family == "ip6" && t.PortMin != 0 {
			to = "[" + to + "]"
		}
	}
	if t.PortMin != 0 {
		to += ":" + span(t.PortMin, t.PortMax, asNumber)
	}
	if to != "" {
		text += " to " + to
	}
	return text
}
