package libvirtnet

import (
	"slices"
	"strconv"
)

// Action names what a step of a plan does.
type Action string

// Actions of a plan. Each has an undo; see [Conn.Apply].
const (
	Define      Action = "define"       // a network that does not exist; undo: undefine
	Redefine    Action = "redefine"     // a network that exists; undo: define the former document
	Create      Action = "create"       // start a transient network; undo: stop
	Start       Action = "start"        // undo: stop
	Stop        Action = "stop"         // undo: start, or create from the live document
	Undefine    Action = "undefine"     // undo: define the former document and its autostart
	Autostart   Action = "autostart"    // undo: the former value
	NoAutostart Action = "no-autostart" // undo: the former value
	Attach      Action = "attach"       // an interface to a guest; undo: detach
	Detach      Action = "detach"       // an interface from a guest; undo: attach the former one
	CreatePort  Action = "create-port"  // a network port again; undo: delete it
	Update      Action = "update"       // an entry of a network's section; undo: the entry as it was
	SetMetadata Action = "set-metadata" // a title, description or element; undo: the former one
)

// PlanStep is one change.
type PlanStep struct {
	Do       Action `json:"do"`
	Object   string `json:"object"`             // name of the network or guest
	Say      string `json:"say"`                // the step in words
	Why      string `json:"why"`                // what makes it necessary
	Document string `json:"document,omitempty"` // what is defined, attached, detached or created
	MAC      string `json:"mac,omitempty"`      // of the interface of an attach or detach
	Live     bool   `json:"live,omitempty"`     // attach, detach: the running guest; update: the running network
	Config   bool   `json:"config,omitempty"`   // attach, detach: the guest's configuration
	Reclaim  bool   `json:"reclaim,omitempty"`  // create-port: VIR_NETWORK_PORT_CREATE_RECLAIM

	Update *SectionUpdate `json:"update,omitempty"` // update: what is done with the entry in Document

	Metadata *MetadataUpdate `json:"metadata,omitempty"` // set-metadata: which part becomes Document
}

// Plan is what would be done, in order. The zero Plan does nothing.
type Plan struct {
	Network string     `json:"network,omitempty"`
	Guest   string     `json:"guest,omitempty"`
	Steps   []PlanStep `json:"steps"`
	// Changes are the differences between the definition that is and the one
	// that is wanted: all that this one says where there is none yet.
	Changes []Change `json:"changes"`
	// Later are the differences that a running network keeps until it is
	// restarted: Have is what it runs with.
	Later []Change `json:"later"`
	// Disturbs says, one line each, what running things feel of it.
	Disturbs []string `json:"disturbs"`
	// NoValidate leaves libvirt's schema out of it: elements that libvirt
	// does not know are then dropped without a word.
	NoValidate bool `json:"no_validate,omitempty"`
}

// Empty says that everything is already as wanted.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Does says whether one of the steps is the action.
func (p Plan) Does(a Action) bool {
	return slices.ContainsFunc(p.Steps, func(s PlanStep) bool { return s.Do == a })
}

// With returns the plan with the steps, changes and disturbances of others
// behind its own.
func (p Plan) With(others ...Plan) Plan {
	p = p.clone()
	for _, o := range others {
		p.Steps = append(p.Steps, o.Steps...)
		p.Changes = append(p.Changes, o.Changes...)
		p.Later = append(p.Later, o.Later...)
		p.Disturbs = append(p.Disturbs, o.Disturbs...)
		p.NoValidate = p.NoValidate || o.NoValidate
		if p.Network == "" {
			p.Network = o.Network
		}
		if p.Guest == "" {
			p.Guest = o.Guest
		}
	}
	return p
}

// clone keeps two plans from sharing an array; its lists are never nil.
func (p Plan) clone() Plan {
	p.Steps = append([]PlanStep{}, p.Steps...)
	p.Changes = append([]Change{}, p.Changes...)
	p.Later = append([]Change{}, p.Later...)
	p.Disturbs = append([]string{}, p.Disturbs...)
	return p
}

// PlanStart starts a network that is defined. It is empty when the network
// is active.
func PlanStart(have Network) Plan {
	p := Plan{Network: have.Name}.clone()
	if !have.Active {
		p.Steps = append(p.Steps, PlanStep{Do: Start, Object: have.Name,
			Say: "start network " + show(have.Name), Why: "it is not active"})
	}
	return p
}

// PlanStop stops a network, which cuts off the running guests among guests
// that are attached to it: they stand in Disturbs. It is empty when the
// network is not active.
func PlanStop(have Network, guests []Guest) Plan {
	p := Plan{Network: have.Name}.clone()
	if !have.Active {
		return p
	}
	why := "it is active"
	if !have.Persistent {
		why += "; it is transient and will be gone"
	}
	p.Steps = append(p.Steps, PlanStep{Do: Stop, Object: have.Name, Say: "stop network " + show(have.Name), Why: why})
	for _, a := range Attached(have, guests) {
		p.Disturbs = append(p.Disturbs, a.String()+" is cut off from network "+show(have.Name))
	}
	return p
}

// PlanUndefine takes a network's definition away. An active network stays
// active and becomes transient; libvirt's test driver refuses that. It is
// empty when the network has no definition.
func PlanUndefine(have Network) Plan {
	p := Plan{Network: have.Name}.clone()
	if !have.Persistent {
		return p
	}
	p.Steps = append(p.Steps, PlanStep{Do: Undefine, Object: have.Name,
		Say: "undefine network " + show(have.Name), Why: "it is defined"})
	if have.Active {
		p.Disturbs = append(p.Disturbs, "network "+show(have.Name)+" stays active and is gone when it stops")
	}
	return p
}

// PlanAutostart switches whether the network starts with the daemon. It is
// empty when that is as wanted, and for a transient network wanted without.
func PlanAutostart(have Network, on bool) Plan {
	p := Plan{Network: have.Name}.clone()
	switch {
	case have.Autostart == on:
	case on:
		p.Steps = append(p.Steps, PlanStep{Do: Autostart, Object: have.Name,
			Say: "mark network " + show(have.Name) + " for autostart", Why: "it does not start with the daemon"})
	default:
		p.Steps = append(p.Steps, PlanStep{Do: NoAutostart, Object: have.Name,
			Say: "unmark network " + show(have.Name) + " for autostart", Why: "it starts with the daemon"})
	}
	return p
}

// Attachment is an interface of a guest that is on a network.
type Attachment struct {
	Guest     string
	Interface Interface
}

func (a Attachment) String() string {
	name := a.Interface.Target
	if name == "" {
		name = a.Interface.MAC
	}
	return "guest " + show(a.Guest) + " (" + name + ")"
}

// Attached lists the interfaces of active guests that hang on the network:
// by the network's name, or, where libvirt owns the bridge, by the bridge's.
func Attached(n Network, guests []Guest) []Attachment {
	def := n.Def()
	var list []Attachment
	for _, g := range guests {
		if !g.Active() {
			continue
		}
		for _, i := range g.Interfaces {
			byBridge := i.Network == "" && i.Bridge != "" && i.Bridge == def.Bridge && def.Managed()
			if i.Network == n.Name || byBridge {
				list = append(list, Attachment{g.Name, i})
			}
		}
	}
	return list
}

// layers names where an attach or detach acts.
func layers(live, config bool) string {
	switch {
	case live && config:
		return "live and in its configuration"
	case live:
		return "live"
	}
	return "in its configuration"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
