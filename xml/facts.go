package xml

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// fact is one thing a network says, in words that are equal when the things
// are.
type fact struct {
	path, value string
	wished      bool   // the network says it, rather than leaving it to a default
	given       bool   // libvirt makes it up where a definition is silent
	in          string // the list that it is an element of
}

type factList struct {
	facts  []fact
	values map[string]string // by path
	wished map[string]bool   // lists that are not nil
}

func (l *factList) add(f fact) {
	path := f.path
	for i := 2; ; i++ {
		if _, taken := l.values[f.path]; !taken {
			break
		}
		f.path = path + "#" + strconv.Itoa(i)
	}
	l.facts = append(l.facts, f)
	l.values[f.path] = f.value
}

func (l *factList) word(path, value string) {
	l.add(fact{path: path, value: value, wished: value != ""})
}

func (l *factList) given(path, value string) {
	l.add(fact{path: path, value: value, wished: value != "", given: true})
}

func (l *factList) yes(path string, value bool) {
	l.add(fact{path: path, value: onOff(value), wished: value})
}

// flag is a switch with a default; number the same for a count.
func (l *factList) flag(path string, value *bool, unset string) {
	if value == nil {
		l.add(fact{path: path, value: unset})
		return
	}
	l.add(fact{path: path, value: onOff(*value), wished: true})
}

// words is a list whose order says nothing.
func (l *factList) words(path string, values []string, wished bool) {
	values = slices.Clone(values)
	slices.Sort(values)
	l.add(fact{path: path, value: strings.Join(slices.Compact(values), ", "), wished: wished})
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// list takes a network apart.
func list(n Network) *factList {
	n = n.spelled()
	l := &factList{values: map[string]string{}, wished: map[string]bool{}}
	l.word("name", n.Name)
	l.given("uuid", n.UUID)
	l.given("title", n.Title) // before 9.7, libvirt drops it
	l.yes("ipv6", n.IPv6)
	l.word("mode", string(n.Mode))
	l.words("forward.dev", n.ForwardDevs, n.ForwardDevs != nil)
	l.word("forward.pf", n.PF)
	l.nat(n)
	l.given("bridge", n.Bridge)
	stp, delay, macTable := "", "", ""
	if n.Managed() {
		stp, delay = "on", "0" // libvirt's defaults
	}
	if n.Managed() || n.Mode == HostBridge {
		macTable = "kernel"
	}
	l.flag("stp", n.STP, stp)
	if n.Delay != nil {
		l.add(fact{path: "delay", value: strconv.Itoa(*n.Delay), wished: true})
	} else {
		l.add(fact{path: "delay", value: delay})
	}
	if n.MACTable != "" {
		l.word("mac-table", n.MACTable)
	} else {
		l.add(fact{path: "mac-table", value: macTable})
	}
	l.word("zone", n.Zone)
	l.word("mtu", number(n.MTU))
	l.given("mac", n.MAC)
	l.word("domain", n.Domain)
	l.yes("domain.local", n.DomainLocal)
	l.dns(n.DNS)
	l.ips(n.IPs)
	l.routes(n.Routes)
	l.flag("ports-isolated", n.PortsIsolated, "off")
	l.word("virtual-port", n.VirtualPort)
	vlans := make([]string, len(n.VLANs))
	for i, v := range n.VLANs {
		vlans[i] = strconv.Itoa(v)
	}
	l.words("vlans", vlans, n.VLANs != nil)
	l.words("port-groups", n.PortGroups, n.PortGroups != nil)
	l.word("bandwidth.inbound", n.Bandwidth.Inbound.String())
	l.word("bandwidth.outbound", n.Bandwidth.Outbound.String())
	return l
}

func (l *factList) nat(n Network) {
	spec := NATSpec{}
	if n.NAT != nil {
		spec = *n.NAT
	}
	l.yes("nat.ipv6", spec.IPv6)
	switch {
	case spec.FirstPort != 0 || spec.LastPort != 0:
		l.word("nat.ports", fmt.Sprintf("%d-%d", spec.FirstPort, spec.LastPort))
	case n.Mode == NAT:
		l.add(fact{path: "nat.ports", value: "1024-65535"}) // networkAddNATRule's default
	}
	if spec.Start.IsValid() {
		l.word("nat.addresses", Range{spec.Start, spec.End}.String())
	}
}

func (l *factList) dns(d *DNS) {
	if d == nil {
		d = &DNS{}
	}
	l.flag("dns.enabled", d.Enabled, "on")
	forwarders := make([]string, len(d.Forwarders))
	for i, f := range d.Forwarders {
		forwarders[i] = f.String()
	}
	l.words("dns.forwarders", forwarders, d.Forwarders != nil)
	l.wished["dns.host"] = d.Hosts != nil
	for _, h := range mergeHosts(d.Hosts) {
		l.add(fact{path: fmt.Sprintf("dns.host[%s]", h.IP), value: strings.Join(h.Names, ","), wished: true, in: "dns.host"})
	}
}

// mergeHosts has one entry for each address, with its names sorted: libvirt
// writes the names of all of them into one hosts file.
func mergeHosts(hosts []DNSHost) []DNSHost {
	names := map[netip.Addr][]string{}
	var merged []DNSHost
	for _, h := range hosts {
		if _, known := names[h.IP]; !known {
			merged = append(merged, DNSHost{IP: h.IP})
		}
		names[h.IP] = append(names[h.IP], h.Names...)
	}
	for i := range merged {
		own := names[merged[i].IP]
		slices.Sort(own)
		merged[i].Names = slices.Compact(own)
	}
	sort.Slice(merged, func(i, j int) bool { return merged[i].IP.Less(merged[j].IP) })
	return merged
}

func (l *factList) ips(ips []IP) {
	ips = slices.Clone(ips)
	sort.SliceStable(ips, func(i, j int) bool { return ips[i].Address.Compare(ips[j].Address) < 0 })
	l.wished["ip"] = ips != nil
	for _, ip := range ips {
		l.add(fact{path: fmt.Sprintf("ip[%s]", ip.Address), value: "present", wished: true, in: "ip"})
	}
	for _, ip := range ips {
		at := fmt.Sprintf("ip[%s]", ip.Address)
		ranges := make([]string, len(ip.Ranges))
		for i, r := range ip.Ranges {
			ranges[i] = r.String()
		}
		l.words(at+".ranges", ranges, ip.Ranges != nil)
		hosts := make([]fact, len(ip.Hosts))
		for i, h := range ip.Hosts {
			hosts[i] = fact{path: at + ".host[" + h.key() + "]", value: h.String(), wished: true, in: at + ".host"}
		}
		sort.Slice(hosts, func(i, j int) bool {
			return cmp.Or(cmp.Compare(hosts[i].path, hosts[j].path), cmp.Compare(hosts[i].value, hosts[j].value)) < 0
		})
		l.wished[at+".host"] = ip.Hosts != nil
		for _, f := range hosts {
			l.add(f)
		}
		l.word(at+".tftp", ip.TFTP)
	}
}

func (l *factList) routes(routes []Gateway) {
	routes = slices.Clone(routes)
	sort.SliceStable(routes, func(i, j int) bool { return routes[i].To.Masked().Compare(routes[j].To.Masked()) < 0 })
	l.wished["route"] = routes != nil
	for _, r := range routes {
		value := "via " + r.Via.String()
		if r.Metric != 0 {
			value += " metric " + strconv.Itoa(r.Metric)
		}
		l.add(fact{path: fmt.Sprintf("route[%s]", r.To.Masked()), value: value, wished: true, in: "route"})
	}
}
