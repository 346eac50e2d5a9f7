package journal_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/kvnet/kvnet/journal"
)

// TestTurn: one process has the host's turn, whoever waits is told whose it is, and
// somebody who is not heeded keeps nobody waiting.
func TestTurn(t *testing.T) {
	all := func(int, int) bool { return true }
	mine, err := journal.TakeTurn(t.Context(), all)
	if err != nil || mine == nil {
		t.Fatalf("the first gets %v, %v", mine, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	asked := -1
	other, err := journal.TakeTurn(ended, func(uid, _ int) bool { asked = uid; return true })
	held := (*journal.HeldError)(nil)
	if other != nil || !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("the second gets %v, %v, want who has it", other, err)
	}
	if asked != os.Geteuid() {
		t.Errorf("asked about user %d, want %d", asked, os.Geteuid())
	}
	if other, err := journal.TakeTurn(t.Context(), func(int, int) bool { return false }); other != nil || err != nil {
		t.Errorf("who heeds nobody gets %v, %v, want neither a turn nor an error", other, err)
	}
	if err := mine.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := journal.TakeTurn(ended, all)
	if err != nil || again == nil {
		t.Fatalf("behind the first comes %v, %v", again, err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}
