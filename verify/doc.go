// Package verify says what is wrong: it holds what libvirt declares against
// what the kernel shows, and names each difference with its cause and cure.
//
// It is not a collector and not a repairer. [Judge] is a pure function from a
// [Snapshot] to a [Report]: it has no connection, clock or file, cannot block
// and cannot fail. It builds and runs with CGO_ENABLED=0, without root, on a
// saved snapshot.
//
// Contract: what could not be read is a gap, and a check that needs it answers
// "unknown": never "fine" for lack of evidence, never a false alarm. One cause
// is one finding: followers are silent for a subject whose cause is named.
//
// The packet filter is judged by what it does to a network's packets, not by
// its text: flow.go says how, and how a check asks it.
//
// When it misbehaves: `kvnet snapshot FILE`, then `kvnet verify --snapshot
// FILE`; the file is a test case, see testdata.
package verify
