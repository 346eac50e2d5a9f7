package verify

import (
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// match is what a rule accepts: packets that come in by the bridge, or leave
// by it, of a protocol to a port.
type match struct {
	out     bool // by the bridge to guests
	forward bool
	proto   string // "" is any
	port    int
	from    int // the port that it comes from, instead
}

// needed are the matches that a network needs in a hook.
func (f *packetFilter) needed(n flowNet, s seen, hook string) []match {
	var list []match
	switch hook {
	case "forward":
		return []match{{forward: true}, {forward: true, out: true}}
	case "prerouting": // packets to guests come in by another link
		if s.ways[0].IIF.Name == n.bridge.Name {
			return []match{{}}
		}
	case "postrouting":
		if s.ways[0].OIF.Name == n.bridge.Name {
			return []match{{out: true}}
		}
	case "input":
		for _, w := range f.h.serviceFlows(n, s.v6) {
			if way := w.ways[0]; way.Path == firewall.PathInput {
				m := match{proto: way.Proto, port: way.DstPort}
				if !slices.Contains(list, m) {
					list = append(list, m)
				}
			}
		}
	case "output":
		m := match{out: true, proto: s.ways[0].Proto, port: s.ways[0].DstPort}
		if m.port == dynamicPort { // any that a guest asked from
			m.port, m.from = 0, s.ways[0].SrcPort
		}
		return []match{m}
	}
	return list
}

func (m match) iptables(bridge string) []string {
	args := []string{"-i", bridge}
	if m.out {
		args[0] = "-o"
	}
	if m.proto != "" {
		args = append(args, "-p", m.proto)
	}
	switch {
	case m.port > 0:
		args = append(args, "--dport", strconv.Itoa(m.port))
	case m.from > 0:
		args = append(args, "--sport", strconv.Itoa(m.from))
	}
	return append(args, "-j", "ACCEPT")
}

func (m match) nft(bridge string) []string {
	args := []string{"iifname", nftName(bridge)}
	if m.out {
		args[0] = "oifname"
	}
	switch {
	case m.port > 0:
		args = append(args, m.proto, "dport", strconv.Itoa(m.port))
	case m.from > 0:
		args = append(args, m.proto, "sport", strconv.Itoa(m.from))
	case m.proto != "":
		args = append(args, "meta", "l4proto", m.proto)
	}
	return append(args, "accept")
}

func (m match) ufw(bridge string) []string {
	direction := "in"
	if m.out {
		direction = "out"
	}
	if m.forward {
		return []string{"route", "allow", direction, "on", bridge}
	}
	args := []string{"allow", direction, "on", bridge}
	switch {
	case m.port > 0:
		args = append(args, "to", "any", "port", strconv.Itoa(m.port), "proto", m.proto)
	case m.from > 0:
		args = append(args, "from", "any", "port", strconv.Itoa(m.from), "proto", m.proto)
	}
	return args
}
