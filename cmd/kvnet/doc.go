// Kvnet shows, proves and changes the networks of a KVM host: what libvirt
// declares and what the kernel has.
//
// The program is flags in, library calls, text out, exit code. It holds no
// rule of judgement (package verify), no libvirt call (libvirtnet) and no
// netlink message (bridge). Its contract is: data on standard output and all
// else on standard error, flags anywhere on the command line, one error line
// and at most one hint line, and the exit codes below.
//
//	0  done, or nothing to do, or nothing wrong
//	1  could not do it
//	2  wrong command line, nothing was done
//	3  did its work and something is wrong
//	4  refused
//	5  timed out waiting
//
// A command is one file: its options, its declaration (newX builds a
// *cli.Command), its action (runX, which knows no flags) and its printer. Only
// run decides on exit codes and prints errors.
package main
