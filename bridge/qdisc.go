package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Qdisc is a queueing discipline that somebody put on a link (RTM_GETQDISC).
// The kernel's own default ones have no handle and are left out.
type Qdisc struct {
	Link   string `json:"link"`
	Kind   string `json:"kind"`   // htb, tbf, ingress, clsact, netem, ...
	Handle string `json:"handle"` // as tc(8) writes it: 1:, ffff:
	Parent string `json:"parent"` // root, ingress, clsact, or the class: 1:2
	// Rate of a token bucket (tbf) in bytes per second.
	Rate uint64 `json:"rate,omitempty"`
	// Classes of an htb, sorted by handle.
	Classes []Class `json:"classes,omitempty"`
	// Checksums: a filter of an htb fills in checksums (act_csum).
	Checksums bool `json:"checksums,omitempty"`
	// Police are the limits that filters of an ingress or clsact qdisc set on
	// what the link receives.
	Police []Police `json:"police,omitempty"`
}

// Class is a class of an htb qdisc (RTM_GETTCLASS): rates in bytes per second.
type Class struct {
	Handle string `json:"handle"` // 1:1
	Parent string `json:"parent"` // root, or the class above
	Rate   uint64 `json:"rate"`
	Ceil   uint64 `json:"ceil"`
}

// Police is a rate limit (TCA_POLICE_TBF) in bytes per second. Burst is not
// among it: the kernel keeps it as a time.
type Police struct {
	Rate uint64 `json:"rate"`
}

// Parents of qdiscs (TC_H_ROOT, TC_H_INGRESS; linux/pkt_sched.h), and the
// parent under which filters of arriving packets stand.
const (
	tcRoot          = 0xFFFFFFFF
	tcIngress       = 0xFFFFFFF1
	tcIngressParent = 0xFFFF0000
	tcMinorIngress  = 0xFFFFFFF2 // filters of clsact, TC_H_MIN_INGRESS
)

// tcMsg is struct tcmsg (linux/rtnetlink.h) and the attributes behind it.
type tcMsg struct {
	index          int
	handle, parent uint32
	kind           string
	options        []byte
}

func parseTC(b []byte) (tcMsg, bool, error) {
	var m tcMsg
	if len(b) < nl.SizeofTcMsg {
		return m, false, fmt.Errorf("parse traffic control: %w", errTruncated)
	}
	m.index, m.handle, m.parent = s32(b[4:]), u32(b[8:]), u32(b[12:])
	err := walk(b[nl.SizeofTcMsg:], func(typ uint16, v []byte) error {
		switch typ {
		case nl.TCA_KIND:
			m.kind = cString(v)
		case nl.TCA_OPTIONS:
			m.options = slices.Clone(v)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("parse traffic control: %w", err)
	}
	return m, true, err
}

// tcRequest is struct tcmsg for a dump of one link, or of all for index 0.
func tcRequest(index int, parent uint32) []byte {
	msg := nl.TcMsg{Ifindex: int32(index), Parent: parent}
	return msg.Serialize()
}

func (c *conn) qdiscs(ctx context.Context, n names) ([]Qdisc, error) {
	msgs, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETQDISC, unix.RTM_NEWQDISC, tcRequest(0, 0)}, parseTC)
	if err != nil {
		return nil, err
	}
	list := []Qdisc{}
	for i := range msgs {
		m := &msgs[i]
		if m.handle == 0 {
			continue
		}
		q := Qdisc{Link: n.of(m.index), Kind: m.kind, Handle: tcHandle(m.handle), Parent: tcParent(m)}
		if err := c.fill(ctx, &q, m); err != nil {
			return nil, err
		}
		list = append(list, q)
	}
	return list, nil
}

// fill reads what stands below a qdisc. A qdisc that went meanwhile has nothing
// there.
func (c *conn) fill(ctx context.Context, q *Qdisc, m *tcMsg) (err error) {
	switch q.Kind {
	case "tbf":
		q.Rate, err = parseTBF(m.options)
	case "htb":
		if q.Classes, err = c.classes(ctx, m); err == nil {
			q.Checksums, err = c.checksums(ctx, m)
		}
	case "ingress":
		q.Police, err = c.police(ctx, m.index, tcIngressParent)
	case "clsact":
		q.Police, err = c.police(ctx, m.index, tcMinorIngress)
	}
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func (c *conn) classes(ctx context.Context, q *tcMsg) ([]Class, error) {
	msgs, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETTCLASS, unix.RTM_NEWTCLASS, tcRequest(q.index, 0)}, parseTC)
	if err != nil {
		return nil, err
	}
	var list []Class
	for i := range msgs {
		m := &msgs[i]
		if m.kind != "htb" || m.handle>>16 != q.handle>>16 {
			continue
		}
		class, err := parseHTB(m.options)
		if err != nil {
			return nil, err
		}
		class.Handle, class.Parent = tcHandle(m.handle), tcParent(m)
		list = append(list, class)
	}
	sortBy(list, func(a, b Class) int { return cmp.Compare(a.Handle, b.Handle) })
	return list, nil
}

func (c *conn) police(ctx context.Context, index int, parent uint32) ([]Police, error) {
	msgs, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETTFILTER, unix.RTM_NEWTFILTER, tcRequest(index, parent)}, parseTC)
	if err != nil {
		return nil, err
	}
	var list []Police
	for i := range msgs {
		rates, err := parseFilter(msgs[i].kind, msgs[i].options)
		if err != nil {
			return nil, err
		}
		for _, rate := range rates {
			list = append(list, Police{Rate: rate})
		}
	}
	sortBy(list, func(a, b Police) int { return cmp.Compare(a.Rate, b.Rate) })
	return list, nil
}

// checksums says whether a filter below a qdisc fills in checksums.
func (c *conn) checksums(ctx context.Context, q *tcMsg) (bool, error) {
	msgs, err := dumpAll(ctx, c, dumpRequest{unix.RTM_GETTFILTER, unix.RTM_NEWTFILTER, tcRequest(q.index, q.handle)}, parseTC)
	if err != nil {
		return false, err
	}
	for i := range msgs {
		if found, err := parseChecksum(msgs[i].kind, msgs[i].options); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// tcHandle writes a handle or class id as tc(8) does.
func tcHandle(v uint32) string {
	if v&0xffff == 0 {
		return fmt.Sprintf("%x:", v>>16)
	}
	return fmt.Sprintf("%x:%x", v>>16, v&0xffff)
}

func tcParent(m *tcMsg) string {
	switch {
	case m.parent == tcRoot:
		return "root"
	case m.parent == tcIngress && m.kind == "clsact":
		return "clsact"
	case m.parent == tcIngress:
		return "ingress"
	}
	return tcHandle(m.parent)
}
