//go:build cgo

package libvirtnet

import (
	"context"

	"libvirt.org/go/libvirt"

	"github.com/kvnet/kvnet/xml"
)

var updateCommands = map[UpdateCommand]libvirt.NetworkUpdateCommand{
	UpdateAdd:    libvirt.NETWORK_UPDATE_COMMAND_ADD_LAST,
	UpdateDelete: libvirt.NETWORK_UPDATE_COMMAND_DELETE,
	UpdateModify: libvirt.NETWORK_UPDATE_COMMAND_MODIFY,
}

var updateSections = map[xml.Section]libvirt.NetworkUpdateSection{
	xml.DHCPHosts:         libvirt.NETWORK_SECTION_IP_DHCP_HOST,
	xml.DHCPRanges:        libvirt.NETWORK_SECTION_IP_DHCP_RANGE,
	xml.ForwardInterfaces: libvirt.NETWORK_SECTION_FORWARD_INTERFACE,
	xml.PortGroups:        libvirt.NETWORK_SECTION_PORTGROUP,
	xml.DNSHosts:          libvirt.NETWORK_SECTION_DNS_HOST,
	xml.DNSTexts:          libvirt.NETWORK_SECTION_DNS_TXT,
	xml.DNSServices:       libvirt.NETWORK_SECTION_DNS_SRV,
}

// UpdateNetwork changes one entry of a section in the running network (live)
// or in the definition.
func (c *Conn) UpdateNetwork(ctx context.Context, key string, u SectionUpdate, entry string, live bool) error {
	object := "network " + show(key)
	if err := checkDocument(opUpdateNetwork, object, entry); err != nil {
		return err
	}
	command, known := updateCommands[u.Command]
	section, placed := updateSections[u.Section]
	if !known || !placed {
		return &Error{Op: opUpdateNetwork, Object: object, Message: "libvirt cannot " + string(u.Command) + " " + string(u.Section), Kind: ErrNotSupported}
	}
	if u.Command == UpdateDelete && u.Section == xml.DNSHosts {
		// libvirt deletes none where the address fits one host and a name another, as
		// those of a guest with an IPv4 and an IPv6 address do.
		entry = xml.DNSHostOf(entry)
	}
	flags := libvirt.NETWORK_UPDATE_AFFECT_CONFIG
	if live {
		flags = libvirt.NETWORK_UPDATE_AFFECT_LIVE
	}
	return c.onNetwork(ctx, opUpdateNetwork, key, func(h *libvirt.Network) error {
		return h.Update(command, section, u.Parent, entry, flags)
	})
}
