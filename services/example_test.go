package services_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kvnet/kvnet/services"
)

// A folder that is laid out like a machine's root is read like the machine.
func ExampleRead() {
	root, err := os.MkdirTemp("", "root")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	file := filepath.Join(root, "etc", "resolv.conf")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(file, []byte("search lan\nnameserver 192.0.2.53\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	s := services.Read(context.Background(), services.Options{Root: root})
	fmt.Println(s.Resolver.Servers)
	// Output: [192.0.2.53]
}

func ExampleBridgeHelper_Allows() {
	h := services.BridgeHelper{ACL: []services.ACLRule{{Allow: true, Bridge: "all"}, {Allow: false, Bridge: "virbr0"}}}
	fmt.Println(h.Allows("br0"), h.Allows("virbr0"))
	// Output: true false
}
