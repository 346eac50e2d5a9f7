package verify

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge"
)

// TestLookupAgreesWithTheKernel makes random tables and rules, each set in a
// network namespace of its own, and asks the kernel and lookup the same.
func TestLookupAgreesWithTheKernel(t *testing.T) {
	const sets, flows = 30, 60
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			kinds := map[string]int{}
			for seed := range uint64(sets) {
				done := make(chan struct{})
				go func() { // the thread is never unlocked: it ends with its namespace
					defer close(done)
					runtime.LockOSThread()
					if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
						t.Errorf("unshare network namespace (needs root): %v", err)
						return
					}
					compareLookups(t, newRouter(family, seed), flows, kinds)
				}()
				<-done
			}
			for _, kind := range []string{toLink, toLocal, noRoute, "unreachable", "prohibit", "blackhole"} {
				if kinds[kind] == 0 {
					t.Errorf("no lookup ended in %s: %v", kind, kinds)
				}
			}
			t.Logf("lookups by end: %v", kinds)
		})
	}
}

// router makes random routing of one family.
type router struct {
	*rand.Rand
	family int
	seed   uint64
}

func newRouter(family int, seed uint64) *router {
	return &router{Rand: rand.New(rand.NewPCG(seed, uint64(family))), family: family, seed: seed}
}

func (r *router) pick(list ...string) string { return list[r.IntN(len(list))] }

// link is one of the four links; each has the subnet of its number.
func (r *router) link() string { return "l" + strconv.Itoa(r.IntN(4)) }

// addr is an address in one of few subnets, so that packets meet routes.
func (r *router) addr() netip.Addr {
	a := [16]byte{0xfd, 0, 0, byte(r.IntN(6)), 15: byte(2 + r.IntN(250))}
	if r.family == 4 {
		return netip.AddrFrom4([4]byte{10, 0, a[3], a[15]})
	}
	return netip.AddrFrom16(a)
}

// own is an address of the host.
func (r *router) own() netip.Addr {
	n := byte(r.IntN(4))
	if r.family == 4 {
		return netip.AddrFrom4([4]byte{10, 0, n, 1})
	}
	return netip.AddrFrom16([16]byte{0xfd, 0, 0, n, 15: 1})
}

func (r *router) prefix() netip.Prefix {
	bits := []int{0, 1, 8, 16, 22, 23, 24, 25, 26, 28, 32}[r.IntN(11)]
	if r.family == 6 {
		bits = []int{0, 1, 16, 30, 31, 32, 64, 120, 121, 124, 128}[r.IntN(11)]
	}
	p, _ := r.addr().Prefix(bits)
	return p
}

// setUp is a batch for ip: links, routes and rules.
func (r *router) setUp() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for i := range 4 {
		say("link add l%d type bridge", i)
		say("link set l%d up", i)
		if r.family == 4 {
			say("addr add 10.0.%d.1/24 dev l%d", i, i)
		} else {
			say("addr add fd00:000%d::1/64 dev l%d nodad", i, i)
		}
	}
	for range 25 {
		via := "dev " + r.link()
		switch r.IntN(8) {
		case 0:
			via = ""
			say("route add %s %s table %s metric %d", r.pick("unreachable", "blackhole", "prohibit", "throw"), r.prefix(),
				r.pick("main", "100", "101", "102"), 1+r.IntN(5))
		case 1:
			if r.family == 6 {
				from := r.prefix()
				if from.Bits() > 0 {
					via = "from " + from.String() + " " + via
				}
			} else {
				via += " tos 0x10"
			}
		}
		if via != "" {
			say("route add %s %s table %s metric %d", r.prefix(), via, r.pick("main", "100", "101", "102"), 1+r.IntN(5))
		}
	}
	for i := range 8 {
		say("rule add pref %d %s", 100*(i+1), r.rule(100*(i+1)))
	}
	return b.String()
}

