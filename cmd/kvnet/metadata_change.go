package main

import (
	"context"
	"errors"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// metadataOptions say which part of a network's metadata is meant, and what
// becomes of it.
type metadataOptions struct {
	changeOptions
	name         string
	kind         libvirtnet.MetadataKind
	uri, key     string  // of an element
	text         string  // "": remove it
	former       *string // what a person saw when the text was written; nil: nobody looked
	live, config bool
}

// of is the part of a network's metadata that is meant.
func (o metadataOptions) of(m xml.Metadata) xml.MetadataElement {
	switch o.kind {
	case libvirtnet.Title:
		return xml.MetadataElement{Text: m.Title}
	case libvirtnet.Description:
		return xml.MetadataElement{Text: m.Description}
	}
	return m.Element(o.uri)
}

// has says whether the part is as wanted.
func (o metadataOptions) has(m xml.Metadata) bool {
	if o.kind != libvirtnet.Element {
		return o.of(m).Text == o.text
	}
	return o.of(m).Same(xml.MetadataElement{URI: o.uri, Key: o.key, Text: o.text})
}

func (o metadataOptions) what() string {
	if o.kind == libvirtnet.Element {
		return "metadata"
	}
	return string(o.kind)
}

// metadata reads what the network says now, without changing anything.
func (e *env) metadata(ctx context.Context, command string, o metadataOptions) (libvirtnet.Network, xml.Metadata, error) {
	var m xml.Metadata
	if o.live && o.config {
		return libvirtnet.Network{}, m, usage(command, "--live and --config exclude each other where nothing is set", "")
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return libvirtnet.Network{}, m, err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, o.name)
	if err != nil {
		return n, m, err
	}
	t := netTarget{conn: conn, have: n}
	live, _, err := t.layers("read "+o.what()+" of", o.live, o.config)
	if err == nil {
		_, m, err = t.metadata(ctx, live)
	}
	return n, m, err
}

// metadata is that of one layer, with the layer's document.
func (t netTarget) metadata(ctx context.Context, live bool) (string, xml.Metadata, error) {
	doc, err := t.conn.NetworkXML(ctx, t.have.UUID, !live)
	if err != nil {
		return "", xml.Metadata{}, err
	}
	m, err := xml.ParseMetadata(doc)
	return doc, m, err
}

// settable are the layers in which a part of the metadata can be set as wished.
func (t netTarget) settable(ctx context.Context, o metadataOptions) (live, config bool, err error) {
	op := "set " + o.what() + " of"
	if err := t.conn.TakesMetadata(ctx, t.have.UUID); errors.Is(err, libvirtnet.ErrNotSupported) {
		return false, false, &failure{op: op, object: t.object(), err: bareError(err)}
	} else if err != nil {
		return false, false, err
	}
	return t.layers(op, o.live, o.config)
}

func runSetMetadata(ctx context.Context, e *env, o metadataOptions) error {
	t, err := e.target(ctx, o.name, o.changeOptions)
	if err != nil {
		return err
	}
	defer t.conn.Close()
	op := "set " + o.what() + " of"
	live, config, err := t.settable(ctx, o)
	if err != nil {
		return err
	}
	if o.former != nil {
		if _, m, err := t.metadata(ctx, live); err != nil {
			return err
		} else if o.of(m).Text != *o.former {
			return refuse(op, t.object(), errors.New("it was changed in the meantime"), "")
		}
	}
	plan := libvirtnet.Plan{Network: t.have.Name}
	var names []string
	for _, l := range layersOf(live, config) {
		doc, m, err := t.metadata(ctx, l.live)
		if err != nil {
			return err
		}
		if o.has(m) || o.former != nil && o.text == *o.former {
			continue // nothing was edited, whatever the other layer says
		}
		// Escaped, a character takes up to six bytes.
		if len(doc)+6*len(o.text) > xml.MaxDocument {
			return &failure{op: op, object: t.object(), err: errors.New("its document would be longer than libvirt takes")}
		}
		former := o.of(m)
		names = append(names, l.name)
		u := libvirtnet.MetadataUpdate{Kind: o.kind, URI: o.uri, Key: o.key, Former: former.Text, FormerKey: former.Key}
		plan = plan.With(libvirtnet.PlanMetadata(t.have, u, o.text, l.live))
	}
	if o.stops() {
		return e.printPlan(plan, o.changeOptions)
	}
	if plan.Empty() {
		return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: "unchanged"})
	}
	err = e.carryOut(ctx, t.conn, change{
		op: op, object: t.object(), plan: plan, world: t.world,
		settle: func(ctx context.Context) error {
			for _, l := range layersOf(live, config) {
				if _, m, err := t.metadata(ctx, l.live); err != nil {
					return err
				} else if !o.has(m) {
					return &failure{op: "verify", object: t.object(), err: errors.New("libvirt said yes, and its document does not show it")}
				}
			}
			return nil
		},
	}, o.changeOptions)
	if err != nil {
		return err
	}
	result := map[bool]string{true: "removed", false: "set"}[o.text == ""]
	line := o.what() + " " + result + ": " + strings.Join(names, " and ")
	return e.printNetChange(ctx, t.conn, netChange{Network: t.have.Name, Result: result, lines: []string{line}})
}

// layer is the definition or the running network.
type layer struct {
	live bool
	name string
}

func layersOf(live, config bool) []layer {
	var list []layer
	if config {
		list = append(list, layer{false, "definition"})
	}
	if live {
		list = append(list, layer{true, "running network"})
	}
	return list
}
