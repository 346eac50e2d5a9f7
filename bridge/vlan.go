package bridge

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// VLAN is a range of VLAN ids that a port of a bridge with VLAN filtering lets
// through (IFLA_BRIDGE_VLAN_INFO, linux/if_bridge.h); Port is the bridge itself
// for the host's own side.
type VLAN struct {
	Port     string `json:"port"`
	First    int    `json:"first"`
	Last     int    `json:"last"`
	PVID     bool   `json:"pvid,omitempty"`     // frames without a tag belong to it
	Untagged bool   `json:"untagged,omitempty"` // frames leave without the tag
}

const (
	vlanCompressed = 1 << 2 // RTEXT_FILTER_BRVLAN_COMPRESSED, linux/rtnetlink.h: ranges as ranges
	bridgeVLANInfo = 2      // IFLA_BRIDGE_VLAN_INFO
	// BRIDGE_VLAN_INFO_* of linux/if_bridge.h.
	vlanPVID       = 1 << 1
	vlanUntagged   = 1 << 2
	vlanRangeBegin = 1 << 3
	vlanRangeEnd   = 1 << 4
)

type vlanMsg struct {
	index int
	list  []VLAN
}

// vlanRequest is the payload of RTM_GETLINK for the VLANs of bridge ports.
func vlanRequest() []byte {
	return append(nl.NewIfInfomsg(afBridge).Serialize(), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(vlanCompressed)).Serialize()...)
}

func (c *conn) vlans(ctx context.Context) ([]vlanMsg, error) {
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETLINK, unix.RTM_NEWLINK, vlanRequest()}, parseVLANs)
}

func parseVLANs(b []byte) (vlanMsg, bool, error) {
	var m vlanMsg
	if len(b) < ifinfomsgLen {
		return m, false, fmt.Errorf("parse VLANs: %w", errTruncated)
	}
	m.index = s32(b[4:])
	begin := 0
	err := walk(b[ifinfomsgLen:], func(typ uint16, v []byte) error {
		if typ != unix.IFLA_AF_SPEC {
			return nil
		}
		return walk(v, func(typ uint16, v []byte) error {
			if typ != bridgeVLANInfo {
				return nil
			}
			if len(v) < 4 {
				return errTruncated
			}
			flags, id := u16(v), int(u16(v[2:]))
			switch {
			case flags&vlanRangeBegin != 0:
				begin = id
				return nil
			case flags&vlanRangeEnd == 0 || begin == 0 || begin > id:
				begin = id
			}
			m.list = append(m.list, VLAN{First: begin, Last: id, PVID: flags&vlanPVID != 0, Untagged: flags&vlanUntagged != 0})
			begin = 0
			return nil
		})
	})
	if err != nil {
		return m, false, fmt.Errorf("parse VLANs: %w", err)
	}
	return m, len(m.list) > 0, nil
}

// filtersVLANs says whether any bridge does: the others have none to tell.
func filtersVLANs(bridges []Bridge) bool {
	for i := range bridges {
		if bridges[i].VLANFiltering {
			return true
		}
	}
	return false
}

func (r *reader) vlans() error {
	if !filtersVLANs(r.state.Bridges) {
		return nil
	}
	list, err := r.conn.vlans(r.ctx)
	for _, m := range list {
		for _, v := range m.list {
			v.Port = r.names.of(m.index)
			r.state.VLANs = append(r.state.VLANs, v)
		}
	}
	return err
}
