package verify

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// restartDaemon restarts the daemon that owns the networks: the unit where
// systemd runs, else the process itself.
func (h *host) restartDaemon() []Step {
	d := h.snap.Libvirt.Daemon
	switch {
	case d.Systemd && strings.HasPrefix(d.Name, "virt"):
		return []Step{{Do: Restart, On: "virtnetworkd"}}
	case d.Systemd:
		return []Step{{Do: Restart, On: "libvirtd"}}
	case d.PID > 0 && (d.Name == "libvirtd" || d.Name == "virtnetworkd"):
		return []Step{{Do: Daemon, On: d.Name, With: strconv.Itoa(d.PID)}}
	}
	return nil
}

// plainName says whether a name can stand in a command of nft as it is.
func plainName(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
	})
}

// nftName writes a link's name for nft, which reads many words of its own where
// a name is expected (rt0, accept), more with each release. Only names that no
// word of it begins like stand bare.
func nftName(link string) string {
	digits := strings.TrimPrefix(strings.TrimPrefix(link, "vir"), "br")
	if len(digits) < len(link) && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return link
	}
	return `"` + link + `"`
}

// tool is the command for the tables that a rule of iptables is in. Where there
// are tables of both kinds, the plain name would be that of either.
func (f *packetFilter) tool(r firewall.Reference) string {
	name := "iptables"
	if r.Family == "ip6" {
		name = "ip6tables"
	}
	switch {
	case r.Legacy:
		return name + "-legacy"
	case slices.ContainsFunc(f.rules.Tables, func(t firewall.Table) bool { return t.Legacy }):
		return name + "-nft"
	}
	return name
}

// flushNAT empties libvirt's chains of NAT rules.
func (f *packetFilter) flushNAT(v6 bool) []Step {
	var steps []Step
	f.rulesOf(func(t *firewall.Table, c *firewall.Chain, r *firewall.Rule) {
		if t.Family != familyName(v6) || !networkChain(t, c) || !translates(r) || !plainName(t.Name) || !plainName(c.Name) {
			return
		}
		step := Step{Do: Filter, On: "nft", Args: []string{"flush", "chain", t.Family, t.Name, c.Name}}
		if !nftTable(t.Name) {
			step = Step{Do: Filter, On: f.tool(firewall.Reference{Family: t.Family, Legacy: t.Legacy}), Args: []string{"-t", t.Name, "-F", c.Name}}
		}
		steps = addStep(steps, step)
	})
	return steps
}

// jumpsFirst puts libvirt's jumps in front of what stands before them.
func (f *packetFilter) jumpsFirst(b breach) Fix {
	fix := Fix{Class: Guarded, Say: "put libvirt's jumps in front of the other rules; whatever inserted the rule may do so again"}
	for _, s := range b.flows {
		by := f.decider(s)
		if !iptablesTable(by.By) {
			fix = Fix{Class: Manual, Say: "delete the rule, or move it behind libvirt's"}
			if plainName(by.By.Table) && plainName(by.By.Chain) && by.By.Handle > 0 {
				fix.Steps = []Step{{Do: Filter, On: "nft", Args: []string{
					"delete", "rule", by.By.Family, by.By.Table, by.By.Chain, "handle", strconv.FormatUint(by.By.Handle, 10),
				}}}
			}
			return fix
		}
		for _, c := range slices.Backward(filterChains) {
			if c.base != by.Chain {
				continue
			}
			moves := []string{"-D", "-I"}
			if !f.leads(by.By, c.base, c.chain) {
				moves = moves[1:]
			}
			for _, do := range moves {
				fix.Steps = addStep(fix.Steps, Step{Do: Filter, On: f.tool(by.By), Args: []string{do, c.base, "-j", c.chain}})
			}
		}
	}
	return fix
}

// leads says whether a chain of a rule's table has a jump to another.
func (f *packetFilter) leads(at firewall.Reference, from, to string) bool {
	c := f.chain(at, from)
	return c != nil && slices.ContainsFunc(c.Rules, func(r firewall.Rule) bool {
		return slices.ContainsFunc(r.Exprs, func(e *firewall.Expr) bool { return e.Jump != nil && e.Jump.Chain == to })
	})
}

// decider is the base chain, with its rule, in which something is decided
// before libvirt's rules are asked.
func (f *packetFilter) decider(s seen) firewall.Step {
	if s.Answer == firewall.Drop {
		return s.last()
	}
	ours := f.alone(s.declared).last()
	for _, step := range s.Steps {
		if sameBase(step, ours) {
			return step
		}
	}
	return s.last()
}

// addStep appends a step that is not there yet.
func addStep(steps []Step, s Step) []Step {
	if slices.ContainsFunc(steps, func(o Step) bool { return o.Do == s.Do && o.On == s.On && slices.Equal(o.Args, s.Args) }) {
		return steps
	}
	return append(steps, s)
}

