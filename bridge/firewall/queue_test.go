package firewall

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

// A queue that nobody listens on drops, or lets pass with its flag; one with a
// listener, or of which it is not known, depends on a program.
func TestQueues(t *testing.T) {
	inNamespace(t)
	iptables(t, "iptables", "filter", `
		-A FORWARD -o d -j NFQUEUE --queue-num 5
		-A FORWARD -o e -j NFQUEUE --queue-num 5 --queue-bypass
		-A FORWARD -o f -j NFQUEUE --queue-balance 4:7`)
	nobody := read(t)
	if !nobody.QueuesKnown || len(nobody.Queues) != 0 {
		t.Fatalf("queues %v, known %v", nobody.Queues, nobody.QueuesKnown)
	}
	listen(t, 5)
	if heard := read(t); !heard.QueuesKnown || !slices.Equal(heard.Queues, []int{5}) {
		t.Errorf("with a listener: queues %v, known %v", heard.Queues, heard.QueuesKnown)
	}
	// This kernel may lack nftables' own expression.
	nobody.Tables = append(nobody.Tables, Table{Family: "inet", Name: "q", Chains: []Chain{{Name: "c", Base: &Base{Type: "filter", Hook: "forward", Policy: "accept"}, Rules: []Rule{
		queueRule(t, "a", 5, 1, 0), queueRule(t, "b", 5, 1, queueBypass), queueRule(t, "c", 4, 4, 2),
	}}}})
	nobody.Describe()
	with := func(known bool, listening ...int) *Ruleset {
		rs := *nobody
		rs.Queues, rs.QueuesKnown = listening, known
		return &rs
	}
	for _, c := range []struct {
		name string
		rs   *Ruleset
		want []Answer // a to f
	}{
		{"nobody", nobody, []Answer{Drop, Accept, Drop, Drop, Accept, Drop}},
		{"another", with(true, 3, 8), []Answer{Drop, Accept, Drop, Drop, Accept, Drop}},
		{"one of several", with(true, 7), []Answer{Drop, Accept, Depends, Drop, Accept, Depends}},
		{"this", with(true, 5), []Answer{Depends, Depends, Depends, Depends, Depends, Depends}},
		{"not known", with(false), []Answer{Depends, Depends, Depends, Depends, Depends, Depends}},
	} {
		var have []Answer
		f := New(c.rs, Host{})
		for _, out := range []string{"a", "b", "c", "d", "e", "f"} {
			have = append(have, f.Decide(Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: "in"}, OIF: Interface{Name: out}}).Answer)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: have %v, want %v", c.name, have, c.want)
		}
	}
	for _, want := range []string{`oifname "a" queue to 5`, `oifname "b" queue flags bypass to 5`, "-A FORWARD -o f -j NFQUEUE --queue-balance 4:7", "-A FORWARD -o e -j NFQUEUE --queue-num 5 --queue-bypass"} {
		if !slices.Contains(texts(nobody), want) {
			t.Errorf("no %q in %q", want, texts(nobody))
		}
	}
	doc, err := json.Marshal(with(true, 3, 8))
	var back Ruleset
	if err == nil {
		err = json.Unmarshal(doc, &back)
	}
	if err != nil || !back.QueuesKnown || !slices.Equal(back.Queues, []int{3, 8}) {
		t.Errorf("from JSON: %v, known %v, %v", back.Queues, back.QueuesKnown, err)
	}
}

// queueRule is a rule of nftables as the kernel would tell of it.
func queueRule(t *testing.T, out string, first, total, flags uint16) Rule {
	t.Helper()
	short := func(typ, n uint16) []byte { return attr(typ, binary.BigEndian.AppendUint16(nil, n)) }
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, out)
	var r Rule
	for _, raw := range [][]byte{
		expression("meta", numberAttr(unix.NFTA_META_DREG, unix.NFT_REG_1), numberAttr(unix.NFTA_META_KEY, unix.NFT_META_OIFNAME)),
		expression("cmp", numberAttr(unix.NFTA_CMP_SREG, unix.NFT_REG_1), numberAttr(unix.NFTA_CMP_OP, unix.NFT_CMP_EQ), nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, name))),
		expression("queue", short(unix.NFTA_QUEUE_NUM, first), short(unix.NFTA_QUEUE_TOTAL, total), short(unix.NFTA_QUEUE_FLAGS, flags)),
	} {
		e, err := parseExpr(raw[4:], false)
		if err != nil || e.Unknown {
			t.Fatalf("%+v, %v", e, err)
		}
		r.Exprs = append(r.Exprs, &e)
	}
	return r
}

// listen binds a queue, as a program does that decides (linux/netfilter/nfnetlink_queue.h).
func listen(t *testing.T, queue uint16) {
	t.Helper()
	const config, command, bind, ipv4 = 2, 1, 1, 2
	c, err := socket.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	payload := binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, 0}, queue)
	payload = append(payload, attr(command, []byte{bind, 0, 0, ipv4})...)
	if err := c.Ask(unix.NFNL_SUBSYS_QUEUE<<8|config, unix.NLM_F_ACK, payload, func(uint16, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestParseQueues(t *testing.T) {
	have, err := parseQueues([]byte("    5  31621     0 2 65531     0     0        1  1\n  300  -4097     0 2 65531     0     0        0  1\n\n"))
	if err != nil || !slices.Equal(have, []int{5, 300}) {
		t.Errorf("have %v, %v", have, err)
	}
	if _, err := parseQueues([]byte("what\n")); err == nil {
		t.Error("no error")
	}
}
