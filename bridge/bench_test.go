package bridge

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const benchTaps = 100

// hundred makes a host with a bridge, its address, and benchTaps taps in it.
func hundred(t testing.TB) {
	t.Helper()
	var batch strings.Builder
	batch.WriteString("ip link add br0 type bridge\nip link set br0 up\nip addr add 10.9.9.1/24 dev br0\n")
	for i := range benchTaps {
		fmt.Fprintf(&batch, "ip tuntap add vnet%d mode tap\nip link set vnet%d master br0 up\n", i, i)
	}
	sh(t, batch.String())
}

// BenchmarkRead compares a whole reading with the dumps alone, their answers
// thrown away unread: bare-ns/op, and the ratio of the two. Both run in turn,
// so that what else the machine does meets both.
func BenchmarkRead(b *testing.B) {
	inNamespace(b)
	hundred(b)
	var bare, whole time.Duration
	for b.Loop() {
		start := time.Now()
		if err := bareDumps(); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := Read(context.Background()); err != nil {
			b.Fatal(err)
		}
		bare += middle.Sub(start)
		whole += time.Since(middle)
	}
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N), "read-ns/op")
	b.ReportMetric(float64(whole)/float64(bare), "read/bare")
}

// bareDumps makes the requests of Read and drops the answers.
func bareDumps() error {
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer c.close()
	ask := func(c *conn, typ int, payload []byte) error {
		_, err := c.ask(typ, unix.NLM_F_DUMP, 0, payload)
		return err
	}
	for _, r := range []struct {
		typ  int
		size int
	}{
		{unix.RTM_GETADDR, unix.SizeofIfAddrmsg}, {unix.RTM_GETROUTE, rtmsgLen}, {unix.RTM_GETRULE, ruleHeaderLen},
		{unix.RTM_GETNEIGH, ndmsgLen}, {unix.RTM_GETNETCONF, netconfLen},
	} {
		if err := ask(c, r.typ, make([]byte, r.size)); err != nil {
			return err
		}
	}
	if err := ask(c, unix.RTM_GETQDISC, tcRequest(0, 0)); err != nil {
		return err
	}
	bridges := make([]byte, ifinfomsgLen)
	bridges[0] = afBridge
	if err := ask(c, unix.RTM_GETNEIGH, bridges); err != nil {
		return err
	}
	if err := ask(c, unix.RTM_GETLINK, linkRequest(0)); err != nil {
		return err
	}
	if err := ask(c, unix.RTM_GETSTATS, counterRequest()); err != nil {
		return err
	}
	if err := ask(c, unix.RTM_GETMDB, bridges[:mdbHeaderLen]); err != nil {
		return err
	}
	d, err := dial(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer d.close()
	for _, family := range []uint8{afInet, afInet6} {
		for _, protocol := range []uint8{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			if err := ask(d, unix.SOCK_DIAG_BY_FAMILY, diagRequest(family, protocol)); err != nil {
				return err
			}
		}
	}
	return nil
}
