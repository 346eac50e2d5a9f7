# cut.sh WHOM PREPARE CHANGE FINISH RESET [STRIDE]: makes a change again and again, each
# time cut off STRIDE acts later than the last, an act being a call by which it
# changes something (program cutoff). WHOM is cut off:
#   kvnet      is killed
#   interrupt  kvnet gets SIGINT
#   libvirtd   is killed and started again under a kvnet that waits
#   inside     libvirtd is killed and started again, at an act of its own
# After each time nothing may be lost: what is half done is named, and FINISH alone
# makes the host what it was before or what the whole change makes it, to
# the byte. What ended by itself is one of the two, as its entry and its exit code
# say. RESET leads back to where it was before. FINISH and RESET are undo,
# undo_all, or commands. Prints how often the change was cut off, and how often it
# was half done then.
set -u
whom=$1 prepare=$2 change=$3 finish=$4 reset=$5 stride=${6:-1}

fail() { echo "cut $n: $*"; echo "$said"; kvnet history; kvnet verify; exit 1; }

# state is what virsh, ip and bridge say. One virsh is asked many things: to start one
# takes longer than its answer.
state() {
  names=$(virsh 'net-list --all --name; echo :; net-list --name; echo :; list --name' | awk '
    /^:/ { part++; next }
    NF && part == 0 { print "net-dumpxml --inactive " $1 "; net-info " $1 ";" }
    NF && part == 1 { print "net-dumpxml " $1 "; net-port-list " $1 ";" }
    NF && part == 2 { print "domiflist " $1 "; dumpxml --inactive " $1 ";" }')
  virsh -q "$names" 2>&1 | sed "
    s/ connections=.[0-9]*.//
    s/^ vnet[0-9]* //
    /^UUID:/d
    s/^ [0-9a-f-]\{36\}$/ a port/
    /<address type='pci'/d # a slot that is free again"
  ip -o link show type bridge | sed 's/^[0-9]*: //; s/state [A-Z]*//; s/<.*>//'
  ip -o addr show scope global | sed 's/^[0-9]*: //; s/  */ /g'
  bridge -d -o link show | sed 's/^[0-9]*: vnet[0-9]*//; s/<.*>//; s/state [a-z]*//' | sort
}

# raise_libvirtd kills libvirtd, or waits for its end, and starts it again.
cat >/run/raise_libvirtd <<'END'
#!/bin/sh
daemon=$(cat /run/libvirtd.pid)
kill -9 $daemon
while kill -0 $daemon; do sleep 0.05; done 2>/dev/null
rm -f /run/libvirtd.pid
libvirtd -d
until virsh uri >/dev/null 2>&1; do sleep 0.1; done
END
chmod +x /run/raise_libvirtd

# cut_off runs the change and cuts it off at the nth act; hit says whether it came
# so far, and whole whether kvnet ended by itself.
cut_off() {
  whole=yes
  case $whom in
  kvnet)
    cutoff -o /run/acts -at $n $change >/run/said 2>&1
    code=$?
    [ $code != 137 ] || whole=no
    ;;
  interrupt)
    cutoff -o /run/acts -at $n -do interrupt $change >/run/said 2>&1
    code=$?
    ;;
  libvirtd)
    cutoff -o /run/acts -at $n -do /run/raise_libvirtd $change >/run/said 2>&1
    code=$?
    ;;
  inside)
    rm -f /run/joined
    cutoff -o /run/acts -at $n -pid $(cat /run/libvirtd.pid) >/run/joined &
    tracer=$!
    until grep -qs joined /run/joined; do sleep 0.02; done
    { $change >/run/said 2>&1; echo $? >/run/code; } &
    changing=$!
    # It ends with libvirtd, or is ended when the change is over.
    while kill -0 $tracer 2>/dev/null && kill -0 $changing 2>/dev/null; do sleep 0.02; done
    kill -0 $tracer 2>/dev/null || /run/raise_libvirtd 2>/dev/null
    wait $changing
    kill $tracer 2>/dev/null
    wait $tracer
    virsh uri >/dev/null 2>&1 || /run/raise_libvirtd # kvnet was faster to hear of its end
    code=$(cat /run/code)
    ;;
  esac
  hit=no
  [ $n = 0 ] || [ $(wc -l </run/acts) -lt $n ] || hit=yes
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
former=$mark
cut_off
said=$(cat /run/said)
[ $code = 0 ] || fail "the change fails when nothing cuts it off"
state >/run/wish
hit=yes
while [ $hit = yes ]; do
  if ! cmp -s /run/before /run/state; then
    [ "$reset" = undo ] && reset=undo_all
    said="$said
    $(eval "$reset" 2>&1)" || fail "reset"
    state >/run/state
    cmp -s /run/before /run/state || { diff /run/before /run/state; fail "the whole change cannot be taken back"; }
  fi
  n=$((n + stride))
  former=$(last)
  mark=${former:-0}
  cut_off
  said=$(cat /run/said)
  [ $hit = no ] || cut=$((cut + 1))
  if [ "$(last)" = "$former" ]; then # it had only looked
    [ $hit = yes ] || fail "nothing cut it off, and it changed nothing"
    continue
  fi
  outcome=$(outcomes | awk '{ print $2 }' | sort -u | tr '\n' ' ')
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
done
echo "cut $cut half $half"