func (r *router) rule(pref int) string {
	var words []string
	if r.IntN(5) == 0 {
		words = append(words, "not")
	}
	words = append(words, "from", r.pick("all", r.prefix().String()))
	if r.IntN(3) == 0 {
		words = append(words, "to", r.prefix().String())
	}
	if r.IntN(4) == 0 {
		words = append(words, "iif", r.pick(r.link(), "lo", "nowhere"))
	}
	if r.IntN(5) == 0 {
		words = append(words, "fwmark", r.pick("0x1", "0x2/0x3", "0/0x4"))
	}
	if r.IntN(12) == 0 {
		words = append(words, "ipproto", "tcp")
	}
	switch r.IntN(8) {
	case 0:
		words = append(words, r.pick("unreachable", "blackhole", "prohibit"))
	case 1:
		words = append(words, "goto", strconv.Itoa(pref+100+100*r.IntN(3)))
	default:
		words = append(words, "lookup", r.pick("main", "100", "101", "102"))
		if r.IntN(4) == 0 {
			words = append(words, "suppress_prefixlength", r.pick("0", "16", "24"))
		}
	}
	return strings.Join(words, " ")
}

// question is one flow as lookup and as ip are asked.
type question struct {
	flow
	mark uint32
}

func (r *router) question() question {
	q := question{flow: flow{dst: r.addr(), src: r.addr(), iif: r.link()}}
	if r.IntN(4) == 0 {
		q.iif, q.src = "", r.own()
		if r.family == 4 && r.IntN(2) == 0 {
			q.src = netip.Addr{}
		}
	}
	if r.IntN(12) == 0 {
		q.dst = r.own()
	}
	if r.IntN(6) == 0 {
		q.mark = uint32(1 + r.IntN(6))
	}
	return q
}

func (q question) String() string {
	words := []string{"route get", q.dst.String()}
	if q.src.IsValid() {
		words = append(words, "from", q.src.String())
	}
	if q.iif != "" {
		words = append(words, "iif", q.iif)
	}
	if q.mark != 0 {
		words = append(words, "mark", strconv.Itoa(int(q.mark)))
	}
	return strings.Join(words, " ")
}

func ipBatch(family int, batch string) (stdout, stderr string) {
	cmd := exec.Command("ip", "-"+strconv.Itoa(family), "-o", "-force", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run() // it fails when any line does; the lines tell
	return out.String(), err.String()
}

func compareLookups(t *testing.T, r *router, flows int, kinds map[string]int) {
	t.Helper()
	for _, name := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if out, err := exec.Command("sysctl", "-qw", name+"=1").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
			return
		}
	}
	ipBatch(r.family, r.setUp())
	// The kernel takes IPv6 addresses to its own by and by.
	for start := time.Now(); r.family == 6 && time.Since(start) < 20*time.Second; runtime.Gosched() {
		if own, _ := ipBatch(6, "route show table local"); strings.Count(own, "local fd00:") == 4 {
			break
		}
	}
	state, err := bridge.Read(context.Background())
	if err != nil {
		t.Error(err)
		return
	}
	h := newHost(&Snapshot{Kernel: state})
	var asked []question
	var batch strings.Builder
	for range flows {
		q := r.question()
		if q.iif != "" && h.routing().local[q.src] {
			continue // the kernel takes no packet from itself
		}
		asked = append(asked, q)
		fmt.Fprintln(&batch, q)
	}
	for i, kernel := range ipAnswers(t, len(asked), r.family, batch.String()) {
		have := h.routing().lookup(asked[i].flow)
		accepts := func(a answer) bool { return agrees(a, kernel) }
		ok := accepts(have.plain)
		if asked[i].mark != 0 {
			ok = ok || slices.ContainsFunc(have.rest, accepts)
		}
		if !ok {
			rules, _ := ipBatch(r.family, "rule")
			routes, _ := ipBatch(r.family, "route show table all")
			t.Errorf("seed %d: %s: kernel %s, have %s, rest %v\n%s\n%s", r.seed, asked[i], kernel, say(have.plain), len(have.rest), rules, routes)
			return
		}
		kinds[have.plain.kind]++
	}
}
