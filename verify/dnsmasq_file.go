package verify

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
	"github.com/kvnet/kvnet/xml"
)

// The configuration file that libvirt writes for a network's dnsmasq
// (networkDnsmasqConfContents, src/network/bridge_driver.c; the same lines since
// libvirt 5). Only lines whose wish stands in a field of xml.Network are held
// against it.

// judgedKeys are the keys of those lines.
var judgedKeys = []string{"port", "no-resolv", "interface", "domain", "dhcp-range", "dhcp-lease-max", "dhcp-option", "server"}

// wantConfig are the lines that libvirt writes for a network, of the judged
// keys. Of a range only the ends are told: which mask and lease time stand behind
// them differs between versions.
func wantConfig(def xml.Network) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	dns := def.DNS == nil || def.DNS.Enabled == nil || *def.DNS.Enabled
	if !dns {
		add("port=0")
	}
	if dns && def.DNS != nil {
		for _, a := range def.DNS.Forwarders {
			add("server=%s", a)
		}
	}
	if noResolv(def) {
		add("no-resolv")
	}
	if def.Domain != "" {
		add("domain=%s", def.Domain)
	}
	add("interface=%s", def.Bridge)
	if def.Mode == xml.Isolated {
		add("dhcp-option=3")
	}
	var leases uint64
	for _, ip := range servedIPs(def) {
		for _, r := range ip.Ranges {
			add("dhcp-range=%s,%s", r.Start, r.End)
			leases += size(r)
		}
		if len(ip.Ranges) == 0 {
			add("dhcp-range=%s,static", ip.Address.Addr())
		}
	}
	if leases > 0 {
		add("dhcp-lease-max=%d", leases)
	}
	if def.MTU > 0 {
		add("dhcp-option=option:mtu,%d", def.MTU)
	}
	return lines
}

// noResolv says whether a network's dnsmasq leaves the host's resolvers alone.
func noResolv(def xml.Network) bool {
	dns := def.DNS == nil || def.DNS.Enabled == nil || *def.DNS.Enabled
	return def.Mode == xml.Isolated || dns && def.DNS != nil && len(def.DNS.Forwarders) > 0
}

// servedIPs are the <ip> elements with DHCP: one of each version at most.
func servedIPs(def xml.Network) []xml.IP {
	var list []xml.IP
	for _, v4 := range []bool{true, false} {
		for _, ip := range def.IPs {
			if ip.DHCP() && ip.Address.IsValid() && ip.Address.Addr().Is4() == v4 {
				list = append(list, ip)
				break
			}
		}
	}
	return list
}

// size is how many addresses a range has. Those that libvirt takes begin and end
// alike but for 32 bits (virSocketAddrGetRange, src/util/virsocketaddr.c).
func size(r xml.Range) uint64 {
	start, end := r.Start.As16(), r.End.As16()
	return binary.BigEndian.Uint64(end[8:]) - binary.BigEndian.Uint64(start[8:]) + 1
}

// haveConfig are a file's lines of the judged keys, without what the document's
// own options added, router advertisements, masks and lease times of ranges, and forwarders for
// single domains, for which the definition has no field.
func haveConfig(config []string, def xml.Network) []string {
	rest := withoutOptions(config, def)
	var lines []string
	for _, line := range rest {
		key, value, _ := strings.Cut(line, "=")
		switch {
		case !slices.Contains(judgedKeys, key), strings.HasSuffix(value, ",ra-only"), key == "server" && strings.HasPrefix(value, "/"):
			continue
		case line == "no-resolv" && slices.Contains(lines, line):
			continue // once for forwarders, and once more for an isolated network
		case key == "dhcp-range":
			parts := strings.Split(value, ",")
			line = "dhcp-range=" + strings.Join(parts[:min(len(parts), 2)], ",")
		}
		lines = append(lines, line)
	}
	return lines
}

// withoutOptions are a file's lines without those of <dnsmasq:options>, which
// libvirt appends as they are.
func withoutOptions(config []string, def xml.Network) []string {
	rest := slices.Clone(config)
	for _, o := range options(def) {
		for i := len(rest) - 1; i >= 0; i-- {
			if rest[i] == o {
				rest = slices.Delete(rest, i, i+1)
				break
			}
		}
	}
	return rest
}

// options are the values of <dnsmasq:option>.
func options(def xml.Network) []string {
	var list []string
	for _, o := range def.Other {
		if o.Path == "dnsmasq:options/dnsmasq:option@value" {
			list = append(list, strings.TrimSpace(o.Value))
		}
	}
	return list
}

// differing are the lines that only one of two lists has, each sorted.
func differing(want, have []string) (missing, extra []string) {
	rest := slices.Clone(have)
	for _, line := range want {
		if i := slices.Index(rest, line); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			missing = append(missing, line)
		}
	}
	slices.Sort(missing)
	slices.Sort(rest)
	return missing, rest
}

// files are libvirt's files of a network; nil when there are none.
func (h *host) files(n *libvirtnet.Network) *services.Network {
	for i := range h.snap.Services.Networks {
		if f := &h.snap.Services.Networks[i]; f.Name == n.Name {
			return f
		}
	}
	return nil
}

// rewrite are the steps that make libvirt write a network's file anew: it does
// that when it starts dnsmasq, which it does on reload when dnsmasq is gone. The
// bridge and its guests stay. Without a process to end the network is restarted.
func (h *host) rewrite(n *libvirtnet.Network, files *services.Network) []Step {
	reload := h.reload()
	if files.PID <= 1 || len(reload) == 0 {
		return h.restart(n)
	}
	pid := fmt.Sprint(files.PID)
	return append([]Step{{Do: Kill, On: pid}, {Do: AwaitEnd, On: pid}}, reload...)
}
