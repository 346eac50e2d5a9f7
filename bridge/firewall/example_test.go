package firewall_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/kvnet/kvnet/bridge/firewall"
)

// Who drops what a guest sends to the outside?
func ExampleFilter_Decide() {
	tables, err := firewall.ParseSave("ip", []byte(`*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -j ACCEPT
-A DOCKER-USER -i virbr1 -j ACCEPT
COMMIT
`))
	if err != nil {
		log.Fatal(err)
	}
	rs := firewall.Ruleset{Version: firewall.FormatVersion, Tables: tables}
	filter := firewall.New(&rs, firewall.Host{})
	for _, bridge := range []string{"virbr0", "virbr1"} {
		v := filter.Decide(firewall.Flow{
			Family: "ip",
			Path:   firewall.PathForward,
			IIF:    firewall.Interface{Name: bridge},
			OIF:    firewall.Interface{Name: "eth0"},
			Src:    netip.MustParsePrefix("192.168.122.0/24"),
		})
		fmt.Printf("%s: %s by %s: %s\n", bridge, v.Answer, v.By.Chain, v.By.Text)
	}
	// Output:
	// virbr0: drop by FORWARD: policy drop
	// virbr1: accept by DOCKER-USER: -A DOCKER-USER -i virbr1 -j ACCEPT
}

// The rules of this namespace, by their owners.
func ExampleRead() {
	rs, gaps, err := firewall.Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range gaps {
		log.Printf("not read: %s: %s", g.Source, g.Message)
	}
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				log.Printf("%s %s %s: %s (%s)", t.Family, t.Name, c.Name, r.Text, r.Owner)
			}
		}
	}
}
