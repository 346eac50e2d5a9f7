package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Read reads the packet filter of the calling thread's network namespace:
// nf_tables, and the tables of iptables-legacy if the kernel lists any. What
// could not be read is a gap; the error is that of ctx, or says that nothing at
// all could be read.
//
// Reading changes nothing in the kernel: no table comes into being.
func Read(ctx context.Context) (Ruleset, []Gap, error) {
	rs, err := readTables(ctx)
	var gaps []Gap
	if err != nil {
		if ctx.Err() != nil {
			return rs, nil, ctx.Err()
		}
		gaps = append(gaps, Gap{"nftables", err.Error()})
	}
	legacy, more := readLegacy(ctx)
	gaps = append(gaps, more...)
	if ctx.Err() != nil {
		return rs, gaps, ctx.Err()
	}
	rs.Tables = append(rs.Tables, legacy...)
	rs.finish()
	if rs.queues() {
		list, err := readQueues() // what cannot be read is not known: a verdict depends
		rs.Queues, rs.QueuesKnown = list, err == nil
	}
	if err != nil && len(legacy) == 0 {
		return rs, gaps, fmt.Errorf("read packet filter: %w", err)
	}
	return rs, gaps, nil
}

func newRuleset() Ruleset {
	return Ruleset{
		Version:   FormatVersion,
		BigEndian: binary.NativeEndian.Uint16([]byte{0, 1}) == 1,
		Tables:    []Table{},
	}
}

// readTables reads nf_tables until no change came in between.
func readTables(ctx context.Context) (Ruleset, error) {
	for range readTries {
		rs, err := readOnce(ctx)
		if !errors.Is(err, errChanged) {
			return rs, err
		}
		if ctx.Err() != nil {
			return rs, ctx.Err()
		}
	}
	return newRuleset(), fmt.Errorf("%d readings: %w", readTries, errChanged)
}

func readOnce(ctx context.Context) (Ruleset, error) {
	rs := newRuleset()
	c, err := dial()
	if err != nil {
		return rs, err
	}
	defer c.Close()
	if rs.Generation, err = c.generation(ctx); err != nil {
		return rs, explain(err)
	}
	r := reading{c: c, rs: &rs, tables: map[place]int{}}
	for _, step := range []func(context.Context) error{r.readTables, r.readChains, r.readRules, r.readSets} {
		if err := step(ctx); err != nil {
			return newRuleset(), explain(err)
		}
		if len(rs.Tables) == 0 {
			return rs, nil // nothing can be in them
		}
	}
	after, err := c.generation(ctx)
	if err == nil && after != rs.Generation {
		err = errChanged
	}
	if err != nil {
		return newRuleset(), explain(err)
	}
	return rs, nil
}

// explain adds what a refusal means to errors of the kernel.
func explain(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (needs CAP_NET_ADMIN)", err)
	}
	if errors.Is(err, unix.ENOENT) {
		return errChanged // a set that was listed and is gone
	}
	return err
}

// reading is one attempt: the objects read so far, by their place.
type reading struct {
	c      *conn
	rs     *Ruleset
	tables map[place]int // index in rs.Tables
}

func (r *reading) readTables(ctx context.Context) error {
	return r.c.dump(ctx, unix.NFT_MSG_GETTABLE, nil, func(b []byte) error {
		t, err := parseTable(b)
		if err == nil {
			r.tables[place{t.Family, t.Name, ""}] = len(r.rs.Tables)
			r.rs.Tables = append(r.rs.Tables, t)
		}
		return err
	})
}

func (r *reading) table(at place) (*Table, error) {
	i, ok := r.tables[place{at.family, at.table, ""}]
	if !ok {
		return nil, errChanged
	}
	return &r.rs.Tables[i], nil
}

func (r *reading) readChains(ctx context.Context) error {
	return r.c.dump(ctx, unix.NFT_MSG_GETCHAIN, nil, func(b []byte) error {
		at, c, err := parseChain(b)
		if err != nil {
			return err
		}
		t, err := r.table(at)
		if err == nil {
			t.Chains = append(t.Chains, c)
		}
		return err
	})
}

func (r *reading) readSets(ctx context.Context) error {
	err := r.c.dump(ctx, unix.NFT_MSG_GETSET, nil, func(b []byte) error {
		at, s, err := parseSet(b)
		if err != nil {
			return err
		}
		t, err := r.table(at)
		if err == nil {
			t.Sets = append(t.Sets, s)
		}
		return err
	})
	if err != nil {
		return err
	}
	left := MaxElements
	for i := range r.rs.Tables {
		t := &r.rs.Tables[i]
		for j := range t.Sets {
			if err := r.readElements(ctx, t, &t.Sets[j], &left); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reading) readElements(ctx context.Context, t *Table, s *Set, left *int) error {
	var raw []rawElement
	err := r.c.dump(ctx, unix.NFT_MSG_GETSETELEM, listRequest(t.Family, t.Name, s.Name), func(b []byte) error {
		list, err := parseElements(b)
		if len(list) > *left {
			list, s.Truncated = list[:*left], true
		}
		*left -= len(list)
		raw = append(raw, list...)
		return err
	})
	s.Elements = intervals(s, raw)
	return err
}
