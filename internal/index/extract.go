package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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
	terms map[string]struct{}
	words []byte // hashes in order, for phrases
	refs  []ref
	rel   string // relationship_type
	count int

	scratch []byte
}

// extracted reads what is new in the journal, in order and ahead of who takes it.
func extracted(ctx context.Context, entries []store.Entry) <-chan *extract {
	out := make(chan *extract, 32)
	go func() {
		defer close(out)
		for i := range entries {
			if !isNew(&entries[i]) {
				continue
			}
			e := new(extract)
			e.read(entries[i].Record)
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
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
func (e *extract) read(r *record.Record) {
	e.terms, e.words, e.refs, e.rel, e.count = make(map[string]struct{}, 128), nil, nil, "", 0
	e.term(termSource, "v:"+fold(r.Origin.Via))
	e.term(termSource, "n:"+fold(r.Origin.Nation))
	e.term(termSource, "o:"+fold(r.Origin.Org))
	o, err := stix.Parse(r.Body)
	if err != nil {
		return
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
		e.term(termExact, fold(n))
	}
	for _, v := range o.Values() {
		valueTerms(v, e.term)
		e.text(v, termName)
	}
	e.walk(r.Body)
	for t := range e.terms { // a word of the name is not told again as one of the text
		if t[0] == termName {
			delete(e.terms, string(termWord)+t[1:])
		}
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

func (e *extract) term(kind byte, text string) {
	if text == "" || len(e.terms) >= maxTerms {
		return
	}
	e.scratch = append(append(e.scratch[:0], kind), cut(text, maxTerm)...)
	if _, ok := e.terms[string(e.scratch)]; !ok { // most words of a text come again: they cost no memory
		e.terms[string(e.scratch)] = struct{}{}
	}
}

// text adds the words of a text.
func (e *extract) text(s string, kind byte) {
	if e.count >= maxWords {
		return
	}
	runs(fold(s), func(r run) {
		if len(r.parts) > 1 && len(r.whole) <= maxRun {
			e.term(kind, r.whole)
		}
		for _, p := range r.parts {
			e.count++
			if e.count > maxWords {
				return
			}
			e.term(kind, p)
			e.words = binary.LittleEndian.AppendUint32(e.words, wordHash(p))
		}
	})
	e.words = append(e.words, 0, 0, 0, 0)
}

// walk reads the texts of a body, at any depth.
func (e *extract) walk(body []byte) {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	var keys []string // the property that each open object or list stands under
	key := ""
	for {
		kind, length := d.StackIndex(d.StackDepth())
		inObject := kind == '{'
		tok, err := d.ReadToken()
		if err != nil {
			return
		}
		switch tok.Kind() {
		case '{', '[':
			keys = append(keys, key)
		case '}', ']':
			key = keys[len(keys)-1]
			keys = keys[:len(keys)-1]
		case '"':
			s := tok.String()
			if inObject && length%2 == 0 {
				key = s
				continue
			}
			e.string(key, s)
		}
		if d.StackDepth() == 0 {
			return
		}
	}
}

func (e *extract) string(key, s string) {
	switch {
	case unread[key] || strings.HasSuffix(key, "_ref") || strings.HasSuffix(key, "_refs"):
	case named[key]:
		e.text(s, termName)
	case key == "labels":
		e.term(termLabel, fold(s))
		e.text(s, termWord)
	default:
		e.text(s, termWord)
	}
}
