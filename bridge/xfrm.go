package bridge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Layout of linux/xfrm.h.
const (
	xfrmPolicyLen   = 168 // struct xfrm_userpolicy_info
	xfrmStateLen    = 224 // struct xfrm_usersa_info
	xfrmTemplateLen = 64  // struct xfrm_user_tmpl

	xfrmNewSA      = 0x10 // XFRM_MSG_NEWSA
	xfrmGetSA      = 0x12
	xfrmNewPolicy  = 0x13
	xfrmGetPolicy  = 0x15
	xfrmGetDefault = 0x28

	xfrmTemplates  = 5 // XFRMA_TMPL
	xfrmContext    = 8 // XFRMA_SEC_CTX
	xfrmPolicyType = 16
	xfrmMark       = 21
	xfrmIfID       = 31

	xfrmBlock = 1 // XFRM_USERPOLICY_BLOCK
)

// xfrmDirs are the directions of policies in ip-xfrm(8)'s words. Those of
// single sockets have others.
var xfrmDirs = [...]string{"in", "out", "fwd"}

type xfrmPolicyMsg struct {
	XFRMPolicy
	index int // of the link in the selector
}

// xfrm reads what IPsec has the kernel do with packets. A kernel without it
// does nothing with them.
func (r *reader) xfrm() error {
	c, err := dial(unix.NETLINK_XFRM)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		r.state.XFRM = &XFRM{}
		return nil
	}
	if err != nil {
		return err
	}
	defer c.close()
	x, err := c.xfrm(r.ctx, r.names)
	if err != nil {
		return kernelError("", err)
	}
	r.state.XFRM = x
	return nil
}

func (c *conn) xfrm(ctx context.Context, links names) (*XFRM, error) {
	policies, err := dumpAll(ctx, c, dumpRequest{xfrmGetPolicy, xfrmNewPolicy, nil}, parseXFRMPolicy)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	x := &XFRM{}
	templates := false
	for _, p := range policies {
		p.Link = links.of(p.index)
		x.Policies = append(x.Policies, p.XFRMPolicy)
		templates = templates || len(p.Templates) > 0
	}
	if x.Block, err = c.xfrmDefaults(); err != nil || !templates {
		return x, err
	}
	if x.States, err = dumpAll(ctx, c, dumpRequest{xfrmGetSA, xfrmNewSA, nil}, parseXFRMState); err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	x.Keyed, err = keyManager()
	return x, err
}

// xfrmDefaults are the directions in which a packet without a policy is
// dropped. Kernels before 5.15 drop none and do not know the question.
func (c *conn) xfrmDefaults() ([]string, error) {
	msgs, err := c.ask(xfrmGetDefault, 0, xfrmGetDefault, make([]byte, 4))
	if errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read default policies: %w", err)
	}
	var block []string
	for _, m := range msgs { // struct xfrm_userpolicy_default: in, fwd, out
		for i, dir := range []string{"in", "fwd", "out"} {
			if i < len(m) && m[i] == xfrmBlock {
				block = append(block, dir)
			}
		}
	}
	return block, nil
}

