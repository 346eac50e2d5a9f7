package journal_test

import (
	"context"
	"fmt"
	"os"

	"github.com/kvnet/kvnet/journal"
)

// A change is written down before its first step, and once more at its end.
func ExampleJournal() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := j.Lock(context.Background(), "kvnet net-start lan"); err != nil {
		fmt.Println(err)
		return
	}
	e, err := j.Begin(journal.Entry{Op: "start", Object: "network lan"})
	if err != nil {
		fmt.Println(err)
		return
	}
	e.Outcome = journal.Done
	if err := j.End(e); err != nil {
		fmt.Println(err)
		return
	}
	if err := j.Unlock(); err != nil {
		fmt.Println(err)
		return
	}
	list, err := journal.Entries(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list[0].ID, list[0].Op, list[0].Object, list[0].Outcome)
	// Output: 1 start network lan done
}

// The way back from a network that was started is to stop it.
func ExampleWay() {
	before := journal.Image{Networks: []journal.Network{{Name: "lan", Persistent: true}}}
	now := journal.Image{Networks: []journal.Network{{Name: "lan", Persistent: true, Active: true}}}
	for _, step := range journal.Way(before, now).Plan.Steps {
		fmt.Printf("%s: %s\n", step.Say, step.Why)
	}
	// Output: stop network lan: it was not active
}
