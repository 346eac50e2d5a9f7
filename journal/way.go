package journal

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/verify"
	"github.com/kvnet/kvnet/xml"
)

// Back is the way from one image to another.
type Back struct {
	// Plan is libvirt's part. Stops of networks cut their guests off; the plan
	// does not say which, as an image does not.
	Plan libvirtnet.Plan
	// Steps are the kernel's part, behind the plan.
	Steps []verify.Step
	// Restarts are the networks that run with another definition than they
	// did: a restart brings the former one into force.
	Restarts []string
	// Lost, one line each, is what no step brings back.
	Lost []string
}

// Empty says that everything is as it was.
func (b Back) Empty() bool {
	return b.Plan.Empty() && len(b.Steps)+len(b.Restarts) == 0
}

// Way plans how things become again what they were: want is the image that was
// kept, have one of the same objects now.
func Way(want, have Image) Back {
	b := Back{Plan: libvirtnet.Plan{NoValidate: true}} // libvirt wrote the documents itself
	for _, w := range want.Networks {
		b.network(w, find(have.Networks, Network{Name: w.Name}, func(n Network) bool { return n.Name == w.Name }))
	}
	for _, w := range want.Ports {
		b.port(w, find(have.Ports, Port{}, func(p Port) bool { return p.UUID == w.UUID }), want.Networks)
	}
	for _, w := range want.Interfaces {
		b.iface(w, find(have.Interfaces, Interface{Guest: w.Guest, MAC: w.MAC}, func(i Interface) bool { return i.Guest == w.Guest && i.MAC == w.MAC }))
	}
	for _, w := range want.Links {
		h := find(have.Links, Link{Name: w.Name}, func(l Link) bool { return l.Name == w.Name })
		if !w.Exists {
			b.leftover(h, have.Networks)
			continue
		}
		if address, anew := b.madeAnew(w.Name, want.Networks, have.Networks); anew {
			w.Name = bridgeNow(w.Name, want.Networks, have.Networks)
			b.byHand(w, h, address)
			continue
		}
		w.Master = bridgeNow(w.Master, want.Networks, have.Networks)
		b.link(w, h)
	}
	for _, key := range slices.Sorted(maps.Keys(want.Sysctls)) {
		if have.Sysctls[key] != want.Sysctls[key] {
			b.Steps = append(b.Steps, verify.Step{Do: verify.SetSysctl, On: key, With: want.Sysctls[key]})
		}
	}
	return b
}

// find is the element that is meant, or else none.
func find[T any](list []T, none T, is func(T) bool) T {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return none
}

// network plans a network's way home: first what is too much is taken away,
// then what is missing is made.
func (b *Back) network(want, have Network) {
	name := "network " + want.Name
	step := func(do libvirtnet.Action, say, why, document string) {
		b.Plan.Steps = append(b.Plan.Steps, libvirtnet.PlanStep{Do: do, Object: want.Name, Say: say, Why: why, Document: document})
	}
	if other := "it is another network"; want.UUID != "" && have.UUID != "" && want.UUID != have.UUID {
		if have.Active {
			step(libvirtnet.Stop, "stop "+name, other, "")
		}
		if have.Persistent {
			step(libvirtnet.Undefine, "undefine "+name, other, "")
		}
		have = Network{Name: want.Name}
	}
	if have.Active && !want.Active {
		step(libvirtnet.Stop, "stop "+name, "it was not active", "")
	}
	switch {
	case have.Persistent && !want.Persistent:
		step(libvirtnet.Undefine, "undefine "+name, "it was not defined", "")
	case want.Persistent && !have.Persistent:
		step(libvirtnet.Define, "define "+name, "it was defined", want.Config)
	case want.Persistent && have.Config != want.Config:
		step(libvirtnet.Redefine, "redefine "+name, "its definition was another", want.Config)
	}
	switch {
	case !want.Persistent:
	case want.Autostart && !(have.Persistent && have.Autostart):
		step(libvirtnet.Autostart, "mark "+name+" for autostart", "it started with the daemon", "")
	case have.Persistent && have.Autostart && !want.Autostart:
		step(libvirtnet.NoAutostart, "unmark "+name+" for autostart", "it did not start with the daemon", "")
	}
	switch {
	case !want.Active:
	case !have.Active && want.Persistent:
		step(libvirtnet.Start, "start "+name, "it was active", "")
		if differ(want.Live, want.Config) {
			b.Lost = append(b.Lost, name+" ran with another definition than the one it has")
		}
	case !have.Active:
		step(libvirtnet.Create, "create "+name, "it was active", want.Live)
	case differ(want.Live, have.Live):
		b.runs(want, have)
	}
	if want.Active && have.Active {
		b.metadata(want, have)
	}
}

