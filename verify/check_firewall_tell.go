package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// tellBreaches judges every network and reports the breaches with this cause: those
// by one rule about connection tracking, which has one cure, together.
func (p *pass) tellBreaches(id string, tell func(*pass, breach) Finding) {
	var shared []breach
	for _, n := range p.flowNets() {
		if !p.on(n.scope()) {
			continue
		}
		for _, b := range p.packets().breaches(n) {
			by := b.untracker()
			i := slices.IndexFunc(shared, func(o breach) bool { return o.untracker() == by })
			switch {
			case b.check != id:
			case by.Table == "":
				p.found(n.scope(), told(b, tell(p, b)))
			case i >= 0:
				shared[i].others = append(shared[i].others, n)
			default:
				shared = append(shared, b)
			}
		}
	}
	for _, b := range shared {
		scopes := []scope{b.net.scope()}
		for _, n := range b.others {
			scopes = append(scopes, n.scope())
		}
		p.foundAll(scopes[0], scopes, told(b, tell(p, b)))
	}
}

func (p *pass) tellBreachesOf(n flowNet, id string, tell func(*pass, breach) Finding) {
	for _, b := range p.packets().breaches(n) {
		if b.check == id {
			p.found(n.scope(), told(b, tell(p, b)))
		}
	}
}

// told fills in what every breach says: what was looked at, and the verdicts.
func told(b breach, f Finding) Finding {
	s := b.first()
	f.Evidence = cmp.Or(f.Evidence, decided(s))
	f.Want = cmp.Or(f.Want, s.say+": "+wanted(s.declared))
	f.Have = cmp.Or(f.Have, s.say+": "+had(s))
	if len(f.Fix.Steps) == 0 {
		f.Fix.Class = Manual
	}
	return f
}

func wanted(w declared) string {
	switch {
	case w.nat:
		return "accepted, with an address of the host"
	case w.want == firewall.Accept:
		return "accepted"
	}
	return "refused"
}

func had(s seen) string {
	switch {
	case s.strayed.Table != "":
		return "of no connection that is known"
	case s.unmasked():
		return "accepted, with the guest's own address"
	case s.Answer == firewall.Accept:
		return "accepted"
	case s.Rejected:
		return "rejected"
	case s.Unheard:
		return "dropped, as no program listens on the rule's queue"
	}
	return "dropped"
}

// decided is the rule or policy behind a verdict. A policy of another hook did
// not decide: nothing did.
func decided(s seen) string {
	if hook := s.ways[0].Path; s.By.Policy() && s.Answer == firewall.Accept && s.last().Hook != hook {
		return "no rule and no policy of hook " + hook
	}
	return evidence(s.By)
}

// evidence names the rule or policy that decided, as nft and iptables list it.
func evidence(r firewall.Reference) string {
	tool := "nft"
	if r.Legacy {
		tool = "iptables-legacy"
	}
	at := show(r.Family) + " " + show(r.Table) + " " + show(r.Chain)
	switch {
	case r.Table == "":
		return "no base chain of the hook: everything passes"
	case r.Policy():
		return fmt.Sprintf("%s of %s (%s)", oneLine(r.Text), at, tool)
	case r.Handle == 0:
		return fmt.Sprintf("rule %d of %s (%s): %s", r.Number, at, tool, oneLine(r.Text))
	}
	return fmt.Sprintf("rule %s handle %d (%s): %s", at, r.Handle, tool, oneLine(r.Text))
}

