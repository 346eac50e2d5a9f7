package verify

import "fmt"

func tapDropChecks() []Check {
	return []Check{{
		ID: "tap-tx-drops", Title: "a running guest does not take its packets", Severity: Warning, Class: Manual,
		Needs: []Need{Networks, Guests, Links, Counters},
		After: append([]string{"guest-paused", "tap-admin-down", "tap-no-carrier", "port-not-forwarding"}, noPort...),
		Doc: Doc{
			Symptom:  "Packets to the guest are lost under load, or all of them are.",
			Cause:    "The guest hangs, has no driver for its NIC, or is too slow: one queue, no vhost.",
			Evidence: "How much the tap's dropped transmissions grow between two looks: one in a hundred packets or more. What was dropped before, as while a guest boots, does not count.",
			Cure:     "Look into the guest; give its interface vhost, more queues or a longer ring (rx_queue_size).",
		},
		run: tapDrops,
	}}
}

func tapDrops(p *pass) {
	p.eachBridge(func(b judgedBridge) {
		for _, n := range p.homeTaps(b) {
			if !p.on(n.subject) {
				continue
			}
			c, grown := p.inside().grown[n.port.Name]
			if !grown || c.TXDropped == 0 || c.TXDropped*100 < c.TXPackets+c.TXDropped {
				continue
			}
			total := p.inside().counted[n.port.Name].TXDropped
			p.found(n.subject, Finding{
				Message: fmt.Sprintf("guest %s does not take the packets for %s: %d of %d were dropped within %s",
					show(n.guest.Name), show(n.port.Name), c.TXDropped, c.TXPackets+c.TXDropped, seconds(int(p.snap.Kernel.Watch.Duration))),
				Evidence: fmt.Sprintf("IFLA_STATS_LINK_64 tx_dropped of %s, twice; %d since the tap was made", show(n.port.Name), total),
				Want:     "tx_dropped at rest", Have: fmt.Sprintf("tx_dropped + %d", c.TXDropped),
				Fix: Fix{Class: Manual, Say: "look into the guest: does it run, and has it a driver; then give the interface vhost, queues or a longer ring"},
			})
		}
	})
}
