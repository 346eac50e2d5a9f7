package xml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseMAC reads a MAC address in any of the usual spellings and returns it
// as six lower-case pairs with colons: 52:54:00:e4:75:83. Colons or dashes
// separate the six bytes; libvirt's short form 52:54:0:e4:75:83 is read too.
func ParseMAC(s string) (string, error) {
	separator := ":"
	if !strings.Contains(s, ":") {
		separator = "-"
	}
	parts := strings.Split(s, separator)
	if len(s) > 17 || len(parts) != 6 {
		return "", fmt.Errorf("read MAC %q: want six bytes such as 52:54:00:e4:75:83", clip(s))
	}
	var b [6]byte
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) > 2 {
			return "", fmt.Errorf("read MAC %q: %q is no byte", clip(s), clip(p))
		}
		b[i] = byte(v)
	}
	return formatMAC(b), nil
}

func formatMAC(b [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// CheckMAC says whether an interface can own the address: it is one, names a
// single station (the lowest bit of the first byte is 0) and is not all zero.
func CheckMAC(s string) error {
	mac, err := ParseMAC(s)
	if err != nil {
		return err
	}
	if mac == "00:00:00:00:00:00" {
		return errors.New("MAC 00:00:00:00:00:00 belongs to nobody")
	}
	first, _ := strconv.ParseUint(mac[:2], 16, 8)
	if first&1 == 1 {
		return fmt.Errorf("MAC %s is a multicast address", mac)
	}
	return nil
}

// GuestMAC is a guest's address below 52:54:00, the prefix that QEMU and
// libvirt give to guests. The caller brings the random bytes.
func GuestMAC(random [3]byte) string {
	return formatMAC([6]byte{0x52, 0x54, 0x00, random[0], random[1], random[2]})
}

// ParseUUID reads a UUID, with or without dashes, and returns it as libvirt
// prints it: lower case, 8-4-4-4-12.
func ParseUUID(s string) (string, error) {
	digits := strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if len(s) > 36 || len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("read UUID %q: want 32 hexadecimal digits", clip(s))
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:], nil
}
