package services

import (
	"strconv"
	"strings"
)

// resolver reads who resolves names: resolv.conf(5), systemd-resolved's files
// and the server= lines of dnsmasq's usual files.
func (r *reader) resolver() Resolver {
	s := Resolver{Servers: []string{}}
	var lines []string
	lines, s.Found = r.lines(PartResolver, "etc/resolv.conf", "#;")
	s.Servers = append(s.Servers, nameservers(lines)...)
	lines, _ = r.lines(PartResolver, "run/systemd/resolve/resolv.conf", "#;")
	s.Upstream = nameservers(lines)
	for _, name := range r.names(PartResolver, "run/systemd/resolve/netif") {
		index, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		lines, _ := r.lines(PartResolver, "run/systemd/resolve/netif/"+name, "#")
		link := LinkDNS{Index: index, Servers: []string{}, Domains: []string{}}
		for _, line := range lines {
			switch key, value, _ := setting(line); key {
			case "SERVERS":
				link.Servers = append(link.Servers, strings.Fields(value)...)
			case "DOMAINS":
				link.Domains = append(link.Domains, strings.Fields(value)...)
			}
		}
		s.Links = append(s.Links, link)
	}
	sortBy(s.Links, func(a, b LinkDNS) int { return a.Index - b.Index })
	s.Forwards = r.forwards()
	return s
}

func nameservers(lines []string) []string {
	var list []string
	for _, line := range lines {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			list = append(list, f[1])
		}
	}
	return list
}

// forwards are the server= and local= lines that dnsmasq of the machine, or
// NetworkManager's, gets from files.
func (r *reader) forwards() []Forward {
	files := []string{"etc/dnsmasq.conf"}
	for _, folder := range []string{"etc/dnsmasq.d", "etc/NetworkManager/dnsmasq.d", "etc/NetworkManager/dnsmasq-shared.d"} {
		for _, name := range r.names(PartResolver, folder) {
			// What editors and packages leave is not read (dnsmasq(8), --conf-dir).
			if strings.HasSuffix(name, "~") || strings.HasPrefix(name, ".") || strings.Contains(name, ".dpkg-") {
				continue
			}
			files = append(files, folder+"/"+name)
		}
	}
	var list []Forward
	for _, file := range files {
		lines, _ := r.lines(PartResolver, file, "#")
		for _, line := range lines {
			if key, value, ok := setting(line); ok && key == "server" {
				list = append(list, splitServer("/"+file, value)...)
			}
		}
	}
	return list
}

// splitServer reads [/domain/.../]address[#port][@interface] (dnsmasq(8),
// --server), once for each domain.
func splitServer(file, value string) []Forward {
	value, _, _ = strings.Cut(value, " ")
	domains := []string{""}
	if strings.HasPrefix(value, "/") {
		parts := strings.Split(value[1:], "/")
		domains, value = parts[:len(parts)-1], parts[len(parts)-1]
	}
	value, _, _ = strings.Cut(value, "@")
	value, _, _ = strings.Cut(value, "#")
	if value == "" {
		return nil
	}
	var list []Forward
	for _, domain := range domains[:min(len(domains), 64)] {
		list = append(list, Forward{File: file, Domain: domain, Server: value})
	}
	return list
}
