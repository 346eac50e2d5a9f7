package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/xml"
)

// networkWish is what the flags of net-define say of a network.
type networkWish struct {
	def xml.Network // all but the subnets

	subnets   []netip.Prefix // bits behind the length name the gateway
	auto      int            // subnets to choose
	none      bool           // no address at all
	gateways  []netip.Addr
	ranges    []xml.Range
	reserved  []xml.Host
	noDHCP    bool
	anything  bool // at least one of the flags was given
	onSubnets bool // at least one of those that need a subnet
}

// networkFlags are the flags that make up a wish.
func networkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "mode", Usage: "`MODE`: nat, route, open, isolated, bridge, private, vepa or passthrough (default for a new network: nat)"},
		&cli.StringFlag{Name: "bridge", Usage: "`NAME` of the bridge: libvirt's own, or with --mode bridge one of the host"},
		listFlag("subnet", "`CIDR` of guests and host, auto for a free one, or none; repeatable"),
		listFlag("gateway", "`IP` of the host in its subnet (default: the first); repeatable"),
		listFlag("dhcp-range", "addresses to lease, `A-B` (default: all of the subnet); repeatable"),
		&cli.BoolFlag{Name: "no-dhcp", Usage: "lease no addresses"},
		listFlag("dhcp-host", "reservation, `mac=..,ip=..,name=..`; repeatable"),
		&cli.StringFlag{Name: "domain", Usage: "DNS domain `NAME` of the guests"},
		listFlag("dns-forwarder", "`IP` of the DNS server to ask; repeatable"),
		listFlag("dns-host", "DNS entry, `ip=..,name=..`; repeatable"),
		listFlag("forward-dev", "NIC `DEV` to forward to, or of a macvtap pool (repeatable)"),
		&cli.StringFlag{Name: "nat-port", Usage: "ports for NAT, `A-B`"},
		&cli.BoolFlag{Name: "nat-ipv6", Usage: "NAT for IPv6, too"},
		&cli.IntFlag{Name: "mtu", Usage: "MTU in `BYTES`"},
		&cli.BoolFlag{Name: "stp", Usage: "spanning tree on (default for a new network)"},
		&cli.BoolFlag{Name: "no-stp", Usage: "spanning tree off"},
		&cli.IntFlag{Name: "delay", Usage: "forward delay in `SECONDS`; the kernel takes at least 2 with STP"},
		&cli.StringFlag{Name: "mac", Usage: "`MAC` of the bridge"},
		&cli.StringFlag{Name: "zone", Usage: "firewalld zone `NAME`"},
		&cli.BoolFlag{Name: "isolated-ports", Usage: "guests reach the host only, not each other"},
		&cli.StringFlag{Name: "inbound", Usage: "bandwidth to the guests, `AVG[,PEAK,BURST]` in KiB/s and KiB"},
		&cli.StringFlag{Name: "outbound", Usage: "bandwidth from the guests, `AVG[,PEAK,BURST]`"},
	}
}

// wishReader reads flags and keeps the first error.
type wishReader struct {
	c   *cli.Context
	err error
}

func (r *wishReader) fail(flag string, err error) {
	if err != nil && r.err == nil {
		r.err = usage(r.c.Command.Name, "flag --"+flag+": "+err.Error(), "")
	}
}

// repeated reads the values of a flag that may be repeated.
func repeated[T any](r *wishReader, flag string, parse func(string) (T, error)) []T {
	var list []T
	for _, text := range listOf(r.c, flag) {
		v, err := parse(text)
		r.fail(flag, err)
		list = append(list, v)
	}
	return list
}

// single reads the value of a flag that is given at most once.
func single[T any](r *wishReader, flag string, parse func(string) (T, error)) T {
	var v T
	if r.c.IsSet(flag) {
		var err error
		v, err = parse(r.c.String(flag))
		r.fail(flag, err)
	}
	return v
}

func notEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("is empty")
	}
	return s, nil
}

