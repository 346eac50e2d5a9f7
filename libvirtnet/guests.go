//go:build cgo

package libvirtnet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/kvnet/kvnet/xml"
)

// Guests lists the guests with their interfaces, sorted by name, without the
// reason of a paused one, which would be a call for each. What one of them does
// not tell is in the joined error; the others are there all the same.
func (c *Conn) Guests(ctx context.Context) ([]Guest, error) {
	return ask(ctx, c, func() ([]Guest, error) {
		var g gaps
		list := c.gatherGuests(ctx, &g, false)
		return list, g.joined()
	})
}

// Guest reads one guest by id, name or UUID, in virsh's order. The error is a
// *NotFoundError with the names that look like it when there is none.
func (c *Conn) Guest(ctx context.Context, key string) (Guest, error) {
	return ask(ctx, c, func() (Guest, error) {
		h, err := c.findGuest(key)
		if err != nil {
			return Guest{}, err
		}
		defer h.Free()
		one, err := guestFlags(h)
		if err != nil {
			return one, err
		}
		var g gaps
		if fillGuest(h, &one, &g) {
			return one, &NotFoundError{Kind: "guest", Name: key}
		}
		return one, g.joined()
	})
}

// GuestConfig reads the interfaces of a guest's configuration: those it will
// have at its next start.
func (c *Conn) GuestConfig(ctx context.Context, key string) ([]Interface, error) {
	doc, err := c.GuestXML(ctx, key, true)
	if err != nil {
		return []Interface{}, err
	}
	g, err := xml.ParseGuest(doc)
	if err != nil {
		return []Interface{}, &Error{Op: opRead, Object: "guest " + show(key), Message: err.Error(), Kind: ErrInvalid}
	}
	return g.Interfaces, nil
}

// GuestXML is a guest's document: the live one of an active guest, or the one
// it starts with.
func (c *Conn) GuestXML(ctx context.Context, key string, inactive bool) (string, error) {
	return ask(ctx, c, func() (string, error) {
		h, err := c.findGuest(key)
		if err != nil {
			return "", err
		}
		defer h.Free()
		var flags libvirt.DomainXMLFlags
		if inactive {
			flags = libvirt.DOMAIN_XML_INACTIVE
		}
		doc, err := h.GetXMLDesc(flags)
		if err != nil {
			return "", toError(opRead, "guest "+show(key), err)
		}
		return doc, nil
	})
}

// findGuest looks a guest up. The handle is to be freed.
func (c *Conn) findGuest(key string) (*libvirt.Domain, error) {
	if strings.ContainsRune(key, 0) {
		return nil, &NotFoundError{Kind: "guest", Name: key} // C would cut it there
	}
	var lookups []func() (*libvirt.Domain, error)
	if id, err := strconv.ParseInt(key, 10, 32); err == nil && id >= 0 {
		lookups = append(lookups, func() (*libvirt.Domain, error) { return c.raw.LookupDomainById(uint32(id)) })
	}
	if isUUID(key) {
		lookups = append(lookups, func() (*libvirt.Domain, error) { return c.raw.LookupDomainByUUIDString(key) })
	}
	lookups = append(lookups, func() (*libvirt.Domain, error) { return c.raw.LookupDomainByName(key) })
	for _, lookup := range lookups {
		h, err := lookup()
		if err == nil {
			return h, nil
		}
		if !isCode(err, codeNoDomain) {
			return nil, toError("find", "guest "+show(key), err)
		}
	}
	missing := &NotFoundError{Kind: "guest", Name: key}
	if handles, err := c.raw.ListAllDomains(0); err == nil {
		var names []string
		for i := range handles {
			name, _ := handles[i].GetName()
			names = append(names, name)
		}
		freeGuests(handles)
		missing.Near = Near(key, names)
	}
	return nil, missing
}

