package lint

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/kvnet/kvnet/xml"
)

var dnsRules = []Rule{
	{"dns-off", "DNS is off and has entries", Error, AtDefine, "virNetworkDNSDefParseXML."},
	{"dns-forwarder-empty", "A forwarder without address and domain", Error, AtDefine, "virNetworkDNSDefParseXML."},
	{"dns-host-incomplete", "A DNS host without address or name", Error, AtDefine, "virNetworkDNSHostDefParseXML."},
	{"dns-srv-invalid", "An SRV record that is none", Error, AtDefine,
		"Service and protocol are needed; port, priority and weight go with a target (virNetworkDNSSrvDefParseXML)."},
	{"dns-txt-invalid", "A TXT record that is none", Error, AtDefine,
		"A name without blanks and commas, and a value (virNetworkDNSTxtDefParseXML)."},
	{"dns-txt-unreadable", "A TXT record that the DNS server cannot read", Error, AtStart,
		"libvirt writes it into dnsmasq's file as it is, where a quotation mark wants a second one and a line ends the value (read_file of dnsmasq's option.c)."},
	{"dns-register-not-local", "A domain that is to be registered and is not local", Error, BySchema,
		"register='yes' wants localOnly='yes' (virNetworkDefParseXML of 10.1 and later); before, libvirt knows no register."},
	{"dns-host-twice", "One name has several DNS entries of a family", Warning, Never,
		"Guests get both addresses in turn; libvirt says nothing of it."},
}

// knowsRegister is the first libvirt that knows a domain's register, 10.1.0.
const knowsRegister = 10_001_000

func (p *pass) dns(root *xml.Node) {
	if e := root.Child("domain"); e.Attr("register") == "yes" && e.Attr("localOnly") != "yes" && !p.before(knowsRegister) {
		p.at("dns-register-not-local", e.At("register"), "register='yes' wants localOnly='yes'")
		if p.version >= knowsRegister {
			p.findings[len(p.findings)-1].Refused = AtDefine
		}
	}
	d := root.Child("dns")
	if d == nil {
		return
	}
	if p.word(d, "enable", "yes", "no") == "no" {
		i := slices.IndexFunc(d.Children, func(c *xml.Node) bool {
			return c.Prefix == "" && slices.Contains([]string{"forwarder", "host", "srv", "txt"}, c.Name)
		})
		if i >= 0 {
			p.at("dns-off", d.Children[i].Place, "DNS is off: libvirt wants no <%s> then", d.Children[i].Name)
		}
	}
	for _, f := range d.All("forwarder") {
		if f.Attr("addr") == "" && f.Attr("domain") == "" {
			p.at("dns-forwarder-empty", f.Place, "a forwarder needs an address or a domain")
		}
	}
	for _, e := range d.All("srv") {
		p.srv(e)
	}
	for _, e := range d.All("txt") {
		switch name := e.Attr("name"); {
		case !e.Has("name") || !e.Has("value"):
			p.at("dns-txt-invalid", e.Place, "a TXT record needs a name and a value")
		case strings.ContainsAny(name, " ,"):
			p.at("dns-txt-invalid", e.At("name"), "TXT record %s: a name has no blank and no comma", show(name))
		case strings.ContainsFunc(name+e.Attr("value"), unicode.IsControl):
			p.at("dns-txt-unreadable", e.Place, "TXT record %s has a control character or a line break", show(name))
		case !paired(name + "," + e.Attr("value")):
			p.at("dns-txt-unreadable", e.At("value"), "TXT record %s: a quotation mark without its second one", show(name))
		}
	}
	p.dnsHosts(d)
}

// paired says whether each quotation mark of a line in dnsmasq's file has its second
// one. Within quotes a backslash takes the meaning of what follows.
func paired(line string) bool {
	inside := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			inside = !inside
		case inside && line[i] == '\\':
			i++
		}
	}
	return !inside
}

func (p *pass) dnsHosts(d *xml.Node) {
	seen := map[string]xml.Place{}
	for _, h := range d.All("host") {
		ip := p.address(h, "ip")
		names := 0
		for _, e := range h.All("hostname") {
			name := strings.ToLower(strings.TrimSpace(e.Text))
			names++
			if name == "" || !ip.IsValid() {
				continue
			}
			key := name + " " + strconv.FormatBool(ip.Is4())
			if before, again := seen[key]; again {
				p.note("dns-host-twice", Spot{p.name, e.Place}, p.object, &Spot{p.name, before}, "a second DNS entry for "+show(name))
				continue
			}
			seen[key] = e.Place
		}
		if h.Attr("ip") == "" || names == 0 {
			p.at("dns-host-incomplete", h.Place, "a DNS host needs an address and a name")
		}
	}
}

// The characters of services and protocols, PROTOCOL_CHARS, SERVICE_CHARS and
// DNS_RECORD_LENGTH_SRV of src/conf/network_conf.c and .h.
const (
	letters      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	protocolForm = letters + "-+/"
	serviceForm  = letters + "_-+/*"
	maxService   = 512 - 30
)

func (p *pass) srv(e *xml.Node) {
	service, protocol := e.Attr("service"), e.Attr("protocol")
	switch {
	case !e.Has("service") || !e.Has("protocol"):
		p.at("dns-srv-invalid", e.Place, "an SRV record needs a service and a protocol")
	case len(service) > maxService || strings.Trim(service, serviceForm) != "":
		p.at("dns-srv-invalid", e.At("service"), "service %s is none", show(service))
	case strings.Trim(protocol, protocolForm) != "":
		p.at("dns-srv-invalid", e.At("protocol"), "protocol %s is none", show(protocol))
	}
	for _, key := range []string{"port", "priority", "weight"} {
		v, ok := p.number(e, key, 65535)
		switch {
		case ok && !e.Has("target"):
			p.at("dns-srv-invalid", e.At(key), "%s without a target", key)
		case ok && key == "port" && v == 0:
			p.at("dns-srv-invalid", e.At(key), "port 0 is none")
		}
	}
}
