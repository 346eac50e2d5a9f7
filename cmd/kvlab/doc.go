// Command kvlab starts sealed libvirt hosts and runs commands and guests in
// them: `kvlab up NAME`, `kvlab exec NAME -- CMD`, `kvlab run -- CMD`,
// `kvlab guest NAME GUEST ACTION`, `kvlab list`, `kvlab down NAME`. What a
// host is, is said in package integration/host.
//
// It is no part of kvnet and knows none of its packages: it is the ground
// that kvnet is tested on. It needs root.
//
// Its contract: exec and run end with the command's own exit code; else 0 is
// done, 1 could not do it, 2 wrong command line. Whatever ends it, a host that
// was not asked to stay ends with it.
//
// When a host misbehaves, look inside: the documentation of integration/host
// lists where.
package main
