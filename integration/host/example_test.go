package host_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/kvnet/kvnet/integration/host"
)

// A host, a command in it, and what the outside saw. The program calls
// host.Main first, in main or TestMain.
func Example() {
	ctx := context.Background()
	h, err := host.Start(ctx, host.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	result, err := h.Exec(ctx, "ip", "route", "show", "default")
	fmt.Println(strings.TrimSpace(result.Stdout), result.Code, err)
	// Output:
	// default via 203.0.113.1 dev eth0 0 <nil>
}
