package firewall

import "bytes"

// tri is an answer with doubt.
type tri int8

const (
	no tri = iota
	maybe
	yes
)

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri { return yes - t }

func (t tri) invert(b bool) tri {
	if b {
		return t.not()
	}
	return t
}

// bits is a value of which some bits may not be known: where a bit of known
// is 0, that of val is 0 and means nothing. An address prefix is such a value,
// and so is a port that may be any.
type bits struct{ val, known []byte }

func unknownBits(n int) bits { return bits{make([]byte, n), make([]byte, n)} }

func knownBits(b []byte) bits {
	return bits{append([]byte{}, b...), bytes.Repeat([]byte{0xff}, len(b))}
}

func (b bits) clone() bits {
	return bits{append([]byte{}, b.val...), append([]byte{}, b.known...)}
}

func (b bits) sub(from, to int) bits { return bits{b.val[from:to], b.known[from:to]} }

func (b bits) complete() bool {
	for _, k := range b.known {
		if k != 0xff {
			return false
		}
	}
	return true
}

// min and max are the smallest and the greatest value that it can have, as
// big-endian numbers.
func (b bits) min() []byte { return b.val }

func (b bits) max() []byte {
	out := make([]byte, len(b.val))
	for i := range out {
		out[i] = b.val[i] | ^b.known[i]
	}
	return out
}

// equal compares with a constant; only the first len(want) bytes count.
func (b bits) equal(want []byte) tri {
	if len(want) > len(b.val) {
		return maybe
	}
	answer := yes
	for i, w := range want {
		if (b.val[i]^w)&b.known[i] != 0 {
			return no
		}
		if b.known[i] != 0xff {
			answer = maybe
		}
	}
	return answer
}

// between says whether lo <= b <= hi, as big-endian numbers.
func (b bits) between(lo, hi []byte) tri {
	if len(lo) != len(b.val) || len(hi) != len(b.val) {
		return maybe
	}
	low, high := b.min(), b.max()
	switch {
	case bytes.Compare(high, lo) < 0 || bytes.Compare(low, hi) > 0:
		return no
	case bytes.Compare(low, lo) >= 0 && bytes.Compare(high, hi) <= 0:
		return yes
	}
	return maybe
}

// compare evaluates one of nft's comparisons.
func (b bits) compare(op string, want []byte) tri {
	if len(want) > len(b.val) {
		return maybe
	}
	b = b.sub(0, len(want))
	floor, ceiling := make([]byte, len(want)), bytes.Repeat([]byte{0xff}, len(want))
	switch op {
	case "eq":
		return b.equal(want)
	case "neq":
		return b.equal(want).not()
	case "lte":
		return b.between(floor, want)
	case "gt":
		return b.between(floor, want).not()
	case "gte":
		return b.between(want, ceiling)
	case "lt":
		return b.between(want, ceiling).not()
	}
	return maybe
}

// maskXor is (b & mask) ^ xor.
func (b bits) maskXor(mask, xor []byte) bits {
	out := unknownBits(len(b.val))
	for i := range out.val {
		if i >= len(mask) || i >= len(xor) {
			continue
		}
		out.known[i] = b.known[i] | ^mask[i]
		out.val[i] = (b.val[i]&mask[i] ^ xor[i]) & out.known[i]
	}
	return out
}

// join is what is known when the value is either of two.
func (b bits) join(o bits) bits {
	out := unknownBits(len(b.val))
	for i := range out.val {
		if i >= len(o.val) {
			continue
		}
		out.known[i] = b.known[i] & o.known[i] & ^(b.val[i] ^ o.val[i])
		out.val[i] = b.val[i] & out.known[i]
	}
	return out
}

// widen keeps what is known when the value is either this or another of its size.
func (b bits) widen(o bits) {
	for i := range b.val {
		b.known[i] &= o.known[i] & ^(b.val[i] ^ o.val[i])
		b.val[i] &= b.known[i]
	}
}

// forget makes a value unknown.
func (b bits) forget() {
	clear(b.val)
	clear(b.known)
}

// same says whether two are known to the same extent and equal there.
func (b bits) same(o bits) bool {
	return bytes.Equal(b.val, o.val) && bytes.Equal(b.known, o.known)
}

// swap reverses the bytes of each unit.
func (b bits) swap(unit int) bits {
	out := b.clone()
	for at := 0; at+unit <= len(b.val); at += unit {
		for i := range unit {
			out.val[at+i], out.known[at+i] = b.val[at+unit-1-i], b.known[at+unit-1-i]
		}
	}
	return out
}

// xor combines two values bit by bit.
func (b bits) xor(o bits) bits {
	out := unknownBits(len(b.val))
	for i := range out.val {
		if i < len(o.val) {
			out.known[i] = b.known[i] & o.known[i]
			out.val[i] = (b.val[i] ^ o.val[i]) & out.known[i]
		}
	}
	return out
}
