package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// readElement takes the flags of a section that libvirt cannot change in place.
func (o *netUpdateOptions) readElement(c *cli.Context, e *env, tag, action string) error {
	if !o.restart {
		return &failure{op: "update", object: "section " + tag, err: errors.New("libvirt cannot change it in place"),
			hint: "--restart changes the definition and restarts the network, its guests kept plugged in"}
	}
	if o.live || o.config {
		return usage("net-update", "--restart brings the definition into force: --live and --config do not go with it", "")
	}
	o.element, o.command = tag, libvirtnet.UpdateCommand(action)
	switch o.command {
	case libvirtnet.UpdateAdd, libvirtnet.UpdateDelete, libvirtnet.UpdateModify:
	default:
		return usage("net-update", "no action "+quote(action), "want add, delete or modify")
	}
	for _, f := range entryFlags() {
		if c.IsSet(f.Names()[0]) {
			return usage("net-update", "flag --"+f.Names()[0]+" is not of section "+tag, "--xml brings the element")
		}
	}
	if o.text = c.String("xml"); o.text == "" {
		return usage("net-update", "missing flag --xml: section "+tag+" is given as libvirt's XML", "")
	}
	var err error
	o.text, err = xmlText(c.Context, e, o.text)
	return err
}

// runElementUpdate changes an element of the definition and restarts the
// network.
func runElementUpdate(ctx context.Context, e *env, o netUpdateOptions) error {
	t, err := e.target(ctx, o.name, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	fail := func(err error) error {
		return &failure{op: string(o.command) + " " + o.element + " of", object: t.object(), err: errors.New(oneLine(err))}
	}
	if !t.have.Persistent {
		return fail(errors.New("it is transient: there is no definition to change"))
	}
	doc, err := t.conn.NetworkXML(ctx, t.have.UUID, true)
	if err != nil {
		return err
	}
	has, err := xml.HasElement(doc, o.element, o.text)
	switch {
	case err != nil:
		return fail(err)
	case !has && o.command != libvirtnet.UpdateAdd:
		return fail(xml.ErrNoElement)
	}
	edit := xml.SetElement
	if o.command == libvirtnet.UpdateDelete {
		edit = xml.DropElement
	}
	former := doc
	if doc, err = edit(doc, o.element, o.text); err != nil {
		return fail(err)
	}
	if has && o.command == libvirtnet.UpdateAdd {
		if same, err := sameNetwork(former, doc); err != nil {
			return fail(err)
		} else if !same {
			return fail(errors.New("it has one: modify changes it"))
		}
	}
	return e.defineDocument(ctx, t.conn, t.world, doc, netDefineOptions{changeOptions: o.changeOptions, name: t.have.Name, restart: true})
}

// sameNetwork says whether two documents define the same network.
func sameNetwork(a, b string) (bool, error) {
	have, errA := xml.Parse(a)
	want, errB := xml.Parse(b)
	return len(xml.Drift(have, want)) == 0, errors.Join(errA, errB)
}