// runs plans how a running network gets the document back that it ran with: in
// place where libvirt can, else by a restart.
func (b *Back) runs(want, have Network) {
	plan, err := libvirtnet.PlanLive(libvirtnet.Network{Name: want.Name}, have.Live, want.Live, nil)
	if err == nil {
		b.Plan = b.Plan.With(libvirtnet.Plan{Steps: plan.Steps, Disturbs: plan.Disturbs})
	}
	later := slices.DeleteFunc(plan.Later, func(c libvirtnet.Change) bool { return c.Path == "title" })
	if err != nil || len(later) > 0 {
		b.Restarts = append(b.Restarts, want.Name)
	}
}

// metadata plans how a running network gets its metadata back; that of the
// definition comes with the document.
func (b *Back) metadata(want, have Network) {
	w, err1 := xml.ParseMetadata(want.Live)
	h, err2 := xml.ParseMetadata(have.Live)
	if err1 != nil || err2 != nil {
		return
	}
	set := func(u libvirtnet.MetadataUpdate, text string) {
		b.Plan = b.Plan.With(libvirtnet.PlanMetadata(libvirtnet.Network{Name: want.Name}, u, text, true))
	}
	if w.Title != h.Title {
		set(libvirtnet.MetadataUpdate{Kind: libvirtnet.Title, Former: h.Title}, w.Title)
	}
	if w.Description != h.Description {
		set(libvirtnet.MetadataUpdate{Kind: libvirtnet.Description, Former: h.Description}, w.Description)
	}
	for _, e := range h.Elements {
		if w.Element(e.URI).Text == "" {
			set(libvirtnet.MetadataUpdate{Kind: libvirtnet.Element, URI: e.URI, Former: e.Text, FormerKey: e.Key}, "")
		}
	}
	for _, e := range w.Elements {
		if is := h.Element(e.URI); !is.Same(w.Element(e.URI)) {
			set(libvirtnet.MetadataUpdate{Kind: libvirtnet.Element, URI: e.URI, Key: e.Key, Former: is.Text, FormerKey: is.Key}, e.Text)
		}
	}
}

// WithoutMetadata is the way where libvirt cannot set metadata: a restart
// brings what the definition has.
func (b Back) WithoutMetadata() Back {
	var steps []libvirtnet.PlanStep
	for _, s := range b.Plan.Steps {
		if s.Do != libvirtnet.SetMetadata {
			steps = append(steps, s)
		} else if !slices.Contains(b.Restarts, s.Object) {
			b.Restarts = append(slices.Clone(b.Restarts), s.Object)
		}
	}
	b.Plan.Steps = steps
	return b
}

// port makes a network's port again that a stop of the network took from a
// guest, if the guest still claims it.
func (b *Back) port(want, have Port, networks []Network) {
	active := find(networks, Network{}, func(n Network) bool { return n.Name == want.Network }).Active
	if active && want.Exists && !have.Exists && have.Document != "" {
		b.Plan.Steps = append(b.Plan.Steps, libvirtnet.PlanStep{Do: libvirtnet.CreatePort, Object: want.Network, Document: have.Document,
			Say: "create the port of guest " + want.Guest + " in network " + want.Network + " again", Why: "it was plugged in"})
	}
}

// iface plans an interface's way home, in the running guest and in its
// configuration. A guest that does not run any more has no live part.
func (b *Back) iface(want, have Interface) {
	if have.Active {
		b.layer(want, want.Live, have.Live, true)
	}
	b.layer(want, want.Config, have.Config, false)
}

func (b *Back) layer(i Interface, want, have string, live bool) {
	where := "the configuration of guest " + i.Guest
	if live {
		where = "guest " + i.Guest
	}
	s := libvirtnet.PlanStep{Object: i.Guest, MAC: i.MAC, Live: live, Config: !live}
	switch {
	case want != "" && have == "":
		s.Do, s.Document, s.Say, s.Why = libvirtnet.Attach, want, "attach interface "+i.MAC+" to "+where, "it was there"
	case want == "" && have != "":
		s.Do, s.Say, s.Why = libvirtnet.Detach, "detach interface "+i.MAC+" from "+where, "it was not there"
	default:
		return
	}
	b.Plan.Steps = append(b.Plan.Steps, s)
}

