package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// sample has every kind of flag that the commands use.
func sample() *cli.App {
	app := newApp(&env{})
	app.Commands = []*cli.Command{
		{Name: "attach", Aliases: []string{"att"}, Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Aliases: []string{"m"}},
			&cli.StringSliceFlag{Name: "vlan"},
			&cli.BoolFlag{Name: "live", Aliases: []string{"l"}},
			&cli.DurationFlag{Name: "timeout"},
		}},
		{Name: "show"},
		{Name: "bridge-list"},
	}
	return app
}

func TestParseLine(t *testing.T) {
	for _, tt := range []struct{ have, want string }{
		{"show", "show"},
		{"-q show", "--quiet show"},
		{"show -q", "--quiet show"},
		{"show --quiet x", "--quiet show -- x"},
		{"attach centos br0 --model virtio -o json", "--output=json attach --model=virtio -- centos br0"},
		{"attach --model virtio centos --live br0", "attach --model=virtio --live -- centos br0"},
		{"--model virtio attach centos br0", "attach --model=virtio -- centos br0"},
		{"--live attach centos br0", "attach --live -- centos br0"},
		{"-c test:///default -o=yaml attach centos", "--connect=test:///default --output=yaml attach -- centos"},
		{"attach -ojson centos", "--output=json attach -- centos"},
		{"attach -qlo json centos", "--quiet --output=json attach --live -- centos"},
		{"attach -lmvirtio centos", "attach --live --model=virtio -- centos"},
		{"attach -m=virtio centos", "attach --model=virtio -- centos"},
		{"attach -model virtio centos", "attach --model=virtio -- centos"},
		{"attach a --live=false", "attach --live=false -- a"},
		{"attach --vlan 1 a --vlan 2,3", "attach --vlan=1 --vlan=2,3 -- a"},
		{"attach --timeout -5s a", "attach --timeout=-5s -- a"},
		{"attach -- --live -o json", "attach -- --live -o json"},
		{"attach --live -- -x", "attach --live -- -x"},
		{"-- attach -x", "attach -- -x"},
		{"attach -", "attach -- -"},
		{"attach show attach", "attach -- show attach"},
		{"att 52:54:00:e4:75:83", "attach -- 52:54:00:e4:75:83"},
		{"attach --model=a=b", "attach --model=a=b"},
		{"brctl show -q", "--quiet bridge-list"},
		{"-q -o json brctl show br0", "--quiet --output=json bridge-list -- br0"},
		{"attach brctl show", "attach -- brctl show"},
		{"attach help", "attach -- help"},
		{"", ""},
	} {
		line, err := parseLine(sample(), append([]string{"kvnet"}, strings.Fields(tt.have)...))
		if err != nil {
			t.Errorf("%s: %v", tt.have, err)
		}
		if diff := cmp.Diff(strings.Fields("kvnet "+tt.want), line.args); diff != "" {
			t.Errorf("%s (-want +have):\n%s", tt.have, diff)
		}
	}
}

func TestParseLineRefuses(t *testing.T) {
	for _, tt := range []struct{ have, message, hint string }{
		{"shwo", `unknown command "shwo"`, "did you mean show?"},
		{"nothing-like-it", `unknown command "nothing-like-it"`, "lists the commands"},
		{"--live", `unknown flag --live`, "--help lists the flags"},
		{"attach a --modle virtio", "attach: unknown flag --modle", "did you mean --model?"},
		{"attach a --modle=virtio -o json", "attach: unknown flag --modle=virtio", "did you mean --model?"},
		{"attach -x", "attach: unknown flag -x", "behind --"},
		{"attach -lx", "attach: unknown flag -lx", "behind --"},
		{"attach a --model", "attach: flag --model needs a value", ""},
		{"attach --model --live a", "attach: flag --model needs a value", ""},
		{"show --model x", "show: unknown flag --model", ""},
		{"a --live attach", `unknown command "a"`, ""},
	} {
		_, err := parseLine(sample(), append([]string{"kvnet"}, strings.Fields(tt.have)...))
		f := (*failure)(nil)
		if !errors.As(err, &f) {
			t.Errorf("%s: error %v, want a failure", tt.have, err)
			continue
		}
		if f.Error() != tt.message || !strings.Contains(f.hint, tt.hint) || f.code != exitUsage {
			t.Errorf("%s: %q, hint %q, code %d; want %q, %q, 2", tt.have, f.Error(), f.hint, f.code, tt.message, tt.hint)
		}
	}
}

// The wish for JSON errors holds wherever it stands, also behind the mistake.
func TestParseLineKnowsOutputOfBrokenLines(t *testing.T) {
	for _, have := range []string{"attach --nope -o json", "-o json shwo", "shwo -o json", "attach --output=json --model"} {
		if line, err := parseLine(sample(), append([]string{"kvnet"}, strings.Fields(have)...)); err == nil || line.output != "json" {
			t.Errorf("%s: output %q, error %v", have, line.output, err)
		}
	}
}

func TestParseLineHelp(t *testing.T) {
	for have, want := range map[string]string{
		"--help": "", "help": "", "-h": "", "help show": "show", "show --help": "show", "--help att": "attach", "show -q -h x": "show", "-q help show": "show",
	} {
		line, err := parseLine(sample(), append([]string{"kvnet"}, strings.Fields(have)...))
		if err != nil || !line.help {
			t.Errorf("%s: help %v, error %v", have, line.help, err)
			continue
		}
		name := ""
		if line.cmd != nil {
			name = line.cmd.Name
		}
		if name != want {
			t.Errorf("%s: help of %q, want %q", have, name, want)
		}
	}
}

// Whatever stands on the line: no panic, the words behind "--" come through
// as they are, and a second pass changes nothing.
func FuzzParseLine(f *testing.F) {
	f.Add("attach\x00centos\x00--model\x00virtio\x00-o\x00json", "tail")
	f.Add("-qlo\x00json\x00attach", "--live")
	f.Add("--\x00attach\x00-", "-o")
	f.Add("help\x00--\x00-=", "=")
	f.Fuzz(func(t *testing.T, words, tail string) {
		args := append([]string{"kvnet"}, strings.Split(words, "\x00")...)
		args = append(args, "--", tail)
		line, err := parseLine(sample(), args)
		if err != nil || line.help {
			return
		}
		if last := line.args[len(line.args)-1]; last != tail && line.cmd != nil && len(line.args) > 2 && !line.cmd.HasName(tail) {
			t.Fatalf("%q: lost %q: %q", args, tail, line.args)
		}
		again, err := parseLine(sample(), line.args)
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", args, line.args, err)
		}
		if diff := cmp.Diff(line.args, again.args); diff != "" {
			t.Fatalf("%q is not stable: %s", args, diff)
		}
	})
}
