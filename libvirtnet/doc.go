// Package libvirtnet says what libvirt tells of networks, guests and their
// interfaces, plans changes to them, makes the changes and takes them back.
//
// It is not a look at the kernel and gives no verdict: what libvirt says here
// is what libvirt believes. It prints nothing.
//
// Contract: one pass over libvirt fills a [State] with as few calls as
// libvirt allows, on any driver; what a driver does not support or refuses is
// a [Gap]. A [Plan] is pure. [Conn.Apply] undoes what it did, newest first,
// when a step or the check after it fails, and keeps every error. No value of
// the libvirt binding leaves this package: errors are [Error], with the
// sentinels ErrNotFound, ErrInUse, ErrNoLibvirt and the like to decide on.
//
// State and Plan build without cgo; connecting then answers ErrNoLibvirt.
// With the build tag libvirt_dlopen the library is looked for when a
// connection is opened, so that programs start where libvirt is missing.
//
// When it misbehaves: LIBVIRT_DEBUG=1 shows every call of the library, and
// `virsh -c URI` with the same URI is the second road.
package libvirtnet
