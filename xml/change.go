package xml

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Change is one difference between two networks. Path names what differs, in
// the order of [Network]'s fields; an element of a list has a path of its own,
// such as "ip[10.0.0.1/24].host[52:54:00:e4:75:83]". Have or Want is "" where
// that side has nothing.
type Change struct {
	Path string `json:"path"`
	Have string `json:"have"`
	Want string `json:"want"`
}

// String is the change in one line: mtu: 1400, want 1500.
func (c Change) String() string {
	switch {
	case c.Have == "":
		return fmt.Sprintf("%s: none, want %s", c.Path, c.Want)
	case c.Want == "":
		return fmt.Sprintf("%s: %s, want none", c.Path, c.Have)
	}
	return fmt.Sprintf("%s: %s, want %s", c.Path, c.Have, c.Want)
}

// Changes are the wishes of want that have does not fulfil, in a fixed order.
// A field that want leaves unset is no wish; an empty list that is not nil
// wishes for none. Two spellings of one thing are no change: a netmask and its
// prefix, hosts in another order, a default and its absence (STP on, delay 0,
// NAT ports 1024-65535).
func Changes(have, want Network) []Change {
	h, w := list(have), list(want)
	changes := []Change{}
	for _, f := range w.facts {
		if f.wished && h.values[f.path] != f.value {
			changes = append(changes, Change{f.path, h.values[f.path], f.value})
		}
	}
	for _, f := range h.facts {
		_, both := w.values[f.path]
		if !both && f.in != "" && w.wished[f.in] && f.value != "" {
			changes = append(changes, Change{f.path, f.value, ""})
		}
	}
	return changes
}

// Drift are the differences between the live document of a network (Have) and
// its configuration (Want), as the next start would undo them. What libvirt
// adds to live documents is none: connections, the NAT ports' default, the
// VFs of a physical function, a name, MAC or UUID where the other side is
// silent. It also tells a definition in force from a file.
func Drift(live, config Network) []Change {
	if live.PF != "" && live.PF == config.PF {
		live.ForwardDevs, config.ForwardDevs = nil, nil
		live.Other = slices.DeleteFunc(slices.Clone(live.Other), func(s Setting) bool {
			return strings.HasPrefix(s.Path, "forward/address@")
		})
	}
	h, w := list(live), list(config)
	changes := []Change{}
	for _, f := range w.facts {
		if have := h.values[f.path]; have != f.value && !(f.given && (have == "" || f.value == "")) {
			changes = append(changes, Change{f.path, have, f.value})
		}
	}
	for _, f := range h.facts {
		if _, both := w.values[f.path]; !both && f.value != "" {
			changes = append(changes, Change{f.path, f.value, ""})
		}
	}
	return append(changes, otherDrift(live.Other, config.Other)...)
}

// otherDrift compares what neither side has a field for, by path.
func otherDrift(live, config []Setting) []Change {
	values := func(settings []Setting) map[string]string {
		m := map[string]string{}
		for _, s := range settings {
			value := s.Value
			if value == "" {
				value = "present"
			}
			if before, ok := m[s.Path]; ok {
				value = before + ", " + value
			}
			m[s.Path] = value
		}
		return m
	}
	h, w := values(live), values(config)
	changes := []Change{}
	for path, value := range h {
		if w[path] != value {
			changes = append(changes, Change{path, value, w[path]})
		}
	}
	for path, value := range w {
		if _, both := h[path]; !both {
			changes = append(changes, Change{path, "", value})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes
}

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
	slices.SortFunc(merged, func(a, b DNSHost) int { return a.IP.Compare(b.IP) })
	return merged
}

func (l *factList) ips(ips []IP) {
	ips = slices.Clone(ips)
	slices.SortStableFunc(ips, func(a, b IP) int { return a.Address.Compare(b.Address) })
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
		hosts := slices.Clone(ip.Hosts)
		slices.SortStableFunc(hosts, func(a, b Host) int { return strings.Compare(a.key()+a.String(), b.key()+b.String()) })
		l.wished[at+".host"] = ip.Hosts != nil
		for _, h := range hosts {
			l.add(fact{path: fmt.Sprintf("%s.host[%s]", at, h.key()), value: h.String(), wished: true, in: at + ".host"})
		}
		l.word(at+".tftp", ip.TFTP)
	}
}

func (l *factList) routes(routes []Gateway) {
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b Gateway) int { return a.To.Masked().Compare(b.To.Masked()) })
	l.wished["route"] = routes != nil
	for _, r := range routes {
		value := "via " + r.Via.String()
		if r.Metric != 0 {
			value += " metric " + strconv.Itoa(r.Metric)
		}
		l.add(fact{path: fmt.Sprintf("route[%s]", r.To.Masked()), value: value, wished: true, in: "route"})
	}
}

// String is the range as the command line has it: 10.0.0.2-10.0.0.9.
func (r Range) String() string { return r.Start.String() + "-" + r.End.String() }

// String is the reservation as the command line has it: mac=..,ip=..,name=..
func (h Host) String() string {
	var parts []string
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	add("mac", strings.ToLower(h.MAC))
	add("id", h.ID)
	if h.IP.IsValid() {
		add("ip", h.IP.String())
	}
	add("name", h.Name)
	return strings.Join(parts, ",")
}

// key is whom the reservation is for.
func (h Host) key() string {
	switch {
	case h.MAC != "":
		return strings.ToLower(h.MAC)
	case h.ID != "":
		return h.ID
	}
	return h.Name
}

// String is the rate as the command line has it: AVERAGE[,PEAK[,BURST]].
func (r Rate) String() string {
	if r == (Rate{}) {
		return ""
	}
	s := strconv.Itoa(r.Average)
	if r.Peak != 0 || r.Burst != 0 {
		s += "," + number(r.Peak)
	}
	if r.Burst != 0 {
		s += "," + strconv.Itoa(r.Burst)
	}
	return s
}
