package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"entente/internal/record"
	"entente/internal/store"
	"entente/stix"
)

const (
	maxWords = 1 << 15 // words of one record that are indexed
	maxTerms = 1 << 14 // different terms of one record
)

// extract is what one record is found by.
type extract struct {
	terms []uint32 // places in the dictionary, each once
	words []byte   // hashes in order, for phrases
	refs  []ref
	rel   string // relationship_type
}

// dictionary is the terms of one batch, each once, and the reader of its records.
type dictionary struct {
	terms []string
	ids   map[string]uint32
	last  []uint32 // of every term: the last record that had it

	// Of the record that is read:
	n     uint32 // counted from 1
	count int    // words
	has   []uint32
	words []byte

	scratch []byte
}

// extracted reads what is new in the journal, in order and ahead of who takes it. The dictionary is complete once the last one is taken.
func extracted(ctx context.Context, entries []store.Entry) (<-chan *extract, *dictionary) {
	out, d := make(chan *extract, 32), &dictionary{ids: map[string]uint32{}}
	go func() {
		defer close(out)
		for i := range entries {
			if !isNew(&entries[i]) {
				continue
			}
			select {
			case out <- d.read(entries[i].Record):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, d
}

// isNew tells whether an entry is the first of its record.
func isNew(e *store.Entry) bool { return e.Kind == store.EntryPut && e.Seq == e.Rec && e.Record != nil }

// ref is one object that a record names, and the property that names it.
type ref struct{ kind, id string }

// unread are the properties whose text means nothing to a reader, or is indexed in another way.
var unread = map[string]bool{"id": true, "type": true, "spec_version": true, "created": true, "modified": true, "pattern": true, "pattern_type": true,
	"pattern_version": true, "valid_from": true, "valid_until": true, "first_seen": true, "last_seen": true, "first_observed": true, "last_observed": true, "published": true,
	"hashes": true, "payload_bin": true, "granular_markings": true, "extension_type": true, "lang": true, "start_time": true, "stop_time": true, "definition": true}

// named are the properties whose text is what an object is called.
var named = map[string]bool{"name": true, "aliases": true, "x_mitre_aliases": true, "external_id": true, "value": true, "relationship_type": true,
	"account_login": true, "user_id": true, "display_name": true, "key": true, "path": true, "command_line": true, "subject": true, "cpe": true}

// read takes a record apart. A body that the language does not know has no more than its id.
func (d *dictionary) read(r *record.Record) *extract {
	e := new(extract)
	d.n++
	d.count, d.has, d.words = 0, d.has[:0], d.words[:0]
	defer func() { e.terms, e.words = slices.Clone(d.has), bytes.Clone(d.words) }()
	d.term(termSource, "v:"+fold(r.Origin.Via))
	d.term(termSource, "n:"+fold(r.Origin.Nation))
	d.term(termSource, "o:"+fold(r.Origin.Org))
	o, err := stix.Parse(r.Body)
	if err != nil {
		return e
	}
	for _, at := range o.Refs() {
		if !strings.HasPrefix(at.ID, "marking-definition--") {
			e.refs = append(e.refs, ref{property(at.Path), at.ID})
		}
	}
	if r.Type == "relationship" {
		e.rel = cut(o.Text("/relationship_type"), maxWord)
	}
	for _, n := range o.Names() {
		d.term(termExact, fold(n))
	}
	for _, v := range o.Values() {
		valueTerms(v, d.term)
		d.text(v, termName)
	}
	o.EachString(d.string)
	d.dropTwins()
	return e
}

// dropTwins takes out what is told twice: a word of the name is none of the text.
func (d *dictionary) dropTwins() {
	twins := 0
	for _, id := range d.has {
		if t := d.terms[id]; t[0] == termName {
			d.scratch = append(append(d.scratch[:0], termWord), t[1:]...)
			if twin, ok := d.ids[string(d.scratch)]; ok && d.last[twin] == d.n {
				d.last[twin] = 0
				twins++
			}
		}
	}
	if twins > 0 {
		d.has = slices.DeleteFunc(d.has, func(id uint32) bool { return d.last[id] != d.n })
	}
}

// createdBy is the kind of the reference from an object to its author.
const createdBy = "created_by_ref"

// property is the name of the property that a pointer leads to, without the number of a list item.
func property(path string) string {
	for {
		if strings.HasSuffix(path, "/"+createdBy) && len(path) > len(createdBy)+1 {
			return "nested_" + createdBy
		}
		i := strings.LastIndexByte(path, '/')
		name := path[i+1:]
		if i > 0 && name != "" && name[0] >= '0' && name[0] <= '9' {
			path = path[:i]
			continue
		}
		return cut(name, maxWord)
	}
}

func (d *dictionary) term(kind byte, text string) {
	if text == "" || len(d.has) >= maxTerms {
		return
	}
	d.scratch = append(append(d.scratch[:0], kind), cut(text, maxTerm)...)
	id, ok := d.ids[string(d.scratch)]
	if !ok { // most words of a text come again: they cost no memory
		id = uint32(len(d.terms))
		t := string(d.scratch)
		d.terms, d.last, d.ids[t] = append(d.terms, t), append(d.last, 0), id
	}
	if d.last[id] != d.n {
		d.last[id] = d.n
		d.has = append(d.has, id)
	}
}

// text adds the words of a text.
func (d *dictionary) text(s string, kind byte) {
	if d.count >= maxWords {
		return
	}
	runs(fold(s), func(r run) {
		if len(r.parts) > 1 && len(r.whole) <= maxRun {
			d.term(kind, r.whole)
		}
		for _, p := range r.parts {
			d.count++
			if d.count > maxWords {
				return
			}
			d.term(kind, p)
			d.words = binary.LittleEndian.AppendUint32(d.words, wordHash(p))
		}
	})
	d.words = append(d.words, 0, 0, 0, 0)
}

func (d *dictionary) string(key, s string) {
	switch {
	case unread[key] || strings.HasSuffix(key, "_ref") || strings.HasSuffix(key, "_refs"):
	case named[key]:
		d.text(s, termName)
	case key == "labels":
		d.term(termLabel, fold(s))
		d.text(s, termWord)
	default:
		d.text(s, termWord)
	}
}
