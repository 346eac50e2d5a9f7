package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"

	"github.com/kvnet/kvnet/bridge"
	"github.com/kvnet/kvnet/libvirtnet"
)

// MaxSize is the size in bytes of the largest snapshot that Load reads: some
// 25,000 guests, or 100,000 rules.
const MaxSize = 64 << 20

// What a caller of Load can decide on.
var (
	ErrNewer  = errors.New("written by a newer version of kvnet")
	ErrTooBig = fmt.Errorf("larger than %d MiB", MaxSize>>20)
	ErrHeavy  = fmt.Errorf("more than %d MiB of memory would hold", maxWeight>>20)
	ErrNotOne = errors.New("no snapshot of kvnet")
)

// Load reads a snapshot that Save wrote. It refuses what is larger than
// MaxSize, would take far more memory than a host's, cut off, followed by something else, no snapshot, or of a version
// after [Version], the ruleset included. Fields that it does not know are left out.
// An error wraps its cause once: "read snapshot: CAUSE".
func Load(r io.Reader) (Snapshot, error) {
	s, err := load(r, MaxSize)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read snapshot: %w", err)
	}
	return s, nil
}

func load(r io.Reader, limit int64) (Snapshot, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return Snapshot{}, err
	case int64(len(data)) > limit:
		return Snapshot{}, ErrTooBig
	case len(bytes.TrimSpace(data)) == 0:
		return Snapshot{}, fmt.Errorf("empty: %w", ErrNotOne)
	}
	var head struct {
		Version *int      `json:"version"`
		Libvirt *struct{} `json:"libvirt"`
		Kernel  *struct{} `json:"kernel"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Snapshot{}, explain(err)
	}
	switch {
	case head.Version == nil || *head.Version < 1:
		return Snapshot{}, fmt.Errorf("no version: %w", ErrNotOne)
	case *head.Version > Version:
		return Snapshot{}, fmt.Errorf("version %d, this kvnet reads up to %d: %w", *head.Version, Version, ErrNewer)
	case head.Libvirt == nil || head.Kernel == nil:
		return Snapshot{}, fmt.Errorf("needs libvirt and kernel: %w", ErrNotOne)
	case tooHeavy(data, reflect.TypeFor[Snapshot](), maxWeight):
		return Snapshot{}, ErrHeavy
	}
	var s Snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return Snapshot{}, explain(err)
	}
	s.fill()
	return s, nil
}

// explain makes the errors of encoding/json say what is wrong with the file.
func explain(err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	if syntax.Offset > 0 && syntax.Offset < math.MaxInt64 {
		return fmt.Errorf("no JSON at byte %d (cut off?): %w", syntax.Offset, err)
	}
	return err
}

// fill replaces lists that are null, so that a snapshot is written as kvnet
// writes it.
func (s *Snapshot) fill() {
	l, k := &s.Libvirt, &s.Kernel
	if l.Networks == nil {
		l.Networks = []libvirtnet.Network{}
	}
	if l.Guests == nil {
		l.Guests = []libvirtnet.Guest{}
	}
	if l.Gaps == nil {
		l.Gaps = []libvirtnet.Gap{}
	}
	if k.Gaps == nil {
		k.Gaps = []bridge.Gap{}
	}
}

// Save writes a snapshot as one indented JSON document.
func Save(w io.Writer, s Snapshot) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}
