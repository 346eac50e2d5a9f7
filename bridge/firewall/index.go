package firewall

import (
	"bytes"
	"encoding/binary"
)

// indexedFrom is the length from which a chain is worth an index.
const indexedFrom = 16

// ifNameLen is the longest name of a link, in bytes (IFNAMSIZ - 1, linux/if.h).
const ifNameLen = 15

// chainIndex finds the rules of a long chain that a packet may match: hosts
// with many networks, ports or banned addresses have thousands of rules, and a
// packet meets the same few of them each time. A rule is passed over only if
// evaluating it would say no.
type chainIndex struct {
	devices map[deviceKey][]int32 // rules for one device, by place in the chain
	others  []int32               // the rest
	tests   []ruleTests           // by place in the chain
}

// deviceKey is a device that a rule asks for, by name or by index.
type deviceKey struct {
	out   bool
	name  string
	index uint32
}

// ruleTests are comparisons with the packet that a rule begins with.
type ruleTests struct{ first, second fieldTest }

// fieldTest compares bytes of a header: those that are known must agree.
type fieldTest struct {
	header    headerPart
	at, n     uint8 // n 0: no test
	val, mask [16]byte
}

// headerPart is where a fieldTest looks.
type headerPart uint8

const (
	protoHeader headerPart = iota // the transport protocol, one byte
	networkHdr
	transportHdr
)

func (t *fieldTest) fails(s *state) bool {
	if t.n == 0 {
		return false
	}
	var from bits
	switch t.header {
	case protoHeader:
		if s.family == "arp" {
			return false
		}
		from = s.proto()
	case networkHdr:
		from = s.nh
	default:
		from = s.th
	}
	end := int(t.at) + int(t.n)
	if end > len(from.val) {
		return false
	}
	for i := range int(t.n) {
		if (from.val[int(t.at)+i]^t.val[i])&t.mask[i]&from.known[int(t.at)+i] != 0 {
			return true
		}
	}
	return false
}

// newChainIndex looks at what the rules of a chain begin with.
func newChainIndex(c *Chain, order binary.ByteOrder) *chainIndex {
	x := &chainIndex{devices: map[deviceKey][]int32{}, tests: make([]ruleTests, len(c.Rules))}
	for i := range c.Rules {
		p := premises{order: order}
		if !c.Rules[i].Damaged {
			p.read(c.Rules[i].Exprs)
		}
		x.tests[i] = p.tests
		if p.bound {
			x.devices[p.device] = append(x.devices[p.device], int32(i)) // fewer than 3*MaxRules
		} else {
			x.others = append(x.others, int32(i))
		}
	}
	return x
}

// candidates are the places of the rules that a packet may match, in order.
type candidates struct {
	lists [][]int32
	all   int // without an index: the length of the chain, and the next place
	next  int
}

// candidates lists the rules of a chain that the packet may match here.
func (m *machine) candidates(c *chain) candidates {
	everything := candidates{all: len(c.Rules)}
	if len(c.Rules) < m.f.indexFrom {
		return everything
	}
	if c.index == nil {
		c.index = newChainIndex(c.Chain, m.order)
	}
	some := candidates{lists: make([][]int32, 0, 5)}
	some.add(c.index.others)
	for out, dev := range map[bool]*Interface{false: m.at.in, true: m.at.out} {
		if dev == nil {
			continue // a rule for any device does not match
		}
		if dev.Name == "" || dev.Index <= 0 {
			return everything
		}
		some.add(c.index.devices[deviceKey{out: out, name: dev.Name[:min(len(dev.Name), ifNameLen)]}])
		some.add(c.index.devices[deviceKey{out: out, index: uint32(dev.Index)}]) // an interface index
	}
	return some
}

func (l *candidates) add(list []int32) {
	if len(list) > 0 {
		l.lists = append(l.lists, list)
	}
}

// take is the next place, -1 at the end.
func (l *candidates) take() int {
	if l.lists == nil {
		if l.next++; l.next > l.all {
			return -1
		}
		return l.next - 1
	}
	first := -1
	for i := range l.lists {
		if len(l.lists[i]) > 0 && (first < 0 || l.lists[i][0] < l.lists[first][0]) {
			first = i
		}
	}
	if first < 0 {
		return -1
	}
	i := l.lists[first][0]
	l.lists[first] = l.lists[first][1:]
	return int(i)
}