// parseXFRMPolicy reads struct xfrm_userpolicy_info and its attributes.
// Policies of single sockets are left out.
func parseXFRMPolicy(b []byte) (xfrmPolicyMsg, bool, error) {
	var p xfrmPolicyMsg
	if len(b) < xfrmPolicyLen {
		return p, false, fmt.Errorf("parse policy: %w", errTruncated)
	}
	dir := int(b[160])
	if _, ok := ipFamily(b[40]); !ok || dir >= len(xfrmDirs) {
		return p, false, nil
	}
	p.Dir, p.Action = xfrmDirs[dir], "allow"
	if b[161] != 0 {
		p.Action = "block"
	}
	p.Priority = u32(b[152:])
	p.Proto = int(b[44])
	p.index = s32(b[48:])
	if u16(b[34:]) != 0 || u16(b[38:]) != 0 {
		p.Selectors = append(p.Selectors, "ports")
	}
	var err error
	if p.Dst, err = xfrmPrefix(b[40], b[0:16], b[42]); err != nil {
		return p, false, fmt.Errorf("parse policy: %w", err)
	}
	if p.Src, err = xfrmPrefix(b[40], b[16:32], b[43]); err != nil {
		return p, false, fmt.Errorf("parse policy: %w", err)
	}
	err = walk(b[xfrmPolicyLen:], func(typ uint16, v []byte) error {
		switch typ {
		case xfrmTemplates:
			p.Templates = parseXFRMTemplates(v)
		case xfrmContext:
			p.Selectors = append(p.Selectors, "context")
		case xfrmPolicyType:
			p.Sub = u8(v) != 0
		case xfrmMark:
			if len(v) >= 8 {
				p.Mark, p.Mask = u32(v), u32(v[4:])
			}
		case xfrmIfID:
			p.IfID = u32(v)
		}
		return nil
	})
	if err != nil {
		return p, false, fmt.Errorf("parse policy: %w", err)
	}
	return p, true, nil
}

func parseXFRMTemplates(b []byte) []XFRMTemplate {
	var list []XFRMTemplate
	for ; len(b) >= xfrmTemplateLen; b = b[xfrmTemplateLen:] {
		t := XFRMTemplate{Proto: int(b[20]), ReqID: u32(b[44:]), Optional: b[50] != 0}
		t.Dst, t.Src = xfrmAddr(b[24], b[0:16]), xfrmAddr(b[24], b[28:44])
		list = append(list, t)
	}
	return list
}

// parseXFRMState reads struct xfrm_usersa_info and nothing behind it: there
// are the keys.
func parseXFRMState(b []byte) (XFRMState, bool, error) {
	var s XFRMState
	if len(b) < xfrmStateLen {
		return s, false, fmt.Errorf("parse state: %w", errTruncated)
	}
	if binary.BigEndian.Uint32(b[72:]) == 0 {
		return s, false, nil // asked for, and not made yet
	}
	s.Dst, s.Src = xfrmAddr(b[212], b[56:72]), xfrmAddr(b[212], b[80:96])
	s.Proto, s.ReqID = int(b[76]), u32(b[208:])
	return s, true, nil
}

// xfrmPrefix is a prefix of a selector, whose addresses have 16 bytes in every
// family.
func xfrmPrefix(family uint8, b []byte, bits uint8) (netip.Prefix, error) {
	n, _ := ipFamily(family)
	return prefix(family, b[:n], bits)
}

// xfrmAddr is an address of a template or state, not valid where there is none.
func xfrmAddr(family uint8, b []byte) netip.Addr {
	n, _ := ipFamily(family)
	a, _ := netip.AddrFromSlice(b[:n])
	if a.IsValid() && a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// keyManager says whether a program of this namespace hears when a state is
// wanted: by netlink (group XFRMNLGRP_ACQUIRE, the first) or by PF_KEY.
func keyManager() (bool, error) {
	sockets, err := readProc("/proc/thread-self/net/netlink")
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(sockets) {
		f := bytes.Fields(line) // sk Eth Pid Groups ...
		if len(f) < 4 || string(f[1]) != strconv.Itoa(unix.NETLINK_XFRM) {
			continue
		}
		if groups, err := strconv.ParseUint(string(f[3]), 16, 64); err == nil && groups&1 != 0 {
			return true, nil
		}
	}
	keys, err := readProc("/proc/thread-self/net/pfkey")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Count(keys, []byte("\n")) > 1, err // a heading, and one line a socket
}

// sort puts the policies into the order in which they are asked. Those of one
// priority stay in the kernel's: the sort is stable.
func (x *XFRM) sort() {
	rank := func(p *XFRMPolicy) int {
		if p.Sub {
			return 0
		}
		return 1
	}
	sortBy(x.Policies, func(a, b XFRMPolicy) int {
		return cmp.Or(cmp.Compare(a.Dir, b.Dir), cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Priority, b.Priority))
	})
}
