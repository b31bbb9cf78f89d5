package sqlite

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Limits of one batch.
const (
	maxPuts       = 100_000
	maxBatchBytes = 512 << 20
	maxRecord     = 128 << 20
	maxText       = 4096 // bytes of each string of a header
	maxLookups    = 65536
	maxLookupText = 64 << 10
)

// put is a store.Put made ready outside the writer.
type put struct {
	rec     *record.Record
	hold    *store.Hold
	judge   func([]record.Record) *store.Hold
	held    label.Label // of the record while it is held because of judge
	hashes  []int64     // of the id, then of the lookups
	mark    record.Mark
	head    []byte
	lookups []byte
	salt    []byte
	commit  [32]byte
}

// prepare checks a batch and does what needs no writer.
func (s *Store) prepare(b store.Batch) ([]put, int, error) {
	if len(b.Puts) > maxPuts {
		return nil, 0, fault.New(fault.TooLarge, "store.batch", "a batch holds at most %d records", maxPuts).At("puts")
	}
	if err := checkCollection(b.Collection); err != nil {
		return nil, 0, err
	}
	h := newHasher(s.secret)
	puts := make([]put, len(b.Puts))
	salts := make([]byte, saltSize*len(puts))
	rand.Read(salts)
	size := 0
	for i := range b.Puts {
		r := &b.Puts[i].Record
		if err := check(r); err != nil {
			return nil, 0, err.At(fmt.Sprintf("puts[%d].%s", i, err.Pointer))
		}
		p := &puts[i]
		p.rec, p.hold, p.judge, p.held = r, b.Puts[i].Hold, b.Puts[i].Judge, b.Puts[i].HeldLabel
		p.mark = timeless(r.Mark())
		p.head = packHead(r)
		p.lookups = packLookups(r.Lookups)
		p.hashes = hashesOf(h, r.ID, p.lookups, make([]int64, 0, 1+len(r.Lookups)))
		p.salt = salts[saltSize*i : saltSize*(i+1) : saltSize*(i+1)]
		p.commit = commitment(p.salt, r.Body, r.Envelope)
		if size += len(r.Body) + len(r.Envelope) + len(p.head) + len(p.lookups); size > maxBatchBytes {
			return nil, 0, fault.New(fault.TooLarge, "store.batch", "a batch holds at most %d bytes", maxBatchBytes).At("puts")
		}
	}
	return puts, size, nil
}

const saltSize = 16

func commitment(salt, body, envelope []byte) (c [32]byte) {
	if envelope != nil {
		body = envelope
	}
	h := sha256.New()
	h.Write(salt)
	h.Write(body)
	h.Sum(c[:0])
	return c
}

func checkCollection(name string) *fault.Error {
	if len(name) > maxCollName {
		return fault.New(fault.Invalid, "store.collection", "a collection's name has at most %d bytes", maxCollName).At("collection")
	}
	return nil
}

func check(r *record.Record) *fault.Error {
	bad := func(at, format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, "store.record", format, args...).At(at)
	}
	if r.ID == "" {
		return bad("id", "a record needs an id")
	}
	if (r.Version == "") != (r.Order == "") {
		return bad("order", "version and order go together")
	}
	for _, m := range [...]struct{ at, text string }{{"id", r.ID}, {"kind", string(r.Kind)}, {"type", r.Type}, {"spec", r.Spec}, {"version", r.Version},
		{"order", r.Order}, {"created_by", r.CreatedBy}, {"origin.nation", r.Origin.Nation}, {"origin.org", r.Origin.Org},
		{"origin.person", r.Origin.Person}, {"origin.via", r.Origin.Via}} {
		if len(m.text) > maxText {
			return bad(m.at, "longer than %d bytes", maxText)
		}
	}
	if len(r.Body) > maxRecord || len(r.Envelope) > maxRecord {
		return fault.New(fault.TooLarge, "store.record", "a record's body and envelope have at most %d bytes each", maxRecord).At("body")
	}
	if len(r.Lookups) > maxLookups {
		return bad("lookups", "more than %d lookups", maxLookups)
	}
	for i, l := range r.Lookups {
		if len(l.Text) > maxLookupText {
			return bad(fmt.Sprintf("lookups[%d]", i), "longer than %d bytes", maxLookupText)
		}
	}
	return nil
}
