package lint

import (
	"math"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/xml"
)

var qemuRules = []Rule{
	{"guest-type-unusable", "An interface of a type that QEMU does not have", Error, AtStart,
		"null and vds are of bhyve and VMware: libvirt 9.0 itself ends when it starts such a guest with QEMU, later ones refuse."},
	{"guest-model-unknown", "A model that no QEMU has for a PC", Warning, AtStart,
		"libvirt hands any name on, and QEMU does not start; the models are those of QEMU 7.2 to 10.0."},
	{"guest-address-unsupported", "An address or route for the guest's side that QEMU cannot give", Error, AtDefine,
		"Only type user has addresses, one of each family (qemuValidateDomainDeviceDefNetwork). <source> has those of the host's side."},
	{"guest-memory-not-shared", "A vhostuser interface of a guest whose memory is not shared", Warning, Never,
		"The other process reads packets out of the guest's memory. libvirt 9.0 starts the guest, and nothing gets through; 11.3 does not take it."},
	{"boot-order-twice", "Two devices have one place in the boot order", Error, AtDefine,
		"virDomainDefBootOrderPostParse; only those with an interface are told."},
}

// kindOf is the type of an interface.
func kindOf(i *xml.Node) string {
	if kind := i.Attr("type"); kind != "" {
		return kind
	}
	return "user"
}

// qemu judges interfaces by what QEMU can do, where it runs the guest.
func (p *pass) qemu(root *xml.Node) {
	if !slices.Contains([]string{"kvm", "qemu"}, root.Attr("type")) {
		return
	}
	pc := slices.Contains([]string{"x86_64", "i686"}, root.Child("os").Child("type").Attr("arch"))
	for _, devices := range root.All("devices") {
		for _, i := range devices.All("interface") {
			kind := kindOf(i)
			if kind == "null" || kind == "vds" {
				p.at("guest-type-unusable", i.At("type"), "type %s: QEMU has none", kind)
				continue
			}
			p.qemuModel(i, kind, pc)
			p.qemuAddresses(i, kind)
			p.qemuLink(i, kind)
			if kind == "vhostuser" {
				p.sharedMemory(root, i)
			}
		}
	}
}

// pcModels are the models of QEMU for PCs, with libvirt's own names.
var pcModels = strings.Fields(`virtio virtio-transitional virtio-non-transitional virtio-net virtio-net-device
	virtio-net-pci virtio-net-pci-transitional virtio-net-pci-non-transitional e1000 e1000-82544gc e1000-82545em e1000e
	i82550 i82551 i82557a i82557b i82557c i82558a i82558b i82559a i82559b i82559c i82559er i82562 i82801 igb igbvf
	ne2k_isa ne2k_pci pcnet pvrdma rocker rtl8139 tulip usb-net vmxnet3 xen-net-device netfront`)

func (p *pass) qemuModel(i *xml.Node, kind string, pc bool) {
	m := i.Child("model")
	model := strings.ToLower(m.Attr("type"))
	virtio := slices.Contains([]string{"virtio", "virtio-transitional", "virtio-non-transitional"}, model)
	team := i.Child("teaming")
	switch {
	case kind == "hostdev":
	case model != "" && !virtio && kind == "vhostuser":
		p.at("guest-setting-invalid", m.At("type"), "model %s: an interface of type vhostuser is a virtio", show(model))
	case model != "" && !virtio && team.Attr("type") == "persistent":
		p.at("guest-setting-invalid", m.At("type"), "model %s: the persistent half of a team is a virtio", show(model))
	case pc && model == "" && team.Attr("type") == "persistent":
		p.warn("guest-setting-invalid", team.Place, "the persistent half of a team is a virtio, and a PC's model is another unless it says so")
	case pc && model != "" && strings.Trim(model, letters+"-_") == "" && !slices.Contains(pcModels, model):
		p.at("guest-model-unknown", m.At("type"), "model %s: no QEMU that is known has it for a PC", show(m.Attr("type")))
	}
	if team.Attr("type") == "transient" && kind != "hostdev" && kind != "network" {
		p.at("guest-setting-invalid", team.Place, "the transient half of a team is of type hostdev or network, not %s", show(kind))
	}
}

// vdpaAddresses is the first libvirt that was seen to refuse addresses of type
// vdpa; 9.0 takes them.
const vdpaAddresses = 11_003_000

