package services

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer is what ovsdb-server 3.1 said of a bridge with a tap of libvirt's and
// a port whose link is gone.
const answer = `[{"rows":[{"name":"ovsbr0","ports":["set",[["uuid","c82afe81-7e92-48fc-9c84-423267eea9ea"],["uuid","d0a79519-6c5d-4c8c-8911-301351f01bf7"],["uuid","ecb047f2-1acd-422d-b1ee-cb3143df9423"]]]},{"name":"empty","ports":["set",[]]}]},` +
	`{"rows":[{"_uuid":["uuid","c82afe81-7e92-48fc-9c84-423267eea9ea"],"interfaces":["uuid","690c2522-ab32-4301-80d2-879ac35e84c6"],"name":"gone0","tag":["set",[]],"trunks":["set",[3,1,2]],"vlan_mode":["set",[]]},` +
	`{"_uuid":["uuid","d0a79519-6c5d-4c8c-8911-301351f01bf7"],"interfaces":["uuid","3c178e18-f12a-4919-a63d-0537bec9fe5e"],"name":"ovsbr0","tag":["set",[]],"trunks":["set",[]],"vlan_mode":["set",[]]},` +
	`{"_uuid":["uuid","ecb047f2-1acd-422d-b1ee-cb3143df9423"],"interfaces":["uuid","f988498c-d866-4408-aa31-dcd9df4c4d69"],"name":"vnet9","tag":10,"trunks":["set",[]],"vlan_mode":"access"}]},` +
	`{"rows":[{"_uuid":["uuid","690c2522-ab32-4301-80d2-879ac35e84c6"],"error":"could not open network device gone0 (No such device)","external_ids":["map",[]],"name":"gone0","ofport":-1,"type":""},` +
	`{"_uuid":["uuid","f988498c-d866-4408-aa31-dcd9df4c4d69"],"error":["set",[]],"external_ids":["map",[["attached-mac","52:54:00:00:00:09"],["iface-id","abc"]]],"name":"vnet9","ofport":1,"type":""},` +
	`{"_uuid":["uuid","3c178e18-f12a-4919-a63d-0537bec9fe5e"],"error":["set",[]],"external_ids":["map",[]],"name":"ovsbr0","ofport":["set",[]],"type":"internal"}]}]`

// ovsdb lays out a machine whose ovsdb-server says this to whoever asks.
func ovsdb(t *testing.T, says string) string {
	t.Helper()
	root := machine(t, map[string]string{"run/openvswitch/": "", "proc/sys/kernel/osrelease": "6\n", "proc/misc": ""})
	l, err := net.Listen("unix", filepath.Join(root, "run/openvswitch/db.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var request struct {
				Method string            `json:"method"`
				Params []json.RawMessage `json:"params"`
			}
			if json.NewDecoder(conn).Decode(&request) == nil && request.Method == "transact" && len(request.Params) == 4 {
				_, _ = io.WriteString(conn, says)
			}
			_ = conn.Close()
		}
	}()
	return root
}

func number(n int) *int { return &n }

func TestOpenVSwitch(t *testing.T) {
	// The server asks first whether the client lives.
	root := ovsdb(t, `{"id":"echo","method":"echo","params":[]}{"id":"kvnet","error":null,"result":`+answer+`}`)
	s := Read(t.Context(), Options{Root: root})
	want := &OpenVSwitch{Bridges: []OVSBridge{
		{Name: "empty", Ports: []OVSPort{}},
		{Name: "ovsbr0", Ports: []OVSPort{
			{Name: "gone0", Trunks: []int{1, 2, 3}, Interfaces: []OVSInterface{
				{Name: "gone0", OFPort: number(-1), Error: "could not open network device gone0 (No such device)"},
			}},
			{Name: "ovsbr0", Interfaces: []OVSInterface{{Name: "ovsbr0", Type: "internal"}}},
			{Name: "vnet9", Tag: number(10), VLANMode: "access", Interfaces: []OVSInterface{
				{Name: "vnet9", OFPort: number(1), ExternalIDs: map[string]string{"attached-mac": "52:54:00:00:00:09", "iface-id": "abc"}},
			}},
		}},
	}}
	if diff := cmp.Diff(want, s.OpenVSwitch); diff != "" || len(s.Gaps) > 0 {
		t.Errorf("Open vSwitch (-want +have):\n%s\n%v", diff, s.Gaps)
	}
}

// TestOVSDBSaysOtherwise: whatever else comes is a gap.
func TestOVSDBSaysOtherwise(t *testing.T) {
	for name, says := range map[string]string{
		"nothing":       "",
		"no JSON":       "hello",
		"cut off":       `{"id":"kvnet","error":null,"result":` + answer[:200],
		"an error":      `{"id":"kvnet","error":{"error":"unknown database"},"result":null}`,
		"a table's":     `{"id":"kvnet","error":null,"result":[{"rows":[]},{"rows":[]},{"error":"timed out"}]}`,
		"two tables":    `{"id":"kvnet","error":null,"result":[{"rows":[]},{"rows":[]}]}`,
		"a null":        `{"id":"kvnet","error":null,"result":null}`,
		"a wrong set":   `{"id":"kvnet","error":null,"result":[{"rows":[{"name":"b","ports":["set",7]}]},{"rows":[]},{"rows":[]}]}`,
		"a wrong atom":  `{"id":"kvnet","error":null,"result":[{"rows":[{"name":"b","ports":{}}]},{"rows":[]},{"rows":[]}]}`,
		"a wrong table": `{"id":"kvnet","error":null,"result":[{"rows":[]},{"rows":[]},{"rows":[{"external_ids":["set",[]]}]}]}`,
	} {
		s := Read(t.Context(), Options{Root: ovsdb(t, says)})
		if diff := cmp.Diff([]string{PartOVS}, sources(s)); diff != "" || s.OpenVSwitch != nil {
			t.Errorf("%s: have %+v, gaps (-want +have):\n%s", name, s.OpenVSwitch, diff)
		}
	}
}

func FuzzOVSDB(f *testing.F) {
	f.Add(answer)
	f.Add(strings.Replace(answer, `["set",[]]`, `["map",[["a","b"]]]`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseOVSDB([]byte(text)); (s == nil) == (err == nil) {
			t.Errorf("have %v and %v", s, err)
		}
	})
}
