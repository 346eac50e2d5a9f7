package verify

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/xml"
)

// The parts of the kernel half that say what goes on inside bridges.
const (
	FDB      Need = "kernel fdb"
	Counters Need = "kernel counters"
	VLANs    Need = "kernel vlans"
	Groups   Need = "kernel groups"
	// Neighbours stand beside them.
	Neighbours Need = "kernel neighbours"
)

// insideNeeds are these needs by the source of their gaps.
var insideNeeds = map[string]Need{"fdb": FDB, "counters": Counters, "vlans": VLANs, "groups": Groups, "neighbours": Neighbours}

// noPort are the causes behind which the settings of a port are not told.
var noPort = []string{"bridge-missing", "if-source-not-a-bridge", "tap-missing", "tap-not-enslaved", "tap-wrong-bridge"}

// inner is what goes on inside bridges, indexed once.
type inner struct {
	fdb    map[string][]*bridge.FDBEntry // of the bridge's own table, by bridge
	fdbOf  map[string][]*bridge.FDBEntry // the same by port
	vlans  map[string][]bridge.VLAN      // by port
	groups map[[2]string]int             // by bridge and port
	// counted are counters since the links were made, grown those of the watch.
	counted, grown map[string]bridge.Counter
}

func (h *host) inside() *inner {
	if h.inner != nil {
		return h.inner
	}
	k := &h.snap.Kernel
	in := &inner{
		fdb: map[string][]*bridge.FDBEntry{}, fdbOf: map[string][]*bridge.FDBEntry{}, vlans: map[string][]bridge.VLAN{},
		groups: map[[2]string]int{}, counted: map[string]bridge.Counter{}, grown: map[string]bridge.Counter{},
	}
	for i := range k.FDB {
		if e := &k.FDB[i]; !e.Self {
			in.fdb[e.Bridge] = append(in.fdb[e.Bridge], e)
			in.fdbOf[e.Port] = append(in.fdbOf[e.Port], e)
		}
	}
	for _, v := range k.VLANs {
		in.vlans[v.Port] = append(in.vlans[v.Port], v)
	}
	for _, g := range k.Groups {
		in.groups[[2]string{g.Bridge, g.Port}] = g.Count
	}
	for _, c := range k.Counters {
		in.counted[c.Link] = c
	}
	if k.Watch != nil {
		for _, c := range k.Watch.Counters {
			in.grown[c.Link] = c
		}
	}
	h.inner = in
	return in
}

// static says whether the bridge's table has the MAC behind the port for good;
// an empty MAC is any but the port's own.
func (in *inner) static(port, mac string) bool {
	for _, e := range in.fdbOf[port] {
		if e.State == bridge.FDBStatic && (mac == "" || strings.EqualFold(e.MAC, mac)) {
			return true
		}
	}
	return false
}

// judgedBridge is a bridge that is judged: one that libvirt made, or one that
// guests or networks name.
type judgedBridge struct {
	scope
	*bridge.Bridge
	own  bool
	nics []*nic // of active guests
	// macTable: libvirt manages the forwarding table.
	macTable bool
}

// eachBridge visits the judged bridges that exist.
func (h *host) eachBridge(visit func(b judgedBridge)) {
	for _, name := range h.ownBridges {
		n := h.owners[name]
		if b := h.bridges[name]; b != nil {
			s := scope{kind: aBridge, bridge: name, network: n.Name}
			visit(judgedBridge{scope: s, Bridge: b, own: true, nics: h.activeNICs(name), macTable: managesMACs(definition(n))})
		}
	}
	h.eachHostBridge(func(host hostBridge) {
		b := h.bridges[host.name]
		if b == nil {
			return
		}
		managed := false
		for _, n := range host.nets {
			managed = managed || managesMACs(definition(n))
		}
		visit(judgedBridge{scope: host.scope(), Bridge: b, nics: host.active, macTable: managed})
	})
}

// managesMACs says whether libvirt keeps the forwarding table of a network's
// bridge (<bridge macTableManager='libvirt'>).
func managesMACs(def *xml.Network) bool { return def.MACTable == "libvirt" }

// homeTaps are the running guests' taps that are ports of this bridge, as they
// should be.
func (h *host) homeTaps(b judgedBridge) []*nic {
	var list []*nic
	for _, n := range b.nics {
		if n.port != nil && n.port.Bridge == b.Name && n.running() {
			list = append(list, n)
		}
	}
	return list
}

// linkSysctl is the name of a link's setting in family 4 or 6. sysctl takes
// slashes where a link's name has dots.
func linkSysctl(family int, link, name string) string {
	at := "net.ipv" + strconv.Itoa(family) + ".conf."
	if strings.ContainsRune(link, '.') {
		return strings.ReplaceAll(at, ".", "/") + link + "/" + name
	}
	return at + link + "." + name
}

// insideChecks are the checks of what goes on inside bridges.
func insideChecks() []Check {
	return slices.Concat(
		vlanChecks(),
		floodChecks(),
		arpChecks(),
		fdbChecks(),
		fdbOwnChecks(),
		loopChecks(),
		multicastChecks(),
		tapDropChecks(),
		rogueChecks(),
	)
}
