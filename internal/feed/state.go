package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/taxii"
)

// State is what the node keeps of a feed between its runs. It is written in the transaction that stores what it speaks of.
type State struct {
	Settings     string           `json:"settings"` // digest of the configuration that the rest was learnt under
	ETag         string           `json:"etag,omitempty"`
	LastModified string           `json:"last_modified,omitempty"`
	Digest       string           `json:"digest,omitempty"` // of the last document that was taken
	ContentType  string           `json:"content_type,omitempty"`
	Read         time.Time        `json:"read,omitzero"` // when a document was last taken
	Checkpoint   taxii.Checkpoint `json:"checkpoint"`
	Pushed       record.Seq       `json:"pushed,omitempty"`
	Identity     Identity         `json:"identity"`

	Failures  int       `json:"failures"` // one after another
	Next      time.Time `json:"next,omitzero"`
	Succeeded time.Time `json:"succeeded,omitzero"`
	Runs      []Report  `json:"-"` // newest first, keptRuns at most; a document of its own, because it may name objects and goes when one of them is purged
	Totals    Counts    `json:"totals"`
}

// Identity is the version of the source's identity object that is stored.
type Identity struct {
	Created  time.Time `json:"created,omitzero"`
	Modified time.Time `json:"modified,omitzero"`
	Name     string    `json:"name,omitempty"`
	Label    string    `json:"label,omitempty"`
}

const (
	keptRuns = 10
	// maxSeen bounds what a stored checkpoint remembers: what is forgotten is met again and found to be here.
	maxSeen = 5000
	// maxExamples and maxProblems bound what a report tells of what was not taken.
	maxExamples = 5
	maxProblems = 50
	maxExample  = 200 // bytes
	maxNotes    = 20
)

// Result is how a run ended.
type Result string

const (
	Done      Result = "done"
	Unchanged Result = "unchanged"
	Failed    Result = "failed"
)

// Counts says what became of what a feed brought.
type Counts struct {
	Read      int64 `json:"read"`              // entries or objects that the source had
	Added     int64 `json:"added"`             // objects stored
	Updated   int64 `json:"updated,omitempty"` // of Added, new versions of what was here
	Present   int64 `json:"present"`           // here already, unchanged
	Held      int64 `json:"held,omitempty"`    // stored in quarantine
	Refused   int64 `json:"refused,omitempty"` // by the exchange: they break a rule
	Different int64 `json:"different,omitempty"`
	Dropped   int64 `json:"dropped,omitempty"` // unusable, before they were objects
	Gone      int64 `json:"gone,omitempty"`    // of Added, revocations and expiries of entries that have left
	Pushed    int64 `json:"pushed,omitempty"`  // objects that a remote server has taken
	Listed    int64 `json:"listed,omitempty"`  // values of what was added or held that stand on warning lists
}

func (c *Counts) add(o Counts) {
	c.Read += o.Read
	c.Added += o.Added
	c.Updated += o.Updated
	c.Present += o.Present
	c.Held += o.Held
	c.Refused += o.Refused
	c.Different += o.Different
	c.Dropped += o.Dropped
	c.Gone += o.Gone
	c.Pushed += o.Pushed
	c.Listed += o.Listed
}

// idle tells whether nothing became of what was read.
func (c Counts) idle() bool {
	c.Read, c.Present = 0, 0
	return c == Counts{}
}

// Problem is one reason for which things were not taken as they were.
type Problem struct {
	State    string   `json:"state"` // "dropped", "refused", "held", "different", "converted" or "listed"
	Code     string   `json:"code"`
	Message  string   `json:"message,omitempty"` // of the first
	Count    int64    `json:"count"`
	Examples []string `json:"examples,omitempty"`
}

// Failure is why a run did not come to its end.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Do      string `json:"do,omitempty"`
}

