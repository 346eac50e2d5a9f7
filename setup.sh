#!/usr/bin/env bash
# Makes a Debian machine ready to build kvnet and to run its tests: installs
# the packages and the Go toolchain that are missing, and nothing else. What is
# there is looked at each time (it costs milliseconds), so no stamp can lie.
#
#   setup.sh tools    what building needs: a C compiler and Go
#   setup.sh hosts    what sealed hosts need: libvirt, QEMU and their company
#   setup.sh root     a root folder with a newer Debian's libvirt: .cache/trixie
#   setup.sh sources  libvirt's own test documents, from Debian's source package
#   setup.sh lists    update the package lists
#   setup.sh godir    print the folder of the go command to use
#   setup.sh asroot CMD...   run CMD as root with this environment
#
# No service is started on the machine, now or by the packages' own scripts:
# sealed hosts bring their own libvirtd. What the installers say goes to
# .cache/setup.log.
set -euo pipefail

# Each package with what needs it.
tool_packages=(
  gcc libc6-dev           # cgo: the libvirt binding opens the library at run time, so no libvirt headers
  ca-certificates         # Go modules come by https
)
# Sealed hosts run the machine's own programs.
host_packages=(
  libvirt-daemon-system   # libvirtd and virtlogd, and the schema of its documents
  libvirt-clients         # virsh: the second road in tests, and the cures that verify prints
  qemu-system-x86         # guests, in software emulation
  dnsmasq-base            # DHCP and DNS of libvirt's networks
  iptables nftables       # libvirt's firewall rules, and the second road to read them
  iproute2 bridge-utils   # ip, bridge and brctl: second roads in tests
  busybox-static          # a guest's whole user land
  procps util-linux mount # sysctl, nsenter and mount inside a sealed host
  xz-utils                # unpacks the source package with libvirt's own test documents
  mmdebstrap              # the root folder below
)

# A second Debian, in a folder: the tests run on its libvirt, too. Nothing of
# it ever runs outside of a sealed host.
root_suite=trixie
root_packages=(
  libvirt-daemon-system libvirt-clients qemu-system-x86 dnsmasq-base iptables nftables
  iproute2 bridge-utils busybox-static procps
  ethtool                 # stands in for what a kernel lacks: integration/host/firewall.go
)

# The toolchain to fetch where no Go is new enough for go.mod; at least go.mod's version.
go_release=1.26.8
any_go=1.16 # old enough for every Debian, new enough to fetch that one

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$top/.cache
log=$cache/setup.log
root=$cache/$root_suite

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# go_at_least FOLDER VERSION: FOLDER/go runs and is VERSION or newer. Asked
# outside the module, where an old go would refuse to read go.mod.
go_at_least() {
  local have
  have=$(cd / && env -u GOROOT GOTOOLCHAIN=local "$1/go" env GOVERSION 2>/dev/null) || return 1
  have=${have%% *}
  printf '%s\n%s\n' "$2" "${have#go}" | sort -VC
}

# find_go VERSION prints the first folder with a go of VERSION or newer; the
# machine's own Go comes before a fetched one.
find_go() {
  local dir
  while read -r dir; do
    if [ -x "$dir/go" ] && go_at_least "$dir" "$1"; then
      printf '%s\n' "$dir"
      return
    fi
  done < <(tr : '\n' <<<"$PATH"; printf '%s\n' /usr/local/go/bin /usr/lib/go/bin /usr/lib/go-*/bin "$cache/go/bin")
  return 1
}

go_wanted() { awk '$1 == "go" { print $2; exit }' "$top/go.mod"; }

# as_root runs a command as root with the caller's environment. What root
# compiles on the way goes to a cache of its own: root's files in the user's
# would stop the user's next build.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -E env "PATH=$PATH" "GOCACHE=$cache/root-build" "$@"
  else
    die "needs root (Debian packages, sealed hosts), and there is no sudo: run make as root"
  fi
}

