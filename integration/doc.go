// Package integration is the program as people run it: scripts that play on
// sealed hosts with a real libvirtd, QEMU guests, dnsmasq and packets.
//
// It is tests only and knows nothing of the inside of the packages; what it
// shares is package host, which makes the sealed hosts.
//
// testdata/story holds the scripts that tell what a user does from beginning
// to end. testdata/fault has one script for each check of `kvnet verify`: it
// makes a healthy host, breaks it, sees exactly that check fire, runs the
// cure as printed, and sees a healthy host again. testdata/healthy has hosts
// that look odd and have no fault.
//
// The scripts are testscript's (txtar files), with the commands of
// commands_test.go:
//
//	host [nat|linux] [lan]    start a sealed host: nat has the classic network
//	                          and guest centos on it, without a system; linux
//	                          the same with one; lan has br0 over eth0, network
//	                          lan on it and guest web
//	on [-outside] CMD...      run a command on the host; stdout and stderr
//	                          can then be matched
//	sh 'TEXT'                 the same with a shell
//	guest NAME ACTION ...     as kvlab guest
//	until CMD...              on, again and again until it succeeds
//	finds CHECK SEVERITY SUBJECT
//	                          verify reports that, and nothing else
//	cure                      run what the finding says, as printed
//	cures                     the same for every finding of a fresh report
//	clean                     verify reports nothing
//
// With KVNET_TEST_ROOT=DIR the hosts run from another root folder, such as one of
// a Debian with another libvirt.
//
// When a script fails, run it alone and look at the host while it stands:
//
//	go test -tags ... ./integration -run 'TestFaults/tap-wrong-bridge' -v
package integration
