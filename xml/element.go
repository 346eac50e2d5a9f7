package xml

import (
	"errors"
	"fmt"
	"slices"

	"github.com/beevik/etree"
)

// Elements are the parts of a network that stand below its root and that
// libvirt does not change in a running network, by virsh's names of sections.
var Elements = []string{"bridge", "domain", "ip", "forward"}

// ErrNoElement says that the document has no such element.
var ErrNoElement = errors.New("no such element")

// SetElement puts an element below the root of a network's document: in place
// of the one that is there (an <ip>: of the one with the same address), or where
// libvirt writes it. The document has to be sound afterwards.
func SetElement(doc, tag, text string) (string, error) {
	return editElement(doc, tag, text, func(root, old, made *etree.Element) error {
		if old == nil {
			old = insert(root, tag)
		}
		at := old.Index()
		root.RemoveChildAt(at)
		root.InsertChildAt(at, made)
		return nil
	})
}

// DropElement takes an element out of a network's document: the <ip> with the
// address of the one that is given, or the only one of that name.
func DropElement(doc, tag, text string) (string, error) {
	return editElement(doc, tag, text, func(_, old, _ *etree.Element) error {
		if old == nil {
			return ErrNoElement
		}
		remove(old)
		return nil
	})
}

// HasElement says whether the document has an element, or the <ip> with the
// address of the one that is given.
func HasElement(doc, tag, text string) (bool, error) {
	has := false
	_, err := editElement(doc, tag, text, func(_, old, _ *etree.Element) error {
		has = old != nil
		return nil
	})
	return has, err
}

func editElement(doc, tag, text string, edit func(root, old, made *etree.Element) error) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("edit <%s> of network: %w", tag, err) }
	if !slices.Contains(Elements, tag) {
		return fail(errors.New("it is none that is edited whole"))
	}
	tree, err := load(doc, "network")
	if err != nil {
		return fail(err)
	}
	given, err := load(text, tag)
	if err != nil {
		return fail(err)
	}
	root, made := tree.Root(), given.Root().Copy()
	old := child(root, tag)
	if tag == "ip" {
		old = nil
		for _, e := range children(root, tag) {
			if spelledValue("ip", attr(e, "address")) == spelledValue("ip", attr(made, "address")) {
				old = e
			}
		}
	}
	if err := edit(root, old, made); err != nil {
		return fail(err)
	}
	def, err := network(root)
	if err == nil {
		err = Check(def)
	}
	if err != nil {
		return fail(err)
	}
	return write(tree)
}
