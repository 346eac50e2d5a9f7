package services

import (
	"strconv"
	"strings"
)

// networkd reads what systemd-networkd keeps of each link; nil where it does
// not run. Its files outlive it, so its process is looked for, too.
func (r *reader) networkd() *Networkd {
	names := r.names(PartNetworkd, "run/systemd/netif/links")
	if len(names) == 0 {
		return nil
	}
	n := &Networkd{Links: []NetworkdLink{}}
	pids, _ := r.lines(PartNetworkd, "sys/fs/cgroup/system.slice/systemd-networkd.service/cgroup.procs", "#")
	if len(pids) > 0 {
		pid, _ := strconv.Atoi(pids[0])
		n.Namespace = r.netNamespace(pid)
	}
	matches := map[string][]string{}
	for _, name := range names {
		index, err := strconv.Atoi(name)
		if err != nil || index <= 0 {
			continue
		}
		l := NetworkdLink{Index: index}
		lines, _ := r.lines(PartNetworkd, "run/systemd/netif/links/"+name, "#")
		for _, line := range lines {
			switch key, value, _ := setting(line); key {
			case "ADMIN_STATE":
				l.Admin = value
			case "NETWORK_FILE":
				l.File = value
			}
		}
		if l.File != "" {
			if _, ok := matches[l.File]; !ok {
				matches[l.File] = r.match(l.File)
			}
			l.Match = matches[l.File]
		}
		n.Links = append(n.Links, l)
	}
	sortBy(n.Links, func(a, b NetworkdLink) int { return a.Index - b.Index })
	return n
}

// match is the [Match] section of a .network file (systemd.network(5)).
func (r *reader) match(file string) []string {
	lines, _ := r.lines(PartNetworkd, file, "#;")
	var list []string
	inside := false
	for _, line := range lines {
		if strings.HasPrefix(line, "[") {
			inside = line == "[Match]"
			continue
		}
		if inside {
			list = append(list, line)
		}
	}
	return list
}
