package bridge

import (
	"testing"
)

func TestPortsAgreeWithBridge(t *testing.T) {
	inNamespace(t)
	sh(t, `
		ip link add br0 type bridge stp_state 1
		ip link add br1 type bridge
		ip link set br0 up
		ip link set br1 up
		ip tuntap add vnet0 mode tap
		ip link set vnet0 master br0 up
		ip link add a0 type veth peer name a1
		ip link add b0 type veth peer name b1
		ip link set a0 master br0 up
		ip link set a1 up
		ip link set b0 master br1 up
		ip link set b1 up
		bridge link set dev a0 learning off flood off mcast_flood off cost 77 priority 5
		bridge link set dev b0 isolated on hairpin on guard on root_block on
		bridge link set dev vnet0 bcast_flood off fastleave on neigh_suppress on learning off locked on
	`)
	// bridge(8) shows everything but the port's number, ip(8) has that.
	have, want := quiet(t, "bridge -j -d link")
	check(t, "ports", len(have.Ports), len(want))
	for _, w := range want {
		name := w["ifname"].(string)
		p := find(t, have.Ports, func(p Port) bool { return p.Name == name })
		for key, v := range map[string]any{
			"master": p.Bridge, "state": p.State, "cost": float64(p.Cost), "priority": float64(p.Priority),
			"isolated": p.Isolated, "learning": p.Learning, "flood": p.Flood, "mcast_flood": p.MulticastFlood,
			"bcast_flood": p.BroadcastFlood, "hairpin": p.Hairpin, "guard": p.Guard, "root_block": p.RootBlock,
			"fastleave": p.FastLeave, "neigh_suppress": p.NeighSuppress, "locked": p.Locked,
		} {
			check(t, name+" "+key, v, w[key])
		}
	}
	for _, w := range tool(t, "ip -j -d link show type bridge_slave") {
		name := w["ifname"].(string)
		p := find(t, have.Ports, func(p Port) bool { return p.Name == name })
		data := w["linkinfo"].(map[string]any)["info_slave_data"].(map[string]any)
		check(t, name+" no", p.Number, hexNumber(t, data["no"].(string)))
		check(t, name+" root_id", p.DesignatedRoot, brctlID(data["root_id"].(string)))
	}
	until(t, "ReadPort says what Read says", func() bool {
		one, err := ReadPort("b0")
		if err != nil {
			t.Fatal(err)
		}
		return one == find(t, read(t).Ports, func(p Port) bool { return p.Name == "b0" })
	})
}
