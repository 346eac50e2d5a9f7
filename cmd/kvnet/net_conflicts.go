package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// networkConflicts says why a definition could not work on this host, or would
// touch what is somebody else's. have is what the network is now, nil when it
// is new: what it has already is no conflict.
func networkConflicts(w world, def xml.Network, have *xml.Network) []string {
	had := xml.Network{}
	if have != nil {
		had = *have
	}
	h := w.host()
	taken := h.Claims(def.Name)
	var found []string
	for _, ip := range def.IPs {
		subnet := ip.Address.Masked()
		if slices.ContainsFunc(had.IPs, func(o xml.IP) bool { return o.Address.Masked() == subnet }) {
			continue
		}
		for _, c := range lint.Overlaps(subnet, taken) {
			found = append(found, fmt.Sprintf("%s overlaps %s", subnet, c.Words))
		}
	}
	var conflicts []lint.Conflict
	if def.Bridge != "" && (def.Bridge != had.Bridge || def.Managed() != had.Managed()) {
		conflicts = h.BridgeConflicts(def, def.Name)
	}
	for _, dev := range def.ForwardDevs {
		if !slices.Contains(had.ForwardDevs, dev) {
			conflicts = append(conflicts, h.MissingDevice(dev)...)
		}
	}
	if had.NAT == nil || def.NAT != nil && (def.NAT.Start != had.NAT.Start || def.NAT.End != had.NAT.End) {
		conflicts = append(conflicts, h.NATConflicts(def)...)
	}
	for _, c := range conflicts {
		found = append(found, c.Message)
	}
	return found
}

// refuseUUID refuses a definition of network name whose UUID another network
// has. libvirt does not take it, and so there is no --force.
func refuseUUID(op string, w world, name, document string) error {
	def, _ := xml.Parse(document) // who reads it next says what is wrong with it
	if n := w.host().OwnerOfUUID(def); n != nil && def.Name == name {
		return refuse(op, "network "+clean(shorten(def.Name)), fmt.Errorf("UUID %s belongs to %s", def.UUID, n),
			"leave <uuid> out: a new network gets one of its own")
	}
	return nil
}

func ownKind(l bridge.Link) string {
	if l.Kind == "" {
		return "a NIC"
	}
	return l.Kind
}

// refuseConflicts is the refusal for what networkConflicts found; nil with
// --force, which then says what it overrides.
func (e *env) refuseConflicts(op, object string, found []string, o changeOptions) error {
	if len(found) == 0 {
		return nil
	}
	if o.force {
		for _, f := range found {
			e.note("forced: %s", f)
		}
		return nil
	}
	hint := "--force does it all the same"
	if strings.Contains(found[0], " overlaps ") {
		hint = "--subnet auto finds a free subnet; " + hint
	}
	return refuse(op, object, errors.New(strings.Join(found, "; ")), hint)
}

// startConflicts says why a network that is not active would not work.
func startConflicts(w world, n libvirtnet.Network) []string {
	if n.Config == nil {
		return nil
	}
	return networkConflicts(w, *n.Config, nil)
}
