package lint

import "github.com/kvnet/kvnet/xml"

// Named are the network filters and the TFTP folders that documents name, each
// once: what [Host] is to tell of.
func Named(files []File) (filters, folders []string) {
	seen := map[string]bool{}
	add := func(list *[]string, kind, name string) {
		if name != "" && !seen[kind+name] {
			seen[kind+name] = true
			*list = append(*list, name)
		}
	}
	for _, f := range files {
		root, err := xml.ReadNodes(f.Text)
		if err != nil {
			continue // a finding
		}
		for _, ip := range root.All("ip") {
			add(&folders, "folder ", ip.Child("tftp").Attr("root"))
		}
		for _, devices := range root.All("devices") {
			for _, i := range devices.All("interface") {
				add(&filters, "filter ", i.Child("filterref").Attr("filter"))
			}
		}
	}
	return filters, folders
}
