package verify

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// What a rule speaks of, read from its expressions: each load with the
// comparison behind it. This serves to tell whose a rule is; what it does is
// the evaluator's.

// compared calls visit for each value that is loaded and compared at once, with
// the mask between them, if any.
func compared(r *firewall.Rule, visit func(load, mask, cmp *firewall.Expr)) {
	for i, load := range r.Exprs {
		if load == nil || load.Kind != "meta" && load.Kind != "payload" || load.Dreg == 0 || i+1 >= len(r.Exprs) {
			continue
		}
		next := r.Exprs[i+1]
		var mask *firewall.Expr
		if next.Kind == "bitwise" && next.Sreg == load.Dreg && i+2 < len(r.Exprs) {
			mask, next = next, r.Exprs[i+2]
		}
		if next.Sreg == load.Dreg && (next.Kind == "cmp" || next.Kind == "lookup") {
			visit(load, mask, next)
		}
	}
}

// isDevice says whether a comparison is one with a link, by index or by name or
// the beginning of it.
func isDevice(load, cmp *firewall.Expr, dev firewall.Interface) bool {
	if cmp.Kind != "cmp" || load.Kind != "meta" {
		return false
	}
	switch load.Key {
	case "iif", "oif":
		return len(cmp.Data) == 4 && dev.Index > 0 &&
			(binary.LittleEndian.Uint32(cmp.Data) == uint32(dev.Index) || binary.BigEndian.Uint32(cmp.Data) == uint32(dev.Index))
	case "iifname", "oifname":
		return dev.Name != "" && (string(bytes.TrimRight(cmp.Data, "\x00")) == dev.Name ||
			len(cmp.Data) > 0 && cmp.Data[len(cmp.Data)-1] != 0 && strings.HasPrefix(dev.Name, string(cmp.Data)))
	}
	return false
}

// ruleNames says whether a rule matches a link where it comes in ("iif") or leaves
// ("oif").
func ruleNames(r *firewall.Rule, dev firewall.Interface, keys ...string) bool {
	found := false
	compared(r, func(load, _, cmp *firewall.Expr) {
		for _, key := range keys {
			found = found || strings.HasPrefix(load.Key, key) && cmp.Op != "neq" && isDevice(load, cmp, dev)
		}
	})
	return found
}

// excepts says whether a rule is for packets that do not leave by a link.
func excepts(r *firewall.Rule, dev firewall.Interface) bool {
	found := false
	compared(r, func(load, _, cmp *firewall.Expr) {
		found = found || strings.HasPrefix(load.Key, "oif") && cmp.Op == "neq" && isDevice(load, cmp, dev)
	})
	return found
}

// speaksOf says whether a rule names the network's bridge or an address of its
// subnets, or looks a link up in a set.
func (f *packetFilter) speaksOf(ref firewall.Reference, n flowNet) bool {
	r := f.rule(ref)
	if r == nil {
		return false
	}
	found := ruleNames(r, n.bridge, "iif", "oif")
	compared(r, func(load, mask, cmp *firewall.Expr) {
		if load.Kind == "meta" && cmp.Kind == "lookup" && (strings.HasPrefix(load.Key, "oif") || strings.HasPrefix(load.Key, "iif")) {
			found = true
		}
		if p := addressOf(load, mask, cmp); p.IsValid() && cmp.Op != "neq" && p.Bits() > 0 {
			for _, own := range n.prefixes(p.Addr().Is6()) {
				found = found || own.Overlaps(p)
			}
		}
	})
	return found
}

// sourceOf is the source subnet that a rule matches.
func sourceOf(r *firewall.Rule) netip.Prefix {
	var found netip.Prefix
	compared(r, func(load, mask, cmp *firewall.Expr) {
		source := load.Len == 16 && load.Offset == 8 || load.Len <= 4 && load.Offset == 12
		if p := addressOf(load, mask, cmp); p.IsValid() && source && cmp.Op != "neq" && !found.IsValid() {
			found = p
		}
	})
	return found
}

// addressOf is the subnet that a comparison of an address is with. Whole bytes
// are compared without a mask (an address cut short is a prefix).
func addressOf(load, mask, cmp *firewall.Expr) netip.Prefix {
	size := 4
	if load.Offset == 8 || load.Offset == 24 {
		size = 16
	}
	known := load.Offset == 8 || load.Offset == 12 || load.Offset == 16 || load.Offset == 24
	if load.Kind != "payload" || load.Key != "network" || !known || cmp.Kind != "cmp" || len(cmp.Data) > size || len(cmp.Data) == 0 {
		return netip.Prefix{}
	}
	bits := 8 * len(cmp.Data)
	if mask != nil {
		bits = 0
		for _, b := range mask.Mask {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
		}
	}
	addr, ok := netip.AddrFromSlice(append(bytes.Clone(cmp.Data), make([]byte, size-len(cmp.Data))...))
	if !ok || bits > addr.BitLen() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// translates says whether a rule changes the source of packets.
func translates(r *firewall.Rule) bool {
	for _, e := range r.Exprs {
		if e.Kind == "masq" || e.Kind == "nat" || e.Kind == "target" && (e.Key == "MASQUERADE" || e.Key == "SNAT") {
			return true
		}
	}
	return false
}
