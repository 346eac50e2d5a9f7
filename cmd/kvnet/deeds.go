package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
)

// deed is one thing that is done outside libvirt's plans, with how to take it
// back.
type deed struct {
	say   string
	do    func(context.Context) (bridge.Undo, error)
	final bool // there is no way back
	done  bool
	undo  bridge.Undo // set when done; nil when there is nothing to take back
}

// deeds are done in order, and taken back in the other.
type deeds struct{ list []deed }

// shown are the deeds as a plan prints them.
func (k *deeds) shown(object string) []libvirtnet.PlanStep {
	var list []libvirtnet.PlanStep
	for _, s := range k.list {
		list = append(list, libvirtnet.PlanStep{Do: "kernel", Object: object, Say: s.say, Why: "the kernel has it otherwise"})
	}
	return list
}

// take does them.
func (k *deeds) take(ctx context.Context) error {
	for n := range k.list {
		s := &k.list[n]
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", s.say, err)
		}
		undo, err := s.do(ctx)
		if err != nil {
			return err
		}
		s.done, s.undo = true, undo
	}
	return nil
}

// takeBack undoes the deeds that were done, newest first, and says which stay.
func (k *deeds) takeBack(cause error) error {
	var stay []string
	for _, s := range k.list {
		if s.done && s.final {
			stay = append(stay, s.say)
		}
	}
	if len(stay) > 0 {
		cause = fmt.Errorf("%w; no way back from: %s", cause, strings.Join(stay, ", "))
	}
	u := &libvirtnet.UndoneError{Cause: cause}
	for n := range slices.Backward(k.list) {
		s := k.list[n]
		if s.undo == nil {
			continue
		}
		if err := s.undo(); err != nil {
			u.Left, u.Errs = append(u.Left, s.say), append(u.Errs, err)
		} else {
			u.Undone = append(u.Undone, s.say)
		}
	}
	if len(u.Undone)+len(u.Left) == 0 {
		return cause
	}
	return u
}

// daemonTime is what the restart of a daemon may take: libvirt's gives itself 30 s
// to end.
const daemonTime = 90 * time.Second

// deedsOf are the steps of a cure, or of a way back, as deeds, each of which
// may take as long as timeout. A daemon that was told to end is started again,
// whoever loses patience meanwhile.
func (e *env) deedsOf(steps []verify.Step, timeout time.Duration) *deeds {
	k := &deeds{}
	for _, s := range steps {
		k.list = append(k.list, deed{say: s.Command(), final: isForeign(s) && inverse(s.Argv()) == nil, do: func(ctx context.Context) (bridge.Undo, error) {
			limit := timeout
			if s.Do == verify.Daemon || s.Do == verify.Restart {
				ctx, limit = context.WithoutCancel(ctx), max(timeout, daemonTime)
			}
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return e.takeStep(ctx, s)
		}})
	}
	return k
}

// isForeign says whether a step is another program's command, or a signal: the
// journal knows no way back from it.
func isForeign(s verify.Step) bool {
	argv := s.Argv()
	return linkDeed(s) == nil && len(argv) > 0 && argv[0] != "kvnet"
}

// inverse is the command that takes back one that adds a rule to a chain of
// iptables, wherever it stands by then; nil for all others.
func inverse(argv []string) []string {
	at := slices.IndexFunc(argv, func(a string) bool { return a == "-I" || a == "-A" })
	known := strings.HasPrefix(argv[0], "iptables") || strings.HasPrefix(argv[0], "ip6tables")
	if !known || at < 0 || at+2 > len(argv) {
		return nil
	}
	back := append(slices.Clone(argv[:at]), "-D", argv[at+1])
	rule := argv[at+2:]
	if len(rule) > 0 && strings.Trim(rule[0], "0123456789") == "" {
		rule = rule[1:] // where it was put
	}
	return append(back, rule...)
}

// takeStep does what a step's command does: by netlink where that can be taken
// back, with kvnet's own commands in this process, and else by the command
// itself, without a shell.
func (e *env) takeStep(ctx context.Context, s verify.Step) (bridge.Undo, error) {
	if do := linkDeed(s); do != nil {
		return do()
	}
	argv := s.Argv()
	switch {
	case s.Do == verify.LinkDel:
		return nil, bridge.DeleteLink(s.On)
	case len(argv) == 0:
		return nil, fmt.Errorf("%s %s: no such step", s.Do, clean(s.On))
	case s.Do == verify.Replug:
		// The cure is looked at as a whole: waiting for each of many taps to
		// forward would keep the next guest out.
		return e.takeCommand(ctx, append(argv[1:], "--no-verify"))
	case argv[0] == "kvnet":
		return e.takeCommand(ctx, argv[1:])
	case s.Do == verify.Hangup, s.Do == verify.Kill, s.Do == verify.Continue, s.Do == verify.AwaitEnd:
		return nil, sendSignal(ctx, s)
	}
	if argv[0] == "virsh" && e.uri != "" {
		argv = append([]string{"virsh", "-c", e.uri}, argv[1:]...)
	}
	if err := runProgram(ctx, s.Command(), argv); err != nil || inverse(argv) == nil {
		return nil, err
	}
	return func() error {
		return runProgram(context.WithoutCancel(ctx), "take back: "+s.Command(), inverse(argv))
	}, nil
}

