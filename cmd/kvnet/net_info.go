package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

// netInfo is all that libvirt says of one network, in short.
type netInfo struct {
	Name       string         `json:"name"`
	UUID       string         `json:"uuid"`
	Active     bool           `json:"active"`
	Persistent bool           `json:"persistent"`
	Autostart  bool           `json:"autostart"`
	Bridge     string         `json:"bridge"`
	Mode       xml.Mode       `json:"mode"`
	Subnets    []netip.Prefix `json:"subnets"`
	DHCPRanges []xml.Range    `json:"dhcp_ranges"`
	MTU        int            `json:"mtu"` // 0 where the definition has none
	Domain     string         `json:"domain"`
	Guests     []guestPort    `json:"guests"`
	// LeasesUsed is -1 when the driver knows no leases.
	LeasesUsed  int `json:"leases_used"`
	LeasesTotal int `json:"leases_total"` // addresses in the IPv4 ranges
}

// guestPort is an interface of a running guest on the network.
type guestPort struct {
	Domain    string `json:"domain"`
	Interface string `json:"interface"`
	MAC       string `json:"mac"`
}

func netInfoCommand(e *env) *cli.Command {
	return &cli.Command{
		Category:  networks,
		Usage:     "one network in short",
		ArgsUsage: "NETWORK",
		Description: describe(`
Prints virsh's lines on a network, then its mode, subnets, DHCP ranges, MTU,
domain, the running guests on it, and how many addresses of its IPv4 ranges are
leased. NETWORK is a name or a UUID.`,
			"kvnet net-info default", 0, 1, 2, 5),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "NETWORK")
			if err != nil {
				return err
			}
			return runNetInfo(c.Context, e, args[0])
		},
	}
}

func runNetInfo(ctx context.Context, e *env, name string) error {
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err := conn.Network(ctx, name)
	if err != nil {
		return err
	}
	guests, err := conn.Guests(ctx)
	if e.partly(err) != nil {
		return err
	}
	info := infoOf(n, guests)
	if n.Active && info.LeasesTotal > 0 {
		leases, err := conn.Leases(ctx, n.Name)
		switch {
		case err == nil:
			info.LeasesUsed = countLeases(leases)
		case !errors.Is(err, libvirtnet.ErrNotSupported):
			return err
		}
	}
	return e.print(info, func(w io.Writer) { printNetInfo(w, info) })
}

func infoOf(n libvirtnet.Network, guests []libvirtnet.Guest) netInfo {
	def := n.Def()
	info := netInfo{
		Name: n.Name, UUID: n.UUID, Active: n.Active, Persistent: n.Persistent, Autostart: n.Autostart,
		Bridge: def.Bridge, Mode: def.Mode, Subnets: subnets(def), DHCPRanges: []xml.Range{},
		MTU: def.MTU, Domain: def.Domain, Guests: []guestPort{}, LeasesUsed: -1,
	}
	for _, ip := range def.IPs {
		info.DHCPRanges = append(info.DHCPRanges, ip.Ranges...)
	}
	info.LeasesTotal = rangeSize(info.DHCPRanges)
	for _, a := range libvirtnet.Attached(n, guests) {
		info.Guests = append(info.Guests, guestPort{Domain: a.Guest, Interface: a.Interface.Target, MAC: a.Interface.MAC})
	}
	return info
}

// countLeases counts IPv4 leases, which come from the ranges that rangeSize
// counts.
func countLeases(leases []libvirtnet.Lease) int {
	n := 0
	for _, l := range leases {
		if l.IP.Is4() {
			n++
		}
	}
	return n
}

// rangeSize is the number of addresses in the IPv4 ranges, both ends included.
func rangeSize(ranges []xml.Range) int {
	total := 0
	for _, r := range ranges {
		if r.Start.Is4() && r.End.Is4() && !r.End.Less(r.Start) {
			total += int(number(r.End)-number(r.Start)) + 1
		}
	}
	return total
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func printNetInfo(w io.Writer, info netInfo) {
	var p pairs
	p.add("Name", info.Name)
	p.add("UUID", info.UUID)
	p.add("Active", yesNo(info.Active))
	p.add("Persistent", yesNo(info.Persistent))
	p.add("Autostart", yesNo(info.Autostart))
	if info.Bridge != "" {
		p.add("Bridge", info.Bridge)
	}
	p.add("Mode", string(info.Mode))
	for _, s := range info.Subnets {
		p.add("Subnet", s.String())
	}
	for _, r := range info.DHCPRanges {
		p.add("DHCP range", r.Start.String()+" - "+r.End.String())
	}
	if info.MTU != 0 {
		p.add("MTU", strconv.Itoa(info.MTU))
	}
	if info.Domain != "" {
		p.add("Domain", info.Domain)
	}
	p.add("Guests", strconv.Itoa(len(info.Guests)))
	for _, g := range info.Guests {
		p.add("Guest", strings.Join([]string{g.Domain, dash(g.Interface), g.MAC}, " "))
	}
	if info.LeasesTotal > 0 {
		used := "unknown"
		if info.LeasesUsed >= 0 {
			used = strconv.Itoa(info.LeasesUsed)
		}
		p.add("Leases", used+"/"+strconv.Itoa(info.LeasesTotal))
	}
	p.write(w)
}
