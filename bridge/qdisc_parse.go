package bridge

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
)

const (
	// Offsets of the rates in struct tc_htb_opt, tc_tbf_qopt and tc_police
	// (linux/pkt_sched.h, linux/pkt_cls.h), and of the value in struct
	// tc_ratespec.
	htbRate, htbCeil = 0, 12
	tbfRate          = 0
	policeRate       = 20
	ratespecRate     = 8
	ratespecLen      = 12

	// TCA_POLICE_RATE64 (linux/pkt_cls.h).
	policeRate64 = 8
)

// ratespec is the rate of a struct tc_ratespec at an offset, in bytes per
// second. A rate that does not fit 32 bits stands there as all ones, and whole
// in an attribute of its own.
func ratespec(b []byte, at int) (uint64, error) {
	if len(b) < at+ratespecLen {
		return 0, errTruncated
	}
	return uint64(u32(b[at+ratespecRate:])), nil
}

// rate64 is a rate of 64 bits; 0 where it is cut short.
func rate64(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b)
}

// parseHTB reads TCA_OPTIONS of an htb class.
func parseHTB(b []byte) (Class, error) {
	var class Class
	var wideRate, wideCeil uint64
	err := walk(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case nl.TCA_HTB_PARMS:
			if class.Rate, err = ratespec(v, htbRate); err == nil {
				class.Ceil, err = ratespec(v, htbCeil)
			}
		case nl.TCA_HTB_RATE64:
			wideRate = rate64(v)
		case nl.TCA_HTB_CEIL64:
			wideCeil = rate64(v)
		}
		return err
	})
	class.Rate, class.Ceil = max(class.Rate, wideRate), max(class.Ceil, wideCeil)
	if err != nil {
		err = fmt.Errorf("parse htb class: %w", err)
	}
	return class, err
}

// parseTBF reads the rate from TCA_OPTIONS of a tbf qdisc.
func parseTBF(b []byte) (rate uint64, err error) {
	var wide uint64
	err = walk(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case nl.TCA_TBF_PARMS:
			rate, err = ratespec(v, tbfRate)
		case nl.TCA_TBF_RATE64:
			wide = rate64(v)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("parse tbf qdisc: %w", err)
	}
	return max(rate, wide), err
}

// actionsOf says where the actions of a filter stand in its TCA_OPTIONS, and
// the police of filters made the old way; 0 where there is none (TCA_U32_*,
// TCA_MATCHALL_*, TCA_FLOWER_*, TCA_BASIC_*, TCA_FW_*; linux/pkt_cls.h).
func actionsOf(kind string) (act, police uint16) {
	switch kind {
	case "u32":
		return nl.TCA_U32_ACT, nl.TCA_U32_POLICE
	case "matchall":
		return 2, 0
	case "flower":
		return 3, 0
	case "basic":
		return 3, 4
	case "fw":
		return 4, 2
	}
	return 0, 0
}

// parseFilter reads the rates of the police actions of a filter.
func parseFilter(kind string, options []byte) ([]uint64, error) {
	act, police := actionsOf(kind)
	var rates []uint64
	add := func(b []byte) error {
		rate, found, err := parsePolice(b)
		if found {
			rates = append(rates, rate)
		}
		return err
	}
	err := walk(options, func(typ uint16, v []byte) error {
		switch {
		case typ == 0:
		case typ == police:
			return add(v)
		case typ == act:
			return eachAction(v, func(kind string, options []byte) error {
				if kind != "police" {
					return nil
				}
				return add(options)
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("parse filter: %w", err)
	}
	return rates, nil
}

// parseChecksum says whether a filter has an action of kind csum.
func parseChecksum(kind string, options []byte) (found bool, err error) {
	act, _ := actionsOf(kind)
	err = walk(options, func(typ uint16, v []byte) error {
		if typ == 0 || typ != act {
			return nil
		}
		return eachAction(v, func(kind string, _ []byte) error {
			found = found || kind == "csum"
			return nil
		})
	})
	if err != nil {
		err = fmt.Errorf("parse filter: %w", err)
	}
	return found, err
}

// eachAction visits the actions of a filter, which are numbered attributes.
func eachAction(b []byte, f func(kind string, options []byte) error) error {
	return walk(b, func(_ uint16, action []byte) error {
		var kind string
		var options []byte
		err := walk(action, func(typ uint16, v []byte) error {
			switch typ {
			case nl.TCA_ACT_KIND:
				kind = cString(v)
			case nl.TCA_ACT_OPTIONS:
				options = v
			}
			return nil
		})
		if err != nil {
			return err
		}
		return f(kind, options)
	})
}

// parsePolice reads TCA_POLICE_*. A police may count packets and have no rate.
func parsePolice(b []byte) (rate uint64, found bool, err error) {
	var wide uint64
	err = walk(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case nl.TCA_POLICE_TBF:
			rate, err = ratespec(v, policeRate)
		case policeRate64:
			wide = rate64(v)
		}
		return err
	})
	rate = max(rate, wide)
	return rate, err == nil && rate > 0, err
}
