// Package firewall reads the packet filter of the calling thread's network
// namespace as one typed [Ruleset], and says what a ruleset does to a [Flow].
//
// [Read] takes nftables and iptables-nft over netlink, every family, and
// iptables-legacy from its save command when the kernel lists legacy tables;
// it never makes a table come into being. A Ruleset is plain data and goes to
// JSON and back. [New] prepares it once, [Filter.Decide] answers for one flow
// after the other: accept, drop, or depends, each with the deciding rule.
//
// It is not a judge: it knows neither libvirt nor networks, and no answer is
// right or wrong. It is not a kernel either: routes, ip_forward and rp_filter
// are somebody else's; Decide follows the hooks of netfilter only.
//
// Contract: accept and drop are promises, depends is not an error. A packet
// meets every base chain of every hook on its path in priority order; accept
// ends one base chain, drop ends the packet. Whatever is not known (an
// expression this package cannot read, the user behind a socket, a rate
// limit, a match that only part of the flow's addresses meets) is carried
// along as "maybe", and only if the maybe changes the outcome is the answer
// depends, with the rule that it hangs on. Packets are taken to be whole
// (not fragments), without IP options and without IPsec.
//
// Read needs CAP_NET_ADMIN in the namespace; without it the answer is a [Gap].
//
// When it misbehaves: `nft --debug=netlink list ruleset` shows the same
// expressions in the same order, `iptables-legacy-save` the legacy half, and
// `nft monitor trace` what a real packet met; the live tests send some.
package firewall
