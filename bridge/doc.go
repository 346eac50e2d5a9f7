// Package bridge says what the kernel shows of networking in the network
// namespace of the calling thread, and changes it: links, bridges, ports,
// forwarding database, addresses, routes, rules, neighbours, sysctls and the
// processes behind DHCP and DNS sockets.
//
// It is not a judge: it knows neither libvirt nor right and wrong. What could
// not be read becomes a [Gap] in the [State], and the rest is read all the
// same. Everything comes by netlink or from /proc/sys and /proc/net, never
// from /sys, which belongs to a mount and not to the namespace of the thread.
//
// Contract: Read needs no privilege; what needs one (the processes of other
// users behind sockets and taps: CAP_SYS_PTRACE; IPsec: CAP_NET_ADMIN) is a gap
// without it. Changes need CAP_NET_ADMIN.
//
// Everything happens on the calling thread. A goroutine that wants another
// namespace locks itself to its thread, moves it (setns, unshare) and never
// unlocks it; its readings, changes and their undoing then belong there.
//
// When it misbehaves: compare with `ip -d -j link`, `bridge -d -j link` and
// `bridge -j fdb` in the same namespace; the live tests do.
package bridge
