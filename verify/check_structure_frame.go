package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// bridgeCall looks for bridges whose frames br_netfilter hands to IP rules that
// drop them.
func bridgeCall(p *pass) {
	f := p.packets()
	for _, name := range slices.Concat(p.hostBridges, p.ownBridges) {
		s := p.bridgeScope(name)
		if p.bridges[name] == nil || !p.on(s) {
			continue
		}
		for _, v6 := range []bool{false, true} {
			if own := p.owners[name]; v6 && own != nil && len((flowNet{def: definition(own)}).prefixes(true)) == 0 {
				continue // its guests have none
			}
			if p.callsIP(name, v6) && f.dropsBridged(p, s, v6) {
				break
			}
		}
	}
}

// bridgeScope is the scope of a bridge: an own one shares the fate of its
// network.
func (h *host) bridgeScope(name string) scope {
	if n := h.owners[name]; n != nil {
		return scope{kind: aBridge, bridge: name, network: n.Name}
	}
	found := scope{kind: aBridge, bridge: name, free: true}
	h.eachHostBridge(func(b hostBridge) {
		if b.name == name {
			found = b.scope()
		}
	})
	return found
}

// callSwitch is the sysctl that is or-ed with the bridge's own switch. Without
// br_netfilter there is no such sysctl, and the other one does nothing.
func callSwitch(v6 bool) string {
	if v6 {
		return "net.bridge.bridge-nf-call-ip6tables"
	}
	return "net.bridge.bridge-nf-call-iptables"
}

// callsIP says whether a bridge's frames of one family go through the IP hooks.
func (h *host) callsIP(name string, v6 bool) bool {
	b := h.bridges[name]
	own := b.NFCallIPTables
	if v6 {
		own = b.NFCallIP6Tables
	}
	global, loaded := h.snap.Kernel.Sysctls[callSwitch(v6)]
	return loaded && (own || global == "1")
}

// switched is a frame of a guest from its tap to another port of the bridge.
type switched struct {
	guest    *nic
	in, out  firewall.Interface
	bridge   firewall.Interface
	toUplink bool
}

// frames are the ways that guests' frames take through a bridge: to its
// uplinks, or to other guests where it has none.
func (h *host) frames(name string) []switched {
	var list []switched
	dev := h.device(name)
	taps := slices.DeleteFunc(slices.Clone(h.activeNICs(name)), func(n *nic) bool { return n.port == nil || n.tap == nil || n.port.Bridge != name })
	uplinks := h.uplinks(name)
	for i, n := range taps {
		w := switched{guest: n, in: h.device(n.tap.Name), bridge: dev}
		switch {
		case len(uplinks) > 0:
			w.out, w.toUplink = h.device(uplinks[0].Name), true
		case len(taps) > 1:
			w.out = h.device(taps[(i+1)%len(taps)].tap.Name)
		default:
			continue
		}
		list = append(list, w)
	}
	return list
}

func (w switched) flow(family string) firewall.Flow {
	return firewall.Flow{
		Family: family, Path: firewall.PathBridge, IIF: w.bridge, OIF: w.bridge, PhysIn: w.in, PhysOut: w.out, SrcMAC: w.guest.iface.MAC,
	}
}

// unknownPort is the index of a port that has a name, and which one is not
// known: no link has it.
const unknownPort = -1

