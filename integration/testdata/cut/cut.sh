# cut.sh WHOM PREPARE CHANGE FINISH RESET [STRIDE]: makes a change again and again, each
# time cut off some system calls later than the last. WHOM is cut off:
#   kvnet      is killed
#   interrupt  kvnet gets SIGINT
#   libvirtd   is killed and started again under a kvnet that waits
#   inside     libvirtd is killed and started again, at a call of its own
# After each time nothing may be lost: what is half done is named, and FINISH alone
# makes the host what it was before or what the whole change makes it, to
# the byte. What ended by itself is one of the two, as its entry and its exit code
# say. RESET leads back to where it was before. FINISH and RESET are undo,
# undo_all, or commands. Prints how often the change was cut off, and how often it was
# half done then.
set -u
whom=$1 prepare=$2 change=$3 finish=$4 reset=$5 stride=${6:-3}
# What kvnet says to libvirt and the journal, and what it says to the kernel:
# each counts for itself, as looking at the kernel takes hundreds of the latter.
classes='write,writev,sendmsg,renameat,rename,fsync sendto'
# What libvirtd says to its files, the kernel and the programs that it runs.
[ $whom != inside ] || classes='write,sendto,sendmsg,rename,unlink,ioctl,clone,clone3,vfork,wait4,kill'

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

# raise_libvirtd waits for the end of a libvirtd that was killed, and starts it again.
raise_libvirtd() {
  while kill -0 $1 2>/dev/null; do sleep 0.05; done
  rm -f /run/libvirtd.pid
  libvirtd -d
  until virsh uri >/dev/null 2>&1; do sleep 0.1; done
}

