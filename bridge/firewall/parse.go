package firewall

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const nfgenmsgLen = 4 // struct nfgenmsg, linux/netfilter/nfnetlink.h

// header splits struct nfgenmsg off a message.
func header(b []byte) (family string, rest []byte, err error) {
	if len(b) < nfgenmsgLen {
		return "", nil, errTruncated
	}
	return familyName(b[0]), b[nfgenmsgLen:], nil
}

func parseTable(b []byte) (t Table, err error) {
	family, rest, err := header(b)
	t = Table{Family: family, Chains: []Chain{}}
	if err == nil {
		err = walk(rest, func(typ uint16, v []byte) error {
			switch typ {
			case 1: // NFTA_TABLE_NAME
				t.Name = cString(v)
			case 2: // NFTA_TABLE_FLAGS
				t.Dormant = be32(v)&1 != 0
			case 4: // NFTA_TABLE_HANDLE
				t.Handle = be64(v)
			}
			return nil
		})
	}
	if err != nil {
		return t, fmt.Errorf("parse table: %w", err)
	}
	return t, nil
}

// place says in which table, and chain or set, an object belongs.
type place struct{ family, table, name string }

func parseChain(b []byte) (at place, c Chain, err error) {
	family, rest, err := header(b)
	at.family = family
	c.Rules = []Rule{}
	var base Base
	if err == nil {
		err = walk(rest, func(typ uint16, v []byte) (err error) {
			switch typ {
			case 1: // NFTA_CHAIN_TABLE
				at.table = cString(v)
			case 2: // NFTA_CHAIN_HANDLE
				c.Handle = be64(v)
			case 3: // NFTA_CHAIN_NAME
				c.Name = cString(v)
			case 4: // NFTA_CHAIN_HOOK
				c.Base = &base
				err = parseHook(&base, family, v)
			case 6: // NFTA_CHAIN_USE
				c.use = be32(v)
			case 5: // NFTA_CHAIN_POLICY
				base.Policy = "drop"
				if be32(v) == 1 {
					base.Policy = "accept"
				}
			case 7: // NFTA_CHAIN_TYPE
				base.Type = cString(v)
			}
			return err
		})
	}
	if err != nil {
		return at, c, fmt.Errorf("parse chain: %w", err)
	}
	return at, c, nil
}

var inetHooks = []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}

// hookName is nft's word for a hook number, which differs by family.
func hookName(family string, n uint32) string {
	names := inetHooks
	switch family {
	case "arp":
		names = []string{"input", "output", "forward"}
	case "netdev":
		names = []string{"ingress", "egress"}
	}
	if n >= uint32(len(names)) {
		return fmt.Sprintf("hook %d", n)
	}
	return names[n]
}

func parseHook(base *Base, family string, b []byte) error {
	return walk(b, func(typ uint16, v []byte) error {
		switch typ {
		case 1: // NFTA_HOOK_HOOKNUM
			base.Hook = hookName(family, be32(v))
		case 2: // NFTA_HOOK_PRIORITY
			base.Priority = int(int32(be32(v))) // the kernel's s32
		case 3: // NFTA_HOOK_DEV
			if !slices.Contains(base.Devices, cString(v)) {
				base.Devices = append(base.Devices, cString(v))
			}
		case 4: // NFTA_HOOK_DEVS
			return walk(v, func(_ uint16, dev []byte) error {
				if !slices.Contains(base.Devices, cString(dev)) {
					base.Devices = append(base.Devices, cString(dev))
				}
				return nil
			})
		}
		return nil
	})
}

// rawRule is a rule's message taken apart as far as its place.
type rawRule struct {
	family          uint8 // NFPROTO_*
	table, chain    []byte
	handle          uint64
	exprs, userdata []byte
}

func splitRule(b []byte) (r rawRule, err error) {
	if len(b) < nfgenmsgLen {
		return r, errTruncated
	}
	r.family = b[0]
	err = walk(b[nfgenmsgLen:], func(typ uint16, v []byte) error {
		switch typ {
		case 1: // NFTA_RULE_TABLE
			r.table = v
		case 2: // NFTA_RULE_CHAIN
			r.chain = v
		case 3: // NFTA_RULE_HANDLE
			r.handle = be64(v)
		case 4: // NFTA_RULE_EXPRESSIONS
			r.exprs = v
		case 7: // NFTA_RULE_USERDATA
			r.userdata = v
		}
		return nil
	})
	return r, err
}

// parseRule reads a rule's expressions; those that rules have in common are
// taken from the pool. A rule that cannot be read whole is Damaged.
func parseRule(raw rawRule, p *exprPool) (r Rule, err error) {
	r = Rule{Handle: raw.handle, Comment: userComment(raw.userdata), Packets: counted(raw.exprs)}
	r.Exprs, err = p.list(raw.exprs, raw.family)
	if err != nil {
		r.Damaged = true
		return r, fmt.Errorf("parse rule: %w", err)
	}
	return r, nil
}

// counted is what the counter of a rule says, which is no part of the
// expressions that rules share.
func counted(exprs []byte) (packets uint64) {
	_ = walk(exprs, func(_ uint16, elem []byte) error {
		name, raw, err := splitExpr(elem)
		if err == nil && string(bytes.TrimRight(name, "\x00")) == "counter" {
			v, _ := nested(raw, 2) // NFTA_COUNTER_PACKETS
			packets = be64(v)
		}
		return nil
	})
	return packets
}

// userComment reads a comment out of user data: type, length, value in bytes;
// type 0 is NFTNL_UDATA_RULE_COMMENT of libnftnl.
func userComment(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == 0 {
			return strings.ToValidUTF8(cString(b[2:2+int(b[1])]), "?")
		}
		b = b[2+int(b[1]):]
	}
	return ""
}

// Flags of NFTA_SET_FLAGS (NFT_SET_*).
const (
	setAnonymous = 0x1
	setInterval  = 0x4
	setMap       = 0x8
	setEval      = 0x20
	setObject    = 0x40
	setExpr      = 0x100

	dataVerdict = 0xffffff00 // NFT_DATA_VERDICT
)
