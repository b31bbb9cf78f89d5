package feed

import (
	"bytes"
	"context"
	"errors"
	"io"

	"entente/internal/fault"
	"entente/stix"
)

// Bundle is a document of STIX objects: a bundle, an envelope, a list, or objects one after another. STIX 2.0 is upgraded.
type Bundle struct{}

func (Bundle) Kind() string { return "stix" }

func (Bundle) Check(c *Config) error { return nil }

func (Bundle) Pull(ctx context.Context, r *Run) error {
	d, err := r.Document(ctx)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	// Read to its end before anything is stored: what is no whole document changes nothing. Definitions of markings go in first, so that no
	// object waits for a marking of its own document.
	var markings [][]byte
	err = split(d, func(raw []byte) error {
		if isMarking(raw) && len(markings) < maxMarkings {
			markings = append(markings, bytes.Clone(raw))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.Objects(ctx, markings, nil); err != nil {
		return err
	}
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	var batch [][]byte
	seen, size := 0, 0
	err = split(d, func(raw []byte) error {
		if isMarking(raw) {
			if seen++; seen <= maxMarkings {
				return nil
			}
		}
		objects := r.current(raw)
		for _, o := range objects {
			batch = append(batch, bytes.Clone(o))
			size += len(o)
		}
		if len(batch) < batchObjects && size < batchBytes {
			return nil
		}
		full := batch
		batch, size = nil, 0
		return r.Objects(ctx, full, nil)
	})
	if err != nil {
		return err
	}
	return r.Objects(ctx, batch, func(*State) { r.took(d) })
}

const maxMarkings = 1000

// split goes through the objects of a document and says in words what is wrong with it.
func split(d io.Reader, fn func([]byte) error) error {
	_, err := stix.Split(d, fn)
	var se *stix.Error
	if errors.As(err, &se) {
		return fault.New(fault.Unprocessable, "feed.format", "%s, at byte %d; nothing of it was taken", se.Message, se.Offset).At(se.Pointer)
	}
	return err
}

// isMarking tells whether an object defines a marking. Most objects are told by one look.
func isMarking(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`"marking-definition"`)) {
		return false
	}
	o, err := stix.Parse(raw)
	return err == nil && o.Type() == "marking-definition"
}

// current is an object in STIX 2.1: itself, or what it becomes by an upgrade from STIX 2.0, whose losses are told.
func (r *Run) current(raw []byte) [][]byte {
	if bytes.Contains(raw, []byte(`"spec_version"`)) {
		return [][]byte{raw}
	}
	o, err := stix.Parse(raw)
	if err != nil || o.Spec() != "2.0" {
		return [][]byte{raw}
	}
	out, losses, err := stix.Upgrade(raw)
	if err != nil {
		return [][]byte{raw}
	}
	r.Note("objects of STIX 2.0 were upgraded")
	for _, l := range losses {
		r.report.problem("upgraded", l.Code, l.Message, o.ID())
	}
	return out
}
