package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ErrNewer is a ruleset in a format that this version does not know.
var ErrNewer = errors.New("ruleset of a newer format")

// check refuses what no reading of this version can have written.
func (rs *Ruleset) check() error {
	if rs.Version > FormatVersion {
		return fmt.Errorf("%w: %d, this one knows %d", ErrNewer, rs.Version, FormatVersion)
	}
	if rs.Version < 1 {
		return fmt.Errorf("version %d: not a ruleset", rs.Version)
	}
	rules, elements := 0, 0
	for i := range rs.Tables {
		t := &rs.Tables[i]
		for j := range t.Chains {
			rules += len(t.Chains[j].Rules)
		}
		for j := range t.Sets {
			elements += len(t.Sets[j].Elements)
		}
	}
	// Each of the three readings (nft and the two legacy ones) has its bound.
	if rules > 3*MaxRules || elements > MaxElements {
		return fmt.Errorf("%d rules and %d elements of sets are more than a reading holds", rules, elements)
	}
	return nil
}

// sharedFrom is the number of rules from which a document lists each
// expression once, and rules refer to it by its place.
const sharedFrom = 1000

// maxExprs is more than the kernel takes in one rule (NFT_RULE_MAXEXPRS, 128)
// and the matches of an iptables rule come to; maxAllExprs is more than the
// rules of a reading have together.
const (
	maxExprs    = 1000
	maxAllExprs = 20 * MaxRules
)

// The document's form where it differs from the types.
type (
	storedRuleset struct {
		Version    int           `json:"version"`
		Generation uint32        `json:"generation"`
		BigEndian  bool          `json:"big_endian,omitempty"`
		Exprs      []Expr        `json:"exprs,omitempty"`
		Tables     []storedTable `json:"tables"`

		Queues      []int `json:"queues,omitempty"`
		QueuesKnown bool  `json:"queues_known,omitempty"`
	}
	storedTable struct {
		Table
		Chains []storedChain `json:"chains"`
	}
	storedChain struct {
		Chain
		Rules []storedRule `json:"rules"`
	}
	// storedRule has its expressions in a list, or as places in the list of
	// the ruleset: "0 7 12".
	storedRule struct {
		Rule
		Exprs json.RawMessage `json:"exprs"`
	}
)

// MarshalJSON writes a ruleset; one of many rules with each expression once.
func (rs Ruleset) MarshalJSON() ([]byte, error) {
	type plain Ruleset // without this method
	rules := 0
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			rules += len(rs.Tables[i].Chains[j].Rules)
		}
	}
	if rules < sharedFrom {
		return json.Marshal(plain(rs))
	}
	out := storedRuleset{Version: rs.Version, Generation: rs.Generation, BigEndian: rs.BigEndian, Queues: rs.Queues, QueuesKnown: rs.QueuesKnown,
		Tables: make([]storedTable, len(rs.Tables))}
	list := exprList{place: map[*Expr]int{}, equal: map[string]int{}}
	for i, t := range rs.Tables {
		out.Tables[i] = storedTable{t, make([]storedChain, len(t.Chains))}
		for j, c := range t.Chains {
			stored := storedChain{c, make([]storedRule, len(c.Rules))}
			for k, r := range c.Rules {
				stored.Rules[k] = storedRule{r, list.places(r.Exprs)}
			}
			out.Tables[i].Chains[j] = stored
		}
	}
	out.Exprs = list.exprs
	return json.Marshal(out)
}

// exprList lists expressions in the order in which they first appear. Equal
// ones stand in it once, be they one in memory or not: what the readers share
// depends on a hash of chance, and the same rules must make the same document.
type exprList struct {
	exprs []Expr
	place map[*Expr]int
	equal map[string]int // by appendKey
	key   []byte
}

// places are the places of a rule's expressions in the list, as a JSON string.
func (l *exprList) places(exprs []*Expr) json.RawMessage {
	text := []byte{'"'}
	for n, e := range exprs {
		at, ok := l.place[e]
		if !ok {
			at = l.add(e)
			l.place[e] = at
		}
		if n > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, int64(at), 10)
	}
	return append(text, '"')
}

func (l *exprList) add(e *Expr) int {
	l.key = e.appendKey(l.key[:0])
	at, ok := l.equal[string(l.key)]
	if !ok {
		at = len(l.exprs)
		l.equal[string(l.key)] = at
		l.exprs = append(l.exprs, *e)
	}
	return at
}

// UnmarshalJSON reads a ruleset, alone or within another document, and refuses
// one of a newer format (ErrNewer) and what no reading can have written.
func (rs *Ruleset) UnmarshalJSON(b []byte) error {
	var in storedRuleset
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("ruleset: %w", err)
	}
	*rs = Ruleset{Version: in.Version, Generation: in.Generation, BigEndian: in.BigEndian, Queues: in.Queues, QueuesKnown: in.QueuesKnown, Tables: make([]Table, len(in.Tables))}
	listed := make([]*Expr, len(in.Exprs))
	for i := range in.Exprs {
		listed[i] = &in.Exprs[i]
	}
	pool := newExprPool()
	exprs := 0
	for i := range in.Tables {
		t := &in.Tables[i]
		rs.Tables[i] = t.Table
		rs.Tables[i].Chains = make([]Chain, len(t.Chains))
		for j := range t.Chains {
			c := &t.Chains[j]
			c.Chain.Rules = make([]Rule, len(c.Rules))
			for k := range c.Rules {
				r := &c.Rules[k]
				if err := r.read(listed, pool); err != nil {
					return fmt.Errorf("ruleset: rule %d of chain %.40q: %w", k+1, c.Name, err)
				}
				if exprs += len(r.Rule.Exprs); exprs > maxAllExprs {
					return fmt.Errorf("ruleset: more than %d expressions in its rules", maxAllExprs)
				}
				c.Chain.Rules[k] = r.Rule
			}
			c.Rules = nil // half of it is read: let go
			rs.Tables[i].Chains[j] = c.Chain
		}
	}
	return rs.check()
}

// read takes the expressions in either form.
func (r *storedRule) read(listed []*Expr, pool *exprPool) error {
	if !bytes.HasPrefix(r.Exprs, []byte{'"'}) {
		var list []Expr
		if len(r.Exprs) > 0 {
			if err := json.Unmarshal(r.Exprs, &list); err != nil {
				return err
			}
		}
		r.Rule.Exprs = pool.shareAll(list)
		return nil
	}
	text := bytes.Trim(r.Exprs, `"`)
	count := bytes.Count(text, []byte{' '}) + 1
	if count > maxExprs {
		return fmt.Errorf("more than %d expressions", maxExprs)
	}
	r.Rule.Exprs = pool.room(count)
	for p := range bytes.FieldsSeq(text) {
		n, err := strconv.Atoi(string(p))
		if err != nil || n < 0 || n >= len(listed) {
			return fmt.Errorf("no expression %.40q in the list", p)
		}
		r.Rule.Exprs = append(r.Rule.Exprs, listed[n])
	}
	return nil
}

// ParseRuleset reads a Ruleset from JSON and refuses one of a newer format.
func ParseRuleset(b []byte) (Ruleset, error) {
	var rs Ruleset
	if err := json.Unmarshal(b, &rs); err != nil {
		return rs, fmt.Errorf("read ruleset: %w", err)
	}
	return rs, nil
}
