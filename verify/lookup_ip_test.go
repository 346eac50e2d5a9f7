package verify

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func say(a answer) string {
	text := a.kind
	for _, r := range a.routes {
		text += " " + r.Dst.String() + " dev " + r.Link
	}
	return text
}

// agrees holds an answer against ip's: a link, or the error of a refusal. A
// rule that says unreachable ends in the same error as no rule at all.
func agrees(a answer, kernel string) bool {
	switch a.kind {
	case toLink:
		return a.over(kernel)
	case toLocal:
		return kernel == toLocal
	case "unreachable":
		if len(a.routes) == 0 {
			return kernel == "Network is unreachable"
		}
		return kernel == "No route to host"
	case "prohibit":
		return kernel == "Permission denied"
	case "blackhole":
		return kernel == "Invalid argument"
	}
	return kernel == "Network is unreachable"
}

var (
	failedLine = regexp.MustCompile(`Command failed -:(\d+)`)
	errorText  = regexp.MustCompile(`RTNETLINK answers: (.*)`)
	devName    = regexp.MustCompile(` dev (\S+)`)
)

// ipAnswers asks ip and returns a link, "local" or an error text for each line.
func ipAnswers(t *testing.T, n, family int, batch string) []string {
	t.Helper()
	stdout, stderr := ipBatch(family, batch)
	list := make([]string, n)
	text := ""
	for line := range strings.Lines(stderr) {
		if m := errorText.FindStringSubmatch(line); m != nil {
			text = strings.TrimSpace(m[1])
		}
		if m := failedLine.FindStringSubmatch(line); m != nil {
			i, _ := strconv.Atoi(m[1])
			list[i-1] = text
		}
	}
	lines := slices.Collect(strings.Lines(stdout))
	for i := range list {
		if list[i] != "" {
			continue
		}
		if len(lines) == 0 {
			t.Errorf("ip printed too few lines: %s", stderr)
			return nil
		}
		line := lines[0]
		lines = lines[1:]
		m := devName.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "local ") || strings.HasPrefix(line, "broadcast "):
			list[i] = toLocal
		case m != nil:
			list[i] = m[1]
		default:
			list[i] = strings.TrimSpace(line)
		}
	}
	return list
}
