package bridge

import (
	"cmp"
	"strconv"

	"github.com/vishvananda/netlink/nl"
)

// VF is a virtual function of an SR-IOV NIC as its physical function has it
// (IFLA_VFINFO_LIST, linux/if_link.h).
type VF struct {
	Index int    `json:"index"`
	MAC   string `json:"mac,omitempty"`
	VLAN  int    `json:"vlan,omitempty"`
	// LinkState is auto, enable or disable; "" where the driver does not say.
	LinkState string `json:"link_state,omitempty"`
	// SpoofCheck and Trust are nil where the driver does not say.
	SpoofCheck *bool `json:"spoof_check,omitempty"`
	Trust      *bool `json:"trust,omitempty"`
}

// parseVFs reads IFLA_VFINFO_LIST.
func parseVFs(b []byte) ([]VF, error) {
	var list []VF
	err := walk(b, func(typ uint16, v []byte) error {
		if typ != nl.IFLA_VF_INFO {
			return nil
		}
		vf, err := parseVF(v)
		list = append(list, vf)
		return err
	})
	sortBy(list, func(a, b VF) int { return cmp.Compare(a.Index, b.Index) })
	return list, err
}

// parseVF reads IFLA_VF_INFO. Every value in it is a struct that begins with
// the function's number.
func parseVF(b []byte) (VF, error) {
	var vf VF
	err := walk(b, func(typ uint16, v []byte) error {
		if len(v) < 8 {
			return nil // a value this package does not know, or none
		}
		value := u32(v[4:])
		switch typ {
		case nl.IFLA_VF_MAC: // struct ifla_vf_mac: the address has room for 32 bytes
			vf.Index = s32(v)
			if len(v) >= 10 {
				vf.MAC = hexMAC(v[4:10])
			}
		case nl.IFLA_VF_VLAN:
			vf.VLAN = int(value)
		case nl.IFLA_VF_SPOOFCHK:
			vf.SpoofCheck = setting(value)
		case nl.IFLA_VF_TRUST:
			vf.Trust = setting(value)
		case nl.IFLA_VF_LINK_STATE:
			vf.LinkState = vfLinkState(value)
		}
		return nil
	})
	return vf, err
}

// setting is a switch of a virtual function: all ones is what a driver that
// lacks it leaves there.
func setting(v uint32) *bool {
	if v == ^uint32(0) {
		return nil
	}
	on := v != 0
	return &on
}

func vfLinkState(v uint32) string {
	switch v {
	case nl.IFLA_VF_LINK_STATE_AUTO:
		return "auto"
	case nl.IFLA_VF_LINK_STATE_ENABLE:
		return "enable"
	case nl.IFLA_VF_LINK_STATE_DISABLE:
		return "disable"
	}
	return strconv.FormatUint(uint64(v), 10)
}
