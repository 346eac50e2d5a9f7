//go:build !cgo

package libvirtnet

import "context"

// Conn is a connection to libvirt. This program was built without cgo, so
// that there is never one.
type Conn struct{}

func noLibvirt(uri string) error {
	return &Error{Op: opConnect, Object: show(uri), Message: "this program was built without cgo", Kind: ErrNoLibvirt}
}

// Open answers ErrNoLibvirt.
func Open(uri string) (*Conn, error) { return nil, noLibvirt(DefaultURI(uri)) }

// OpenContext answers ErrNoLibvirt.
func OpenContext(_ context.Context, uri string) (*Conn, error) { return Open(uri) }

// PrepareEvents answers ErrNoLibvirt.
func PrepareEvents() error { return noLibvirt("events") }

func (c *Conn) refuse() error { return noLibvirt("") }

// The methods below answer ErrNoLibvirt, like all of a Conn without cgo.

func (c *Conn) URI() string     { return "" }
func (c *Conn) Daemon() Daemon  { return Daemon{} }
func (c *Conn) Close() error    { return nil }
func (c *Conn) Notes() []string { return []string{} }

func (c *Conn) State(context.Context) (State, error)                    { return State{}, c.refuse() }
func (c *Conn) Networks(context.Context) ([]Network, error)             { return nil, c.refuse() }
func (c *Conn) ActiveNetworks(context.Context) ([]Network, error)       { return nil, c.refuse() }
func (c *Conn) NetworksFull(context.Context) ([]Network, error)         { return nil, c.refuse() }
func (c *Conn) Network(context.Context, string) (Network, error)        { return Network{}, c.refuse() }
func (c *Conn) Guests(context.Context) ([]Guest, error)                 { return nil, c.refuse() }
func (c *Conn) Guest(context.Context, string) (Guest, error)            { return Guest{}, c.refuse() }
func (c *Conn) Leases(context.Context, string) ([]Lease, error)         { return nil, c.refuse() }
func (c *Conn) PortXML(context.Context, string, string) (string, error) { return "", c.refuse() }
func (c *Conn) Define(context.Context, string, bool) error              { return c.refuse() }
func (c *Conn) Create(context.Context, string, bool) error              { return c.refuse() }
func (c *Conn) Start(context.Context, string) error                     { return c.refuse() }
func (c *Conn) Stop(context.Context, string) error                      { return c.refuse() }
func (c *Conn) Undefine(context.Context, string) error                  { return c.refuse() }
func (c *Conn) SetAutostart(context.Context, string, bool) error        { return c.refuse() }
func (c *Conn) DeletePort(context.Context, string, string) error        { return c.refuse() }

func (c *Conn) GuestConfig(context.Context, string) ([]Interface, error) { return nil, c.refuse() }

func (c *Conn) Addresses(context.Context, string, string) ([]Address, error) {
	return nil, c.refuse()
}

func (c *Conn) NetworkXML(context.Context, string, bool) (string, error) { return "", c.refuse() }
func (c *Conn) GuestXML(context.Context, string, bool) (string, error)   { return "", c.refuse() }

func (c *Conn) CreatePort(context.Context, string, string, bool) error { return c.refuse() }

func (c *Conn) UpdateNetwork(context.Context, string, SectionUpdate, string, bool) error {
	return c.refuse()
}

func (c *Conn) TakesMetadata(context.Context, string) error { return c.refuse() }

func (c *Conn) SetMetadata(context.Context, string, MetadataUpdate, string, bool) error {
	return c.refuse()
}

func (c *Conn) HasFilter(context.Context, string) (bool, error) { return false, c.refuse() }

func (c *Conn) HasPort(context.Context, string, string) (bool, error) { return false, c.refuse() }

func (c *Conn) AttachInterface(context.Context, string, string, bool, bool) error {
	return c.refuse()
}

func (c *Conn) DetachInterface(context.Context, string, string, bool, bool) error {
	return c.refuse()
}

func (c *Conn) UpdateInterface(context.Context, string, string, bool, bool) error {
	return c.refuse()
}

func (c *Conn) Events(context.Context, EventFilter, func(), func(Event) bool) error {
	return c.refuse()
}
