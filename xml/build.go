package xml

import (
	"errors"
	"fmt"

	"github.com/beevik/etree"
)

// ErrOtherUUID says that a document carries another UUID than the network it
// is meant for.
var ErrOtherUUID = errors.New("document has another UUID")

// Build writes a new document for a wish, in the shape in which virsh shows
// one. It holds what is wished and nothing else: see [Network.Default] for
// what a usual network needs. The error is that of [Check], or names what
// libvirt requires of a whole definition.
func Build(n Network) (string, error) {
	if err := errors.Join(Check(n), whole(n)); err != nil {
		return "", fmt.Errorf("build network: %w", err)
	}
	if n.VirtualPort != "" && n.VirtualPort != "openvswitch" {
		return "", fmt.Errorf("build network: virtual port %s has parameters: write the document", n.VirtualPort)
	}
	tree := etree.NewDocument()
	root := tree.CreateElement("network")
	apply(root, Network{Mode: Isolated}, n.spelled())
	tree.CreateText("\n")
	return write(tree)
}

// whole is what libvirt requires of a definition beyond its single values. That
// mode open needs a subnet, too, is over: package lint knows since when.
func whole(n Network) error {
	if (n.Mode == NAT || n.Mode == Route) && len(n.IPs) == 0 {
		return fmt.Errorf("mode %s needs a subnet", n.Mode)
	}
	return nil
}

// spelled is the wish in libvirt's spelling of MAC and UUID.
func (n Network) spelled() Network {
	if mac, err := ParseMAC(n.MAC); err == nil {
		n.MAC = mac
	}
	if uuid, err := ParseUUID(n.UUID); err == nil {
		n.UUID = uuid
	}
	ips := n.IPs
	if ips != nil {
		n.IPs = make([]IP, len(ips))
	}
	for i, ip := range ips {
		if ip.Hosts != nil {
			hosts := make([]Host, len(ip.Hosts))
			for j, h := range ip.Hosts {
				if mac, err := ParseMAC(h.MAC); err == nil {
					h.MAC = mac
				}
				hosts[j] = h
			}
			ip.Hosts = hosts
		}
		n.IPs[i] = ip
	}
	return n
}

// Edit makes a document fulfil a wish and leaves alone what the wish is silent
// about: elements and attributes unknown to this package, namespaces, comments
// and order. A change of mode takes out what the new mode cannot have.
//
// The wish may do without a name. A UUID other than the document's is
// [ErrOtherUUID]. A document that [Check] finds sound is never made unsound:
// that is an error too.
func Edit(doc string, want Network) (string, error) {
	tree, err := load(doc, "network")
	if err != nil {
		return "", fmt.Errorf("edit network: %w", err)
	}
	have, err := network(tree.Root())
	if err != nil {
		return "", fmt.Errorf("edit network: %w", err)
	}
	want = want.spelled()
	if want.UUID != "" && have.UUID != "" && want.UUID != have.UUID {
		return "", fmt.Errorf("edit network %s: %w: %s, want %s", clip(have.Name), ErrOtherUUID, have.UUID, want.UUID)
	}
	asked := want
	if asked.Name == "" {
		asked.Name = have.Name
	}
	if asked.Mode == "" {
		asked.Mode = have.Mode
	}
	if err := check(asked, want.Name != ""); err != nil {
		return "", fmt.Errorf("edit network %s: %w", clip(have.Name), err)
	}
	sound := errors.Join(Check(have), whole(have)) == nil
	apply(tree.Root(), have, want)
	made, err := network(tree.Root())
	if err == nil && sound {
		err = errors.Join(Check(made), whole(made))
	}
	if err != nil {
		return "", fmt.Errorf("edit network %s: %w", clip(have.Name), err)
	}
	return write(tree)
}

// KeepIdentity puts a network's UUID, and the MAC of its bridge where the
// document has none, into a document that is to redefine it: libvirt refuses
// to redefine a name with another UUID, and a new MAC cuts the guests that
// remember the gateway's. Either may be "". A document with a UUID of its own
// that differs is [ErrOtherUUID]. The rest of the document stays; it comes
// back as UTF-8, whatever it was.
func KeepIdentity(doc, uuid, mac string) (string, error) {
	tree, err := load(doc, "network")
	if err != nil {
		return "", fmt.Errorf("read network: %w", err)
	}
	have, err := network(tree.Root())
	if err != nil {
		return "", fmt.Errorf("read network: %w", err)
	}
	if uuid != "" {
		if uuid, err = ParseUUID(uuid); err != nil {
			return "", err
		}
		if have.UUID != "" && have.UUID != uuid {
			return "", fmt.Errorf("redefine network %s: %w: %s, want %s", clip(have.Name), ErrOtherUUID, have.UUID, uuid)
		}
		if have.UUID == "" {
			setText(ensure(tree.Root(), "uuid"), uuid)
		}
	}
	if mac != "" && have.MAC == "" && have.Managed() {
		if mac, err = ParseMAC(mac); err != nil {
			return "", err
		}
		setAttr(ensure(tree.Root(), "mac"), "address", mac)
	}
	return write(tree)
}
