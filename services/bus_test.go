package services

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

// systemBus lays out a machine with a system bus that knows these names and
// answers these methods. A method without an answer is an unknown one.
func systemBus(t *testing.T, names []string, answers map[string][]any) string {
	t.Helper()
	root := machine(t, map[string]string{"run/dbus/": "", "proc/sys/kernel/osrelease": "6\n", "proc/misc": ""})
	l, err := net.Listen("unix", filepath.Join(root, "run/dbus/system_bus_socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	all := map[string][]any{"Hello": {":1.7"}, "ListNames": {append([]string{busName}, names...)}}
	for method, answer := range answers {
		all[method] = answer
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveBus(conn, all)
		}
	}()
	return root
}

// serveBus is the bus's end of a connection: the handshake, then an answer to
// each call.
func serveBus(conn net.Conn, answers map[string][]any) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for line := ""; line != "BEGIN"; {
		text, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply := "ERROR\r\n"
		switch line = strings.Trim(text, "\x00\r\n"); {
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			reply = "OK 0123456789abcdef0123456789abcdef\r\n"
		case strings.HasPrefix(line, "AUTH"):
			reply = "REJECTED EXTERNAL\r\n"
		case line == "BEGIN":
			reply = ""
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
	for serial := uint32(1); ; serial++ {
		call, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		if err := answerCall(conn, call, serial, answers); err != nil {
			return
		}
	}
}

func answerCall(conn net.Conn, call *dbus.Message, serial uint32, answers map[string][]any) error {
	if call.Flags&dbus.FlagNoAutoStart == 0 && call.Headers[dbus.FieldMember].Value() != "Hello" {
		return os.ErrInvalid // it would start a service
	}
	reply := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
		dbus.FieldDestination: dbus.MakeVariant(":1.7"),
		dbus.FieldSender:      dbus.MakeVariant(busName),
	}}
	body, ok := answers[call.Headers[dbus.FieldMember].Value().(string)]
	if !ok {
		reply.Type = dbus.TypeError
		reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.freedesktop.DBus.Error.UnknownMethod")
		body = []any{"no such method"}
	}
	reply.Body = body
	reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	var b bytes.Buffer
	if err := reply.EncodeTo(&b, binary.LittleEndian); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b.Bytes()[8:], serial) // the library numbers only what it sends itself
	_, err := b.WriteTo(conn)
	return err
}

// What firewalld 1.3 answers on a host with networks of modes nat and route.
func firewalldAnswers() map[string][]any {
	return map[string][]any{
		"getDefaultZone": {"public"},
		"getActiveZones": {map[string]map[string][]string{
			"libvirt-routed": {"interfaces": {"virbr1"}},
			"libvirt":        {"interfaces": {"virbr2", "virbr0"}},
			"home":           {"sources": {"10.0.0.0/8"}},
		}},
		"getZones":    {[]string{"public", "libvirt", "libvirt-routed"}},
		"getPolicies": {[]string{"libvirt-to-host", "libvirt-routed-out"}},
		"getZoneSettings2": {map[string]dbus.Variant{
			"target": dbus.MakeVariant("ACCEPT"), "services": dbus.MakeVariant([]string{"dns", "dhcp"}), "forward": dbus.MakeVariant(true),
		}},
	}
}

func TestFirewalld(t *testing.T) {
	root := systemBus(t, []string{firewalldName}, firewalldAnswers())
	s := Read(t.Context(), Options{Root: root})
	want := &Firewalld{
		DefaultZone: "public",
		Zones: []Zone{
			{Name: "home", Sources: []string{"10.0.0.0/8"}},
			{Name: "libvirt", Interfaces: []string{"virbr0", "virbr2"}, Target: "ACCEPT", Services: []string{"dhcp", "dns"}},
			{Name: "libvirt-routed", Interfaces: []string{"virbr1"}, Target: "ACCEPT", Services: []string{"dhcp", "dns"}},
			{Name: "public", Target: "ACCEPT", Services: []string{"dhcp", "dns"}},
		},
		Policies: []string{"libvirt-routed-out", "libvirt-to-host"},
	}
	if diff := cmp.Diff(want, s.Firewalld); diff != "" {
		t.Errorf("firewalld (-want +have):\n%s", diff)
	}
	if s.NetworkManager != nil || len(s.Gaps) > 0 {
		t.Errorf("have %+v %v", s.NetworkManager, s.Gaps)
	}
	for link, zone := range map[string]string{"virbr2": "libvirt", "virbr1": "libvirt-routed", "eth0": ""} {
		if have := s.Firewalld.ZoneOf(link); have != zone {
			t.Errorf("%s: zone %q, want %q", link, have, zone)
		}
	}
}

