package verify

// Step is one action of a cure, as data: what is done, to what, with what.
// Command writes it as the shell command that does the same.
type Step struct {
	Do   Action `json:"do"`
	On   string `json:"on"`             // link, network, guest, sysctl
	With string `json:"with,omitempty"` // the other thing: address, bridge, tap, MTU, value
}

// Action names what a step does.
type Action string
