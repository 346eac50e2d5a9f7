package verify

import (
	"time"

	"github.com/kvnet/kvnet/bridge"
)

// maxDelay is the kernel's greatest forward delay (BR_MAX_FORWARD_DELAY,
// net/bridge/br_private_stp.h).
const maxDelay = 30 * time.Second

// Unsettled says whether a port of a judged bridge is still listening or
// learning, and how long at most it takes until it forwards: twice the forward
// delay and one second. A port that is not forwarding then is a fault. The
// kernel must be libvirt's, else there is nothing to wait for.
func Unsettled(s Snapshot) (wait time.Duration, ok bool) {
	if notTheKernel(&s) != "" {
		return 0, false
	}
	h := newHost(&s)
	judged := map[string]bool{}
	for _, list := range [][]string{h.ownBridges, h.hostBridges} {
		for _, name := range list {
			judged[name] = true
		}
	}
	for i := range s.Kernel.Ports {
		port := &s.Kernel.Ports[i]
		if !judged[port.Bridge] || port.State != bridge.PortListening && port.State != bridge.PortLearning {
			continue
		}
		delay := maxDelay
		if b := h.bridges[port.Bridge]; b != nil && b.ForwardDelay >= 0 && b.ForwardDelay < int(maxDelay.Milliseconds()) {
			delay = time.Duration(b.ForwardDelay) * time.Millisecond
		}
		wait, ok = max(wait, 2*delay+time.Second), true
	}
	return wait, ok
}
