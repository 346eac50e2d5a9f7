package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

func daemonChecks() []Check {
	return []Check{{
		ID: "net-daemon-down", Title: "libvirt's network daemon is not there, or two are", Severity: Error, Class: Manual,
		Needs: []Need{Daemons},
		Doc: Doc{
			Symptom:  "Failed to connect socket to virtnetworkd-sock or libvirt-sock; no network is there until somebody asks for one.",
			Cause:    "The daemon ended, was never switched on, or the move from libvirtd to one daemon per driver stopped half-way and both run.",
			Evidence: "The daemons' pid files and processes, their sockets and who listens, and systemd's links. An error when libvirt does not answer and nobody listens, or when libvirtd and virtnetworkd run in one network namespace: each thinks the networks its own. A socket that systemd holds for a daemon is as good as the daemon; but when networks are to start with the host and nothing starts virtnetworkd then, it is a remark. Connections to other machines are not looked at.",
			Cure:     "Start the daemon and let it start with the host; of two, switch one off.",
		},
		run: daemonDown,
	}}
}

// daemon is one of libvirt's daemons; an empty one when it is nowhere.
func (h *host) daemon(name string) services.Daemon {
	for _, d := range h.snap.Services.Daemons {
		if d.Name == name {
			return d
		}
	}
	return services.Daemon{Name: name}
}

// localSystem says whether a URI is for the system daemon of this machine.
func localSystem(uri string) bool {
	uri, query, _ := strings.Cut(uri, "?")
	scheme, path, ok := strings.Cut(uri, ":///")
	driver, transport, _ := strings.Cut(scheme, "+")
	return uri == "" || ok && path == "system" && driver != "test" && (transport == "" || transport == "unix") && !strings.Contains(query, "socket=")
}

func daemonDown(p *pass) {
	if !localSystem(p.snap.URI) || strings.EqualFold(p.snap.Libvirt.Driver, "test") {
		return
	}
	s := scope{kind: theHost, link: "libvirt"}
	if !p.on(s) {
		return
	}
	whole, own := p.daemon("libvirtd"), p.daemon("virtnetworkd")
	refused := slices.ContainsFunc(p.snap.Libvirt.Gaps, func(g libvirtnet.Gap) bool { return g.Source == "connection" || g.Source == "networks" })
	switch {
	case whole.PID > 0 && own.PID > 0 && whole.Namespace == own.Namespace:
		p.twoDaemons(s, whole, own)
	case refused && whole.PID == 0 && own.PID == 0 && !whole.Listens && !own.Listens:
		p.noDaemon(s, whole, own)
	case own.SocketEnabled && !own.Enabled && !whole.Enabled:
		p.sleepingDaemon(s, own)
	}
}

func (p *pass) twoDaemons(s scope, whole, own services.Daemon) {
	p.found(s, Finding{
		Message:  fmt.Sprintf("libvirtd (process %d) and virtnetworkd (process %d) both run: each manages the networks as its own", whole.PID, own.PID),
		Evidence: "processes of /run/libvirtd.pid and /run/virtnetworkd.pid and their network namespace",
		Want:     "libvirtd, or one daemon per driver", Have: "libvirtd and virtnetworkd",
		Fix: Fix{
			Class: Manual, Say: "switch one off; the commands keep the daemons per driver (libvirt.org/daemons.html)",
			Steps: []Step{{Do: DisableUnit, On: "libvirtd.service", Args: []string{"libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"}}},
		},
	})
}

func (p *pass) noDaemon(s scope, whole, own services.Daemon) {
	unit := "libvirtd.service"
	if own.Enabled || own.SocketEnabled || own.Socket != "" || p.daemon("virtqemud").Socket != "" {
		unit = "virtnetworkd.service"
	}
	fix := Fix{
		Class: Manual, Say: "start " + unit + " and let it start with the host; journalctl -u " + unit + " tells why it ended",
		Steps: []Step{{Do: EnableUnit, On: unit}},
	}
	if !p.snap.Libvirt.Daemon.Systemd {
		program := strings.TrimSuffix(unit, ".service")
		fix.Say, fix.Steps = "start "+program+" and let it start with the host", []Step{{Do: RunArgs, On: program, Args: []string{"-d"}}}
		unit = program
	}
	if set := p.snap.Services.Backend; set == "nftables" && p.program("nft") == "" || set == "iptables" && p.program("iptables") == "" {
		fix.Say += "; firewall_backend in /etc/libvirt/network.conf asks for " + show(set) + ", which is not installed"
	}
	have := "no socket"
	if whole.Socket != "" || own.Socket != "" {
		have = "nobody listens"
	}
	p.found(s, Finding{
		Message:  "libvirt's network daemon does not run, and nobody listens for it",
		Evidence: "/run/libvirtd.pid, /run/virtnetworkd.pid, and who listens on libvirt-sock and virtnetworkd-sock in /run/libvirt",
		Want:     unit + " running", Have: have,
		Fix: fix,
	})
}

// sleepingDaemon: systemd starts virtnetworkd when somebody connects, and the
// networks that are to start with the host wait for that.
func (p *pass) sleepingDaemon(s scope, own services.Daemon) {
	var waiting []string
	for i := range p.snap.Libvirt.Networks {
		if n := &p.snap.Libvirt.Networks[i]; n.Autostart {
			waiting = append(waiting, n.Name)
		}
	}
	// A guest that starts with the host wakes it.
	guest := slices.ContainsFunc(p.snap.Libvirt.Guests, func(g libvirtnet.Guest) bool { return g.Autostart })
	if len(waiting) == 0 || guest && p.daemon("virtqemud").Enabled {
		return
	}
	p.found(s, Finding{
		Severity: Info,
		Message:  "network " + someNames(waiting) + " is to start with the host, and waits until somebody connects to virtnetworkd",
		Evidence: "links to " + own.Name + ".socket and " + own.Name + ".service in the .wants folders of /etc/systemd/system",
		Want:     "virtnetworkd.service enabled", Have: "virtnetworkd.socket only",
		Fix: Fix{Class: Manual, Say: "let virtnetworkd start with the host", Steps: []Step{{Do: EnableUnit, On: "virtnetworkd.service"}}},
	})
}
