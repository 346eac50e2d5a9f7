package verify

import "fmt"

func tapDropChecks() []Check {
	return []Check{{
		ID: "tap-tx-drops", Title: "a running guest does not take its packets", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Guests, Links, FDB, Counters},
		After: append([]string{"guest-paused", "bridge-loop", "tap-admin-down", "tap-no-carrier", "port-not-forwarding"}, noPort...),
		Doc: Doc{
			Symptom:  "Packets to the guest are lost under load, or all of them are.",
			Cause:    "The guest hangs, has no driver for its NIC, or is too slow: one queue, no vhost.",
			Evidence: "How much the tap's dropped transmissions grow between two looks: ten packets, and one in a hundred, or more. Info where the bridge has not heard the guest for long: its NIC may be unused. What was dropped before, as while a guest boots, does not count.",
			Cure:     "Look into the guest; give its interface vhost, more queues or a longer ring (rx_queue_size).",
		},
		run: tapDrops,
	}}
}

// fewDrops is what any guest may drop within the looks, such as one whose NIC
// is not in use, of the broadcasts of others.
const fewDrops = 10

func tapDrops(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		for _, n := range p.homeTaps(b) {
			if !p.on(n.subject) {
				continue
			}
			c, grown := p.inside().grown[n.port.Name]
			if !grown || c.TXDropped < fewDrops || c.TXDropped*100 < c.TXPackets+c.TXDropped {
				continue
			}
			severity := Warning
			if !p.sends(n) {
				severity = Info
			}
			total := p.inside().counted[n.port.Name].TXDropped
			p.found(n.subject, Finding{
				Severity: severity,
				Message: fmt.Sprintf("guest %s does not take the packets for %s: %d of %d were dropped within %s",
					show(n.guest.Name), show(n.port.Name), c.TXDropped, c.TXPackets+c.TXDropped, seconds(int(p.snap.Kernel.Watch.Duration))),
				Evidence: fmt.Sprintf("IFLA_STATS_LINK_64 tx_dropped of %s, twice; %d since the tap was made", show(n.port.Name), total),
				Want:     "tx_dropped at rest", Have: fmt.Sprintf("tx_dropped + %d", c.TXDropped),
				Fix: Fix{Class: Manual, Say: "look into the guest: does it run, and has it a driver; then give the interface vhost, queues or a longer ring"},
			})
		}
	})
}
