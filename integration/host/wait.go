package host

import (
	"context"
	"fmt"
	"time"
)

// poll calls done every interval until it reports true or an error, or the
// context ends; what names the awaited condition in the error. This is the only
// place where the package waits for something that nothing announces.
func poll(ctx context.Context, interval time.Duration, what string, done func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
