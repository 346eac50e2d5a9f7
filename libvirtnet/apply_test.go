package libvirtnet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kvnet/kvnet/xml"
)

// host is a libvirt of plain values: what Apply does to it can be read.
type host struct {
	networks map[string]hostNetwork
	live     map[string]string // guest: its interfaces
	config   map[string]string
	ports    map[string]bool
	holds    bool             // guests do not let go of interfaces
	fail     map[string]error // "start lab"
	log      []string
	before   func(what string) // before a change
}

type hostNetwork struct {
	Doc               string
	Active, Autostart bool
	LiveDoc           string
	Transient         bool
}

func newHost() *host {
	return &host{
		networks: map[string]hostNetwork{"lab": {Doc: labDoc}},
		live:     map[string]string{"g": nic("01")},
		config:   map[string]string{"g": nic("01")},
		ports:    map[string]bool{},
		fail:     map[string]error{},
	}
}

func nic(last string) string {
	return `<interface type="network"><mac address="52:54:00:00:00:` + last + `"/><source network="lab"/></interface>`
}

// copy is the state alone, to compare.
func (h *host) copy() map[string]any {
	return map[string]any{"networks": maps.Clone(h.networks), "live": maps.Clone(h.live),
		"config": maps.Clone(h.config), "ports": maps.Clone(h.ports)}
}

