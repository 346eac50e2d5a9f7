package libvirtnet

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/xml"
)

const (
	labUUID = "11111111-2222-3333-4444-555555555555"
	labDoc  = `<network><name>lab</name><uuid>` + labUUID + `</uuid><forward mode="nat"/>` +
		`<bridge name="virbr7" stp="on" delay="0"/><mac address="52:54:00:00:00:07"/>` +
		`<ip address="10.7.0.1" prefix="24"/></network>`
)

// lab is the network of labDoc.
func lab(t *testing.T) Network {
	t.Helper()
	def, err := xml.Parse(labDoc)
	if err != nil {
		t.Fatal(err)
	}
	return Network{Name: "lab", UUID: labUUID, Persistent: true, Config: &def}
}

// does is what the steps of a plan do, in short.
func does(p Plan) string {
	var words []string
	for _, s := range p.Steps {
		if s.Say == "" || s.Why == "" {
			return "a step without words"
		}
		words = append(words, string(s.Do)+" "+s.Object)
	}
	return strings.Join(words, ", ")
}

func TestNewPlan(t *testing.T) {
	have := lab(t)
	transient := have
	transient.Persistent, transient.Active, transient.Live, transient.Config = false, true, have.Config, nil
	unread := have
	unread.Config = nil
	tests := []struct {
		name string
		have *Network
		want string
		does string
		kind error
	}{
		{"new", nil, labDoc, "define lab", nil},
		{"the same", &have, labDoc, "", nil},
		{"the same, UUID and MAC left open", &have, cut(labDoc, "<uuid>"+labUUID+"</uuid>", `<mac address="52:54:00:00:00:07"/>`), "", nil},
		{"the same, bridge left open", &have, cut(labDoc, `<bridge name="virbr7" stp="on" delay="0"/>`), "", nil},
		{"another MTU", &have, put(labDoc, `<mtu size="1400"/>`), "redefine lab", nil},
		{"an element that xml has no field for", &have, put(labDoc, `<portgroup name="p"><bandwidth><inbound average="7"/></bandwidth></portgroup>`), "redefine lab", nil},
		{"transient", &transient, labDoc, "define lab", nil},
		{"a definition that was not read", &unread, labDoc, "redefine lab", nil},
		{"another UUID", &have, strings.Replace(labDoc, labUUID, "99999999-2222-3333-4444-555555555555", 1), "", ErrExists},
		{"another name", &have, strings.Replace(labDoc, "<name>lab<", "<name>lob<", 1), "", ErrInvalid},
		{"no name", nil, "<network/>", "", ErrInvalid},
		{"a domain", nil, "<domain><name>lab</name></domain>", "", ErrInvalid},
		{"no document", nil, "", "", ErrInvalid},
		{"half a document", &have, labDoc[:len(labDoc)-5], "", ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewPlan(tt.have, tt.want)
			if tt.kind != nil || err != nil {
				if !errors.Is(err, tt.kind) || tt.kind == nil {
					t.Fatalf("have error %v, want %v", err, tt.kind)
				}
				return
			}
			if does(p) != tt.does || p.Empty() != (tt.does == "") {
				t.Errorf("have %q, want %q", does(p), tt.does)
			}
			if p.Steps == nil || p.Changes == nil || p.Disturbs == nil {
				t.Error("a list is nil")
			}
		})
	}
}

func cut(doc string, parts ...string) string {
	for _, p := range parts {
		doc = strings.Replace(doc, p, "", 1)
	}
	return doc
}

func put(doc, part string) string {
	return strings.Replace(doc, "</network>", part+"</network>", 1)
}

