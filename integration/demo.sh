#!/usr/bin/env bash
# Plays kvnet's story on a sealed host, printing every command and what it
# really said. Needs bin/kvnet and bin/kvlab (make build) and root.
#
#   lab#      on this machine: makes the sealed host and its guests
#   host#     on the sealed host
#   outside#  in the namespace that plays the internet, 203.0.113.1
#   centos#   in a guest
set -euo pipefail

bin=$(cd "$(dirname "$0")/../bin" && pwd)
name=demo-$$
export PATH=$bin:$PATH NO_COLOR=1
trap 'kvlab down "$name" >/dev/null 2>&1 || true' EXIT

chapter() { printf '\n\n== %s\n' "$*"; }
host()    { printf '\nhost# %s\n' "$*"; kvlab exec "$name" -- sh -c "$*"; }
outside() { printf '\noutside# %s\n' "$*"; kvlab exec --outside "$name" -- sh -c "$*"; }
guest()   { local g=$1; shift; printf '\n%s# %s\n' "$g" "$*"; kvlab guest "$name" "$g" exec -- sh -c "$*"; }
lab()     { printf '\nlab# kvlab %s\n' "$*"; kvlab "$@"; }

# fails CODE COMMAND: the command must end with that exit code.
fails() {
	local want=$1 have=0
	shift
	host "$@" || have=$?
	printf '(exit code %s)\n' "$have"
	[ "$have" = "$want" ]
}

lab up "$name"

chapter "1. The classic NAT network; asking twice changes nothing"
host kvnet net-define default --start --autostart
host kvnet net-define default --start --autostart
host kvnet net-list

chapter "2. A guest that is shut off"
lab guest --mac 52:54:00:e4:75:83 "$name" centos define
host kvnet domif-list centos
host kvnet bridge-list

chapter "3. It starts, and the outside sees the host's address"
lab guest "$name" centos start
lab guest "$name" centos address 192.168.122.0/24
host kvnet domif-list centos
host kvnet domif-addr centos
host kvnet net-dhcp-leases default
guest centos ping -c 3 -W 2 203.0.113.1
guest centos wget -q -O - http://203.0.113.1:8080/

chapter "4. A host bridge over eth0, a network on it, a second interface for the running guest"
host "ip link add br0 type bridge stp_state 0 forward_delay 0 && ip link set br0 up
      ip link set eth0 master br0 && ip addr flush dev eth0
      ip addr add 203.0.113.2/24 dev br0 && ip route add default via 203.0.113.1"
host kvnet net-define lan --mode bridge --bridge br0 --start
host kvnet domif-attach centos br0
host kvnet bridge-list
guest centos "ip link set eth1 up && ip addr add 203.0.113.50/24 dev eth1"
guest centos wget -q -O - http://203.0.113.1:8080/
lab guest "$name" second define
host kvnet domif-attach second br0
lab guest "$name" second start
lab guest "$name" second address 192.168.122.0/24
guest second "ip link set eth1 up && ip addr add 203.0.113.51/24 dev eth1"
guest second ping -c 1 -W 2 192.168.122.169
guest second ping -c 1 -W 2 203.0.113.50

chapter "5. Broken behind libvirt's back"
host kvnet verify
host "virsh net-destroy default && virsh net-start default"
host ip addr flush dev virbr0
host ip link set vnet1 nomaster
host virsh net-list
host virsh domiflist centos
fails 3 kvnet verify

chapter "6. The cures, as printed"
while read -r cure; do
	host "$cure"
done < <(kvlab exec "$name" -- kvnet verify -o json | sed -n '/"commands": \[/,/\]/s/^ *"\(.*\)",\{0,1\}$/\1/p')
host kvnet verify
guest centos ping -c 1 -W 2 192.168.122.1
guest centos ping -c 1 -W 2 203.0.113.1
guest second ping -c 1 -W 2 192.168.122.169
