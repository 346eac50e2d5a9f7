package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
)

type netEventOptions struct {
	filter    libvirtnet.EventFilter
	count     int // 0 is no end
	timeout   time.Duration
	timestamp bool
}

func netEventCommand(e *env) *cli.Command {
	var o netEventOptions
	var loop bool
	var kind string
	return &cli.Command{
		Category:  networks,
		Usage:     "waits for events of networks and prints them",
		ArgsUsage: "[NETWORK]",
		Description: describe(`
Prints what libvirt tells of NETWORK, or of every network: that it was defined,
undefined, started or stopped, or that its metadata changed (libvirt 9.7 and
later). As virsh does, it waits for one event; --count waits for as many, --loop
until it is interrupted. Without --timeout it waits as long as it takes; when that
time is over before the events came, or with --loop before any came, the exit
code is 5. -o json prints one document a line, as the events come.`,
			"kvnet net-event default --event lifecycle --timeout 30", 0, 1, 2, 5),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "event", Usage: "only events of `KIND`: lifecycle or metadata-change", Destination: &kind},
			&cli.IntFlag{Name: "count", Value: 1, Usage: "wait for `N` events", Destination: &o.count},
			&cli.BoolFlag{Name: "loop", Usage: "go on until interrupted, or until --timeout", Destination: &loop},
			&cli.GenericFlag{Name: "timeout", Value: duration{&o.timeout}, Usage: "wait at most `DURATION`, in seconds or as 1m30s"},
			&cli.BoolFlag{Name: "timestamp", Usage: "print when each event came", Destination: &o.timestamp},
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "[NETWORK]")
			if err != nil {
				return err
			}
			o.filter.Network, o.filter.Kind = append(args, "")[0], libvirtnet.EventKind(kind)
			switch {
			case c.IsSet("event") && o.filter.Kind != libvirtnet.Lifecycle && o.filter.Kind != libvirtnet.MetadataChange:
				return usage("net-event", "no event "+quote(kind), "want lifecycle or metadata-change")
			case loop && c.IsSet("count"):
				return usage("net-event", "--loop and --count exclude each other", "")
			case o.count < 1:
				return usage("net-event", fmt.Sprintf("flag --count: %d events are none to wait for", o.count), "")
			case c.IsSet("timeout"):
				if err := checkTimeout("net-event", o.timeout); err != nil {
					return err
				}
			}
			if loop {
				o.count = 0
			}
			return runNetEvent(c.Context, e, o)
		},
	}
}

func runNetEvent(ctx context.Context, e *env, o netEventOptions) error {
	if err := libvirtnet.PrepareEvents(); err != nil {
		return err
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	came, wrote := 0, error(nil)
	err = conn.Events(ctx, o.filter, func() {}, func(ev libvirtnet.Event) bool {
		came++
		wrote = e.printEvent(ev, o.timestamp)
		return wrote == nil && came != o.count
	})
	switch looped := o.count == 0; {
	case wrote != nil:
		return wrote
	case looped && errors.Is(err, context.Canceled), looped && came > 0 && errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{op: "wait for", object: "events", code: exitTimeout,
			err: fmt.Errorf("%s came within %s, want %s", plural(came, "event"), o.timeout, plural(max(o.count, 1), "event"))}
	}
	return err
}

// eventWords are virsh's.
var eventWords = map[string]string{"defined": "Defined", "undefined": "Undefined", "started": "Started", "stopped": "Stopped"}

// eventLine is the event as virsh prints it.
func eventLine(ev libvirtnet.Event, timestamp bool) string {
	what := "type " + ev.Change + ", uri " + dash(ev.URI)
	if ev.Event == libvirtnet.Lifecycle {
		if what = eventWords[ev.Change]; what == "" {
			what = ev.Change
		}
	}
	line := fmt.Sprintf("event '%s' for network %s: %s", ev.Event, clean(ev.Network), clean(what))
	if timestamp {
		line = ev.Time.UTC().Format("2006-01-02 15:04:05.000-0700") + ": " + line
	}
	return line
}

// printEvent prints one event at once; a reader may be waiting for it.
func (e *env) printEvent(ev libvirtnet.Event, timestamp bool) error {
	return e.stream(e.format, func(w *bufio.Writer) error {
		switch e.format {
		case "json":
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(ev)
		case "yaml":
			_, _ = w.WriteString("---\n")
			return encodeYAML(w, ev)
		}
		_, err := w.WriteString(eventLine(ev, timestamp) + "\n")
		return err
	})
}