// Report is what one run did.
type Report struct {
	Trigger  string    `json:"trigger"` // "schedule", or who asked
	DryRun   bool      `json:"dry_run,omitempty"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Result   Result    `json:"result"`
	Bytes    int64     `json:"bytes,omitempty"`
	Counts   Counts    `json:"counts"`
	Problems []Problem `json:"problems,omitempty"`
	Notes    []string  `json:"notes,omitempty"`   // what was odd about the source and could be tolerated
	Samples  []string  `json:"samples,omitempty"` // of a dry run: the first objects
	Error    *Failure  `json:"error,omitempty"`
}

func (r *Report) problem(state, code, message, example string) {
	for i := range r.Problems {
		if p := &r.Problems[i]; p.State == state && p.Code == code {
			p.Count++
			if len(p.Examples) < maxExamples && example != "" {
				p.Examples = append(p.Examples, cut(example))
			}
			return
		}
	}
	if len(r.Problems) >= maxProblems {
		return
	}
	p := Problem{State: state, Code: code, Message: message, Count: 1}
	if example != "" {
		p.Examples = []string{cut(example)}
	}
	r.Problems = append(r.Problems, p)
}

func (r *Report) note(s string) {
	for _, n := range r.Notes {
		if n == s {
			return
		}
	}
	if len(r.Notes) < maxNotes {
		r.Notes = append(r.Notes, cut(s))
	}
}

// cut shortens to maxExample bytes, at the boundary of a character.
func cut(s string) string {
	if len(s) <= maxExample {
		return s
	}
	n := maxExample
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// count adds the outcomes of a batch. updated tells which of the objects are versions of something that was here.
func (r *Report) count(outcomes []exchange.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		switch o.State {
		case exchange.Added:
			r.Counts.Added++
			continue
		case exchange.Present:
			r.Counts.Present++
			continue
		case exchange.Held:
			r.Counts.Held++
		case exchange.Refused:
			r.Counts.Refused++
		case exchange.Different:
			r.Counts.Different++
		}
		r.problem(string(o.State), o.Code, o.Message, o.ID)
	}
}

// settings is a digest of everything in the configuration that decides what a feed makes of its source.
func (c *Config) settings() string {
	b, err := json.Marshal([]any{c.Kind, c.URL, c.File, c.Remote, c.Collection, c.Label, c.Source, c.Confidence, c.Expire, c.Gone, c.Type, c.Scheme, c.CSV, c.To, c.Distribution, c.Limits.Entries, c.MISP})
	if err != nil {
		return "" // cannot be: the fields are plain
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// load reads the state of a feed. What was learnt under another configuration is forgotten, so that the source is read from its beginning.
func (f *Feeds) load(ctx context.Context, c *Config) (State, error) {
	var s State
	d, err := f.o.Docs.Doc(ctx, docState, c.Name)
	switch {
	case err == nil:
		if err := json.Unmarshal(d.Value, &s); err != nil {
			return s, fault.New(fault.Internal, "store.document", "the stored state of the feed %s cannot be read", c.Name).Because(err)
		}
	case fault.Of(err) != fault.NotFound:
		return s, err
	}
	d, err = f.o.Docs.Doc(ctx, docRuns, c.Name)
	switch {
	case err == nil:
		if err := json.Unmarshal(d.Value, &s.Runs); err != nil {
			return s, fault.New(fault.Internal, "store.document", "the stored runs of the feed %s cannot be read", c.Name).Because(err)
		}
	case fault.Of(err) != fault.NotFound:
		return s, err
	}
	if now := c.settings(); s.Settings != now {
		s = State{Settings: now, Identity: s.Identity, Succeeded: s.Succeeded, Runs: s.Runs, Totals: s.Totals}
	}
	return s, nil
}

// stateDoc names no object, so that no purge takes it away: what was purged would flow in again.
func stateDoc(name string, s State) store.Doc {
	if extra := len(s.Checkpoint.Seen) - maxSeen; extra > 0 {
		s.Checkpoint.Seen = s.Checkpoint.Seen[extra:]
	}
	return doc(docState, name, s)
}

func doc(kind, key string, v any) store.Doc {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null") // cannot be: the fields are plain
	}
	return store.Doc{Kind: kind, Key: key, Value: b, Version: -1}
}
