package xml

import "slices"

// forward judges what <forward> and <bridge> say in themselves.
func (c *checker) forward(n Network) {
	if n.Mode != "" && !slices.Contains(Modes, n.Mode) {
		c.fail("mode %q: is none that libvirt has", clip(string(n.Mode)))
	}
	for i, dev := range n.ForwardDevs {
		c.must(CheckLinkName(dev))
		if slices.Contains(n.ForwardDevs[:i], dev) {
			c.fail("forward device %s: there twice", dev)
		}
	}
	if n.PF != "" {
		c.must(CheckLinkName(n.PF))
	}
}

// combinations judges what a mode may have: the rules of
// networkValidate (src/network/bridge_driver.c), virNetworkForwardDefParseXML
// (src/conf/network_conf.c) and https://libvirt.org/formatnetwork.html.
func (c *checker) combinations(n Network) {
	if n.Mode == "" || !slices.Contains(Modes, n.Mode) {
		return
	}
	no := func(has bool, what string) {
		if has {
			c.fail("mode %s has no %s", n.Mode, what)
		}
	}
	no(n.NAT != nil && n.Mode != NAT, "NAT options")
	no(len(n.ForwardDevs) > 0 && (n.Mode == Open || n.Mode == Isolated), "forward device")
	no(len(n.ForwardDevs) > 0 && n.Mode == HostDev, "device names: it has PCI addresses or a physical function")
	no(n.PF != "" && n.Mode != HostDev && n.Mode != Passthrough && n.Mode != Private && n.Mode != VEPA && n.Mode != HostBridge, "physical function")
	if n.Managed() {
		if len(n.ForwardDevs) > 1 {
			c.fail("mode %s has at most one forward device, not %d", n.Mode, len(n.ForwardDevs))
		}
		return
	}
	no(n.STP != nil, "STP: the bridge, if any, is the host's")
	no(n.Delay != nil, "forward delay: the bridge, if any, is the host's")
	no(n.Zone != "", "firewall zone")
	no(n.MTU != 0, "MTU: the bridge, if any, is the host's")
	no(n.MAC != "", "bridge MAC")
	no(len(n.IPs) > 0, "subnet")
	no(len(n.Routes) > 0, "route")
	no(n.Domain != "", "domain")
	no(n.DNS != nil && (n.DNS.Enabled != nil || len(n.DNS.Forwarders) > 0 || len(n.DNS.Hosts) > 0), "DNS")
	// networkValidate: a limit needs a bridge that the document names.
	no(n.Bandwidth != (Bandwidth{}) && (n.Mode != HostBridge || n.Bridge == "" && len(n.ForwardDevs) > 0), "bandwidth without a bridge")
	if n.Mode == HostBridge {
		if n.Bridge != "" && (len(n.ForwardDevs) > 0 || n.PF != "") {
			c.fail("mode bridge has a bridge or forward devices, not both")
		}
		return
	}
	no(n.Bridge != "", "bridge")
	no(n.MACTable != "", "MAC table manager")
	no(n.PortsIsolated != nil && *n.PortsIsolated, "isolated ports")
}

func (c *checker) nat(spec *NATSpec) {
	if spec == nil {
		return
	}
	if spec.FirstPort != 0 || spec.LastPort != 0 {
		if spec.FirstPort < 1 || spec.LastPort > 65535 || spec.FirstPort > spec.LastPort {
			c.fail("NAT ports %d-%d: want a range within 1-65535", spec.FirstPort, spec.LastPort)
		}
	}
	if !spec.Start.IsValid() && !spec.End.IsValid() {
		return
	}
	r := Range{spec.Start, spec.End}
	if !spec.Start.Is4() || !spec.End.Is4() || r.size() == 0 {
		c.fail("NAT addresses %s: want a range of IPv4 addresses", r)
	}
}
