package bridge

import (
	"context"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// genlHeader is struct genlmsghdr (linux/genetlink.h).
const genlHeader = 4

// generic is a socket for generic netlink and the families that the kernel
// has.
type generic struct {
	*conn
	families map[string]int
}

// dialGeneric opens a socket and asks for all families. Asking for a single one
// by name would have the kernel load a module for it.
func dialGeneric(ctx context.Context) (*generic, error) {
	c, err := dial(unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	g := &generic{conn: c, families: map[string]int{}}
	msgs, err := c.dump(ctx, nl.GENL_ID_CTRL, nl.GENL_ID_CTRL, []byte{nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION, 0, 0})
	if err != nil {
		c.close()
		return nil, err
	}
	for _, m := range msgs {
		name, id, err := parseFamily(m)
		if err != nil {
			c.close()
			return nil, err
		}
		g.families[name] = id
	}
	return g, nil
}

func parseFamily(b []byte) (name string, id int, err error) {
	if len(b) < genlHeader {
		return "", 0, errTruncated
	}
	err = walk(b[genlHeader:], func(typ uint16, v []byte) error {
		switch typ {
		case nl.GENL_CTRL_ATTR_FAMILY_NAME:
			name = cString(v)
		case nl.GENL_CTRL_ATTR_FAMILY_ID:
			id = int(u16(v))
		}
		return nil
	})
	return name, id, err
}
