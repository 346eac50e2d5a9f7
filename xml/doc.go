// Package xml holds libvirt's network, interface and port documents as
// values: how to read one, how to build one, what differs between two, and
// how to edit one without losing what this package does not understand.
//
// It is not a connection and knows no host, time or file: documents in,
// values out. It judges the form of a document (a MAC is a MAC, a range lies
// in its subnet), never whether a host obeys it; that is package verify.
//
// Contract: Parse never panics, whatever the text; an unset field of a
// [Network] is "no wish", and an empty list that is not nil wishes for none;
// editing goes through the element tree, so that an element unknown here
// survives every change. Reading takes what libvirt takes; [Check], and with
// it [Build] and [BuildInterface], is stricter. Errors quote at most a line of
// the document, with control characters escaped.
//
// The way of a wish: [Network.Default] fills it, [Check] judges it, [Changes]
// says whether a network already fulfils it, [Build] or [Edit] writes it.
//
// When it misbehaves: every function takes and returns text or plain values,
// so the document itself is the test case.
//
// Sources: https://libvirt.org/formatnetwork.html,
// https://libvirt.org/formatnetworkport.html and
// https://libvirt.org/formatdomain.html#network-interfaces.
package xml
