package verify

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// words builds a command line: names first as people write them, flags behind.
// Names that begin with a dash would be taken for flags: they stand last,
// behind "--".
func words(command, flags []string, names ...string) []string {
	out := append(make([]string, 0, len(command)+len(flags)+len(names)+1), command...)
	for _, n := range names {
		if strings.HasPrefix(n, "-") {
			out = append(out, flags...)
			out = append(out, "--")
			return append(out, names...)
		}
	}
	out = append(out, names...)
	return append(out, flags...)
}

// shellJoin quotes each word where the shell needs it.
func shellJoin(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(shellQuote(a))
	}
	return b.String()
}

// shellQuote writes one word for a shell: bare where that is safe, in single
// quotes, or with escapes in $'...' where it holds control characters, which
// must not break the line.
func shellQuote(word string) string {
	plain, control := word != "", false
	for _, r := range word {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case strings.ContainsRune("@%_+=:,./-", r):
		default:
			plain = false
			control = control || !strconv.IsPrint(r)
		}
	}
	switch {
	case plain:
		return word
	case !control:
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// centiseconds turns milliseconds into the hundredths of ip link's
// forward_delay (USER_HZ).
func centiseconds(milliseconds string) string {
	n, err := strconv.Atoi(milliseconds)
	if err != nil {
		return milliseconds
	}
	return strconv.Itoa(n / 10)
}

// connectedRoute is the route that the kernel makes for an address of a link.
func connectedRoute(link, address string) []string {
	prefix, err := netip.ParsePrefix(address)
	if err != nil {
		return nil
	}
	to := prefix.Masked().String()
	if prefix.Addr().Is6() {
		return []string{"ip", "-6", "route", "replace", to, "dev", link, "proto", "kernel"}
	}
	return []string{"ip", "route", "replace", to, "dev", link, "proto", "kernel", "scope", "link", "src", prefix.Addr().String()}
}

// localRoute adds the local route of an address as the kernel does.
func localRoute(link, address string) []string {
	args := append(ipTool(address), "route", "replace", "local", address, "dev", link, "table", "local", "proto", "kernel")
	if strings.Contains(address, ":") {
		return args
	}
	return append(args, "scope", "host", "src", address)
}

// ipTool is ip(8) for the family of an address.
func ipTool(address string) []string {
	if strings.Contains(address, ":") {
		return []string{"ip", "-6"}
	}
	return []string{"ip"}
}

// routeDel deletes a route; the type of one that leads nowhere stands before
// its target.
func routeDel(to string, words []string) []string {
	out := append(ipTool(to), "route", "del")
	if len(words) > 0 && words[0] != "via" && words[0] != "dev" && words[0] != "table" && words[0] != "metric" {
		out, words = append(out, words[0]), words[1:]
	}
	return append(append(out, to), words...)
}

// ruleAdd has the main table asked for packets to or from a subnet, or the one
// that stands behind the direction.
func ruleAdd(s Step) []string {
	table := "main"
	if len(s.Args) > 1 {
		table = s.Args[1]
	}
	return append(ipTool(s.On), "rule", "add", s.Args[0], s.On, "lookup", table, "pref", s.With)
}
