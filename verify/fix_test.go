package verify

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStepCommand(t *testing.T) {
	for _, test := range []struct {
		step Step
		want string
	}{
		{Step{Do: LinkUp, On: "vnet0"}, "ip link set dev vnet0 up"},
		{Step{Do: LinkDown, On: "virbr7"}, "ip link set dev virbr7 down"},
		{Step{Do: LinkDel, On: "vnet9"}, "ip link del dev vnet9"},
		{Step{Do: LinkCarrier, On: "vnet9"}, "ip link set dev vnet9 carrier on"},
		{Step{Do: SetMaster, On: "vnet0", With: "virbr0"}, "ip link set dev vnet0 master virbr0"},
		{Step{Do: NoMaster, On: "eth1"}, "ip link set dev eth1 nomaster"},
		{Step{Do: SetARP, On: "virbr0", With: "on"}, "ip link set dev virbr0 arp on"},
		{Step{Do: NeighbourDel, On: "virbr0", With: "192.168.122.9"}, "ip neigh del 192.168.122.9 dev virbr0"},
		{Step{Do: SetMTU, On: "vnet0", With: "9000"}, "ip link set dev vnet0 mtu 9000"},
		{Step{Do: SetMAC, On: "vnet0", With: "fe:54:00:00:00:01"}, "ip link set dev vnet0 address fe:54:00:00:00:01"},
		{Step{Do: AddressAdd, On: "virbr0", With: "10.0.0.1/24"}, "ip addr add 10.0.0.1/24 dev virbr0"},
		{Step{Do: AddressKeep, On: "virbr0", With: "10.0.0.1/24"}, "ip addr replace 10.0.0.1/24 dev virbr0"},
		{Step{Do: AddressDel, On: "virbr0", With: "fd00::1/64"}, "ip addr del fd00::1/64 dev virbr0"},
		{Step{Do: RouteAdd, On: "virbr0", With: "10.0.0.1/24"}, "ip route replace 10.0.0.0/24 dev virbr0 proto kernel scope link src 10.0.0.1"},
		{Step{Do: RouteAdd, On: "virbr0", With: "fd00::1/64"}, "ip -6 route replace fd00::/64 dev virbr0 proto kernel"},
		{Step{Do: RouteVia, On: "virbr0", With: "10.5.0.0/16", Args: []string{"via", "10.0.0.7", "metric", "1"}}, "ip route replace 10.5.0.0/16 dev virbr0 via 10.0.0.7 metric 1"},
		{Step{Do: RouteVia, On: "virbr0", With: "fd05::/48", Args: []string{"via", "fd00::7", "metric", "5"}}, "ip -6 route replace fd05::/48 dev virbr0 via fd00::7 metric 5"},
		{Step{Do: RouteDefault, On: "br0", With: "10.0.0.9"}, "ip route replace default via 10.0.0.9 dev br0"},
		{Step{Do: RouteDefault, On: "br0", With: "fe80::1"}, "ip -6 route replace default via fe80::1 dev br0"},
		{Step{Do: BridgeAdd, On: "br0"}, "ip link add name br0 type bridge"},
		{Step{Do: ForwardDelay, On: "br0", With: "2000"}, "ip link set dev br0 type bridge forward_delay 200"},
		{Step{Do: SetSTP, On: "br0", With: "1"}, "ip link set dev br0 type bridge stp_state 1"},
		{Step{Do: PortForward, On: "vnet0"}, "bridge link set dev vnet0 state 3"},
		{Step{Do: SetIsolated, On: "vnet0", With: "off"}, "bridge link set dev vnet0 isolated off"},
		{Step{Do: SetSysctl, On: "net.ipv4.ip_forward", With: "1"}, "sysctl -w net.ipv4.ip_forward=1"},
		{Step{Do: NetDefine, On: "lab", Args: []string{"--subnet", "auto"}}, "kvnet net-define lab --subnet auto"},
		{Step{Do: NetStart, On: "lab"}, "kvnet net-start lab"},
		{Step{Do: NetStopForce, On: "lab"}, "kvnet net-destroy lab --force"},
		{Step{Do: NetAutostart, On: "lab"}, "kvnet net-autostart lab"},
		{Step{Do: Replug, On: "centos", With: "vnet0"}, "kvnet domif-replug centos vnet0"},
		{Step{Do: Attach, On: "centos", With: "lab", Args: []string{"--model", "virtio"}}, "kvnet domif-attach centos lab --model virtio"},
		{Step{Do: Detach, On: "centos", With: "52:54:00:00:00:01"}, "kvnet domif-detach centos 52:54:00:00:00:01"},
		{Step{Do: LinkState, On: "centos", With: "vnet0"}, "virsh domif-setlink centos vnet0 up"},
		{Step{Do: Resume, On: "centos"}, "virsh resume centos"},
		{Step{Do: Wakeup, On: "centos"}, "virsh dompmwakeup centos"},
		{Step{Do: GuestStop, On: "centos"}, "virsh destroy centos"},
		{Step{Do: GuestStart, On: "centos"}, "virsh start centos"},
		{Step{Do: Reload, On: "libvirtd"}, "systemctl reload libvirtd"},
		{Step{Do: Hangup, On: "42"}, "kill -HUP 42"},
		{Step{Do: Kill, On: "42"}, "kill 42"},
		{Step{Do: Continue, On: "42"}, "kill -CONT 42"},
		{Step{Do: AwaitEnd, On: "42"}, "timeout 45 tail -s 0.1 --pid=42 -f /dev/null"},
		{Step{Do: LinkRename, On: "foo", With: "virbr0"}, "ip link set dev foo name virbr0"},
		{Step{Do: Filter, On: "iptables", Args: []string{"-I", "FORWARD", "-i", "virbr0", "-j", "ACCEPT"}}, "iptables -I FORWARD -i virbr0 -j ACCEPT"},
		{Step{Do: Restart, On: "virtnetworkd"}, "systemctl restart virtnetworkd"},
		{Step{Do: Daemon, On: "libvirtd", With: "42"}, `sh -c 'kill "$1" 2>/dev/null || exit 0; timeout 45 tail -s 0.1 --pid="$1" -f /dev/null; exec "$2" -d' sh 42 libvirtd`},
		{Step{Do: XFRMDelete, On: "fwd", Args: []string{"src", "10.0.0.0/8", "dst", "0.0.0.0/0", "dir", "fwd"}}, "ip xfrm policy delete src 10.0.0.0/8 dst 0.0.0.0/0 dir fwd"},
		{Step{Do: XFRMDefault, On: "fwd", With: "accept"}, "ip xfrm policy setdefault fwd accept"},
		{Step{Do: "unheard of", On: "x"}, ""},

		{Step{Do: NetStart, On: "my net"}, "kvnet net-start 'my net'"},
		{Step{Do: NetStart, On: "it's"}, `kvnet net-start 'it'\''s'`},
		{Step{Do: NetStart, On: "$(reboot)"}, "kvnet net-start '$(reboot)'"},
		{Step{Do: NetStopForce, On: "-f"}, "kvnet net-destroy --force -- -f"},
		{Step{Do: Resume, On: "--all"}, "virsh resume -- --all"},
		{Step{Do: Resume, On: ""}, "virsh resume ''"},
		{Step{Do: Resume, On: "a\nb\t\x1b[31m'\\"}, `virsh resume $'a\x0ab\x09\x1b[31m\'\\'`},
		{Step{Do: LinkUp, On: "vnet0;reboot"}, "ip link set dev 'vnet0;reboot' up"},
	} {
		if have := test.step.Command(); have != test.want {
			t.Errorf("%+v:\nhave %s\nwant %s", test.step, have, test.want)
		}
	}
}

