package services

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Where libvirt keeps what belongs to its networks.
const (
	dnsmasqFolder = "var/lib/libvirt/dnsmasq"
	statusFolder  = "run/libvirt/network"
)

// networks reads the files of every network that has a configuration for
// dnsmasq or a status file, by name.
func (r *reader) networks() []Network {
	byName := map[string]*Network{}
	list := []Network{}
	var order []string
	take := func(name string) *Network {
		n := byName[name]
		if n == nil {
			n = &Network{Name: text([]byte(name))}
			byName[name] = n
			order = append(order, name)
		}
		return n
	}
	for _, file := range r.names(PartDnsmasq, dnsmasqFolder) {
		if name, ok := strings.CutSuffix(file, ".conf"); ok && name != "" {
			r.dnsmasqConfig(take(name), dnsmasqFolder+"/"+file)
		}
	}
	for _, file := range r.names(PartBackend, statusFolder) {
		if name, ok := strings.CutSuffix(file, ".xml"); ok && name != "" {
			r.status(take(name), statusFolder+"/"+file)
		} else if name, ok := strings.CutSuffix(file, ".pid"); ok && byName[name] != nil {
			r.pid(byName[name], statusFolder+"/"+file)
		}
	}
	for _, name := range order {
		list = append(list, *byName[name])
	}
	sortNetworks(list)
	return list
}

func (r *reader) dnsmasqConfig(n *Network, path string) {
	f, err := r.open(path)
	if err != nil {
		if !absent(err) {
			r.gap(PartDnsmasq, err)
		}
		return
	}
	defer f.Close()
	data, err := bounded(path, f)
	if err != nil {
		r.gap(PartDnsmasq, err)
		return
	}
	n.Config = append([]string{}, splitLines(data, "#")...)
	if st, err := f.Stat(); err == nil {
		n.Modified = st.ModTime().UTC()
	}
}

// pid reads the pid file that dnsmasq wrote when it started. It may write it as
// somebody who cannot replace it; its time is that of the start nevertheless.
func (r *reader) pid(n *Network, path string) {
	data, err := r.file(path)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil || pid <= 0 {
		return
	}
	if st, err := os.Stat(r.path(path)); err == nil {
		n.PID, n.Started = pid, st.ModTime().UTC()
	}
}

// status finds the backend attribute of the <firewall> element: libvirt 10.4
// and later keep there how to take their rules away.
func (r *reader) status(n *Network, path string) {
	data, err := r.file(path)
	if err != nil {
		if !absent(err) {
			r.gap(PartBackend, err)
		}
		return
	}
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.gap(PartBackend, errors.New("read /"+path+": "+err.Error()))
			}
			return
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "firewall" {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "backend" {
				n.Backend = text([]byte(a.Value))
			}
		}
		return
	}
}

// backend is firewall_backend of network.conf: key = "value" or 'value'.
func (r *reader) backend() string {
	lines, _ := r.lines(PartBackend, "etc/libvirt/network.conf", "#")
	value := ""
	for _, line := range lines {
		if key, text, ok := setting(line); ok && key == "firewall_backend" {
			if text, _, ok = strings.Cut(text, "#"); ok {
				text = strings.TrimSpace(text)
			}
			value = strings.Trim(text, `"'`)
		}
	}
	return value
}

func sortNetworks(list []Network) {
	slices.SortFunc(list, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
}
