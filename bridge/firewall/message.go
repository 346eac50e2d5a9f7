package firewall

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kvnet/kvnet/bridge/socket"
)

// request is a change of nf_tables: struct nfgenmsg and attributes.
func request(msg, flags int, family uint8, attrs ...[]byte) socket.Request {
	return socket.Request{Type: uint16(unix.NFNL_SUBSYS_NFTABLES<<8 | msg), Flags: uint16(flags), // NFT_MSG_* and NLM_F_*
		Payload: append([]byte{family, 0, 0, 0}, slices.Concat(attrs...)...)}
}

// batchHeader is the struct nfgenmsg around a transaction: it says whose it is.
func batchHeader() []byte {
	return binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, 0}, unix.NFNL_SUBSYS_NFTABLES)
}

// attr is one struct nlattr.
func attr(typ uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value))) // all that is sent is short
	b = append(binary.NativeEndian.AppendUint16(b, typ), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func textAttr(typ uint16, s string) []byte { return attr(typ, append([]byte(s), 0)) }

// numberAttr is one of nf_tables' numbers, which are big endian.
func numberAttr(typ uint16, n int) []byte {
	return attr(typ, binary.BigEndian.AppendUint32(nil, uint32(n))) // as the kernel's type has it
}

func nest(typ uint16, attrs ...[]byte) []byte {
	return attr(typ|unix.NLA_F_NESTED, slices.Concat(attrs...))
}

// expression is one of a rule's.
func expression(name string, attrs ...[]byte) []byte {
	return nest(unix.NFTA_LIST_ELEM, textAttr(unix.NFTA_EXPR_NAME, name), nest(unix.NFTA_EXPR_DATA, attrs...))
}