// TestShellQuoteInAShell asks bash what it makes of a quoted word.
func TestShellQuoteInAShell(t *testing.T) {
	for _, word := range []string{
		"plain", "", " ", "it's", `"`, `\`, "$HOME", "`id`", "a\nb", "a\r\n'\\'b", "\x01\x7f", "ü'\n", "!!", "*", "~", "#", "-n", strings.Repeat("x'\n", 1000),
	} {
		out, err := exec.Command("bash", "-c", "printf %s "+shellQuote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is read as %q (%v)", word, out, err)
		}
	}
}

// What is pasted works on the libvirt that was looked at.
func TestCommandsNameTheirLibvirt(t *testing.T) {
	for uri, want := range map[string][]string{
		"":                       {"kvnet net-start lab", "ip link set dev vnet0 up"},
		"qemu+ssh://host/system": {"kvnet -c qemu+ssh://host/system net-start lab", "ip link set dev vnet0 up"},
		"qemu:///s?a=1&b":        {"kvnet -c 'qemu:///s?a=1&b' net-start lab", "ip link set dev vnet0 up"},
	} {
		f := Fix{Steps: []Step{{Do: NetStart, On: "lab"}, {Do: LinkUp, On: "vnet0"}}, URI: uri}
		if diff := cmp.Diff(want, f.Commands()); diff != "" {
			t.Errorf("%s (-want +have):\n%s", uri, diff)
		}
	}
	s := healthyHost()
	s.URI = "qemu:///session"
	s.stop("default")
	for _, f := range judge(s).Findings {
		if cure := strings.Join(f.Fix.Commands(), "; "); f.Check == "net-inactive" && !strings.HasPrefix(cure, "kvnet -c qemu:///session ") {
			t.Errorf("have %s", cure)
		}
	}
}

func TestFixJSON(t *testing.T) {
	f := Fix{Class: Safe, Say: "set it up", Steps: []Step{{Do: LinkUp, On: "vnet0"}}}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"class":"safe","say":"set it up","commands":["ip link set dev vnet0 up"]}`; string(data) != want {
		t.Errorf("have %s\nwant %s", data, want)
	}
	var back Fix
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Commands(), back.Commands()); diff != "" {
		t.Error(diff)
	}
	if data, _ := json.Marshal(Fix{Class: Manual, Say: "think"}); string(data) != `{"class":"manual","say":"think","commands":[]}` {
		t.Errorf("no commands: %s", data)
	}
	if err := json.Unmarshal([]byte(`{"class":7}`), &back); err == nil {
		t.Error("a fix whose class is a number was read")
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"vnet0", "vnet0"},
		{"my net", "my net"},
		{"", `""`},
		{"a\nb", `"a\nb"`},
		{"\x1b[31m", `"\x1b[31m"`},
		{"\u202egnp", `"\u202egnp"`},
		{`quo"te`, `"quo\"te"`},
		{"bad\xff", `"bad\xff"`},
		{strings.Repeat("x", 10000), strings.Repeat("x", 80) + "..."},
		{strings.Repeat("x", 79) + "üx", strings.Repeat("x", 79) + "..."},
	} {
		if have := show(test.name); have != test.want {
			t.Errorf("show(%q): have %s, want %s", test.name, have, test.want)
		}
	}
	if have := oneLine("a\nb\x1b" + strings.Repeat("x", 1000)); strings.ContainsAny(have, "\n\x1b") || len(have) > 400 {
		t.Errorf("oneLine: %q", have)
	}
	if have := someNames([]string{"a", "b", "c", "d", "e", "f"}); have != "a, b, c, d and 2 more" {
		t.Errorf("someNames: %s", have)
	}
}

// TestNFTName holds bare names against what nft reads as words of its own: rt0,
// accept, a number with letters behind it.
func TestNFTName(t *testing.T) {
	for name, want := range map[string]string{
		"virbr0": "virbr0", "br12": "br12",
		"rt0": `"rt0"`, "ip": `"ip"`, "accept": `"accept"`, "meta": `"meta"`, "br": `"br"`, "virbr": `"virbr"`,
		"10g": `"10g"`, "7": `"7"`, "br0;drop": `"br0;drop"`, "br0*": `"br0*"`,
	} {
		if got := nftName(name); got != want {
			t.Errorf("nftName(%q) = %s, want %s", name, got, want)
		}
	}
}
