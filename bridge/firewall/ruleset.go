package firewall

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// FormatVersion is the version of Ruleset's JSON form.
const FormatVersion = 1

// Bounds of one reading. What lies beyond is left out and marked Truncated:
// a verdict that would need it is depends.
const (
	MaxRules    = 200_000
	MaxElements = 500_000
)

// Ruleset is the whole packet filter of a network namespace.
type Ruleset struct {
	Version    int     `json:"version"`
	Generation uint32  `json:"generation"` // of nf_tables at the time of reading (NFT_MSG_GETGEN)
	BigEndian  bool    `json:"big_endian,omitempty"`
	Tables     []Table `json:"tables"`
	// Queues are the numbers of the queues to user space that a program listens
	// on. QueuesKnown is false where no rule uses one, or they could not be read.
	Queues      []int `json:"queues,omitempty"`
	QueuesKnown bool  `json:"queues_known,omitempty"`
}

// Table is an nftables table, or one of iptables-legacy.
type Table struct {
	Family  string  `json:"family"` // ip, ip6, inet, arp, bridge, netdev
	Name    string  `json:"name"`
	Handle  uint64  `json:"handle,omitempty"`
	Legacy  bool    `json:"legacy,omitempty"`  // iptables-legacy: nft does not see it
	Dormant bool    `json:"dormant,omitempty"` // NFT_TABLE_F_DORMANT: not hooked in
	Owner   string  `json:"owner"`             // a guess, see the Owner constants
	Chains  []Chain `json:"chains"`
	Sets    []Set   `json:"sets,omitempty"`
}

// Who a table, chain or rule probably belongs to, guessed from names.
const (
	OwnerLibvirt   = "libvirt"
	OwnerDocker    = "docker"
	OwnerUFW       = "ufw"
	OwnerFirewalld = "firewalld"
	OwnerKube      = "kube-proxy"
	OwnerTailscale = "tailscale"
	OwnerOther     = "other"
)

// Chain is a list of rules, hooked into the packets' way if it has a Base.
type Chain struct {
	Name      string `json:"name"`
	Handle    uint64 `json:"handle,omitempty"`
	Base      *Base  `json:"base,omitempty"`
	Owner     string `json:"owner"`
	Rules     []Rule `json:"rules"`
	Truncated bool   `json:"truncated,omitempty"` // more rules than MaxRules: the rest is missing

	use uint32 // the kernel's count of its rules and of the jumps to it
}

// Base is where a base chain hangs.
type Base struct {
	Type     string   `json:"type"` // filter, nat, route
	Hook     string   `json:"hook"` // prerouting, input, forward, output, postrouting, ingress, egress
	Priority int      `json:"priority"`
	Policy   string   `json:"policy"`            // accept or drop
	Devices  []string `json:"devices,omitempty"` // of netdev chains and inet ingress
}

// Rule is a list of expressions; each is done while those before it match.
type Rule struct {
	Handle  uint64  `json:"handle,omitempty"` // 0 in legacy tables
	Exprs   []*Expr `json:"exprs"`            // rules share equal ones: not to be changed
	Text    string  `json:"text,omitempty"`   // as nft, or for the tables of iptables as iptables -S, would print it; see [Ruleset.Describe]
	Comment string  `json:"comment,omitempty"`
	Owner   string  `json:"owner"`
	Compat  bool    `json:"compat,omitempty"` // written by an iptables tool
	Damaged bool    `json:"damaged,omitempty"`
	Packets uint64  `json:"packets,omitempty"` // that its counter has seen; see [Rule.Counts]
}

// Counts says whether the rule has a counter whose number was read.
func (r *Rule) Counts() bool {
	return r.Handle > 0 && slices.ContainsFunc(r.Exprs, func(e *Expr) bool { return e.Kind == "counter" })
}

// Bytes are raw bytes, hexadecimal in JSON.
type Bytes []byte

// MarshalText writes hexadecimal digits.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText reads hexadecimal digits.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := hex.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("read bytes: %w", err)
	}
	*b = v
	return nil
}

