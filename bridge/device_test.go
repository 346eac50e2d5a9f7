package bridge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TestOffloads: bridges and links that join what they receive are asked, others
// are not.
func TestOffloads(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add eth0 type veth peer name eth1
		ip link add link eth0 name mv0 type macvlan mode bridge
		ip tuntap add vnet0 mode tap
		ip link add br0 type bridge
	`)
	s := read(t)
	for name, asked := range map[string]bool{"mv0": true, "eth0": false, "vnet0": false, "br0": true, "lo": false} {
		if l := linkOf(t, s, name); (l.Offloads != nil) != asked || asked && l.Offloads.LRO {
			t.Errorf("%s: have %+v, asked %v", name, l.Offloads, asked)
		}
	}
	check(t, "checksums are left to a bridge", linkOf(t, s, "br0").Offloads.Checksum, true)
	if len(s.Gaps) > 0 {
		t.Errorf("gaps: %v", s.Gaps)
	}
}

// TestOffloadsAgree: the bits of a link in the kernel's own answer are read by
// their names; a second one is looked for that every link has on.
func TestOffloadsAgree(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add eth0 type veth peer name eth1")
	l, err := ReadLink("eth0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := dialGeneric(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	family := g.families["ethtool"]
	msgs, err := g.ask(family, 0, uint16(family), offloadRequest(l.Index))
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%d answers, %v", len(msgs), err)
	}
	bits := map[string]bool{}
	err = walk(msgs[0][genlHeader:], func(typ uint16, v []byte) error {
		if typ != unix.ETHTOOL_A_FEATURES_ACTIVE {
			return nil
		}
		return eachBit(v, func(name string) { bits[name] = true })
	})
	if err != nil || !bits["tx-lockless"] && !bits["highdma"] || bits["rx-lro"] {
		t.Errorf("active %v, %v", bits, err)
	}
	// The same answer of a NIC that has it on.
	on := bytes.ReplaceAll(msgs[0], []byte("highdma\x00"), []byte("rx-lro\x00\x00"))
	if o, err := parseOffloads(on); err != nil || !o.LRO {
		t.Errorf("have %+v, %v", o, err)
	}
	if o, err := parseOffloads(msgs[0]); err != nil || o.LRO {
		t.Errorf("have %+v, %v", o, err)
	}
	const generic = "tx-checksum-ip-generic\x00"
	if o, err := parseOffloads(msgs[0]); err != nil || !o.Checksum {
		t.Errorf("have %+v, %v", o, err)
	}
	off := bytes.ReplaceAll(msgs[0], []byte(generic), []byte("tx-checksum-fcoe-crc\x00\x00\x00"))
	if o, err := parseOffloads(off); err != nil || o.Checksum {
		t.Errorf("have %+v, %v", o, err)
	}
	if _, err := parseOffloads(msgs[0][:3]); !errors.Is(err, errTruncated) {
		t.Errorf("have %v, want %v", err, errTruncated)
	}
	if o, err := g.offloads(1 << 20); o != nil || err != nil {
		t.Errorf("a link that is gone: %+v, %v", o, err)
	}
}

func TestFamilies(t *testing.T) {
	inNamespace(t)
	g, err := dialGeneric(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if g.families["nlctrl"] != nl.GENL_ID_CTRL || g.families["ethtool"] == 0 {
		t.Errorf("families %v", g.families)
	}
	delete(g.families, nl80211)
	if w, err := g.wireless(t.Context()); len(w) > 0 || err != nil {
		t.Errorf("without a wireless stack: %v, %v", w, err)
	}
}

// TestWireless reads messages built after linux/nl80211.h: the tests' kernels
// have no wireless links.
func TestWireless(t *testing.T) {
	message := func(index, typ uint32, four byte) []byte {
		b := append([]byte{7, 1, 0, 0}, attr(unix.NL80211_ATTR_IFINDEX, words32(index))...)
		b = append(b, attr(unix.NL80211_ATTR_IFTYPE, words32(typ))...)
		return append(b, attr(unix.NL80211_ATTR_4ADDR, []byte{four})...)
	}
	for _, test := range []struct {
		typ  uint32
		four byte
		want Wireless
	}{
		{2, 0, Wireless{Type: "managed"}},
		{2, 1, Wireless{Type: "managed", FourAddress: true}},
		{3, 0, Wireless{Type: "AP"}},
		{77, 0, Wireless{Type: "77"}},
	} {
		index, have, err := parseWireless(message(5, test.typ, test.four))
		if index != 5 || have != test.want || err != nil {
			t.Errorf("%d: have %+v, %v; want %+v", index, have, err, test.want)
		}
	}
	if _, _, err := parseWireless([]byte{7, 1}); !errors.Is(err, errTruncated) {
		t.Errorf("have %v, want %v", err, errTruncated)
	}
}

// TestBondAndVFs reads a link message built after linux/if_link.h: the tests'
// kernels have neither bonds nor SR-IOV.
func TestBondAndVFs(t *testing.T) {
	mac := append(append(words32(1), 0x52, 0x54, 0, 0xaa, 0xbb, 1), make([]byte, 26)...)
	first := attr(nl.IFLA_VF_INFO,
		attr(nl.IFLA_VF_MAC, mac), attr(nl.IFLA_VF_VLAN, words32(1, 100, 0)), attr(nl.IFLA_VF_SPOOFCHK, words32(1, 1)),
		attr(nl.IFLA_VF_LINK_STATE, words32(1, 2)), attr(nl.IFLA_VF_TRUST, words32(1, 1<<32-1)))
	mac0 := append(words32(0), make([]byte, 32)...)
	second := attr(nl.IFLA_VF_INFO, attr(nl.IFLA_VF_MAC, mac0), attr(nl.IFLA_VF_LINK_STATE, words32(0, 0)), attr(nl.IFLA_VF_TRUST, words32(0, 0)))
	info := attr(unix.IFLA_LINKINFO, attr(nl.IFLA_INFO_KIND, []byte("bond\x00")), attr(nl.IFLA_INFO_DATA,
		attr(nl.IFLA_BOND_MODE, []byte{6}), attr(nl.IFLA_BOND_MIIMON, words32(100)), attr(nl.IFLA_BOND_ARP_INTERVAL, words32(250))))
	header := make([]byte, ifinfomsgLen)
	binary.NativeEndian.PutUint32(header[4:], 7)
	message := append(append(append(header, attr(unix.IFLA_IFNAME, []byte("bond0\x00"))...), attr(unix.IFLA_VFINFO_LIST, first, second)...), info...)
	l, _, err := parseLink(message)
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := Link{
		Index: 7, Name: "bond0", Kind: "bond", Oper: "unknown",
		Bond: &Bond{Mode: BondALB, MIIMonitor: 100, ARPInterval: 250},
		VFs: []VF{
			{Index: 0, MAC: "00:00:00:00:00:00", LinkState: "auto", Trust: &no},
			{Index: 1, MAC: "52:54:00:aa:bb:01", VLAN: 100, LinkState: "disable", SpoofCheck: &yes},
		},
	}
	if diff := cmp.Diff(want, l.Link); diff != "" {
		t.Errorf("-want +have:\n%s", diff)
	}
	if bondMode(9) != "9" || vfLinkState(9) != "9" {
		t.Error("a value of a newer kernel has no name")
	}
}
