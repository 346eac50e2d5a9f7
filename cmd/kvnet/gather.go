package main

import (
	"context"
	"errors"
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/verify"
)

// gathered is a snapshot and the errors that left holes in it. The holes
// are gaps in the snapshot, too.
type gathered struct {
	verify.Snapshot
	libvirtErr, kernelErr error
	look                  *verify.Look
	whole                 *verify.Report // what judge said of all of it
}

// err says why the snapshot lacks one of its halves altogether.
func (g gathered) err() error { return errors.Join(g.libvirtErr, g.kernelErr) }

// at is the snapshot with its cross references, which are built once.
func (g *gathered) at() *verify.Look {
	if g.look == nil {
		g.look = verify.LookAt(g.Snapshot)
	}
	return g.look
}

// judge is verify's report. That of the whole host is made once: whether to look
// again hangs on it, and so does what the command prints.
func (g *gathered) judge(o verify.Options) verify.Report {
	if len(o.Checks)+len(o.Subjects) > 0 || o.Verdicts {
		return g.at().Judge(o)
	}
	if g.whole == nil {
		r := g.at().Judge(verify.Options{})
		g.whole = &r
	}
	return *g.whole
}

// gather asks libvirt, and meanwhile reads the kernel, its packet filter and what
// stands around them. It does not fail: a half that cannot be had is a gap, and the
// other goes on. The kernel half stays empty where libvirt works for another host.
func gather(ctx context.Context, uri string) gathered {
	g := gathered{Snapshot: verify.Snapshot{Version: verify.Version, Taken: time.Now().UTC(), URI: uri}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Libvirt, g.libvirtErr = askLibvirt(ctx, uri)
	}()
	// One after the other: libvirt mostly takes longer, and a thread for each is memory.
	kernel, err := bridge.Read(ctx)
	filter := readFirewall(ctx)
	around := readServices(ctx)
	<-done
	if g.Libvirt.URI != "" {
		g.URI = g.Libvirt.URI
	}
	if g.libvirtErr == nil && !g.Libvirt.Daemon.Local {
		// Facts of this host would be mistaken for facts of the other one; the
		// judge says from Daemon.Local that there are none.
		g.Kernel = completeKernel(bridge.State{})
		return g
	}
	g.kernelErr = err
	if err != nil {
		kernel.Gaps = append(kernel.Gaps, bridge.Gap{Source: "links", Message: err.Error()})
	}
	kernel.Gaps = append(kernel.Gaps, filter.gaps...)
	g.Kernel, g.Firewall = completeKernel(kernel), filter.rules
	g.Services = around
	g.readJournal()
	g.Libvirt.Daemon = proveNamespace(ctx, g.Libvirt.Daemon, g.Kernel)
	g.proveFiles()
	g.findHolders()
	return g
}

// readJournal looks for changes that were cut off.
func (g *gathered) readJournal() {
	var err error
	if g.Unfinished, err = unfinished(); err == nil {
		return
	}
	each := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		each = joined.Unwrap()
	}
	for _, err := range each {
		g.JournalGaps = append(g.JournalGaps, err.Error())
	}
}

// readServices reads what stands around libvirt and the kernel. Who answers
// slowly there is a gap, and nobody waits for him longer.
func readServices(ctx context.Context) *services.State {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	s := services.Read(ctx, services.Options{})
	return &s
}

// proveFiles finds out whether libvirt's daemon has the files that were read.
func (g *gathered) proveFiles() {
	pid := g.Libvirt.Daemon.PID
	if pid == 0 {
		return
	}
	if same, err := services.SameFiles(services.Options{}, pid); err == nil && same {
		g.Services.ProvenFor = pid
	}
}

// packetFilter is the ruleset, nil if nothing of it could be read, and what is
// missing in it.
type packetFilter struct {
	rules *firewall.Ruleset
	gaps  []bridge.Gap
}

// readFirewall reads the packet filter. What is missing, all of it for a user
// without CAP_NET_ADMIN, is a gap of the kernel half.
func readFirewall(ctx context.Context) packetFilter {
	var f packetFilter
	rules, gaps, err := firewall.Read(ctx)
	for _, g := range gaps {
		f.gaps = append(f.gaps, bridge.Gap{Source: verify.FirewallGap + " (" + g.Source + ")", Message: g.Message})
	}
	switch {
	case err == nil:
		f.rules = &rules
	case len(gaps) == 0:
		f.gaps = append(f.gaps, bridge.Gap{Source: verify.FirewallGap, Message: err.Error()})
	}
	return f
}

// askLibvirt is libvirt's half; an error means that there is none.
func askLibvirt(ctx context.Context, uri string) (libvirtnet.State, error) {
	conn, err := connectTo(ctx, uri)
	if err != nil {
		return noLibvirt(uri, err), err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	state, err := conn.State(ctx)
	if err != nil && len(state.Gaps) == 0 {
		state.Gaps = append(state.Gaps, libvirtnet.Gap{Source: "connection", Message: err.Error()})
	}
	return completeLibvirt(state), err
}

func noLibvirt(uri string, err error) libvirtnet.State {
	return completeLibvirt(libvirtnet.State{
		URI: uri, Daemon: libvirtnet.Daemon{Systemd: libvirtnet.Systemd()}, Gaps: []libvirtnet.Gap{{Source: "connection", Message: err.Error()}},
	})
}

// completeLibvirt and completeKernel make empty lists of nil ones: a document
// has [] and never null.
func completeLibvirt(s libvirtnet.State) libvirtnet.State {
	s.Networks, s.Guests, s.Gaps = list(s.Networks), list(s.Guests), list(s.Gaps)
	return s
}

func completeKernel(s bridge.State) bridge.State {
	s.Links, s.Bridges, s.Ports, s.Addresses, s.Routes = list(s.Links), list(s.Bridges), list(s.Ports), list(s.Addresses), list(s.Routes)
	s.Rules, s.Neighbours, s.FDB, s.Forwarding = list(s.Rules), list(s.Neighbours), list(s.FDB), list(s.Forwarding)
	s.Sockets, s.Holders, s.Gaps = list(s.Sockets), list(s.Holders), list(s.Gaps)
	if s.Sysctls == nil {
		s.Sysctls = map[string]string{}
	}
	return s
}

// findHolders looks for the processes behind the taps that no guest claims:
// a tap with a holder is somebody's, one without is an orphan.
func (g *gathered) findHolders() {
	claimed := ownersOf(g.Libvirt.Guests)
	var taps []string
	for _, l := range g.Kernel.Links {
		if _, ok := claimed[l.Name]; !ok && l.Tun != nil {
			taps = append(taps, l.Name)
		}
	}
	if len(taps) == 0 {
		return
	}
	holders, err := bridge.FindHolders(taps)
	g.Kernel.Holders = list(holders)
	if err != nil {
		g.Kernel.Gaps = append(g.Kernel.Gaps, bridge.Gap{Source: "holders", Message: err.Error()})
	}
}

// list returns items, or an empty list for nil.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