// Expr is one expression of a rule (NFTA_EXPR, linux/netfilter/nf_tables.h).
// Kind is the kernel's name for it and says which other fields have a meaning.
// Registers have the kernel's numbers: 1 to 4 of 16 bytes, 8 to 23 of 4 bytes;
// 0 is the verdict register or none.
type Expr struct {
	Kind string `json:"kind"`
	// Key is what is read or written (meta mark, ct state, payload network,
	// fib type), or the name of an xtables match or target, object, log prefix.
	Key string `json:"key,omitempty"`
	// Op is the comparison (eq, neq, lt, lte, gt, gte), the operation of
	// bitwise, byteorder, exthdr and dynset, or the kind of reject.
	Op     string     `json:"op,omitempty"`
	Dreg   uint8      `json:"dreg,omitempty"`
	Sreg   uint8      `json:"sreg,omitempty"`
	Sreg2  uint8      `json:"sreg2,omitempty"`
	Offset uint32     `json:"offset,omitempty"`
	Len    uint32     `json:"len,omitempty"`
	Data   Bytes      `json:"data,omitempty"` // compared or loaded value; xor value; start of a range
	Mask   Bytes      `json:"mask,omitempty"`
	End    Bytes      `json:"end,omitempty"` // last value of a range
	Set    string     `json:"set,omitempty"`
	Invert bool       `json:"invert,omitempty"`
	Flags  uint32     `json:"flags,omitempty"`
	Jump   *Jump      `json:"verdict,omitempty"`
	NAT    *Translate `json:"nat,omitempty"`
	// Options are the arguments of an xtables match or target in the words of
	// iptables(8).
	Options []Option `json:"options,omitempty"`
	// Unknown: this package does not understand it (all of it); Size is that of
	// its raw data in bytes.
	Unknown bool   `json:"unknown,omitempty"`
	Size    uint32 `json:"size,omitempty"`
}

// Jump is a verdict: accept, drop, queue, continue, break, jump, goto, return.
type Jump struct {
	Code  string `json:"code"`
	Chain string `json:"chain,omitempty"`
}

// Translate is what a nat, masq or redir expression changes, by the registers
// that hold the new values (0: not given).
type Translate struct {
	Kind    string `json:"kind"`             // snat, dnat, masquerade, redirect
	Family  string `json:"family,omitempty"` // ip or ip6: that of the addresses
	AddrMin uint8  `json:"addr_min,omitempty"`
	AddrMax uint8  `json:"addr_max,omitempty"`
	PortMin uint8  `json:"port_min,omitempty"`
	PortMax uint8  `json:"port_max,omitempty"`
	Flags   uint32 `json:"flags,omitempty"` // NF_NAT_RANGE_*, linux/netfilter/nf_nat.h
}

// Option is one argument of an xtables match or target.
type Option struct {
	Name  string `json:"name"` // --dport
	Value string `json:"value,omitempty"`
	Not   bool   `json:"not,omitempty"`
}

// Set is a set or map, anonymous ones (in braces in a rule) included.
type Set struct {
	Name      string    `json:"name"`
	Anonymous bool      `json:"anonymous,omitempty"`
	Interval  bool      `json:"interval,omitempty"`
	Map       bool      `json:"map,omitempty"`
	VerdictOf bool      `json:"verdicts,omitempty"` // a map to verdicts
	Dynamic   bool      `json:"dynamic,omitempty"`  // packets add elements
	Stateful  bool      `json:"stateful,omitempty"` // elements carry limits or quotas
	KeyType   uint32    `json:"key_type,omitempty"` // nft's own number of the datatype
	KeyLen    int       `json:"key_len"`
	DataType  uint32    `json:"data_type,omitempty"`
	DataLen   int       `json:"data_len,omitempty"`
	Object    uint32    `json:"object,omitempty"` // NFT_OBJECT_* that a map of objects maps to
	Fields    []int     `json:"fields,omitempty"` // of a concatenation with intervals: bytes of each field
	Elements  []Element `json:"elements,omitempty"`
	Truncated bool      `json:"truncated,omitempty"`
}

// Element is a key, or all keys from Key to End.
type Element struct {
	Key      Bytes  `json:"key,omitempty"`
	End      Bytes  `json:"end,omitempty"` // last key of an interval; empty: Key only
	CatchAll bool   `json:"catch_all,omitempty"`
	Data     Bytes  `json:"data,omitempty"`
	Jump     *Jump  `json:"verdict,omitempty"`
	Stateful bool   `json:"stateful,omitempty"`
	Object   string `json:"object,omitempty"`
}

// Gap is a part that could not be read.
type Gap struct {
	Source  string `json:"source"` // nftables, iptables-legacy, ip6tables-legacy
	Message string `json:"message"`
}
