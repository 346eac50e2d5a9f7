package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kvnet/kvnet/integration/host"
)

// patience bounds every wait of a script; a slow machine takes longer, a
// broken one fails.
const patience = 3 * time.Minute

type command = func(ts *testscript.TestScript, neg bool, args []string)

func commands() map[string]command {
	return map[string]command{
		"host":  startHost,
		"on":    on,
		"sh":    shell,
		"until": until,
		"guest": guest,
		"finds": finds,
		"cure":  cure,
		"cures": cures,
		"clean": clean,

		"stop-libvirtd": stopLibvirtd,
	}
}

// scene is what one script has made: its host, and the last finding.
type scene struct {
	road road
	host *host.Host
	cure []string
}

// stopLibvirtd ends libvirt's daemon as an init system does, and waits for it.
// Some versions now and then wait half a minute for a thread of theirs, and then
// end without taking their pid file along.
func stopLibvirtd(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(run(ts, "sh", "-c", "p=$(cat /run/libvirtd.pid) && kill $p && timeout 90 tail -s 0.1 --pid=$p -f /dev/null && rm -f /run/libvirtd.pid"))
}

// sceneKey is where Setup leaves a script's scene.
type sceneKey struct{}

func here(ts *testscript.TestScript) *scene {
	s := ts.Value(sceneKey{}).(*scene)
	if s.host == nil {
		ts.Fatalf("no host yet: the first command of a script is host")
	}
	return s
}

// startHost starts the script's host, furnished as asked.
func startHost(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := ts.Value(sceneKey{}).(*scene)
	h, err := host.Start(ctx, host.Options{Root: s.road.root, Firewall: s.road.firewall, Bind: []string{programs, ts.Getenv("WORK")}})
	ts.Check(err)
	s.host = h
	ts.Defer(func() { ts.Check(h.Close()) })
	for _, arg := range args {
		furnish, known := furniture[arg]
		if !known {
			ts.Fatalf("host: no furniture named %q", arg)
		}
		for _, line := range furnish.lines {
			ts.Check(run(ts, "sh", "-c", line))
		}
		ts.Check(h.Guest(furnish.guest).Define(ctx, furnish.spec))
		ts.Check(h.Guest(furnish.guest).Start(ctx))
		if !furnish.spec.Empty {
			_, err := h.Guest(furnish.guest).WaitAddress(ctx, netip.MustParsePrefix("192.168.122.0/24"))
			ts.Check(err)
		}
	}
}

// furniture is what a healthy host can hold. The guests run but have no
// system: their taps are as real as any, at a fraction of the cost.
var furniture = map[string]struct {
	lines []string
	guest string
	spec  host.GuestSpec
}{
	"nat": {
		lines: []string{"kvnet net-define default --start --autostart"},
		guest: "centos",
		spec:  host.GuestSpec{MAC: "52:54:00:e4:75:83", Network: "default", Empty: true},
	},
	"linux": { // as nat, but the guest has a system: it lets go of a device
		lines: []string{"kvnet net-define default --start --autostart"},
		guest: "centos",
		spec:  host.GuestSpec{MAC: "52:54:00:e4:75:83", Network: "default"},
	},
	"lan": {
		lines: []string{
			"ip link add br0 address 02:00:00:00:00:b0 type bridge stp_state 0 forward_delay 0",
			"ip link set br0 up && ip link set eth0 master br0",
			"ip addr flush dev eth0 && ip addr add 203.0.113.2/24 dev br0",
			"ip route add default via 203.0.113.1 dev br0",
			"kvnet net-define lan --mode bridge --bridge br0 --start --autostart",
		},
		guest: "web",
		spec:  host.GuestSpec{MAC: "52:54:00:00:00:0b", Network: "lan", Empty: true},
	},
}

// run runs a command on the host and keeps what it prints for stdout and
// stderr.
func run(ts *testscript.TestScript, argv ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := here(ts)
	var cmd *exec.Cmd
	if argv[0] == "-outside" {
		cmd = s.host.OutsideCommand(ctx, argv[1:]...)
	} else {
		cmd = s.host.Command(ctx, argv...)
	}
	cmd.Env = append(cmd.Environ(), "PATH="+ts.Getenv("PATH"), "LC_ALL=C", "NO_COLOR=1")
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	return cmd.Run()
}