// What a document leaves open stays as it is, and what it says stays in it.
func TestNewPlanKeepsIdentity(t *testing.T) {
	have := lab(t)
	have.Active = true
	p, err := NewPlan(&have, `<network><name>lab</name><forward mode="nat"/><mtu size="1400"/><ip address="10.7.0.1" prefix="24"/></network>`)
	if err != nil {
		t.Fatal(err)
	}
	def, err := xml.Parse(p.Steps[0].Document)
	if err != nil {
		t.Fatal(err)
	}
	if def.UUID != labUUID || def.MAC != "52:54:00:00:00:07" || def.Bridge != "virbr7" || def.MTU != 1400 {
		t.Errorf("have %+v", def)
	}
	if want := []Change{{Path: "mtu", Want: "1400"}}; !cmp.Equal(p.Changes, want) {
		t.Error(cmp.Diff(p.Changes, want))
	}
}

// A document in Latin-1 goes to libvirt as UTF-8, new or over an old one.
func TestNewPlanConverts(t *testing.T) {
	latin := "<?xml version='1.0' encoding='ISO-8859-1'?>\n" + strings.Replace(labDoc, `<forward mode="nat"/>`, "<domain name='caf\xe9'/><forward mode=\"nat\"/>", 1)
	have := lab(t)
	for _, old := range []*Network{nil, &have} {
		p, err := NewPlan(old, latin)
		if err != nil {
			t.Fatal(err)
		}
		if doc := p.Steps[0].Document; !strings.Contains(doc, "'café'") {
			t.Errorf("document %q", doc)
		}
	}
	open := strings.NewReplacer(" name=\"virbr7\"", "", "<mac address=\"52:54:00:00:00:07\"/>", "").Replace(latin)
	p, err := NewPlan(&have, open)
	if err != nil {
		t.Fatal(err)
	}
	if doc := p.Steps[0].Document; !strings.Contains(doc, "virbr7") || !strings.Contains(doc, "café") {
		t.Errorf("document %q", doc)
	}
}

func TestPlansOfNetworks(t *testing.T) {
	off := Network{Name: "lab", Persistent: true}
	on := Network{Name: "lab", Persistent: true, Active: true, Autostart: true}
	transient := Network{Name: "lab", Active: true}
	guests := []Guest{
		{Name: "up", ID: 3, Interfaces: []Interface{{Network: "lab", Target: "vnet3"}, {Network: "other"}}},
		{Name: "down", ID: -1, Interfaces: []Interface{{Network: "lab"}}},
	}
	tests := []struct {
		name     string
		plan     Plan
		does     string
		disturbs []string
	}{
		{"start", PlanStart(off), "start lab", []string{}},
		{"start what is active", PlanStart(on), "", []string{}},
		{"stop", PlanStop(on, guests), "stop lab", []string{"guest up (vnet3) is cut off from network lab"}},
		{"stop what is not active", PlanStop(off, guests), "", []string{}},
		{"stop a transient network", PlanStop(transient, nil), "stop lab", []string{}},
		{"undefine", PlanUndefine(off), "undefine lab", []string{}},
		{"undefine what is active", PlanUndefine(on), "undefine lab", []string{"network lab stays active and is gone when it stops"}},
		{"undefine a transient network", PlanUndefine(transient), "", []string{}},
		{"autostart", PlanAutostart(off, true), "autostart lab", []string{}},
		{"autostart again", PlanAutostart(on, true), "", []string{}},
		{"no autostart", PlanAutostart(on, false), "no-autostart lab", []string{}},
		{"no autostart again", PlanAutostart(off, false), "", []string{}},
		{"one after the other", PlanStop(on, nil).With(PlanUndefine(off), PlanStart(on)), "stop lab, undefine lab", []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if does(tt.plan) != tt.does {
				t.Errorf("have %q, want %q", does(tt.plan), tt.does)
			}
			if !cmp.Equal(tt.plan.Disturbs, tt.disturbs) {
				t.Error(cmp.Diff(tt.plan.Disturbs, tt.disturbs))
			}
		})
	}
}

