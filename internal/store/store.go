// Package store is the node's memory: an interface, its drivers in store/sqlite (and later store/postgres), and the suite that
// holds every driver to it, storetest. What a driver returns for a scope is exactly what the gate admits.
//
// # Shapes
//
// Everything the node accepts takes a place in one order, the journal, under a record.Seq. A record is stored once; each collection
// it is put in is a placement with a Seq of its own, and that Seq is its date added there. The empty collection name stands for the
// whole store: every record is in it.
//
// # Visibility
//
// A scope sees a record when it admits its mark, the record's times are in force and, where gate.Scope.Closes, what it names serves it:
// every id among its lookups of kind Ref is that of a record which the scope sees in the same sense, records that name each other in
// a circle not keeping each other back, or of an admitted one to which Closes does not apply and whose Rec is smaller. The author,
// Record.CreatedBy, is not looked for where gate.NamesAuthor.
//
// A driver resolves versions, duplicates and conflicts, and ends pages, only by the records that the given scope sees: what is hidden
// from a submitter or reader changes nothing that it gets back.
package store

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/label"
)

// Store is one node's memory. Methods are safe for concurrent use. Failures are *fault.Error: Invalid, NotFound, Conflict, Full when
// the disk is full, Unavailable when the store is closing.
type Store interface {
	Append(ctx context.Context, scope gate.Scope, b Batch) ([]Outcome, error)
	Page(ctx context.Context, scope gate.Scope, q Query) (Page, error)
	Remove(ctx context.Context, scope gate.Scope, r Removal) (int, error)
	Relabel(ctx context.Context, scope gate.Scope, r Relabelling) (record.Seq, error)
	Purge(ctx context.Context, scope gate.Scope, p Purge) (PurgeReport, error)

	Quarantined(ctx context.Context, scope gate.Scope, q QuarantineQuery) ([]Quarantined, error)

	// Due lists up to limit records of each kind that the scope admits, the earliest first: those whose label has an embargo that is
	// over at now (Lifted), until they are relabelled without it, and those whose retention is over (Expired). Bodies are left out.
	Due(ctx context.Context, scope gate.Scope, now time.Time, limit int) (Due, error)

	Follow(ctx context.Context, scope gate.Scope, after record.Seq, limit int) ([]Entry, error)
	// Watch is the journal for whoever tells a viewer what changes: at most limit lines after a place, every one of them, and headers
	// instead of records. A line of any kind has its Record as far as the record exists and the scope may have it. That a line without
	// one stands there is not for a viewer to know, nor are Act and Recs, which are there for every scope.
	Watch(ctx context.Context, scope gate.Scope, after record.Seq, limit int) ([]Entry, error)
	// Acts is the journal of what people did. An entry has its Record, without body and envelope, as far as the record exists and the
	// scope may have it; the acts are there for every scope. One call looks at a bounded number of entries: next is where the following
	// one goes on, 0 at the end.
	Acts(ctx context.Context, scope gate.Scope, q ActQuery) (entries []Entry, next record.Seq, err error)
	// Newest is the journal's end, and a channel that is closed when there is more.
	Newest() (record.Seq, <-chan struct{})
	// History is where a record lies and what was done to it since it came. A record that the scope does not see is NotFound; the acts are
	// there for every scope.
	History(ctx context.Context, scope gate.Scope, rec record.Seq) (History, error)
	// Release notes a hand-over. A record that the party does not hold and that is no more makes it Unavailable, and nothing is
	// noted: what has gone since it was read must not be handed over.
	Release(ctx context.Context, r Release) error
	// Holders says who was given which versions of an object, by party, clause and record. It goes on doing so when a record has been
	// removed or its retention has ended, because the others still hold it: the store remembers version, label and originator of
	// what was released, under a keyed hash of its id, and nothing of what it said. Of what was purged there are no holders.
	Holders(ctx context.Context, scope gate.Scope, id string) ([]Holding, error)

	PutDocs(ctx context.Context, act Act, docs ...Doc) error
	Doc(ctx context.Context, kind, key string) (Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]Doc, error)

	Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) error
	Stats(ctx context.Context) (Stats, error)
	Close() error
}

// Batch is what one Append makes durable in one transaction, or not at all.
type Batch struct {
	Puts []Put
	// Collection is the collection that every put is placed in; empty: the whole store only.
	Collection string
	// Then is called inside the transaction with the outcomes; the documents it returns are written with them, so that a status and
	// what is stored never disagree. It may be nil. It must not call the store.
	Then func([]Outcome) []Doc
}

// Put is one record to append.
type Put struct {
	Record record.Record
	// Hold, when not nil, keeps the record in quarantine: it is stored under Record.Label (strict enough for its submitter's
	// organisation only) until it is released under Hold.Intended or refused.
	Hold *Hold
	// Judge, when not nil, is called inside the transaction of a record that is not there yet, with the headers of all records of the
	// same id that the submitter's scope admits and that are not held, in no order; without any it is not called. When it returns a
	// hold, the record goes to quarantine: under HeldLabel, to be released under its own label. Where there is a Hold too, that one
	// stays, and takes on the reasons and awaited ids of the judge's. Judge must not call the store.
	Judge     func(prior []record.Record) *Hold
	HeldLabel label.Label // the label of the record while it is held because of Judge alone
}