// runProgram runs a command, without a shell.
func runProgram(ctx context.Context, say string, argv []string) error {
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Run(); err != nil && !gone(argv, words.String()) {
		return fmt.Errorf("%s: %w: %s", say, err, shorten(oneLine(errors.New(words.String()))))
	}
	return nil
}

// gone says whether a rule was to be deleted that is no more: libvirt's daemon, just
// started, clears up, too.
func gone(argv []string, words string) bool {
	return len(argv) > 2 && argv[0] == "nft" && argv[1] == "delete" && argv[2] == "rule" && strings.Contains(words, "No such file or directory")
}

// linkDeed changes a link, bridge or sysctl by netlink; nil for other steps.
func linkDeed(s verify.Step) func() (bridge.Undo, error) {
	switch s.Do {
	case verify.LinkUp:
		return func() (bridge.Undo, error) { return bridge.SetUp(s.On) }
	case verify.LinkDown:
		return func() (bridge.Undo, error) { return bridge.SetDown(s.On) }
	case verify.SetMaster:
		return func() (bridge.Undo, error) { return bridge.SetMaster(s.On, s.With) }
	case verify.NoMaster:
		return func() (bridge.Undo, error) { return bridge.ClearMaster(s.On) }
	case verify.SetMAC:
		return func() (bridge.Undo, error) { return bridge.SetMAC(s.On, s.With) }
	case verify.BridgeAdd:
		return func() (bridge.Undo, error) { return bridge.AddBridge(s.On) }
	case verify.SetIsolated:
		return func() (bridge.Undo, error) { return bridge.SetIsolated(s.On, s.With == "on") }
	case verify.SetSTP:
		return func() (bridge.Undo, error) { return bridge.SetSTP(s.On, s.With != "0") }
	case verify.SetARP:
		return func() (bridge.Undo, error) { return bridge.SetARP(s.On, s.With == "on") }
	case verify.SetSysctl:
		return func() (bridge.Undo, error) { return bridge.SetSysctl(s.On, s.With) }
	case verify.AddressAdd, verify.AddressKeep, verify.AddressDel:
		return addressDeed(s)
	case verify.SetMTU, verify.ForwardDelay:
		return numberDeed(s)
	}
	return nil
}

func addressDeed(s verify.Step) func() (bridge.Undo, error) {
	change := bridge.AddAddress
	if s.Do == verify.AddressDel {
		change = bridge.DelAddress
	}
	return func() (bridge.Undo, error) {
		p, err := netip.ParsePrefix(s.With)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Command(), err)
		}
		return change(s.On, p)
	}
}

func numberDeed(s verify.Step) func() (bridge.Undo, error) {
	return func() (bridge.Undo, error) {
		n, err := strconv.Atoi(s.With)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", s.Command(), err)
		case s.Do == verify.SetMTU:
			return bridge.SetMTU(s.On, n)
		}
		return bridge.SetForwardDelay(s.On, time.Duration(n)*time.Millisecond)
	}
}

// sendSignal sends a signal to a process, or waits for its end.
func sendSignal(ctx context.Context, s verify.Step) error {
	pid, err := strconv.Atoi(s.On)
	if err != nil || pid < 2 {
		return fmt.Errorf("%s: no process id", s.Command())
	}
	switch s.Do {
	case verify.Hangup:
		err = unix.Kill(pid, unix.SIGHUP)
	case verify.Kill:
		err = unix.Kill(pid, unix.SIGTERM)
	case verify.Continue:
		err = unix.Kill(pid, unix.SIGCONT)
	default:
		return awaitEnd(ctx, pid)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%s: %w", s.Command(), err)
	}
	return nil
}

// awaitEnd waits until a process has ended.
func awaitEnd(ctx context.Context, pid int) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for unix.Kill(pid, 0) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of process %d: %w", pid, ctx.Err())
		}
	}
	return nil
}

// takeCommand runs one of kvnet's own commands, in this turn. Its way back is
// that of the changes that it wrote down.
func (e *env) takeCommand(ctx context.Context, args []string) (bridge.Undo, error) {
	before, err := e.lastChange()
	if err != nil {
		return nil, err
	}
	var out, words bytes.Buffer
	sub := &env{out: &out, err: &words, journal: e.journal, turn: e.turn, borrowed: true, args: args}
	if code := sub.run(ctx, append([]string{"kvnet", "-c", e.uri}, args...)); code != 0 {
		return nil, fmt.Errorf("kvnet %s: %s", strings.Join(args, " "), strings.TrimPrefix(firstLine(words.String()), "kvnet: "))
	}
	after, err := e.lastChange()
	if err != nil || after == before {
		return nil, err
	}
	return func() error {
		_, err := e.takeCommand(context.WithoutCancel(ctx), []string{"undo", strconv.Itoa(after), "--no-verify"})
		return err
	}, nil
}

// lastChange is the number of the newest entry in the journal; 0 without one.
func (e *env) lastChange() (int, error) {
	if e.journal == nil {
		return 0, nil
	}
	entries, err := e.journal.Entries()
	if len(entries) == 0 {
		return 0, err
	}
	return entries[len(entries)-1].ID, err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
