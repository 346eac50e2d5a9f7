package firewall

import (
	"fmt"
	"strings"
)

// network is what libvirt knows of one when it writes rules.
type network struct {
	bridge, mode string // nat, route, isolated, open
	net4, net6   string
	nat6         bool
	dev          string // <forward dev=>
}

// libvirtIPTables are the rules of libvirt's iptables backend for networks
// that were started in this order, as iptables-restore takes them.
func libvirtIPTables(v6 bool, nets ...network) map[string]string {
	filter := ":LIBVIRT_INP -\n:LIBVIRT_OUT -\n:LIBVIRT_FWI -\n:LIBVIRT_FWO -\n:LIBVIRT_FWX -\n" +
		"-I INPUT -j LIBVIRT_INP\n-I OUTPUT -j LIBVIRT_OUT\n-I FORWARD -j LIBVIRT_FWO\n-I FORWARD -j LIBVIRT_FWI\n-I FORWARD -j LIBVIRT_FWX\n"
	nat := ":LIBVIRT_PRT -\n-I POSTROUTING -j LIBVIRT_PRT\n"
	mangle := ":LIBVIRT_PRT -\n-I POSTROUTING -j LIBVIRT_PRT\n"
	for _, n := range nets {
		if n.mode == "open" || v6 && n.net6 == "" {
			continue
		}
		f, p, m := n.iptables(v6)
		filter, nat, mangle = filter+f, nat+p, mangle+m
	}
	return map[string]string{"filter": filter, "nat": nat, "mangle": mangle}
}

func (n network) iptables(v6 bool) (filter, nat, mangle string) {
	var f, p strings.Builder
	server, client, prefix, reject := 67, 68, n.net4, "icmp-port-unreachable"
	if v6 {
		server, client, prefix, reject = 547, 546, n.net6, "icmp6-port-unreachable"
	}
	for _, proto := range []string{"udp", "tcp"} {
		if v6 && proto == "tcp" {
			fmt.Fprintf(&f, "-A LIBVIRT_INP -i %s -p tcp --dport 53 -j ACCEPT\n-A LIBVIRT_OUT -o %s -p tcp --dport 53 -j ACCEPT\n", n.bridge, n.bridge)
			continue
		}
		for _, port := range []int{53, server} {
			fmt.Fprintf(&f, "-A LIBVIRT_INP -i %s -p %s --dport %d -j ACCEPT\n", n.bridge, proto, port)
		}
		for _, port := range []int{53, client} {
			fmt.Fprintf(&f, "-A LIBVIRT_OUT -o %s -p %s --dport %d -j ACCEPT\n", n.bridge, proto, port)
		}
	}
	fmt.Fprintf(&f, "-A LIBVIRT_FWX -i %s -o %s -j ACCEPT\n", n.bridge, n.bridge)
	in, out := "", ""
	if n.dev != "" {
		in, out = " -i "+n.dev, " -o "+n.dev
	}
	natted := n.mode == "nat" && (!v6 || n.nat6)
	if n.mode != "isolated" {
		state := ""
		if natted {
			state = " -m conntrack --ctstate RELATED,ESTABLISHED"
		}
		fmt.Fprintf(&f, "-A LIBVIRT_FWI -d %s%s -o %s%s -j ACCEPT\n", prefix, in, n.bridge, state)
		fmt.Fprintf(&f, "-A LIBVIRT_FWO -s %s -i %s%s -j ACCEPT\n", prefix, n.bridge, out)
	}
	fmt.Fprintf(&f, "-A LIBVIRT_FWI -o %s -j REJECT --reject-with %s\n", n.bridge, reject)
	fmt.Fprintf(&f, "-A LIBVIRT_FWO -i %s -j REJECT --reject-with %s\n", n.bridge, reject)
	if natted {
		none := []string{"224.0.0.0/24", "255.255.255.255/32"}
		if v6 {
			none = []string{"ff02::/16"}
		}
		for _, d := range none {
			fmt.Fprintf(&p, "-A LIBVIRT_PRT -s %s -d %s%s -j RETURN\n", prefix, d, out)
		}
		for _, proto := range []string{"-p tcp ", "-p udp ", ""} {
			ports := ""
			if proto != "" {
				ports = " --to-ports 1024-65535"
			}
			fmt.Fprintf(&p, "-A LIBVIRT_PRT -s %s ! -d %s%s %s-j MASQUERADE%s\n", prefix, prefix, out, proto, ports)
		}
	}
	if !v6 {
		mangle = fmt.Sprintf("-A LIBVIRT_PRT -o %s -p udp --dport 68 -j CHECKSUM --checksum-fill\n", n.bridge)
	}
	return f.String(), p.String(), mangle
}

