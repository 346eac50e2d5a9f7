package integration

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/kvnet/kvnet/libvirtnet"
	"github.com/kvnet/kvnet/lint"
	"github.com/kvnet/kvnet/xml"
)

// corpus are the documents of libvirt's own tests, from the source package of
// the libvirt that is installed: setup.sh sources fetches them.
func corpus(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	const folder = "../.cache/libvirt-tests/"
	documents := map[string]string{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(folder + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no documents %s: run ./setup.sh sources (%v)", pattern, err)
		}
		for _, file := range files {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			documents[strings.TrimPrefix(file, folder)] = string(doc)
		}
	}
	return documents
}

var networkDocuments = []string{"networkxml2xmlin/*.xml", "networkxml2confdata/*.xml", "networkxml2xmlupdateout/*.xml", "networkxml2firewalldata/*.xml"}

// TestCorpus: in no document that libvirt takes does lint find what libvirt
// would refuse; and each of them goes through every kind of edit that kvnet
// has, loses nothing but what the edit is about, and is taken again.
func TestCorpus(t *testing.T) {
	t.Parallel()
	v := newVirsh(t, os.Getenv("KVNET_TEST_ROOT"))
	takenDocuments, edits, refused := 0, 0, 0
	for name, doc := range corpus(t, networkDocuments...) {
		if !strings.Contains(doc, "<network") {
			continue
		}
		complaint := v.define(doc)
		v.clear()
		if named, err := xml.KeepIdentity(doc, someUUID, ""); err == nil {
			doc = named // so that it can be defined again and again
		}
		if found := refusals(name, doc); (complaint == "") != (len(found) == 0) && !ofTheHost(complaint) {
			t.Errorf("%s: libvirt says %q, lint says %v", name, complaint, found)
		}
		if complaint != "" {
			refused++
			continue
		}
		takenDocuments++
		var made, names []string
		for _, e := range kinds {
			out, err := e.do(doc)
			if err != nil {
				continue // the edit does not go with the document, and says so
			}
			if lost := lostBy(t, doc, out, e.about); len(lost) > 0 {
				t.Errorf("%s: %s lost %v", name, e.name, lost)
			}
			made, names = append(made, out), append(names, e.name)
		}
		edits += len(made)
		for i, complaint := range v.redefine(made) {
			t.Errorf("%s: %s makes a document that libvirt refuses: %s\n%s", name, names[i], complaint, made[i])
		}
		v.clear()
	}
	if takenDocuments < 60 || edits < 10*takenDocuments {
		t.Errorf("only %d documents and %d edits", takenDocuments, edits)
	}
	t.Logf("%d documents that libvirt takes, %d that it refuses, %d edits", takenDocuments, refused, edits)
}

const someUUID = "77777777-7777-4777-8777-777777777777"

// redefine defines documents one after the other and returns what virsh says
// of those that libvirt refuses.
func (v virsh) redefine(documents []string) map[int]string {
	var commands []string
	files := map[string]int{}
	for i, d := range documents {
		file := filepath.Join(v.dir, fmt.Sprintf("edit%d.xml", i))
		if err := os.WriteFile(file, []byte(d), 0o644); err != nil {
			v.t.Fatal(err)
		}
		files[file] = i
		commands = append(commands, "net-define "+file)
	}
	res, err := v.host.Exec(v.t.Context(), "virsh", strings.Join(commands, ";"))
	if err != nil {
		v.t.Fatalf("virsh: %v %s", err, res.Stderr)
	}
	complaints := map[int]string{}
	for _, part := range strings.Split(res.Stderr, "Failed to define network from ")[1:] {
		file, why, _ := strings.Cut(part, "\n")
		complaints[files[file]] = strings.TrimSpace(why)
	}
	if defined := strings.Count(res.Stdout, "defined from"); defined+len(complaints) != len(documents) {
		v.t.Fatalf("virsh: %d documents, %d defined, %d refused: %s", len(documents), defined, len(complaints), res.Stderr)
	}
	return complaints
}

// refusals are what lint says libvirt does not take.
func refusals(name, doc string) []lint.Finding {
	return slices.DeleteFunc(lint.Check([]lint.File{{Name: name, Text: doc}}), func(f lint.Finding) bool {
		return f.Refused != lint.AtDefine
	})
}

// ofTheHost says whether libvirt refuses for want of hardware: no document
// tells of that.
func ofTheHost(complaint string) bool {
	return strings.Contains(complaint, "SR-IOV Virtual Function")
}

// TestCorpusGuests is the first half of TestCorpus for guests' interfaces.
func TestCorpusGuests(t *testing.T) {
	t.Parallel()
	v := newVirsh(t, os.Getenv("KVNET_TEST_ROOT"))
	takenDocuments := 0
	for name, doc := range corpus(t, "qemuxml2argvdata/net-*.xml") {
		complaint := v.define(doc)
		if complaint != "" {
			continue // most for want of the machine that they are written for
		}
		takenDocuments++
		v.clear()
		if found := refusals(name, doc); len(found) > 0 {
			t.Errorf("%s: libvirt takes it, lint says %v", name, found)
		}
	}
	if takenDocuments < 20 {
		t.Errorf("libvirt takes %d documents only", takenDocuments)
	}
	t.Logf("%d guests that libvirt takes", takenDocuments)
}

// kind is a kind of edit: what it does, and the paths that it is about.
type kind struct {
	name  string
	do    func(doc string) (string, error)
	about []string // beginnings of paths
}

func edit(wish xml.Network) func(string) (string, error) {
	return func(doc string) (string, error) { return xml.Edit(doc, wish) }
}