# missing_packages prints those of its arguments that dpkg does not have
# installed and configured.
missing_packages() {
  dpkg-query -W -f '${Status}\t${Package}\n' "$@" 2>/dev/null |
    awk -F'\t' -v all="$*" '
      $1 == "install ok installed" || $1 == "hold ok installed" { have[$2] = 1 }
      END { n = split(all, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}

# apt runs apt-get without a question, without removing anything, and waits
# for another one's lock.
apt() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y --no-remove --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    "$@" </dev/null
}

# Packages ask /usr/sbin/policy-rc.d whether they may start services, and 101
# is no. An admin's own policy stays as it is: ours is mounted over it in a
# mount namespace that only the installer sees. Where there is none, ours is
# put there and taken away again; the mark tells one left by a killed run.
policy=/usr/sbin/policy-rc.d
mark="# put here by kvnet's setup.sh while packages are installed; may be deleted"
write_policy() { printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$1" && chmod 755 "$1"; }

without_starts() {
  exec 9>/run/kvnet-setup.lock
  flock 9
  if [ -e "$policy" ] && ! grep -qsF "$mark" "$policy"; then
    write_policy "$cache/policy-rc.d"
    export -f apt
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private bash -c 'mount --bind "$0" "$1" && shift && "$@"' "$cache/policy-rc.d" "$policy" "$@" 9>&-
    return
  fi
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  write_policy "$policy"
  "$@" 9>&-
}

# last_error prints apt's last complaint in the log, else the log's last line.
last_error() { grep '^E:' "$log" | tail -n 1 | grep . || tail -n 1 "$log"; }

# update_lists is content with less than all: a broken list of some other
# vendor must not stop this, and the install after it judges.
update_lists() {
  say "updating the package lists"
  apt update >>"$log" 2>&1 || true
}

# install_packages is the part that runs as root.
install_packages() {
  if ! apt install --simulate "$@" >>"$log" 2>&1; then
    update_lists
  fi
  say "installing Debian packages: $*"
  if ! without_starts apt install "$@" >>"$log" 2>&1; then
    update_lists # they may name versions that the mirror has replaced
    without_starts apt install "$@" >>"$log" 2>&1 ||
      die "install Debian packages: $(last_error) (are Debian's mirrors reachable? $log has it all)"
  fi
  case " $* " in *" libvirt-daemon-system "*) say "libvirt is installed and was not started; systemd starts it at the next boot unless you disable it" ;; esac
}

ensure_packages() {
  local missing
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "this machine has no apt-get: the set-up knows Debian 12 or newer only (README says what it installs)"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] || as_root bash "$top/setup.sh" packages "${missing[@]}"
}

# fetch_go gets the Go toolchain as what it is to Go itself: the module
# golang.org/toolchain, through the module proxy, checked against the checksum
# database. Any old go can download it; module archives carry no exec bits and
# no go.mod inside, which newer gos put right on first use, and this does here.
fetch_go() {
  local any tmp=$cache/go.tmp arch
  arch=$(dpkg --print-architecture)
  any=$(find_go "$any_go") || die "find go: golang-go is installed but has no go command"
  say "fetching Go $go_release through the module proxy"
  rm -rf "$tmp"
  mkdir "$tmp"
  echo "module bootstrap" >"$tmp/go.mod" # else an old go trips over ours
  (cd "$tmp" && env -u GOROOT GOTOOLCHAIN=local GO111MODULE=on GOFLAGS=-modcacherw GOPATH="$tmp/path" GOMODCACHE="$tmp/mod" GOCACHE="$tmp/build" \
    "$any/go" mod download "golang.org/toolchain@v0.0.1-go$go_release.linux-$arch") >>"$log" 2>&1 ||
    die "fetch Go $go_release: $(tail -n 1 "$log") (is the Go module proxy reachable?)"
  local root=$tmp/mod/golang.org/toolchain@v0.0.1-go$go_release.linux-$arch
  find "$root" -name _go.mod -execdir mv {} go.mod \;
  chmod -R a+x "$root/bin" "$root/pkg/tool"
  rm -rf "$cache/go"
  mv "$root" "$cache/go"
  rm -rf "$tmp"
}

# mirror prints where apt gets this Debian from; another release is beside it.
# shellcheck disable=SC2016 # expanded by apt
mirror() {
  local from=${KVNET_MIRROR-}
  [ -n "$from" ] || from=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }')
  printf '%s\n' "${from:-http://deb.debian.org/debian}"
}

