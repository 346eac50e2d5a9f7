package bridge

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// message is a netlink message of the kernel.
func message(typ, flags uint16, seq uint32, payload ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(b, typ), flags)
	b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, seq), 0)
	b = append(b, payload...)
	return append(b, make([]byte, -len(b)&3)...)
}

func TestMessagesOfOtherRequestsArePassedOver(t *testing.T) {
	b := slices.Concat(message(16, 0, 1, 'a'), message(16, unix.NLM_F_MULTI, 2, 'b', 'c'), message(17, 0, 2))
	var have []string
	c := conn{seq: 2}
	err := c.messages(b, func(_, _ uint16, m []byte) error { have = append(have, string(m)); return nil })
	if want := []string{"bc", ""}; err != nil || !slices.Equal(have, want) {
		t.Errorf("have %q and %v, want %q and none", have, err, want)
	}
}

func TestRefusalHasTheKernelsWords(t *testing.T) {
	number := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EINVAL)+1)
	echo := message(unix.RTM_NEWLINK, 0, 1, 'x', 'y')
	words := nl.NewRtAttr(unix.NLMSGERR_ATTR_MSG, []byte("no such thing\x00")).Serialize()
	for name, tt := range map[string]struct {
		flags uint16
		body  []byte
		want  string
	}{
		"words":      {unix.NLM_F_ACK_TLVS, slices.Concat(number, echo, words), "invalid argument: no such thing"},
		"no words":   {0, slices.Concat(number, echo), "invalid argument"},
		"cut off":    {unix.NLM_F_ACK_TLVS, slices.Concat(number, echo[:unix.NLMSG_HDRLEN]), "invalid argument"},
		"no refusal": {unix.NLM_F_ACK_TLVS, slices.Concat(make([]byte, 4), echo, words), ""},
		"nothing":    {0, nil, ""},
	} {
		have := ""
		if err := refusal(tt.flags, tt.body); err != nil {
			have = err.Error()
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%s: %v is not EINVAL", name, err)
			}
		}
		if have != tt.want {
			t.Errorf("%s: have %q, want %q", name, have, tt.want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(slices.Concat(message(16, 0, 1, 'a'), message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, 1, 1, 2, 3, 4)))
	f.Add(message(16, 0, 1)[:12])
	f.Fuzz(func(_ *testing.T, b []byte) {
		c := conn{seq: 1}
		_ = c.messages(b, func(_, flags uint16, m []byte) error { return refusal(flags, m) })
	})
}