// TestFirewalldOfOld has no policies; what else it does not answer is a gap.
func TestFirewalldOfOld(t *testing.T) {
	answers := firewalldAnswers()
	delete(answers, "getPolicies")
	delete(answers, "getZoneSettings2")
	s := Read(t.Context(), Options{Root: systemBus(t, []string{firewalldName}, answers)})
	if s.Firewalld == nil || s.Firewalld.Policies == nil || len(s.Firewalld.Policies) > 0 || len(s.Gaps) > 0 {
		t.Errorf("have %+v %v", s.Firewalld, s.Gaps)
	}
	answers["getActiveZones"] = []any{"nothing like zones"}
	s = Read(t.Context(), Options{Root: systemBus(t, []string{firewalldName}, answers)})
	if diff := cmp.Diff([]string{PartFirewalld}, sources(s)); diff != "" || s.Firewalld != nil {
		t.Errorf("have %+v, gaps (-want +have):\n%s", s.Firewalld, diff)
	}
}

type properties = map[string]dbus.Variant

// device is a link as NetworkManager 1.42 tells it.
func device(link string, state uint32, active string) map[string]properties {
	return map[string]properties{
		"org.freedesktop.NetworkManager.Device.Bridge": {"Carrier": dbus.MakeVariant(false)},
		"org.freedesktop.NetworkManager.Device": {
			"Interface": dbus.MakeVariant(link), "State": dbus.MakeVariant(state),
			"ActiveConnection": dbus.MakeVariant(dbus.ObjectPath(active)), "Managed": dbus.MakeVariant(true),
		},
	}
}

func activeConnection(id string, flags uint32) map[string]properties {
	return map[string]properties{"org.freedesktop.NetworkManager.Connection.Active": {
		"Id": dbus.MakeVariant(id), "StateFlags": dbus.MakeVariant(flags), "Type": dbus.MakeVariant("bridge"),
	}}
}

func TestNetworkManager(t *testing.T) {
	objects := map[dbus.ObjectPath]map[string]properties{
		"/org/freedesktop/NetworkManager":                    {"org.freedesktop.NetworkManager": {"Version": dbus.MakeVariant("1.42.4")}},
		"/org/freedesktop/NetworkManager/Devices/3":          device("virbr0", 100, "/org/freedesktop/NetworkManager/ActiveConnection/3"),
		"/org/freedesktop/NetworkManager/Devices/4":          device("virbr1", 70, "/org/freedesktop/NetworkManager/ActiveConnection/6"),
		"/org/freedesktop/NetworkManager/Devices/2":          device("eth0", 10, "/"),
		"/org/freedesktop/NetworkManager/ActiveConnection/3": activeConnection("virbr0", 0x8c),
		"/org/freedesktop/NetworkManager/ActiveConnection/6": activeConnection("oops", 0x3),
		"/org/freedesktop/NetworkManager/Devices/9":          {"org.freedesktop.NetworkManager.Device": {"State": dbus.MakeVariant("odd")}},
	}
	root := systemBus(t, []string{nmName}, map[string][]any{"GetManagedObjects": {objects}})
	s := Read(t.Context(), Options{Root: root})
	want := &NetworkManager{Devices: []NMDevice{
		{}, {Link: "eth0", State: NMUnmanaged}, {Link: "virbr0", State: NMActivated, Connection: "virbr0", External: true},
		{Link: "virbr1", State: 70, Connection: "oops"},
	}}
	if diff := cmp.Diff(want, s.NetworkManager); diff != "" {
		t.Errorf("NetworkManager (-want +have):\n%s", diff)
	}
	if s.Firewalld != nil || len(s.Gaps) > 0 {
		t.Errorf("have %+v %v", s.Firewalld, s.Gaps)
	}
	s = Read(t.Context(), Options{Root: systemBus(t, []string{nmName}, nil)})
	if diff := cmp.Diff([]string{PartNM}, sources(s)); diff != "" {
		t.Errorf("gaps (-want +have):\n%s", diff)
	}
}

// TestBusWithoutManagers: neither runs, and neither is a gap.
func TestBusWithoutManagers(t *testing.T) {
	s := Read(t.Context(), Options{Root: systemBus(t, nil, nil)})
	if s.Firewalld != nil || s.NetworkManager != nil || len(s.Gaps) > 0 {
		t.Errorf("have %+v %+v %v", s.Firewalld, s.NetworkManager, s.Gaps)
	}
}

// TestBusThatIsNone: something else listens, or what listened is gone.
func TestBusThatIsNone(t *testing.T) {
	root := machine(t, map[string]string{"run/dbus/": "", "proc/sys/kernel/osrelease": "6\n", "proc/misc": ""})
	path := filepath.Join(root, "run/dbus/system_bus_socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	s := Read(t.Context(), Options{Root: root})
	if diff := cmp.Diff([]string{PartNM, PartFirewalld}, sources(s)); diff != "" {
		t.Errorf("gaps (-want +have):\n%s", diff)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s := Read(t.Context(), Options{Root: root}); len(s.Gaps) > 0 {
		t.Errorf("a bus that is gone: gaps %v", s.Gaps)
	}
}