// readWish reads the flags of a network.
func readWish(c *cli.Context) (networkWish, error) {
	r := &wishReader{c: c}
	w := networkWish{
		gateways: repeated(r, "gateway", parseIP),
		ranges:   repeated(r, "dhcp-range", parseRange),
		reserved: repeated(r, "dhcp-host", parseHost),
		noDHCP:   c.Bool("no-dhcp"),
	}
	for _, f := range networkFlags() {
		w.anything = w.anything || c.IsSet(f.Names()[0])
	}
	w.onSubnets = len(w.gateways)+len(w.ranges)+len(w.reserved) > 0 || w.noDHCP
	w.readSubnets(r)
	w.def = xml.Network{
		Mode: single(r, "mode", parseMode), Bridge: single(r, "bridge", linkName),
		Domain: single(r, "domain", notEmpty), Zone: single(r, "zone", notEmpty), MAC: single(r, "mac", parseBridgeMAC),
		ForwardDevs: repeated(r, "forward-dev", linkName), MTU: c.Int("mtu"),
		Bandwidth: xml.Bandwidth{Inbound: single(r, "inbound", parseRate), Outbound: single(r, "outbound", parseRate)},
	}
	if c.IsSet("mtu") {
		r.fail("mtu", xml.CheckMTU(w.def.MTU))
	}
	if c.IsSet("delay") {
		delay := c.Int("delay")
		w.def.Delay = &delay
		if delay < 0 || delay > xml.MaxDelay {
			r.fail("delay", fmt.Errorf("%d s: want 0 to %d", delay, xml.MaxDelay))
		}
	}
	w.readSwitches(r)
	w.readNAT(r)
	if dns := (xml.DNS{Forwarders: repeated(r, "dns-forwarder", parseIP), Hosts: repeated(r, "dns-host", parseDNSHost)}); dns.Forwarders != nil || dns.Hosts != nil {
		w.def.DNS = &dns
	}
	return w, r.err
}

func (w *networkWish) readSubnets(r *wishReader) {
	for _, s := range listOf(r.c, "subnet") {
		switch s {
		case "auto":
			w.auto++
		case "none":
			w.none = true
		default:
			p, err := parseSubnet(s)
			r.fail("subnet", err)
			w.subnets = append(w.subnets, p)
		}
	}
	if w.none && (w.auto > 0 || len(w.subnets) > 0 || w.onSubnets && !w.noDHCP) {
		r.fail("subnet", errors.New("none goes with no other subnet, gateway, range or reservation"))
	}
	if w.noDHCP && len(w.ranges)+len(w.reserved) > 0 {
		r.fail("no-dhcp", errors.New("excludes --dhcp-range and --dhcp-host"))
	}
}

func (w *networkWish) readSwitches(r *wishReader) {
	c := r.c
	if c.Bool("stp") && c.Bool("no-stp") {
		r.fail("stp", errors.New("excludes --no-stp"))
	}
	if c.IsSet("stp") || c.IsSet("no-stp") {
		on := c.Bool("stp") || c.IsSet("no-stp") && !c.Bool("no-stp")
		w.def.STP = &on
	}
	if c.IsSet("isolated-ports") {
		on := c.Bool("isolated-ports")
		w.def.PortsIsolated = &on
	}
}

func (w *networkWish) readNAT(r *wishReader) {
	if !r.c.IsSet("nat-port") && !r.c.Bool("nat-ipv6") {
		return
	}
	w.def.NAT = &xml.NATSpec{IPv6: r.c.Bool("nat-ipv6")}
	if r.c.IsSet("nat-port") {
		var err error
		w.def.NAT.FirstPort, w.def.NAT.LastPort, err = parsePorts(r.c.String("nat-port"))
		r.fail("nat-port", err)
	}
}

// modes that the flags can make up in full; a hostdev pool takes a document.
func modes() []xml.Mode {
	return slices.DeleteFunc(slices.Clone(xml.Modes), func(m xml.Mode) bool { return m == xml.HostDev })
}

func parseMode(s string) (xml.Mode, error) {
	if m := xml.Mode(s); slices.Contains(modes(), m) {
		return m, nil
	}
	var names []string
	for _, m := range modes() {
		names = append(names, string(m))
	}
	return "", fmt.Errorf("no mode %s: one of %s%s", quote(s), strings.Join(names, ", "), suggestion(s, names))
}

func linkName(s string) (string, error) { return s, xml.CheckLinkName(s) }

func parseBridgeMAC(s string) (string, error) {
	mac, err := xml.ParseMAC(s)
	if err == nil {
		err = xml.CheckMAC(mac)
	}
	return mac, err
}
