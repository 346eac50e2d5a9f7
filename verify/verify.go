package verify

import (
	"time"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
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

// Finding is one fault, or one check that could not be made.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // the tap, bridge, network, NIC or guest that is wrong
	Network  string   `json:"network"`
	Domain   string   `json:"domain"`
	Message  string   `json:"message"` // one line: what is wrong and its cause
	Want     string   `json:"want"`
	Have     string   `json:"have"`
	Fix      Fix      `json:"fix"`
}

// Class says how much a fix may disturb.
type Class string

const (
	Safe    Class = "safe"    // restores what libvirt declares and cuts no traffic
	Guarded Class = "guarded" // works, but blips traffic or overrides somebody's choice
	Manual  Class = "manual"  // a person decides
)

// Fix is the cure of a finding, as data.
type Fix struct {
	Class Class  `json:"class"`
	Say   string `json:"say"` // the cure in words, one line
	Steps []Step `json:"-"`
}

// Report is the verdict on a snapshot.
type Report struct {
	Version  int       `json:"version"`
	Taken    time.Time `json:"taken"`
	URI      string    `json:"uri"`
	Checks   int       `json:"checks"` // verdicts that were reached: a check times its subjects
	Findings []Finding `json:"findings"`
	Gaps     []Gap     `json:"gaps"`
}

// Gap is something that could not be read, of either half.
type Gap struct {
	Source  string `json:"source"`
	Message string `json:"message"`
}