// dropsBridged reports what the IP hooks drop of a bridge's frames.
func (f *packetFilter) dropsBridged(p *pass, s scope, v6 bool) bool {
	// Rules seldom tell guests apart: what is accepted from a port and a MAC that
	// are not known is accepted from all.
	dev, port := f.h.device(s.bridge), firewall.Interface{Index: unknownPort}
	anybody := firewall.Flow{Family: familyName(v6), Path: firewall.PathBridge, IIF: dev, OIF: dev, PhysIn: port, PhysOut: port, Proto: "tcp", BridgeCall: true}
	if f.filter.Decide(anybody).Answer == firewall.Accept {
		return false
	}
	var guests []string
	var first seen
	for _, w := range f.h.frames(s.bridge) {
		flow := w.flow(familyName(v6))
		flow.Proto, flow.BridgeCall = "tcp", true
		have := f.see(declared{say: "frames of guests", v6: v6, want: firewall.Accept, ways: []firewall.Flow{flow}})
		flow.BridgeCall = false
		if have.Answer != firewall.Drop || f.filter.Decide(flow).Answer == firewall.Drop {
			continue
		}
		if len(guests) == 0 {
			first = have
		}
		if !slices.Contains(guests, w.guest.guest.Name) {
			guests = append(guests, w.guest.guest.Name)
		}
	}
	if len(guests) == 0 {
		return false
	}
	protocol, severity := "IPv4", Error
	if v6 {
		protocol, severity = "IPv6", Warning
	}
	where := "sysctl " + callSwitch(v6) + "=1"
	if f.h.snap.Kernel.Sysctls[callSwitch(v6)] != "1" {
		where = "nf_call_" + strings.TrimPrefix(callSwitch(v6), "net.bridge.bridge-nf-call-") + "=1 of " + show(s.bridge)
	}
	by := first.last()
	p.found(s, Finding{
		Severity: severity,
		Message: fmt.Sprintf("%s packets that bridge %s carries for %s go through the IP rules, and %s %s %s drops them",
			protocol, show(s.bridge), someNames(guests), show(by.By.Family), show(by.By.Table), show(by.Chain)),
		Evidence: where + "; " + evidence(first.By),
		Want:     "bridged " + protocol + " accepted", Have: had(first),
		Fix: f.letBridged(s.bridge, first),
	})
	return true
}

// letBridged accepts what goes from the bridge to the bridge in every base
// chain that drops it.
func (f *packetFilter) letBridged(name string, s seen) Fix {
	fix := Fix{Class: Guarded, Say: "accept what is bridged by " + show(name) + " in the chain that drops, and keep that where the owner of the chain keeps its rules"}
	for _, by := range f.droppers(s.declared, func(seen) bool { return true }) {
		table := by.By.Table
		switch {
		case !plainName(name) || !plainName(table) || !plainName(by.Chain):
			return Fix{Class: Manual, Say: fix.Say}
		case f.owner(by) == firewall.OwnerUFW:
			fix.Steps = addStep(fix.Steps, Step{Do: Filter, On: "ufw", Args: []string{"route", "allow", "in", "on", name, "out", "on", name}})
		case (by.By.Family == "ip" || by.By.Family == "ip6") && (by.By.Legacy || slices.Contains([]string{"filter", "mangle", "raw", "security"}, table)):
			args := []string{"-t", table, "-I", f.opening(s.declared, by), "-i", name, "-o", name, "-j", "ACCEPT"}
			if table == "filter" {
				args = args[2:]
			}
			if by.Hook == "prerouting" {
				args = slices.DeleteFunc(args, func(a string) bool { return a == "-o" })
				args = slices.Delete(args, slices.Index(args, name)+1, slices.Index(args, name)+2)
			}
			fix.Steps = addStep(fix.Steps, Step{Do: Filter, On: f.tool(by.By), Args: args})
		default:
			args := []string{"insert", "rule", by.By.Family, table, by.Chain, "iifname", nftName(name), "oifname", nftName(name), "accept"}
			if by.Hook == "prerouting" {
				args = slices.Delete(args, 7, 9)
			}
			fix.Steps = addStep(fix.Steps, Step{Do: Filter, On: "nft", Args: args})
		}
	}
	if len(fix.Steps) == 0 {
		fix.Class = Manual
	}
	return fix
}

// dockerUser is Docker's chain for rules of one's own.
const dockerUser = "DOCKER-USER"

// opening is the chain of iptables in which an accept saves a flow from a base
// chain that drops it: Docker's, if the flow comes by that in time.
func (f *packetFilter) opening(w declared, by firewall.Step) string {
	if by.Hook != "forward" || f.chain(by.By, dockerUser) == nil {
		return by.Chain
	}
	accept := firewall.Rule{Exprs: []*firewall.Expr{{Kind: "immediate", Jump: &firewall.Jump{Code: "accept"}}}}
	rs := changed(f.rules, []firewall.Step{by}, func(c *firewall.Chain, s firewall.Step) {
		switch c.Name {
		case dockerUser:
			c.Rules = []firewall.Rule{accept}
		case s.Chain:
		default:
			c.Base = nil
		}
	})
	rs.Tables = slices.DeleteFunc(rs.Tables, func(t firewall.Table) bool {
		return t.Family != by.By.Family || t.Name != by.By.Table || t.Legacy != by.By.Legacy
	})
	if seeIn(firewall.New(rs, f.h.firewallHost()), w).Answer == firewall.Accept {
		return dockerUser
	}
	return by.Chain
}