func (p *pass) qemuAddresses(i *xml.Node, kind string) {
	fail := func(n *xml.Node, key, format string, args ...any) {
		p.at("guest-address-unsupported", n.At(key), format, args...)
	}
	_, known := netTypes[kind]
	passt := i.Child("backend").Attr("type") == "passt"
	if !known || passt || kind == "vdpa" && p.version < vdpaAddresses {
		return
	}
	if routes := i.All("route"); len(routes) > 0 {
		fail(routes[0], "", "QEMU sets no route in a guest")
	}
	families := map[bool]bool{}
	for _, e := range i.All("ip") {
		a := p.address(e, "address")
		six := a.Is6()
		bits, _ := p.number(e, "prefix", 128)
		switch {
		case kind != "user":
			fail(e, "address", "an interface of type %s has no address of its own: QEMU sets none", kind)
		case !a.IsValid():
		case families[six]:
			fail(e, "address", "a second address of the family")
		case e.Attr("peer") != "":
			fail(e, "peer", "an interface of type user has no peer")
		case six && bits > 0 && bits != 64:
			fail(e, "prefix", "prefix %d: IPv6 has 64 here", bits)
		case !six && bits > 0 && (bits < 4 || bits > 27):
			fail(e, "prefix", "prefix %d: want 4 to 27", bits)
		}
		families[six] = true
	}
}

// Kinds of interfaces with a tap that libvirt makes, and those that take no MTU.
var (
	withTap    = []string{"network", "bridge", "ethernet"}
	withoutMTU = []string{"user", "direct", "hostdev", "internal", "mcast", "server", "udp", "client", "vdpa"}
)

func (p *pass) qemuLink(i *xml.Node, kind string) {
	m := i.Child("mtu")
	mtu, ok := p.number(m, "size", xml.MaxMTU)
	most := uint64(xml.MaxTapMTU)
	if i.Child("target").Attr("managed") == "no" { // any device
		most = xml.MaxMTU
	}
	switch {
	case !ok || mtu == 0:
	case slices.Contains(withoutMTU, kind):
		p.at("guest-setting-invalid", m.At("size"), "an interface of type %s has no MTU", kind)
	case slices.Contains(withTap, kind) && (mtu < xml.MinMTU || mtu > most):
		p.at("mtu-out-of-range", m.At("size"), "MTU %d: a tap takes %d to %d", mtu, xml.MinMTU, most)
	}
	frames := i.Child("coalesce").Child("rx").Child("frames")
	if most, _ := p.number(frames, "max", math.MaxUint32); most > 0 && (kind == "vhostuser" || slices.Contains(withoutMTU, kind) || kind == "ethernet") {
		p.at("guest-setting-invalid", frames.At("max"), "an interface of type %s has no <coalesce>", kind)
	}
}

// wantsSharedMemory is the first libvirt that was seen to refuse vhostuser
// without shared memory.
const wantsSharedMemory = 11_003_000

// sharedMemory judges whether who is at the other end of a vhostuser interface
// can read what the guest sends.
func (p *pass) sharedMemory(root, i *xml.Node) {
	if root.Child("memoryBacking").Child("access").Attr("mode") == "shared" {
		return
	}
	for _, cell := range root.Child("cpu").Child("numa").All("cell") {
		if cell.Attr("memAccess") == "shared" {
			return
		}
	}
	p.at("guest-memory-not-shared", i.At("type"), "type vhostuser: nothing gets through unless <memoryBacking> has <access mode='shared'/>")
	if p.version >= wantsSharedMemory {
		f := &p.findings[len(p.findings)-1]
		f.Severity, f.Refused = Error, AtDefine
	}
}

// bootOrder judges what the guest starts from.
func (p *pass) bootOrder(root *xml.Node) {
	type place struct {
		at  xml.Place
		nic bool
	}
	seen := map[uint64]place{}
	for _, devices := range root.All("devices") {
		for _, d := range devices.Children {
			boot := d.Child("boot")
			order, ok := p.number(boot, "order", math.MaxUint32)
			if !ok || d.Prefix != "" {
				continue
			}
			before, again := seen[order]
			if is := (place{boot.At("order"), d.Name == "interface"}); !again {
				seen[order] = is
			} else if is.nic || before.nic {
				p.note("boot-order-twice", Spot{p.name, is.at}, p.object, &Spot{p.name, before.at}, "boot order "+boot.Attr("order")+" is that of another device")
			}
		}
	}
}
