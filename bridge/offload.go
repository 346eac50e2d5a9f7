package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Offloads are features of a link that are on (ETHTOOL_MSG_FEATURES_GET,
// linux/ethtool_netlink.h).
type Offloads struct {
	// LRO: the NIC joins received segments so that they cannot be forwarded as
	// they came (rx-lro).
	LRO bool `json:"lro"`
	// Checksum: the kernel leaves the checksums of what it sends over the link
	// to the link, or to who receives it (tx-checksum-ip-generic,
	// tx-checksum-ipv4).
	Checksum bool `json:"tx_checksum,omitempty"`
}

// offloading are the kinds of links whose offloads matter here: bridges, over
// which the host itself sends, tunnels, and those that join what they receive.
// Taps and veths never do.
func offloading(l *Link) bool {
	switch l.Kind {
	case "", "bond", "team", "macvlan", "bridge", "vxlan":
		return !l.Loopback
	}
	return false
}

// offloads asks for one link; nil where neither the kernel nor the driver
// knows of features.
func (g *generic) offloads(index int) (*Offloads, error) {
	family, ok := g.families["ethtool"]
	if !ok {
		return nil, nil // before Linux 5.6
	}
	msgs, err := g.ask(family, 0, uint16(family), offloadRequest(index))
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV):
		return nil, nil // no features, Linux before 5.7, or the link has just gone
	case err != nil:
		return nil, err
	case len(msgs) == 0:
		return nil, nil
	}
	return parseOffloads(msgs[0])
}

func offloadRequest(index int) []byte {
	header := nl.NewRtAttr(unix.ETHTOOL_A_FEATURES_HEADER|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_DEV_INDEX, binary.NativeEndian.AppendUint32(nil, uint32(index)))
	return append([]byte{unix.ETHTOOL_MSG_FEATURES_GET, 1, 0, 0}, header.Serialize()...)
}

// parseOffloads reads ETHTOOL_MSG_FEATURES_GET_REPLY.
func parseOffloads(b []byte) (*Offloads, error) {
	if len(b) < genlHeader {
		return nil, fmt.Errorf("parse features: %w", errTruncated)
	}
	var o Offloads
	err := walk(b[genlHeader:], func(typ uint16, v []byte) error {
		if typ != unix.ETHTOOL_A_FEATURES_ACTIVE {
			return nil
		}
		return eachBit(v, func(name string) {
			o.LRO = o.LRO || name == "rx-lro"
			o.Checksum = o.Checksum || name == "tx-checksum-ip-generic" || name == "tx-checksum-ipv4"
		})
	})
	if err != nil {
		return nil, fmt.Errorf("parse features: %w", err)
	}
	return &o, nil
}

// eachBit calls f with the names of the bits in a list without a mask: all that
// it lists are set.
func eachBit(bitset []byte, f func(name string)) error {
	return walk(bitset, func(typ uint16, bits []byte) error {
		if typ != unix.ETHTOOL_A_BITSET_BITS {
			return nil
		}
		return walk(bits, func(_ uint16, bit []byte) error {
			return walk(bit, func(typ uint16, v []byte) error {
				if typ == unix.ETHTOOL_A_BITSET_BIT_NAME {
					f(cString(v))
				}
				return nil
			})
		})
	})
}
