package bridge

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	ruleHeaderLen = 12  // struct fib_rule_hdr, linux/fib_rules.h
	ruleInvert    = 0x2 // FIB_RULE_INVERT
)

func (c *conn) rules(ctx context.Context) ([]Rule, error) {
	header := make([]byte, ruleHeaderLen) // family 0: all
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETRULE, unix.RTM_NEWRULE, header}, parseRule)
}

// parseRule reads struct fib_rule_hdr and its attributes. Rules of families
// other than IP (multicast routing has its own) are left out.
func parseRule(b []byte) (Rule, bool, error) {
	r := Rule{SuppressPrefixLength: -1}
	if len(b) < ruleHeaderLen {
		return r, false, fmt.Errorf("parse rule: %w", errTruncated)
	}
	family := b[0]
	if _, ok := ipFamily(family); !ok {
		return r, false, nil
	}
	r.Family = ipVersion(family)
	r.Table = int(b[4])
	r.Action = ruleAction(b[7])
	r.Invert = u32(b[8:])&ruleInvert != 0
	if b[3] != 0 {
		r.Selectors = append(r.Selectors, "tos")
	}
	err := walk(b[ruleHeaderLen:], func(typ uint16, v []byte) (err error) {
		switch typ {
		case unix.FRA_DST:
			r.Dst, err = prefix(family, v, b[1])
		case unix.FRA_SRC:
			r.Src, err = prefix(family, v, b[2])
		case unix.FRA_IIFNAME:
			r.IIF = cString(v)
		case unix.FRA_OIFNAME:
			r.OIF = cString(v)
		case unix.FRA_PRIORITY:
			r.Priority = int(u32(v))
		case unix.FRA_TABLE:
			r.Table = int(u32(v))
		case unix.FRA_FWMARK:
			r.Mark = u32(v)
		case unix.FRA_FWMASK:
			r.Mask = u32(v)
		case unix.FRA_GOTO:
			r.Goto = int(u32(v))
		case unix.FRA_SUPPRESS_PREFIXLEN:
			r.SuppressPrefixLength = s32(v)
		default:
			if name := ruleSelector(typ); name != "" && hasValue(v) {
				r.Selectors = append(r.Selectors, name)
			}
		}
		return err
	})
	if err != nil {
		return r, false, fmt.Errorf("parse rule: %w", err)
	}
	slices.Sort(r.Selectors)
	return r, true, nil
}

// ruleSelector names a condition of which State keeps only the name.
func ruleSelector(typ uint16) string {
	switch typ {
	case unix.FRA_TUN_ID:
		return "tun_id"
	case unix.FRA_L3MDEV:
		return "l3mdev"
	case unix.FRA_UID_RANGE:
		return "uidrange"
	case unix.FRA_IP_PROTO:
		return "ipproto"
	case unix.FRA_SPORT_RANGE:
		return "sport"
	case unix.FRA_DPORT_RANGE:
		return "dport"
	}
	return ""
}

func hasValue(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return true
		}
	}
	return false
}

// ruleAction is what a rule does (FR_ACT_*, linux/fib_rules.h) in ip-rule(8)'s words.
func ruleAction(v uint8) string {
	switch v {
	case 1:
		return "lookup"
	case 2:
		return "goto"
	case 3:
		return "nop"
	case 6:
		return "blackhole"
	case 7:
		return "unreachable"
	case 8:
		return "prohibit"
	}
	return strconv.Itoa(int(v))
}
