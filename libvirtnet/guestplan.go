package libvirtnet

import "strings"

// PlanAttach plugs the interface of a document, an <interface> element, into
// a guest. The document must name a MAC: by it the interface is found again,
// in the running guest and in the configuration, and unplugged when the plan
// is undone. An interface of the same MAC that is already there is an
// ErrExists.
func PlanAttach(have Guest, doc string, live, config bool) (Plan, error) {
	i, err := guestStep(have, opAttach, doc, live, config)
	if err != nil {
		return Plan{}, err
	}
	for _, other := range have.Interfaces {
		// The interfaces of a guest are those of the layer that is in force.
		if strings.EqualFold(other.MAC, i.MAC) && live == have.Active() {
			return Plan{}, &Error{Op: opAttach, Object: "guest " + show(have.Name),
				Message: "it has an interface with MAC " + i.MAC, Kind: ErrExists}
		}
	}
	p := Plan{Guest: have.Name, Network: i.Network}.clone()
	p.Steps = append(p.Steps, PlanStep{Do: Attach, Object: have.Name, Document: doc, MAC: i.MAC, Live: live, Config: config,
		Say: "attach interface " + i.MAC + " on " + source(i) + " to guest " + show(have.Name) + " " + layers(live, config),
		Why: "the guest has no such interface"})
	return p, nil
}

// PlanDetach unplugs the interface that the document describes, found by its
// MAC.
func PlanDetach(have Guest, doc string, live, config bool) (Plan, error) {
	i, err := guestStep(have, opDetach, doc, live, config)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Guest: have.Name, Network: i.Network}.clone()
	p.Steps = append(p.Steps, PlanStep{Do: Detach, Object: have.Name, Document: doc, MAC: i.MAC, Live: live, Config: config,
		Say: "detach interface " + i.MAC + " on " + source(i) + " from guest " + show(have.Name) + " " + layers(live, config),
		Why: "the guest has it"})
	if live {
		p.Disturbs = append(p.Disturbs, "guest "+show(have.Name)+" loses "+i.MAC+" on "+source(i))
	}
	return p, nil
}

// PlanPort makes a network port again from its document, for an interface
// that lost it when the network was restarted under a running guest.
func PlanPort(have Network, doc string, reclaim bool) Plan {
	p := Plan{Network: have.Name}.clone()
	p.Steps = append(p.Steps, PlanStep{Do: CreatePort, Object: have.Name, Document: doc, Reclaim: reclaim,
		Say: "create the port of network " + show(have.Name) + " again", Why: "libvirt forgot it"})
	return p
}

// guestStep is what attaching and detaching ask of their arguments alike.
func guestStep(have Guest, op, doc string, live, config bool) (Interface, error) {
	object := "guest " + show(have.Name)
	refuse := func(why string, kind error) (Interface, error) {
		return Interface{}, &Error{Op: op, Object: object, Message: why, Kind: kind}
	}
	i, err := parseInterface(doc)
	if err != nil {
		return refuse(err.Error(), ErrInvalid)
	}
	switch {
	case i.MAC == "":
		return refuse("the interface has no MAC", ErrInvalid)
	case !live && !config:
		return refuse("neither live nor configuration is wanted", ErrInvalid)
	case live && !have.Active():
		return refuse("the guest is "+have.State, ErrNotActive)
	case config && !have.Persistent:
		return refuse("the guest is transient and has no configuration", ErrNotSupported)
	}
	return i, nil
}

// source names what an interface hangs on.
func source(i Interface) string {
	switch {
	case i.Network != "":
		return "network " + show(i.Network)
	case i.Bridge != "":
		return "bridge " + show(i.Bridge)
	case i.Dev != "":
		return "device " + show(i.Dev)
	}
	return show(i.Type)
}
