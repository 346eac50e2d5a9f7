package xml

import (
	"net/netip"
	"slices"

	"github.com/beevik/etree"
)

func applyDNS(root *etree.Element, had *DNS, want DNS) {
	have := DNS{}
	if had != nil {
		have = *had
	}
	dns := func() *etree.Element { return ensure(root, "dns") }
	if want.Enabled != nil && (have.Enabled == nil || *have.Enabled != *want.Enabled) {
		setAttr(dns(), "enable", yesNo(*want.Enabled))
	}
	r := &reader{}
	if want.Forwarders != nil {
		missing := slices.Clone(want.Forwarders)
		for _, e := range children(child(root, "dns"), "forwarder") {
			if !plainForwarder(e) {
				continue
			}
			if i := slices.Index(missing, r.addr(e, "addr")); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			} else {
				remove(e)
			}
		}
		for _, f := range missing {
			setAttr(insert(dns(), "forwarder"), "addr", f.String())
		}
	}
	if want.Hosts != nil {
		applyDNSHosts(root, have.Hosts, want.Hosts)
	}
}

// applyDNSHosts makes the records those that are wished. An address whose
// names differ is written anew.
func applyDNSHosts(root *etree.Element, have, want []DNSHost) {
	r := &reader{}
	names := map[netip.Addr][]string{}
	for _, h := range mergeHosts(have) {
		names[h.IP] = h.Names
	}
	kept := map[netip.Addr]bool{}
	var missing []DNSHost
	for _, w := range mergeHosts(want) {
		if slices.Equal(names[w.IP], w.Names) {
			kept[w.IP] = true
		} else {
			missing = append(missing, w)
		}
	}
	records := children(child(root, "dns"), "host")
	remove(slices.DeleteFunc(records, func(e *etree.Element) bool { return kept[r.addr(e, "ip")] })...)
	for _, w := range missing {
		e := insert(ensure(root, "dns"), "host")
		setAttr(e, "ip", w.IP.String())
		for _, name := range w.Names {
			setText(insert(e, "hostname"), name)
		}
	}
}
