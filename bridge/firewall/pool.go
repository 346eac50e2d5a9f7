package firewall

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// Sizes of an exprPool: powers of two of expressions remembered, at most and at
// first, and how many places in rules are made at once.
const (
	poolSlots  = 1 << 12
	firstSlots = 1 << 8
	poolBlock  = 1 << 10
)

// exprPool makes expressions out of netlink attributes and gives equal ones
// out only once: most of a long ruleset's expressions say the same, and memory
// and time go by those that differ. What it remembers is bounded.
type exprPool struct {
	seed  maphash.Seed
	slots []poolSlot
	made  int     // expressions that came into slots
	block []*Expr // places not given out yet
	key   []byte  // of share, used again
}

// poolSlot is an expression and what it was read from.
type poolSlot struct {
	raw  []byte
	v6   bool
	expr *Expr
}

func newExprPool() *exprPool {
	return &exprPool{seed: maphash.MakeSeed(), slots: make([]poolSlot, firstSlots)}
}

// statistics are expressions whose attributes change with the packets and
// mean nothing to a verdict.
var statistics = map[string]*Expr{"counter": {Kind: "counter"}, "last": {Kind: "last"}}

const protoIPv6 = 10 // NFPROTO_IPV6, linux/netfilter.h

// list reads the expressions of one rule of a table of a family. With an error
// come those before it.
func (p *exprPool) list(b []byte, family uint8) ([]*Expr, error) {
	n := 0
	if err := walk(b, func(uint16, []byte) error { n++; return nil }); err != nil {
		return []*Expr{}, err
	}
	out := p.room(n)
	err := walk(b, func(_ uint16, elem []byte) error {
		e, err := p.get(elem, family == protoIPv6)
		if err == nil {
			out = append(out, e)
		}
		return err
	})
	return out, err
}

// room is an empty list for n expressions.
func (p *exprPool) room(n int) []*Expr {
	if len(p.block) < n {
		p.block = make([]*Expr, max(n, poolBlock))
	}
	out := p.block[:0:n]
	p.block = p.block[n:]
	return out
}

// slot is where an expression is remembered. When half of the slots may be
// taken there are more of them, and what they held is forgotten.
func (p *exprPool) slot(key []byte) *poolSlot {
	if n := len(p.slots); n < poolSlots && p.made > n/2 {
		p.slots, p.made = make([]poolSlot, 4*n), 0
	}
	return &p.slots[maphash.Bytes(p.seed, key)%uint64(len(p.slots))]
}

// get is one expression, read or remembered.
func (p *exprPool) get(b []byte, v6 bool) (*Expr, error) {
	name, raw, err := splitExpr(b)
	if err != nil {
		return nil, err
	}
	if s := statistics[string(bytes.TrimRight(name, "\x00"))]; s != nil && known(raw, s.Kind) {
		return s, nil
	}
	slot := p.slot(b)
	if slot.expr != nil && slot.v6 == v6 && bytes.Equal(slot.raw, b) {
		return slot.expr, nil
	}
	e, err := parseExpr(b, v6)
	if err != nil {
		return nil, err
	}
	p.made++
	*slot = poolSlot{append(slot.raw[:0], b...), v6, &e}
	return slot.expr, nil
}

// known says whether all attributes are ones of the layout.
func known(raw []byte, kind string) bool {
	layout := layouts[kind]
	ok := true
	err := walk(raw, func(typ uint16, _ []byte) error {
		ok = ok && int(typ) < len(layout) && layout[typ] != nil
		return nil
	})
	return ok && err == nil
}

// shareAll is share for the expressions of a rule.
func (p *exprPool) shareAll(list []Expr) []*Expr {
	out := p.room(len(list))
	for _, e := range list {
		out = append(out, p.share(e))
	}
	return out
}

// share gives an expression a place that equal ones have in common.
func (p *exprPool) share(e Expr) *Expr {
	p.key = e.appendKey(p.key[:0])
	slot := p.slot(p.key)
	if slot.expr == nil || !bytes.Equal(slot.raw, p.key) {
		p.made++
		*slot = poolSlot{append(slot.raw[:0], p.key...), false, &e}
	}
	return slot.expr
}

// appendKey writes all that an expression says; equal keys are equal
// expressions.
func (e *Expr) appendKey(b []byte) []byte {
	text := func(list ...string) {
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	text(e.Kind, e.Key, e.Op, string(e.Data), string(e.Mask), string(e.End), e.Set)
	b = append(b, e.Dreg, e.Sreg, e.Sreg2, byte(bool2int(e.Invert)|bool2int(e.Unknown)<<1|bool2int(e.Jump != nil)<<2|bool2int(e.NAT != nil)<<3))
	for _, n := range []uint32{e.Offset, e.Len, e.Flags, e.Size} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if e.Jump != nil {
		text(e.Jump.Code, e.Jump.Chain)
	}
	if n := e.NAT; n != nil {
		text(n.Kind, n.Family)
		b = binary.AppendUvarint(append(b, n.AddrMin, n.AddrMax, n.PortMin, n.PortMax), uint64(n.Flags))
	}
	for _, o := range e.Options {
		text(o.Name, o.Value)
		b = append(b, byte(bool2int(o.Not)))
	}
	return b
}
