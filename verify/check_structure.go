package verify

// Checks about the structure of the packet filter: whose rules stand where,
// what they are bound to, and what they do to frames that are only bridged.
const (
	staleIndex    = "fw-nft-stale-ifindex"
	bridgeCalls   = "br-nf-call"
	forwardDevice = "nat-forward-dev"
	portForward   = "port-forward-rejected"
	noChecksum    = "dhcp-checksum-missing"
	ruleScale     = "fw-scale"
)

// brokenFilter are the checks that tell of rules that drop a network's packets
// or are gone.
var brokenFilter = []string{
	"bridge-missing", staleIndex, rulesMissing, chainsMissing, jumpOrder, dropForward, dropInput, ufwBlocks, killSwitch, legacyShadow,
}

func structureChecks() []Check {
	return append(structureOwnChecks(), []Check{
		{
			ID: bridgeCalls, Title: "bridged frames of guests are dropped by iptables", Severity: Error, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, Sysctls, PacketFilter}, After: append([]string{bridgeDrop, backendMixed}, brokenFilter...),
			Doc: Doc{
				Symptom:  "Guests on a host bridge can resolve ARP and reach nobody; often since Docker or Kubernetes was installed.",
				Cause:    "br_netfilter hands bridged frames to the IP rules (net.bridge.bridge-nf-call-iptables, or nf_call_iptables of the bridge), and these drop what is forwarded.",
				Evidence: "A TCP connection from a guest's tap to another port of its bridge is dropped by the IP hooks, and is not without br_netfilter. The switch alone is no fault, nor are rules that accept the bridge or bridged packets.",
				Cure:     "Accept packets from the bridge to the bridge in the chain that drops. net.bridge.bridge-nf-call-iptables=0 would do as well, but published ports of containers and libvirt's IP filters need it on.",
			},
			run: bridgeCall,
		},
		{
			ID: bridgeDrop, Title: "rules of the families bridge, netdev or arp drop guests' frames", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Guests, Links, PacketFilter}, After: filterCauses,
			Doc: Doc{
				Symptom:  "Frames of one guest or of all vanish, and every IP rule looks right.",
				Cause:    "Rules of ebtables or arptables, or of nft in a table of family bridge, netdev or arp, drop them at the tap, the bridge or the uplink; or rules of family inet at a device's ingress.",
				Evidence: "All ARP, its requests one way or the replies to them, or all IP packets, between a guest and its host or uplink are dropped there; or ARP between the host and the gateway that guests leave by. libvirt's own guest filters do not count, nor do chains that bear the tap's name: somebody made them for it. Rules that drop some packets are somebody's wish.",
				Cure:     "Delete the rule, or have the chain's policy accept.",
			},
			run: bridgeFamily,
		},
		{
			ID: forwardDevice, Title: "a network may leave by one link only, and its packets do not take that", Severity: Error, Class: Manual,
			Needs: []Need{Networks, Links, Routes, Rules}, After: []string{"host-no-default-route"},
			Doc: Doc{
				Symptom:  "Guests reach the outside while the cable is plugged in, and not by wireless or a VPN; or nothing since a NIC has another name.",
				Cause:    "The network's <forward dev='X'> binds libvirt's rules to X: what leaves by any other link is rejected.",
				Evidence: "The link is not there or has the name as an alternative one only, which rules do not match (an error), or the routes lead by another one (a warning). A link with nothing but its own subnet behind it is taken for a deliberate restriction.",
				Cure:     "Leave dev out of the network's definition, or name the link that the routes lead by.",
			},
			run: forwardDev,
		},
		{
			ID: portForward, Title: "a forwarded port does not reach the guest", Severity: Warning, Class: Guarded,
			Needs: filterNeeds, After: append([]string{forwardDevice, natMissing}, brokenFilter...),
			Doc: Doc{
				Symptom:  "\"Connection refused\" from outside, while the port is forwarded to a guest behind NAT.",
				Cause:    "libvirt rejects new connections to its networks, and its reject comes before the rule that accepts; with its nftables backend no rule of another table can overrule it.",
				Evidence: "A DNAT rule for packets from the outside leads to an address of the network, and what it makes of a new connection is rejected by a rule of libvirt's. Rules that are not understood to the end are not judged.",
				Cure:     "Accept the forwarded connection in front of libvirt's reject; libvirt writes its rules again when its daemon starts, so keep this in a hook script. Or make the network one of mode route or open.",
			},
			run: portForwards,
		},
		{
			ID: noChecksum, Title: "DHCP replies leave without a checksum", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, PacketFilter}, After: brokenFilter,
			Doc: Doc{
				Symptom:  "Some guests (FreeBSD, old DHCP clients, PXE) ignore the offers that the host sends.",
				Cause:    "With vhost-net nobody fills in the UDP checksum of packets that the host itself sends; libvirt's rule for that was flushed, or the kernel lacks xt_CHECKSUM, which libvirt passes over in silence; or the root qdisc of the bridge was deleted or replaced, and with it the nftables backend's filter.",
				Evidence: "libvirt's iptables rules for the network are there, it has a DHCP server for IPv4, and no rule of the mangle table fills in the checksum of replies that leave by its bridge. With the nftables backend: libvirt remembers a filter of tc with action csum, the bridge's root qdisc has none, and the bridge's own tx-checksum is on. An information where no running guest uses vhost-net: nothing is lost then.",
				Cure:     "Restart libvirt's network daemon; where the rule does not come, load the module xt_CHECKSUM first.",
			},
			run: checksum,
		},
		{
			ID: ruleScale, Title: "every broadcast is held against very many rules", Severity: Info, Class: Manual,
			Needs: []Need{Networks, Links, PacketFilter},
			Doc: Doc{
				Symptom:  "The host spends its time in soft interrupts as soon as many guests run.",
				Cause:    "Rules per tap in the bridge family, as libvirt's guest filters make them, are met by each copy of a broadcast: ports times rules.",
				Evidence: "The ports of a bridge times the rules in the base chains of the bridge family's output and postrouting hooks: more than 90,000, that is 300 guests with a rule each.",
				Cure:     "Fewer guests per bridge, or filters on fewer of them.",
			},
			run: scale,
		},
	}...)
}

