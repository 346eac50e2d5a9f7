// Package services reads what stands around libvirt and the kernel on this
// machine: the files that libvirt writes for dnsmasq and keeps of its networks,
// the programs and device nodes that it needs, the resolver, the access list of
// QEMU's bridge helper, and the managers that may have a say in a bridge:
// firewalld, NetworkManager, systemd-networkd and Open vSwitch.
//
// It is neither libvirt's answer (libvirtnet) nor the kernel's (bridge), and it
// judges nothing: a [State] is plain values, sorted, and two readings of one
// machine are equal. It starts no program, activates no service, and writes
// nothing.
//
// Contract: [Read] does not fail. What is not there is absent from the State,
// what is there and cannot be read is a [Gap]. Files are read up to a bound and
// may hold anything. Without a system bus and without Open vSwitch no socket is
// opened; each service that is asked has a time limit of its own.
//
// The files are those of the reader's mounts. [SameFiles] says whether a libvirt
// daemon sees the same ones; without that they say nothing about it.
//
// When it misbehaves: `kvnet snapshot FILE` has the State under "services"; a
// folder laid out like the machine's root, given as [Options].Root, is a test
// case.
package services