// letThrough accepts what the network's guests need in every base chain that
// drops it.
func (f *packetFilter) letThrough(b breach) Fix {
	fix := Fix{Class: Guarded}
	whose := map[string]bool{}
	var drops []firewall.Reference // by the step that lets pass what they drop, in accepts
	var accepts []Step
	var deleted []firewall.Reference // an accept for the bridge would not save all that they drop
	ours := func(s seen) bool { return f.blameDrop(b.net, s) == b.check }
	for _, s := range b.flows {
		for _, by := range f.droppers(s.declared, ours) {
			whose[f.owner(by)] = true
			steps := f.accept(b.net, s, by)
			if len(steps) == 0 && f.owner(by) == firewall.OwnerOther && !slices.Contains(deleted, by.By) {
				fix.Class = Manual
				if steps := f.deleteThat(by.By); len(steps) > 0 {
					deleted, fix.Steps = append(deleted, by.By), append(fix.Steps, steps...)
				}
			}
			for _, step := range steps {
				drops, accepts = append(drops, by.By), append(accepts, step)
			}
		}
	}
	for i, step := range accepts {
		if !slices.Contains(deleted, drops[i]) {
			fix.Steps = addStep(fix.Steps, step)
		}
	}
	if !plainName(b.net.bridge.Name) {
		fix.Steps = nil
	}
	bridge := show(b.net.bridge.Name)
	switch {
	case b.check == killSwitch:
		fix.Class, fix.Say = Manual, "allow local networks in the VPN client, or accept "+bridge+": that lets guests past the tunnel"
	case whose[firewall.OwnerUFW]:
		fix.Say = "allow " + bridge + " in ufw, which keeps it"
	case whose[firewall.OwnerDocker] && slices.ContainsFunc(fix.Steps, func(s Step) bool { return slices.Contains(s.Args, dockerUser) }):
		fix.Say = "accept " + bridge + " in Docker's chain for this (lost at a reboot: see Docker's option ip-forward-no-drop)"
	case whose[firewall.OwnerFirewalld]:
		fix.Say = bridge + " is in the zone of firewalld that libvirt wants: let its packets through there, or by a policy"
		if zone := f.h.otherZone(b.net); zone != "" {
			fix.Say = "put " + bridge + " into firewalld's zone " + show(zone)
		}
	case len(deleted) > 0:
		fix.Say = "delete the rule, also where its owner keeps it, or let the packets of " + bridge + " pass in front of it"
	default:
		fix.Say = "accept " + bridge + " in the chain that drops, and write that where its owner keeps its rules"
	}
	return fix
}

// droppers are those of the base chains that drop a flow which are wanted, each
// as if those before it did not.
func (f *packetFilter) droppers(w declared, want func(seen) bool) []firewall.Step {
	const most = 8
	var list, passed []firewall.Step
	filter := f.filter
	for range most {
		s := seeIn(filter, w)
		if s.Answer != firewall.Drop || f.libvirts(s.By) {
			break
		}
		if want(s) {
			list = append(list, s.last())
		}
		passed = append(passed, s.last())
		filter = f.without(passed)
	}
	return list
}

// without is the ruleset without some base chains.
func (f *packetFilter) without(steps []firewall.Step) *firewall.Filter {
	var key strings.Builder
	for _, s := range steps {
		key.WriteString(strconv.Quote(s.By.Family) + strconv.Quote(s.By.Table) + strconv.Quote(s.Chain) + strconv.FormatBool(s.By.Legacy))
	}
	if made, ok := f.less[key.String()]; ok {
		return made
	}
	rs := changed(f.rules, steps, func(c *firewall.Chain, s firewall.Step) {
		if c.Name == s.Chain {
			c.Base = nil
		}
	})
	if f.less == nil {
		f.less = map[string]*firewall.Filter{}
	}
	f.less[key.String()] = firewall.New(rs, f.h.firewallHost())
	return f.less[key.String()]
}

// accept are the steps that let a network's packets through one base chain.
func (f *packetFilter) accept(n flowNet, s seen, by firewall.Step) []Step {
	matches := f.needed(n, s, by.Hook)
	if len(matches) == 0 || !plainName(by.By.Table) || !plainName(by.Chain) {
		return nil
	}
	var steps []Step
	add := func(on string, args ...string) { steps = append(steps, Step{Do: Filter, On: on, Args: args}) }
	owner := f.owner(by)
	if owner == firewall.OwnerFirewalld {
		if zone := f.h.otherZone(n); zone != "" {
			add("firewall-cmd", "--zone="+zone, "--change-interface="+n.bridge.Name)
		}
		return steps
	}
	iptables := (by.By.Family == "ip" || by.By.Family == "ip6") && (by.By.Legacy || slices.Contains([]string{"filter", "mangle", "raw", "security"}, by.By.Table))
	for _, m := range matches {
		switch {
		case owner == firewall.OwnerUFW:
			add("ufw", m.ufw(n.bridge.Name)...)
		case iptables:
			args := []string{"-I", f.opening(s.declared, by)}
			if by.By.Table != "filter" {
				args = append([]string{"-t", by.By.Table}, args...)
			}
			add(f.tool(by.By), append(args, m.iptables(n.bridge.Name)...)...)
		case strings.Contains(n.bridge.Name, `"`):
			return nil // nft has no way to write it
		default:
			add("nft", append([]string{"insert", "rule", by.By.Family, by.By.Table, by.Chain}, m.nft(n.bridge.Name)...)...)
		}
	}
	return steps
}
