//go:build cgo

package libvirtnet_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kvnet/kvnet/libvirtnet"
)

func ExampleConn_State() {
	c, err := libvirtnet.Open("test:///default")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	s, err := c.State(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range s.Guests {
		for _, i := range g.Interfaces {
			fmt.Println(g.Name, g.State, i.Type, i.Source, i.MAC)
		}
	}
	// Output: test running network default aa:bb:cc:dd:ee:ff
}

// A change is planned, carried out, and taken back when what comes of it does
// not please.
func ExampleConn_Apply() {
	c, err := libvirtnet.Open("test:///default")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	p, err := libvirtnet.NewPlan(nil, `<network><name>lab</name><bridge name="virbr7"/></network>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	p = p.With(libvirtnet.PlanStart(libvirtnet.Network{Name: "lab"}))
	for _, s := range p.Steps {
		fmt.Println(s.Say+":", s.Why)
	}
	err = c.Apply(context.Background(), p, func(context.Context) error {
		return errors.New("guests see no gateway")
	})
	fmt.Println(err)
	// Output:
	// define network lab: it is not defined
	// start network lab: it is not active
	// guests see no gateway; undone: start network lab, define network lab
}

// Names that do not exist come back with those that look like them.
func ExampleNotFoundError() {
	c, err := libvirtnet.Open("test:///default")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, err = c.Network(context.Background(), "defau")
	fmt.Println(err)
	var missing *libvirtnet.NotFoundError
	if errors.As(err, &missing) {
		fmt.Println("did you mean", missing.Near)
	}
	// Output:
	// find network defau: no such network
	// did you mean [default]
}
