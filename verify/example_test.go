package verify_test

import (
	"fmt"
	"os"

	"github.com/kvnet/kvnet/verify"
)

// A host whose network was restarted under its guests: virsh says that all is
// well.
func ExampleJudge() {
	file, err := os.Open("testdata/tap-not-enslaved+bounced/snapshot.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	snapshot, err := verify.Load(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range verify.Judge(snapshot).Findings {
		fmt.Println(f.Severity, f.Check, f.Message)
		for _, command := range f.Fix.Commands() {
			fmt.Println("  "+string(f.Fix.Class)+":", command)
		}
	}
	// Output:
	// error tap-not-enslaved 2 taps of guests centos, debian are in no bridge: network default was restarted under them
	//   safe: kvnet domif-replug centos vnet0
	//   safe: kvnet domif-replug debian vnet2
}

func ExampleJudgeOnly() {
	var s verify.Snapshot // nothing was read
	r := verify.JudgeOnly(s, verify.Options{Checks: []string{"bridge-missing"}})
	for _, f := range r.Findings {
		fmt.Println(f.Severity, f.Check)
		fmt.Println(f.Message)
	}
	// Output:
	// unknown bridge-missing
	// not checked (an active network has no bridge): the connection leads to no daemon on this host, so this kernel is not its kernel
}

func ExampleChecks() {
	for _, c := range verify.Checks() {
		if c.ID == "tap-admin-down" {
			fmt.Println(c.Title + ".")
			fmt.Println(c.Doc.Symptom)
			fmt.Println(c.Doc.Cure)
		}
	}
	// Output:
	// a running guest's tap is switched off.
	// The guest reaches nothing.
	// Set the link up.
}
