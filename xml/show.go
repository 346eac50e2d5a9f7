package xml

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown is how many bytes of a name appear in a message.
const shown = 80

// Show makes a name from outside fit for a message: quoted when it has
// anything but letters, digits and plain punctuation, cut when it is long.
func Show(name string) string {
	cut := name
	if len(cut) > shown {
		n := shown
		for n > 0 && !utf8.RuneStart(cut[n]) {
			n--
		}
		cut = cut[:n]
	}
	odd := cut == "" || strings.ContainsFunc(cut, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:/+@,", r)
	})
	if odd {
		cut = strconv.Quote(cut)
	}
	if len(name) > shown {
		cut += "... (" + strconv.Itoa(len(name)) + " bytes)"
	}
	return cut
}
