package bridge

import (
	"strconv"

	"github.com/vishvananda/netlink/nl"
)

// Bond is what a bonding device says of itself (IFLA_BOND_*, linux/if_link.h).
type Bond struct {
	// Mode is BOND_MODE_* of linux/if_bonding.h in ip-link(8)'s words.
	Mode string `json:"mode"`
	// MIIMonitor and ARPInterval say how often ports are looked after, in
	// milliseconds; 0 is never.
	MIIMonitor  int `json:"mii_monitor_ms,omitempty"`
	ARPInterval int `json:"arp_interval_ms,omitempty"`
}

// Modes of a bond, in the kernel's order.
const (
	BondRoundRobin   = "balance-rr"
	BondActiveBackup = "active-backup"
	BondXOR          = "balance-xor"
	BondBroadcast    = "broadcast"
	BondLACP         = "802.3ad"
	BondTLB          = "balance-tlb"
	BondALB          = "balance-alb"
)

var bondModes = [...]string{BondRoundRobin, BondActiveBackup, BondXOR, BondBroadcast, BondLACP, BondTLB, BondALB}

func bondMode(v uint8) string {
	if int(v) < len(bondModes) {
		return bondModes[v]
	}
	return strconv.Itoa(int(v))
}

// parse reads IFLA_INFO_DATA of a bond.
func (b *Bond) parse(data []byte) error {
	return walk(data, func(typ uint16, v []byte) error {
		switch typ {
		case nl.IFLA_BOND_MODE:
			b.Mode = bondMode(u8(v))
		case nl.IFLA_BOND_MIIMON:
			b.MIIMonitor = int(u32(v))
		case nl.IFLA_BOND_ARP_INTERVAL:
			b.ARPInterval = int(u32(v))
		}
		return nil
	})
}
