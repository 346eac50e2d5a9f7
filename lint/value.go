package lint

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/kvnet/kvnet/xml"
)

// value is what an attribute or a text is to be: want in words, is as libvirt
// has it.
type value struct {
	want string
	is   func(string) bool
}

// values are the kinds of values of libvirt's schema, by the names that the
// table of elements has for them.
var values = sync.OnceValue(func() map[string]value {
	return map[string]value{
		"":     {"", anything},
		"any":  {"", anything},
		"some": {"a value", pattern(`(?s:.+)`)}, // which, a rule of its own tells

		// The schema has numbers of its own, digits alone, and those of XML, which
		// may have a sign and blanks around; libvirt takes no blank behind.
		"int":         {"a number from 0 to 4294967295", digits(0, 1<<32-1)},
		"positive":    {"a number from 1 to 4294967295", digits(1, 1<<32-1)},
		"long":        {"a number from 0 to 18446744073709551615", digits(0, 1<<64-1)},
		"speed":       {"a number from 1 to 18014398509481984", digits(1, 1<<54)}, // 11.3; the schema of 9.0 has less than its parser
		"count":       {"a number from 0 to 4294967295", unsigned(1<<32 - 1)},
		"count64":     {"a number from 0 to 18446744073709551615", unsigned(1<<64 - 1)},
		"short":       {"a number from 0 to 65535", number(0, 65535)},
		"port":        {"a number from 1 to 65535", number(1, 65535)},
		"prefix":      {"a number from 0 to 128", unsigned(128)},
		"blank-count": {"a number from 0 to 4294967295", pattern(`\s*[0-9]{1,10}\s*`)}, // nobody reads it
		"socket":      {"a port number", func(s string) bool { return s == "-1" || number(0, 65535)(s) }},
		"integer":     {"a number", pattern(`\s*[-+]?[0-9]{1,19}`)},
		"byte":        {"a number from 0 to 255", either(number(0, 255), pattern(`0x[0-9a-fA-F]{1,2}`))},
		"byte3":       {"a number from 0 to 16777215", either(number(0, 1<<24-1), pattern(`0x[0-9a-fA-F]{1,6}`))},

		"pci-domain":   {"a PCI domain such as 0x0000", either(unsigned(1<<32-1), pattern(`0x[0-9a-fA-F]{1,8}`))},
		"pci-slot":     {"a PCI slot from 0x00 to 0x1f", either(number(0, 31), pattern(`(0x)?[01]?[0-9a-fA-F]`))},
		"pci-function": {"a PCI function from 0 to 7", either(number(0, 7), pattern(`0x[0-7]`))},
		"usb-address":  {"a number such as 0x03", pattern(`(0x)?[0-9a-fA-F]{1,3}`)},
		"usb":          {"an id such as 0x1d6b", pattern(`(0x)?[0-9a-fA-F]{1,4}`)},

		"ip":     {"an IP address", isAddress},
		"ipv4":   {"an IPv4 address", isIPv4},
		"server": {"an IPv4 address", isNumeric},
		"portid": {"32 hexadecimal digits", either(isUUID, pattern(`-?[0-9]+`))}, // of type vds it is a number
		"mac":    {"a MAC address such as 52:54:00:e4:75:83", isMAC},             // of a group: mac-multicast
		"uuid":   {"32 hexadecimal digits", isUUID},
		"duid": {"a DHCP unique identifier of type 1 to 4", pattern(`0{1,2}:0?(` +
			`1:0{1,2}:0?[a-fA-F1-9](:[a-fA-F0-9]{1,2}){10,12}|2(:[a-fA-F0-9]{1,2}){5,128}|` +
			`3:0{1,2}:0?[a-fA-F1-9](:[a-fA-F0-9]{1,2}){6,8}|4(:[a-fA-F0-9]{1,2}){16})`)},

		// What the kernel refuses of a name is told by device-name-invalid.
		"device":      {"a name of letters, digits and ._-:/\\", either(pattern(`[a-zA-Z0-9_.\-\\:/]+`), unfit)},
		"name":        {"a name of letters, digits and ._-:/\\", pattern(`[a-zA-Z0-9_.\-\\:/]+`)},
		"host-bridge": {"a name of letters, digits and ._-:/\\", either(pattern(`[a-zA-Z0-9_.\-\\:/ ]*`), unfit)},
		"dns":         {"a DNS name of letters, digits, . and -", pattern(`[a-zA-Z0-9.\-]+`)},
		"txt":         {"a DNS name of letters, digits, . and -", pattern(`[a-zA-Z0-9.\-]+|.*[ ,].*`)}, // the latter: dns-txt-invalid
		"host":        {"a name that begins with a letter or digit", pattern(`[a-zA-Z0-9](?s:.*)`)},
		"zone":        {"a name of letters, digits, _ and -", pattern(`[a-zA-Z0-9_\-]+`)},
		"protocol":    {"tcp or udp", func(s string) bool { return s == "tcp" || s == "udp" || strings.Trim(s, protocolForm) != "" }},
		"profile":     {"at most 39 characters", pattern(`(?s:.){0,39}`)},
		"generic":     {"a name of letters, digits and _+-", pattern(`[a-zA-Z0-9_+\-]+`)},
		"alias":       {"a name of letters, digits and _-.", pattern(`[a-zA-Z0-9_\-.]+`)},
		"ncname":      {"a name without blanks and colons, begun by a letter", pattern(`[\pL_][\pL\pN\pM_.\-·]*`)},
		"loadparm":    {"at most 8 letters and digits", pattern(`[a-zA-Z0-9.\s]{1,8}`)},
		"path":        {"a path", pattern(`.+`)},
		"absolute":    {"an absolute path", pattern(`/.+`)},

		"parameter":       {"a name of letters, digits and _", pattern(`[a-zA-Z0-9_]+`)},
		"parameter-value": {"letters, digits and _.:", pattern(`[a-zA-Z0-9_.:]+`)},
	}
})

