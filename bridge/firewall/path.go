package firewall

import (
	"math"
	"net"
)

// Priorities of what the kernel itself hangs into the hooks
// (linux/netfilter_ipv4.h, linux/netfilter_bridge.h).
const (
	priorityConntrack = -200 // NF_IP_PRI_CONNTRACK
	priorityNATDest   = -100 // NF_IP_PRI_NAT_DST: prerouting and output
	priorityBridgeNF  = 0    // NF_BR_PRI_BRNF: br_netfilter in prerouting; 1 before it in forward
)

// journey is one packet on its way.
type journey struct {
	*machine
	verdict  Verdict
	finished bool
	doubt    *cause // it may have been dropped: the rule this hangs on
	dropped  *cause // ... and the rule that would
	routed   bool   // prerouting of the IP layer is behind it
	path     string
	out      Interface
	accepted *cause // a rule that accepted in the path's own hook
	policy   *cause
}

// stage is one hook on the way.
type stage struct {
	family, hook string
	in, out      *Interface
	dev          *Interface // of the netdev family
}

// l3 is the family of the IP hooks that the packet meets.
func (j *journey) l3() string { return j.st.family }

// travel takes the packet along its path.
func (j *journey) travel() {
	f := j.flow
	switch j.path {
	case PathBridge:
		j.device("ingress", &f.PhysIn)
		j.bridge("prerouting", &f.PhysIn, nil)
		j.bridge("forward", &f.PhysIn, &f.PhysOut)
		j.bridge("postrouting", nil, &f.PhysOut)
		j.device("egress", &f.PhysOut)
		return
	case PathOutput:
		j.ip(stage{hook: "output", out: &j.out})
	default:
		j.arrive()
		if j.path == PathInput {
			j.ip(stage{hook: "input", in: &f.IIF})
			return
		}
		j.ip(stage{hook: "forward", in: &f.IIF, out: &j.out})
	}
	j.leave()
}

// arrive is the way up to the routing decision.
func (j *journey) arrive() {
	f := j.flow
	if f.PhysIn != (Interface{}) || f.FromPort {
		j.device("ingress", &f.PhysIn)
		j.bridge("prerouting", &f.PhysIn, nil)
		j.bridge("input", &f.PhysIn, nil)
	}
	j.outside(&f.IIF)
	if !j.routed && j.st.family != "arp" {
		j.ip(stage{hook: "prerouting", in: &f.IIF})
	}
}

// leave is the way from the routing decision to the wire.
func (j *journey) leave() {
	f := j.flow
	in := &f.IIF
	if j.path == PathOutput {
		in = nil
	}
	if j.st.family != "arp" {
		j.ip(stage{hook: "postrouting", in: in, out: &j.out})
	}
	// The frame has other addresses now.
	j.st.ll.sub(0, 12).forget()
	mac := f.OutMAC
	if mac == "" && j.path == PathOutput {
		mac = f.DstMAC
	}
	if mac, err := net.ParseMAC(mac); err == nil && len(mac) == 6 {
		j.st.ll.set(0, mac)
	}
	dev := &j.out
	if (f.PhysOut != (Interface{}) || f.ToPort) && same(&j.out, &f.OIF) {
		j.bridge("output", nil, &f.PhysOut)
		j.bridge("postrouting", nil, &f.PhysOut)
		j.device("egress", &j.out)
		dev = &f.PhysOut // without a name where it may be any
	}
	j.device("egress", dev)
}

// outside is ingress of the device that packets to the IP layer come in by. Answers
// have the host's address there; their port mostly is that of the guest.
func (j *journey) outside(dev *Interface) {
	addr, ok := j.st.address(true)
	before := addr.clone()
	if ok && j.flow.Translated {
		addr.forget()
		j.before(addr)
		defer func() {
			copyBits(addr, before)
			j.st.changed()
		}()
	}
	j.device("ingress", dev)
}

func (j *journey) device(hook string, dev *Interface) {
	if dev.Name == "" {
		return
	}
	s := stage{family: "netdev", hook: hook, dev: dev, in: dev}
	if hook == "egress" {
		s.in, s.out = nil, dev
	}
	j.chains(s, math.MinInt, math.MaxInt)
}