// effects say what users notice of a breach, worst first; cut says that guests
// lack something they should have.
func effects(b breach) (text string, cut bool) {
	var list []string
	add := func(say string, serious bool) {
		if cut = cut || serious; !slices.Contains(list, say) {
			list = append(list, say)
		}
	}
	for _, s := range b.flows {
		dropped := s.Answer == firewall.Drop
		switch {
		case s.unmasked() && s.say == flowRest:
			add("pings keep their own addresses, and answers do not come back", true)
		case s.strayed.Table != "":
			add("its guests reach nothing outside", true)
		case s.unmasked():
			add("what its guests send keeps their own addresses, and answers do not come back", true)
		case dropped && (s.say == flowOut || s.say == flowBack):
			add("its guests reach nothing outside", true)
		case dropped && (s.say == flowDHCP || s.say == flowDHCPReply):
			add("its guests get no address", true)
		case dropped:
			add(s.say+" are dropped", true)
		case s.say == flowIn:
			add("the outside can open connections to its guests", false)
		case s.say == flowSpoof:
			add("its guests can send under any address", false)
		default:
			add("its guests reach the outside", false)
		}
	}
	if len(list) > 3 {
		list = list[:3]
	}
	return strings.Join(list, ", ") + overWhat(b), cut
}

// overWhat says so when only IPv6 is touched.
func overWhat(b breach) string {
	if slices.ContainsFunc(b.flows, func(s seen) bool { return !s.v6 }) {
		return ""
	}
	return " (IPv6)"
}

func tellRules(p *pass, b breach) Finding {
	text, cut := effects(b)
	f := Finding{Severity: Warning, Fix: p.rulesAgain()}
	if cut {
		f.Severity = Error
	}
	name := show(b.net.net.Name)
	f.Message = fmt.Sprintf("libvirt's firewall rules for network %s are gone: %s", name, text)
	if p.packets().tellAsleep(b, &f) {
		return f
	}
	if b.check == chainsMissing {
		slices.Sort(b.chains)
		chains := someTexts(slices.Compact(b.chains))
		f.Message = fmt.Sprintf("libvirt's firewall chains are gone or cut off (%s), and with them the rules for network %s: %s", oneLine(chains), name, text)
	}
	return f
}

func tellNAT(p *pass, b breach) Finding {
	if told, ok := tellUntracked(p, b); ok {
		return told
	}
	name := show(b.net.net.Name)
	text, _ := effects(b)
	f := Finding{Fix: p.rulesAgain()}
	s := b.first()
	src := "its subnet"
	if way := s.ways[0].Src; way.IsValid() {
		src = way.String()
	}
	what := "the addresses of network " + name
	if s.say == flowRest {
		what, src = "what guests of network "+name+" send by other protocols than TCP and UDP", src+" of ICMP"
	}
	f.Evidence = fmt.Sprintf("no rule of %s nat postrouting translates %s", familyName(s.v6), src)
	f.Message = fmt.Sprintf("nothing translates %s: %s", what, text)
	if by, before := p.packets().natStopped(s); before {
		f.Evidence = evidence(by)
		f.Message = fmt.Sprintf("a rule lets the packets of network %s pass in front of the one that translates their addresses: %s", name, text)
		f.Fix = Fix{Class: Manual, Say: "delete the rule, or move it behind libvirt's", Steps: p.packets().deleteThat(by)}
	}
	if b.check == natWrongSubnet {
		other := p.packets().natSource(b.net, s.v6)
		f.Message = fmt.Sprintf("libvirt's NAT rules are for %s, and network %s has %s: %s", other, name, src, text)
		f.Fix.Steps = append(p.packets().flushNAT(s.v6), f.Fix.Steps...)
		f.Fix.Say = "flush libvirt's NAT rules and restart its network daemon, which writes them for the subnets that the networks have"
	}
	return f
}

// natStopped is the rule that ends the way through the NAT of postrouting where
// libvirt's rules alone would translate.
func (f *packetFilter) natStopped(s seen) (firewall.Reference, bool) {
	if f.alone(s.declared).Source == nil {
		return firewall.Reference{}, false
	}
	for _, step := range s.Steps {
		if step.Hook == "postrouting" && step.By.Table == "nat" && !step.By.Policy() && step.Answer == firewall.Accept {
			return step.By, true
		}
	}
	return firewall.Reference{}, false
}

