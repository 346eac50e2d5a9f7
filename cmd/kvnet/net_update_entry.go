package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func entryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "mac", Usage: "dhcp-host: `MAC` of the guest"},
		&cli.StringFlag{Name: "id", Usage: "dhcp-host: DHCPv6 `ID` of the guest"},
		&cli.StringFlag{Name: "ip", Usage: "dhcp-host, dns-host: the `ADDRESS`"},
		listFlag("name", "`NAME` of a host (dns-host: repeatable), of a TXT record or of a port group"),
		&cli.StringFlag{Name: "range", Usage: "dhcp-range: `A-B`"},
		&cli.StringFlag{Name: "value", Usage: "dns-txt: the `TEXT`"},
		&cli.StringFlag{Name: "service", Usage: "dns-srv: `SERVICE`, such as ldap"},
		&cli.StringFlag{Name: "protocol", Usage: "dns-srv: tcp or udp, as `PROTOCOL`"},
		&cli.StringFlag{Name: "domain", Usage: "dns-srv: the `DOMAIN` that is asked for"},
		&cli.StringFlag{Name: "target", Usage: "dns-srv: `HOST` that serves"},
		&cli.StringFlag{Name: "port", Usage: "dns-srv: `PORT` of the target"},
		&cli.StringFlag{Name: "priority", Usage: "dns-srv: `N`, the smallest is asked first"},
		&cli.StringFlag{Name: "weight", Usage: "dns-srv: `N`, among those of a priority"},
		&cli.BoolFlag{Name: "default", Usage: "portgroup: that of guests which name none"},
		&cli.StringFlag{Name: "dev", Usage: "forward-interface: the `NIC`"},
	}
}

// entryAttributes are the flags of each section in the order of libvirt's
// attributes; what is in brackets may be left out when one is added.
var entryAttributes = map[xml.Section]string{
	xml.DHCPHosts: "[mac] [id] [name] ip", xml.DHCPRanges: "range", xml.DNSHosts: "ip name",
	xml.DNSTexts: "name value", xml.DNSServices: "service protocol [domain] [target] [port] [priority] [weight]",
	xml.PortGroups: "name [default]", xml.ForwardInterfaces: "dev",
}

// readEntry makes the entry of the flags, or reads --xml.
func readEntry(e *env, c *cli.Context, s xml.Section, command libvirtnet.UpdateCommand) (xml.Entry, error) {
	var none xml.Entry
	wrong := func(format string, args ...any) error { return usage("net-update", fmt.Sprintf(format, args...), "") }
	takes := strings.NewReplacer("[", "", "]", "").Replace(entryAttributes[s])
	given := 0
	for _, f := range entryFlags() {
		name := f.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		given++
		if !strings.Contains(" "+takes+" ", " "+name+" ") {
			return none, wrong("flag --%s is not of section %s, which has --%s", name, s, strings.ReplaceAll(takes, " ", ", --"))
		}
		values := []string{c.String(name)}
		if name == "name" {
			values = listOf(c, name)
		}
		if slices.Contains(values, "") { // no value: it would name any entry, and change none
			return none, wrong("flag --%s: is empty", name)
		}
	}
	if c.IsSet("xml") {
		if given > 0 {
			return none, wrong("--xml brings the entry: no other flag that describes one goes with it")
		}
		if c.String("xml") == "" {
			return none, wrong("flag --xml: is empty")
		}
		return entryFromXML(c.Context, e, c.String("xml"), s)
	}
	// A reservation that is there is known by any of its values.
	if command == libvirtnet.UpdateAdd || command == libvirtnet.UpdateModify && s != xml.DHCPHosts {
		for name := range strings.FieldsSeq(entryAttributes[s]) {
			if name[0] != '[' && !c.IsSet(name) {
				return none, wrong("missing flag --%s", name)
			}
		}
	}
	if given == 0 {
		return none, wrong("which one? want --%s or --xml", strings.ReplaceAll(takes, " ", ", --"))
	}
	entry, err := entryFromFlags(c, s, strings.Fields(takes))
	if err != nil {
		return none, wrong("%s", oneLine(err))
	}
	return entry, nil
}

func entryFromXML(ctx context.Context, e *env, text string, s xml.Section) (xml.Entry, error) {
	text, err := xmlText(ctx, e, text)
	if err != nil {
		return xml.Entry{}, err
	}
	entry, err := xml.ParseEntry(text, s)
	if err != nil {
		return entry, usage("net-update", "flag --xml: "+oneLine(err), "")
	}
	return entry, nil
}

// xmlText is what --xml gives: XML, or the file that holds it.
func xmlText(ctx context.Context, e *env, text string) (string, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		return text, nil
	}
	file, err := reading(ctx, e, text, document)
	if err != nil {
		return "", &failure{op: "read", object: text, err: bareCause(err)}
	}
	return file, nil
}

func entryFromFlags(c *cli.Context, s xml.Section, names []string) (xml.Entry, error) {
	var attrs [][2]string
	var hostnames []string
	for _, name := range names {
		value := c.String(name)
		switch {
		case name == "name":
			list := listOf(c, name)
			for _, n := range list {
				if strings.ContainsFunc(n, func(r rune) bool { return r < ' ' }) {
					return xml.Entry{}, fmt.Errorf("flag --name: %s is no name", quote(n))
				}
			}
			if s == xml.DNSHosts {
				hostnames = list
				continue
			}
			if len(list) > 1 {
				return xml.Entry{}, errors.New("flag --name: only a DNS host has several")
			}
			value = strings.Join(list, "")
		case name == "default":
			value = map[bool]string{true: "yes"}[c.Bool(name)]
		case !c.IsSet(name):
			continue
		case name == "range":
			r, err := parseRange(value)
			if err != nil {
				return xml.Entry{}, fmt.Errorf("flag --range: %w", err)
			}
			attrs = append(attrs, [2]string{"start", r.Start.String()}, [2]string{"end", r.End.String()})
			continue
		}
		value, err := entryValue(name, value)
		if err != nil {
			return xml.Entry{}, fmt.Errorf("flag --%s: %w", name, err)
		}
		attrs = append(attrs, [2]string{name, value})
	}
	return xml.NewEntry(s, attrs, hostnames...)
}

