// Package lint judges network and domain documents before libvirt sees them:
// what it would refuse, what it would take and could not start, what it would
// drop without a word, and what it would take although it cannot work.
//
// It is not a look at a host: what is known of one comes in as a [Host], a
// value, and [CheckOn] holds documents against it, too. The same value answers
// a command that is to define a network: what stands in the way is judged in
// one place. What one document says of another is judged as far as both are
// given.
//
// Contract: [Check], [CheckFor] and [CheckOn] are pure and have no error; a document that
// cannot be read is a finding, and what is not known of a host is none. Every finding names a rule of [Rules] and the place in the
// file. [Rule.Refused] says what libvirt 9.0 does with such a document ([CheckFor] and [CheckOn] know where another release differs), and a
// test holds that, and the silence on documents that libvirt takes, against
// libvirt itself. Rule ids are for ever.
//
// When it misbehaves: the document is the test case, see testdata.
//
// Sources: libvirt 9.0's own sources, as each rule names them, and its
// schema, src/conf/schemas/network.rng.
package lint
