package verify

import (
	"fmt"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// filterNeeds are what a verdict on the packet filter rests on: the rules, and
// what they are asked about.
var filterNeeds = []Need{Networks, Links, Addresses, Routes, Rules, PacketFilter}

// firewallChecks are those that compare what the packet filter does to a
// network's packets with what the network's mode declares: see flow.go. They
// share one judgement, in which a difference has one cause, so that none of
// them stands behind another.
func firewallChecks() []Check {
	return []Check{
		{
			ID: rulesMissing, Title: "libvirt's firewall rules for an active network are gone", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests reach nothing outside, or anybody reaches them; it began when a firewall was reloaded.",
				Cause:    "iptables -F, nft flush ruleset, a restart of the nftables service or a tool that writes the whole ruleset. libvirt notices nothing and does not write its rules again until its daemon starts.",
				Evidence: "What the whole ruleset does to the network's packets, in every base chain they meet, is not what the network's mode declares, and no rule of libvirt's decides. Rules of an administrator that do the same are as good. A warning where a policy of accept lets everything pass: guests work, their isolation is lost.",
				Cure:     "Restart libvirt's network daemon: it writes its rules, and guests are not interrupted. A reload or a restart of the network is not enough.",
			},
			run: func(p *pass) { p.tellBreaches(rulesMissing, tellRules) },
		},
		{
			ID: chainsMissing, Title: "libvirt's firewall chains are gone, or nothing leads to them", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "As with missing rules; besides, a network that is started fails with \"No chain/target/match by that name\".",
				Cause:    "The chains were deleted (iptables -X), or the jumps to them (iptables -F FORWARD). libvirt makes both once in the life of its daemon.",
				Evidence: "A chain of libvirt's is not there while others are, or it has rules for the network and no rule jumps to it, and the ruleset does something else with the network's packets than declared. A warning, too, where libvirt knows iptables only, a network is active and table filter has not one rule: nothing may show it before a network is to start. That there are none at all before the first network starts is no fault.",
				Cure:     "Restart libvirt's network daemon.",
			},
			run: func(p *pass) {
				for _, n := range p.flowNets() {
					if p.on(n.scope()) {
						p.tellBreachesOf(n, chainsMissing, tellRules)
						p.unmissed(n)
					}
				}
			},
		},
		{
			ID: natMissing, Title: "guests' packets leave with their own addresses", Severity: Error, Class: Manual,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests reach the host and nothing beyond: answers never come back.",
				Cause:    "The nat table was flushed, or libvirt's chain in it.",
				Evidence: "A packet from the network's subnet to the outside passes, and no rule that it meets changes its source; a rule in front that lets it pass, or keeps it from connection tracking, is named, and so is one that puts it into another zone of connection tracking than its answers. Whose rule translates does not matter. IPv6 is translated only with <nat ipv6='yes'>; networks of other modes are not.",
				Cure:     "Restart libvirt's network daemon: it writes the rules again.",
			},
			run: func(p *pass) { p.tellBreaches(natMissing, tellNAT) },
		},
		{
			ID: natWrongSubnet, Title: "libvirt's NAT rules are for another subnet", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests reach the host and nothing beyond.",
				Cause:    "The subnet of a network was changed and its rules were not, or they were edited by hand.",
				Evidence: "No rule translates the network's subnet, and one of libvirt's translates a subnet that no active network has.",
				Cure:     "Restart libvirt's network daemon: it writes the rules for the subnet that the network has.",
			},
			run: func(p *pass) { p.tellBreaches(natWrongSubnet, tellNAT) },
		},
		{
			ID: jumpOrder, Title: "a rule drops guests' packets before libvirt's rules are asked", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "libvirt's rules are there and their counters stay at zero.",
				Cause:    "A tool inserted a drop or reject at the top of the chain from which libvirt's are called. libvirt adds its jumps only where they are missing: a restart moves nothing.",
				Evidence: "The rule that drops stands before the jump to libvirt's chains in the same base chain, and libvirt's would accept. A rule for other links, or behind libvirt's, does no harm.",
				Cure:     "Put libvirt's jumps in front, or delete the other rule.",
			},
			run: func(p *pass) { p.tellBreaches(jumpOrder, tellOrder) },
		},
		{
			ID: dropForward, Title: "somebody else's firewall drops what guests send or receive", Severity: Error, Class: Manual,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests get an address and names from the host, and reach nothing beyond it; often since Docker was installed.",
				Cause:    "Another base chain drops by its policy or a rule: Docker's FORWARD, Kubernetes, a ruleset of one's own. What libvirt accepts in its own table (its nftables backend, the default since 10.4) does not count there.",
				Evidence: "libvirt's rules accept the packets, and a base chain of somebody else drops them: a packet must be accepted by all. With libvirt's rules in the same chain and in front, a policy of drop does no harm.",
				Cure:     "Accept the bridge in the chain that drops, and persist that where its owner wants it; for Docker the chain DOCKER-USER is for this, or \"ip-forward-no-drop\": true in its daemon.json.",
			},
			run: func(p *pass) { p.tellBreaches(dropForward, tellForeign) },
		},
		{
			ID: dropInput, Title: "the host's firewall drops guests' DHCP or DNS", Severity: Error, Class: Manual,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests get no address, or no names, while everything else is in order.",
				Cause:    "A firewall of the host drops what it does not know. libvirt's nftables backend has no rules for requests to the host; those of its iptables backend do not count in other tables.",
				Evidence: "Requests to the DHCP, DNS and TFTP server that the network has (IPv6: neighbour discovery and router advertisements, too), or answers by DHCP and DNS, are dropped in a base chain of somebody else. Services that the network does not offer are not asked for.",
				Cure:     "Allow the services on the bridge in that firewall.",
			},
			run: func(p *pass) { p.tellBreaches(dropInput, tellForeign) },
		},
		{
			ID: ufwBlocks, Title: "ufw blocks a network's guests", Severity: Error, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests have no network while ufw is active.",
				Cause:    "ufw denies incoming and routed packets unless told otherwise.",
				Evidence: "A chain of ufw's, or the policy of a base chain that calls them, drops the network's packets. With libvirt's rules in front of ufw's (its iptables backend), nothing is dropped.",
				Cure:     "Route rules for the bridge, and rules for DHCP and DNS on it; ufw keeps them.",
			},
			run: func(p *pass) { p.tellBreaches(ufwBlocks, tellForeign) },
		},
		{
			ID: killSwitch, Title: "a VPN's kill switch cuts guests off", Severity: Warning, Class: Manual,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "Guests are offline while a VPN client is on, or even when it is not connected.",
				Cause:    "The client drops everything that does not leave by its tunnel, guests included.",
				Evidence: "The drop stands in a table or chain of a VPN client, or is for packets that do not leave by a tunnel of this host. That may be what you want.",
				Cure:     "Allow local networks in the client; or accept the bridge, which lets guests past the tunnel.",
			},
			run: func(p *pass) { p.tellBreaches(killSwitch, tellForeign) },
		},
		{
			ID: isolatedLeak, Title: "guests are not as isolated as their network declares", Severity: Warning, Class: Guarded,
			Needs: filterNeeds, After: filterCauses,
			Doc: Doc{
				Symptom:  "None, until somebody uses it: guests of an isolated network reach the outside, or the outside opens connections to guests behind NAT.",
				Cause:    "libvirt's reject was deleted, or a rule in front of it accepts everything.",
				Evidence: "New connections pass that the network's mode refuses, while other rules of libvirt's are there. Where the host does not route, nothing leaks; where a rule names the network, new connections to guests behind NAT are somebody's wish.",
				Cure:     "Restart libvirt's network daemon, or put its rules in front.",
			},
			run: func(p *pass) { p.tellBreaches(isolatedLeak, tellLeak) },
		},
		{
			ID: "inter-network-reject", Title: "guests of two networks cannot open connections to each other", Severity: Info, Class: Manual,
			Needs: filterNeeds, After: filterCauses, OnDemand: true,
			Doc: Doc{
				Symptom:  "A guest of one network does not reach a guest of another on the same host.",
				Cause:    "That is what libvirt's rules are for: networks of mode nat and isolated refuse new connections from everywhere, and the side that a packet goes to is asked first.",
				Evidence: "What the ruleset does to a new connection from each active network to each other one. No fault: told only when asked for by name (--check inter-network-reject).",
				Cure:     "Put both guests on one network, or make the networks of mode route or open.",
			},
			run: interNetwork,
		},
	}
}

