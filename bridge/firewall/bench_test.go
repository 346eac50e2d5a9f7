package firewall

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// BenchmarkRead reads long rulesets and holds that against nft, which reads the
// same and prints it. Both wait for the kernel most of the time: its dump of a
// chain takes time by the square of the rules in it.
//
//	ratio   what Read takes, as a share of what nft -j list ruleset takes
func BenchmarkRead(b *testing.B) {
	for _, chains := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d-rules-in-%d-chains", manyRules, chains), func(b *testing.B) {
			inNamespace(b)
			var script strings.Builder
			script.WriteString("*filter\n")
			for i := range chains {
				fmt.Fprintf(&script, ":c%d - [0:0]\n", i)
			}
			for i := range manyRules {
				fmt.Fprintf(&script, "-A c%d -s 10.%d.%d.0/24 -i eth0 -p tcp -m tcp --dport %d -j ACCEPT\n", i*chains/manyRules, i/256%256, i%256, i%60000+1)
			}
			script.WriteString("COMMIT\n")
			feed(b, script.String(), "iptables-nft-restore")
			var ours, theirs time.Duration
			for b.Loop() {
				begin := time.Now()
				if _, _, err := Read(b.Context()); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(begin)
				begin = time.Now()
				if err := exec.Command("nft", "-j", "list", "ruleset").Run(); err != nil {
					b.Fatal(err)
				}
				theirs += time.Since(begin)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()*1e3/float64(b.N), "read-ms")
			b.ReportMetric(theirs.Seconds()*1e3/float64(b.N), "nft-ms")
			b.ReportMetric(0, "ns/op") // of both
		})
	}
	b.Run("nothing", func(b *testing.B) {
		inNamespace(b)
		for b.Loop() {
			if _, _, err := Read(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