// libvirtNFT is the table of libvirt's nftables backend.
func libvirtNFT(v6 bool, nets ...network) string {
	fam, saddr, daddr := "ip", "ip saddr", "ip daddr"
	if v6 {
		fam, saddr, daddr = "ip6", "ip6 saddr", "ip6 daddr"
	}
	var in, out, cross, nat strings.Builder
	for _, n := range nets {
		prefix := n.net4
		if v6 {
			prefix = n.net6
		}
		if n.mode == "open" || prefix == "" {
			continue
		}
		iif, oif := "", ""
		if n.dev != "" {
			iif, oif = ` iifname "`+n.dev+`"`, ` oifname "`+n.dev+`"`
		}
		natted := n.mode == "nat" && (!v6 || n.nat6)
		if n.mode != "isolated" {
			state := ""
			if natted {
				state = " ct state established,related"
			}
			fmt.Fprintf(&in, "oif %q %s %s%s%s counter accept\n", n.bridge, daddr, prefix, iif, state)
			fmt.Fprintf(&out, "%s %s iif %q%s counter accept\n", saddr, prefix, n.bridge, oif)
		}
		fmt.Fprintf(&in, "oif %q counter reject\n", n.bridge)
		fmt.Fprintf(&out, "iif %q counter reject\n", n.bridge)
		fmt.Fprintf(&cross, "iif %q oif %q counter accept\n", n.bridge, n.bridge)
		if natted {
			none := []string{"224.0.0.0/24", "255.255.255.255"}
			if v6 {
				none = []string{"ff02::/16"}
			}
			for _, d := range none {
				fmt.Fprintf(&nat, "%s %s %s %s%s counter return\n", saddr, prefix, daddr, d, oif)
			}
			for _, proto := range []string{"meta l4proto tcp ", "meta l4proto udp ", ""} {
				ports := ""
				if proto != "" {
					ports = " to :1024-65535"
				}
				fmt.Fprintf(&nat, "%s%s %s %s != %s%s counter masquerade%s\n", proto, saddr, prefix, daddr, prefix, oif, ports)
			}
		}
	}
	return fmt.Sprintf(`table %s libvirt_network {
chain guest_output {
%s}
chain guest_input {
%s}
chain guest_cross {
%s}
chain forward { type filter hook forward priority filter; policy accept;
counter jump guest_cross
counter jump guest_input
counter jump guest_output
}
chain guest_nat { type nat hook postrouting priority srcnat; policy accept;
%s}
}
`, fam, out.String(), in.String(), cross.String(), nat.String())
}

// dockerTables are the rules of a Docker host with one network and one
// published port.
func dockerTables(dev, prefix, container string) map[string]string {
	return map[string]string{
		"filter": `:FORWARD DROP
:DOCKER -
:DOCKER-USER -
:DOCKER-FORWARD -
:DOCKER-CT -
:DOCKER-BRIDGE -
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i ` + dev + ` -j ACCEPT
-A DOCKER-CT -o ` + dev + ` -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-BRIDGE -o ` + dev + ` -j DOCKER
-A DOCKER -d ` + container + `/32 ! -i ` + dev + ` -o ` + dev + ` -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i ` + dev + ` -o ` + dev + ` -j DROP
-A DOCKER-ISOLATION-STAGE-1 -i ` + dev + ` ! -o ` + dev + ` -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker9 -j DROP
-A DOCKER-USER -j RETURN
`,
		"nat": `:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s ` + prefix + ` ! -o ` + dev + ` -j MASQUERADE
-A DOCKER -i ` + dev + ` -j RETURN
-A DOCKER ! -i ` + dev + ` -p tcp -m tcp --dport 8080 -j DNAT --to-destination ` + container + `:80
`,
		"raw": "-A PREROUTING -d " + container + "/32 ! -i " + dev + " -p tcp --dport 443 -j DROP\n",
	}
}

// ufwTable is ufw with its default policies and a few allowances.
func ufwTable(route string) string {
	return `:INPUT DROP
:FORWARD DROP
:ufw-before-input -
:ufw-before-forward -
:ufw-user-input -
:ufw-user-forward -
:ufw-not-local -
:ufw-skip-to-policy-input -
:ufw-after-input -
:ufw-reject-forward -
:ufw-logging-deny -
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-reject-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny
-A ufw-not-local -j DROP
-A ufw-after-input -p udp --dport 137 -j ufw-skip-to-policy-input
-A ufw-skip-to-policy-input -j DROP
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-user-input -p tcp --dport 22 -j ACCEPT
-A ufw-user-input -i c0 -p udp -m multiport --dports 53,67 -j ACCEPT
` + route + `
-A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN
-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-reject-forward -j REJECT --reject-with icmp-port-unreachable
`
}

// firewalldTable is the table of firewalld's nftables backend, cut down to
// two zones.
func firewalldTable(trusted string) string {
	return `table inet firewalld {
chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept; }
chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept;
  jump nat_POSTROUTING_ZONES
}
chain nat_POSTROUTING_ZONES { oifname "s0" goto nat_POST_public ; }
chain nat_POST_public { meta nfproto ipv4 oifname != "lo" masquerade ; }
chain filter_PREROUTING { type filter hook prerouting priority filter + 10; policy accept;
  icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
  meta nfproto ipv6 fib saddr . mark . iif oif missing drop
}
chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
  ct state { established, related } accept
  ct status dnat accept
  iifname "lo" accept
  ct state invalid drop
  jump filter_INPUT_ZONES
  reject with icmpx admin-prohibited
}
chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
  ct state { established, related } accept
  ct status dnat accept
  iifname "lo" accept
  ct state invalid drop
  ip6 daddr { ::/96, 2002:a00::/24 } reject with icmpv6 addr-unreachable
  jump filter_FORWARD_ZONES
  reject with icmpx admin-prohibited
}
chain filter_INPUT_ZONES { iifname vmap { "` + trusted + `" : goto filter_IN_trusted, "lo" : accept } ; goto filter_IN_public ; }
chain filter_FORWARD_ZONES { iifname "` + trusted + `" goto filter_FWD_trusted ; goto filter_FWD_public ; }
chain filter_IN_trusted { accept ; }
chain filter_FWD_trusted { oifname "s0" accept ; meta l4proto { icmp, ipv6-icmp } accept ; }
chain filter_IN_public { jump filter_IN_public_allow ; meta l4proto { icmp, ipv6-icmp } accept ; }
chain filter_IN_public_allow { tcp dport 22 ct state { new, untracked } accept ; udp dport { 67, 547 } accept ; }
chain filter_FWD_public { reject with icmpx admin-prohibited ; }
}
`
}
