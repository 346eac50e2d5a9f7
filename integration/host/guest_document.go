package host

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
	"text/template"
)

// GuestSpec says what guest to define. The zero value boots Linux with one
// virtio link on the network "default".
type GuestSpec struct {
	MAC        string   // of the link; derived from the guest's name when empty
	Network    string   // libvirt network the link is on
	Bridge     string   // host bridge the link is on, instead of a network
	NoLink     bool     // no link at all
	Interfaces []string // further links, as <interface> elements
	MemoryMiB  int      // 256 when 0, 8 for an empty guest
	Empty      bool     // nothing to boot: costs little, does nothing, has real taps
}

// sparePorts is how many devices can be hot-plugged: on q35 each needs a root
// port that was there at the start.
const sparePorts = 8

// fastBoot leaves out what a guest without secrets has no use for, and what an
// emulated processor is slow at: a sixth of a boot.
const fastBoot = "mitigations=off nokaslr init_on_alloc=0 cryptomgr.notests tsc=reliable"

// GuestMAC is the hardware address that a guest has when none is asked for.
func GuestMAC(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}

var documentTemplate = template.Must(template.New("domain").Parse(`<domain type='qemu'>
  <name>{{.Name}}</name>
  <memory unit='MiB'>{{.Memory}}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
{{- if not .Empty}}
    <kernel>{{.Boot}}/kernel</kernel>
    <initrd>{{.Boot}}/initrd</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 {{.Fast}} kvlab.name={{.Name}}</cmdline>
{{- end}}
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>
{{- range .Ports}}
    <controller type='pci' model='pcie-root-port'/>
{{- end}}
{{- if not .Empty}}
    <serial type='file'>
      <source path='{{.Folder}}/{{.Name}}.console'/>
      <target type='isa-serial' port='0'/>
    </serial>
    <serial type='unix'>
      <source mode='bind' path='{{.Folder}}/{{.Name}}.sock'/>
      <target type='isa-serial' port='1'/>
    </serial>
{{- end}}
{{- if .Source}}
    <interface type='{{.Type}}'>
      <mac address='{{.MAC}}'/>
      <source {{.Type}}='{{.Source}}'/>
      <model type='virtio'/>
{{- if .Empty}}
      <rom enabled='no'/>
{{- end}}
    </interface>
{{- end}}
{{- range .More}}
    {{.}}
{{- end}}
    <memballoon model='none'/>
  </devices>
</domain>
`))

// document is the domain's XML.
func (g *Guest) document(spec GuestSpec) (string, error) {
	data := struct {
		Name, MAC, Type, Source, Boot, Folder, Fast string
		Memory                                      int
		Empty                                       bool
		Ports                                       []struct{}
		More                                        []string
	}{
		Name: g.name, MAC: spec.MAC, Type: "network", Source: spec.Network,
		Boot: bootFolder, Folder: guestFolder, Fast: fastBoot, Memory: spec.MemoryMiB, Empty: spec.Empty, More: spec.Interfaces,
	}
	if spec.Network != "" && spec.Bridge != "" || spec.NoLink && spec.Network+spec.Bridge+spec.MAC != "" {
		return "", errors.New("a network, a bridge and no link exclude each other")
	}
	if data.MAC == "" {
		data.MAC = GuestMAC(g.name)
	}
	if _, err := net.ParseMAC(data.MAC); err != nil {
		return "", err
	}
	switch {
	case spec.Bridge != "":
		data.Type, data.Source = "bridge", spec.Bridge
	case spec.Network == "" && !spec.NoLink:
		data.Source = "default"
	}
	if strings.ContainsAny(data.Source, "<>&'\"") {
		return "", fmt.Errorf("check source %q: holds characters of XML", data.Source)
	}
	switch {
	case data.Memory < 0:
		return "", fmt.Errorf("check memory %d MiB: negative", data.Memory)
	case data.Memory == 0 && spec.Empty:
		data.Memory = 8
	case data.Memory == 0:
		data.Memory = 256
	}
	if !spec.Empty {
		data.Ports = make([]struct{}, sparePorts+1) // one carries the first link
	}
	var b strings.Builder
	if err := documentTemplate.Execute(&b, data); err != nil {
		return "", fmt.Errorf("write document: %w", err)
	}
	return b.String(), nil
}
