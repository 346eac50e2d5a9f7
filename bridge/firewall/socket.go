package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// readTries bounds how often a reading that was overtaken by a change of
	// the ruleset is started again.
	readTries = 30
	// answerTimeout bounds the wait for one answer of the kernel.
	answerTimeout = 10 * time.Second
)

// errChanged: the ruleset changed while it was read.
var errChanged = errors.New("ruleset changed while it was read")

// conn is a netlink socket to netfilter, in the namespace of the thread that
// opened it.
type conn struct {
	sockets map[int]*nl.SocketHandle
}

func dial() (*conn, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	_ = s.SetSendTimeout(&limit) // these two only store the value
	_ = s.SetReceiveTimeout(&limit)
	return &conn{map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: s}}}, nil
}

func (c *conn) close() {
	for _, s := range c.sockets {
		s.Close()
	}
}

// request asks nf_tables; f gets every answer and says whether it wants more.
func (c *conn) request(msg, flags int, payload []byte, f func([]byte) bool) error {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|msg, flags)
	req.AddRawData(payload)
	req.Sockets = c.sockets
	err := req.ExecuteIter(unix.NETLINK_NETFILTER, 0, f)
	if errors.Is(err, nl.ErrDumpInterrupted) || errors.Is(err, unix.EINTR) {
		return errChanged
	}
	return err
}

// dump lists all objects of a kind in all families (NFPROTO_UNSPEC).
func (c *conn) dump(ctx context.Context, msg int, payload []byte, f func([]byte) error) error {
	if payload == nil {
		payload = make([]byte, nfgenmsgLen)
	}
	var failed error
	err := c.request(msg, unix.NLM_F_DUMP, payload, func(b []byte) bool {
		if failed = ctx.Err(); failed == nil {
			failed = f(b)
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// generation is the number that every change of the ruleset raises.
func (c *conn) generation() (gen uint32, err error) {
	err = c.request(unix.NFT_MSG_GETGEN, 0, make([]byte, nfgenmsgLen), func(b []byte) bool {
		if len(b) >= nfgenmsgLen {
			v, _ := nested(b[nfgenmsgLen:], 1) // NFTA_GEN_ID
			gen = be32(v)
		}
		return true
	})
	return gen, err
}

// elementsRequest asks for the elements of one set.
func elementsRequest(family, table, set string) []byte {
	b := []byte{familyNumber(family), 0, 0, 0}
	b = appendString(b, 1, table)  // NFTA_SET_ELEM_LIST_TABLE
	return appendString(b, 2, set) // NFTA_SET_ELEM_LIST_SET
}

func appendString(b []byte, typ uint16, s string) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(s)+1)) // names are at most 256 bytes
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(append(b, s...), 0)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func familyNumber(name string) uint8 {
	n := slices.IndexFunc([]uint8{1, 2, 3, 5, 7, 10}, func(n uint8) bool { return familyName(n) == name })
	if n < 0 {
		return 0
	}
	return []uint8{1, 2, 3, 5, 7, 10}[n]
}