# make_root is the part of ensure_root that runs as root. The folder is there
# whole or not at all, and the stamp says of what.
make_root() {
  local stamp=$1 from new=$root.new
  exec 8>"$root.lock"
  flock 8
  root_is "$stamp" && return
  from=$(mirror)
  say "making a root folder of Debian $root_suite for tests, once (about a minute)"
  rm -rf "$new" "$root" "$root.stamp"
  # The exclusions halve the time; unsafe-io is what a folder that can be made again may have.
  mmdebstrap --mode=root --variant=minbase --components=main --include="${root_packages[*]}" \
    --aptopt='Acquire::Retries "2"' --aptopt='Acquire::http::Timeout "20"' --aptopt='Acquire::https::Timeout "20"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$root_suite" "$new" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $root_suite main" \
    >"$root.log" 2>&1 8>&- || {
    rm -rf "$new"
    die "make the Debian $root_suite folder from $from: $(grep -m 1 '^E:' "$root.log" || tail -n 1 "$root.log") (is that mirror reachable? KVNET_MIRROR names another; $root.log has it all)"
  }
  mv "$new" "$root"
  printf '%s\n' "$stamp" >"$root.stamp"
}

root_is() { [ -d "$root" ] && [ "$(cat "$root.stamp" 2>/dev/null)" = "$1" ]; }

ensure_root() {
  local stamp="$root_suite ${root_packages[*]}"
  mkdir -p "$cache"
  root_is "$stamp" || as_root bash "$top/setup.sh" make-root "$stamp"
}

# fetch_sources gets the documents that libvirt's own tests read, which are a
# corpus for ours. They come from the source package of the libvirt that this
# Debian has, through the machine's own mirrors: apt works on lists and a cache
# of its own, so that nothing about the machine changes and nobody needs root.
documents=$cache/libvirt-tests
fetch_sources() {
  local apt_dir=$cache/apt repositories options
  [ -e "$documents/complete" ] && return
  mkdir -p "$apt_dir"/{lists/partial,cache/archives/partial,parts} "$documents.new"
  repositories=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    awk '$3 == "main"' | sort -u) # security has its own suites; main of all of them
  [ -n "$repositories" ] || die "fetch libvirt's test documents: apt knows no repository of Debian (run apt-get update)"
  local signed=/usr/share/keyrings/debian-archive-keyring.gpg
  awk -v by="$([ -e $signed ] && echo "[signed-by=$signed] ")" '{ print "deb-src " by $1, $2, $3 }' <<<"$repositories" >"$apt_dir/sources.list"
  options=(-q -o "Dir::State::Lists=$apt_dir/lists" -o "Dir::Cache=$apt_dir/cache" -o "Dir::Etc::SourceList=$apt_dir/sources.list"
    -o "Dir::Etc::SourceParts=$apt_dir/parts" -o APT::Sandbox::User=)
  say "fetching libvirt's own test documents (its source package, 9 MB)"
  {
    apt-get "${options[@]}" update &&
      (cd "$apt_dir" && rm -f libvirt_* && apt-get "${options[@]}" source --download-only "libvirt=$(dpkg-query -W -f '${source:Version}' libvirt0)")
  } >>"$log" 2>&1 || die "fetch libvirt's test documents: $(last_error)"
  tar -xJf "$apt_dir"/libvirt_*.orig.tar.xz -C "$documents.new" --strip-components=2 --wildcards \
    '*/tests/networkxml2*data' '*/tests/networkxml2xml*in' '*/tests/networkxml2xml*out' '*/tests/qemuxml2argvdata/net-*.xml' >>"$log" 2>&1 ||
    die "unpack libvirt's test documents: $(tail -n 1 "$log")"
  rm -rf "$documents" "$apt_dir"
  touch "$documents.new/complete"
  mv "$documents.new" "$documents"
}

ensure_tools() {
  # Made by the user, before sudo makes them root's.
  mkdir -p "$cache"
  : >"$log"
  local wanted=("${tool_packages[@]}")
  find_go "$any_go" >/dev/null || wanted+=(golang-go)
  ensure_packages "${wanted[@]}"
  find_go "$(go_wanted)" >/dev/null || fetch_go
  find_go "$(go_wanted)" >/dev/null || die "go.mod wants Go $(go_wanted), and Go $go_release was fetched: raise go_release in setup.sh"
}

case ${1-} in
  tools) ensure_tools ;;
  hosts) ensure_packages "${host_packages[@]}" ;;
  root) ensure_root ;;
  sources) mkdir -p "$cache" && fetch_sources ;;
  lists) as_root bash "$top/setup.sh" update ;;
  godir) find_go "$(go_wanted)" || die "no Go $(go_wanted) or newer here: run make setup" ;;
  asroot) shift && as_root "$@" ;;
  # As root, for ensure_packages, ensure_root and lists:
  packages) shift && install_packages "$@" ;;
  make-root) shift && make_root "$@" ;;
  update) update_lists ;;
  *) die "want tools, hosts, sources, root, lists, godir or asroot CMD" ;;
esac
