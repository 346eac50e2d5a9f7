package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
)

func multicastChecks() []Check {
	gone := []string{"bridge-missing", "if-source-not-a-bridge", "bridge-admin-down"}
	return []Check{
		{
			ID: "mcast-snooping-no-querier", Title: "a bridge filters multicast without a querier, and guests' IPv6 fails", Severity: Warning, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, FDB, Groups, Neighbours}, After: gone,
			Doc: Doc{
				Symptom:  "IPv6 works after the boot and dies some minutes later; mDNS and VRRP fail.",
				Cause:    "The bridge forwards multicast only where somebody joined, and nobody asks the guests to join again: a querier went away, or the switch behind the uplink filters too.",
				Evidence: "Snooping is on, the bridge is no querier and knows none, its table has groups of a guest, and the host fails to resolve the IPv6 address that follows from this guest's MAC while the guest sends. Snooping without a querier alone is the kernel's default and no fault.",
				Cure:     "Switch snooping off, or make the bridge a querier.",
			},
			run: snoopingNoQuerier,
		},
		{
			ID: "mcast-hash-max", Title: "a bridge's multicast table is full", Severity: Info, Class: Guarded,
			Needs: []Need{Networks, Guests, Links, Groups}, After: gone,
			Doc: Doc{
				Symptom:  "Multicast that went to its listeners only is flooded to all ports.",
				Cause:    "More groups were joined than the table may hold; the kernel then switches snooping off.",
				Evidence: "The bridge's groups and its limit, from nine tenths on.",
				Cure:     "Raise the limit, and switch snooping on again.",
			},
			run: multicastFull,
		},
		{
			ID: "fdb-limit", Title: "a bridge has learned almost as many addresses as it may", Severity: Info, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: gone,
			Doc: Doc{
				Symptom:  "Frames to some guests go to all ports.",
				Cause:    "A limit was set for the forwarding table, and there are more addresses, or somebody invents them.",
				Evidence: "The learned entries and the limit, from nine tenths on; 0 is no limit, and kernels before 6.7 have none.",
				Cure:     "Raise the limit, or find the port with the many addresses.",
			},
			run: fdbLimit,
		},
		{
			ID: "group-fwd-mask", Title: "a bridge keeps link-local frames back that the guest's other bridge forwards", Severity: Info, Class: Guarded,
			Needs: []Need{Networks, Guests, Links}, After: gone,
			Doc: Doc{
				Symptom:  "LLDP or LACP between guests works on one link and not on the other.",
				Cause:    "A bridge does not forward these frames unless it is told to, and only one of them was.",
				Evidence: "A running guest has interfaces on two bridges, and only one has a group_fwd_mask. Where no bridge has one nobody wants it, and bridges with a subnet of libvirt's are no links of a laboratory.",
				Cure:     "Set the same mask.",
			},
			run: groupForwardMask,
		},
	}
}

// failing are neighbour states in which the host has no answer.
var failing = []string{"failed", "incomplete"}

func snoopingNoQuerier(p *pass) {
	failed := map[string][]netip.Addr{}
	for _, n := range p.snap.Kernel.Neighbours {
		if n.IP.Is6() && slices.Contains(failing, n.State) {
			failed[n.Link] = append(failed[n.Link], n.IP)
		}
	}
	p.eachBridge(func(b judgedBridge) {
		quiet := b.MulticastSnooping && !b.MulticastQuerier && b.Querier6 == ""
		if len(b.nics) == 0 || !p.on(b.scope) || !quiet {
			return
		}
		for _, n := range p.homeTaps(b) {
			if p.inside().groups[[2]string{b.Name, n.port.Name}] == 0 || !p.sends(n) {
				continue
			}
			for _, addr := range failed[b.Name] {
				if derived(addr, n.iface.MAC) {
					p.noQuerier(b, n, addr)
					return
				}
			}
		}
	})
}

func (p *pass) noQuerier(b judgedBridge, n *nic, addr netip.Addr) {
	s := b.scope
	s.guest = n.guest.Name
	p.found(s, Finding{
		Message:  fmt.Sprintf("bridge %s filters multicast and nobody asks for listeners: the host does not resolve %s of guest %s, which is alive", show(b.Name), addr, show(n.guest.Name)),
		Evidence: fmt.Sprintf("IFLA_BR_MCAST_SNOOPING, IFLA_BR_MCAST_QUERIER, IFLA_BR_MCAST_QUERIER_STATE of %s; neighbour %s", show(b.Name), addr),
		Want:     "a querier, or mcast_snooping 0", Have: "mcast_snooping 1, mcast_querier 0, no other querier",
		Fix: Fix{
			Class: Guarded, Say: "switch multicast snooping of " + show(b.Name) + " off; or make it a querier with mcast_querier 1",
			Steps: []Step{{Do: SetBridge, On: b.Name, Args: []string{"mcast_snooping", "0"}}},
		},
	})
}

