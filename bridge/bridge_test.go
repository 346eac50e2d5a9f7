package bridge

import (
	"strings"
	"testing"
)

func TestBridgesAgreeWithIP(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge
		ip link add br1 type bridge forward_delay 400 hello_time 300 max_age 1200 ageing_time 12345 stp_state 1 priority 4097
		ip link add br2 type bridge mcast_snooping 0 nf_call_iptables 1 group_fwd_mask 16384
		ip link add br3 type bridge mcast_querier 1 nf_call_ip6tables 1 nf_call_arptables 1
		ip link set br1 up
		ip link set br1 address 02:00:00:00:00:0a
	`)
	have := read(t)
	want := tool(t, "ip -j -d link show type bridge")
	check(t, "bridges", len(have.Bridges), len(want))
	for _, w := range want {
		name := w["ifname"].(string)
		b := find(t, have.Bridges, func(b Bridge) bool { return b.Name == name })
		data := w["linkinfo"].(map[string]any)["info_data"].(map[string]any)
		for key, v := range map[string]int{
			"forward_delay": b.ForwardDelay / 10, "hello_time": b.HelloTime / 10, "max_age": b.MaxAge / 10,
			"ageing_time": b.AgeingTime / 10, "stp_state": b.STP, "priority": b.Priority, "root_port": b.RootPort,
			"vlan_filtering": number(b.VLANFiltering), "mcast_snooping": number(b.MulticastSnooping),
			"mcast_querier": number(b.MulticastQuerier), "nf_call_iptables": number(b.NFCallIPTables),
			"nf_call_ip6tables": number(b.NFCallIP6Tables), "nf_call_arptables": number(b.NFCallARPTables),
		} {
			check(t, name+" "+key, any(float64(v)), data[key])
		}
		check(t, name+" bridge_id", b.ID, brctlID(data["bridge_id"].(string)))
		check(t, name+" root_id", b.RootID, brctlID(data["root_id"].(string)))
	}
	br2 := find(t, have.Bridges, func(b Bridge) bool { return b.Name == "br2" })
	check(t, "group_fwd_mask", br2.GroupForwardMask, 16384)
	br1 := find(t, have.Bridges, func(b Bridge) bool { return b.Name == "br1" })
	check(t, "id in brctl's form", br1.ID, "1001.02000000000a")
	one, err := ReadBridge("br1")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "ReadBridge", one.ForwardDelay, 4000)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// brctlID turns ip's 8000.2:0:0:0:0:a into brctl's 8000.02000000000a.
func brctlID(s string) string {
	priority, mac, _ := strings.Cut(s, ".")
	id := priority + "."
	if len(priority) < 4 {
		id = strings.Repeat("0", 4-len(priority)) + id
	}
	for part := range strings.SplitSeq(mac, ":") {
		if len(part) == 1 {
			part = "0" + part
		}
		id += part
	}
	return id
}
