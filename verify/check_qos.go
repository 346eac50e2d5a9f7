package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

func qosChecks() []Check {
	return []Check{{
		ID: "qos-drift", Title: "the kernel limits a guest's traffic otherwise than libvirt says", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Guests, Links, Qdiscs},
		After: []string{"tap-missing", "bridge-missing", "net-inactive"},
		Doc: Doc{
			Symptom:  "A guest is slow although nothing limits it, or takes more than it may.",
			Cause:    "Somebody used tc on the tap or bridge, or setting one limit cleared another.",
			Evidence: "The htb classes and the police of each tap and of each network's bridge, held against <bandwidth> in the live documents; leftovers are an htb with classes, tbf, netem or a police that nobody declares. An htb without classes, which libvirt's nftables backend puts on its bridges, limits nothing.",
			Cure:     "Have libvirt set the limits again, or delete what nobody declares.",
		},
		run: qosDrift,
	}}
}

// shaper is what limits a link in the kernel: rates in bytes per second, 0 for
// none. What a link sends is shaped, what it receives is policed.
type shaper struct {
	rate, ceil, police uint64
	// odd is the kind of a root qdisc that libvirt never makes and that limits
	// or disturbs.
	odd string
	// ingress: the police stands where tc del ... ingress takes it away.
	ingress bool
}

func shaperOf(qdiscs []*bridge.Qdisc) shaper {
	var s shaper
	for _, q := range qdiscs {
		switch {
		case q.Parent == "ingress" || q.Parent == "clsact":
			if len(q.Police) > 0 {
				s.police, s.ingress = q.Police[0].Rate, q.Parent == "ingress"
			}
		case q.Parent != "root":
		case q.Kind == "htb":
			if top := topClass(q); top != nil {
				s.rate, s.ceil = top.Rate, top.Ceil
			}
		case slices.Contains([]string{"tbf", "netem", "hfsc", "cbq"}, q.Kind):
			s.odd = q.Kind
		}
	}
	return s
}

// topClass is the class that all traffic passes: libvirt's 1:1, else the first
// one below the root.
func topClass(q *bridge.Qdisc) *bridge.Class {
	var top *bridge.Class
	for i := range q.Classes {
		c := &q.Classes[i]
		if c.Parent == "root" && (top == nil || c.Handle == "1:1") {
			top = c
		}
	}
	return top
}

// kilobyte is tc's kbps and kb, in which libvirt hands rates over
// (virNetDevBandwidthSet).
const kilobyte = 1000

// sameRate allows for the rounding of the kernel's rate tables.
func sameRate(want int, have uint64) bool {
	w := uint64(want) * kilobyte
	slack := w / 100
	return have+slack >= w && have <= w+slack
}

func qosDrift(p *pass) {
	if p.snap.Kernel.Qdiscs == nil { // a document of before they were read
		return
	}
	have := map[string][]*bridge.Qdisc{}
	for i := range p.snap.Kernel.Qdiscs {
		q := &p.snap.Kernel.Qdiscs[i]
		have[q.Link] = append(have[q.Link], q)
	}
	for i := range p.nics {
		n := &p.nics[i]
		if n.tap == nil || n.kind == other || n.kind == plain && !n.iface.Managed || n.iface.VirtualPort != "" || !p.on(n.subject) {
			continue
		}
		b := n.iface.Bandwidth
		if b == (xml.Bandwidth{}) && !libvirtsName(n.tap.Name) {
			continue // who names taps, as OpenStack does, may limit them, too
		}
		sent, received := b.Inbound, b.Outbound
		if n.kind == direct { // the guest's side is the link's own
			sent, received = received, sent
		}
		if f, ok := drift(n.tap.Name, "tap "+n.title(), shaperOf(have[n.tap.Name]), xml.Bandwidth{Inbound: sent, Outbound: received}); ok {
			p.tuned(n, &f)
			p.found(n.subject, f)
		}
	}
	for _, name := range p.ownBridges {
		n := p.owners[name]
		s := scope{kind: aBridge, bridge: name, network: n.Name}
		if p.links[name] == nil || !p.on(s) {
			continue
		}
		if f, ok := drift(name, "bridge "+show(name)+" of network "+show(n.Name), shaperOf(have[name]), definition(n).Bandwidth); ok {
			if f.Fix.Steps == nil || p.ownsRoot(f.Fix.Steps) {
				f.Fix = Fix{
					Class: Guarded, Steps: p.restart(n),
					Say: "restart network " + show(n.Name) + ", which sets its limits anew, and put the guests back; they are cut off meanwhile",
				}
			}
			p.found(s, f)
		}
	}
}

