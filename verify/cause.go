package verify

import (
	"cmp"

	"github.com/kvnet/kvnet/libvirtnet"
)

// A cause is something of the host, such as a program that is missing, which
// several networks or guests suffer from: one finding, asked for with any of
// them, and followers are silent for these and for no others.

// onAny says whether a cause is to be judged, and counts the verdict if one of
// those who suffer was asked for.
func (p *pass) onAny(sufferers []key) bool {
	asked := p.wanted == nil
	for _, k := range sufferers {
		asked = asked || p.wanted[k]
	}
	if asked && len(sufferers) > 0 && !p.muted {
		p.report.Checks++
		for _, k := range sufferers {
			p.keep(k)
		}
	}
	return len(sufferers) > 0
}

// foundFor reports a cause and silences the followers for who suffers from it.
func (p *pass) foundFor(sufferers []key, f Finding) {
	if p.fired[p.check.ID] == nil {
		p.fired[p.check.ID] = map[key]bool{}
	}
	asked := p.wanted == nil
	for _, k := range sufferers {
		p.fired[p.check.ID][k] = true
		p.wrong(k)
		asked = asked || p.wanted[k]
	}
	if p.muted || !asked {
		return
	}
	f.Check = p.check.ID
	f.Severity = cmp.Or(f.Severity, p.check.Severity)
	p.report.Findings = append(p.report.Findings, f)
}

// needful are the networks of a list that run or are to run: active ones, and
// those that start with the host or with a guest. stopped are those among them
// that are not active.
func (h *host) needful(want func(*libvirtnet.Network) bool) (needful, stopped []*libvirtnet.Network) {
	for i := range h.snap.Libvirt.Networks {
		n := &h.snap.Libvirt.Networks[i]
		if !want(n) || !n.Active && !n.Autostart && !h.usersOf(n).needed() {
			continue
		}
		needful = append(needful, n)
		if !n.Active {
			stopped = append(stopped, n)
		}
	}
	return needful, stopped
}

func networkKeys(list []*libvirtnet.Network) []key {
	keys := make([]key, 0, len(list))
	for _, n := range list {
		keys = append(keys, key{aNetwork, n.Name})
	}
	return keys
}

func networkNames(list []*libvirtnet.Network) []string {
	names := make([]string, 0, len(list))
	for _, n := range list {
		names = append(names, n.Name)
	}
	return names
}

// startAll are the steps that start networks and bring their guests back.
func (h *host) startAll(list []*libvirtnet.Network) []Step {
	var steps []Step
	for _, n := range list {
		steps = append(steps, Step{Do: NetStart, On: n.Name})
		steps = append(steps, h.replug(h.usersOf(n).active)...)
	}
	return steps
}
