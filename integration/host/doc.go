// Package host starts disposable, sealed libvirt hosts: a private network,
// mount, PID, IPC and UTS namespace with a real libvirtd, QEMU, dnsmasq and
// firewall inside, and a second network namespace that plays the outside world.
// Tests, the demo and benchmarks run on such hosts; the machine's own network,
// /run/libvirt and /etc/libvirt are never touched.
//
// A host looks like this:
//
//	 the host                                     outside
//	┌───────────────────────────────┐            ┌──────────────────────┐
//	│ libvirtd virtlogd dnsmasq ... │            │ UDP 8080, TCP 8081:  │
//	│ guests on virbr0, br0, ...    │            │   "who am I"         │
//	│             eth0 203.0.113.2 ─┼─── veth ───┼─ host0 203.0.113.1   │
//	└───────────────────────────────┘            │ HTTP 8080: "/",/seen │
//	  default via 203.0.113.1                    └──────────────────────┘
//
// The outside has no route but its own subnet: a packet that leaves the host
// with a guest's private address gets no reply. It answers ping, tells every
// caller the source address it saw (HTTP and UDP on port 8080, bare TCP on
// port 8081), and lists every IPv4 source it has seen (HTTP /seen, [Host.Seen]).
//
// # What it is not
//
// It is no sandbox against hostile code: everything in it runs as root, sees
// the machine's files and the kernel's non-network sysctls. It knows nothing
// about kvnet; it is imported by tests and by cmd/kvlab only. It has no
// cgroups: libvirt runs guests without them, so that two hosts with a guest of
// the same name do not meet in the machine's cgroup tree.
//
// # Contract
//
// The first process of a host is this program itself, started again from
// /proc/self/exe. A program that uses the package therefore calls [Main] before
// anything else, in main or TestMain.
//
// A host ends with its first process, and everything inside ends with it: the
// kernel kills the processes, and mounts, links and files are private to them.
// A host made by [Start] also ends when its owner does, however that happens
// (it reads from a pipe that the owner holds); [Host.Keep] ends that bond.
// There is no state on disk: a running host holds an abstract unix socket named
// kvlab/NAME, which the kernel removes with its process. [List] and [Open] ask
// those sockets. Inside of a host, Open(".") is that host: a script that runs
// there starts and asks guests in the same way.
//
// What is private inside: /run, /dev (without kvm), /proc, /sys, the content of
// /etc (writes are lost with the host), /etc/libvirt without networks, guests
// and autostart links, /var/lib/libvirt, /var/lib/kvnet, /var/cache/libvirt and
// /var/log/libvirt. Everything else is the machine's own: a program or a
// temporary folder has the same path inside. With [Options.Root] the whole root
// is a private view of that folder, and only [Options.Bind] is shared.
//
// # Looking inside when it misbehaves
//
// When a host does not come up, the error carries what its first process and
// the daemons printed. Of a running one:
//
//	kvlab list                                        its first process
//	kvlab exec NAME -- cat /var/log/libvirt/libvirtd.log
//	kvlab exec NAME -- cat /var/log/libvirt/qemu/GUEST.log
//	kvlab guest NAME GUEST console                    what the guest printed
//	kvlab exec NAME --outside -- ip addr              the outside's own links
//	cat /proc/PID/fd/2                                what the first process printed
package host
