package verify

import (
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// Sides is a network from several sides: its configuration, the live document,
// the kernel, and a document that is to become the configuration. A side that
// is nil has nothing to say: the network is not active, or transient, or the
// kernel is not in sight.
type Sides struct {
	Config, Live, File *xml.Network
	Kernel             *bridge.State
}

// Difference is a setting on which sides do not agree, by the path of
// [xml.Change]. A side that cannot tell is nil; "" is none.
type Difference struct {
	Path   string  `json:"path"`
	Config *string `json:"config"`
	Live   *string `json:"live"`
	Kernel *string `json:"kernel"`
	File   *string `json:"file"`
}

// SidesOf is a network of libvirt's as it stands.
func SidesOf(n libvirtnet.Network) Sides { return Sides{Config: n.Config, Live: n.Live} }

// Differences are the settings on which the sides do not agree, in the order
// of [xml.Network]'s fields, those of the kernel's alone last. All sides are
// normalised: two spellings are no difference, nor is what libvirt or the
// kernel fills in or rounds.
func (s Sides) Differences() []Difference {
	d := differ{Sides: s, at: map[string]int{}, found: []Difference{}}
	if s.Config != nil && s.Live != nil {
		d.documents(xml.Drift(*s.Live, *s.Config))
	}
	if base := s.defined(); base != nil && s.File != nil {
		d.documents(xml.Drift(*base, *s.File))
	}
	if s.Live != nil && s.Kernel != nil {
		d.kernel()
	}
	return d.found
}

// defined is what a file is held against.
func (s Sides) defined() *xml.Network {
	if s.Config != nil {
		return s.Config
	}
	return s.Live
}

type differ struct {
	Sides
	at    map[string]int
	found []Difference
}

func (d *differ) documents(changes []xml.Change) {
	for _, c := range changes {
		d.row(c.Path)
	}
}

// row is the difference of a path, with what each document says.
func (d *differ) row(path string) *Difference {
	i, known := d.at[path]
	if !known {
		i = len(d.found)
		d.at[path] = i
		d.found = append(d.found, Difference{Path: path, Config: said(d.Config, path), Live: said(d.Live, path), File: said(d.File, path)})
	}
	return &d.found[i]
}

func said(n *xml.Network, path string) *string {
	if n == nil {
		return nil
	}
	value := xml.Value(*n, path)
	return &value
}

// kernel compares what libvirt has running with its bridge.
func (d *differ) kernel() {
	live := *d.Live
	if live.Bridge == "" || !live.Managed() && live.Mode != xml.HostBridge {
		return
	}
	at := slices.IndexFunc(d.Kernel.Links, func(l bridge.Link) bool { return l.Name == live.Bridge })
	if at < 0 {
		d.tell("bridge", "", false)
		return
	}
	link := d.Kernel.Links[at]
	d.tell("bridge", link.Name, true)
	if !live.Managed() {
		return // the rest of it is the host's business
	}
	if i := slices.IndexFunc(d.Kernel.Bridges, func(b bridge.Bridge) bool { return b.Name == live.Bridge }); i >= 0 {
		d.spanningTree(live, d.Kernel.Bridges[i])
	}
	if live.MTU != 0 {
		d.tell("mtu", strconv.Itoa(link.MTU), link.MTU == live.MTU)
	}
	if live.MAC != "" {
		d.tell("mac", link.MAC, strings.EqualFold(link.MAC, live.MAC))
	}
	d.addresses(live)
	d.routes(live)
}

func (d *differ) spanningTree(live xml.Network, b bridge.Bridge) {
	stp, delay := live.STP == nil || *live.STP, 0
	if live.Delay != nil {
		delay = *live.Delay
	}
	word := "off"
	if b.STP != 0 {
		word = "on"
	}
	d.tell("stp", word, (b.STP != 0) == stp)
	have := strconv.FormatFloat(float64(b.ForwardDelay)/1000, 'f', -1, 64)
	d.tell("delay", have, b.ForwardDelay == kernelDelay(stp, delay))
}

// kernelDelay is xml.KernelDelay with the upper bound, which spanning tree has,
// too (BR_MAX_FORWARD_DELAY, net/bridge/br_private_stp.h).
func kernelDelay(stp bool, seconds int) int {
	if stp {
		seconds = min(seconds, xml.MaxDelay)
	}
	return xml.KernelDelay(stp, seconds)
}

// addresses compares by prefix: a link-local address is nobody's wish.
func (d *differ) addresses(live xml.Network) {
	has := map[netip.Prefix]bool{}
	for _, a := range d.Kernel.Addresses {
		if a.Link == live.Bridge && a.Scope != "link" {
			has[a.Prefix] = true
		}
	}
	for _, ip := range live.IPs {
		present := ""
		if has[ip.Address] {
			present = "present"
		}
		d.tell("ip["+ip.Address.String()+"]", present, present != "")
		delete(has, ip.Address)
	}
	var strays []netip.Prefix
	for p := range has {
		strays = append(strays, p)
	}
	sort.Slice(strays, func(i, j int) bool { return strays[i].Compare(strays[j]) < 0 })
	for _, p := range strays {
		d.tell("ip["+p.String()+"]", "present", false)
	}
}

// routes compares by target, as static-route-missing does.
func (d *differ) routes(live xml.Network) {
	if slices.ContainsFunc(d.Kernel.Gaps, func(g bridge.Gap) bool { return g.Source == "routes" }) {
		return
	}
	for _, r := range live.Routes {
		present := ""
		if routedTo(d.Kernel, r, live.Bridge) {
			present = "present"
		}
		d.tell("route["+r.To.Masked().String()+"]", present, present != "")
	}
}

// tell fills in the kernel's side of a row, and makes the row where the kernel
// differs.
func (d *differ) tell(path, value string, same bool) {
	if _, known := d.at[path]; !known && same {
		return
	}
	row := d.row(path)
	if same && row.Live != nil {
		value = *row.Live // as the document spells it
	}
	row.Kernel = &value
}
