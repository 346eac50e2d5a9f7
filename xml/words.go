package xml

import (
	"strconv"
	"strings"
)

// String is the range as the command line has it: 10.0.0.2-10.0.0.9.
func (r Range) String() string { return r.Start.String() + "-" + r.End.String() }

// String is the reservation as the command line has it: mac=..,ip=..,name=..
func (h Host) String() string {
	var parts []string
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	add("mac", strings.ToLower(h.MAC))
	add("id", h.ID)
	if h.IP.IsValid() {
		add("ip", h.IP.String())
	}
	add("name", h.Name)
	return strings.Join(parts, ",")
}

// key is whom the reservation is for.
func (h Host) key() string {
	switch {
	case h.MAC != "":
		return strings.ToLower(h.MAC)
	case h.ID != "":
		return h.ID
	}
	return h.Name
}

// String is the rate as the command line has it: AVERAGE[,PEAK[,BURST]].
func (r Rate) String() string {
	if r == (Rate{}) {
		return ""
	}
	s := strconv.Itoa(r.Average)
	if r.Peak != 0 || r.Burst != 0 {
		s += "," + number(r.Peak)
	}
	if r.Burst != 0 {
		s += "," + strconv.Itoa(r.Burst)
	}
	return s
}