// valueOf is a kind by its name; other words are the ones that are taken.
func valueOf(name string) value {
	if v, ok := values()[name]; ok {
		return v
	}
	words := strings.Split(name, "|")
	return value{strings.Join(words, " or "), func(s string) bool {
		for _, w := range words {
			if s == w {
				return true
			}
		}
		return false
	}}
}

func anything(string) bool { return true }

func pattern(text string) func(string) bool {
	form := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(` + text + `)$`) })
	return func(s string) bool { return form().MatchString(s) }
}

func either(one, other func(string) bool) func(string) bool {
	return func(s string) bool { return one(s) || other(s) }
}

// digits is a number without a sign.
func digits(least, most uint64) func(string) bool {
	return func(s string) bool {
		v, err := strconv.ParseUint(s, 10, 64)
		return err == nil && v >= least && v <= most
	}
}

// unsigned is one that may have blanks in front.
func unsigned(most uint64) func(string) bool {
	in := digits(0, most)
	return func(s string) bool { return in(strings.TrimLeft(s, blanks)) }
}

const blanks = " \t\r\n"

// number is one that may have blanks and a sign in front.
func number(least, most uint64) func(string) bool {
	in := digits(least, most)
	return func(s string) bool { return in(strings.TrimPrefix(strings.TrimLeft(s, blanks), "+")) }
}

func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// isNumeric says whether the C library takes a text for an IPv4 address
// (inet_aton).
func isNumeric(s string) bool {
	parts := strings.Split(s, ".")
	for i, part := range parts {
		most := uint64(255)
		if i == len(parts)-1 {
			most = 1<<(8*(5-len(parts))) - 1
		}
		if v, err := strconv.ParseUint(part, 0, 64); err != nil || v > most || len(parts) > 4 || strings.Contains(part, "_") {
			return false
		}
	}
	return true
}

func isIPv4(s string) bool { return isAddress(s) && !strings.Contains(s, ":") }

var isUUID = pattern(`[a-fA-F0-9]{32}|[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}`)

// unfit says whether no link can have the name: a rule of its own tells it.
func unfit(name string) bool {
	return name != "" && !strings.Contains(name, "%d") && (len(name) > xml.MaxLinkName || xml.CheckLinkName(name) != nil)
}

// quoted is a wrong value for a message.
func quoted(value string) string {
	if len(value) > shown {
		value = strings.ToValidUTF8(value[:shown], "") + "..."
	}
	return strconv.Quote(value)
}
