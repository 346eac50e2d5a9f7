//go:build cgo

package libvirtnet

import (
	"context"
	"fmt"

	"libvirt.org/go/libvirt"
)

var metadataTypes = map[MetadataKind]libvirt.NetworkMetadataType{
	Description: libvirt.NETWORK_METADATA_DESCRIPTION,
	Title:       libvirt.NETWORK_METADATA_TITLE,
	Element:     libvirt.NETWORK_METADATA_ELEMENT,
}

// metadataSince is the first libvirt with virNetworkSetMetadata.
const metadataSince = KeepsNotes

// TakesMetadata says whether [Conn.SetMetadata] works, on both sides of the
// connection; the error is an ErrNotSupported when it does not.
func (c *Conn) TakesMetadata(ctx context.Context, key string) error {
	object := "network " + show(key)
	library, err := libvirt.GetVersion()
	if err != nil {
		return toError(opMetadata, object, err)
	}
	refuse := func(who string) error {
		return &Error{Op: opMetadata, Object: object, Kind: ErrNotSupported, Message: who + " cannot: that takes libvirt 9.7, on both sides of the connection"}
	}
	if library < metadataSince { // the library has no such symbol
		return refuse(fmt.Sprintf("libvirt's library %d.%d.%d", library/1_000_000, library/1_000%1_000, library%1_000))
	}
	var old bool
	err = c.onNetwork(ctx, opMetadata, key, func(h *libvirt.Network) error {
		_, err := h.GetMetadata(libvirt.NETWORK_METADATA_DESCRIPTION, "", libvirt.NETWORK_UPDATE_AFFECT_CURRENT)
		switch {
		case isCode(err, int(libvirt.ERR_NO_NETWORK_METADATA)):
			return nil
		case isCode(err, codeNoSupport):
			old = true
			return nil
		}
		return err
	})
	if old {
		return refuse("libvirt's daemon or driver")
	}
	return err
}

// SetMetadata sets a part of a network's metadata, or removes it where text is
// "", in the running network (live) or in the definition.
func (c *Conn) SetMetadata(ctx context.Context, key string, u MetadataUpdate, text string, live bool) error {
	object := "network " + show(key)
	if err := checkDocument(opMetadata, object, text+u.Key+u.URI); err != nil {
		return err
	}
	if library, err := libvirt.GetVersion(); err != nil || library < metadataSince {
		return &Error{Op: opMetadata, Object: object, Kind: ErrNotSupported}
	}
	flags := libvirt.NETWORK_UPDATE_AFFECT_CONFIG
	if live {
		flags = libvirt.NETWORK_UPDATE_AFFECT_LIVE
	}
	return c.onNetwork(ctx, opMetadata, key, func(h *libvirt.Network) error {
		return h.SetMetadata(metadataTypes[u.Kind], text, u.Key, u.URI, flags)
	})
}
