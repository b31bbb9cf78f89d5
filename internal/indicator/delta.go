package indicator

import (
	"context"
	"encoding/binary"
	"maps"

	"entente/internal/fault"
)

// Delta is a set of changes that becomes visible at once. A later call for the same source or value counts more than an earlier one.
type Delta struct {
	sources map[string]*sourceDelta
	size    int
}

type sourceDelta struct {
	replaced bool           // everything that the source had is out
	values   map[Value]Meta // what is in
	dropped  map[Value]bool // what is out; without the mark whether names beneath are meant
}

func (d *Delta) source(id string) *sourceDelta {
	s := d.sources[id]
	if s == nil {
		if d.sources == nil {
			d.sources = map[string]*sourceDelta{}
		}
		s = &sourceDelta{values: map[Value]Meta{}, dropped: map[Value]bool{}}
		d.sources[id] = s
	}
	return s
}

// plain is a value without the mark whether names beneath are meant.
func (v Value) plain() Value {
	v.alone = false
	return v
}

// Replace takes out all that a source has and puts in what it has now: another version of an object, or nothing when it is gone.
func (d *Delta) Replace(m Meta, values ...Value) {
	s := d.source(m.Source)
	s.replaced = true
	clear(s.values)
	clear(s.dropped)
	d.size++
	d.Add(m, values...)
}

// Drop takes out all that a source has.
func (d *Delta) Drop(source string) { d.Replace(Meta{Source: source}) }

// Add puts values of a source in, beside those that it has. A value that it has gets the new meta.
func (d *Delta) Add(m Meta, values ...Value) {
	s := d.source(m.Source)
	for _, v := range values {
		delete(s.values, Value{Kind: v.Kind, key: v.key, alone: !v.alone})
		s.values[v] = m
		s.dropped[v.plain()] = true
		d.size++
	}
}

// Remove takes values of a source out.
func (d *Delta) Remove(source string, values ...Value) {
	s := d.source(source)
	for _, v := range values {
		delete(s.values, v)
		delete(s.values, Value{Kind: v.Kind, key: v.key, alone: !v.alone})
		s.dropped[v.plain()] = true
		d.size++
	}
}

// Len is about how many changes there are.
func (d *Delta) Len() int { return d.size }

// The marks of what is dropped.
const (
	dropSource = 's' // and the source
	dropValue  = 'v' // and the kind, the length of the source, the source and the key
)

func appendDropSource(dst, source []byte) []byte { return append(append(dst, dropSource), source...) }

func appendDropValue(dst, source []byte, k Kind, key []byte) []byte {
	dst = binary.AppendUvarint(append(dst, dropValue, byte(k)), uint64(len(source)))
	return append(append(dst, source...), key...)
}

// dropped tells whether one of the layers took out an entry that stands below them.
func dropped(later []layer, source []byte, k Kind, key []byte) bool {
	var buf [512]byte
	for _, l := range later {
		if len(l.drops) == 0 {
			continue
		}
		if _, ok := l.drops[string(appendDropSource(buf[:0], source))]; ok {
			return true
		}
		if _, ok := l.drops[string(appendDropValue(buf[:0], source, k, key))]; ok {
			return true
		}
	}
	return false
}

// layer makes a layer of the changes.
func (d *Delta) layer(key Key) (layer, error) {
	b, drops := NewBuilder(key), map[string]struct{}{}
	for id, s := range d.sources {
		if s.replaced {
			drops[string(appendDropSource(nil, []byte(id)))] = struct{}{}
		}
		for v := range s.dropped {
			if !s.replaced {
				drops[string(appendDropValue(nil, []byte(id), v.Kind, []byte(v.key)))] = struct{}{}
			}
		}
		metas := map[Meta]MetaID{}
		for v, m := range s.values {
			n, ok := metas[m]
			if !ok {
				n = b.Meta(m)
				metas[m] = n
			}
			if err := b.Add(v, n); err != nil {
				return layer{}, err
			}
		}
	}
	return layer{b.Snapshot(0), drops}, nil
}

// The bounds of what is not merged yet.
const (
	maxPending = 4_000_000 // changes: beyond it a table takes no more
	mergeAt    = 250_000   // changes: from then on a merge is worth its cost
)

func pending(layers []layer) (n int) {
	for _, l := range layers[1:] {
		n += l.size()
	}
	return n
}

func (l layer) size() int { return l.Len() + len(l.drops) }

