package verify

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVerdicts: asking for verdicts changes nothing else, and each finding has
// one that is wrong.
func TestVerdicts(t *testing.T) {
	for name, s := range goldenHosts() {
		r := judgeOnly(s, Options{Verdicts: true})
		verdicts := r.Verdicts
		r.Verdicts = nil
		if diff := cmp.Diff(string(encode(t, judge(s))), string(encode(t, r))); diff != "" {
			t.Errorf("%s: verdicts change the report (-without +with):\n%s", name, diff)
		}
		if r.Checks > 0 && len(verdicts) == 0 {
			t.Errorf("%s: %d verdicts of %d checks", name, len(verdicts), r.Checks)
		}
		for _, f := range r.Findings {
			if f.Severity != Unknown && !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Check == f.Check && v.Wrong }) {
				t.Errorf("%s: %s %s is no wrong verdict", name, f.Check, f.Subject)
			}
		}
		wrong := slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Wrong })
		found := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Unknown })
		if wrong != found {
			t.Errorf("%s: wrong verdicts %v, findings %v", name, wrong, found)
		}
	}
}
