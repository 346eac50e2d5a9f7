// Package socket is one conversation with the kernel by netlink: a request, the
// messages that answer it, the kernel's word when it refuses. What messages mean
// is for those who ask. It is here once because a dump of hundreds of links or
// thousands of rules should cost the kernel's time and no copy.
package socket
