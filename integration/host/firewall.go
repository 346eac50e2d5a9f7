package host

import (
	"fmt"
	"os"
	"path/filepath"
)

// Firewalls of libvirt 10.4 and newer; older releases know iptables only, and
// no setting.
const (
	IPTables = "iptables"
	NFTables = "nftables"
)

// localPrograms comes first in sbinPath.
const localPrograms = "/usr/local/sbin"

// trafficControl stands before the real tc. libvirt's nftables backend starts
// no network with DHCP unless tc can fill in the checksums of the replies
// (act_csum), which some kernels lack. Where the real tc fails with that, the
// bridge's own checksum offload is switched off instead, so that the kernel
// fills them in: guests see the same packets.
const trafficControl = `#!/bin/sh
for real in /usr/sbin/tc /sbin/tc; do [ -x "$real" ] && break; done
case "$*" in *"action csum"*) ;; *) exec "$real" "$@" ;; esac
"$real" "$@" 2>/dev/null && exit
all=$*
while [ $# -gt 1 ]; do
	[ "$1" = dev ] && exec ethtool -K "$2" tx off
	shift
done
echo "tc: no device in: $all" >&2
exit 1
`

// chooseFirewall lets libvirt make its rules with this backend; "" is
// libvirt's own choice.
func chooseFirewall(root, backend string) error {
	switch backend {
	case "":
		return nil
	case IPTables, NFTables:
	default:
		return fmt.Errorf("set firewall: libvirt has no backend %q", backend)
	}
	text := fmt.Sprintf("firewall_backend = %q\n", backend)
	if err := os.WriteFile(root+"/etc/libvirt/network.conf", []byte(text), 0o644); err != nil {
		return fmt.Errorf("set firewall: %w", err)
	}
	if backend != NFTables {
		return nil
	}
	if err := overlay(root, localPrograms); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root+localPrograms, "tc"), []byte(trafficControl), 0o755); err != nil {
		return fmt.Errorf("set firewall: %w", err)
	}
	return nil
}
