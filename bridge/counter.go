package bridge

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Counter is what a link has counted since it was made (RTM_GETSTATS, struct
// rtnl_link_stats64 of linux/if_link.h). The directions are the host's: what a
// guest receives its tap transmits.
type Counter struct {
	Link      string `json:"link"`
	RXPackets uint64 `json:"rx_packets"`
	TXPackets uint64 `json:"tx_packets"`
	RXDropped uint64 `json:"rx_dropped,omitempty"`
	TXDropped uint64 `json:"tx_dropped,omitempty"`
}

type counterMsg struct {
	Counter
	index int
}

const (
	// struct if_stats_msg and its attribute, linux/if_link.h.
	statsHeaderLen = 12
	statsFilter    = 8 // offset of filter_mask
	statsLink64    = 1 // IFLA_STATS_LINK_64
	// Places in struct rtnl_link_stats64, each of 8 bytes.
	statsRXPackets = 0
	statsTXPackets = 1
	statsRXDropped = 6
	statsTXDropped = 7
)

// counterRequest is the payload of RTM_GETSTATS for the plain counters.
func counterRequest() []byte {
	b := make([]byte, statsHeaderLen)
	binary.NativeEndian.PutUint32(b[statsFilter:], 1<<(statsLink64-1)) // IFLA_STATS_FILTER_BIT
	return b
}

func (c *conn) counters(ctx context.Context) ([]counterMsg, error) {
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETSTATS, unix.RTM_NEWSTATS, counterRequest()}, parseCounter)
}

func parseCounter(b []byte) (counterMsg, bool, error) {
	var c counterMsg
	if len(b) < statsHeaderLen {
		return c, false, fmt.Errorf("parse counters: %w", errTruncated)
	}
	c.index = s32(b[4:])
	found := false
	err := walk(b[statsHeaderLen:], func(typ uint16, v []byte) error {
		if typ != statsLink64 {
			return nil
		}
		found = true
		c.RXPackets, c.TXPackets = count64(v, statsRXPackets), count64(v, statsTXPackets)
		c.RXDropped, c.TXDropped = count64(v, statsRXDropped), count64(v, statsTXDropped)
		return nil
	})
	if err != nil {
		return c, false, fmt.Errorf("parse counters: %w", err)
	}
	return c, found, nil
}

// count64 is the number at a place of 8 bytes, 0 where an older kernel's structure
// ends before it.
func count64(b []byte, place int) uint64 {
	if len(b) < 8*place+8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b[8*place:])
}

// portCounters are the counters of bridge ports.
func (c *conn) portCounters(ctx context.Context, names names, ports map[string]bool) ([]Counter, error) {
	list, err := c.counters(ctx)
	kept := make([]Counter, 0, len(ports))
	for _, one := range list {
		if one.Link = names.of(one.index); ports[one.Link] {
			kept = append(kept, one.Counter)
		}
	}
	return kept, err
}
