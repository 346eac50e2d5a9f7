package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: floor verify|domif-list")
	}
	conn, err := libvirt.NewConnect("qemu:///system")
	if err != nil {
		return err
	}
	defer conn.Close()
	switch args[0] {
	case "domif-list":
		return guests(conn)
	case "verify":
		if err := networks(conn); err != nil {
			return err
		}
		if err := guests(conn); err != nil {
			return err
		}
		return kernel()
	}
	return fmt.Errorf("no floor for %q", args[0])
}

// guests makes one call for the list and one for each guest.
func guests(conn *libvirt.Connect) error {
	list, err := conn.ListAllDomains(0)
	if err != nil {
		return err
	}
	for i := range list {
		if _, err := list[i].GetXMLDesc(0); err != nil {
			return err
		}
		if err := list[i].Free(); err != nil {
			return err
		}
	}
	return nil
}

// networks makes one call for the list and three for each network.
func networks(conn *libvirt.Connect) error {
	list, err := conn.ListAllNetworks(0)
	if err != nil {
		return err
	}
	for i := range list {
		for _, flags := range []libvirt.NetworkXMLFlags{0, libvirt.NETWORK_XML_INACTIVE} {
			if _, err := list[i].GetXMLDesc(flags); err != nil {
				return err
			}
		}
		ports, err := list[i].ListAllPorts(0)
		if err != nil {
			return err
		}
		for j := range ports {
			if err := ports[j].Free(); err != nil {
				return err
			}
		}
		if err := list[i].Free(); err != nil {
			return err
		}
	}
	return nil
}

// kernel makes the dumps and drops them.
func kernel() error {
	dumps := []struct {
		message, family int
	}{
		{unix.RTM_GETLINK, unix.AF_UNSPEC},
		{unix.RTM_GETADDR, unix.AF_UNSPEC},
		{unix.RTM_GETROUTE, unix.AF_INET},
		{unix.RTM_GETROUTE, unix.AF_INET6},
		{unix.RTM_GETRULE, unix.AF_INET},
		{unix.RTM_GETRULE, unix.AF_INET6},
		{unix.RTM_GETNEIGH, unix.AF_INET},
		{unix.RTM_GETNEIGH, unix.AF_INET6},
		{unix.RTM_GETNEIGH, unix.AF_BRIDGE},
		{unix.RTM_GETNETCONF, unix.AF_INET},
		{unix.RTM_GETNETCONF, unix.AF_INET6},
	}
	for _, d := range dumps {
		req := nl.NewNetlinkRequest(d.message, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfInfomsg(d.family))
		if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
			return fmt.Errorf("dump %d of family %d: %w", d.message, d.family, err)
		}
	}
	return packetFilter()
}

// packetFilter dumps the ruleset of nf_tables.
func packetFilter() error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	buf := make([]byte, 64<<10)
	for _, message := range []int{unix.NFT_MSG_GETTABLE, unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_GETRULE, unix.NFT_MSG_GETSET} {
		req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|message, unix.NLM_F_DUMP)
		req.AddRawData(make([]byte, 4)) // struct nfgenmsg of all families
		if err := unix.Sendto(s, req.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		for done := false; !done; {
			n, err := unix.Read(s, buf)
			if err != nil {
				return fmt.Errorf("dump %d of nf_tables: %w", message, err)
			}
			if done, err = last(buf[:n]); err != nil {
				return fmt.Errorf("dump %d of nf_tables: %w", message, err)
			}
		}
	}
	return nil
}

// last looks for the end of a dump in a datagram.
func last(b []byte) (bool, error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return true, fmt.Errorf("refused: %x", b[unix.NLMSG_HDRLEN:])
		}
		b = b[min(max(size+3, unix.NLMSG_HDRLEN)&^3, len(b)):]
	}
	return false, nil
}
