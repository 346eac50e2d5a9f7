package bridge

// qdiscs reads what shapes and limits traffic.
func (r *reader) qdiscs() error {
	list, err := r.conn.qdiscs(r.ctx, r.names)
	if err == nil {
		r.state.Qdiscs = list
	}
	return err
}

// devices reads what only some links have, and what links do not say
// themselves: it comes by generic netlink.
func (r *reader) devices() error {
	g, err := dialGeneric(r.ctx)
	if err != nil {
		return err
	}
	defer g.close()
	r.part("wireless", func() error {
		found, err := g.wireless(r.ctx)
		for i := range r.state.Links {
			if w, ok := found[r.state.Links[i].Index]; ok {
				r.state.Links[i].Wireless = &w
			}
		}
		return err
	})
	r.part("offloads", func() error {
		for i := range r.state.Links {
			l := &r.state.Links[i]
			if !offloading(l) {
				continue
			}
			if l.Offloads, err = g.offloads(l.Index); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}
