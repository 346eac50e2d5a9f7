package services

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// maxAnswer bounds what ovsdb-server may answer: some 100,000 ports.
const maxAnswer = 128 << 20

// errAnswer says that an answer is none that RFC 7047 allows.
var errAnswer = errors.New("not an answer of OVSDB")

// query reads three tables in one transaction (RFC 7047, 4.1.3 and 5.2.2).
const query = `{"method":"transact","id":"kvnet","params":["Open_vSwitch",` +
	`{"op":"select","table":"Bridge","where":[],"columns":["name","ports"]},` +
	`{"op":"select","table":"Port","where":[],"columns":["_uuid","name","tag","trunks","vlan_mode","interfaces"]},` +
	`{"op":"select","table":"Interface","where":[],"columns":["_uuid","name","type","ofport","error","external_ids"]}]}`

// openVSwitch asks ovsdb-server. Without its socket there is none.
func (r *reader) openVSwitch(ctx context.Context) *OpenVSwitch {
	for _, name := range []string{"run/openvswitch/db.sock", "var/run/openvswitch/db.sock", "usr/local/var/run/openvswitch/db.sock"} {
		path := r.path(name)
		if st, err := os.Stat(path); err != nil || st.Mode().Type() != os.ModeSocket {
			continue
		}
		s, err := askOVSDB(ctx, path)
		if err != nil {
			r.gap(PartOVS, fmt.Errorf("ask ovsdb-server: %w", err))
		}
		return s
	}
	return nil
}

func askOVSDB(ctx context.Context, path string) (*OpenVSwitch, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(conn, query); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(io.LimitReader(conn, maxAnswer))
	for {
		var m struct {
			ID     any             `json:"id"`
			Method string          `json:"method"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		if err := dec.Decode(&m); err != nil {
			return nil, err
		}
		switch {
		case m.Method != "" || m.ID != "kvnet":
			continue // the server asks whether this end lives
		case len(m.Error) > 0 && string(m.Error) != "null":
			return nil, fmt.Errorf("%w: %s", errAnswer, text(m.Error))
		}
		return parseOVSDB(m.Result)
	}
}

// The rows of the three tables. A column holds an atom, or ["set", [...]] and
// ["map", [...]] (RFC 7047, 5.1).
type (
	bridgeRow struct {
		Name  string `json:"name"`
		Ports set    `json:"ports"`
	}
	portRow struct {
		UUID       uuid   `json:"_uuid"`
		Name       string `json:"name"`
		Tag        set    `json:"tag"`
		Trunks     set    `json:"trunks"`
		VLANMode   set    `json:"vlan_mode"`
		Interfaces set    `json:"interfaces"`
	}
	interfaceRow struct {
		UUID   uuid   `json:"_uuid"`
		Name   string `json:"name"`
		Type   string `json:"type"`
		OFPort set    `json:"ofport"`
		Error  set    `json:"error"`
		IDs    table  `json:"external_ids"`
	}
)

// parseOVSDB puts the rows together.
func parseOVSDB(result json.RawMessage) (*OpenVSwitch, error) {
	var tables []struct {
		Rows  json.RawMessage `json:"rows"`
		Error string          `json:"error"`
	}
	if err := json.Unmarshal(result, &tables); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if len(tables) < 3 {
		return nil, fmt.Errorf("%w: %d tables", errAnswer, len(tables))
	}
	var (
		bridges    []bridgeRow
		ports      []portRow
		interfaces []interfaceRow
	)
	for i, into := range []any{&bridges, &ports, &interfaces} {
		if tables[i].Error != "" {
			return nil, fmt.Errorf("%w: %s", errAnswer, text([]byte(tables[i].Error)))
		}
		if err := json.Unmarshal(tables[i].Rows, into); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	return assemble(bridges, ports, interfaces), nil
}

func assemble(bridges []bridgeRow, ports []portRow, interfaces []interfaceRow) *OpenVSwitch {
	byID := make(map[string]OVSInterface, len(interfaces))
	for _, row := range interfaces {
		i := OVSInterface{Name: row.Name, Type: row.Type, OFPort: row.OFPort.number(), Error: row.Error.text()}
		if len(row.IDs) > 0 {
			i.ExternalIDs = row.IDs
		}
		byID[string(row.UUID)] = i
	}
	portByID := make(map[string]OVSPort, len(ports))
	for _, row := range ports {
		p := OVSPort{
			Name: row.Name, Tag: row.Tag.number(), Trunks: row.Trunks.numbers(), VLANMode: row.VLANMode.text(),
			Interfaces: []OVSInterface{},
		}
		for _, id := range row.Interfaces {
			if i, ok := byID[id]; ok {
				p.Interfaces = append(p.Interfaces, i)
			}
		}
		sortBy(p.Interfaces, func(a, b OVSInterface) int { return cmp.Compare(a.Name, b.Name) })
		portByID[string(row.UUID)] = p
	}
	s := &OpenVSwitch{Bridges: []OVSBridge{}}
	for _, row := range bridges {
		b := OVSBridge{Name: row.Name, Ports: []OVSPort{}}
		for _, id := range row.Ports {
			if p, ok := portByID[id]; ok {
				b.Ports = append(b.Ports, p)
			}
		}
		sortBy(b.Ports, func(a, b OVSPort) int { return cmp.Compare(a.Name, b.Name) })
		s.Bridges = append(s.Bridges, b)
	}
	sortBy(s.Bridges, func(a, b OVSBridge) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
