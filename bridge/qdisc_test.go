package bridge

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func TestQdiscs(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add eth0 type veth peer name eth1
		ip link set eth0 up
		ip link set eth1 up
		ip tuntap add vnet0 mode tap
		ip link set vnet0 up
		ip link add br0 type bridge
	`)
	// The kernel's own defaults are nobody's wish.
	if have := read(t).Qdiscs; have == nil || len(have) != 0 {
		t.Errorf("have %+v, want an empty list", have)
	}
	sh(t, `
		tc qdisc add dev vnet0 root handle 1: htb default 1
		tc class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 2000kbps burst 100kb
		tc class add dev vnet0 parent 1:1 classid 1:2a htb rate 40gbit
		tc qdisc add dev vnet0 parent 1:2a handle 2: tbf rate 1mbit burst 10k latency 50ms
		tc qdisc add dev vnet0 ingress
		tc qdisc add dev br0 clsact
		tc qdisc add dev eth0 root handle 8: htb
	`)
	want := []Qdisc{
		{Link: "br0", Kind: "clsact", Handle: "ffff:", Parent: "clsact"},
		{Link: "eth0", Kind: "htb", Handle: "8:", Parent: "root"},
		{Link: "vnet0", Kind: "tbf", Handle: "2:", Parent: "1:2a", Rate: 125_000},
		{Link: "vnet0", Kind: "ingress", Handle: "ffff:", Parent: "ingress"},
		{Link: "vnet0", Kind: "htb", Handle: "1:", Parent: "root", Classes: []Class{
			{Handle: "1:1", Parent: "root", Rate: 1_000_000, Ceil: 2_000_000},
			{Handle: "1:2a", Parent: "1:1", Rate: 5_000_000_000, Ceil: 5_000_000_000},
		}},
	}
	if diff := cmp.Diff(want, read(t).Qdiscs); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
}

// attr builds a netlink attribute.
func attr(typ int, values ...[]byte) []byte {
	var all []byte
	for _, v := range values {
		all = append(all, v...)
	}
	return nl.NewRtAttr(typ, all).Serialize()
}

func words32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

// policed is struct tc_police with a rate in bytes per second.
func policed(rate uint32) []byte {
	b := make([]byte, 56)
	binary.NativeEndian.PutUint32(b[28:], rate)
	return b
}

// TestFilters: no kernel of the tests has act_police, so its messages are
// built after linux/pkt_cls.h.
func TestFilters(t *testing.T) {
	tbf := attr(nl.TCA_POLICE_TBF, policed(128_000))
	asAction := func(kind string, options []byte) []byte {
		return attr(1, attr(nl.TCA_ACT_KIND, []byte(kind+"\x00")), attr(nl.TCA_ACT_OPTIONS, options))
	}
	for _, test := range []struct {
		name, kind string
		options    []byte
		want       []uint64
	}{
		{"u32 as libvirt makes it", "u32", attr(nl.TCA_U32_POLICE, tbf), []uint64{128_000}},
		{"u32 with an action", "u32", attr(nl.TCA_U32_ACT, asAction("police", tbf)), []uint64{128_000}},
		{"matchall", "matchall", attr(2, asAction("police", tbf)), []uint64{128_000}},
		{"flower", "flower", attr(3, asAction("gact", nil), asAction("police", tbf)), []uint64{128_000}},
		{"basic", "basic", attr(4, tbf), []uint64{128_000}},
		{"fw", "fw", attr(2, tbf), []uint64{128_000}},
		{
			"more than 32 bits", "u32",
			attr(nl.TCA_U32_POLICE, attr(nl.TCA_POLICE_TBF, policed(1<<32-1)), attr(policeRate64, words32(0, 2))),
			[]uint64{2 << 32},
		},
		{"packets, no rate", "u32", attr(nl.TCA_U32_POLICE, attr(nl.TCA_POLICE_TBF, policed(0))), nil},
		{"other actions", "matchall", attr(2, asAction("mirred", words32(1, 2, 3))), nil},
		{"a filter that has none", "bpf", attr(2, asAction("police", tbf)), nil},
	} {
		have, err := parseFilter(test.kind, test.options)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, have); diff != "" {
			t.Errorf("%s (-want +have):\n%s", test.name, diff)
		}
	}
	for _, cut := range [][]byte{
		attr(nl.TCA_U32_POLICE, attr(nl.TCA_POLICE_TBF, make([]byte, 12))),
		attr(nl.TCA_U32_POLICE, []byte{99, 0, 1, 0}),
	} {
		if _, err := parseFilter("u32", cut); !errors.Is(err, errTruncated) {
			t.Errorf("have %v, want %v", err, errTruncated)
		}
	}
}

// TestChecksums: no kernel of the tests has act_csum either.
func TestChecksums(t *testing.T) {
	action := func(kind string) []byte { return attr(1, attr(nl.TCA_ACT_KIND, []byte(kind+"\x00"))) }
	for _, test := range []struct {
		kind    string
		options []byte
		want    bool
	}{
		{"u32", attr(nl.TCA_U32_ACT, action("csum")), true},
		{"u32", attr(nl.TCA_U32_ACT, action("gact"), action("csum")), true},
		{"u32", attr(nl.TCA_U32_ACT, action("mirred")), false},
		{"u32", attr(nl.TCA_U32_POLICE, action("csum")), false},
		{"bpf", attr(nl.TCA_U32_ACT, action("csum")), false},
	} {
		if have, err := parseChecksum(test.kind, test.options); have != test.want || err != nil {
			t.Errorf("%s %x: have %t, %v", test.kind, test.options, have, err)
		}
	}
	if _, err := parseChecksum("u32", attr(nl.TCA_U32_ACT, []byte{99, 0, 1, 0})); !errors.Is(err, errTruncated) {
		t.Errorf("have %v, want %v", err, errTruncated)
	}
}

func FuzzParseTC(f *testing.F) {
	inNamespace(f)
	sh(f, `
		ip link add eth0 type veth peer name eth1
		tc qdisc add dev eth0 root handle 1: htb
		tc class add dev eth0 parent 1: classid 1:1 htb rate 1mbit
		tc qdisc add dev eth1 root tbf rate 1mbit burst 10k latency 50ms
	`)
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		f.Fatal(err)
	}
	defer c.close()
	msgs, err := c.ask(unix.RTM_GETQDISC, unix.NLM_F_DUMP, 0, tcRequest(0, 0))
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range msgs {
		f.Add(m)
		f.Add(m[:len(m)/2])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		m, _, err := parseTC(b)
		if err != nil {
			return
		}
		_, _ = parseHTB(m.options)
		_, _ = parseTBF(m.options)
		for _, kind := range []string{"u32", "matchall", "flower", "basic", "fw"} {
			_, _ = parseFilter(kind, m.options)
			_, _ = parseChecksum(kind, m.options)
		}
	})
}