func structureOwnChecks() []Check {
	return []Check{
		{
			ID: staleIndex, Title: "libvirt's rules are bound to a link that is gone", Severity: Error, Class: Guarded,
			Needs: []Need{EveryNetwork, Links, PacketFilter}, After: []string{"bridge-missing"},
			Doc: Doc{
				Symptom:  "None: everything works, but guests can be reached from outside and send under any address.",
				Cause:    "The bridge was made again by hand or by another tool. libvirt's nftables rules know it by its number, which the new one does not have.",
				Evidence: "A rule of libvirt's nftables backend with the network's subnet, or one that libvirt remembers to have made for it (/run/libvirt/network/NAME.xml), compares iif or oif with the number of no link, or of one that is not the network's bridge, and no rule has the number of that.",
				Cure:     "Restart libvirt's network daemon: it deletes its rules by their handles and writes them again.",
			},
			run: staleIndexes,
		},
		{
			ID: backendMixed, Title: "libvirt's firewall rules are left over", Severity: Error, Class: Manual,
			Needs: []Need{EveryNetwork, Links, PacketFilter}, After: append([]string{"bridge-leftover", "net-inactive", "fw-backend-unavailable", "dnsmasq-port-conflict"}, filterCauses...),
			Doc: Doc{
				Symptom:  "A new network with an old name is cut off by old rejects, or nothing at all.",
				Cause:    "libvirt's backend was switched, a network went down with its daemon, or a saved ruleset was read again: rules stay that libvirt does not delete.",
				Evidence: "Rules in chains of libvirt's for the bridge of no active network, or rules of both backends for one bridge; or rules of an active network with other handles than its status file has, by which libvirt deletes them (10.4 and later). A warning; an error where they drop what must pass.",
				Cure:     "Delete the rules that are left over.",
			},
			run: mixedBackends,
		},
		{
			ID: legacyShadow, Title: "tables of iptables-legacy drop guests' packets", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "nft lists nothing that could drop, and guests' packets vanish.",
				Cause:    "Somebody used iptables-legacy while everything else is in nf_tables: the kernel asks both.",
				Evidence: "A legacy table (/proc/net/ip_tables_names, ip6_tables_names) drops what libvirt's rules accept. Legacy tables that accept do no harm.",
				Cure:     "Accept the bridge there, or empty those tables and use one kind of iptables only.",
			},
			run: func(p *pass) { p.tellBreaches(legacyShadow, tellShadow) },
		},
	}
}

func tellShadow(p *pass, b breach) Finding {
	f := tellForeign(p, b)
	by := b.first().last()
	text, _ := effects(b)
	f.Message = "iptables-legacy (" + show(by.By.Family) + " " + show(by.By.Table) + " " + show(by.Chain) + "), which nft does not list, drops the packets of network " +
		show(b.net.net.Name) + ": " + text
	return f
}
