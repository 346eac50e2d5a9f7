package verify

// What only some links have, and what shapes their traffic. A document of
// before these were read has neither them nor a gap: the checks that need them
// then find nothing to judge.
const (
	WirelessLinks Need = "kernel wireless"
	LinkOffloads  Need = "kernel offloads"
	Qdiscs        Need = "kernel qdiscs"
)

// devices sorts out a gap of these.
func (g *gaps) devices(part string, missing lack) {
	switch part {
	case "wireless":
		g.lacks[WirelessLinks] = append(g.lacks[WirelessLinks], missing)
	case "offload", "offloads":
		g.lacks[LinkOffloads] = append(g.lacks[LinkOffloads], missing)
	case "qdisc", "qdiscs":
		g.lacks[Qdiscs] = append(g.lacks[Qdiscs], missing)
	case "device", "devices": // generic netlink as a whole
		g.lacks[WirelessLinks] = append(g.lacks[WirelessLinks], missing)
		g.lacks[LinkOffloads] = append(g.lacks[LinkOffloads], missing)
	}
}
