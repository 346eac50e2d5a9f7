#!/bin/busybox sh
# Called by udhcpc with what a lease says.
export PATH=/bin:/sbin
case $1 in
deconfig)
	# An address that a test has set by hand stays.
	[ -s "/run/lease-$interface" ] && ip addr del "$(cat "/run/lease-$interface")" dev "$interface" 2>/dev/null
	rm -f "/run/lease-$interface"
	ip link set "$interface" up
	;;
bound | renew)
	address="$ip/${mask:-24}"
	[ "$(cat "/run/lease-$interface" 2>/dev/null)" = "$address" ] || ip addr add "$address" dev "$interface"
	echo "$address" >"/run/lease-$interface"
	[ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
	for gateway in $router; do
		ip route replace default via "$gateway" dev "$interface" metric "$(cat "/sys/class/net/$interface/ifindex")"
		break
	done
	: >/etc/resolv.conf
	for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
	[ "$1" = bound ] && echo "guest: $interface has $address"
	;;
esac
exit 0
