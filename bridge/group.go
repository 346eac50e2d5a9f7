package bridge

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Groups counts the multicast groups of a bridge's table (RTM_GETMDB): those
// with a listener behind a port, or, where Port is empty, all of the bridge's,
// which is what IFLA_BR_MCAST_HASH_MAX limits.
type Groups struct {
	Bridge string `json:"bridge"`
	Port   string `json:"port,omitempty"`
	Count  int    `json:"count"`
}

const (
	// struct br_port_msg and the attributes of linux/if_bridge.h.
	mdbHeaderLen = 8
	mdbTable     = 1 // MDBA_MDB
	mdbEntry     = 1 // MDBA_MDB_ENTRY: one group
	mdbEntryInfo = 1 // MDBA_MDB_ENTRY_INFO: one of its ports
	mdbInfoLen   = 4 // an interface index leads struct br_mdb_entry
)

// mdbMsg is one part of a bridge's table: how many groups it has, and how many
// of them each port.
type mdbMsg struct {
	bridge int
	groups int
	ports  map[int]int
}

func (c *conn) mdb(ctx context.Context) ([]mdbMsg, error) {
	header := make([]byte, mdbHeaderLen)
	header[0] = afBridge
	// Kernels answer with RTM_GETMDB or with RTM_NEWMDB.
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETMDB, 0, header}, parseMDB)
}

func parseMDB(b []byte) (mdbMsg, bool, error) {
	m := mdbMsg{ports: map[int]int{}}
	if len(b) < mdbHeaderLen {
		return m, false, fmt.Errorf("parse multicast table: %w", errTruncated)
	}
	m.bridge = s32(b[4:])
	err := walk(b[mdbHeaderLen:], func(typ uint16, table []byte) error {
		if typ != mdbTable {
			return nil
		}
		return walk(table, func(typ uint16, group []byte) error {
			if typ != mdbEntry {
				return nil
			}
			m.groups++
			return walk(group, func(typ uint16, port []byte) error {
				if typ != mdbEntryInfo {
					return nil
				}
				if len(port) < mdbInfoLen {
					return errTruncated
				}
				m.ports[s32(port)]++
				return nil
			})
		})
	})
	if err != nil {
		return m, false, fmt.Errorf("parse multicast table: %w", err)
	}
	return m, m.groups > 0, nil
}

// groups adds the parts of the tables up. The kernel sends a bridge's table in
// as many messages as it takes, and a group may be cut in two by that: then it
// counts twice.
func (r *reader) groups() error {
	if len(r.state.Bridges) == 0 {
		return nil
	}
	list, err := r.conn.mdb(r.ctx)
	type place struct{ bridge, port string }
	counts := map[place]int{}
	for _, m := range list {
		name := r.names.of(m.bridge)
		counts[place{name, ""}] += m.groups
		for port, n := range m.ports {
			counts[place{name, r.names.of(port)}] += n
		}
	}
	for at, n := range counts {
		r.state.Groups = append(r.state.Groups, Groups{Bridge: at.bridge, Port: at.port, Count: n})
	}
	return err
}
