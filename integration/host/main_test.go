package host_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/kvnet/kvnet/integration/host"
)

// ownerEnv makes the test program start a host and wait to be killed.
const ownerEnv = "KVLAB_TEST_OWNER"

func TestMain(m *testing.M) {
	host.Main()
	if os.Getenv(ownerEnv) == "" {
		os.Exit(m.Run())
	}
	h, err := host.Start(context.Background(), host.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.Name())
	_, _ = io.Copy(io.Discard, os.Stdin) // the test holds the other end
}
