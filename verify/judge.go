package verify

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kvnet/kvnet/libvirtnet"
)

// Judge holds what libvirt declares against what the kernel shows. It is
// pure: it cannot block or fail, and one snapshot gives one report. The
// snapshot is only read.
func Judge(s Snapshot) Report { return JudgeOnly(s, Options{}) }

// Options narrow a judgement.
type Options struct {
	// Checks are the ids to report; none means all. What does not stand in
	// [Checks] selects nothing.
	Checks []string
	// Subjects are names of networks, bridges and guests: only what belongs to
	// one of them is reported. A guest brings its taps, networks and bridges, a
	// network its bridge, taps and guests, a bridge its networks, ports and
	// guests. None means all.
	Subjects []string
	// Verdicts asks for each verdict in the report, the good ones, too.
	Verdicts bool
}

// JudgeOnly is Judge for some of the checks or some of the host. What is
// reported is what Judge reports of it: a follower stays silent also when the
// check that names its cause was not asked for.
func JudgeOnly(s Snapshot, o Options) Report { return LookAt(s).Judge(o) }

// Judge is [JudgeOnly] of what is looked at.
func (l *Look) Judge(o Options) Report {
	h, s := l.host, l.host.snap
	p := &pass{host: h, fired: map[string]map[key]bool{}, wanted: h.expand(o.Subjects)}
	p.report = Report{
		Version: Version, Taken: s.Taken, URI: s.URI,
		Findings: []Finding{}, Gaps: slices.Clip(h.gaps.list), Hints: []Hint{},
	}
	p.verdicts = o.Verdicts
	p.count()
	checks := catalogue()
	selected := chosen(checks, o.Checks)
	order := inOrder(checks)
	causes := causesOf(checks, order, selected)
	place := make(map[string]int, len(checks))
	for _, i := range order {
		place[checks[i].ID] = i
		p.check, p.muted = &checks[i], !selected[checks[i].ID]
		if !p.muted || causes[checks[i].ID] {
			p.runCheck()
		}
	}
	if len(o.Checks) == 0 {
		p.hints()
	}
	found := p.report.Findings
	sort.SliceStable(found, func(i, j int) bool {
		a, b := &found[i], &found[j]
		return cmp.Or(
			cmp.Compare(a.Severity.rank(), b.Severity.rank()),
			cmp.Compare(place[a.Check], place[b.Check]),
			cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Domain, b.Domain),
			cmp.Compare(a.Message, b.Message),
		) < 0
	})
	return p.report
}

// chosen are the ids to report.
func chosen(checks []Check, ids []string) map[string]bool {
	set := make(map[string]bool, len(checks))
	for _, c := range checks {
		set[c.ID] = len(ids) == 0 && !c.OnDemand || slices.Contains(ids, c.ID)
	}
	return set
}

// causesOf are the checks behind which one of the selected stands, directly or
// through others.
func causesOf(checks []Check, order []int, selected map[string]bool) map[string]bool {
	causes := map[string]bool{}
	for _, i := range slices.Backward(order) { // followers first
		if c := &checks[i]; selected[c.ID] || causes[c.ID] {
			for _, id := range c.After {
				causes[id] = true
			}
		}
	}
	return causes
}

// kind is the kind of a thing that a verdict is about.
type kind int

const (
	aNetwork kind = iota
	aBridge
	aLink // a tap or NIC
	aGuest
	theHost
)

// key names a thing. Networks, bridges and guests may bear one name.
type key struct {
	kind kind
	name string
}

// scope is what a verdict is about: the subject, which is the field that kind
// names (the link for the host), and what that belongs to. Empty fields belong
// to nothing.
type scope struct {
	kind                         kind
	link, bridge, network, guest string
	// free: the subject does not share the fate of its network.
	free bool
}

func (s scope) subject() key {
	switch s.kind {
	case aNetwork:
		return key{aNetwork, s.network}
	case aBridge:
		return key{aBridge, s.bridge}
	case aLink:
		return key{aLink, s.link}
	case aGuest:
		return key{aGuest, s.guest}
	}
	return hostKey
}

// name is the name of the subject.
func (s scope) name() string {
	if s.kind == theHost {
		return s.link
	}
	return s.subject().name
}

// pass is one run over the checks. A check asks on() for each thing it is
// going to judge and reports with found().
type pass struct {
	*host
	check  *Check
	muted  bool // the check runs for its followers only
	report Report
	fired  map[string]map[key]bool // by check id
	wanted map[key]bool            // nil: everything
	// judged are the things that the running check looked at, and lastAsked
	// says whether the last of them was asked for; unless everything is wanted.
	judged    map[key]bool
	lastAsked bool
	// verdicts: each is kept; told are those of the running check, by subject
	// as the report names it: things of the host are told apart.
	verdicts bool
	told     map[key]int
	// taken and nextBridge serve freeBridgeName.
	taken      map[string]bool
	nextBridge int
	// unread are the parts that turned out to be missing while the check ran.
	unread []lack
}

