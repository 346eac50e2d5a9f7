package bridge

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVLANPayload compares with what bridge-vlan(8) of iproute2 6.1 sends, as
// strace shows it, to a link of index 5.
func TestVLANPayload(t *testing.T) {
	const header = "07000000050000000000000000000000"
	for name, test := range map[string]struct {
		self bool
		list []VLAN
		want string
	}{
		"vid 10 pvid untagged": {false, []VLAN{{First: 10, Last: 10, PVID: true, Untagged: true}}, "0c001a00" + "0800020006000a00"},
		"vid 20-30":            {false, []VLAN{{First: 20, Last: 30}}, "14001a00" + "0800020008001400" + "0800020010001e00"},
		"vid 7 self":           {true, []VLAN{{First: 7, Last: 7}}, "14001a00" + "0600000002000000" + "0800020000000700"},
		"two":                  {false, []VLAN{{First: 2, Last: 2, Untagged: true}, {First: 9, Last: 9}}, "14001a00" + "0800020004000200" + "0800020000000900"},
	} {
		have := hex.EncodeToString(vlanPayload(5, test.self, test.list))
		if have != header+test.want {
			t.Errorf("%s: have %s, want %s", name, have, header+test.want)
		}
	}
}

// TestVLANPayloadIsRead: what is sent is what is read, all of it.
func TestVLANPayloadIsRead(t *testing.T) {
	want := []VLAN{{First: 1, Last: 1, PVID: true, Untagged: true}, {First: 2, Last: 4094, Untagged: true}, {First: 4095, Last: 4095}}
	m, _, err := parseVLANs(vlanPayload(9, false, want))
	if err != nil || m.index != 9 {
		t.Fatal(m.index, err)
	}
	if diff := cmp.Diff(want, m.list); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestVLANChanges(t *testing.T) {
	plain := VLAN{First: 1, Last: 1, PVID: true, Untagged: true}
	hundred := VLAN{First: 100, Last: 100, PVID: true, Untagged: true}
	tagged := VLAN{First: 1, Last: 1}
	wide := VLAN{First: 1, Last: 20}
	for name, test := range map[string]struct {
		pvid            int
		want, drop, add []VLAN
	}{
		"a kernel without VLANs": {0, nil, nil, nil},
		"as every port":          {1, []VLAN{plain}, nil, nil},
		"one more":               {1, []VLAN{plain, {First: 7, Last: 9}}, nil, []VLAN{{First: 7, Last: 9}}},
		"another instead":        {1, []VLAN{hundred}, []VLAN{plain}, []VLAN{hundred}},
		"the same, tagged":       {1, []VLAN{tagged}, nil, []VLAN{tagged}},
		"within a range":         {1, []VLAN{wide}, nil, []VLAN{wide}},
		"none at all":            {1, nil, []VLAN{plain}, nil},
		"new ports get none":     {0, []VLAN{plain}, nil, []VLAN{plain}},
	} {
		drop, add := vlanChanges(test.pvid, test.want)
		if diff := cmp.Diff([][]VLAN{test.drop, test.add}, [][]VLAN{drop, add}); diff != "" {
			t.Errorf("%s (-want +have):\n%s", name, diff)
		}
	}
}

// TestFilterSettings takes what belongs to filtering from the settings of
// a bridge, and nothing else.
func TestFilterSettings(t *testing.T) {
	data, err := hex.DecodeString("08000100dc050000" + "0500070001000000" + "0600080088a80000" + "0600270005000000" + "0800050001000000")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, a := range filterSettings(data) {
		have = append(have, hex.EncodeToString(a.Serialize()))
	}
	want := []string{"0500070001000000", "0600080088a80000", "0600270005000000"}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

// TestKeptVLANs gives a bridge its filter back and a port its VLANs; a kernel
// that cannot filter says so in one line, and lets a port without any be.
func TestKeptVLANs(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add br0 type bridge\nip link add a0 type veth peer name a1\nip link set a0 master br0")
	port, err := KeepPort("a0")
	if err != nil {
		t.Fatal(err)
	}
	if filter, err := KeepFilter("br0"); filter != nil || err != nil {
		t.Fatalf("a bridge that does not filter: %v, %v", filter, err)
	}
	if filter, err := KeepFilter("gone"); filter != nil || err != nil {
		t.Fatalf("a bridge that is gone: %v, %v", filter, err)
	}
	if err := port.PutBack("br0"); err != nil {
		t.Fatal(err)
	}
	on, err := hex.DecodeString("0500070001000000" + "0600270005000000")
	if err != nil {
		t.Fatal(err)
	}
	filter := &KeptFilter{settings: filterSettings(on), pvid: 5, vlans: []VLAN{{First: 5, Last: 5, PVID: true, Untagged: true}, {First: 7, Last: 7}}}
	port.was.vlans = []VLAN{{First: 100, Last: 100, PVID: true, Untagged: true}, {First: 200, Last: 299}}
	errs := []error{filter.PutBack("br0"), port.PutBack("br0")}
	if br, err := ReadBridge("br0"); err != nil {
		t.Fatal(err)
	} else if br.DefaultPVID == nil {
		for i, want := range []string{"filter VLANs on br0: ", "put back a0: set VLANs: "} {
			if errs[i] == nil || !strings.HasPrefix(errs[i].Error(), want) || strings.Contains(errs[i].Error(), "\n") {
				t.Errorf("have %v, want %s", errs[i], want)
			}
		}
		return
	}
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	again, err := KeepFilter("br0")
	if err != nil || again == nil {
		t.Fatal(again, err)
	}
	now, err := KeepPort("a0")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]VLAN{filter.vlans, port.was.vlans}, [][]VLAN{again.vlans, now.was.vlans}); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
