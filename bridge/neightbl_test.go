package bridge

import (
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// The tables are the kernel's, not the namespace's: what others do moves the
// number of entries.
func TestNeighbourTablesAgreeWithIP(t *testing.T) {
	inNamespace(t)
	tables := read(t).NeighbourTables
	said := sh(t, "ip -s ntable show")
	for _, table := range tables {
		at := regexp.MustCompile(`(?s)inet6? ` + table.Name + ` *\n *thresh1 (\d+) thresh2 (\d+) thresh3 (\d+).*?entries (\d+)`).FindStringSubmatch(said)
		if at == nil {
			t.Fatalf("ip does not show %s", table.Name)
		}
		for i, have := range []int{table.Thresh1, table.Thresh2, table.Thresh3} {
			check(t, table.Name+" threshold", strconv.Itoa(have), at[i+1])
		}
		entries, err := strconv.Atoi(at[4])
		if err != nil || table.Entries > entries+200 || entries > table.Entries+200 {
			t.Errorf("%s: have %d entries, ip says %s", table.Name, table.Entries, at[4])
		}
	}
	check(t, "arp", find(t, tables, func(n NeighbourTable) bool { return n.Family == 4 }).Name, "arp_cache")
	check(t, "ndisc", find(t, tables, func(n NeighbourTable) bool { return n.Family == 6 }).Name, "ndisc_cache")
}

func FuzzParseNeighbourTable(f *testing.F) {
	seedDumps(f, unix.RTM_GETNEIGHTBL, make([]byte, ndtmsgLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, keep, err := parseNeighbourTable(b)
		if keep && (err != nil || n.Family == 0) {
			t.Errorf("kept %+v with %v", n, err)
		}
	})
}
