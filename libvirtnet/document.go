package libvirtnet

import (
	"errors"
	"strings"

	"github.com/beevik/etree"

	"github.com/kvnet/kvnet/xml"
)

// Interface is one <interface> of a guest, as its document has it.
type Interface = xml.Interface

// Change is one difference between the definition that is and the one that
// is wanted.
type Change = xml.Change

// rootOf reads a document whose root has to be the tag.
func rootOf(doc, tag string) (*etree.Element, error) {
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		return nil, err
	}
	root := tree.Root()
	if root == nil {
		return nil, errors.New("the document is empty")
	}
	if len(tree.ChildElements()) > 1 {
		return nil, errors.New("the document has a second root element")
	}
	if root.Tag != tag {
		return nil, errors.New("the document is a <" + show(root.Tag) + ">, not a <" + tag + ">")
	}
	return root, nil
}

func text(e *etree.Element, child string) string {
	if c := e.SelectElement(child); c != nil {
		return strings.TrimSpace(c.Text())
	}
	return ""
}

func elementText(e *etree.Element) (string, error) {
	tree := etree.NewDocument()
	tree.SetRoot(e.Copy())
	return tree.WriteToString()
}

// keepIdentity puts what a network already is into a document that leaves it
// open: its UUID, and, where libvirt owns the bridge, the bridge's MAC and
// name, for which libvirt would choose new ones.
func keepIdentity(have *Network, doc string, want xml.Network) (string, error) {
	def := have.Def()
	if have.Config != nil {
		def = *have.Config
	}
	doc, err := xml.KeepIdentity(doc, have.UUID, def.MAC)
	if err != nil || want.Bridge != "" || def.Bridge == "" || !want.Managed() || !def.Managed() {
		return doc, err
	}
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		return "", err
	}
	bridge := tree.Root().SelectElement("bridge")
	if bridge == nil {
		bridge = tree.Root().CreateElement("bridge")
	}
	bridge.CreateAttr("name", def.Bridge)
	return tree.WriteToString()
}

// parseInterface reads an <interface> element that stands alone.
func parseInterface(doc string) (Interface, error) {
	root, err := rootOf(doc, "interface")
	if err != nil {
		return Interface{}, err
	}
	whole := etree.NewElement("domain")
	whole.CreateElement("devices").AddChild(root.Copy())
	if doc, err = elementText(whole); err != nil {
		return Interface{}, err
	}
	g, err := xml.ParseGuest(doc)
	if err != nil {
		return Interface{}, err
	}
	return g.Interfaces[0], nil
}
