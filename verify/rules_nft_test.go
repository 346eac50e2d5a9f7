package verify

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// ruleWriter makes a rule of nf_tables as nft would, text and expressions.
type ruleWriter struct {
	v6    bool
	rule  firewall.Rule
	words []string
}

func newRule(v6 bool) *ruleWriter { return &ruleWriter{v6: v6} }

func (w *ruleWriter) add(word string, exprs ...*firewall.Expr) *ruleWriter {
	w.words = append(w.words, word)
	w.rule.Exprs = append(w.rule.Exprs, exprs...)
	return w
}

// into puts the rule behind those of a chain.
func (w *ruleWriter) into(c *firewall.Chain) { c.Rules = append(c.Rules, w.done(c.Owner)) }

func (w *ruleWriter) done(owner string) firewall.Rule {
	w.rule.Text, w.rule.Owner = strings.Join(w.words, " "), owner
	return w.rule
}

// index is "iif" or "oif": the link's number.
func (w *ruleWriter) index(key string, n int, name string) *ruleWriter {
	return w.add(fmt.Sprintf("%s %q", key, name),
		&firewall.Expr{Kind: "meta", Key: key, Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: binary.LittleEndian.AppendUint32(nil, uint32(n))})
}

// device is "iifname" or "oifname"; no name is no match.
func (w *ruleWriter) device(key, name string) *ruleWriter {
	if name == "" {
		return w
	}
	return w.add(fmt.Sprintf("%s %q", key, name),
		&firewall.Expr{Kind: "meta", Key: key, Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: append([]byte(name), make([]byte, 16-len(name))...)})
}

// notDevice is device with "!=".
func (w *ruleWriter) notDevice(key, name string) *ruleWriter {
	w.device(key, name).rule.Exprs[len(w.rule.Exprs)-1].Op = "neq"
	w.words[len(w.words)-1] = fmt.Sprintf("%s != %q", key, name)
	return w
}

func (w *ruleWriter) address(dst bool, p netip.Prefix, not bool) *ruleWriter {
	offset, size, word := 12, 4, "ip saddr"
	if w.v6 {
		offset, size, word = 8, 16, "ip6 saddr"
	}
	if dst {
		offset, word = offset+size, strings.Replace(word, "saddr", "daddr", 1)
	}
	op := "eq"
	if not {
		op, word = "neq", word+" !="
	}
	mask := make([]byte, size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return w.add(word+" "+p.String(),
		&firewall.Expr{Kind: "payload", Key: "network", Offset: uint32(offset), Len: uint32(size), Dreg: 1},
		&firewall.Expr{Kind: "bitwise", Op: "mask-xor", Sreg: 1, Dreg: 1, Len: uint32(size), Mask: mask, Data: make([]byte, size)},
		&firewall.Expr{Kind: "cmp", Op: op, Sreg: 1, Data: p.Masked().Addr().AsSlice()})
}

// protocol is "meta l4proto"; 0 is no match.
func (w *ruleWriter) protocol(proto byte) *ruleWriter {
	if proto == 0 {
		return w
	}
	return w.add("meta l4proto "+map[byte]string{6: "tcp", 17: "udp", 1: "icmp", 58: "ipv6-icmp"}[proto],
		&firewall.Expr{Kind: "meta", Key: "l4proto", Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{proto}})
}

func (w *ruleWriter) port(n int) *ruleWriter {
	return w.add(fmt.Sprintf("th dport %d", n),
		&firewall.Expr{Kind: "payload", Key: "transport", Offset: 2, Len: 2, Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: binary.BigEndian.AppendUint16(nil, uint16(n))})
}

// arp is the operation: 1 asks, 2 replies.
func (w *ruleWriter) arp(operation byte) *ruleWriter {
	return w.add("arp operation "+map[byte]string{1: "request", 2: "reply"}[operation],
		&firewall.Expr{Kind: "meta", Key: "protocol", Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{0x08, 0x06}},
		&firewall.Expr{Kind: "payload", Key: "network", Offset: 6, Len: 2, Dreg: 1},
		&firewall.Expr{Kind: "cmp", Op: "eq", Sreg: 1, Data: []byte{0, operation}})
}

// states is "ct state established,related".
func (w *ruleWriter) states() *ruleWriter {
	return w.add("ct state established,related",
		&firewall.Expr{Kind: "ct", Key: "state", Dreg: 1},
		&firewall.Expr{Kind: "bitwise", Op: "mask-xor", Sreg: 1, Dreg: 1, Len: 4, Mask: []byte{6, 0, 0, 0}, Data: make([]byte, 4)},
		&firewall.Expr{Kind: "cmp", Op: "neq", Sreg: 1, Data: make([]byte, 4)})
}

func (w *ruleWriter) jump(code, chain string) *ruleWriter {
	return w.add(strings.TrimSpace(code+" "+chain), &firewall.Expr{Kind: "immediate", Jump: &firewall.Jump{Code: code, Chain: chain}})
}

func (w *ruleWriter) reject() *ruleWriter {
	return w.add("reject", &firewall.Expr{Kind: "reject", Op: "icmp"})
}

func (w *ruleWriter) masquerade(ports bool) *ruleWriter {
	if !ports {
		return w.add("masquerade", &firewall.Expr{Kind: "masq", NAT: &firewall.Translate{Kind: "masquerade"}})
	}
	return w.add("masquerade to :1024-65535",
		&firewall.Expr{Kind: "immediate", Dreg: 1, Data: []byte{0x04, 0x00}},
		&firewall.Expr{Kind: "immediate", Dreg: 2, Data: []byte{0xff, 0xff}},
		&firewall.Expr{Kind: "masq", NAT: &firewall.Translate{Kind: "masquerade", PortMin: 1, PortMax: 2}})
}