// first edits the first subnet of a document, and keeps the others.
func first(change func(*xml.IP)) func(string) (string, error) {
	return func(doc string) (string, error) {
		n, err := xml.Parse(doc)
		if err != nil || len(n.IPs) == 0 {
			return "", fmt.Errorf("no subnet: %w", err)
		}
		ips := slices.Clone(n.IPs)
		change(&ips[0])
		return xml.Edit(doc, xml.Network{IPs: ips})
	}
}

var (
	switchOn, switchOff = true, false
	kinds               = []kind{
		{"nothing", edit(xml.Network{}), nil},
		{"MTU", edit(xml.Network{MTU: 1400}), []string{"mtu@"}},
		{"STP off", edit(xml.Network{STP: &switchOff}), []string{"bridge@stp"}},
		{"STP on", edit(xml.Network{STP: &switchOn}), []string{"bridge@stp"}},
		{"bridge", edit(xml.Network{Bridge: "virbr77"}), []string{"bridge@name", "forward@dev", "forward/interface"}},
		{"MAC", edit(xml.Network{MAC: "52:54:00:77:77:77"}), []string{"mac@"}},
		{"zone", edit(xml.Network{Zone: "trusted"}), []string{"bridge@zone"}},
		{"MAC table", edit(xml.Network{MACTable: "libvirt"}), []string{"bridge@macTableManager"}},
		{"domain", edit(xml.Network{Domain: "lab.example"}), []string{"domain@name"}},
		{"isolated ports", edit(xml.Network{PortsIsolated: &switchOn}), []string{"port@"}},
		{"bandwidth", edit(xml.Network{Bandwidth: xml.Bandwidth{Inbound: xml.Rate{Average: 77}}}), []string{"bandwidth/inbound@"}},
		{"NAT ports", edit(xml.Network{NAT: &xml.NATSpec{FirstPort: 2000, LastPort: 2999}}), []string{"forward/nat/port@"}},
		{"forward device", edit(xml.Network{ForwardDevs: []string{"eth77"}}), []string{"forward@dev", "forward/interface", "bridge"}},
		{"port groups", edit(xml.Network{PortGroups: []string{"only"}}), []string{"portgroup"}},
		{"DNS forwarders", edit(xml.Network{DNS: &xml.DNS{Forwarders: []netip.Addr{netip.MustParseAddr("192.0.2.77")}}}), []string{"dns/forwarder"}},
		{"DNS hosts", edit(xml.Network{DNS: &xml.DNS{Hosts: []xml.DNSHost{{IP: netip.MustParseAddr("192.0.2.77"), Names: []string{"a"}}}}}), []string{"dns/host"}},
		{"reservations", first(func(ip *xml.IP) { ip.Hosts = []xml.Host{} }), []string{"ip/dhcp"}},
		{"no ranges", first(func(ip *xml.IP) { ip.Ranges = []xml.Range{} }), []string{"ip/dhcp"}},
		{"another address", first(func(ip *xml.IP) { ip.Address = netip.PrefixFrom(ip.Address.Addr().Next(), ip.Address.Bits()) }), []string{"ip@"}},
		{"identity", func(doc string) (string, error) { return xml.KeepIdentity(doc, "", "52:54:00:77:77:77") }, nil},
		{"redefinition", redefinition, nil},
	}
)

// redefinition plans what net-define -f does with a network that is there and
// was started once: its UUID, bridge and MAC are kept.
func redefinition(doc string) (string, error) {
	w, err := xml.Parse(doc)
	if err != nil {
		return "", err
	}
	was := xml.Network{Name: w.Name, UUID: w.UUID, Mode: w.Mode, MTU: 4321, MAC: "52:54:00:77:77:77"}
	if w.UUID == "" {
		was.UUID = someUUID
	}
	if w.Managed() {
		was.Bridge = "virbr77"
	}
	plan, err := libvirtnet.NewPlan(&libvirtnet.Network{Name: w.Name, UUID: was.UUID, Persistent: true, Config: &was}, doc)
	if err != nil || len(plan.Steps) == 0 {
		return "", fmt.Errorf("no step: %w", err)
	}
	return plan.Steps[0].Document, nil
}

// lostBy are the attributes and texts of before that after lacks, but for
// those that the edit is about.
func lostBy(t *testing.T, before, after string, about []string) []string {
	count := map[string]int{}
	for _, s := range statements(t, after) {
		count[s]++
	}
	var lost []string
	for _, s := range statements(t, before) {
		if count[s]--; count[s] < 0 && !slices.ContainsFunc(about, func(a string) bool { return strings.HasPrefix(s, a) }) {
			lost = append(lost, s)
		}
	}
	return lost
}

// statements are all that a document says: each element, attribute, text and
// comment with its path.
func statements(t *testing.T, doc string) []string {
	tree := etree.NewDocument()
	if err := tree.ReadFromString(doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	var walk func(e *etree.Element, path string)
	walk = func(e *etree.Element, path string) {
		all = append(all, path)
		for _, a := range e.Attr {
			all = append(all, path+"@"+a.FullKey()+"="+a.Value)
		}
		for _, token := range e.Child {
			switch c := token.(type) {
			case *etree.CharData:
				if words := strings.TrimSpace(c.Data); words != "" {
					all = append(all, path+"="+words)
				}
			case *etree.Comment:
				all = append(all, path+"#"+c.Data)
			case *etree.Element:
				walk(c, strings.TrimPrefix(path+"/"+c.FullTag(), "/"))
			}
		}
	}
	walk(tree.Root(), "")
	return all
}
