package verify

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/xml"
)

// judge and judgeOnly are Judge and JudgeOnly for a host whose document tells
// nothing of its packet filter or services: it has healthy ones then.
func judge(s Snapshot) Report { return Judge(whole(s)) }

func judgeOnly(s Snapshot, o Options) Report { return JudgeOnly(whole(s), o) }

// withRules gives a host without a ruleset the one that libvirt's iptables
// backend makes for its active networks.
func withRules(s Snapshot) Snapshot {
	if s.Firewall == nil && !strings.Contains(fmt.Sprint(s.Kernel.Gaps), FirewallGap) {
		s.Firewall = iptablesRules(&s, "")
	}
	return s
}

// filtered are the active networks that libvirt makes rules for.
func filtered(s *Snapshot) []xml.Network {
	var list []xml.Network
	for i := range s.Libvirt.Networks {
		n := &s.Libvirt.Networks[i]
		if def := n.Def(); n.Active && def.Managed() && def.Mode != xml.Open && def.Bridge != "" && !strings.ContainsAny(def.Bridge, " \n\"\\") {
			list = append(list, def)
		}
	}
	return list
}

// subnets are the masked prefixes of a network's addresses in one family.
func subnets(def xml.Network, v6 bool) []netip.Prefix {
	var list []netip.Prefix
	for _, ip := range def.IPs {
		if ip.Address.IsValid() && ip.Address.Addr().Unmap().Is6() == v6 {
			list = append(list, ip.Address.Masked())
		}
	}
	return list
}

func natted(def xml.Network, v6 bool) bool {
	return def.Mode == xml.NAT && (!v6 || def.NAT != nil && def.NAT.IPv6)
}

// uplinkMatch are the matches that <forward dev> adds: on the way in and out.
func uplinkMatch(def xml.Network, in, out string) (string, string) {
	if len(def.ForwardDevs) == 0 {
		return "", ""
	}
	return " " + fmt.Sprintf(in, def.ForwardDevs[0]), " " + fmt.Sprintf(out, def.ForwardDevs[0])
}

// iptablesRules is what libvirt's iptables backend makes of the active
// networks (networkAddFirewallRules, src/network/bridge_driver_linux.c), with
// lines that a test adds to the IPv4 document in front of its "*nat".
func iptablesRules(s *Snapshot, more string) *firewall.Ruleset {
	rs := &firewall.Ruleset{Version: firewall.FormatVersion, Tables: []firewall.Table{}}
	for _, v6 := range []bool{false, true} {
		family := "ip"
		if v6 {
			family, more = "ip6", ""
		}
		rs.Tables = append(rs.Tables, nftTables(family, iptablesSave(s, v6, more))...)
	}
	return numbered(rs)
}

// nftTables reads an iptables-save document as iptables-nft's: tables of
// nf_tables with handles.
func nftTables(family, save string) []firewall.Table {
	tables, err := firewall.ParseSave(family, []byte(save))
	if err != nil {
		panic(err) // a mistake in a test
	}
	for i := range tables {
		tables[i].Legacy = false
	}
	return tables
}

// numbered gives everything a handle, as the kernel does.
func numbered(rs *firewall.Ruleset) *firewall.Ruleset {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		t.Handle = uint64(i + 1)
		handle := uint64(0)
		for j := range t.Chains {
			handle++
			t.Chains[j].Handle = handle
		}
		for j := range t.Chains {
			for k := range t.Chains[j].Rules {
				handle++
				t.Chains[j].Rules[k].Handle = handle
			}
		}
	}
	return rs
}

func iptablesSave(s *Snapshot, v6 bool, more string) string {
	filter := "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:LIBVIRT_INP -\n:LIBVIRT_OUT -\n:LIBVIRT_FWX -\n:LIBVIRT_FWI -\n:LIBVIRT_FWO -\n" +
		"-A INPUT -j LIBVIRT_INP\n-A FORWARD -j LIBVIRT_FWX\n-A FORWARD -j LIBVIRT_FWI\n-A FORWARD -j LIBVIRT_FWO\n-A OUTPUT -j LIBVIRT_OUT\n"
	nat := "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n:LIBVIRT_PRT -\n-A POSTROUTING -j LIBVIRT_PRT\n"
	mangle := "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n:LIBVIRT_PRT -\n-A POSTROUTING -j LIBVIRT_PRT\n"
	for _, def := range filtered(s) {
		filter += iptablesServices(def, v6)
		filter += iptablesForward(def, v6)
		nat += iptablesNAT(def, v6)
		for _, ip := range def.IPs {
			if !v6 && ip.DHCP() && ip.Address.Addr().Is4() {
				mangle += "-A LIBVIRT_PRT -o " + def.Bridge + " -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill\n"
				break
			}
		}
	}
	return mangle + "COMMIT\n" + filter + more + "COMMIT\n" + nat + "COMMIT\n"
}

