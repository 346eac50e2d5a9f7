package firewall

import "strings"

var ownerPrefixes = []struct{ prefix, owner string }{
	{"LIBVIRT_", OwnerLibvirt},
	{"libvirt", OwnerLibvirt}, // libvirt_network, and nwfilter's libvirt-in, libvirt-I-vnet0
	{"FI-vnet", OwnerLibvirt}, {"FO-vnet", OwnerLibvirt}, {"HI-vnet", OwnerLibvirt},
	{"DOCKER", OwnerDocker}, {"docker", OwnerDocker},
	{"ufw-", OwnerUFW}, {"ufw6-", OwnerUFW},
	{"firewalld", OwnerFirewalld}, {"INPUT_ZONES", OwnerFirewalld}, {"FORWARD_IN_ZONES", OwnerFirewalld},
	{"FORWARD_OUT_ZONES", OwnerFirewalld}, {"POSTROUTING_ZONES", OwnerFirewalld}, {"PREROUTING_ZONES", OwnerFirewalld},
	{"KUBE-", OwnerKube}, {"kube-", OwnerKube}, {"kube_", OwnerKube},
	{"ts-", OwnerTailscale}, {"tailscale", OwnerTailscale},
}

func ownerOf(name string) string {
	for _, p := range ownerPrefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.owner
		}
	}
	return OwnerOther
}

// finish fills in what follows from the rest: guesses of owners.
func (rs *Ruleset) finish() {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		t.Owner = ownerOf(t.Name)
		for j := range t.Chains {
			c := &t.Chains[j]
			c.Owner = t.Owner
			if c.Owner == OwnerOther {
				c.Owner = ownerOf(c.Name)
			}
			for k := range c.Rules {
				r := &c.Rules[k]
				r.Owner = ruleOwner(c, r)
			}
		}
	}
}

// Describe writes the texts of all rules that have none, and says which are an
// iptables tool's. Reading leaves that out: it takes as long as the reading,
// and a verdict writes the text of the rule that it names by itself.
func (rs *Ruleset) Describe() {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		w := newWriter(rs, t)
		for j := range t.Chains {
			c := &t.Chains[j]
			for k := range c.Rules {
				if r := &c.Rules[k]; r.Text == "" {
					r.Text, r.Compat = w.rule(c, r)
				}
			}
		}
	}
}

// ruleOwner is the owner of the chain, else of the chain that is jumped to,
// else of what the rule names: its comment, or Docker's own bridge.
func ruleOwner(c *Chain, r *Rule) string {
	if c.Owner != OwnerOther {
		return c.Owner
	}
	for i := range r.Exprs {
		e := r.Exprs[i]
		if e.Jump != nil && e.Jump.Chain != "" {
			if o := ownerOf(e.Jump.Chain); o != OwnerOther {
				return o
			}
		}
		if e.Kind == "cmp" && strings.HasPrefix(string(e.Data), "docker0") {
			return OwnerDocker
		}
	}
	return ownerOf(r.Comment)
}
