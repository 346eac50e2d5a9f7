package firewall

import (
	"slices"
	"testing"
)

// texts are the rules of a ruleset as nft prints them.
func texts(rs *Ruleset) []string {
	var list []string
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				list = append(list, r.Text)
			}
		}
	}
	return list
}

func placeOf(t *testing.T, rs *Ruleset, text string) Place {
	t.Helper()
	for _, b := range rs.Tables {
		for _, c := range b.Chains {
			for _, r := range c.Rules {
				if r.Text == text {
					return Place{b.Family, b.Name, c.Name, r.Handle}
				}
			}
		}
	}
	t.Fatalf("no rule %q in %q", text, texts(rs))
	return Place{}
}

// Two rules go and the stand-in comes at once; of the others nothing is lost, and
// the stand-in goes with its owner.
func TestStandIn(t *testing.T) {
	inNamespace(t)
	nft(t, `table ip own {
		chain FORWARD { type filter hook forward priority filter; policy accept; jump OWN; }
		chain OWN {
			oifname "virbr0" reject
			iifname "virbr0" accept
			iifname "virbr1" accept
		}
	}`)
	before := read(t)
	gone := []Place{placeOf(t, before, `oifname "virbr0" reject`), placeOf(t, before, `iifname "virbr0" accept`)}
	end, err := StandIn(t.Context(), "virbr0", gone)
	if err != nil {
		t.Fatal(err)
	}
	during := read(t)
	filter := New(during, Host{})
	for _, way := range []struct {
		in, out string
		new     Answer
	}{{"virbr0", "eth0", Drop}, {"eth0", "virbr0", Drop}, {"virbr01", "eth0", Accept}} {
		for state, want := range map[string]Answer{StateNew: way.new, StateInvalid: way.new, StateEstablished: Accept, StateRelated: Accept} {
			f := Flow{Family: "ip", Path: PathForward, IIF: Interface{Name: way.in}, OIF: Interface{Name: way.out}, CT: []string{state}}
			if have := filter.Decide(f); have.Answer != want {
				t.Errorf("%s to %s, %s: have %v, want %v", way.in, way.out, state, have, want)
			}
		}
	}
	end()
	after := texts(read(t))
	if want := []string{"jump OWN", `iifname "virbr1" accept`}; !slices.Equal(after, want) {
		t.Errorf("afterwards: have %q, want %q", after, want)
	}
}

// With a rule that is gone nothing happens at all.
func TestStandInAllOrNothing(t *testing.T) {
	inNamespace(t)
	nft(t, `table ip own { chain OWN { iifname "virbr0" accept; oifname "virbr0" reject; }; }`)
	before := texts(read(t))
	first := placeOf(t, read(t), `iifname "virbr0" accept`)
	for name, place := range map[string]Place{
		"handle": {"ip", "own", "OWN", first.Handle + 77},
		"chain":  {"ip", "own", "OTHER", first.Handle},
		"table":  {"ip6", "own", "OWN", first.Handle},
	} {
		for _, list := range [][]Place{{first, place}, {place, first}} {
			if end, err := StandIn(t.Context(), "virbr0", list); err == nil {
				end()
				t.Errorf("another %s: no error", name)
			}
		}
	}
	if _, err := StandIn(t.Context(), "a-name-that-is-too-long", nil); err == nil {
		t.Error("a name that no link has: no error")
	}
	if have := texts(read(t)); !slices.Equal(have, before) {
		t.Errorf("have %q, want %q", have, before)
	}
}
