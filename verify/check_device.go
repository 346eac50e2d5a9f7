package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/services"
)

func deviceChecks() []Check {
	return []Check{
		{
			ID: "tun-unavailable", Title: "guests cannot have taps: /dev/net/tun does not work", Severity: Error, Class: Manual,
			Needs: []Need{Guests, Devices},
			Doc: Doc{
				Symptom:  "Guests do not start: unable to open /dev/net/tun, is tun module loaded?",
				Cause:    "The node was not made, as in a container; or the module is not there: a newer kernel was installed, and the modules of the one that runs are gone.",
				Evidence: "The node, the driver in /proc/misc, and the module in the lists of the kernel that runs, for hosts with a guest that wants a tap. A driver that is built in or loaded on demand is fine. Nothing is opened: that would load the module.",
				Cure:     "Make the node, load the module, or start the machine into the installed kernel.",
			},
			run: tunUnavailable,
		},
		{
			ID: "session-bridge-acl", Title: "an unprivileged libvirt may not plug its guests into the bridge", Severity: Error, Class: Manual,
			Needs: []Need{Guests, Helper},
			Doc: Doc{
				Symptom:  "A guest of qemu:///session does not start: access denied by acl file, or failed to parse default acl file.",
				Cause:    "QEMU's bridge helper is not setuid, or bridge.conf does not allow the bridge.",
				Evidence: "A guest of a session URI whose user is not root has an interface in a bridge; the helper's mode and file capability; the allow, deny and include lines of bridge.conf, where a deny anywhere wins.",
				Cure:     "Allow the bridge and make the helper setuid, or use qemu:///system. Both are a matter of policy: every user may then plug guests in.",
			},
			run: sessionACL,
		},
	}
}

// deviceNode is what is known of a device node; nil when nothing is.
func (h *host) deviceNode(path string) *services.Device {
	for i := range h.snap.Services.Devices {
		if d := &h.snap.Services.Devices[i]; d.Path == path {
			return d
		}
	}
	return nil
}

func tunUnavailable(p *pass) {
	var sufferers []key
	var guests []string
	for i := range p.nics {
		if n := &p.nics[i]; n.kind == bridged || n.kind == plain {
			sufferers = append(sufferers, key{aGuest, n.guest.Name})
			guests = append(guests, n.guest.Name)
		}
	}
	d := p.deviceNode("/dev/net/tun")
	if d == nil {
		if len(sufferers) > 0 {
			p.cannot("services devices", "nothing is known of /dev/net/tun")
		}
		return
	}
	if !p.onAny(sufferers) || d.Driver == services.DriverLoaded && d.Node || d.Driver == services.DriverModule && d.Node {
		return
	}
	slices.Sort(guests)
	f := Finding{
		Subject: d.Path, Evidence: fmt.Sprintf("node %s, driver tun in /proc/misc, module tun of kernel %s", d.Path, orNone(p.snap.Services.Kernel.Release)),
		Want: "node " + d.Path + " and driver tun", Have: "no node, driver " + d.Driver,
		Message: "there is no " + d.Path,
	}
	switch d.Driver {
	case services.DriverLoaded:
		f.Fix = Fix{Class: Guarded, Say: "make the node", Steps: []Step{{Do: MakeNode, On: d.Path, With: "10 200"}}}
	case services.DriverModule:
		f.Fix = Fix{Class: Guarded, Say: "load module tun: the node comes with it", Steps: []Step{{Do: LoadModule, On: "tun"}}}
	default:
		f.Message = "the kernel has no driver tun, and no module of that name"
		f.Have = "no driver"
		f.Fix = Fix{Class: Manual, Say: "install the modules of kernel " + orNone(p.snap.Services.Kernel.Release)}
		if !p.snap.Services.Kernel.Modules {
			f.Message = fmt.Sprintf("the kernel has no driver tun, and the modules of kernel %s are gone", orNone(p.snap.Services.Kernel.Release))
			f.Fix.Say = "start the machine anew, into the kernel that is installed"
		}
	}
	f.Message += ": guests with a tap cannot start (" + someNames(slices.Compact(guests)) + ")"
	p.foundFor(sufferers, f)
}

// session says whether the URI is that of a user's own daemon.
func (h *host) session() bool {
	uri, _, _ := strings.Cut(h.snap.URI, "?")
	return strings.HasSuffix(uri, "/session")
}

func sessionACL(p *pass) {
	if !p.session() || p.snap.Services.UID == 0 {
		return // a daemon of root's plugs in by itself
	}
	seen := map[string]bool{}
	for i := range p.nics {
		n := &p.nics[i]
		if n.kind != bridged || n.bridge == "" || seen[n.bridge] {
			continue
		}
		seen[n.bridge] = true
		s := n.subject
		s.kind = aBridge
		if p.on(s) {
			p.helperAllows(s, n)
		}
	}
}

func (p *pass) helperAllows(s scope, n *nic) {
	f := Finding{
		Subject: n.bridge, Want: "a setuid qemu-bridge-helper that allows " + show(n.bridge),
		Message: fmt.Sprintf("%s cannot be plugged into bridge %s: ", n.title(), show(n.bridge)),
	}
	helper := p.snap.Services.Helper
	switch {
	case helper == nil:
		f.Message += "QEMU's bridge helper is not installed"
		f.Have, f.Evidence = "no helper", "program qemu-bridge-helper"
		f.Fix = Fix{Class: Manual, Say: "install qemu-bridge-helper, which comes with QEMU, or use qemu:///system"}
	case helper.Privileged && helper.Allows(n.bridge):
		return
	default:
		f.Evidence = fmt.Sprintf("mode of %s, lines of %s", helper.Path, bridgeConf(helper))
		f.Fix = Fix{Class: Manual, Say: "let every user of this machine plug guests into the bridge, or use qemu:///system"}
		var have []string
		if !helper.Privileged {
			have = append(have, show(helper.Path)+" is not setuid")
			f.Fix.Steps = append(f.Fix.Steps, Step{Do: SetUID, On: helper.Path})
		}
		if !helper.Allows(n.bridge) {
			have = append(have, show(n.bridge)+" is not allowed in "+bridgeConf(helper))
			if denied := slices.IndexFunc(helper.ACL, func(r services.ACLRule) bool {
				return !r.Allow && (r.Bridge == n.bridge || r.Bridge == "all")
			}); denied >= 0 {
				f.Fix = Fix{Class: Manual, Say: "take the deny of " + show(helper.ACL[denied].Bridge) + " out of " + bridgeConf(helper) + ", or use qemu:///system"}
			} else {
				f.Fix.Steps = append(f.Fix.Steps, Step{Do: AllowBridge, On: bridgeConf(helper), With: n.bridge})
			}
		}
		f.Have = strings.Join(have, ", ")
		f.Message += f.Have
	}
	p.found(s, f)
}

func bridgeConf(h *services.BridgeHelper) string {
	if h.File == "" {
		return "/etc/qemu/bridge.conf"
	}
	return h.File
}
