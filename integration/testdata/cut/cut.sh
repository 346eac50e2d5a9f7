# cut.sh WHOM PREPARE CHANGE: makes a change again and again, each time cut off
# some system calls later than the last: WHOM is kvnet, which is killed, or
# libvirtd, which is killed and started again under a kvnet that waits. After
# each time nothing may be lost: what is half done is named, and taken back to
# the byte. Prints how often the change was cut off, and how often it was half
# done then.
set -u
whom=$1 prepare=$2 change=$3
calls=write,writev,sendmsg,sendto,renameat,rename,fsync

fail() { echo "cut $n: $*"; echo "$said"; kvnet history; kvnet verify; exit 1; }

state() {
  for net in $(virsh net-list --all --name); do
    virsh net-dumpxml --inactive $net 2>/dev/null || virsh net-dumpxml $net
    virsh net-info $net | grep -v UUID
  done
  for guest in $(virsh list --name); do
    virsh domiflist $guest | sed 's/vnet[0-9]*//'
    virsh domiflist --inactive $guest
  done
  ip -o link show type bridge | sed 's/^[0-9]*: //; s/state [A-Z]*//; s/<.*>//'
  ip -o addr show scope global | sed 's/^[0-9]*: //; s/  */ /g'
  bridge -o link show | sed 's/^[0-9]*: vnet[0-9]*//; s/<.*>//; s/state [a-z]*//' | sort
}

restart_libvirtd() {
  kill -9 $(cat /run/libvirtd.pid)
  while kill -0 $(cat /run/libvirtd.pid) 2>/dev/null; do sleep 0.05; done
  rm -f /run/libvirtd.pid
  libvirtd -d
  until virsh uri >/dev/null 2>&1; do sleep 0.1; done
}

# cut_off runs the change and cuts it off at the nth call of one of its
# threads; hit says whether any made so many.
cut_off() {
  hit=no
  if [ $whom = kvnet ]; then
    strace -f -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=KILL:when=$n $change >/run/said 2>&1
    [ $? != 137 ] || hit=yes
    return
  fi
  strace -f -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=STOP:when=$n $change >/run/said 2>&1 &
  tracer=$!
  while kill -0 $tracer 2>/dev/null; do
    pid=$(pgrep -x kvnet | head -n 1)
    case $(sed -n 's/^State:.\(.\).*/\1/p' /proc/${pid:-0}/status 2>/dev/null) in T | t)
      hit=yes
      restart_libvirtd
      # Each thread that gets so far stops once more.
      while kill -CONT $pid 2>/dev/null && kill -0 $tracer 2>/dev/null; do sleep 0.05; done
      ;;
    esac
    sleep 0.02
  done
  wait $tracer
}

last() { kvnet history -q | tail -n 1 | awk '{ print $1 }'; }

n=0 step=12 cut=0 half=0 said=
eval "$prepare" >/dev/null || exit 1
state >/run/before
while :; do
  n=$((n + step))
  former=$(last)
  cut_off
  said=$(cat /run/said)
  number=$(last)
  [ $hit = no ] || cut=$((cut + 1))
  if [ "$number" != "$former" ]; then
    [ $whom = kvnet ] && step=3 || step=10 # now calls count; each thread counts its own
    outcome=$(kvnet history -q | tail -n 1 | awk '{ print $4 }')
    case $outcome in
    begun | left)
      half=$((half + 1))
      if [ $outcome = begun ]; then
        kvnet verify -o json | grep -q '"check": "change-half-done"' || fail "verify does not name what is half done"
      fi
      ;;
    esac
    if [ $outcome != undone ]; then
      said="$said
$(kvnet undo $number 2>&1)" || fail "undo failed"
    fi
  fi
  state >/run/after
  cmp -s /run/before /run/after || { diff /run/before /run/after; fail "it is not as before"; }
  kvnet verify -o json >/run/report || fail "verify"
  if [ $whom = libvirtd ] && ! grep -q '"findings": \[\]' /run/report; then
    # Killed between two rules of a network that it did not start, it leaves
    # those behind, and knows nothing of them when it starts again.
    said=$(kvnet repair --apply --guarded 2>&1) || fail "repair"
    kvnet verify -o json >/run/report || fail "verify"
  fi
  grep -q '"findings": \[\]' /run/report || { cat /run/report; fail "verify is not clean"; }
  [ $hit = yes ] || break
  [ $n -lt 600 ] || fail "it never ended"
done
echo "cut $cut half $half"
