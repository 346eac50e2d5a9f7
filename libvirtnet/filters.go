//go:build cgo

package libvirtnet

import (
	"context"

	"libvirt.org/go/libvirt"
)

// HasFilter says whether there is a network filter of that name. libvirt looks
// for it only when a guest starts. ErrNotSupported says that the driver has no
// filters.
func (c *Conn) HasFilter(ctx context.Context, name string) (bool, error) {
	return ask(ctx, c, func() (bool, error) {
		h, err := c.raw.LookupNWFilterByName(name)
		switch {
		case err == nil:
			return true, h.Free()
		case isCode(err, int(libvirt.ERR_NO_NWFILTER)):
			return false, nil
		}
		return false, toError("find filter", show(name), err)
	})
}
