package services

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ConfiguredPort is a link that the host's own network configuration puts into
// a bridge at boot.
type ConfiguredPort struct {
	Link   string `json:"link"`
	Bridge string `json:"bridge"`
	File   string `json:"file"` // the first one that says so
}

// PartConfig is the host's network configuration.
const PartConfig = "network configuration"

// configuredPorts reads ifupdown, netplan, systemd-networkd, NetworkManager and
// the older network-scripts. Only links that are named as such count: patterns
// and matches by MAC or driver name none.
func (r *reader) configuredPorts() []ConfiguredPort {
	list := []ConfiguredPort{}
	list = append(list, r.ifupdown()...)
	list = append(list, r.netplan()...)
	list = append(list, r.networkFiles()...)
	list = append(list, r.keyfiles()...)
	list = append(list, r.networkScripts()...)
	list = slices.DeleteFunc(list, func(p ConfiguredPort) bool { return !linkName(p.Link) || !linkName(p.Bridge) })
	sortBy(list, func(a, b ConfiguredPort) int {
		return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.Link, b.Link))
	})
	return slices.CompactFunc(list, func(a, b ConfiguredPort) bool { return a.Bridge == b.Bridge && a.Link == b.Link })
}

// linkName says whether this can be the name of a link (dev_valid_name,
// net/core/dev.c; an alternative name has up to 127 bytes) and is no pattern.
func linkName(name string) bool {
	return name != "" && len(name) < 128 && !strings.ContainsAny(name, "/:*?[]!%$ \t\n\r\x00")
}

// filesIn are the files of a folder whose names end so.
func (r *reader) filesIn(folder, suffix string) []string {
	var list []string
	for _, name := range r.names(PartConfig, folder) {
		if strings.HasSuffix(name, suffix) && !strings.HasPrefix(name, ".") {
			list = append(list, folder+"/"+name)
		}
	}
	return list
}

// ifupdown reads bridge_ports of /etc/network/interfaces (bridge-utils-
// interfaces(5)).
func (r *reader) ifupdown() []ConfiguredPort {
	var list []ConfiguredPort
	for _, file := range append([]string{"etc/network/interfaces"}, r.filesIn("etc/network/interfaces.d", "")...) {
		lines, _ := r.lines(PartConfig, file, "#")
		bridge := ""
		for _, line := range lines {
			words := strings.Fields(line)
			switch words[0] {
			case "iface":
				bridge = ""
				if len(words) > 1 {
					bridge = words[1]
				}
			case "bridge_ports", "bridge-ports":
				list = append(list, interfacePorts(words[1:], bridge, file)...)
			}
		}
	}
	return list
}

func interfacePorts(words []string, bridge, file string) []ConfiguredPort {
	var list []ConfiguredPort
	for i, word := range words {
		if i > 0 && words[i-1] == "regex" {
			continue
		}
		switch word {
		case "none", "all", "regex", "noregex", "glob":
		default:
			list = append(list, ConfiguredPort{Link: word, Bridge: bridge, File: "/" + file})
		}
	}
	return list
}

// maxYAML bounds a document: nodes of YAML take a hundred times its bytes.
const maxYAML = 64 << 10

// yaml reads a document as nodes: making values of them compares each key with
// every other. Its error is one line.
func (r *reader) yaml(file string) (*yaml.Node, error) {
	data, err := r.file(file)
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxYAML:
		return nil, fmt.Errorf("larger than %d KiB", maxYAML>>10)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(line)
	}
	if len(document.Content) == 0 || document.Content[0].Tag == "!!null" {
		return nil, nil // nothing but comments
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping")
	}
	return document.Content[0], nil
}

// named are keys and values of a mapping, none of anything else.
func named(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, meant(n.Content[i+1])) {
				return
			}
		}
	}
}

