package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

func testWorld(here bool) world {
	lan := network("lan", "br0", true)
	lan.Live.Mode, lan.Config.Mode = xml.HostBridge, xml.HostBridge
	alias := network("alias", "lobby", true) // another name of br0
	alias.Live.Mode, alias.Config.Mode = xml.HostBridge, xml.HostBridge
	both := network("both", "virbr7", true, "10.7.0.1/24")
	both.UUID = "a8e2ba08-ed2a-4e25-8e3c-9c7d1ad33e07"
	w := world{here: here, gathered: gathered{Snapshot: verify.Snapshot{}}}
	w.Libvirt.Networks = []libvirtnet.Network{network("default", "virbr0", true, "192.168.122.1/24"), lan, both, alias}
	for _, name := range []string{"virbr0", "virbr7", "br0", "both"} {
		w.Kernel.Bridges = append(w.Kernel.Bridges, bridge.Bridge{Name: name})
		w.Kernel.Links = append(w.Kernel.Links, bridge.Link{Name: name, Kind: "bridge"})
	}
	w.Kernel.Links[2].AltNames = []string{"office", "lobby", "default"}
	w.Kernel.Links = append(w.Kernel.Links, bridge.Link{Name: "eth0", AltNames: []string{"enp3s0"}}, bridge.Link{Name: "veth1", Kind: "veth"})
	return w
}

func TestResolveSource(t *testing.T) {
	tests := []struct {
		what, name, kind string
		elsewhere        bool // libvirt works on another kernel
		want, bridge     string
	}{
		{"a network", "default", "network", false, "network default", "virbr0"},
		{"a network on a host bridge", "lan", "", false, "network lan", "br0"},
		{"a network on another name of it", "alias", "", false, "network alias", "br0"},
		{"its bridge is the host's bridge", "br0", "", false, "bridge br0", "br0"},
		{"a bridge of libvirt's", "virbr0", "", false, "bridge virbr0", "virbr0"},
		{"both, said which", "both", "network", false, "network both", "virbr7"},
		{"both, said which", "both", "bridge", false, "bridge both", "both"},
		{"a network by UUID", "A8E2BA08-ed2a-4e25-8e3c-9c7d1ad33e07", "", false, "network both", "virbr7"},
		{"a NIC", "eth0", "direct", false, "device eth0", ""},
		{"a bridge by another name", "office", "", false, "bridge br0", "br0"},
		{"a NIC by another name", "enp3s0", "direct", false, "device eth0", ""},
		{"elsewhere a network", "both", "", true, "network both", "virbr7"},
		{"elsewhere a bridge on trust", "br9", "bridge", true, "bridge br9", "br9"},
		{"elsewhere a NIC on trust", "eth9", "direct", true, "device eth9", ""},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			have, err := resolveSource("domif-attach", tt.name, tt.kind, testWorld(!tt.elsewhere))
			if err != nil {
				t.Fatal(err)
			}
			if have.String() != tt.want || have.bridge != tt.bridge {
				t.Errorf("have %s on bridge %q, want %s on %q", have, have.bridge, tt.want, tt.bridge)
			}
		})
	}
}

func TestResolveSourceRefuses(t *testing.T) {
	tests := []struct {
		name, kind string
		elsewhere  bool
		code       int
		says       string
	}{
		{"both", "", false, exitUsage, "--type network or --type bridge"},
		{"default", "", false, exitUsage, "--type network or --type bridge"},
		{"defalt", "", false, exitFailed, "did you mean default?"},
		{"br1", "", false, exitFailed, "did you mean br0?"},
		{"nothing-like-it", "", false, exitFailed, "there is alias, both, br0, default, lan, virbr0, virbr7"},
		{"br1", "bridge", false, exitFailed, "did you mean br0?"},
		{"lan", "bridge", false, exitFailed, "no such bridge"},
		{"br0", "network", false, exitFailed, "no such network"},
		{"eth0", "", false, exitFailed, "--type direct"},
		{"veth1", "bridge", false, exitFailed, "a veth device"},
		{"eth1", "direct", false, exitFailed, "did you mean eth0, veth1?"},
		{"br0", "", true, exitFailed, "--type bridge"},
		{strings.Repeat("x", 10000), "", false, exitFailed, "no such network or bridge"},
		{"\x1b[31m\n", "", false, exitFailed, "no such network or bridge"},
	}
	for _, tt := range tests {
		t.Run(shorten(tt.name)+" "+tt.kind, func(t *testing.T) {
			_, err := resolveSource("domif-attach", tt.name, tt.kind, testWorld(!tt.elsewhere))
			if err == nil {
				t.Fatal("it was found")
			}
			f := explain(err)
			text := f.Error() + "\n" + f.hint
			if f.code != tt.code || !strings.Contains(text, tt.says) || len(text) > 1000 || strings.Contains(text, "\x1b") {
				t.Errorf("exit code %d, want %d with %q in:\n%s", f.code, tt.code, tt.says, text)
			}
		})
	}
}

func TestChangeError(t *testing.T) {
	cause := &failure{op: "wait for", object: "port vnet1", err: &waited{"it is learning", errors.New("x")}, code: exitTimeout}
	inner := &libvirtnet.UndoneError{Cause: cause, Undone: []string{"put vnet1 into bridge br0"}}
	outer := &libvirtnet.UndoneError{Cause: inner, Undone: []string{"b"}, Left: []string{"c"}, Errs: []error{errors.New("why")}}
	f := explain(changeError("replug", "vnet1", outer))
	want := "wait for port vnet1: it is learning; undone: b, put vnet1 into bridge br0; not undone: c (why)"
	if f.Error() != want || f.code != exitTimeout || f.hint == "" {
		t.Errorf("have %q, code %d, hint %q\nwant %q, code %d and a hint", f.Error(), f.code, f.hint, want, exitTimeout)
	}
	if changeError("x", "y", nil) != nil {
		t.Error("no error became one")
	}
}

func TestNewFindings(t *testing.T) {
	old := []verify.Finding{{Check: "a", Subject: "vnet0", Message: "before"}}
	have := []verify.Finding{{Check: "a", Subject: "vnet0", Message: "after"}, {Check: "a", Subject: "vnet1"}, {Check: "b", Subject: "vnet0"}}
	fresh := newFindings(old, have)
	if len(fresh) != 2 || fresh[0].Subject != "vnet1" || fresh[1].Check != "b" {
		t.Errorf("have %+v, want a of vnet1 and b of vnet0", fresh)
	}
}

// libvirt takes a port group that is not there for none.
func TestAttachWantsThePortGroup(t *testing.T) {
	w := testWorld(true)
	n := w.Libvirt.Networks[0]
	n.Live.PortGroups, n.Config = []string{"slow"}, n.Live
	target := guestTarget{world: w}
	for group, want := range map[string]string{
		"":     "",
		"slow": "",
		"fast": "it has no port group fast (it has slow), and libvirt would leave that out without a word",
	} {
		have := target.attachConflicts(xml.NewInterface{PortGroup: group}, source{kind: sourceNetwork, name: n.Name, network: &n}, true)
		if strings.Join(have, "; ") != want {
			t.Errorf("port group %q: have %q, want %q", group, have, want)
		}
	}
}

func TestSchemaHint(t *testing.T) {
	err := &libvirtnet.Error{Op: "define", Object: "network lab", Message: "failed to validate", Code: 92, Kind: libvirtnet.ErrSchema}
	if f := explain(err); !strings.Contains(f.hint, "--no-validate") {
		t.Errorf("hint %q", f.hint)
	}
}