func iptablesServices(def xml.Network, v6 bool) string {
	var b strings.Builder
	rule := func(proto string, server, client int) {
		fmt.Fprintf(&b, "-A LIBVIRT_INP -i %s -p %s -m %s --dport %d -j ACCEPT\n", def.Bridge, proto, proto, server)
		fmt.Fprintf(&b, "-A LIBVIRT_OUT -o %s -p %s -m %s --dport %d -j ACCEPT\n", def.Bridge, proto, proto, client)
	}
	if v6 {
		if len(subnets(def, true)) > 0 {
			rule("udp", 53, 53)
			rule("tcp", 53, 53)
			rule("udp", 547, 546)
		}
		return b.String()
	}
	for _, ip := range def.IPs {
		if ip.TFTP != "" {
			rule("udp", 69, 69)
		}
	}
	rule("udp", 53, 53)
	rule("tcp", 53, 53)
	rule("udp", 67, 68)
	rule("tcp", 67, 68)
	return b.String()
}

func iptablesForward(def xml.Network, v6 bool) string {
	var b strings.Builder
	reject := "icmp-port-unreachable"
	if v6 {
		if !def.IPv6 && len(subnets(def, true)) == 0 {
			return ""
		}
		reject = "icmp6-port-unreachable"
	}
	in, out := uplinkMatch(def, "-i %s", "-o %s")
	fmt.Fprintf(&b, "-A LIBVIRT_FWX -i %s -o %s -j ACCEPT\n", def.Bridge, def.Bridge)
	for _, n := range subnets(def, v6) {
		if def.Mode == xml.Isolated {
			break
		}
		state := ""
		if natted(def, v6) {
			state = " -m conntrack --ctstate RELATED,ESTABLISHED"
		}
		fmt.Fprintf(&b, "-A LIBVIRT_FWI -d %s%s -o %s%s -j ACCEPT\n", n, in, def.Bridge, state)
		fmt.Fprintf(&b, "-A LIBVIRT_FWO -s %s -i %s%s -j ACCEPT\n", n, def.Bridge, out)
	}
	fmt.Fprintf(&b, "-A LIBVIRT_FWI -o %s -j REJECT --reject-with %s\n", def.Bridge, reject)
	fmt.Fprintf(&b, "-A LIBVIRT_FWO -i %s -j REJECT --reject-with %s\n", def.Bridge, reject)
	return b.String()
}

// exclusions are the destinations that a network's packets keep their source to.
func exclusions(v6 bool) []string {
	if v6 {
		return []string{"ff02::/16"}
	}
	return []string{"224.0.0.0/24", "255.255.255.255/32"}
}

func iptablesNAT(def xml.Network, v6 bool) string {
	if !natted(def, v6) {
		return ""
	}
	var b strings.Builder
	_, out := uplinkMatch(def, "-i %s", "-o %s")
	target := func(ports string) string {
		if ports == "" {
			return "MASQUERADE"
		}
		return "MASQUERADE --to-ports " + ports
	}
	ports := "1024-65535"
	if def.NAT != nil && def.NAT.FirstPort > 0 {
		ports = fmt.Sprintf("%d-%d", def.NAT.FirstPort, def.NAT.LastPort)
	}
	if def.NAT != nil && def.NAT.Start.IsValid() && def.NAT.Start.Is6() == v6 {
		target = func(string) string { return fmt.Sprintf("SNAT --to-source %s-%s", def.NAT.Start, def.NAT.End) }
	}
	for _, n := range subnets(def, v6) {
		for _, d := range exclusions(v6) {
			fmt.Fprintf(&b, "-A LIBVIRT_PRT -s %s -d %s%s -j RETURN\n", n, d, out)
		}
		for _, proto := range []string{"tcp", "udp"} {
			fmt.Fprintf(&b, "-A LIBVIRT_PRT -s %s ! -d %s%s -p %s -j %s\n", n, n, out, proto, target(ports))
		}
		fmt.Fprintf(&b, "-A LIBVIRT_PRT -s %s ! -d %s%s -j %s\n", n, n, out, target(""))
	}
	return b.String()
}

