package services

import (
	"bytes"
)

// Machine is what the hardware says that it is.
type Machine struct {
	// Hypervisor: the processor says that it is a virtual one (CPUID).
	Hypervisor bool `json:"hypervisor"`
	// Vendor and Product are those of the firmware's system table (SMBIOS type
	// 1); "" where there is none.
	Vendor  string `json:"vendor,omitempty"`
	Product string `json:"product,omitempty"`
}

// machine reads the flags of the processor and the firmware's names. Firmware
// is no namespace's, so it may come from sysfs.
func (r *reader) machine() Machine {
	var m Machine
	if data, err := r.start("proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(data) {
			if key, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(key)) == "flags" {
				m.Hypervisor = bytes.Contains(append(bytes.TrimSpace(value), ' '), []byte(" hypervisor "))
				break
			}
		}
	}
	m.Vendor, m.Product = r.firmware("sys_vendor"), r.firmware("product_name")
	return m
}

func (r *reader) firmware(name string) string {
	data, err := r.file("sys/class/dmi/id/" + name)
	if err != nil {
		return "" // no such firmware, or a board that does not say
	}
	return text(bytes.TrimSpace(data))
}

// start is the beginning of a file: that of a machine with hundreds of
// processors says the same of each.
func (r *reader) start(name string) ([]byte, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, 16<<10)
	n, err := f.Read(data)
	return data[:n], err
}