// listGuests asks for all guests and for some of their subsets, and returns
// a handle for each of the list; the caller frees them. An active guest that
// is neither running nor paused has its state asked by fillGuest:
// virConnectGetAllDomainStats
// would tell all of them at once, but the binding then asks each guest for its
// processors behind the scenes, which is no less.
func (c *Conn) listGuests() ([]libvirt.Domain, []Guest, error) {
	handles, err := c.raw.ListAllDomains(0)
	if err != nil {
		return nil, []Guest{}, toError(opList, "guests", err)
	}
	subset := func(flag libvirt.ConnectListAllDomainsFlags) (map[string]bool, error) {
		some, err := c.raw.ListAllDomains(flag)
		if err != nil {
			return nil, toError(opList, "guests", err)
		}
		defer freeGuests(some)
		set := make(map[string]bool, len(some))
		for i := range some {
			if id, err := some[i].GetUUIDString(); err == nil {
				set[id] = true
			}
		}
		return set, nil
	}
	other, err1 := subset(libvirt.CONNECT_LIST_DOMAINS_OTHER) // neither running, paused nor shut off: few
	transient, err2 := subset(libvirt.CONNECT_LIST_DOMAINS_TRANSIENT)
	auto, err3 := subset(libvirt.CONNECT_LIST_DOMAINS_AUTOSTART)
	paused, err4 := subset(libvirt.CONNECT_LIST_DOMAINS_PAUSED)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		freeGuests(handles)
		return nil, []Guest{}, err
	}
	list := make([]Guest, len(handles))
	for i := range handles {
		g := handleGuest(&handles[i])
		g.Persistent, g.Autostart = !transient[g.UUID], auto[g.UUID]
		switch {
		case !g.Active():
			g.State = ShutOff
		case paused[g.UUID]:
			g.State = Paused
		case !other[g.UUID]:
			g.State = Running
		}
		list[i] = g
	}
	// A transient guest that is not active is just coming or vanishing.
	handles, list = keep(handles, list, func(g Guest) bool { return g.Active() || g.Persistent }, freeGuests)
	sortTogether(handles, list, func(g Guest) string { return g.Name })
	return handles, list, nil
}

// handleGuest is what a handle knows without asking the daemon.
func handleGuest(h *libvirt.Domain) Guest {
	g := Guest{ID: -1, Interfaces: []Interface{}}
	g.Name, _ = h.GetName()
	g.UUID, _ = h.GetUUIDString()
	// An inactive guest has id (unsigned)-1, which some drivers answer with
	// an error.
	if id, err := h.GetID(); err == nil && id != ^uint(0) && id != 1<<32-1 {
		g.ID = int(id)
	}
	return g
}

func freeGuests(handles []libvirt.Domain) {
	for i := range handles {
		_ = handles[i].Free()
	}
}

// guestFlags asks for what the lists tell, for one guest.
func guestFlags(h *libvirt.Domain) (Guest, error) {
	g := handleGuest(h)
	var errs [2]error
	g.Persistent, errs[0] = h.IsPersistent()
	if g.Persistent {
		g.Autostart, errs[1] = h.GetAutostart()
	}
	for _, err := range errs {
		if err != nil {
			return g, toError(opRead, "guest "+show(g.Name), err)
		}
	}
	if !g.Active() {
		g.State = ShutOff
	}
	return g, nil
}

// crowd is how many paused guests are asked for the reason before it is taken
// for one and the same: a call for each is half of the work on a host where
// all guests are paused.
const crowd = 4

// fillReasons asks paused guests why they are. Of a crowd that gives one reason
// as far as it was asked, the rest is left without any.
func fillReasons(ctx context.Context, handles []libvirt.Domain, list []Guest, gap *gaps) {
	var paused []int
	for i := range list {
		if list[i].State == Paused {
			paused = append(paused, i)
		}
	}
	ask := func(some []int) {
		each(ctx, len(some), func(i int) bool { fillState(&handles[some[i]], &list[some[i]], gap); return false })
	}
	first := paused[:min(crowd, len(paused))]
	ask(first)
	differs := func(i int) bool { return list[i].State != Paused || list[i].Reason != list[first[0]].Reason }
	if len(paused) > crowd && slices.ContainsFunc(first, differs) {
		ask(paused[crowd:])
	}
}

// fillState reads a guest's state and its reason. It is true when the guest is
// gone. The call does not wait for a job of the guest.
func fillState(h *libvirt.Domain, g *Guest, gap *gaps) (gone bool) {
	object := "guest " + show(g.Name)
	state, reason, err := h.GetState()
	switch {
	case isCode(err, codeNoDomain):
		return true
	case err != nil:
		g.State = NoState
		gap.add(object, toError(opRead, object, err))
	default:
		g.State, g.Reason = stateWords(int(state), reason)
	}
	return false
}

// fillGuest reads a guest's interfaces, and its state where that is not known
// yet. It is true when the guest is gone. Neither call waits for a job of the
// guest.
func fillGuest(h *libvirt.Domain, g *Guest, gap *gaps) (gone bool) {
	object := "guest " + show(g.Name)
	if g.State == "" && fillState(h, g, gap) {
		return true
	}
	doc, err := h.GetXMLDesc(0)
	switch {
	case isCode(err, codeNoDomain):
		return true
	case err != nil:
		gap.add(object, toError(opRead, object, err))
		return false
	}
	told, err := xml.ParseGuest(doc)
	if err != nil {
		gap.add(object, err)
		return false
	}
	g.Virt, g.Interfaces = told.Virt, told.Interfaces
	return false
}
