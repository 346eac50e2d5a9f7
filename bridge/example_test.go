package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge"
)

// What `brctl show` prints, from one reading.
func ExampleRead() {
	state, err := bridge.Read(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, br := range state.Bridges {
		fmt.Printf("%s\t%s\tSTP %d\n", br.Name, br.ID, br.STP)
		for _, p := range state.Ports {
			if p.Bridge == br.Name {
				fmt.Printf("\t%s is %s\n", p.Name, p.State)
			}
		}
	}
	for _, gap := range state.Gaps {
		fmt.Printf("not read: %s: %s\n", gap.Source, gap.Message)
	}
}

// A change in a namespace of its own, and back. The goroutine that moved into
// the namespace takes it along when it ends.
func ExampleSetSTP() {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if _, err := bridge.AddBridge("br0"); err != nil {
				return err
			}
			if _, err := bridge.SetForwardDelay("br0", 0); err != nil {
				return err
			}
			undo, err := bridge.SetSTP("br0", true)
			if err != nil {
				return err
			}
			with, err := bridge.ReadBridge("br0")
			if err != nil {
				return err
			}
			if err := undo(); err != nil {
				return err
			}
			without, err := bridge.ReadBridge("br0")
			if err != nil {
				return err
			}
			fmt.Printf("STP %d: delay %d ms\n", with.STP, with.ForwardDelay)
			fmt.Printf("STP %d: delay %d ms\n", without.STP, without.ForwardDelay)
			return nil
		}()
	}()
	if err := <-done; err != nil {
		fmt.Println(err)
	}
	// Output:
	// STP 1: delay 2000 ms
	// STP 0: delay 0 ms
}

// A tap that was just plugged into a bridge with STP listens and learns first.
func ExampleWaitPort() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	port, err := bridge.WaitPort(ctx, "vnet0", bridge.Forwards)
	switch {
	case errors.Is(err, bridge.ErrNotFound):
		fmt.Println("there is no vnet0")
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("still", port.State)
	case err == nil:
		fmt.Println(port.Name, "forwards in", port.Bridge)
	}
}

func ExampleCheckName() {
	fmt.Println(bridge.CheckName("virbr0-nic"))
	fmt.Println(bridge.CheckName("a-bridge-with-a-long-name"))
	// Output:
	// <nil>
	// not a link name: "a-bridge-with-a-long-name": 25 bytes, at most 15 fit
}
