package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

// standInTable is the table of a stand-in.
const standInTable = "kvnet_restart"

// Place is where nf_tables has a rule.
type Place struct {
	Family, Table, Chain string
	Handle               uint64
}

// StandIn takes rules for a link out, and has the host pass on between that link
// and others what belongs to a connection that is established, and nothing else:
// one transaction, all of it or none. That ends with a call of end, or
// with the process: the table has an owner (NFT_TABLE_F_OWNER,
// linux/netfilter/nf_tables.h, Linux 5.12). The rules are then gone. It needs
// CAP_NET_ADMIN.
func StandIn(ctx context.Context, link string, rules []Place) (end func(), err error) {
	if link == "" || len(link) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("stand in for the rules of %q: %w", link, unix.EINVAL)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := socket.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	list := append([]socket.Request{{Type: unix.NFNL_MSG_BATCH_BEGIN, Payload: batchHeader()}}, standIn(link)...)
	for _, r := range rules {
		list = append(list, request(unix.NFT_MSG_DELRULE, 0, familyNumber(r.Family),
			textAttr(unix.NFTA_RULE_TABLE, r.Table), textAttr(unix.NFTA_RULE_CHAIN, r.Chain),
			attr(unix.NFTA_RULE_HANDLE, binary.BigEndian.AppendUint64(nil, r.Handle))))
	}
	// What the kernel refuses it answers in order: with this one confirmed, none was.
	list[len(list)-1].Flags |= unix.NLM_F_ACK
	list = append(list, socket.Request{Type: unix.NFNL_MSG_BATCH_END, Payload: batchHeader()})
	err = c.AskAll(func(uint16, []byte) error { return nil }, list...)
	if err = errors.Join(err, ctx.Err()); err != nil {
		c.Close()
		return nil, fmt.Errorf("stand in for the rules of %s: %w", link, err)
	}
	return c.Close, nil
}

// standIn makes the table: in front of other rules, so that none of them
// passes anything on first.
func standIn(link string) []socket.Request {
	const chain, beforeFilter, create = "forward", -10, unix.NLM_F_CREATE
	table := textAttr(unix.NFTA_TABLE_NAME, standInTable)
	list := []socket.Request{
		request(unix.NFT_MSG_NEWTABLE, create, unix.NFPROTO_INET, table, numberAttr(unix.NFTA_TABLE_FLAGS, tableOwner)),
		request(unix.NFT_MSG_NEWCHAIN, create, unix.NFPROTO_INET, table, textAttr(unix.NFTA_CHAIN_NAME, chain),
			nest(unix.NFTA_CHAIN_HOOK, numberAttr(unix.NFTA_HOOK_HOOKNUM, unix.NF_INET_FORWARD), numberAttr(unix.NFTA_HOOK_PRIORITY, beforeFilter)),
			numberAttr(unix.NFTA_CHAIN_POLICY, verdictAccept), textAttr(unix.NFTA_CHAIN_TYPE, "filter")),
	}
	for _, key := range []int{unix.NFT_META_IIFNAME, unix.NFT_META_OIFNAME} {
		list = append(list, request(unix.NFT_MSG_NEWRULE, create|unix.NLM_F_APPEND, unix.NFPROTO_INET,
			textAttr(unix.NFTA_RULE_TABLE, standInTable), textAttr(unix.NFTA_RULE_CHAIN, chain),
			nest(unix.NFTA_RULE_EXPRESSIONS, dropNew(key, link)...)))
	}
	return list
}

// What the system's module does not name: NFT_TABLE_F_OWNER, and NF_DROP and
// NF_ACCEPT (linux/netfilter.h).
const (
	tableOwner    = 2
	verdictDrop   = 0
	verdictAccept = 1
)

// dropNew drops what comes from a link, or goes to it, unless its connection is
// established or related to one.
func dropNew(key int, link string) [][]byte {
	const register = unix.NFT_REG_1
	established := binary.NativeEndian.AppendUint32(nil, 1<<1|1<<2) // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED
	zero := make([]byte, 4)
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, link)
	return [][]byte{
		expression("meta", numberAttr(unix.NFTA_META_DREG, register), numberAttr(unix.NFTA_META_KEY, key)),
		expression("cmp", numberAttr(unix.NFTA_CMP_SREG, register), numberAttr(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ), nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, name))),
		expression("ct", numberAttr(unix.NFTA_CT_DREG, register), numberAttr(unix.NFTA_CT_KEY, unix.NFT_CT_STATE)),
		expression("bitwise", numberAttr(unix.NFTA_BITWISE_SREG, register), numberAttr(unix.NFTA_BITWISE_DREG, register), numberAttr(unix.NFTA_BITWISE_LEN, len(zero)),
			nest(unix.NFTA_BITWISE_MASK, attr(unix.NFTA_DATA_VALUE, established)), nest(unix.NFTA_BITWISE_XOR, attr(unix.NFTA_DATA_VALUE, zero))),
		expression("cmp", numberAttr(unix.NFTA_CMP_SREG, register), numberAttr(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ), nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, zero))),
		expression("immediate", numberAttr(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
			nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, numberAttr(unix.NFTA_VERDICT_CODE, verdictDrop)))),
	}
}
