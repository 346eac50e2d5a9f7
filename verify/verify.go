package verify

import (
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/bridge/firewall"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/services"
)

// Version of the snapshot document that this package writes and reads.
const Version = 1

// Snapshot is everything that is judged, gathered at one moment.
type Snapshot struct {
	Version int              `json:"version"`
	Taken   time.Time        `json:"taken"`
	URI     string           `json:"uri"`
	Libvirt libvirtnet.State `json:"libvirt"`
	Kernel  bridge.State     `json:"kernel"`
	// Firewall is the packet filter of the kernel half; nil where it was not
	// read. Gaps of the kernel half whose source begins with [FirewallGap] say
	// why; a document of before it was read has none.
	Firewall *firewall.Ruleset `json:"firewall,omitempty"`
	// Services is what stands around libvirt and the kernel on the daemon's
	// machine; nil where it was not read.
	Services *services.State `json:"services,omitempty"`
	// Unfinished are the changes by kvnet that stand half-way.
	Unfinished []Unfinished `json:"unfinished,omitempty"`
	// JournalGaps say what of kvnet's journal could not be read.
	JournalGaps []string `json:"journal_gaps,omitempty"`
}

// FirewallGap is the source of a gap of the kernel half that is one of the
// packet filter.
const FirewallGap = "firewall"

// Unfinished is a change that began and never ended: its process was killed,
// or the host stopped.
type Unfinished struct {
	Number int       `json:"number"` // as kvnet history and undo have it
	Began  time.Time `json:"began"`
	Change string    `json:"change"` // "start network default"
	// Left are the steps that a change which failed could not take back.
	Left []string `json:"left,omitempty"`
	// Networks and Guests are what it touches.
	Networks []string `json:"networks"`
	Guests   []string `json:"guests"`
}

// Severity of a finding.
type Severity string

// Severities, worst first. Unknown says that a check could not be made.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
	Unknown Severity = "unknown"
)

// Severities are all severities, worst first.
var Severities = []Severity{Error, Warning, Info, Unknown}

// rank orders severities, worst first; what is none of them comes last.
func (s Severity) rank() int {
	for i, other := range Severities {
		if s == other {
			return i
		}
	}
	return len(Severities)
}

// AtLeast says whether s is as bad as limit or worse. Unknown is the mildest:
// it is at least unknown only.
func (s Severity) AtLeast(limit Severity) bool { return s.rank() <= limit.rank() }

// Finding is one fault, or one check that could not be made.
//
// Subject, Network and Domain are the names as libvirt and the kernel have
// them, whatever characters they hold; Message, Evidence, Want, Have and Fix.Say are one
// line each and printable.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // the tap, bridge, network, NIC or guest that is wrong
	Network  string   `json:"network"`
	Domain   string   `json:"domain"`
	Message  string   `json:"message"` // one line: what is wrong and its cause
	// Evidence is what was looked at: the attribute, sysctl, rule or process.
	Evidence string `json:"evidence"`
	Want     string `json:"want"`
	Have     string `json:"have"`
	Fix      Fix    `json:"fix"`
}

// Class says how much a fix may disturb.
type Class string

const (
	Safe    Class = "safe"    // restores what libvirt declares and cuts no traffic
	Guarded Class = "guarded" // works, but blips traffic or overrides somebody's choice
	Manual  Class = "manual"  // a person decides
)

// Report is the verdict on a snapshot. Findings are sorted by severity, then
// in the order of [Checks], then by subject.
type Report struct {
	Version int       `json:"version"`
	Taken   time.Time `json:"taken"`
	URI     string    `json:"uri"`
	// Checks counts the verdicts that were reached: a check times the subjects
	// it was held against. Followers of a named cause and checks that could
	// not be made are none.
	Checks int `json:"checks"`
	// Networks, Guests, Interfaces and Bridges count what was looked at.
	Networks   int       `json:"networks"`
	Guests     int       `json:"guests"`
	Interfaces int       `json:"interfaces"`
	Bridges    int       `json:"bridges"`
	Findings   []Finding `json:"findings"`
	Gaps       []Gap     `json:"gaps"`
	// Hints are what no state of a host decides; there are none where only
	// some checks were asked for.
	Hints []Hint `json:"hints"`
	// Verdicts are there where [Options] asks for them, in the order of
	// [Checks].
	Verdicts []Verdict `json:"-"`
}

// Worst is the worst severity among the findings, "" when there are none.
func (r Report) Worst() Severity {
	worst := Severity("")
	for _, f := range r.Findings {
		if worst == "" || f.Severity.rank() < worst.rank() {
			worst = f.Severity
		}
	}
	return worst
}

// Gap is something that could not be read. Source begins with the half it
// belongs to: "libvirt guests", "kernel routes"; "kernel" alone means that
// the kernel looked at could not be proven to be libvirt's.
type Gap struct {
	Source  string `json:"source"`
	Message string `json:"message"`
}