// Hold is why a record is in quarantine.
type Hold struct {
	Reasons  []Reason     `json:"reasons"`
	Intended label.Label  `json:"intended"`
	Awaits   []string     `json:"awaits,omitempty"`   // ids of markings that would let it be judged again
	Default  *label.Label `json:"default,omitempty"`  // what an object without a TLP would have taken
	Restrict *label.Label `json:"restrict,omitempty"` // what its submission joined to every label
}

// Reason is one cause of a hold: a stable code ("marking.unresolved") and a sentence.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// State is what became of a put.
type State uint8

const (
	// Added: stored now.
	Added State = iota
	// Present: the same version with the same content was there already (or was placed in one more collection, when Seq is new).
	Present
	// Conflicting: the same version with another content is there; the first is kept (STIX 2.1 section 3.6 leaves this undefined).
	Conflicting
	// Held: stored now, in quarantine.
	Held
)

// Outcome is what became of one put, in the order of the batch.
type Outcome struct {
	State   State
	Seq     record.Seq // of the placement in Batch.Collection; 0 when Conflicting with a record that is not in it
	Version string     // the version under which it is stored: for objects without one, the date added as TAXII writes it
	Digest  [32]byte   // for Conflicting: of the record that was kept
	Hold    *Hold      // for Held: why
}

// Query selects a page in ascending Seq. Fields combine by AND, the items of a list by OR.
type Query struct {
	Collection string
	After      record.Seq // only placements after this: the page cursor
	AddedAfter record.Seq // only placements after this: a filter, versions are resolved among what it leaves
	Before     record.Seq // only placements before this; 0: no bound. For "as of" reads and stable exports
	Limit      int        // at most this many items; 0: the driver's own cap
	MaxBytes   int        // stop a page once its bodies reach this; 0: the driver's own cap. One item always fits
	IDs        []string
	Types      []string
	Specs      []string // language versions; empty: for each object only its latest
	Versions   Versions
	Lookups    []record.Lookup // every one must hold
	TLPs       []label.TLP     // of the record's label; empty: any
	Nation     string          // with Org: only what came from that organisation
	Org        string          // empty: any
	Headers    bool            // leave Body and Envelope out
	Held       bool            // include records in quarantine. Without it a held record is on a page only for its submitter's organisation
}

// Versions selects among the versions of one object (TAXII 2.1 section 3.4.1). The zero value is the latest only.
type Versions struct {
	All   bool
	First bool
	Last  bool     // together with First or At; alone it is the default
	At    []string // record.Order forms
}

// Item is one record on a page.
type Item struct {
	Seq    record.Seq // of the placement: the date added in the queried collection
	Rec    record.Seq // of the record itself, the key of Release and Relabel
	Held   bool
	Record record.Record // Lookups are not filled in
}

// Page is one part of an answer. Next is where the following page starts and is set when More is; a page may hold fewer items than
// its limit, or none, and still have More.
type Page struct {
	Items []Item
	More  bool
	Next  record.Seq
}

// Removal takes placements out of a collection. A record without any placement left is erased with its keys.
type Removal struct {
	Collection string     // empty: the whole store, which erases the record wherever it is placed
	Rec        record.Seq // only this record of the id; 0: any
	ID         string
	Versions   Versions // zero: all versions (TAXII 2.1 section 5.7)
	Specs      []string // empty: all
	Act        Act
}

// Relabelling gives a record another label: on release from quarantine, by its originator, or when an embargo ends. The record
// leaves its places and takes new ones at the end of each collection, so that followers and pollers meet it.
type Relabelling struct {
	Rec   record.Seq
	Label label.Label
	// EndHold releases a quarantined record. Without it a quarantined record stays held.
	EndHold bool
	// Hold puts the record in quarantine, under the label above, to be released under Hold.Intended or refused. One that is held already stays as
	// it is held.
	Hold *Hold
	// Was is the label that the record must still have, where what follows was judged by that: Conflict if it has another by now.
	Was *label.Label
	Act Act
}

// Purge destroys every version of an object: bodies, envelopes, keys, holds, documents that name it, and who held it. After it returns,
// no file of the store holds a byte of them, nor of versions that were removed before; PurgeReport says how that was checked. DryRun
// counts only.
type Purge struct {
	ID     string
	Nation string     // with Org: only what came from that organisation, and the documents that name the id only where nothing else has it
	Org    string     // empty: whoever it came from
	Rec    record.Seq // only this version, of which nothing but the record itself is destroyed; 0: every one
	DryRun bool
	Act    Act
}

