package verify

import (
	"time"

	"github.com/kvnet/kvnet/bridge"
)

// maxDelay is the kernel's greatest forward delay (BR_MAX_FORWARD_DELAY,
// net/bridge/br_private_stp.h).
const maxDelay = 30 * time.Second

// linkwatch is how long the kernel may take to tell a bridge that the carrier
// of a port has come (net/core/link_watch.c handles events once a second).
const linkwatch = 2 * time.Second

// restart is how long libvirt may take to start a dnsmasq again: it does so
// when its daemon reloads, and after that returns.
const restart = 3 * time.Second

// proof is how long duplicate address detection may take: a random delay of up
// to a second and one question, whose answer has a second (RFC 4862, 5.4.2),
// and as much again on a busy host.
const proof = 4 * time.Second

// Unsettled says whether the host is on its way to another state, and how long
// at most that takes. A port of a judged bridge that is listening or learning
// forwards within twice the forward delay, and a second; a network's dnsmasq
// that is missing may be about to start, and a port with a carrier that is
// still disabled may just have got it. What has not changed by then is a
// fault. The kernel must be libvirt's, else there is nothing to wait for.
func (l *Look) Unsettled() (wait time.Duration, ok bool) {
	h, s := l.host, l.host.snap
	if notTheKernel(s) != "" {
		return 0, false
	}
	judged := map[string]bool{}
	for _, list := range [][]string{h.ownBridges, h.hostBridges} {
		for _, name := range list {
			judged[name] = true
		}
	}
	for i := range s.Kernel.Ports {
		port := &s.Kernel.Ports[i]
		if l := h.links[port.Name]; judged[port.Bridge] && port.State == bridge.PortDisabled && l != nil && l.Up && l.Carrier {
			wait, ok = max(wait, linkwatch), true
		}
		if !judged[port.Bridge] || port.State != bridge.PortListening && port.State != bridge.PortLearning {
			continue
		}
		delay := maxDelay
		if b := h.bridges[port.Bridge]; b != nil && b.ForwardDelay >= 0 && b.ForwardDelay < int(maxDelay.Milliseconds()) {
			delay = time.Duration(b.ForwardDelay) * time.Millisecond
		}
		// Once a port forwards the bridge has a carrier, and asks for duplicates.
		wait, ok = max(wait, 2*delay+time.Second+h.proofAfter(port.Bridge)), true
	}
	if h.provesAddress() {
		wait, ok = max(wait, proof), true
	}
	if h.serverMissing() {
		wait, ok = max(wait, restart), true
	}
	return wait, ok
}

// serverMissing says whether an active network has no server, with nobody in
// its place.
func (h *host) serverMissing() bool {
	open := h.sockets()
	for _, srv := range h.services() {
		if !srv.net.Active || h.links[srv.def.Bridge] == nil || h.rival(srv, open) != nil {
			continue
		}
		if found, wanted := h.serves(srv, open); wanted && found == nil {
			return true
		}
	}
	return false
}