// rulesAgain makes libvirt write its rules.
func (h *host) rulesAgain() Fix {
	return Fix{
		Class: Guarded, Steps: h.restartDaemon(),
		Say: "restart libvirt's network daemon: it writes its rules again, and guests go on (a reload is not enough)",
	}
}

func tellOrder(p *pass, b breach) Finding {
	s := b.first()
	text, _ := effects(b)
	return Finding{
		Message: fmt.Sprintf("a rule in %s %s stands before libvirt's and drops the packets of network %s: %s",
			show(s.By.Table), show(s.last().Chain), show(b.net.net.Name), text),
		Fix: p.packets().jumpsFirst(b),
	}
}

// owners are how people call whose rules they are.
var owners = map[string]string{
	firewall.OwnerDocker: "Docker", firewall.OwnerUFW: "ufw", firewall.OwnerFirewalld: "firewalld", firewall.OwnerKube: "Kubernetes",
	firewall.OwnerTailscale: "Tailscale", firewall.OwnerLibvirt: "libvirt",
}

func tellForeign(p *pass, b breach) Finding {
	if told, ok := tellUntracked(p, b); ok {
		return told
	}
	f := p.packets()
	s := b.first()
	by := s.last()
	who := cmp.Or(owners[f.owner(by)], "another ruleset")
	if b.check == killSwitch {
		who = "the kill switch of " + show(f.vpn(by.By))
	}
	text, _ := effects(b)
	return Finding{
		Message: fmt.Sprintf("%s (%s %s %s) drops the packets of network %s: %s",
			who, show(by.By.Family), show(by.By.Table), show(by.Chain), show(b.net.net.Name), text),
		Fix: f.letThrough(b),
	}
}

func tellLeak(p *pass, b breach) Finding {
	f := p.packets()
	s := b.first()
	text, _ := effects(b)
	out := Finding{
		Message: fmt.Sprintf("network %s (mode %s) is not isolated: %s", show(b.net.net.Name), b.net.def.Mode, text),
		Fix:     p.rulesAgain(),
	}
	if f.tellAsleep(b, &out) {
		return out
	}
	if f.alone(s.declared).Answer == firewall.Drop {
		out.Fix = f.jumpsFirst(b)
	} else if f.unmade(s.By) {
		out.Fix = Fix{
			Class: Guarded, Steps: f.deleteThat(s.By),
			Say: "delete the rule: it stands in libvirt's table, which deletes its own rules alone",
		}
	}
	return out
}

// interNetwork says what becomes of new connections from each network to each
// other one. It is no fault, and told only to those who ask.
func interNetwork(p *pass) {
	f := p.packets()
	nets := p.flowNets()
	for _, from := range nets {
		if !p.on(from.scope()) {
			continue
		}
		for _, to := range nets {
			if to.net != from.net {
				p.tellBetween(f, from, to)
			}
		}
	}
}

func (p *pass) tellBetween(f *packetFilter, from, to flowNet) {
	for _, v6 := range []bool{false, true} {
		src, dst := from.prefixes(v6), to.prefixes(v6)
		if len(src) == 0 || len(dst) == 0 {
			continue
		}
		v := f.filter.Decide(firewall.Flow{
			Family: familyName(v6), Path: firewall.PathForward, IIF: from.bridge, OIF: to.bridge, Src: src[0], Dst: dst[0],
		})
		if v.Answer != firewall.Drop {
			continue
		}
		a, b := show(from.net.Name), show(to.net.Name)
		p.found(from.scope(), Finding{
			Message:  fmt.Sprintf("guests of network %s cannot open connections to guests of network %s: mode %s and %s", a, b, from.def.Mode, to.def.Mode),
			Evidence: evidence(v.By), Want: "nothing else: no fault", Have: show(from.bridge.Name) + " to " + show(to.bridge.Name) + " is refused",
			Fix: Fix{Class: Manual, Say: "put both guests on one network, or make the networks of mode route"},
		})
		return
	}
}
