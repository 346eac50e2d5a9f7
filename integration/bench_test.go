package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kvnet/kvnet/integration/host"
)

const benchGuests = 100

// BenchmarkHundredGuests holds whole processes against each other, in turn, on
// one host with 100 guests: the median of the ratios of each round counts. The
// guests are paused and have no system; their taps are real.
//
//	ratio         what kvnet takes, as a share of what the other takes
//	times-faster  the same upside down, against a loop of virsh
//	memory        peak resident memory, as a share of the other's
func BenchmarkHundredGuests(b *testing.B) {
	h := crowdedHost(b)
	dir := b.TempDir()
	build(b, dir, "./floor", "./race")
	loop := filepath.Join(dir, "loop")
	script := "#!/bin/sh\nfor guest in $(virsh list --name); do virsh domiflist \"$guest\"; done\n"
	if err := os.WriteFile(loop, []byte(script), 0o700); err != nil {
		b.Fatal(err)
	}
	kvnet, floor := filepath.Join(programs, "kvnet"), filepath.Join(dir, "floor")
	b.Logf("%s, %d cores, %d guests", runtime.GOARCH, runtime.NumCPU(), benchGuests)
	races := []race{
		{"verify-vs-floor", 15, []string{kvnet, "verify"}, []string{floor, "verify"}},
		{"domif-list-vs-floor", 15, []string{kvnet, "domif-list", "--all"}, []string{floor, "domif-list"}},
		{"net-list-vs-virsh", 41, []string{kvnet, "net-list"}, []string{"virsh", "net-list"}},
		{"verify-vs-virsh-loop", 7, []string{kvnet, "verify"}, []string{loop}},
		{"domif-list-vs-virsh-loop", 7, []string{kvnet, "domif-list", "--all"}, []string{loop}},
	}
	run := func(r race) {
		b.Run(r.name, func(b *testing.B) {
			for b.Loop() {
				r.run(b, h, filepath.Join(dir, "race"))
			}
		})
	}
	for _, r := range races {
		run(r)
	}
	publishPorts(b, h, dir)
	run(race{"verify-2000-rules-vs-floor", 15, []string{kvnet, "verify"}, []string{floor, "verify"}})
}

const benchContainers = 660

// publishPorts adds the rules that Docker makes for containers with a published
// port each: three a container, and the frame around them. What passes between
// libvirt's bridge and the outside is accepted by libvirt's own rules before.
func publishPorts(b *testing.B, h *host.Host, dir string) {
	b.Helper()
	var filter, nat strings.Builder
	filter.WriteString("*filter\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-ISOLATION-STAGE-2 - [0:0]\n")
	nat.WriteString("*nat\n:DOCKER - [0:0]\n")
	for i := range benchContainers {
		to := fmt.Sprintf("172.17.%d.%d", i/250, i%250+2)
		fmt.Fprintf(&filter, "-A DOCKER -d %s/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n", to)
		fmt.Fprintf(&nat, "-A POSTROUTING -s %s/32 -d %s/32 -p tcp -m tcp --dport 80 -j MASQUERADE\n", to, to)
		fmt.Fprintf(&nat, "-A DOCKER ! -i docker0 -p tcp -m tcp --dport %d -j DNAT --to-destination %s:80\n", 20000+i, to)
	}
	filter.WriteString(`-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-USER -j RETURN
COMMIT
`)
	nat.WriteString(`-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`)
	file := filepath.Join(dir, "rules")
	if err := os.WriteFile(file, []byte(filter.String()+nat.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, argv := range [][]string{{"iptables-restore", "--noflush", file}, {"iptables", "-P", "FORWARD", "DROP"}} {
		if res, err := h.Exec(b.Context(), argv...); err != nil || res.Code != 0 {
			b.Fatalf("%s: %v, exit code %d\n%s", argv[0], err, res.Code, res.Stderr)
		}
	}
}

// race is two commands and how often they run in turn.
type race struct {
	name        string
	rounds      int
	ours, other []string
}

func (r race) run(b *testing.B, h *host.Host, program string) {
	b.Helper()
	argv := append([]string{program, fmt.Sprint(r.rounds)}, r.ours...)
	argv = append(append(argv, "--"), r.other...)
	res, err := h.Exec(b.Context(), argv...)
	if err != nil || res.Code != 0 {
		b.Fatalf("%s: %v, exit code %d\n%s", r.name, err, res.Code, res.Stderr)
	}
	var ratio, ours, other, memory []float64
	for lines := bufio.NewScanner(strings.NewReader(res.Stdout)); lines.Scan(); {
		var lap struct{ Seconds, Memory [2]float64 }
		if err := json.Unmarshal(lines.Bytes(), &lap); err != nil {
			b.Fatal(err)
		}
		ratio = append(ratio, lap.Seconds[0]/lap.Seconds[1])
		ours, other = append(ours, lap.Seconds[0]*1e3), append(other, lap.Seconds[1]*1e3)
		memory = append(memory, lap.Memory[0]/lap.Memory[1])
	}
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(1/median(ratio), "times-faster")
	b.ReportMetric(median(memory), "memory")
	b.ReportMetric(median(ours), "kvnet-ms")
	b.ReportMetric(median(other), "other-ms")
	b.ReportMetric(0, "ns/op") // one run of many: says nothing
}

// crowdedHost is a host with 100 guests on the network default.
func crowdedHost(b *testing.B) *host.Host {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	h, err := host.Start(ctx, host.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	})
	define := []string{filepath.Join(programs, "kvnet"), "net-define", "default", "--start", "--autostart"}
	if res, err := h.Exec(ctx, define...); err != nil || res.Code != 0 {
		b.Fatalf("define network: %v, exit code %d\n%s", err, res.Code, res.Stderr)
	}
	for i := range benchGuests {
		g := h.Guest(fmt.Sprintf("guest-%03d", i))
		if err := g.Define(ctx, host.GuestSpec{Network: "default", Empty: true}); err != nil {
			b.Fatal(err)
		}
		if err := g.StartPaused(ctx); err != nil {
			b.Fatal(err)
		}
	}
	return h
}

// build builds commands of this folder into dir.
func build(b *testing.B, dir string, packages ...string) {
	b.Helper()
	argv := append([]string{"build", "-buildvcs=false", "-tags", tags, "-o", dir + "/"}, packages...)
	cmd := exec.CommandContext(b.Context(), "go", argv...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", strings.Join(packages, " "), err, out)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