// Concerns tells whether the purge is for what came from this organisation.
func (p *Purge) Concerns(nation, org string) bool {
	return p.Org == "" || p.Org == org && p.Nation == nation
}

// PurgeReport says what a purge destroyed or would destroy.
type PurgeReport struct {
	Records    int    `json:"records"`
	Placements int    `json:"placements"`
	Docs       int    `json:"docs"`
	Bytes      int64  `json:"bytes"`
	Vacuumed   bool   `json:"vacuumed"` // the file had to be rewritten to lose every trace
	Searched   int64  `json:"searched"` // bytes of the store's files searched for traces afterwards
	Commit     string `json:"commit"`   // hex of the salted commitment that the journal keeps
}

// Due is what time has made due, ascending by that time and then by Rec.
type Due struct {
	Lifted  []Item
	Expired []Item
}

// QuarantineQuery selects held records in ascending Rec.
type QuarantineQuery struct {
	After  record.Seq
	Rec    record.Seq // just this one; 0: any
	Awaits string     // only those waiting for this marking id; empty: any
	Limit  int
}

// Quarantined is one held record.
type Quarantined struct {
	Item
	Hold Hold
}

// EntryKind is what a journal entry records.
type EntryKind string

const (
	EntryPut     EntryKind = "put"
	EntryRemove  EntryKind = "remove"
	EntryRelabel EntryKind = "relabel"
	EntryPurge   EntryKind = "purge"
	EntryRelease EntryKind = "release"
	EntryAct     EntryKind = "act"
)

// Entry is one line of the journal. Commit is SHA-256 over a 16-byte salt and the envelope's or the object's bytes; the salt goes
// with the body, so that a purged record's entry says nothing.
type Entry struct {
	Seq    record.Seq
	Kind   EntryKind
	Rec    record.Seq     // the record it is about; 0: none
	Commit [32]byte       // of puts
	Act    *Act           // of acts, removals, relabellings and purges; only for gate.Own scopes
	Record *record.Record // of puts and relabellings whose record still exists and is admitted
	Held   bool           // Record is in quarantine
	Recs   []record.Seq   // of purges: the records that were destroyed; only for gate.Own scopes
}

// Act is an administrative or personal act that the journal keeps: who did what to what.
type Act struct {
	Actor  string `json:"actor"`            // "org/person", or "node"
	Verb   string `json:"verb"`             // "user.add", "collection.add", "object.purge" …
	Target string `json:"target,omitempty"` // never a secret, never content of a record
	Detail string `json:"detail,omitempty"`
}

// ActQuery selects acts by who did what and when, never by what it was done to: that may be hidden. Empty members select everything.
type ActQuery struct {
	Newest bool       // first; else the oldest
	After  record.Seq // in that order; 0 begins
	Limit  int
	Actors []string  // any of them: "org/person", or the person alone
	Verbs  []string  // any of them: whole, or what stands before a dot
	Since  time.Time // at this time or later
	Until  time.Time // before this time
}

// Takes tells whether an act is one of those that are asked for, whenever it was.
func (q *ActQuery) Takes(a *Act) bool {
	_, person, _ := strings.Cut(a.Actor, "/")
	return (len(q.Actors) == 0 || slices.Contains(q.Actors, a.Actor) || person != "" && slices.Contains(q.Actors, person)) &&
		(len(q.Verbs) == 0 || slices.ContainsFunc(q.Verbs, func(v string) bool {
			rest, ok := strings.CutPrefix(a.Verb, v)
			return ok && v != "" && (rest == "" || rest[0] == '.')
		}))
}

// History is what became of a record.
type History struct {
	Places []Place
	Acts   []Entry // relabellings and removals, oldest first; without Record
}

// Place is a collection that a record lies in, and its date added there.
type Place struct {
	Collection string
	Seq        record.Seq
}

// Release is the hand-over of records to another party: what, to whom, under which clause. Records the party already holds under the
// clause are not written again.
type Release struct {
	Party  string // "NATION/organisation"
	Clause string // the rule that let it go, for example "tlp:green community default"
	Recs   []record.Seq
}

// Holding says that a party was given a version of an object.
type Holding struct {
	Party   string    `json:"party"`
	Clause  string    `json:"clause"`
	ID      string    `json:"id"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// Doc is a small durable document: an account, a token, a collection, a status. Version counts its writes from 1.
type Doc struct {
	Kind    string
	Key     string
	Value   []byte    // nil: delete
	Version int64     // on PutDocs: the version that must be there now (0: none), or -1: any; on reads: the current one
	Expires time.Time // zero: never. An expired document is gone
}

// Stats is what the store knows about itself.
type Stats struct {
	Records     int64            `json:"records"`
	Held        int64            `json:"held"`
	Labels      int64            `json:"labels"`
	Collections map[string]int64 `json:"collections"` // placements
	Bytes       int64            `json:"bytes"`       // of all files
	Last        record.Seq       `json:"last"`
	Schema      int              `json:"schema"`
}
