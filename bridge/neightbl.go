package bridge

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Attributes and offsets of linux/neighbour.h.
const (
	ndtmsgLen = 4 // struct ndtmsg is one byte, padded

	ndtaName     = 1
	ndtaThresh1  = 2
	ndtaThresh2  = 3
	ndtaThresh3  = 4
	ndtaConfig   = 5
	ndtaStats    = 7
	ndtcEntries  = 4      // in struct ndt_config, behind two __u16
	ndtsFulls    = 10 * 8 // in struct ndt_stats, behind ten __u64
	ndtsFullsEnd = ndtsFulls + 8
)

func (c *conn) neighbourTables(ctx context.Context) ([]NeighbourTable, error) {
	header := make([]byte, ndtmsgLen) // family 0: IPv4 and IPv6
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETNEIGHTBL, unix.RTM_NEWNEIGHTBL, header}, parseNeighbourTable)
}

// parseNeighbourTable reads struct ndtmsg and its attributes. The parameters
// of single links, which come in messages of their own, are left out.
func parseNeighbourTable(b []byte) (NeighbourTable, bool, error) {
	var t NeighbourTable
	if len(b) < ndtmsgLen {
		return t, false, fmt.Errorf("parse neighbour table: %w", errTruncated)
	}
	if _, ok := ipFamily(b[0]); !ok {
		return t, false, nil
	}
	t.Family = ipVersion(b[0])
	whole := false
	err := walk(b[ndtmsgLen:], func(typ uint16, v []byte) error {
		switch typ {
		case ndtaName:
			t.Name = cString(v)
		case ndtaThresh1:
			t.Thresh1 = int(u32(v))
		case ndtaThresh2:
			t.Thresh2 = int(u32(v))
		case ndtaThresh3:
			t.Thresh3, whole = int(u32(v)), true
		case ndtaConfig:
			if len(v) < ndtcEntries+4 {
				return errTruncated
			}
			t.Entries = int(u32(v[ndtcEntries:]))
		case ndtaStats:
			if len(v) < ndtsFullsEnd {
				return nil // kernels before 4.3 do not count this
			}
			t.Fulls = binary.NativeEndian.Uint64(v[ndtsFulls:])
		}
		return nil
	})
	if err != nil {
		return t, false, fmt.Errorf("parse neighbour table: %w", err)
	}
	return t, whole, nil
}
