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
			r.dnsmasqHosts(take(name), dnsmasqFolder+"/"+name+".hostsfile")
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

func (r *reader) dnsmasqHosts(n *Network, path string) {
	switch data, err := r.file(path); {
	case err == nil:
		n.Hosts = append([]string{}, splitLines(data, "#")...)
	case !absent(err):
		r.gap(PartDnsmasq, err)
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

// firewallStatus is the <firewall> element of a status file: libvirt 10.4 and
// later keep there how to take their rules away, each as the words of a command.
type firewallStatus struct {
	Backend string `xml:"backend,attr"`
	Actions []struct {
		Layer string   `xml:"layer,attr"`
		Words []string `xml:"args>item"`
	} `xml:"group>action"`
}

// status reads the <firewall> element of a status file.
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
		if start, ok := token.(xml.StartElement); err == nil && ok && start.Name.Local == "firewall" {
			var status firewallStatus
			if err = dec.DecodeElement(&status, &start); err == nil {
				n.Backend, n.Rules, n.Checksum = text([]byte(status.Backend)), status.rules(), status.checksum()
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.gap(PartBackend, errors.New("read /"+path+": "+err.Error()))
			}
			return
		}
	}
}

// rules are the rules that the nftables backend deletes by their handles:
// "delete rule FAMILY TABLE CHAIN handle N".
func (s *firewallStatus) rules() []FilterRule {
	var list []FilterRule
	for _, a := range s.Actions {
		w := a.Words
		if s.Backend != "nftables" || len(w) != 7 || w[0] != "delete" || w[1] != "rule" || w[5] != "handle" {
			continue
		}
		if handle, err := strconv.ParseUint(w[6], 10, 64); err == nil {
			list = append(list, FilterRule{Family: text([]byte(w[2])), Table: text([]byte(w[3])), Chain: text([]byte(w[4])), Handle: handle})
		}
	}
	return list
}

// checksum says whether the backend has a filter of tc with the action csum.
func (s *firewallStatus) checksum() bool {
	for _, a := range s.Actions {
		if a.Layer == "tc" && len(a.Words) > 0 && a.Words[0] == "filter" && slices.Contains(a.Words, "csum") {
			return true
		}
	}
	return false
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
	sortBy(list, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
}