// bridge is a hook of the bridge, with the IP hook that br_netfilter calls
// from within it.
func (j *journey) bridge(hook string, in, out *Interface) {
	s := stage{family: "bridge", hook: hook, in: in, out: out}
	nested := j.flow.BridgeCall && j.st.family != "arp"
	at := math.MaxInt
	switch hook {
	case "prerouting":
		at = priorityBridgeNF
	case "forward":
		at = priorityBridgeNF - 1
	case "postrouting":
		nested = nested && j.path == PathBridge
	default:
		nested = false
	}
	if !nested {
		j.chains(s, math.MinInt, math.MaxInt)
		return
	}
	j.chains(s, math.MinInt, at)
	inner := stage{hook: hook, in: &j.flow.IIF, out: &j.flow.OIF}
	switch hook {
	case "prerouting":
		inner.out = nil
	case "postrouting":
		inner.in = nil
	}
	j.ip(inner)
	if at != math.MaxInt {
		j.chains(s, at, math.MaxInt)
	}
}

// ip is a hook of the IP layer (or of ARP): the chains before NAT, NAT, and
// those after it.
func (j *journey) ip(s stage) {
	s.family = j.l3()
	nat := priorityNATDest
	if s.hook == "input" || s.hook == "postrouting" {
		nat = priorityNATSource
	}
	if s.hook == "prerouting" {
		j.routed = true
	}
	if s.hook == "forward" || s.family == "arp" {
		j.chains(s, math.MinInt, math.MaxInt)
		return
	}
	restore := j.untranslated(s.hook)
	j.chains(s, math.MinInt, nat)
	restore()
	before, _ := j.st.address(true)
	before = before.clone()
	if !j.finished {
		j.nat(s)
	}
	if now, _ := j.st.address(true); !now.same(before) && (s.hook == "prerouting" || s.hook == "output") {
		j.reroute(s.hook)
	}
	if s.hook == "postrouting" && j.flow.Translated {
		j.forget(false)
	}
	j.chains(s, nat, math.MaxInt)
}

// untranslated hides the addresses that conntrack has not put in place yet.
func (j *journey) untranslated(hook string) (restore func()) {
	if !j.flow.Translated || hook != "prerouting" {
		return func() {}
	}
	nh, th := j.st.nh.clone(), j.st.th.clone()
	j.forget(true)
	if a, ok := j.st.address(true); ok {
		j.before(a)
	}
	return func() {
		j.st.nh, j.st.th = nh, th
		j.st.changed()
	}
}

// before writes the destination before its translation.
func (j *journey) before(addr bits) {
	if b := j.flow.Before.AsSlice(); len(b) == len(addr.val) {
		addr.set(0, b)
	}
	j.st.changed()
}

// forget makes the source or destination unknown.
func (j *journey) forget(dst bool) {
	if a, ok := j.st.address(dst); ok {
		a.forget()
		at := 2 * bool2int(dst)
		j.st.th.sub(at, at+2).forget()
		j.st.changed()
	}
}

// chains takes the packet through the base chains of a hook whose priority is
// from, or beyond it, and below to. NAT chains have their own place.
func (j *journey) chains(s stage, from, to int) {
	if j.finished {
		return
	}
	dev := s.dev
	for _, b := range j.f.chainsAt(hookKey{s.family, s.hook}, dev) {
		p := b.Base.Priority
		isNAT := b.Base.Type == "nat" && s.family != "bridge"
		if p < from || p >= to && to != math.MaxInt || isNAT {
			continue
		}
		if b.table.Family == "inet" && j.st.family == "arp" {
			continue // ingress of family inet is for IP (nft_do_chain_inet_ingress)
		}
		j.enter(s, b)
		j.settle(s, b, j.run(b.chain))
		if j.finished {
			return
		}
	}
}

// enter prepares the machine for a base chain.
func (j *journey) enter(s stage, b *baseChain) {
	p := b.Base.Priority
	tracked := true
	switch {
	case s.family == "netdev":
		tracked = s.hook == "egress"
	case s.hook == "prerouting" || s.hook == "output" && s.family != "bridge":
		tracked = p > priorityConntrack
	}
	if s.family == "bridge" && s.hook == "prerouting" && j.routed {
		tracked = true
	}
	pf := s.family
	if pf == "netdev" && b.table.Family == "inet" {
		pf = j.l3()
	}
	j.at = hookPoint{family: s.family, pf: pf, hook: s.hook, priority: p, in: s.in, out: s.out, tracked: tracked, local: j.path == PathOutput}
	j.sure, j.depth = true, 0
	j.memo = map[memoKey]outcome{}
}
