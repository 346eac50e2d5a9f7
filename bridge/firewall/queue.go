package firewall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Flags of a queue expression: NFT_QUEUE_FLAG_BYPASS and, of NFQUEUE,
// NFQ_FLAG_BYPASS (linux/netfilter/nf_tables.h, xt_NFQUEUE.h).
const queueBypass = 1

func queueFirst(e *Expr, v []byte) bool { e.Offset = uint32(bigEndian16(v)); return true }
func queueTotal(e *Expr, v []byte) bool { e.Len = uint32(bigEndian16(v)); return true }
func queueFlags(e *Expr, v []byte) bool { e.Flags = uint32(bigEndian16(v)); return true }

func bigEndian16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// xtQueue reads struct xt_NFQ_info, and v1 to v3 of it.
func xtQueue(x xtData) ([]Option, bool) {
	if x.short([]int{2, 4, 6, 6}[min(x.rev, 3)]) {
		return nil, false
	}
	first := int(native.Uint16(x.info))
	list := []Option{{Name: "--queue-num", Value: strconv.Itoa(first)}}
	if x.rev > 0 {
		if total := int(native.Uint16(x.info[2:])); total > 1 {
			list = []Option{{Name: "--queue-balance", Value: strconv.Itoa(first) + ":" + strconv.Itoa(first+total-1)}}
		}
	}
	if x.rev > 1 && native.Uint16(x.info[4:])&queueBypass != 0 {
		list = append(list, Option{Name: "--queue-bypass"})
	}
	return list, true
}

// xtQueueOf are the queues of a target NFQUEUE.
func xtQueueOf(e *Expr) (first, last int, bypass, ok bool) {
	ok = true
	for _, o := range e.Options {
		from, to, several := strings.Cut(o.Value, ":")
		if !several {
			to = from
		}
		switch o.Name {
		case "--queue-num", "--queue-balance":
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			first, last, ok = a, b, ok && err1 == nil && err2 == nil
		case "--queue-bypass":
			bypass = true
		}
	}
	return first, last, bypass, ok
}

// queued hands the packet to whoever listens on one of the queues: a program
// decides. Where nobody does the kernel drops it, or has it accepted with the
// flag for that (nf_queue, net/netfilter/nf_queue.c).
func (m *machine) queued(first, last int, bypass, known bool) tri {
	heard := !known || !m.f.rs.QueuesKnown
	for _, n := range m.f.rs.Queues {
		heard = heard || first <= n && n <= last
	}
	switch {
	case heard:
		return m.anything("a program in user space decides (queue)")
	case bypass:
		m.rule.verdicts = append(m.rule.verdicts, Jump{Code: "accept"})
	default:
		m.rule.verdicts, m.rule.unheard = append(m.rule.verdicts, Jump{Code: "drop"}), true
	}
	return yes
}

// queues says whether any rule hands packets to a queue.
func (rs *Ruleset) queues() bool {
	for i := range rs.Tables {
		for j := range rs.Tables[i].Chains {
			for k := range rs.Tables[i].Chains[j].Rules {
				for _, e := range rs.Tables[i].Chains[j].Rules[k].Exprs {
					if e.Kind == "queue" || e.Kind == "target" && e.Key == "NFQUEUE" {
						return true
					}
				}
			}
		}
	}
	return false
}

// readQueues reads the numbers of the queues that a program listens on, in the
// namespace of the calling thread. Without the kernel's module there are none.
func readQueues() ([]int, error) {
	text, err := os.ReadFile("/proc/thread-self/net/netfilter/nfnetlink_queue")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseQueues(text)
}

// parseQueues takes the first column of each line, the queue's number
// (seq_show, net/netfilter/nfnetlink_queue.c).
func parseQueues(text []byte) ([]int, error) {
	var list []int
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 0 {
			continue
		}
		n, err := strconv.Atoi(string(fields[0]))
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}
