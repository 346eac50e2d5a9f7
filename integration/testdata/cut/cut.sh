# cut.sh WHOM PREPARE CHANGE FINISH RESET [STRIDE]: makes a change again and again, each
# time cut off some system calls later than the last: WHOM is kvnet, which is
# killed, or libvirtd, which is killed and started again under a kvnet that
# waits. After each time nothing may be lost: what is half done is named, and
# FINISH makes the host what it was before or what the whole change makes it, to
# the byte. RESET leads back to where it was before. FINISH and RESET are undo,
# undo_all, or commands. Prints how often the change was cut off, and how often it was
# half done then.
set -u
whom=$1 prepare=$2 change=$3 finish=$4 reset=$5 stride=${6:-3}
# What kvnet says to libvirt and the journal, and what it says to the kernel:
# each counts for itself, as looking at the kernel takes hundreds of the latter.
classes='write,writev,sendmsg,renameat,rename,fsync sendto'

fail() { echo "cut $n: $*"; echo "$said"; kvnet history; kvnet verify; exit 1; }

state() {
  for net in $(virsh net-list --all --name); do
    virsh net-dumpxml --inactive $net 2>/dev/null || virsh net-dumpxml $net
    virsh net-info $net | grep -v UUID
  done
  for net in $(virsh net-list --name); do
    virsh net-dumpxml $net | sed 's/ connections=.[0-9]*.//'
    virsh -q net-port-list $net | grep -c .
  done
  for guest in $(virsh list --name); do
    virsh -q domiflist $guest | awk '{ print $2, $3, $4, $5 }'
    virsh dumpxml --inactive $guest | grep -v "<address type='pci'" # a slot that is free again
  done
  ip -o link show type bridge | sed 's/^[0-9]*: //; s/state [A-Z]*//; s/<.*>//'
  ip -o addr show scope global | sed 's/^[0-9]*: //; s/  */ /g'
  bridge -d -o link show | sed 's/^[0-9]*: vnet[0-9]*//; s/<.*>//; s/state [a-z]*//' | sort
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
outcomes() { kvnet history -q | awk -v "after=$former" '$1 > after { print $1, $4 }'; }

# undo takes back what the change did, newest first: a new network has another
# UUID and MAC each time.
undo() {
  for number in $(outcomes | awk '$2 != "undone" { print $1 }' | sort -rn); do
    kvnet undo $number || return
  done
}

# undo_half takes back only what did not end.
undo_half() {
  for number in $(outcomes | awk '$2 == "begun" || $2 == "left" { print $1 }' | sort -rn); do
    kvnet undo $number || return
  done
}

# undo_all takes back all that was done since the beginning.
undo_all() {
  for number in $(kvnet history -q | awk -v "after=$mark" '$1 > after && $4 != "undone" { print $1 }' | sort -rn); do
    kvnet undo $number --restart || return
  done
}

n=0 cut=0 half=0 said=
eval "$prepare" >/dev/null || exit 1
mark=$(last)
mark=${mark:-0}
state >/run/before
said=$($change 2>&1) || fail "the change fails when nothing cuts it off"
state >/run/wish
for calls in $classes; do
  n=0 step=24
  [ $calls != sendto ] || step=60
  while :; do
    if ! cmp -s /run/before /run/state; then
      [ "$reset" = undo ] && reset=undo_all
      said="$said
  $(eval "$reset" 2>&1)" || fail "reset"
      state >/run/state
      cmp -s /run/before /run/state || { diff /run/before /run/state; fail "the whole change cannot be taken back"; }
    fi
    n=$((n + step))
    former=$(last)
    mark=${former:-0}
    cut_off
    back=no said=$(cat /run/said)
    [ $hit = no ] || cut=$((cut + 1))
    if [ "$(last)" = "$former" ]; then # it had only looked
      [ $hit = yes ] || break
      continue
    else
      if [ $whom = kvnet ] && [ $step -gt $stride ]; then # some were stepped over
        n=$((n - step)) back=yes
      fi
      [ $whom = kvnet ] && step=$stride || step=10 # now calls count; each thread counts its own
      case $(outcomes) in
      *begun*)
        half=$((half + 1))
        kvnet verify -o json | grep -q '"check": "change-half-done"' || fail "verify does not name what is half done"
        ;;
      *left*) half=$((half + 1)) ;;
      esac
      said="$said
  $($finish 2>&1)" || {
        # A daemon that is killed while it starts a network leaves a bridge that
        # is in its own way: that is repair's.
        [ $whom = libvirtd ] || fail "$finish failed"
        said="$said
  $(kvnet repair --apply --guarded 2>&1)" || fail "neither $finish nor repair"
      }
    fi
    state >/run/state
    tries=0
    until cmp -s /run/before /run/state || cmp -s /run/wish /run/state; do
      tries=$((tries + 1))
      [ $whom = libvirtd ] && [ $tries -lt 50 ] || { diff /run/before /run/state; fail "it is neither as before nor as wished"; }
      # libvirtd, just started, may still put taps back; what it forgot is repair's.
      [ $tries != 25 ] || kvnet repair --apply --guarded >/dev/null 2>&1
      sleep 0.2
      state >/run/state
    done
    kvnet verify -o json >/run/report
    grep -q '"change-half-done"' /run/report && fail "$finish left it half done"
    case $finish in
    undo*) ;;
    *) cmp -s /run/wish /run/state || continue ;; # what was before is a fault
    esac
    if [ $whom = libvirtd ] && ! grep -q '"findings": \[\]' /run/report; then
      # Killed between two rules of a network that it did not start, it leaves
      # those behind, and knows nothing of them when it starts again.
      said=$(kvnet repair --apply --guarded 2>&1) || fail "repair"
      kvnet verify -o json >/run/report || fail "verify"
    fi
    grep -q '"findings": \[\]' /run/report || { cat /run/report; fail "verify is not clean"; }
    [ $hit = yes ] || [ $back = yes ] || break
    [ $n -lt 900 ] || fail "it never ended"
  done
done
echo "cut $cut half $half"
