package verify

import (
	"net/netip"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// xfrm gives the host policies of IPsec, in the order in which they are asked.
func xfrm(s *Snapshot, policies ...bridge.XFRMPolicy) {
	s.Kernel.XFRM = &bridge.XFRM{Policies: policies}
}

func policy(dir, src, dst, action string) bridge.XFRMPolicy {
	return bridge.XFRMPolicy{Dir: dir, Action: action, Src: prefix(src), Dst: prefix(dst)}
}

// encrypted is a policy that wants packets encrypted between two gateways.
func encrypted(dir, src, dst string) bridge.XFRMPolicy {
	p := policy(dir, src, dst, "allow")
	near, far := netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("198.51.100.9")
	if dir != "out" {
		near, far = far, near
	}
	p.Templates = []bridge.XFRMTemplate{{Src: near, Dst: far, Proto: 50, ReqID: 1}}
	return p
}

func xfrmFaults() map[string]func(*Snapshot) {
	return map[string]func(*Snapshot){
		"xfrm-blocks-guests": func(s *Snapshot) { xfrm(s, policy("fwd", "192.168.122.0/24", "0.0.0.0/0", "block")) },
		"xfrm-blocks-guests+answers": func(s *Snapshot) {
			xfrm(s, policy("fwd", "0.0.0.0/0", "203.0.113.2/32", "block"))
		},
		"xfrm-blocks-guests+host": func(s *Snapshot) {
			xfrm(s, policy("in", "192.168.122.0/24", "192.168.122.1/32", "block"))
		},
		"xfrm-blocks-guests+default": func(s *Snapshot) {
			xfrm(s)
			s.Kernel.XFRM.Block = []string{"fwd"}
		},
		"xfrm-blocks-guests+tcp": func(s *Snapshot) {
			one := policy("out", "192.168.0.0/16", "0.0.0.0/0", "block")
			one.Proto, one.Sub, one.Priority = 6, true, 5
			xfrm(s, one)
		},
		"xfrm-blocks-guests+no-state": func(s *Snapshot) {
			xfrm(s, encrypted("out", "192.168.122.0/24", "0.0.0.0/0"))
		},
	}
}

func xfrmHealthy() map[string]func() Snapshot {
	return map[string]func() Snapshot{
		// A tunnel to another site, up; and what is for that site alone.
		"ok-xfrm-tunnel": with(func(s *Snapshot) {
			xfrm(s, encrypted("fwd", "10.9.0.0/16", "192.168.122.0/24"), encrypted("in", "10.9.0.0/16", "192.168.122.0/24"),
				encrypted("out", "192.168.122.0/24", "10.9.0.0/16"), policy("fwd", "192.168.122.0/24", "10.8.0.0/16", "block"))
		}),
		// Everything goes through a tunnel whose keys an IKE daemon makes when
		// the first packet comes.
		"ok-xfrm-trap": with(func(s *Snapshot) {
			xfrm(s, encrypted("fwd", "0.0.0.0/0", "192.168.122.0/24"), encrypted("out", "192.168.122.0/24", "0.0.0.0/0"))
			s.Kernel.XFRM.Keyed = true
		}),
		"ok-xfrm-state": with(func(s *Snapshot) {
			xfrm(s, encrypted("out", "192.168.122.0/24", "0.0.0.0/0"))
			s.Kernel.XFRM.States = []bridge.XFRMState{{Dst: netip.MustParseAddr("198.51.100.9"), Proto: 50, ReqID: 7}}
		}),
		// What is dropped is for others: another mark, another id, a port, the
		// packets that an earlier policy lets pass.
		"ok-xfrm-others": with(func(s *Snapshot) {
			block := policy("fwd", "192.168.0.0/16", "0.0.0.0/0", "block")
			pass := policy("fwd", "192.168.122.0/24", "0.0.0.0/0", "allow")
			marked, id, mail := block, block, block
			marked.Mark, marked.Mask, id.IfID = 7, 0xff, 5
			mail.Proto, mail.Selectors, pass.Priority, block.Priority = 6, []string{"ports"}, 2, 3
			xfrm(s, marked, id, mail, pass, block)
		}),
		// The bridge's packets are not held against policies.
		"ok-xfrm-disabled": with(func(s *Snapshot) {
			xfrm(s, policy("fwd", "192.168.122.0/24", "0.0.0.0/0", "block"))
			s.Kernel.Sysctls["net.ipv4.conf.virbr0.disable_policy"] = "1"
		}),
		// A policy may drop all that comes to an isolated network from outside.
		"ok-xfrm-isolated": with(func(s *Snapshot) {
			s.network("default").Live.Mode, s.network("default").Config.Mode = xml.Isolated, xml.Isolated
			xfrm(s, policy("fwd", "0.0.0.0/0", "0.0.0.0/0", "block"))
		}),
	}
}