// Two plans that continue the same one do not write into each other.
func TestPlanWithCopies(t *testing.T) {
	base := PlanStart(Network{Name: "a"}).With(PlanStart(Network{Name: "b"}), PlanStart(Network{Name: "c"}))
	one, two := base.With(PlanStart(Network{Name: "d"})), base.With(PlanStart(Network{Name: "e"}))
	if does(one) != "start a, start b, start c, start d" || does(two) != "start a, start b, start c, start e" {
		t.Errorf("have %q and %q", does(one), does(two))
	}
	if !one.Does(Start) || one.Does(Stop) {
		t.Error("Does is wrong about the steps")
	}
}

func TestAttached(t *testing.T) {
	nat := Network{Name: "lab", Active: true, Live: &xml.Network{Name: "lab", Mode: xml.NAT, Bridge: "virbr7"}}
	shared := Network{Name: "lan", Active: true, Live: &xml.Network{Name: "lan", Mode: xml.HostBridge, Bridge: "br0"}}
	guests := []Guest{{Name: "g", ID: 1, Interfaces: []Interface{
		{MAC: "a", Type: "network", Network: "lab", Bridge: "virbr7"},
		{MAC: "b", Type: "bridge", Bridge: "virbr7"},              // past the network, but on its bridge
		{MAC: "c", Type: "bridge", Bridge: "br0"},                 // the host's bridge is not the network's
		{MAC: "d", Type: "bridge", Network: "lan", Bridge: "br0"}, // as the live document shows it
		{MAC: "e", Type: "user"},
	}}}
	macs := func(n Network) (s string) {
		for _, a := range Attached(n, guests) {
			s += a.Interface.MAC
		}
		return s
	}
	if have := macs(nat); have != "ab" {
		t.Errorf("have %q on the NAT network, want ab", have)
	}
	if have := macs(shared); have != "d" {
		t.Errorf("have %q on the bridge network, want d", have)
	}
}

func TestPlansOfInterfaces(t *testing.T) {
	const doc = `<interface type="network"><mac address="52:54:00:00:00:0A"/><source network="lab"/></interface>`
	on := Guest{Name: "g", ID: 1, State: Running, Persistent: true, Interfaces: []Interface{{MAC: "52:54:00:00:00:01"}}}
	off := Guest{Name: "g", ID: -1, State: ShutOff, Persistent: true}
	transient := Guest{Name: "g", ID: 1, State: Running}
	taken := on
	taken.Interfaces = []Interface{{MAC: "52:54:00:00:00:0a"}}
	tests := []struct {
		name         string
		guest        Guest
		doc          string
		live, config bool
		kind         error
	}{
		{"both", on, doc, true, true, nil},
		{"live", transient, doc, true, false, nil},
		{"config", off, doc, false, true, nil},
		{"MAC of the running guest, config only", taken, doc, false, true, nil},
		{"MAC taken", taken, doc, true, true, ErrExists},
		{"neither", on, doc, false, false, ErrInvalid},
		{"live, shut off", off, doc, true, true, ErrNotActive},
		{"config, transient", transient, doc, true, true, ErrNotSupported},
		{"no MAC", on, `<interface type="user"/>`, true, false, ErrInvalid},
		{"no interface", on, `<disk/>`, true, false, ErrInvalid},
		{"two interfaces", on, doc + doc, true, false, ErrInvalid},
		{"no document", on, ``, true, false, ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PlanAttach(tt.guest, tt.doc, tt.live, tt.config)
			if !errors.Is(err, tt.kind) || (tt.kind == nil) != (err == nil) {
				t.Fatalf("have error %v, want %v", err, tt.kind)
			}
			if err == nil && (does(p) != "attach g" || p.Steps[0].MAC != "52:54:00:00:00:0a") {
				t.Errorf("have %q for %s", does(p), p.Steps[0].MAC)
			}
		})
	}
	p, err := PlanDetach(taken, doc, true, true)
	if err != nil || does(p) != "detach g" || len(p.Disturbs) != 1 {
		t.Errorf("detach: have %q, %q, %v", does(p), p.Disturbs, err)
	}
}
