package libvirtnet

import (
	"errors"
	"strings"

	"github.com/beevik/etree"

	"github.com/kvnet/kvnet/xml"
)

// Change is one difference between two definitions.
type Change struct {
	Path string `json:"path"`
	Have string `json:"have"`
	Want string `json:"want"`
}

func rootOf(doc, tag string) (*etree.Element, error) {
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		return nil, err
	}
	root := tree.Root()
	if root == nil {
		return nil, errors.New("the document is empty")
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

// changes lists what differs between two definitions.
func changes(have, want xml.Network) []Change {
	var list []Change
	add := func(path, h, w string) {
		if h != w {
			list = append(list, Change{path, h, w})
		}
	}
	add("forward/@mode", string(have.Mode), string(want.Mode))
	add("bridge/@name", have.Bridge, want.Bridge)
	add("mac/@address", have.MAC, want.MAC)
	return list
}

// keepIdentity puts what have already is into a document that leaves it
// open: UUID, and, where libvirt owns the bridge, its name and MAC.
func keepIdentity(have *Network, doc string, want xml.Network) (string, error) {
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		return "", err
	}
	root, def := tree.Root(), have.Def()
	if have.Config != nil {
		def = *have.Config
	}
	if want.UUID == "" && have.UUID != "" {
		after(root, "name", "uuid").SetText(have.UUID)
	}
	if want.Managed() && def.Managed() {
		if want.Bridge == "" && def.Bridge != "" {
			after(root, "forward", "bridge").CreateAttr("name", def.Bridge)
		}
		if want.MAC == "" && def.MAC != "" {
			after(root, "bridge", "mac").CreateAttr("address", def.MAC)
		}
	}
	return tree.WriteToString()
}

// after returns the child tag of root, made behind the child before when
// there is none.
func after(root *etree.Element, before, tag string) *etree.Element {
	if e := root.SelectElement(tag); e != nil {
		return e
	}
	e := etree.NewElement(tag)
	if b := root.SelectElement(before); b != nil {
		root.InsertChildAt(b.Index()+1, e)
	} else {
		root.AddChild(e)
	}
	return e
}

func parseInterface(e *etree.Element) Interface {
	attr := func(child, name string) string {
		if c := e.SelectElement(child); c != nil {
			return c.SelectAttrValue(name, "")
		}
		return ""
	}
	i := Interface{
		Type: e.SelectAttrValue("type", ""), Target: attr("target", "dev"),
		Network: attr("source", "network"), Bridge: attr("source", "bridge"), Dev: attr("source", "dev"),
		Mode: attr("source", "mode"), PortID: attr("source", "portid"), PortGroup: attr("source", "portgroup"),
		MAC: strings.ToLower(attr("mac", "address")), Model: attr("model", "type"), Alias: attr("alias", "name"),
		Link: attr("link", "state"), Isolated: attr("port", "isolated") == "yes",
		VirtualPort: attr("virtualport", "type"), Filter: attr("filterref", "filter"),
		Managed: attr("target", "managed") != "no",
	}
	if s := e.SelectElement("source"); s != nil {
		for _, a := range s.Attr {
			if strings.Contains(" bridge dev network name path ", " "+a.Key+" ") {
				i.Source = a.Value
				break
			}
		}
	}
	return i
}
