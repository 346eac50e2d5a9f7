package verify

import (
	"cmp"
	"slices"

	"github.com/kvnet/kvnet/libvirtnet"
)

type users struct {
	all, active, autostart []*nic
}

func (h *host) usersOf(n *libvirtnet.Network) users {
	all := h.byNet[n.Name]
	if def := n.Def(); def.Managed() && def.Bridge != "" {
		all = slices.Clip(all)
		for _, nic := range h.byBridge[h.realName(def.Bridge)] {
			if nic.iface.Network == "" {
				all = append(all, nic)
			}
		}
	}
	return sortUsers(all)
}

func sortUsers(all []*nic) users {
	u := users{all: all}
	for _, n := range all {
		if n.active {
			u.active = append(u.active, n)
		}
		if n.guest.Autostart {
			u.autostart = append(u.autostart, n)
		}
	}
	return u
}

func (u users) needed() bool { return len(u.active)+len(u.autostart) > 0 }

func (u users) say() string {
	switch {
	case len(u.active) > 0:
		return "running guest " + someNames(guestNames(u.active))
	case len(u.autostart) > 0:
		return "autostart guest " + someNames(guestNames(u.autostart))
	}
	return "guest " + someNames(guestNames(u.all))
}

func (u users) first() *nic {
	switch {
	case len(u.active) > 0:
		return u.active[0]
	case len(u.autostart) > 0:
		return u.autostart[0]
	}
	return u.all[0]
}

func (h *host) byLife(a, b *libvirtnet.Network) (keep, move *libvirtnet.Network) {
	if cmp.Or(cmp.Compare(life(b), life(a)), cmp.Compare(len(h.usersOf(b).active), len(h.usersOf(a).active))) > 0 {
		return b, a
	}
	return a, b
}

func life(n *libvirtnet.Network) int {
	switch {
	case n.Active:
		return 2
	case n.Autostart:
		return 1
	}
	return 0
}

func bothAlive(a, b *libvirtnet.Network, milder Severity) Severity {
	if life(a) > 0 && life(b) > 0 {
		return Error
	}
	return milder
}
