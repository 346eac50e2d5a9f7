package bridge

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Attributes and special indexes of linux/netconf.h.
const (
	netconfLen        = 4 // struct netconfmsg is one byte, padded
	netconfIfindex    = 1
	netconfForwarding = 2
	netconfRPFilter   = 3
	netconfProxy      = 5
	netconfLinkdown   = 6
	netconfAll        = -1
	netconfDefault    = -2
)

type forwardingMsg struct {
	Forwarding
	index int
}

func (c *conn) forwarding(ctx context.Context) ([]forwardingMsg, error) {
	header := make([]byte, netconfLen) // family 0: all
	return dumpAll(ctx, c, dumpRequest{unix.RTM_GETNETCONF, unix.RTM_NEWNETCONF, header}, parseNetconf)
}

// parseNetconf reads struct netconfmsg and its attributes.
func parseNetconf(b []byte) (forwardingMsg, bool, error) {
	var f forwardingMsg
	if len(b) < netconfLen {
		return f, false, fmt.Errorf("parse netconf: %w", errTruncated)
	}
	if _, ok := ipFamily(b[0]); !ok {
		return f, false, nil
	}
	f.Family = ipVersion(b[0])
	err := walk(b[netconfLen:], func(typ uint16, v []byte) error {
		switch typ {
		case netconfIfindex:
			f.index = s32(v)
		case netconfForwarding:
			f.On = u32(v) != 0
		case netconfRPFilter:
			f.RPFilter = int(u32(v))
		case netconfProxy:
			f.Proxy = u32(v) != 0
		case netconfLinkdown:
			f.IgnoreLinkdown = u32(v) != 0
		}
		return nil
	})
	if err != nil {
		return f, false, fmt.Errorf("parse netconf: %w", err)
	}
	return f, f.index != 0, nil
}

func (f forwardingMsg) resolve(n names) Forwarding {
	switch f.index {
	case netconfAll:
		f.Link = "all"
	case netconfDefault:
		f.Link = "default"
	default:
		f.Link = n.of(f.index)
	}
	return f.Forwarding
}