// Pending is how many changes stand above the base, and whether it is time for a Merge.
func (t *Table) Pending() (n int, due bool) {
	layers := t.view.Load().layers
	n = pending(layers)
	return n, n >= mergeAt || n > 1000 && n > layers[0].Len()/8
}

// Apply makes changes visible to all lookups that begin after it returns. Lookups that are under way see all of them or none. Its error is Full
// when a Merge must come first.
func (t *Table) Apply(d *Delta) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.view.Load()
	if n := pending(v.layers) + d.size; n > maxPending {
		return fault.New(fault.Full, "indicator.pending", "%d changes wait for the index to be merged, and %d are the most", n, maxPending).Try("merge, then give them again")
	}
	if len(d.sources) == 0 {
		return nil
	}
	l, err := d.layer(v.layers[0].key)
	if err != nil {
		return err
	}
	layers := append(append([]layer(nil), v.layers...), l)
	t.show(v, layers)
	// Layers of about the same size are made one, so that there are few.
	for n := len(layers); n-2 >= max(1, t.frozen) && layers[n-2].size() <= 4*layers[n-1].size(); n = len(layers) {
		joined, err := join(context.Background(), layers[n-2:], v.layers[0].key)
		if err != nil {
			return err
		}
		layers = append(append([]layer(nil), layers[:n-2]...), joined)
	}
	t.show(v, layers)
	return nil
}

func (t *Table) show(old *view, layers []layer) {
	t.view.Store(&view{layers: layers, hash: old.hash, decay: old.decay, version: old.version + 1})
}

// join makes one layer of several.
func join(ctx context.Context, layers []layer, key Key) (layer, error) {
	b, drops := NewBuilder(key), map[string]struct{}{}
	for i, l := range layers {
		maps.Copy(drops, l.drops)
		if err := b.take(ctx, l.Snapshot, layers[i+1:]); err != nil {
			return layer{}, err
		}
	}
	return layer{b.Snapshot(0), drops}, nil
}

// take adds what a snapshot has and later layers did not take out.
func (b *Builder) take(ctx context.Context, s *Snapshot, later []layer) (err error) {
	ids := make([]uint32, s.nMetas) // of the metas here, plus one
	seen := 0
	s.each(func(entry int, k Kind, alone bool, key []byte) bool {
		if seen++; seen%65536 == 0 {
			if err = ctx.Err(); err != nil {
				return false
			}
		}
		id := s.metaID(entry)
		r := s.metaRow(id)
		if len(later) > 0 && dropped(later, s.text(r.source()), k, key) {
			return true
		}
		if ids[id] == 0 {
			ids[id] = uint32(b.Meta(s.meta(r))) + 1
		}
		err = b.add(k, alone, key, ids[id]-1)
		return err == nil
	})
	return err
}

// Merge makes a new base of everything, writes it to a file and stands on that. It is for the background: lookups and changes go on meanwhile.
// An empty path keeps the base in memory. cursor is kept in the file: how much of the journal is in it. Only one Merge runs at a time; a second
// one is refused as a Conflict.
func (t *Table) Merge(ctx context.Context, path string, cursor int64) error {
	t.mu.Lock()
	if t.frozen > 0 {
		t.mu.Unlock()
		return fault.New(fault.Conflict, "indicator.merging", "the index is being merged")
	}
	layers := t.view.Load().layers
	t.frozen = len(layers)
	t.mu.Unlock()

	base, err := mergeTo(ctx, layers, path, cursor)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.frozen = 0
	if err != nil {
		return err
	}
	v := t.view.Load()
	t.show(v, append([]layer{{Snapshot: base}}, v.layers[len(layers):]...))
	return nil
}

func mergeTo(ctx context.Context, layers []layer, path string, cursor int64) (*Snapshot, error) {
	b := NewBuilder(layers[0].key)
	for i, l := range layers {
		if err := b.take(ctx, l.Snapshot, layers[i+1:]); err != nil {
			return nil, err
		}
	}
	base := b.Snapshot(cursor)
	if path == "" {
		return base, nil
	}
	if err := base.WriteFile(path); err != nil {
		return nil, err
	}
	return Open(path)
}

// Reset puts another base in the place of everything.
func (t *Table) Reset(base *Snapshot) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen > 0 {
		return fault.New(fault.Conflict, "indicator.merging", "the index is being merged")
	}
	old := t.view.Load()
	t.view.Store(&view{layers: []layer{{Snapshot: base}}, hash: base.hash, decay: old.decay, version: old.version + 1})
	return nil
}