// on [-outside] [-code N] CMD... runs a command; `! on` wants it to fail.
func on(ts *testscript.TestScript, neg bool, args []string) {
	want := -1
	if len(args) > 2 && args[0] == "-code" {
		_, err := fmt.Sscan(args[1], &want)
		ts.Check(err)
		args = args[2:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: on [-code N] [-outside] CMD...")
	}
	err := run(ts, args...)
	if want >= 0 {
		if code := exitCode(err); code != want {
			ts.Fatalf("on %s: exit code %d, want %d", args[0], code, want)
		}
		return
	}
	judge(ts, neg, args[0], err)
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func judge(ts *testscript.TestScript, neg bool, what string, err error) {
	switch {
	case neg && err == nil:
		ts.Fatalf("%s succeeded, which is wrong here", what)
	case !neg && err != nil:
		ts.Fatalf("%s: %v", what, err)
	}
}

func shell(ts *testscript.TestScript, neg bool, args []string) {
	judge(ts, neg, "sh", run(ts, "sh", "-ec", strings.Join(args, " ")))
}

// until runs a command again and again until it succeeds.
func until(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(patience)
	for {
		err := run(ts, args...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("until %s: %v", strings.Join(args, " "), err)
		}
		<-time.After(200 * time.Millisecond)
	}
}

// report is the part of verify's JSON that scripts look at.
type report struct {
	Checks   int       `json:"checks"`
	Findings []finding `json:"findings"`
	Gaps     []any     `json:"gaps"`
}

type finding struct {
	Check, Severity, Subject string
	Fix                      struct {
		Class    string
		Commands []string
	}
}

func verify(ts *testscript.TestScript) report {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := here(ts).host.Exec(ctx, programs+"/kvnet", "verify", "-o", "json")
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), res.Stdout)
	fmt.Fprint(ts.Stderr(), res.Stderr)
	var r report
	if err := json.Unmarshal([]byte(res.Stdout), &r); err != nil {
		ts.Fatalf("verify -o json (exit code %d): %v", res.Code, err)
	}
	wantCode := 0
	if slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Severity == "error" }) {
		wantCode = 3
	}
	if res.Code != wantCode {
		ts.Fatalf("verify: exit code %d, want %d for these findings", res.Code, wantCode)
	}
	if len(r.Gaps) != 0 {
		ts.Fatalf("verify has gaps on a host that it can see whole: %v", r.Gaps)
	}
	return r
}

// finds CHECK SEVERITY SUBJECT wants exactly that finding.
func finds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: finds CHECK SEVERITY SUBJECT")
	}
	r := verify(ts)
	if len(r.Findings) != 1 {
		ts.Fatalf("verify has %d findings, want one: %s", len(r.Findings), strings.Join(args, " "))
	}
	f := r.Findings[0]
	if have := []string{f.Check, f.Severity, f.Subject}; !slices.Equal(have, args) {
		ts.Fatalf("verify found %s, want %s", strings.Join(have, " "), strings.Join(args, " "))
	}
	here(ts).cure = f.Fix.Commands
}

// cure runs the commands that the last finding printed, each by a shell, as a
// person would paste them.
func cure(ts *testscript.TestScript, neg bool, args []string) {
	s := here(ts)
	if len(s.cure) == 0 {
		ts.Fatalf("the finding has no commands")
	}
	for _, line := range s.cure {
		fmt.Fprintln(ts.Stdout(), "#", line)
		if err := run(ts, "sh", "-c", line); err != nil {
			ts.Fatalf("cure %q: %v", line, err)
		}
	}
}

// cures runs what every finding of a fresh report says, in its order.
func cures(ts *testscript.TestScript, neg bool, args []string) {
	s := here(ts)
	s.cure = nil
	for _, f := range verify(ts).Findings {
		s.cure = append(s.cure, f.Fix.Commands...)
	}
	cure(ts, neg, args)
}

// clean wants a report without findings that says how much it looked at.
func clean(ts *testscript.TestScript, neg bool, args []string) {
	r := verify(ts)
	if len(r.Findings) != 0 {
		ts.Fatalf("verify has %d findings, want none", len(r.Findings))
	}
	if r.Checks == 0 {
		ts.Fatalf("verify is clean because it checked nothing")
	}
}

// guest NAME ACTION ... is kvlab's guest command on this host.
func guest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: guest NAME define|start|stop|exec|ping|address ...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	g := here(ts).host.Guest(args[0])
	var err error
	switch rest := args[2:]; args[1] {
	case "define":
		err = g.Define(ctx, guestSpec(ts, rest))
	case "start":
		err = g.Start(ctx)
	case "stop":
		err = g.Stop(ctx)
	case "address":
		err = address(ctx, ts, g, rest[0])
	case "exec":
		err = told(ts.Stdout(), rest)(g.Exec(ctx, rest...))
	case "ping":
		err = told(ts.Stdout(), rest)(g.Ping(ctx, rest[0]))
	default:
		ts.Fatalf("guest: no action %q", args[1])
	}
	judge(ts, neg, "guest "+strings.Join(args, " "), err)
}

// address waits for the guest's address within a subnet and prints it.
func address(ctx context.Context, ts *testscript.TestScript, g *host.Guest, subnet string) error {
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		return err
	}
	addr, err := g.WaitAddress(ctx, prefix)
	fmt.Fprintln(ts.Stdout(), addr)
	return err
}

// told turns what a guest's command left into output and an error.
func told(out io.Writer, argv []string) func(host.Result, error) error {
	return func(res host.Result, err error) error {
		fmt.Fprint(out, res.Stdout, res.Stderr)
		if err == nil && res.Code != 0 {
			err = fmt.Errorf("%s: exit code %d", strings.Join(argv, " "), res.Code)
		}
		return err
	}
}

// guestSpec reads words such as mac=..., network=..., bridge=..., empty.
func guestSpec(ts *testscript.TestScript, words []string) host.GuestSpec {
	var spec host.GuestSpec
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "mac":
			spec.MAC = value
		case "network":
			spec.Network = value
		case "bridge":
			spec.Bridge = value
		case "none":
			spec.NoLink = true
		case "empty":
			spec.Empty = true
		case "interface":
			spec.Interfaces = append(spec.Interfaces, ts.ReadFile(value))
		default:
			ts.Fatalf("guest define: no word %q", word)
		}
	}
	return spec
}
