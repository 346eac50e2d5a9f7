package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kvnet/kvnet/bridge"
)

// A rule that is gone is no failure of its deletion; anything else that fails is one.
func TestGone(t *testing.T) {
	const missing = "Error: Could not process rule: No such file or directory\ndelete rule ip filter LIBVIRT_INP handle 19"
	for _, c := range []struct {
		argv  []string
		words string
		want  bool
	}{
		{[]string{"nft", "delete", "rule", "ip", "filter", "LIBVIRT_INP", "handle", "19"}, missing, true},
		{[]string{"nft", "delete", "rule", "ip", "filter", "LIBVIRT_INP", "handle", "19"}, "Error: Operation not permitted", false},
		{[]string{"nft", "insert", "rule", "ip", "filter", "LIBVIRT_INP", "accept"}, missing, false},
		{[]string{"nft"}, missing, false},
	} {
		if have := gone(c.argv, c.words); have != c.want {
			t.Errorf("%q, %q: have %v", c.argv, c.words, have)
		}
	}
}

func TestInverse(t *testing.T) {
	for _, c := range []struct{ argv, want string }{
		{"iptables -I FORWARD -i virbr0 -j ACCEPT", "iptables -D FORWARD -i virbr0 -j ACCEPT"},
		{"iptables -t nat -I POSTROUTING 3 -s 10.0.0.0/8 -j RETURN", "iptables -t nat -D POSTROUTING -s 10.0.0.0/8 -j RETURN"},
		{"ip6tables -A INPUT -j ACCEPT", "ip6tables -D INPUT -j ACCEPT"},
		{"ip6tables-legacy -t mangle -I FORWARD 1 -j RETURN", "ip6tables-legacy -t mangle -D FORWARD -j RETURN"},
		{"ip route replace 10.0.0.0/8 dev virbr0", ""},
		{"iptables -D FORWARD 1", ""},
		{"ip rule add from 10.0.0.1 lookup 7", ""},
		{"systemctl restart libvirtd", ""},
	} {
		if have := strings.Join(inverse(strings.Fields(c.argv)), " "); have != c.want {
			t.Errorf("%s: have %q", c.argv, have)
		}
	}
}

// What has no way back is named when the cure is taken back.
func TestTakeBackNamesWhatStays(t *testing.T) {
	taken := ""
	k := deeds{list: []deed{
		{say: "restart", final: true, do: func(context.Context) (bridge.Undo, error) { return nil, nil }},
		{say: "up", do: func(context.Context) (bridge.Undo, error) {
			return func() error { taken += "up"; return nil }, nil
		}},
		{say: "never", final: true, do: func(context.Context) (bridge.Undo, error) { return nil, errors.New("no") }},
	}}
	err := k.takeBack(k.take(t.Context()))
	if taken != "up" || err == nil || !strings.Contains(err.Error(), "no way back from: restart") || strings.Contains(err.Error(), "never") {
		t.Errorf("taken back %q, error %v", taken, err)
	}
}