// sends says whether the bridge has heard the guest of late.
func (h *host) sends(n *nic) bool {
	for _, e := range h.inside().fdbOf[n.port.Name] {
		if e.State == bridge.FDBLearned && strings.EqualFold(e.MAC, n.iface.MAC) {
			return true
		}
	}
	return false
}

// derived says whether an IPv6 address has the interface identifier that
// follows from a MAC (RFC 4291, appendix A).
func derived(addr netip.Addr, mac string) bool {
	hex := strings.Split(mac, ":")
	if len(hex) != 6 {
		return false
	}
	var b [6]byte
	for i, h := range hex {
		v, err := strconv.ParseUint(h, 16, 8)
		if err != nil {
			return false
		}
		b[i] = byte(v)
	}
	a := addr.As16()
	return [8]byte(a[8:]) == [8]byte{b[0] ^ 2, b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]}
}

// nearly says whether a table is nine tenths full.
func nearly(have, limit int) bool { return limit > 0 && have*10 >= limit*9 }

func multicastFull(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		have := p.inside().groups[[2]string{b.Name, ""}]
		if !p.on(b.scope) || !nearly(have, b.GroupMax) {
			return
		}
		// The kernel takes powers of two only.
		limit := 1
		for limit <= 2*max(have, b.GroupMax) {
			limit *= 2
		}
		args := []string{"mcast_hash_max", strconv.Itoa(limit)}
		message := fmt.Sprintf("bridge %s has %d multicast groups of %d at most", show(b.Name), have, b.GroupMax)
		if !b.MulticastSnooping {
			args = append(args, "mcast_snooping", "1")
			message += ", and has switched its filter off: multicast goes to all ports"
		}
		p.found(b.scope, Finding{
			Message: message, Evidence: "multicast table (RTM_GETMDB) and IFLA_BR_MCAST_HASH_MAX of " + show(b.Name),
			Want: fmt.Sprintf("fewer than %d groups", (b.GroupMax*9+9)/10), Have: fmt.Sprintf("%d groups", have),
			Fix: Fix{Class: Guarded, Say: "raise the limit of " + show(b.Name), Steps: []Step{{Do: SetBridge, On: b.Name, Args: args}}},
		})
	})
}

func fdbLimit(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		if !p.on(b.scope) || !nearly(b.FDBLearned, b.FDBMax) {
			return
		}
		p.found(b.scope, Finding{
			Message:  fmt.Sprintf("bridge %s has learned %d addresses of %d at most", show(b.Name), b.FDBLearned, b.FDBMax),
			Evidence: "IFLA_BR_FDB_N_LEARNED, IFLA_BR_FDB_MAX_LEARNED of " + show(b.Name),
			Want:     fmt.Sprintf("fewer than %d addresses", (b.FDBMax*9+9)/10), Have: fmt.Sprintf("%d addresses", b.FDBLearned),
			Fix: Fix{
				Class: Guarded, Say: "raise the limit of " + show(b.Name) + " (iproute2 from 6.7 on), or find the port that the many addresses are behind",
				Steps: []Step{{Do: SetBridge, On: b.Name, Args: []string{"fdb_max_learned", strconv.Itoa(2 * max(b.FDBMax, b.FDBLearned))}}},
			},
		})
	})
}

func groupForwardMask(p *pass) {
	// The mask that a guest's links have, and the bridge it was seen on.
	type wish struct {
		mask int
		from string
	}
	wishes := map[string]wish{}
	var bare []judgedBridge
	p.eachBridge(func(b judgedBridge) {
		if b.own && len(definition(p.owners[b.Name]).IPs) > 0 {
			return
		}
		if b.GroupForwardMask == 0 {
			bare = append(bare, b)
			return
		}
		for _, n := range p.homeTaps(b) {
			setFirst(wishes, n.guest.UUID+"/"+n.guest.Name, wish{b.GroupForwardMask, b.Name})
		}
	})
	for _, b := range bare {
		if !p.on(b.scope) {
			continue
		}
		for _, n := range p.homeTaps(b) {
			w, wanted := wishes[n.guest.UUID+"/"+n.guest.Name]
			if !wanted {
				continue
			}
			mask := "0x" + strconv.FormatInt(int64(w.mask), 16)
			s := b.scope
			s.guest = n.guest.Name
			p.found(s, Finding{
				Message:  fmt.Sprintf("bridge %s keeps LLDP, LACP and the like back, and bridge %s, which guest %s is on too, forwards them", show(b.Name), show(w.from), show(n.guest.Name)),
				Evidence: "IFLA_BR_GROUP_FWD_MASK of " + show(b.Name) + " and " + show(w.from),
				Want:     "group_fwd_mask " + mask, Have: "group_fwd_mask 0",
				Fix: Fix{
					Class: Guarded, Say: "forward them on " + show(b.Name) + " too, if the guests need it",
					Steps: []Step{{Do: SetBridge, On: b.Name, Args: []string{"group_fwd_mask", mask}}},
				},
			})
			break
		}
	}
}
