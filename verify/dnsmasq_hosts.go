package verify

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/xml"
)

func hostsPath(n *libvirtnet.Network) string {
	return "/var/lib/libvirt/dnsmasq/" + show(n.Name) + ".hostsfile"
}

// wantHosts are the lines that libvirt writes for a network's reservations
// (hostlistAdd, src/util/virdnsmasq.c).
func wantHosts(def xml.Network) []string {
	var lines []string
	for _, ip := range servedIPs(def) {
		for _, h := range ip.Hosts {
			var words []string
			switch {
			case !ip.Address.Addr().Is4() && h.ID != "":
				words = append(words, "id:"+h.ID)
			case ip.Address.Addr().Is4() && h.MAC != "":
				words = append(words, h.MAC)
			}
			if h.Name != "" {
				words = append(words, h.Name)
			}
			switch {
			case !h.IP.IsValid():
			case ip.Address.Addr().Is4():
				words = append(words, h.IP.String())
			default:
				words = append(words, "["+h.IP.String()+"]")
			}
			lines = append(lines, strings.Join(words, ","))
		}
	}
	return lines
}

// leaseTime is the word of a line for which the definition has no field.
var leaseTime = regexp.MustCompile(`^([0-9]+[smhdw]?|infinite)$`)

// plainHost is a line with its words in one order, without a lease time.
func plainHost(line string) string {
	words := strings.Split(strings.ToLower(line), ",")
	words = slices.DeleteFunc(words, leaseTime.MatchString)
	slices.Sort(words)
	return strings.Join(words, ",")
}

// differingHosts are the lines that only a network's definition or its hostsfile
// has; none where that was not read.
func differingHosts(def xml.Network, have []string) (missing, extra []string) {
	if have == nil {
		return nil, nil
	}
	want := wantHosts(def)
	plain := func(lines []string) map[string]bool {
		set := map[string]bool{}
		for _, l := range lines {
			set[plainHost(l)] = true
		}
		return set
	}
	wanted, there := plain(want), plain(have)
	missing = slices.DeleteFunc(want, func(l string) bool { return there[plainHost(l)] })
	extra = slices.DeleteFunc(slices.Clone(have), func(l string) bool { return wanted[plainHost(l)] })
	return missing, extra
}
