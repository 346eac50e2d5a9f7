#!/bin/busybox sh
# First process of a guest: modules, links, the agent, and DHCP on every eth*
# that is there or comes later.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
while read -r module; do
	insmod "/lib/modules/$module.ko" || echo "guest: cannot load $module"
done </lib/modules/order

read -r cmdline </proc/cmdline
for word in $cmdline; do
	case $word in
	kvlab.name=*) hostname "${word#kvlab.name=}" ;;
	esac
done
echo "127.0.0.1 localhost $(hostname)" >/etc/hosts
ip link set lo up
echo "guest: $(hostname) is up"

( while :; do setsid /bin/agent.sh </dev/ttyS1 >/dev/ttyS1 2>/dev/console; sleep 1; done ) &

# One DHCP client per link, as long as the link is there. A new link is noticed
# within a quarter of a second.
serve() {
	index=$(cat "/sys/class/net/$1/ifindex")
	ip link set "$1" up
	while [ "$(cat "/sys/class/net/$1/ifindex" 2>/dev/null)" = "$index" ]; do
		udhcpc -i "$1" -f -s /bin/udhcpc.sh -t 8 -T 1 -A 2 -x "hostname:$(hostname)" >/dev/console 2>&1
		sleep 1
	done
	rm -f "/run/dhcp-$1-$index"
}

while :; do
	for link in /sys/class/net/eth*; do
		[ -e "$link" ] || continue
		name=${link##*/}
		index=$(cat "$link/ifindex" 2>/dev/null) || continue
		[ -e "/run/dhcp-$name-$index" ] && continue
		: >"/run/dhcp-$name-$index"
		echo "guest: $name appeared, $(cat "$link/address")"
		serve "$name" &
	done
	usleep 250000
done
