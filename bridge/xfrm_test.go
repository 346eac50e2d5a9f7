package bridge

import (
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestXFRM(t *testing.T) {
	inNamespace(t)
	if x := read(t).XFRM; x == nil || len(x.Policies)+len(x.Block)+len(x.States) > 0 || x.Keyed {
		t.Fatalf("have %+v, want an empty one", x)
	}
	sh(t, `
		ip link add eth0 type veth peer name eth1
		ip xfrm policy add src 10.0.0.0/8 dst 0.0.0.0/0 dir fwd action block priority 7
		ip xfrm policy add src 10.0.0.0/8 dst 10.1.0.0/16 proto tcp dport 80 dev eth0 dir out mark 5 mask 0xff if_id 9 ptype sub
		ip xfrm policy add src fd00::/8 dst ::/0 dir in tmpl src fd00::1 dst fd00::2 proto esp reqid 3 mode tunnel tmpl proto ah mode transport level use
		ip xfrm policy setdefault fwd block
		ip xfrm state allocspi src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel reqid 7 min 256 max 256
	`)
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	want := &XFRM{
		Policies: []XFRMPolicy{
			{Dir: "fwd", Action: "block", Priority: 7, Src: prefix("10.0.0.0/8"), Dst: prefix("0.0.0.0/0")},
			{Dir: "in", Action: "allow", Src: prefix("fd00::/8"), Dst: prefix("::/0"), Templates: []XFRMTemplate{
				{Src: addr("fd00::1"), Dst: addr("fd00::2"), Proto: unix.IPPROTO_ESP, ReqID: 3},
				{Proto: unix.IPPROTO_AH, Optional: true},
			}},
			{
				Dir: "out", Action: "allow", Src: prefix("10.0.0.0/8"), Dst: prefix("10.1.0.0/16"), Proto: unix.IPPROTO_TCP,
				Link: "eth0", Mark: 5, Mask: 0xff, IfID: 9, Sub: true, Selectors: []string{"ports"},
			},
		},
		Block:  []string{"fwd"},
		States: []XFRMState{{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), Proto: unix.IPPROTO_ESP, ReqID: 7}},
	}
	have := read(t)
	if d := cmp.Diff(want, have.XFRM, byValue); d != "" {
		t.Errorf("-want +have:\n%s", d)
	}
	check(t, "disable_policy of all", have.Sysctls["net.ipv4.conf.all.disable_policy"], "0")

	listener, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_XFRM)
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	check(t, "key manager", read(t).XFRM.Keyed, true)
}

func FuzzParseXFRM(f *testing.F) {
	f.Add(make([]byte, xfrmPolicyLen))
	f.Add(make([]byte, xfrmStateLen))
	policy := make([]byte, xfrmPolicyLen+4+xfrmTemplateLen)
	policy[40], policy[42], policy[xfrmPolicyLen], policy[xfrmPolicyLen+2] = afInet, 24, 4+xfrmTemplateLen, xfrmTemplates
	f.Add(policy)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, keep, err := parseXFRMPolicy(b)
		if keep && (err != nil || p.Dir == "" || !p.Src.IsValid() || !p.Dst.IsValid()) {
			t.Errorf("kept %+v with %v", p, err)
		}
		if s, keep, err := parseXFRMState(b); keep && err != nil {
			t.Errorf("kept %+v with %v", s, err)
		}
	})
}
