package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// KeptFilter is the VLAN filtering of a bridge: what it says of new ports, and
// the VLANs of the host's own side.
type KeptFilter struct {
	settings []*nl.RtAttr // IFLA_BR_*
	pvid     int
	vlans    []VLAN
}

// KeepFilter reads it and changes nothing; nil is a bridge that does not filter,
// or is gone.
func KeepFilter(bridge string) (*KeptFilter, error) {
	var k *KeptFilter
	_, err := change("read VLANs of", bridge, func(c *conn, have linkMsg) (_ Undo, err error) {
		if have.bridge == nil || !have.bridge.VLANFiltering {
			return nil, nil
		}
		k = &KeptFilter{settings: filterSettings(have.bridgeData), pvid: defaultPVID(have)}
		k.vlans, err = c.vlansOf(have.Index)
		return nil, err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return k, err
}

// PutBack gives it to a bridge, which may be one that was made anew. It goes
// before the ports: a port that comes gets the VLAN that the bridge gives new
// ones.
func (k *KeptFilter) PutBack(bridge string) error {
	if k == nil {
		return nil
	}
	_, err := change("filter VLANs on", bridge, func(c *conn, now linkMsg) (Undo, error) {
		if err := c.setBridge(now.Index, k.settings...); err != nil {
			return nil, err
		}
		return nil, c.setVLANs(now.Index, true, k.pvid, k.vlans)
	})
	return err
}

// filterSettings are the settings of a bridge (IFLA_INFO_DATA) that make its
// VLAN filtering.
func filterSettings(data []byte) []*nl.RtAttr {
	var list []*nl.RtAttr
	a := attrs{rest: data} // parsed before
	for a.next() {
		switch a.typ {
		case nl.IFLA_BR_VLAN_FILTERING, nl.IFLA_BR_VLAN_PROTOCOL, nl.IFLA_BR_VLAN_DEFAULT_PVID:
			list = append(list, nl.NewRtAttr(int(a.typ), slices.Clone(a.value)))
		}
	}
	return list
}

// defaultPVID is the VLAN that a bridge gives its ports; 0 is none.
func defaultPVID(l linkMsg) int {
	if l.bridge == nil || l.bridge.DefaultPVID == nil {
		return 0
	}
	return *l.bridge.DefaultPVID
}

// vlansOf reads the VLANs of one port, or of a bridge itself; none where the
// kernel cannot filter.
func (c *conn) vlansOf(index int) ([]VLAN, error) {
	list, err := c.vlans(context.Background())
	if at := slices.IndexFunc(list, func(m vlanMsg) bool { return m.index == index }); at >= 0 {
		return list[at].list, err
	}
	return nil, err
}

// setVLANs gives a new port, or with self a new bridge, the VLANs that it is to
// have, and takes the one that it got by itself where that is not among them.
// Where nothing is to be done the kernel, which may know no VLANs, is not asked.
func (c *conn) setVLANs(index int, self bool, pvid int, want []VLAN) error {
	drop, add := vlanChanges(pvid, want)
	var errs []error
	if len(drop) > 0 {
		errs = append(errs, c.tell(unix.RTM_DELLINK, 0, vlanPayload(index, self, drop)))
	}
	if len(add) > 0 {
		errs = append(errs, c.tell(unix.RTM_SETLINK, 0, vlanPayload(index, self, add)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("set VLANs: %w", err)
	}
	return nil
}

// vlanChanges are the steps from the VLANs of a new port to those that are
// wanted. A kernel without VLANs, where a port had none, has nothing to change.
func vlanChanges(pvid int, want []VLAN) (drop, add []VLAN) {
	given := VLAN{First: pvid, Last: pvid, PVID: true, Untagged: true} // nbp_vlan_init, net/bridge/br_vlan.c
	for _, v := range want {
		if v != given {
			add = append(add, v)
		}
	}
	if pvid != 0 && !slices.ContainsFunc(want, func(v VLAN) bool { return v.First <= pvid && pvid <= v.Last }) {
		drop = append(drop, given)
	}
	return drop, add
}

// vlanPayload is struct ifinfomsg with IFLA_AF_SPEC: what bridge-vlan(8) sends.
func vlanPayload(index int, self bool, list []VLAN) []byte {
	header := nl.NewIfInfomsg(afBridge)
	header.Index = int32(index)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	if self {
		spec.AddRtAttr(nl.IFLA_BRIDGE_FLAGS, nl.Uint16Attr(nl.BRIDGE_FLAGS_SELF))
	}
	info := func(flags, id int) {
		spec.AddRtAttr(bridgeVLANInfo, append(nl.Uint16Attr(uint16(flags)), nl.Uint16Attr(uint16(id))...))
	}
	for _, v := range list {
		flags := 0
		if v.PVID {
			flags |= vlanPVID
		}
		if v.Untagged {
			flags |= vlanUntagged
		}
		if v.First == v.Last {
			info(flags, v.First)
			continue
		}
		info(flags|vlanRangeBegin, v.First)
		info(flags|vlanRangeEnd, v.Last)
	}
	return append(header.Serialize(), spec.Serialize()...)
}