// meant is what an alias stands for, or the node itself.
func meant(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// at is the value of a key; nil where there is none.
func at(n *yaml.Node, key string) *yaml.Node {
	for name, value := range named(n) {
		if name == key {
			return value
		}
	}
	return nil
}

// netplan reads bridges/interfaces of /etc/netplan. An interface is an id of
// the document: with match it names no link, unless set-name does.
func (r *reader) netplan() []ConfiguredPort {
	var list []ConfiguredPort
	matched := map[string]string{} // id: name, "" when only the match knows
	for _, file := range r.filesIn("etc/netplan", ".yaml") {
		document, err := r.yaml(file)
		if err != nil {
			if !absent(err) {
				r.gap(PartConfig, fmt.Errorf("read %s: %w", file, err))
			}
			continue
		}
		network := at(document, "network")
		for id, device := range named(at(network, "ethernets")) {
			if name := at(device, "set-name"); name != nil && name.Value != "" {
				matched[id] = name.Value
			} else if match := at(device, "match"); match != nil && match.Kind == yaml.MappingNode {
				matched[id] = ""
			}
		}
		list = append(list, netplanPorts(network, file)...)
	}
	for i := range list {
		if name, ok := matched[list[i].Link]; ok {
			list[i].Link = name
		}
	}
	return list
}

// netplanPorts are the ids that the bridges of a document have as interfaces.
func netplanPorts(network *yaml.Node, file string) []ConfiguredPort {
	var list []ConfiguredPort
	for name, bridge := range named(at(network, "bridges")) {
		ports := at(bridge, "interfaces")
		if ports == nil || ports.Kind != yaml.SequenceNode {
			continue
		}
		for _, id := range ports.Content {
			list = append(list, ConfiguredPort{Link: meant(id).Value, Bridge: name, File: "/" + file})
		}
	}
	return list
}

// networkFiles reads Bridge= of .network files that match by one name alone
// (systemd.network(5)).
func (r *reader) networkFiles() []ConfiguredPort {
	var list []ConfiguredPort
	for _, file := range r.filesIn("etc/systemd/network", ".network") {
		lines, _ := r.lines(PartConfig, file, "#;")
		s := sections(lines)
		match := s["Match"]
		if len(match) == 1 && s["Network"]["Bridge"] != "" {
			for _, name := range strings.Fields(match["Name"]) {
				list = append(list, ConfiguredPort{Link: name, Bridge: s["Network"]["Bridge"], File: "/" + file})
			}
		}
	}
	return list
}

// keyfiles reads NetworkManager's profiles of bridge ports (nm-settings-
// keyfile(5)); older ones say master for controller.
func (r *reader) keyfiles() []ConfiguredPort {
	var list []ConfiguredPort
	for _, file := range r.filesIn("etc/NetworkManager/system-connections", "") {
		lines, _ := r.lines(PartConfig, file, "#;")
		c := sections(lines)["connection"]
		if cmp.Or(c["port-type"], c["slave-type"]) == "bridge" {
			list = append(list, ConfiguredPort{Link: c["interface-name"], Bridge: cmp.Or(c["controller"], c["master"]), File: "/" + file})
		}
	}
	return list
}

// networkScripts reads BRIDGE= of ifcfg files.
func (r *reader) networkScripts() []ConfiguredPort {
	var list []ConfiguredPort
	for _, name := range r.names(PartConfig, "etc/sysconfig/network-scripts") {
		if !strings.HasPrefix(name, "ifcfg-") {
			continue
		}
		file := "etc/sysconfig/network-scripts/" + name
		lines, _ := r.lines(PartConfig, file, "#")
		values := map[string]string{}
		for _, line := range lines {
			if key, value, ok := setting(line); ok {
				values[key] = strings.Trim(value, `"'`)
			}
		}
		if values["HWADDR"] == "" {
			list = append(list, ConfiguredPort{Link: values["DEVICE"], Bridge: values["BRIDGE"], File: "/" + file})
		}
	}
	return list
}

// sections are the settings of an INI file by section; the last value of a key
// holds.
func sections(lines []string) map[string]map[string]string {
	all := map[string]map[string]string{}
	at := ""
	for _, line := range lines {
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			at = line[1 : len(line)-1]
			continue
		}
		if key, value, ok := setting(line); ok {
			if all[at] == nil {
				all[at] = map[string]string{}
			}
			all[at][key] = value
		}
	}
	return all
}