// runCheck makes one check, or says why it cannot be made.
func (p *pass) runCheck() {
	if p.muted && p.check.OnDemand {
		return // nobody asked, and nothing follows from it
	}
	p.unread = p.unread[:0]
	p.told = map[key]int{}
	p.judged, p.lastAsked = map[key]bool{}, false
	lacks, canRun := p.gaps.unmet(p.check)
	if canRun {
		p.check.run(p)
	}
	p.unknown(append(slices.Clone(lacks), p.unread...))
}

// on says whether a thing is to be judged: no cause of this check was found for
// what it belongs to. It counts the verdict if it was asked for; what was not
// is judged all the same, for it may be the cause of what was.
func (p *pass) on(s scope) bool {
	if p.silenced(s) {
		return false
	}
	asked := p.asked(s.subject())
	if p.wanted != nil {
		p.judged[s.subject()], p.lastAsked = true, asked
	}
	if asked && !p.muted {
		p.report.Checks++
		p.keep(key{s.kind, s.name()})
	}
	return true
}

func (p *pass) silenced(s scope) bool {
	for _, id := range p.check.After {
		fired := p.fired[id]
		if len(fired) == 0 {
			continue
		}
		if fired[key{aLink, s.link}] || fired[key{aBridge, s.bridge}] || fired[key{aGuest, s.guest}] ||
			!s.free && fired[key{aNetwork, s.network}] || fired[hostKey] {
			return true
		}
	}
	return false
}

// hostKey stands for a fault that is the whole host's.
var hostKey = key{theHost, ""}

// found reports a fault. What is empty in f is taken from the scope and the
// check. The fault becomes a cause for the checks that stand behind this one.
func (p *pass) found(s scope, f Finding) { p.foundAll(s, []scope{s}, f) }

// foundAll reports one fault that several things share: s is what the report
// names, and each of the others is a cause for the checks that stand behind.
func (p *pass) foundAll(s scope, causes []scope, f Finding) {
	asked, judged := p.wanted == nil, false
	for _, c := range causes {
		asked = asked || p.asked(c.subject())
		judged = judged || p.judged[c.subject()]
	}
	// What was come upon on the way belongs to what was looked at last.
	p.tell(s, causes, asked || !judged && p.lastAsked, f)
}

// tell is foundAll where the check itself knows whether somebody asked.
func (p *pass) tell(s scope, causes []scope, asked bool, f Finding) {
	for _, c := range causes {
		p.wrong(key{c.kind, c.name()})
		if subject := c.subject(); subject == hostKey || subject.name != "" {
			if p.fired[p.check.ID] == nil {
				p.fired[p.check.ID] = map[key]bool{}
			}
			p.fired[p.check.ID][subject] = true
		}
	}
	if p.muted || !asked {
		return
	}
	f.Check = p.check.ID
	if uri := p.snap.URI; uri != libvirtnet.SystemURI {
		f.Fix.URI = uri
	}
	f.Severity = cmp.Or(f.Severity, p.check.Severity)
	f.Subject = cmp.Or(f.Subject, s.name())
	f.Network = cmp.Or(f.Network, s.network)
	f.Domain = cmp.Or(f.Domain, s.guest)
	p.report.Findings = append(p.report.Findings, f)
}

// asked says whether a thing is among those that the report is to be about.
func (p *pass) asked(k key) bool { return p.wanted == nil || p.wanted[k] }

// cannot notes that a part of the snapshot is missing for the running check,
// which thereby answers unknown.
func (p *pass) cannot(source, why string) {
	p.unread = append(p.unread, lack{source: source, why: why})
}

// unknown reports in one finding that a check could not be made, wholly or for
// some of its subjects.
func (p *pass) unknown(lacks []lack) {
	if len(lacks) == 0 || p.muted {
		return
	}
	sources := make([]string, 0, len(lacks))
	for _, l := range lacks {
		sources = append(sources, l.source)
	}
	subject := sources[0]
	if len(sources) > 1 {
		subject = "host"
	}
	p.report.Findings = append(p.report.Findings, Finding{
		Check: p.check.ID, Severity: Unknown, Subject: subject,
		Message:  "not checked (" + p.check.Title + "): " + lacks[0].why,
		Evidence: "gap " + someTexts(sources),
		Want:     someTexts(sources) + " read", Have: "not read",
		Fix: Fix{Class: Manual, Say: "run kvnet verify as root on the host of the libvirt daemon; the gaps say what could not be read"},
	})
}