// premises are what must hold for a rule to do anything, as far as its first
// expressions only load and compare.
type premises struct {
	order  binary.ByteOrder
	device deviceKey
	bound  bool // to the device
	tests  ruleTests
	load   *Expr // what the register of the next comparison holds
	mask   Bytes // and what of it counts
}

func (p *premises) read(exprs []*Expr) {
	for _, e := range exprs {
		if e.Unknown {
			return
		}
		switch e.Kind {
		case "meta", "payload":
			if e.Dreg == 0 {
				return // it changes something
			}
			p.load, p.mask = e, nil
		case "bitwise":
			p.masked(e)
		case "cmp":
			if p.load != nil && e.Op == "eq" && e.Sreg == p.load.Dreg && len(e.Data) > 0 {
				p.equal(e.Data)
			}
		case "match":
			p.match(e)
		case "counter":
		case "ct":
			if e.Dreg == 0 {
				return
			}
			p.load = nil
		default:
			return
		}
	}
}

// masked: a part of what was loaded.
func (p *premises) masked(e *Expr) {
	plain := p.load != nil && p.load.Kind == "payload" && p.mask == nil && e.Op == "mask-xor" &&
		e.Sreg == p.load.Dreg && e.Dreg == e.Sreg && len(bytes.Trim(e.Data, "\x00")) == 0 && len(e.Data) == len(e.Mask)
	if !plain {
		p.load = nil
		return
	}
	p.mask = e.Mask
}

// equal: the loaded value is this one.
func (p *premises) equal(want Bytes) {
	e := p.load
	switch {
	case e.Kind == "meta":
		p.meta(e.Key, want)
	case e.Key == "network" && e.Offset < ip6Len:
		p.test(networkHdr, e.Offset, e.Len, want)
	case e.Key == "transport" && e.Offset < transportLen:
		p.test(transportHdr, e.Offset, e.Len, want)
	}
}

func (p *premises) meta(key string, want Bytes) {
	switch key {
	case "l4proto":
		p.test(protoHeader, 0, 1, want)
	case "iifname", "oifname":
		// The whole name, with the NUL at its end; without one it is a prefix.
		name, rest, whole := bytes.Cut(want, []byte{0})
		if whole && len(name) > 0 && len(name) <= ifNameLen && len(bytes.Trim(rest, "\x00")) == 0 {
			p.bind(deviceKey{out: key == "oifname", name: string(name)})
		}
	case "iif", "oif":
		if n := p.number(want); n > 0 {
			p.bind(deviceKey{out: key == "oif", index: n})
		}
	}
}

func (p *premises) number(b Bytes) uint32 {
	if len(b) != 4 {
		return 0
	}
	return p.order.Uint32(b)
}

func (p *premises) bind(d deviceKey) {
	if !p.bound {
		p.device, p.bound = d, true
	}
}

// test adds a comparison of the first len(want) of n loaded bytes.
func (p *premises) test(h headerPart, at, n uint32, want Bytes) {
	t := fieldTest{header: h, at: uint8(at), n: uint8(len(want))} // headers are shorter than 64 bytes
	if len(want) > len(t.val) || uint32(len(want)) > n || p.mask != nil && len(p.mask) < len(want) {
		return
	}
	copy(t.val[:], want)
	for i := range want {
		t.mask[i] = 0xff
		if p.mask != nil {
			t.mask[i] = p.mask[i]
			if want[i]&^p.mask[i] != 0 {
				return // never true: not worth a word
			}
		}
	}
	switch {
	case p.tests.first.n == 0:
		p.tests.first = t
	case p.tests.second.n == 0 || p.tests.second.header == protoHeader:
		p.tests.second = t
	case p.tests.first.header == protoHeader:
		p.tests.first = t
	}
}

// match: iptables' ports.
func (p *premises) match(e *Expr) {
	p.load = nil
	if e.Key != "tcp" && e.Key != "udp" {
		return
	}
	for _, o := range e.Options {
		if o.Name != "--dport" && o.Name != "--sport" || o.Not {
			continue
		}
		if lo, hi, ok := span(o.Value, ":"); ok && lo == hi {
			p.mask = nil
			p.test(transportHdr, uint32(2*bool2int(o.Name == "--dport")), 2, be16(lo))
		}
	}
}

func (t *ruleTests) fail(s *state) bool { return t.first.fails(s) || t.second.fails(s) }
