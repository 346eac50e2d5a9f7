package xml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The kernel's bounds of a link: IFNAMSIZ - 1 (include/uapi/linux/if.h), and
// an MTU from ETH_MIN_MTU (include/uapi/linux/if_ether.h) to the bridge
// driver's 65,535.
const (
	MaxLinkName = 15
	MinMTU      = 68
	MaxMTU      = 65535
	MaxTapMTU   = MaxMTU - 14 // tun_net_initialize in drivers/net/tun.c: less the Ethernet header
)

// MinMTU6 is the least MTU of a link that carries IPv6 (RFC 8200 §5): below it
// the kernel refuses addresses.
const MinMTU6 = 1280

// MaxName is the longest name of a network, in bytes: libvirt keeps files
// such as NAME.hostsfile, and a file name has 255.
const MaxName = 240

// Check says what is wrong with a wish as such, whatever the host: every
// fault at once, joined. It is stricter than libvirt, which takes many a
// definition that fails only at start. Fields without a wish are not judged.
func Check(n Network) error { return check(n, true) }

func check(n Network, named bool) error {
	c := &checker{}
	if named {
		c.must(CheckName(n.Name))
	}
	c.identity(n)
	c.forward(n)
	c.combinations(n)
	c.nat(n.NAT)
	c.addresses(n)
	c.dns(n.DNS)
	c.rate("inbound", n.Bandwidth.Inbound)
	c.rate("outbound", n.Bandwidth.Outbound)
	for _, id := range n.VLANs {
		c.must(CheckVLAN(id))
	}
	for i, name := range n.PortGroups {
		c.must(checkText("port group", name))
		if name == "" || slices.Contains(n.PortGroups[:i], name) {
			c.fail("port group %q: empty, or there twice", clip(name))
		}
	}
	return several(c.errs)
}

// several joins errors, as many as somebody will read: a hostile document can
// hold a hundred thousand.
func several(errs []error) error {
	const most = 10
	if len(errs) > most {
		more := fmt.Errorf("and %d more", len(errs)-most)
		errs = append(slices.Clone(errs[:most]), more)
	}
	return errors.Join(errs...)
}

type checker struct{ errs []error }

func (c *checker) fail(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checker) must(err error) {
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

// CheckName says whether a network can have the name: it is the stem of file
// names, and one word on a line of virsh.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("network name: empty")
	case len(name) > MaxName:
		return fmt.Errorf("network name %q: %d bytes, more than %d", clip(name), len(name), MaxName)
	case name == "." || name == "..":
		return fmt.Errorf("network name %q: names a folder", name)
	case strings.Contains(name, "/"):
		return fmt.Errorf("network name %q: holds a /", clip(name))
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("network name %q: begins or ends with white space", clip(name))
	}
	return checkText("network name", name)
}

// CheckLinkName says whether a link can have the name, as the kernel's
// dev_valid_name (net/core/dev.c) and XML allow.
func CheckLinkName(name string) error {
	switch {
	case name == "":
		return errors.New("device name: empty")
	case len(name) > MaxLinkName:
		return fmt.Errorf("device name %q: %d bytes, more than %d", clip(name), len(name), MaxLinkName)
	case name == "." || name == "..":
		return fmt.Errorf("device name %q: names a folder", name)
	case strings.ContainsAny(name, "/:"):
		return fmt.Errorf("device name %q: holds : or /, which the kernel refuses", name)
	case strings.ContainsFunc(name, unicode.IsSpace):
		return fmt.Errorf("device name %q: holds white space", name)
	case name == "all" || name == "default": // sysctl_dev_name_is_allowed, include/net/ip.h
		return fmt.Errorf("device name %q: is what the kernel calls the settings of all links", name)
	}
	return checkText("device name", name)
}

// CheckMTU says whether an MTU, in bytes, is one that a bridge can have.
func CheckMTU(mtu int) error {
	if mtu < MinMTU || mtu > MaxMTU {
		return fmt.Errorf("MTU %d: want %d to %d", mtu, MinMTU, MaxMTU)
	}
	return nil
}

// CheckVLAN says whether a VLAN id can be used: 0 and 4095 are reserved
// (IEEE 802.1Q).
func CheckVLAN(id int) error {
	if id < 1 || id > 4094 {
		return fmt.Errorf("VLAN %d: want 1 to 4094", id)
	}
	return nil
}

// checkText refuses what XML cannot carry or a terminal would obey.
func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s %q: is not UTF-8", what, clip(s))
	}
	bad := func(r rune) bool {
		return unicode.IsControl(r) || r == 0xfffe || r == 0xffff || r == '\u2028' || r == '\u2029'
	}
	if strings.ContainsFunc(s, bad) {
		return fmt.Errorf("%s %q: holds a control character", what, clip(s))
	}
	return nil
}

// checkDomain says whether a DNS name is one: labels of letters, digits, - and
// _, up to 63 bytes each and 253 together (RFC 1035 §2.3.4; the underscore is
// what people use and libvirt takes).
func checkDomain(what, name string) error {
	if len(name) > 253 {
		return fmt.Errorf("%s %q: %d bytes, more than 253", what, clip(name), len(name))
	}
	for _, label := range strings.Split(strings.TrimSuffix(name, "."), ".") {
		odd := strings.ContainsFunc(label, func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
		})
		if label == "" || len(label) > 63 || odd || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("%s %q: %q is no label of a DNS name", what, clip(name), clip(label))
		}
	}
	return nil
}

func (c *checker) identity(n Network) {
	if n.UUID != "" {
		_, err := ParseUUID(n.UUID)
		c.must(err)
	}
	if n.MAC != "" {
		c.must(CheckMAC(n.MAC))
	}
	if n.Bridge != "" {
		c.must(CheckLinkName(n.Bridge))
	}
	if n.MTU != 0 {
		c.must(CheckMTU(n.MTU))
	}
	if n.Delay != nil && (*n.Delay < 0 || *n.Delay > MaxDelay) {
		c.fail("forward delay %d s: want 0 to %d", *n.Delay, MaxDelay)
	}
	if n.MACTable != "" && n.MACTable != "kernel" && n.MACTable != "libvirt" {
		c.fail("MAC table manager %q: want kernel or libvirt", clip(n.MACTable))
	}
	if n.Domain != "" {
		c.must(checkDomain("domain", n.Domain))
	}
	if n.DomainLocal && n.Domain == "" {
		c.fail("a local domain needs a name")
	}
	c.must(checkText("title", n.Title))
	c.must(checkText("zone", n.Zone))
	if n.VirtualPort != "" && !slices.Contains(virtualPorts, n.VirtualPort) {
		c.fail("virtual port %q: want one of %s", clip(n.VirtualPort), strings.Join(virtualPorts, ", "))
	}
}

// virtualPorts are the types of https://libvirt.org/formatnetwork.html.
var virtualPorts = []string{"802.1Qbg", "802.1Qbh", "openvswitch", "midonet"}

// MaxDelay is the longest forward delay of a bridge, in seconds:
// BR_MAX_FORWARD_DELAY in net/bridge/br_private_stp.h.
const MaxDelay = 30

func (c *checker) rate(direction string, r Rate) {
	if r.Average < 0 || r.Peak < 0 || r.Burst < 0 {
		c.fail("%s bandwidth %s: negative", direction, r)
	}
	if r != (Rate{}) && r.Average == 0 {
		c.fail("%s bandwidth: needs an average", direction)
	}
	if r.Peak != 0 && r.Peak < r.Average {
		c.fail("%s bandwidth: peak %d is below average %d", direction, r.Peak, r.Average)
	}
}
