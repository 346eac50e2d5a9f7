package firewall

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
)

func parseSet(b []byte) (at place, s Set, err error) {
	family, rest, err := header(b)
	at.family = family
	if err == nil {
		err = walk(rest, func(typ uint16, v []byte) error {
			switch typ {
			case 1: // NFTA_SET_TABLE
				at.table = cString(v)
			case 2: // NFTA_SET_NAME
				s.Name = cString(v)
			case 3: // NFTA_SET_FLAGS
				n := be32(v)
				s.Anonymous, s.Interval, s.Map = n&setAnonymous != 0, n&setInterval != 0, n&(setMap|setObject) != 0
				s.Dynamic = n&setEval != 0
			case 4: // NFTA_SET_KEY_TYPE
				s.KeyType = be32(v)
			case 5: // NFTA_SET_KEY_LEN
				s.KeyLen = int(be32(v))
			case 6: // NFTA_SET_DATA_TYPE
				s.DataType = be32(v)
				s.VerdictOf = s.DataType == dataVerdict
			case 7: // NFTA_SET_DATA_LEN
				s.DataLen = int(be32(v))
			case 9: // NFTA_SET_DESC
				return parseFields(&s, v)
			case 15: // NFTA_SET_OBJ_TYPE
				s.Object = be32(v)
			case 17, 18: // NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS
				s.Stateful = s.Stateful || limiting(v)
			}
			return nil
		})
	}
	if err != nil {
		return at, s, fmt.Errorf("parse set: %w", err)
	}
	return at, s, nil
}

// limiting says whether an element's expressions can refuse a packet: a
// counter cannot.
func limiting(b []byte) bool {
	return bytes.Contains(b, []byte("limit\x00")) || bytes.Contains(b, []byte("quota\x00"))
}

// parseFields reads the lengths of a concatenation's parts.
func parseFields(s *Set, desc []byte) error {
	concat, err := nested(desc, 2) // NFTA_SET_DESC_CONCAT
	if err != nil {
		return err
	}
	return walk(concat, func(_ uint16, elem []byte) error {
		v, err := nested(elem, 1) // NFTA_SET_FIELD_LEN
		s.Fields = append(s.Fields, int(be32(v)))
		return err
	})
}

// rawElement is an element as the kernel lists it: in a set of intervals,
// starts and (exclusive) ends by turns.
type rawElement struct {
	Element
	isEnd bool
}

func parseElements(b []byte) (list []rawElement, err error) {
	_, rest, err := header(b)
	if err == nil {
		err = walk(rest, func(typ uint16, v []byte) error {
			if typ != 3 { // NFTA_SET_ELEM_LIST_ELEMENTS
				return nil
			}
			return walk(v, func(_ uint16, elem []byte) error {
				e, err := parseElement(elem)
				list = append(list, e)
				return err
			})
		})
	}
	if err != nil {
		return nil, fmt.Errorf("parse set element: %w", err)
	}
	return list, nil
}

func parseElement(b []byte) (e rawElement, err error) {
	err = walk(b, func(typ uint16, v []byte) (err error) {
		switch typ {
		case 1: // NFTA_SET_ELEM_KEY
			e.Key, _, err = parseData(v)
		case 2: // NFTA_SET_ELEM_DATA
			e.Data, e.Jump, err = parseData(v)
		case 3: // NFTA_SET_ELEM_FLAGS
			n := be32(v)
			e.isEnd, e.CatchAll = n&1 != 0, n&2 != 0
		case 7, 11: // NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS
			e.Stateful = e.Stateful || limiting(v)
		case 9: // NFTA_SET_ELEM_OBJREF
			e.Object = cString(v)
		case 10: // NFTA_SET_ELEM_KEY_END
			e.End, _, err = parseData(v)
		}
		return err
	})
	return e, err
}

// intervals joins starts and ends of a set of intervals to elements with a
// first and a last key. Other sets stay as they are.
func intervals(s *Set, raw []rawElement) []Element {
	out := make([]Element, 0, len(raw))
	if !s.Interval || len(s.Fields) > 1 {
		for _, e := range raw {
			out = append(out, e.Element)
		}
		return out
	}
	order := func(a, b rawElement) int {
		if c := bytes.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return bool2int(b.isEnd) - bool2int(a.isEnd) // one ends where the next begins
	}
	if len(raw) > 1 && order(raw[0], raw[1]) > 0 {
		slices.Reverse(raw) // the kernel's trees begin with the last
	}
	if !slices.IsSortedFunc(raw, order) {
		sort.SliceStable(raw, func(i, j int) bool { return order(raw[i], raw[j]) < 0 })
	}
	open := false
	for _, e := range raw {
		switch {
		case e.CatchAll:
			out = append([]Element{e.Element}, out...)
			continue
		case open && !e.isEnd && len(out[len(out)-1].End) == 0:
			// No end of its own: it ends before the next begins.
			out[len(out)-1].End = before(e.Key)
		case open:
			out[len(out)-1].End = before(e.Key)
			open = false
		}
		if !e.isEnd {
			out = append(out, e.Element)
			open = true
		}
	}
	if open { // to the end of all keys
		last := &out[len(out)-1]
		last.End = bytes.Repeat([]byte{0xff}, len(last.Key))
	}
	return slices.Clip(out)
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

// before is the big-endian number before b.
func before(b Bytes) Bytes {
	out := slices.Clone(b)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]--
		if out[i] != 0xff {
			break
		}
	}
	return out
}
