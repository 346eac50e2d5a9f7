package host

import (
	"bytes"
	"fmt"
)

// cpio writes an archive in the "newc" form, which the kernel unpacks as
// initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
type cpio struct {
	buf   bytes.Buffer
	inode int
}

const (
	cpioDir    = 0o040000
	cpioFile   = 0o100000
	cpioDevice = 0o020000
)

func (c *cpio) dir(name string) { c.entry(name, cpioDir|0o755, 0, 0, nil) }

func (c *cpio) file(name string, mode uint32, data []byte) {
	c.entry(name, cpioFile|mode, 0, 0, data)
}

func (c *cpio) device(name string, major, minor int) {
	c.entry(name, cpioDevice|0o600, major, minor, nil)
}

// entry writes one header of 13 hexadecimal fields, the name and the data, the
// latter two padded to four bytes.
func (c *cpio) entry(name string, mode uint32, major, minor int, data []byte) {
	c.inode++
	links := 1
	fmt.Fprintf(&c.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	c.buf.WriteString(name + "\x00")
	c.pad()
	c.buf.Write(data)
	c.pad()
}

func (c *cpio) pad() {
	for c.buf.Len()%4 != 0 {
		c.buf.WriteByte(0)
	}
}

// bytes ends the archive.
func (c *cpio) bytes() []byte {
	c.entry("TRAILER!!!", 0, 0, 0, nil)
	return c.buf.Bytes()
}