func entryValue(flag, value string) (string, error) {
	switch flag {
	case "mac":
		mac, err := xml.ParseMAC(value)
		if err == nil {
			err = xml.CheckMAC(mac)
		}
		return mac, err
	case "ip":
		a, err := parseIP(value)
		return a.String(), err
	case "dev":
		return value, xml.CheckLinkName(value)
	}
	return value, nil
}

// parentOf is the index of the <ip> that an entry belongs to: the one whose
// subnet holds its addresses, or the one that was said.
func (u entryChange) parentOf(def xml.Network) (int, error) {
	if u.o.section != xml.DHCPHosts && u.o.section != xml.DHCPRanges {
		return -1, nil
	}
	var addresses []netip.Addr
	for _, key := range []string{"ip", "start", "end"} {
		if a, err := netip.ParseAddr(u.o.entry.Value(key)); err == nil {
			addresses = append(addresses, a)
		}
	}
	holds := func(ip xml.IP) bool {
		return len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !ip.Address.Contains(a) })
	}
	if at := u.o.parent; at >= 0 {
		if u.o.section == xml.DHCPRanges && !holds(def.IPs[at]) {
			return -1, fmt.Errorf("the <ip> of index %d does not hold it: it is %s", at, def.IPs[at].Address.Masked())
		}
		return at, nil
	}
	var subnets []string
	for i, ip := range def.IPs {
		if u.o.section == xml.DHCPHosts && slices.Contains(addresses, ip.Address.Addr()) {
			return -1, fmt.Errorf("%s is the address of the host", ip.Address.Addr())
		}
		if holds(ip) {
			return i, nil
		}
		subnets = append(subnets, ip.Address.Masked().String())
	}
	if len(subnets) == 0 {
		return -1, errors.New("the network has no subnet: nothing is leased on it")
	}
	return -1, fmt.Errorf("no subnet of the network holds it (it has %s)", strings.Join(subnets, ", "))
}

// refuseLeases refuses to take a range from under guests that have leases in
// it, and tells of a guest that keeps its address although it has another
// reservation now.
func (u entryChange) refuseLeases(ctx context.Context, e *env, plan libvirtnet.Plan) error {
	taken := func(l libvirtnet.Lease) bool {
		return slices.ContainsFunc(plan.Steps, func(s libvirtnet.PlanStep) bool {
			return s.Live && s.Update.Section == xml.DHCPRanges && s.Update.Command == libvirtnet.UpdateDelete && inRange(s.Document, l.IP)
		}) && !slices.ContainsFunc(plan.Steps, func(s libvirtnet.PlanStep) bool {
			return s.Live && s.Update.Command == libvirtnet.UpdateAdd && inRange(s.Document, l.IP)
		})
	}
	ranges, reserved := u.o.section == xml.DHCPRanges, u.o.section == xml.DHCPHosts && u.o.command != libvirtnet.UpdateDelete
	if !ranges && !reserved || !slices.ContainsFunc(plan.Steps, func(s libvirtnet.PlanStep) bool { return s.Live }) {
		return nil
	}
	leases, err := u.conn.Leases(ctx, u.have.Name)
	if errors.Is(err, libvirtnet.ErrNotSupported) {
		return nil
	} else if err != nil {
		return err
	}
	var words []string
	for _, l := range leases {
		if ranges && taken(l) {
			words = append(words, l.IP.String()+" of "+u.world.holder(l))
		}
	}
	if reserved {
		u.tellKept(e, plan, leases)
	}
	if len(words) == 0 || u.o.force {
		return nil
	}
	return refuse(string(u.o.command)+" ip-dhcp-range of", u.object(), fmt.Errorf("live leases lie in what is taken away: %s", strings.Join(words, ", ")),
		"--force does it: these guests lose their address when the lease ends")
}

// tellKept tells of guests that keep another address than their new reservation.
func (u entryChange) tellKept(e *env, plan libvirtnet.Plan, leases []libvirtnet.Lease) {
	for _, s := range plan.Steps {
		if !s.Live || s.Update.Command == libvirtnet.UpdateDelete {
			continue
		}
		entry, err1 := xml.ParseEntry(s.Document, xml.DHCPHosts)
		ip, err2 := netip.ParseAddr(entry.Value("ip"))
		if err1 != nil || err2 != nil {
			continue
		}
		for _, words := range u.world.keepTheirs(leases, entry.Value("mac"), ip) {
			e.note("%s", words)
		}
	}
}

// inRange says whether an address lies in the range of an entry.
func inRange(entry string, ip netip.Addr) bool {
	r, err := xml.ParseEntry(entry, xml.DHCPRanges)
	if err != nil {
		return false
	}
	start, err1 := netip.ParseAddr(r.Value("start"))
	end, err2 := netip.ParseAddr(r.Value("end"))
	return err1 == nil && err2 == nil && !ip.Less(start) && !end.Less(ip)
}