func (h *host) change(ctx context.Context, op, object string) error {
	what := op + " " + object
	if h.before != nil {
		h.before(what)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	h.log = append(h.log, what)
	return h.fail[what]
}

func (h *host) Network(_ context.Context, key string) (Network, error) {
	n, ok := h.networks[key]
	if !ok {
		return Network{}, &NotFoundError{Kind: "network", Name: key}
	}
	return Network{Name: key, Active: n.Active, Autostart: n.Autostart, Persistent: !n.Transient}, nil
}

func (h *host) NetworkXML(_ context.Context, key string, inactive bool) (string, error) {
	if inactive {
		return h.networks[key].Doc, nil
	}
	return h.networks[key].LiveDoc, nil
}

func (h *host) GuestXML(_ context.Context, key string, inactive bool) (string, error) {
	from := h.live
	if inactive {
		from = h.config
	}
	return "<domain><name>" + key + "</name><devices>" + from[key] + "</devices></domain>", nil
}

func (h *host) Define(ctx context.Context, doc string, _ bool) error {
	def, err := xml.Parse(doc)
	if err != nil {
		return err
	}
	if err := h.change(ctx, "define", def.Name); err != nil {
		return err
	}
	n := h.networks[def.Name]
	n.Doc, n.Transient = doc, false
	h.networks[def.Name] = n
	return nil
}

func (h *host) Create(ctx context.Context, doc string, _ bool) error {
	def, err := xml.Parse(doc)
	if err != nil {
		return err
	}
	if err := h.change(ctx, "create", def.Name); err != nil {
		return err
	}
	h.networks[def.Name] = hostNetwork{Active: true, Transient: true, LiveDoc: doc}
	return nil
}

func (h *host) Start(ctx context.Context, key string) error {
	if err := h.change(ctx, "start", key); err != nil {
		return err
	}
	n := h.networks[key]
	if n.Active {
		return ErrActive
	}
	n.Active = true
	h.networks[key] = n
	return nil
}

func (h *host) Stop(ctx context.Context, key string) error {
	if err := h.change(ctx, "stop", key); err != nil {
		return err
	}
	n := h.networks[key]
	if !n.Active {
		return ErrNotActive
	}
	if n.Transient {
		delete(h.networks, key)
		return nil
	}
	n.Active = false
	h.networks[key] = n
	return nil
}

func (h *host) Undefine(ctx context.Context, key string) error {
	if err := h.change(ctx, "undefine", key); err != nil {
		return err
	}
	delete(h.networks, key)
	return nil
}

func (h *host) SetAutostart(ctx context.Context, key string, on bool) error {
	if err := h.change(ctx, "autostart", key); err != nil {
		return err
	}
	n := h.networks[key]
	n.Autostart = on
	h.networks[key] = n
	return nil
}

func (h *host) AttachInterface(ctx context.Context, guest, doc string, live, config bool) error {
	if err := h.change(ctx, "attach", guest); err != nil {
		return err
	}
	if live {
		h.live[guest] += doc
	}
	if config {
		h.config[guest] += doc
	}
	return nil
}

func (h *host) DetachInterface(ctx context.Context, guest, doc string, live, config bool) error {
	layer := "config"
	if live {
		layer = "live"
	}
	if err := h.change(ctx, "detach "+layer, guest); err != nil {
		return err
	}
	if live && !h.holds {
		h.live[guest] = strings.Replace(h.live[guest], doc, "", 1)
	}
	if config {
		h.config[guest] = strings.Replace(h.config[guest], doc, "", 1)
	}
	return nil
}

func (h *host) CreatePort(ctx context.Context, network, doc string, _ bool) error {
	if err := h.change(ctx, "port", network); err != nil {
		return err
	}
	h.ports[doc[strings.Index(doc, "<uuid>")+6:strings.Index(doc, "</uuid>")]] = true
	return nil
}

func (h *host) UpdateNetwork(ctx context.Context, key string, u SectionUpdate, entry string, live bool) error {
	layer := "config"
	if live {
		layer = "live"
	}
	return h.change(ctx, strings.Join([]string{string(u.Command), string(u.Section), layer, entry}, " "), key)
}

func (h *host) SetMetadata(ctx context.Context, key string, u MetadataUpdate, text string, live bool) error {
	return h.change(ctx, fmt.Sprintf("metadata %s %s %q under %s, live %v", u.Kind, u.URI, text, u.Key, live), key)
}

func (h *host) DeletePort(ctx context.Context, network, uuid string) error {
	if err := h.change(ctx, "delete port", network); err != nil {
		return err
	}
	delete(h.ports, uuid)
	return nil
}

var guest = Guest{Name: "g", ID: 1, State: Running, Persistent: true}

func attach(t *testing.T) Plan {
	t.Helper()
	p, err := PlanAttach(guest, nic("02"), true, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func detach(t *testing.T) Plan {
	t.Helper()
	p, err := PlanDetach(guest, nic("01"), true, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// everything is a plan with each action once, and the host it fits.
func everything(t *testing.T) (*host, Plan) {
	t.Helper()
	h := newHost()
	h.networks["old"] = hostNetwork{Doc: strings.Replace(labDoc, ">lab<", ">old<", 1), Autostart: true}
	h.networks["up"] = hostNetwork{Doc: strings.Replace(labDoc, ">lab<", ">up<", 1), Active: true, Autostart: true}
	h.networks["fleeting"] = hostNetwork{Active: true, Transient: true, LiveDoc: strings.Replace(labDoc, ">lab<", ">fleeting<", 1)}
	have := lab(t)
	redefine, err := NewPlan(&have, put(labDoc, `<mtu size="1400"/>`))
	if err != nil {
		t.Fatal(err)
	}
	define, err := NewPlan(nil, "<network><name>new</name></network>")
	if err != nil {
		t.Fatal(err)
	}
	up := Network{Name: "up", Active: true, Persistent: true, Autostart: true}
	return h, define.With(PlanStart(Network{Name: "new"}), PlanAutostart(Network{Name: "new"}, true),
		redefine, PlanStart(have), PlanAutostart(up, false), PlanStop(up, nil),
		PlanStop(Network{Name: "fleeting", Active: true}, nil),
		PlanUndefine(Network{Name: "old", Persistent: true}),
		Plan{Steps: []PlanStep{{Do: Create, Object: "brief", Document: "<network><name>brief</name></network>", Say: "create", Why: "test"}}},
		PlanPort(have, "<networkport><uuid>"+labUUID+"</uuid></networkport>", false),
		attach(t), detach(t))
}

func TestApply(t *testing.T) {
	h, p := everything(t)
	checked := false
	err := apply(t.Context(), h, p, func(context.Context) error { checked = true; return nil })
	if err != nil || !checked {
		t.Fatalf("have %v, checked %t", err, checked)
	}
	if n := h.networks["new"]; !n.Active || !n.Autostart {
		t.Errorf("new: have %+v", n)
	}
	if n := h.networks["lab"]; !n.Active || !strings.Contains(n.Doc, "1400") {
		t.Errorf("lab: have %+v", n)
	}
	if n := h.networks["up"]; n.Active || n.Autostart {
		t.Errorf("up: have %+v", n)
	}
	if len(h.networks) != 4 || !h.ports[labUUID] || h.live["g"] != nic("02") || h.config["g"] != nic("02") {
		t.Errorf("have %+v", h.copy())
	}
}

// Whichever step fails, and when only the check does, the host is as it was.
func TestApplyUndoes(t *testing.T) {
	_, p := everything(t)
	no := errors.New("no")
	for failing := 1; failing <= len(p.Steps); failing++ {
		h, p := everything(t)
		want := h.copy()
		cut := p
		cut.Steps = p.Steps[:failing]
		err := apply(t.Context(), h, cut, func(context.Context) error { return no })
		var undone *UndoneError
		if !errors.As(err, &undone) || !errors.Is(err, no) || len(undone.Left) > 0 || len(undone.Undone) != failing {
			t.Fatalf("after %d steps: have %v", failing, err)
		}
		if undone.Undone[0] != cut.Steps[failing-1].Say {
			t.Errorf("after %d steps: %q was undone first, want the newest", failing, undone.Undone[0])
		}
		if diff := cmp.Diff(want, h.copy()); diff != "" {
			t.Errorf("after %d steps, the last %q:\n%s", failing, cut.Steps[failing-1].Say, diff)
		}
	}
}

func TestApplyStepFails(t *testing.T) {
	no := errors.New("no")
	for _, what := range []string{"define new", "start new", "autostart new", "define lab", "start lab", "autostart up", "stop up",
		"undefine old", "create brief", "port lab", "attach g", "detach live g", "detach config g"} {
		t.Run(what, func(t *testing.T) {
			h, p := everything(t)
			want := h.copy()
			h.fail[what] = no
			// Undoing takes the same changes, which then work.
			h.before = func(now string) {
				if len(h.log) > 0 && h.log[len(h.log)-1] == what {
					delete(h.fail, what)
				}
			}
			if err := apply(t.Context(), h, p, nil); !errors.Is(err, no) {
				t.Fatalf("have %v, want the step's error", err)
			}
			if diff := cmp.Diff(want, h.copy()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Ctrl-C in the middle of a step: the step ends, then everything is undone.
func TestApplyCancelled(t *testing.T) {
	for _, at := range []string{"define new", "start new", "define lab", "stop up", "attach g", "detach config g"} {
		t.Run(at, func(t *testing.T) {
			h, p := everything(t)
			want := h.copy()
			ctx, cancel := context.WithCancel(t.Context())
			h.before = func(what string) {
				if what == at {
					cancel()
				}
			}
			err := apply(ctx, h, p, nil)
			var undone *UndoneError
			if !errors.Is(err, context.Canceled) || !errors.As(err, &undone) || len(undone.Left) > 0 {
				t.Fatalf("have %v", err)
			}
			if diff := cmp.Diff(want, h.copy()); diff != "" {
				t.Error(diff)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h, p := everything(t)
	err := apply(ctx, h, p, nil)
	var undone *UndoneError
	if !errors.Is(err, context.Canceled) || errors.As(err, &undone) || len(h.log) > 0 {
		t.Errorf("cancelled before: have %v after %q, want nothing done", err, h.log)
	}
}

func TestApplySaysWhatIsLeft(t *testing.T) {
	no, stuck := errors.New("no"), errors.New("stuck")
	h := newHost()
	h.fail["stop lab"] = stuck
	have := lab(t)
	err := apply(t.Context(), h, PlanStart(have).With(PlanAutostart(have, true)), func(context.Context) error { return no })
	var undone *UndoneError
	if !errors.As(err, &undone) || !errors.Is(err, no) || !errors.Is(err, stuck) {
		t.Fatalf("have %v, want both errors", err)
	}
	if len(undone.Undone) != 1 || len(undone.Left) != 1 || undone.Left[0] != "start network lab" {
		t.Errorf("have undone %q, left %q", undone.Undone, undone.Left)
	}
}

// A guest that does not let go of an interface has it still when the
// detaching is undone: it must not get a second one.
func TestApplyDetachHeld(t *testing.T) {
	h, no := newHost(), errors.New("no")
	h.holds = true
	err := apply(t.Context(), h, detach(t), func(context.Context) error { return no })
	var undone *UndoneError
	if !errors.As(err, &undone) || len(undone.Left) != 1 {
		t.Fatalf("have %v, want a step left", err)
	}
	if h.live["g"] != nic("01") || h.config["g"] != nic("01") {
		t.Errorf("have live %s, config %s", h.live["g"], h.config["g"])
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		name string
		plan Plan
		want error
	}{
		{"defined in the meantime", Plan{Steps: []PlanStep{{Do: Define, Object: "lab", Document: labDoc}}}, ErrExists},
		{"gone in the meantime", PlanStop(Network{Name: "gone", Active: true}, nil), ErrNotFound},
		{"unknown action", Plan{Steps: []PlanStep{{Do: "explode", Object: "lab"}}}, ErrInvalid},
		{"a port that is none", PlanPort(Network{Name: "lab"}, "<network/>", false), ErrInvalid},
		{"an interface that is not there", Plan{Steps: []PlanStep{{Do: Detach, Object: "g", MAC: "52:54:00:00:00:99", Live: true}}}, ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost()
			if err := apply(t.Context(), h, tt.plan, nil); !errors.Is(err, tt.want) {
				t.Errorf("have %v, want %v", err, tt.want)
			}
			if len(h.log) > 0 {
				t.Errorf("have done %q, want nothing", h.log)
			}
		})
	}
}

func TestWaitDetached(t *testing.T) {
	h := newHost()
	if err := waitDetached(t.Context(), h, "g", "52:54:00:00:00:02"); err != nil {
		t.Errorf("have %v for an interface that is gone", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waitDetached(ctx, h, "g", "52:54:00:00:00:01"); !errors.Is(err, ErrTimeout) {
		t.Errorf("have %v, want a timeout", err)
	}
}

func TestPluggable(t *testing.T) {
	tests := []struct{ name, live, want string }{
		{
			"network", `<interface type="network"><mac address="m"/><source network="lab" portid="p" bridge="virbr7"/><target dev="vnet3"/><alias name="net0"/></interface>`,
			`<interface type="network"><mac address="m"/><source network="lab"/></interface>`,
		},
		{
			"network on a host bridge", `<interface type="bridge"><source network="lan" portid="p" bridge="br0"/><target dev="mytap"/><alias name="ua-x"/></interface>`,
			`<interface type="network"><source network="lan"/><target dev="mytap"/><alias name="ua-x"/></interface>`,
		},
		{
			"host bridge", `<interface type="bridge"><source bridge="br0"/><target dev="vnet1" managed="no"/></interface>`,
			`<interface type="bridge"><source bridge="br0"/><target dev="vnet1" managed="no"/></interface>`,
		},
		{
			"macvtap", `<interface type="direct"><source dev="eth0" mode="bridge"/><target dev="macvtap0"/></interface>`,
			`<interface type="direct"><source dev="eth0" mode="bridge"/></interface>`,
		},
	}
	for _, tt := range tests {
		if have, err := pluggable(tt.live); err != nil || have != tt.want {
			t.Errorf("%s: have %s, %v, want %s", tt.name, have, err, tt.want)
		}
	}
}

func TestStateWords(t *testing.T) {
	tests := []struct {
		state, reason int
		word, why     string
	}{
		{1, 1, Running, ""},
		{3, 1, Paused, "user"}, {3, 5, Paused, "I/O error"}, {3, 0, Paused, ""}, {3, 99, Paused, ""}, {3, -1, Paused, ""},
		{4, 1, InShutdown, "user"}, {5, 3, ShutOff, ""}, {6, 1, Crashed, "panicked"}, {7, 1, PMSuspended, ""},
		{0, 0, NoState, ""}, {8, 0, NoState, ""}, {-1, 0, NoState, ""},
	}
	for _, tt := range tests {
		if word, why := stateWords(tt.state, tt.reason); word != tt.word || why != tt.why {
			t.Errorf("state %d, reason %d: have %q, %q, want %q, %q", tt.state, tt.reason, word, why, tt.word, tt.why)
		}
	}
}