# cut_off runs the change and cuts it off at the nth call of one of its
# threads; hit says whether any made so many, and whole whether kvnet ended
# by itself.
cut_off() {
  hit=no whole=no code=0
  trace="strace -qq -e trace=$calls"
  case $whom in
  kvnet)
    $trace -f -o /dev/null -e inject=$calls:signal=KILL:when=$n $change >/run/said 2>&1
    [ $? != 137 ] || hit=yes
    ;;
  interrupt)
    $trace -f -o /run/trace -e inject=$calls:signal=INT:when=$n $change >/run/said 2>&1
    code=$?
    # A second signal, from another thread that gets so far, ends it at once.
    case $(grep -c -e '--- SIGINT' /run/trace) in
    0) ;;
    1) hit=yes whole=yes ;;
    *) hit=yes ;;
    esac
    ;;
  libvirtd)
    $trace -f -o /dev/null -e inject=$calls:signal=STOP:when=$n $change >/run/said 2>&1 &
    tracer=$! whole=yes
    while kill -0 $tracer 2>/dev/null; do
      pid=$(pgrep -x kvnet | head -n 1)
      case $(sed -n 's/^State:.\(.\).*/\1/p' /proc/${pid:-0}/status 2>/dev/null) in T | t)
        hit=yes
        daemon=$(cat /run/libvirtd.pid)
        kill -9 $daemon
        raise_libvirtd $daemon
        # Each thread that gets so far stops once more.
        while kill -CONT $pid 2>/dev/null && kill -0 $tracer 2>/dev/null; do sleep 0.05; done
        ;;
      esac
      sleep 0.02
    done
    wait $tracer
    code=$?
    ;;
  inside)
    whole=yes
    daemon=$(cat /run/libvirtd.pid)
    # Its threads, not its children.
    $trace -o /dev/null -e inject=$calls:signal=KILL:when=$n $(ls /proc/$daemon/task | sed 's/^/-p /') &
    tracer=$!
    until grep -q 'TracerPid:.[1-9]' /proc/$daemon/task/*/status; do sleep 0.02; done
    { $change >/run/said 2>&1; echo $? >/run/code; } &
    waiting=$!
    while kill -0 $waiting 2>/dev/null; do
      if [ $hit = no ] && ! kill -0 $daemon 2>/dev/null; then
        hit=yes
        raise_libvirtd $daemon
      fi
      sleep 0.02
    done
    wait $waiting
    code=$(cat /run/code)
    kill $tracer 2>/dev/null
    wait $tracer
    if [ $hit = no ] && ! virsh uri >/dev/null 2>&1; then # kvnet was faster to hear of it
      hit=yes
      raise_libvirtd $daemon
    fi
    ;;
  esac
}

# as says how things are: before, wish, or neither. libvirtd, just started,
# may still put taps and rules back.
as() {
  tries=0
  while :; do
    state >/run/state
    ! cmp -s /run/before /run/state || { echo before; return; }
    ! cmp -s /run/wish /run/state || { echo wish; return; }
    tries=$((tries + 1))
    case $whom in libvirtd | inside) ;; *) tries=50 ;; esac
    [ $tries -lt 50 ] || { echo neither; return; }
    sleep 0.2
  done
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
former=$mark
entries=$(outcomes | wc -l)
# Which thread makes which call differs each time: where a change is short, all
# is gone through again until it was met in the middle of it.
reached=0 round=0
while [ $reached -lt 3 ] && [ $round -lt 3 ]; do
  round=$((round + 1))
  for calls in $classes; do
    n=0 long=24 stood=0 former_outcome=
    [ $calls != sendto ] || long=60
    step=$long
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
        [ $hit = yes ] || fail "nothing cut it off, and it changed nothing"
        continue
      fi
      outcome=$(outcomes | awk '{ print $2 }' | sort -u | tr '\n' ' ')
      if [ $step -gt $stride ] && [ "$outcome" != "$former_outcome" ]; then # some were stepped over
        case $whom in kvnet | interrupt) n=$((n - step)) back=yes ;; esac # elsewhere each thread counts its own
        step=$stride
      fi
      former_outcome=$outcome
      # What stands is only looked at. But threads count their calls each for itself,
      # so this shows only behind many, and not where a change makes few.
      case $whom$outcome in
      "kvnetdone " | "interruptdone ") stood=$((stood + 1)) ;;
      *) stood=0 ;;
      esac
      [ $stood -lt 6 ] || [ $stride = 1 ] || [ $back = yes ] || [ $(outcomes | wc -l) -lt $entries ] || step=$long
      case $outcome in
      *begun* | *left*)
        [ $whole = no ] || [ "${outcome#*begun}" = "$outcome" ] || fail "kvnet ended and its entry did not"
        [ $whole = no ] || [ $code != 0 ] || fail "what is half done is said to be done"
        half=$((half + 1))
        kvnet verify -o json | grep -q '"check": "change-half-done"' || fail "verify does not name what is half done"
        said="$said
    $($finish 2>&1)" || fail "$finish failed"
        is=$(as)
        ;;
      "undone ")
        is=$(as)
        [ $is = before ] || [ $whole = no ] || { diff /run/before /run/state; fail "it is $is, and the entry says undone"; }
        [ $code != 0 ] || [ $whole = no ] || fail "exit code 0, and the entry says undone"
        ;;
      *)
        [ $code = 0 ] || [ $whole = no ] || [ "$outcome" != "done " ] || fail "exit code $code, and the entry says done"
        said="$said
    $($finish 2>&1)" || fail "$finish failed"
        is=$(as)
        ;;
      esac
      [ $is != neither ] || { diff /run/before /run/state; fail "it is neither as before nor as wished"; }
      kvnet verify -o json >/run/report
      grep -q '"change-half-done"' /run/report && fail "$finish left it half done"
      case $finish in
      undo*) ;;
      *) cmp -s /run/wish /run/state || continue ;; # what was before is a fault
      esac
      grep -q '"findings": \[\]' /run/report || { cat /run/report; fail "verify is not clean"; }
      [ $hit = yes ] || [ $back = yes ] || break
      [ $n -lt 900 ] || fail "it never ended"
    done
  done
  reached=$half
  [ $whom = kvnet ] || reached=$cut # a kvnet that lives on takes back what it can by itself
done
echo "cut $cut half $half reached $reached"
