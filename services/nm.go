package services

import (
	"cmp"
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// external is NM_ACTIVATION_STATE_FLAG_EXTERNAL (libnm, nm-dbus-interface.h;
// NetworkManager 1.26 and later).
const external = 0x80

// networkManager takes every device and active connection with one call.
func (r *reader) networkManager(ctx context.Context, conn *dbus.Conn) (*NetworkManager, error) {
	process := start(ctx, conn.BusObject(), busName+".GetConnectionUnixProcessID", nmName)
	all := start(ctx, conn.Object(nmName, "/org/freedesktop"), "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
	nm := &NetworkManager{Namespace: r.namespaceOf(process), Devices: []NMDevice{}}
	var objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	if err := finish(all, &objects); err != nil {
		return nil, fmt.Errorf("ask NetworkManager: %w", err)
	}
	for _, o := range objects {
		device, ok := o[nmName+".Device"]
		if !ok {
			continue
		}
		d := NMDevice{Link: property[string](device, "Interface"), State: int(property[uint32](device, "State"))}
		if active, ok := objects[property[dbus.ObjectPath](device, "ActiveConnection")]; ok {
			c := active[nmName+".Connection.Active"]
			d.Connection = property[string](c, "Id")
			d.External = property[uint32](c, "StateFlags")&external != 0
		}
		nm.Devices = append(nm.Devices, d)
	}
	sortBy(nm.Devices, func(a, b NMDevice) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.State, b.State), cmp.Compare(a.Connection, b.Connection))
	})
	return nm, nil
}

// property is a property of type T; its zero value when it is not there or
// something else.
func property[T any](properties map[string]dbus.Variant, name string) T {
	value, _ := properties[name].Value().(T)
	return value
}