// filteringTC is the first libvirt whose nftables backend hangs a filter for
// DHCP's checksums on the root qdisc of its bridges.
const filteringTC = 10_004_000

// ownsRoot says whether the steps would delete a root qdisc that libvirt itself
// needs.
func (p *pass) ownsRoot(steps []Step) bool {
	return p.snap.Libvirt.Version >= filteringTC && steps[0].With == "root"
}

// libvirtsName says whether libvirt chose the name of a tap.
func libvirtsName(tap string) bool {
	return vnetName(tap) || strings.HasPrefix(tap, "macvtap")
}

// drift holds what a link should send (inbound, for a tap) and receive at most
// against what the kernel has. The fix is there for what is to be deleted only.
func drift(link, what string, have shaper, want xml.Bandwidth) (Finding, bool) {
	sent, received := want.Inbound, want.Outbound
	f := Finding{Fix: Fix{Class: Guarded}}
	say := func(message, evidence, want, got string) (Finding, bool) {
		f.Message, f.Evidence, f.Want, f.Have = "the "+what+" "+message, evidence, want, got
		return f, true
	}
	root, ingress := "root qdisc of "+show(link), "ingress police of "+show(link)
	peak := sent.Peak
	if peak == 0 {
		peak = sent.Average
	}
	switch {
	case have.odd != "" || sent.Average == 0 && have.rate > 0:
		kind := have.odd
		if kind == "" {
			kind = "htb, " + kbps(have.rate)
		}
		want := "none"
		if sent.Average > 0 {
			want = "htb, " + kbps(uint64(sent.Average)*kilobyte)
		} else {
			f.Fix = Fix{
				Class: Guarded, Say: "delete what nobody declares from " + show(link) + ", if it is not there on purpose",
				Steps: []Step{{Do: QdiscDel, On: link, With: "root"}},
			}
		}
		return say("is limited by a "+kind+" that libvirt does not know", root, want, kind)
	case sent.Average > 0 && have.rate == 0:
		return say("has a declared limit that the kernel does not have", root, kbps(uint64(sent.Average)*kilobyte), "no limit")
	case sent.Average > 0 && !sameRate(sent.Average, have.rate):
		return say("is limited to another rate than declared", root, kbps(uint64(sent.Average)*kilobyte), kbps(have.rate))
	case sent.Average > 0 && !sameRate(peak, have.ceil):
		return say("has another peak rate than declared", root, kbps(uint64(peak)*kilobyte), kbps(have.ceil))
	case received.Average > 0 && have.police == 0:
		return say("has a declared limit for what comes in that the kernel does not have", ingress, kbps(uint64(received.Average)*kilobyte), "no limit")
	case received.Average == 0 && have.police > 0:
		if have.ingress {
			f.Fix = Fix{
				Class: Guarded, Say: "delete what nobody declares from " + show(link) + ", if it is not there on purpose",
				Steps: []Step{{Do: QdiscDel, On: link, With: "ingress"}},
			}
		}
		return say("drops what comes in above a rate that libvirt does not know", ingress, "none", kbps(have.police))
	case received.Average > 0 && !sameRate(received.Average, have.police):
		return say("drops what comes in above another rate than declared", ingress, kbps(uint64(received.Average)*kilobyte), kbps(have.police))
	}
	return Finding{}, false
}

func kbps(bytesPerSecond uint64) string {
	return strconv.FormatUint(bytesPerSecond/kilobyte, 10) + " kB/s"
}

// tuned completes a finding whose cure is that libvirt sets the limits of an
// interface again.
func (p *pass) tuned(n *nic, f *Finding) {
	if f.Fix.Steps != nil {
		return
	}
	b := n.iface.Bandwidth
	if b == (xml.Bandwidth{}) {
		f.Fix = Fix{Class: Manual, Say: "find what limits " + show(n.iface.Target) + ": tc -s filter show dev " + shellQuote(n.iface.Target) + " ingress"}
		return
	}
	rate := func(r xml.Rate, floor int) string {
		text := fmt.Sprintf("%d,%d,%d", r.Average, r.Peak, r.Burst)
		if floor > 0 {
			text += "," + strconv.Itoa(floor)
		}
		return text
	}
	args := []string{"--inbound", rate(b.Inbound, n.iface.Floor), "--outbound", rate(b.Outbound, 0), "--live"}
	f.Fix = Fix{
		Class: Guarded, Say: "have libvirt set the limits of " + n.title() + " again, which clears what else tc shows there",
		Steps: []Step{{Do: Bandwidth, On: n.guest.Name, With: n.iface.Target, Args: args}},
	}
}