// leftover takes a bridge away that was not there: libvirt makes one when a
// network starts, and leaves it behind when it dies while it does. It takes
// the one of an active network away itself.
func (b *Back) leftover(have Link, networks []Network) {
	active := slices.ContainsFunc(networks, func(n Network) bool { return n.Active })
	if have.Exists && have.STP != nil && !active {
		b.Steps = append(b.Steps, verify.Step{Do: verify.LinkDel, On: have.Name})
	}
}

// madeAnew says whether a link is the bridge of a network that runs with another
// definition, or not at all: libvirt makes it as the definition says. The
// addresses are those that the former definition declares.
func (b *Back) madeAnew(link string, want, have []Network) (declared []netip.Prefix, anew bool) {
	for _, w := range want {
		def, err := xml.Parse(w.Live)
		if err != nil || !w.Active || !def.Managed() || def.Bridge != link {
			continue
		}
		for _, ip := range def.IPs {
			declared = append(declared, ip.Address)
		}
		h := find(have, Network{}, func(n Network) bool { return n.Name == w.Name })
		return declared, !h.Active || slices.Contains(b.Restarts, w.Name)
	}
	return nil, false
}

// bridgeNow is the bridge that a network has behind the plan whose bridge that
// was: a running network keeps the one that it runs with.
func bridgeNow(was string, want, have []Network) string {
	for _, w := range want {
		def, err := xml.Parse(w.Live)
		if was == "" || err != nil || def.Bridge != was {
			continue
		}
		document := w.Config
		if h := find(have, Network{}, func(n Network) bool { return n.Name == w.Name }); h.Active {
			document = h.Live
		}
		if now, err := xml.Parse(document); err == nil && now.Managed() && now.Bridge != "" {
			return now.Bridge
		}
	}
	return was
}

// byHand gives a bridge that libvirt makes the addresses that somebody gave the
// former one.
func (b *Back) byHand(want, have Link, declared []netip.Prefix) {
	for _, a := range want.Addresses {
		if !slices.Contains(declared, a) && !slices.Contains(have.Addresses, a) {
			b.Steps = append(b.Steps, verify.Step{Do: verify.AddressAdd, On: want.Name, With: a.String()})
		}
	}
}

// link plans a link's way home.
func (b *Back) link(want, have Link) {
	if !have.Exists {
		b.Lost = append(b.Lost, "link "+want.Name+" is gone")
		return
	}
	step := func(do verify.Action, with string) {
		b.Steps = append(b.Steps, verify.Step{Do: do, On: want.Name, With: with})
	}
	if want.MAC != have.MAC {
		step(verify.SetMAC, want.MAC)
	}
	if want.MTU != have.MTU {
		step(verify.SetMTU, strconv.Itoa(want.MTU))
	}
	switch {
	case want.Master == have.Master:
	case want.Master == "":
		step(verify.NoMaster, "")
	default:
		step(verify.SetMaster, want.Master)
	}
	if want.Isolated != nil && (have.Isolated == nil || *have.Isolated != *want.Isolated) {
		step(verify.SetIsolated, map[bool]string{true: "on", false: "off"}[*want.Isolated])
	}
	if want.STP != nil && have.STP != nil && *want.STP != *have.STP {
		step(verify.SetSTP, strconv.Itoa(*want.STP))
	}
	if want.Delay != nil && have.Delay != nil && *want.Delay != *have.Delay {
		step(verify.ForwardDelay, strconv.Itoa(*want.Delay))
	}
	for _, a := range have.Addresses {
		if !slices.Contains(want.Addresses, a) {
			step(verify.AddressDel, a.String())
		}
	}
	for _, a := range want.Addresses {
		if !slices.Contains(have.Addresses, a) {
			step(verify.AddressAdd, a.String())
		}
	}
	switch {
	case want.Up && !have.Up:
		step(verify.LinkUp, "")
	case have.Up && !want.Up:
		step(verify.LinkDown, "")
	}
}

// differ says whether two documents of a network mean different things. What
// cannot be read differs when its text does.
func differ(one, other string) bool {
	a, errA := xml.Parse(one)
	b, errB := xml.Parse(other)
	if errA != nil || errB != nil {
		return one != other
	}
	return len(xml.Drift(a, b)) > 0
}
