package verify

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/libvirtnet"
)

// generate builds the snapshot of a healthy host with so many running guests,
// one tap each, spread over so many NAT networks, at most 65,536 networks.
func generate(guests, networks int) Snapshot {
	s := emptyHost()
	for i := range networks {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}).String() + "/24"
		addNetwork(&s, natNetwork(fmt.Sprintf("net%d", i), fmt.Sprintf("virbr%d", i), address))
	}
	// addGuest looks names up in lists: the taps are added in bulk.
	taps := emptyHost()
	for i := range guests {
		network := i % networks
		mac := fmt.Sprintf("52:54:00:%02x:%02x:%02x", i>>16&0xff, i>>8&0xff, i&0xff)
		nic := onNetwork(fmt.Sprintf("net%d", network), fmt.Sprintf("vnet%d", i), mac)
		nic.Bridge = fmt.Sprintf("virbr%d", network)
		nic.PortID = fmt.Sprintf("44444444-0000-4000-8000-%012x", i)
		n := &s.Libvirt.Networks[network]
		n.Ports = append(n.Ports, nic.PortID)
		n.Live.Connections++
		s.Libvirt.Guests = append(s.Libvirt.Guests, libvirtnet.Guest{
			Name: fmt.Sprintf("guest%05d", i), UUID: fmt.Sprintf("11111111-0000-4000-8000-%012x", i), ID: i + 1,
			State: libvirtnet.Running, Persistent: true, Interfaces: []libvirtnet.Interface{nic},
		})
		taps.Kernel.Links, taps.Kernel.Ports = taps.Kernel.Links[:0], taps.Kernel.Ports[:0]
		plain := nic
		plain.Bridge = ""
		addTap(&taps, plain)
		l := taps.Kernel.Links[0]
		l.Index, l.Master = len(s.Kernel.Links)+1, nic.Bridge
		s.Kernel.Links = append(s.Kernel.Links, l)
		s.Kernel.Ports = append(s.Kernel.Ports, s.forwarding(nic.Target, nic.Bridge))
	}
	s.Firewall = iptablesRules(&s, dockerRules(2000))
	chainOf(&s, "ip", "filter", "FORWARD").Base.Policy = "drop"
	s.Services = healthyServices(&s)
	return s
}

// dockerRules are so many rules for published ports as Docker has them, behind
// libvirt's own.
func dockerRules(n int) string {
	var b strings.Builder
	b.WriteString(":DOCKER -\n:DOCKER-USER -\n-A FORWARD -j DOCKER-USER\n-A FORWARD -o docker0 -j DOCKER\n")
	for i := range n {
		fmt.Fprintf(&b, "-A DOCKER -d 172.17.%d.%d/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport %d -j ACCEPT\n", i/250, i%250+2, 1024+i)
	}
	return b.String()
}

func BenchmarkJudge(b *testing.B) {
	for _, size := range []struct{ guests, networks int }{{100, 1}, {800, 1}, {1000, 10}, {10000, 100}, {20000, 200}} {
		s := generate(size.guests, size.networks)
		b.Run(fmt.Sprintf("guests=%d/networks=%d", size.guests, size.networks), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := Judge(s); len(r.Findings) > 0 {
					b.Fatalf("%d findings, the first: %+v", len(r.Findings), r.Findings[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.guests), "ns/guest")
		})
	}
}

// BenchmarkJudgeBroken judges a host on which every network was restarted
// under its guests: a finding per network.
func BenchmarkJudgeBroken(b *testing.B) {
	s := generate(10000, 100)
	for i := range s.Libvirt.Networks {
		s.Libvirt.Networks[i].Ports = nil
	}
	for i := range s.Kernel.Links {
		s.Kernel.Links[i].Master = ""
	}
	s.Kernel.Ports = nil
	b.ReportAllocs()
	for b.Loop() {
		if r := Judge(s); len(r.Findings) != 100 {
			b.Fatalf("%d findings, want one for each network", len(r.Findings))
		}
	}
}

// TestGenerated proves that what the benchmarks judge is a healthy host whose
// every guest is looked at.
func TestGenerated(t *testing.T) {
	r := Judge(generate(500, 5))
	if len(r.Findings) > 0 || r.Guests != 500 || r.Networks != 5 || r.Bridges != 5 || r.Checks < 500*9 {
		t.Errorf("%+v", r)
	}
}
