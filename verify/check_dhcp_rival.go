package verify

import (
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// onlyFor says whether a dnsmasq serves the network alone: nobody else needs it, and
// the network's own cannot start before it ends.
func (h *host) onlyFor(s service, k *bridge.Socket) bool {
	return k.Command == "dnsmasq" && k.PID > 1 && !slices.ContainsFunc(h.snap.Kernel.Sockets, func(one bridge.Socket) bool {
		own := one.Device == s.def.Bridge || slices.ContainsFunc(s.def.IPs, func(ip xml.IP) bool {
			return ip.Address.Addr().WithZone("").Unmap() == one.Address.WithZone("").Unmap()
		})
		return one.PID == k.PID && !own
	})
}

// leftByLibvirt says whether a socket is of a dnsmasq that libvirt started.
func leftByLibvirt(k *bridge.Socket) bool {
	return k.Command == "dnsmasq" && slices.ContainsFunc(k.Args, func(a string) bool {
		return strings.HasPrefix(a, "--conf-file=") && strings.Contains(a, "/libvirt/dnsmasq/")
	})
}

// offBridge is how a program is told to leave a network's bridge alone.
func offBridge(k *bridge.Socket, def xml.Network) string {
	own := def.IPs[0].Address.Addr().WithZone("").String()
	switch {
	case k.Command == "dnsmasq" || k.Command == "pihole-FTL":
		return " (bind-dynamic and except-interface=" + show(def.Bridge) + " in its configuration)"
	case k.Port == 53 && k.Command == "named":
		return " (listen-on { !" + own + "; any; } in its configuration)"
	case k.Port == 53 && k.Command == "unbound":
		return " (an interface: line for each address that it is to serve, in its configuration)"
	}
	return ": bind it to links or addresses of its own, or end it if nobody needs it"
}
