package firewall

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Reading an empty namespace leaves it empty, the legacy tables included.
func TestReadingMakesNoTables(t *testing.T) {
	inNamespace(t)
	if rs := read(t); len(rs.Tables) != 0 {
		t.Errorf("have %d tables, want none", len(rs.Tables))
	}
	if out := sh(t, "nft list ruleset"); out != "" {
		t.Errorf("after reading: %s", out)
	}
	for _, f := range legacyFamilies {
		if b, err := os.ReadFile(f.names); err != nil || len(b) != 0 {
			t.Errorf("%s: have %q and %v, want nothing", f.names, b, err)
		}
	}
}

func TestLegacyTablesAreReadBeside(t *testing.T) {
	inNamespace(t)
	sh(t, "iptables-legacy -A FORWARD -s 10.0.0.0/8 ! -i eth+ -j DROP\nip6tables-legacy -P INPUT DROP")
	rs := read(t)
	var seen []string
	for _, table := range rs.Tables {
		if !table.Legacy {
			t.Errorf("table %s %s is not legacy", table.Family, table.Name)
		}
		for _, c := range table.Chains {
			if c.Base.Policy == "drop" || len(c.Rules) > 0 {
				seen = append(seen, table.Family+" "+c.Name)
			}
		}
	}
	if have, want := strings.Join(seen, ", "), "ip FORWARD, ip6 INPUT"; have != want {
		t.Errorf("have %s, want %s", have, want)
	}
}

const asNobodyEnv = "KVNET_FIREWALL_AS_NOBODY"

// Without privilege nothing can be read: an error that says what is missing,
// and a gap for each source.
func TestReadWithoutPrivilege(t *testing.T) {
	if os.Getenv(asNobodyEnv) != "" {
		_, gaps, err := Read(t.Context())
		if !errors.Is(err, unix.EPERM) || len(gaps) == 0 || gaps[0].Source != "nftables" || !strings.Contains(gaps[0].Message, "CAP_NET_ADMIN") {
			t.Errorf("have %v and gaps %+v, want EPERM and a gap", err, gaps)
		}
		return
	}
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "firewall") //nolint:usetesting // t.TempDir is not for others to read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/firewall.test", binary, 0o755)); err != nil {
		t.Fatal(err)
	}
	inNamespace(t)
	cmd := exec.Command(dir+"/firewall.test", "-test.run", "^TestReadWithoutPrivilege$")
	cmd.Env = append(os.Environ(), asNobodyEnv+"=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	inNamespace(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v, want %v", err, context.Canceled)
	}
}

// What is read is one generation of the ruleset: both rules or none.
func TestReadWhileRulesChange(t *testing.T) {
	inNamespace(t)
	const pair = "table ip t { chain a { counter accept ; }\nchain b { counter drop ; }\n}\n"
	nft(t, pair)
	cmd := exec.Command("sh", "-c", "while :; do nft flush ruleset; nft -f - <<'X'\n"+pair+"X\ndone")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for range 100 {
		for _, table := range read(t).Tables {
			if len(table.Chains) != 2 || len(table.Chains[0].Rules) != 1 || len(table.Chains[1].Rules) != 1 {
				t.Fatalf("half a ruleset: %+v", table)
			}
		}
	}
}

// Every expression that nft can write here is understood.
func TestAllExpressionsAreKnown(t *testing.T) {
	inNamespace(t)
	nft(t, manyExpressions)
	kinds := map[string]bool{}
	for _, table := range read(t).Tables {
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				for _, e := range r.Exprs {
					kinds[e.Kind] = true
					if e.Unknown {
						t.Errorf("%s: %+v is not understood", r.Text, e)
					}
				}
			}
		}
	}
	for _, k := range []string{"meta", "payload", "cmp", "bitwise", "ct", "lookup", "range", "immediate", "counter", "reject", "nat", "redir", "fib", "limit",
		"log", "rt", "numgen", "hash", "exthdr", "dynset", "objref", "notrack", "connlimit", "byteorder"} {
		if !kinds[k] {
			t.Errorf("no rule has %s", k)
		}
	}
}

func TestOwners(t *testing.T) {
	inNamespace(t)
	sh(t, "ip link add virbr0 type bridge")
	n := network{bridge: "virbr0", mode: "nat", net4: "192.168.122.0/24"}
	loadLibvirt(t, "iptables", false, n)
	loadLibvirt(t, "nftables", false, n)
	for name, text := range dockerTables("docker0", "172.17.0.0/16", "172.17.0.2") {
		iptables(t, "iptables-nft", name, text)
	}
	nft(t, firewalldTable("virbr0"))
	iptables(t, "iptables-nft", "filter", ":ufw-user-input -\n:KUBE-FORWARD -\n:ts-input -\n-A INPUT -j ufw-user-input\n-A FORWARD -j KUBE-FORWARD\n-A INPUT -j ts-input\n-A INPUT -p tcp -j DROP")
	have := map[string]string{}
	for _, table := range read(t).Tables {
		have["table "+table.Name] = table.Owner
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				have[r.Text] = r.Owner
			}
		}
	}
	for text, want := range map[string]string{"table libvirt_network": OwnerLibvirt, "table firewalld": OwnerFirewalld, "table filter": OwnerOther,
		"-A FORWARD -j LIBVIRT_FWX": OwnerLibvirt, "-A FORWARD -j DOCKER-USER": OwnerDocker, "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE": OwnerDocker,
		"-A INPUT -j ufw-user-input": OwnerUFW, "-A FORWARD -j KUBE-FORWARD": OwnerKube, "-A INPUT -j ts-input": OwnerTailscale, "-A INPUT -p tcp -j DROP": OwnerOther} {
		if have[text] != want {
			t.Errorf("%s: have %q, want %q", text, have[text], want)
		}
	}
}
