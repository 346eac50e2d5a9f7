package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestChangesRefused(t *testing.T) {
	inNamespace(t)
	sh(t, changedHost+"ip link set br0 type bridge stp_state 1")
	before := facts(t)
	zero := netip.Prefix{}
	for name, test := range map[string]struct {
		do   func() (Undo, error)
		want error
	}{
		"no such link":          {func() (Undo, error) { return SetUp("nothere") }, ErrNotFound},
		"bad name":              {func() (Undo, error) { return SetUp("a/b") }, ErrBadName},
		"no such bridge":        {func() (Undo, error) { return SetMaster("eth0", "nothere") }, ErrNotFound},
		"bad bridge name":       {func() (Undo, error) { return SetMaster("eth0", "a\nb") }, ErrBadName},
		"master is no bridge":   {func() (Undo, error) { return SetMaster("eth0", "eth1") }, ErrNotABridge},
		"bridge in a bridge":    {func() (Undo, error) { return SetMaster("br1", "br0") }, unix.ELOOP},
		"delay of a NIC":        {func() (Undo, error) { return SetForwardDelay("eth0", time.Second) }, ErrNotABridge},
		"delay under STP":       {func() (Undo, error) { return SetForwardDelay("br0", time.Second) }, unix.ERANGE},
		"negative delay":        {func() (Undo, error) { return SetForwardDelay("br1", -time.Second) }, unix.ERANGE},
		"STP of a NIC":          {func() (Undo, error) { return SetSTP("eth0", true) }, ErrNotABridge},
		"isolate what is alone": {func() (Undo, error) { return SetIsolated("eth1", true) }, ErrNotAPort},
		"negative MTU":          {func() (Undo, error) { return SetMTU("eth1", -1) }, unix.EINVAL},
		"huge MTU":              {func() (Undo, error) { return SetMTU("eth1", 99999999) }, unix.EINVAL},
		"no MAC":                {func() (Undo, error) { return SetMAC("eth1", "no\nmac") }, unix.EINVAL},
		"MAC too long":          {func() (Undo, error) { return SetMAC("eth1", "01:02:03:04:05:06:07:08") }, unix.EINVAL},
		"group MAC":             {func() (Undo, error) { return SetMAC("eth1", "01:00:5e:00:00:01") }, unix.EADDRNOTAVAIL},
		"no address":            {func() (Undo, error) { return AddAddress("eth1", zero) }, unix.EINVAL},
		"bridge over a NIC":     {func() (Undo, error) { return AddBridge("eth1") }, ErrNotABridge},
		"sysctl out of net":     {func() (Undo, error) { return SetSysctl("kernel.hostname", "x") }, os.ErrInvalid},
		"sysctl up the tree":    {func() (Undo, error) { return SetSysctl("net.ipv4...kernel.hostname", "x") }, os.ErrInvalid},
		"sysctl up by slashes":  {func() (Undo, error) { return SetSysctl("net/../kernel/hostname", "x") }, os.ErrInvalid},
		"sysctl with a slash":   {func() (Undo, error) { return SetSysctl("net.ipv4./../../kernel/hostname.x", "x") }, os.ErrInvalid},
		"no such sysctl":        {func() (Undo, error) { return SetSysctl("net.ipv4.nothere", "1") }, fs.ErrNotExist},
		"two lines":             {func() (Undo, error) { return SetSysctl("net.ipv4.ip_forward", "1\n0") }, os.ErrInvalid},
		"forwarding nowhere":    {func() (Undo, error) { return SetForwarding("nothere", 4, true) }, ErrNotFound},
		"forwarding in IPv5":    {func() (Undo, error) { return SetForwarding("eth0", 5, true) }, os.ErrInvalid},
	} {
		undo, err := test.do()
		if !errors.Is(err, test.want) {
			t.Errorf("%s: have %v, want %v", name, err, test.want)
		}
		if undo == nil || undo() != nil {
			t.Errorf("%s: the undo of a refused change does nothing and succeeds", name)
		}
	}
	if d := cmp.Diff(before, facts(t), byValue); d != "" {
		t.Errorf("refused and changed all the same (-before +after):\n%s", d)
	}
}

func TestPortStaysWhereItWasWhenTheNewBridgeRefuses(t *testing.T) {
	inNamespace(t)
	// mv0 stands on br1: as br1's port it would be above itself.
	sh(t, `
		ip link add br0 type bridge
		ip link add br1 type bridge
		ip link add eth0 type veth peer name eth1
		ip link add link br1 name mv0 type macvlan mode bridge
		ip link set mv0 master br0
		bridge link set dev mv0 isolated on
	`)
	before := facts(t)
	if _, err := SetMaster("mv0", "br1"); err == nil {
		t.Fatal("a bridge took a device that stands on it")
	}
	if d := cmp.Diff(before, facts(t), byValue); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

func TestChangesWithoutPermission(t *testing.T) {
	inNamespace(t)
	sh(t, changedHost)
	out := asNobody(t, "TestHelperChanges")
	if strings.Count(out, "refused: ") != 4 || strings.Count(out, "CAP_NET_ADMIN") != 4 {
		t.Errorf("have %s", out)
	}
}

// TestHelperChanges is run by TestChangesWithoutPermission.
func TestHelperChanges(t *testing.T) {
	if os.Getenv(asNobodyEnv) == "" {
		return
	}
	for _, do := range []func() (Undo, error){
		func() (Undo, error) { return SetDown("br0") },
		func() (Undo, error) { return AddBridge("br9") },
		func() (Undo, error) { return SetForwarding("br0", 4, true) },
		func() (Undo, error) { return AddAddress("br0", netip.MustParsePrefix("10.0.0.9/24")) },
	} {
		if _, err := do(); errors.Is(err, ErrPermission) {
			fmt.Println("refused:", err)
		}
	}
}