// nftRules is what libvirt's nftables backend makes of the active networks
// (src/network/network_nftables.c, 11.3).
func nftRules(s *Snapshot) *firewall.Ruleset {
	rs := &firewall.Ruleset{Version: firewall.FormatVersion, Tables: []firewall.Table{}}
	for _, v6 := range []bool{false, true} {
		t := firewall.Table{Family: map[bool]string{false: "ip", true: "ip6"}[v6], Name: "libvirt_network", Owner: firewall.OwnerLibvirt}
		chains := map[string]*firewall.Chain{}
		for _, name := range []string{"forward", "guest_output", "guest_input", "guest_cross", "guest_nat"} {
			t.Chains = append(t.Chains, firewall.Chain{Name: name, Owner: firewall.OwnerLibvirt, Rules: []firewall.Rule{}})
		}
		for i := range t.Chains {
			chains[t.Chains[i].Name] = &t.Chains[i]
		}
		chains["forward"].Base = &firewall.Base{Type: "filter", Hook: "forward", Policy: "accept"}
		chains["guest_nat"].Base = &firewall.Base{Type: "nat", Hook: "postrouting", Priority: 100, Policy: "accept"}
		for _, name := range []string{"guest_cross", "guest_input", "guest_output"} {
			newRule(v6).jump("jump", name).into(chains["forward"])
		}
		for _, def := range filtered(s) {
			if !v6 || len(subnets(def, v6)) > 0 || def.IPv6 {
				nftNetwork(s, def, v6, chains)
			}
		}
		rs.Tables = append(rs.Tables, t)
	}
	return numbered(rs)
}

func nftNetwork(s *Snapshot, def xml.Network, v6 bool, chains map[string]*firewall.Chain) {
	index := 0
	if l := s.link(def.Bridge); l != nil {
		index = l.Index
	}
	uplink := ""
	if len(def.ForwardDevs) > 0 {
		uplink = def.ForwardDevs[0]
	}
	newRule(v6).index("iif", index, def.Bridge).index("oif", index, def.Bridge).jump("accept", "").into(chains["guest_cross"])
	for _, n := range subnets(def, v6) {
		if def.Mode != xml.Isolated {
			in := newRule(v6).index("oif", index, def.Bridge).address(true, n, false).device("iifname", uplink)
			if natted(def, v6) {
				in = in.states()
			}
			in.jump("accept", "").into(chains["guest_input"])
			newRule(v6).address(false, n, false).index("iif", index, def.Bridge).device("oifname", uplink).jump("accept", "").into(chains["guest_output"])
		}
		if !natted(def, v6) {
			continue
		}
		for _, d := range exclusions(v6) {
			newRule(v6).address(false, n, false).address(true, netip.MustParsePrefix(d), false).device("oifname", uplink).jump("return", "").into(chains["guest_nat"])
		}
		for _, proto := range []byte{6, 17, 0} {
			newRule(v6).protocol(proto).address(false, n, false).address(true, n, true).device("oifname", uplink).masquerade(proto != 0).into(chains["guest_nat"])
		}
	}
	newRule(v6).index("oif", index, def.Bridge).reject().into(chains["guest_input"])
	newRule(v6).index("iif", index, def.Bridge).reject().into(chains["guest_output"])
}

// TestOwnRulesAreTransparent: what the two backends make of every golden host
// can be saved and read back.
func TestOwnRulesAreTransparent(t *testing.T) {
	s := healthyHost()
	for _, rs := range []*firewall.Ruleset{iptablesRules(&s, ""), nftRules(&s)} {
		have, err := firewall.ParseRuleset(encode(t, rs))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(encode(t, rs)), string(encode(t, have))); diff != "" {
			t.Errorf("(-want +have):\n%s", diff)
		}
	}
}