// filterCauses are the checks behind which every verdict on the packet filter
// stands: without the bridge there is nothing to match.
var filterCauses = []string{"bridge-missing", staleIndex}

// unmissed tells of a network that lost libvirt's chains and does not miss them:
// the policies let pass what an isolated one needs. Where the table has any rule,
// somebody may have meant it.
func (p *pass) unmissed(n flowNet) {
	f, version := p.packets(), p.snap.Libvirt.Version
	if version < privateChains || version >= nftablesBackend || len(f.breaches(n)) > 0 {
		return
	}
	for _, v6 := range []bool{false, true} {
		lost := f.lostChains(n, v6)
		if !n.ruled(v6) || len(lost) == 0 || !f.bare(v6) {
			continue
		}
		p.found(n.scope(), Finding{
			Severity: Warning,
			Message: fmt.Sprintf("libvirt's firewall chains are gone (%s), and with them the rules for network %s: nothing shows it yet, and no network can be started",
				someTexts(lost), show(n.net.Name)),
			Evidence: "table filter of " + familyName(v6) + ", which has no rules",
			Want:     "libvirt's chains", Have: "none",
			Fix: p.rulesAgain(),
		})
		return
	}
}

// bare says whether no table of iptables' filter has a rule.
func (f *packetFilter) bare(v6 bool) bool {
	bare := true
	f.rulesOf(func(t *firewall.Table, _ *firewall.Chain, _ *firewall.Rule) {
		bare = bare && (t.Family != familyName(v6) || t.Name != "filter")
	})
	return bare
}
