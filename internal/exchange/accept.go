package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// Submission is a number of objects handed in together. Up to some thousand of them become durable in one transaction.
type Submission struct {
	Collection string       // id; empty: the whole store only
	Objects    [][]byte     // STIX objects, exactly as received; retained
	Via        string       // how they came: "taxii", "import" …
	Restrict   *label.Label // joined to every object's label: it never permits more than the object itself says
	Default    *label.Label // for objects without a TLP, instead of the collection's default
	// Look, when not nil, sees each object that is sound, by its place in Objects, with what it can be found by. One for which it gives a reason goes to
	// quarantine. It is called from several goroutines at once.
	Look      func(i int, r *record.Record) *store.Reason
	Envelopes [][]byte // the signed envelopes that the objects came in, one for each, nil for one without; nil: all without. Retained
	// Labels, when not nil, are the labels under which the originator signed the objects, one for each: they stand for what the objects say by their
	// markings, as long as no marking that is known here says more.
	Labels []label.Label
	Needs  gate.Action // what the viewer must be allowed to, where no collection is named; 0: ObjectWrite
	// Also, when not nil, makes documents that are written in the transaction that stores the objects, or that would store them where none is
	// accepted. It is called inside the transaction and must not call the exchange.
	Also func([]Outcome) []store.Doc
}

// State is what became of one submitted object.
type State string

const (
	Added     State = "added"
	Present   State = "present" // was here already, with the same content
	Held      State = "held"    // stored in quarantine
	Refused   State = "refused"
	Different State = "different" // the same version was here already with other content, and was kept
)

// Outcome is what became of one submitted object, in the order of the submission.
type Outcome struct {
	ID      string `json:"id,omitempty"`
	Version string `json:"version,omitempty"`
	State   State  `json:"state"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Accept is the door in: every object is parsed, checked, marked and admitted, and what is accepted is durable when it returns.
// Objects that are refused do not keep the others out. The error is about the submission as a whole.
func (x *Exchange) Accept(ctx context.Context, v gate.Viewer, s Submission) ([]Outcome, error) {
	c, err := x.open(v, s)
	if err != nil {
		return nil, err
	}
	return x.accept(ctx, v, c, x.prepare(v, s, c.Policy), s.Also)
}

// Prepared is a submission whose objects have been read and checked. That takes most of the time and nothing of the store: while one
// submission is accepted, the next can be prepared.
type Prepared struct {
	submission Submission
	policy     Policy
	drafts     []draft
}

// Prepare reads and checks the objects of a submission.
func (x *Exchange) Prepare(v gate.Viewer, s Submission) (Prepared, error) {
	c, err := x.open(v, s)
	if err != nil {
		return Prepared{}, err
	}
	return x.prepare(v, s, c.Policy), nil
}

func (x *Exchange) prepare(v gate.Viewer, s Submission, policy Policy) Prepared {
	p := Prepared{s, policy, make([]draft, len(s.Objects))}
	each(len(p.drafts), func(i int) {
		d := x.read(s.Objects[i], policy)
		if s.Envelopes != nil {
			d.rec.Envelope = s.Envelopes[i]
		}
		if !d.refused && d.rec.Envelope == nil && x.isOwn(v.Nation, v.Org) && slices.Contains(x.cfg.Signed, d.rec.Type) {
			d = refuse(d.rec.ID, d.rec.Version, fault.New(fault.Forbidden, "object.unsigned", "objects of the type %s are kept signed, in a register of their own", d.rec.Type).At("/type"))
		}
		if s.Look != nil && !d.refused {
			if why := s.Look(i, &d.rec); why != nil {
				if d.hold == nil {
					d.hold = &store.Hold{}
				}
				d.hold.Reasons = append(d.hold.Reasons, *why)
			}
		}
		p.drafts[i] = d
	})
	return p
}

// open is the collection that a submission goes to, once it is clear that the viewer may hand it in.
func (x *Exchange) open(v gate.Viewer, s Submission) (Collection, error) {
	if s.Envelopes != nil && len(s.Envelopes) != len(s.Objects) {
		return Collection{}, fault.New(fault.Internal, "", "%d envelopes for %d objects", len(s.Envelopes), len(s.Objects))
	}
	if s.Labels != nil && len(s.Labels) != len(s.Objects) {
		return Collection{}, fault.New(fault.Internal, "", "%d labels for %d objects", len(s.Labels), len(s.Objects))
	}
	if s.Collection == "" && s.Needs != 0 {
		return Collection{Policy: Reject}, x.may(v, s.Needs)
	}
	return x.writable(v, s.Collection)
}

// AcceptPrepared is Accept for what Prepare made. It takes it over: what is prepared is accepted once.
func (x *Exchange) AcceptPrepared(ctx context.Context, v gate.Viewer, p Prepared) ([]Outcome, error) {
	c, err := x.open(v, p.submission)
	if err != nil {
		return nil, err
	}
	if c.Policy != p.policy { // the collection was changed in between
		p = x.prepare(v, p.submission, c.Policy)
	}
	return x.accept(ctx, v, c, p, p.submission.Also)
}

// writable is the collection to write to; the zero collection stands for the whole store.
func (x *Exchange) writable(v gate.Viewer, id string) (Collection, error) {
	if id == "" {
		if err := x.may(v, gate.ObjectWrite); err != nil {
			return Collection{}, err
		}
		return Collection{Policy: Reject}, nil
	}
	c, err := x.usable(v, id)
	if err == nil && !c.CanWrite {
		err = fault.New(fault.Forbidden, "collection.write", "you may read this collection but not write to it").Try("ask the node's administrators for a role that may write")
	}
	return c.Collection, err
}

// draft is one object on its way in.
type draft struct {
	obj     *stix.Object
	rec     record.Record
	hold    *store.Hold
	outcome Outcome // of refused ones
	refused bool
}

// accept carries a prepared submission to the store. done, when not nil, makes the documents that are written in the same transaction.
func (x *Exchange) accept(ctx context.Context, v gate.Viewer, c Collection, p Prepared, done func([]Outcome) []store.Doc) ([]Outcome, error) {
	started := time.Now()
	s, drafts := p.submission, p.drafts

	scope := x.scope(v)
	batch := x.defined(drafts)
	for i := range drafts {
		if d := &drafts[i]; !d.refused {
			var signed *label.Label
			if s.Labels != nil {
				signed = &s.Labels[i]
			}
			if err := x.mark(ctx, scope, v, c, s, signed, d, batch); err != nil {
				return nil, err
			}
		}
	}

	puts := make([]store.Put, 0, len(drafts))
	for i := range drafts {
		if d := &drafts[i]; !d.refused {
			puts = append(puts, store.Put{Record: d.rec, Hold: d.hold, Judge: judge(d), HeldLabel: x.held()})
		}
	}
	outcomes := make([]Outcome, len(drafts))
	settle := func(stored []store.Outcome) {
		next := 0
		for i := range drafts {
			if drafts[i].refused {
				outcomes[i] = drafts[i].outcome
				continue
			}
			outcomes[i] = outcome(&drafts[i], stored[next])
			next++
		}
	}
	if len(puts) == 0 && done == nil {
		settle(nil)
		x.metrics.accepted(outcomes, started)
		return outcomes, nil
	}
	_, err := x.store.Append(ctx, scope, store.Batch{Puts: puts, Collection: s.Collection, Then: func(stored []store.Outcome) []store.Doc {
		settle(stored)
		if done == nil {
			return nil
		}
		return done(outcomes)
	}})
	if err != nil {
		return nil, fmt.Errorf("storing %d objects: %w", len(puts), err)
	}
	x.metrics.accepted(outcomes, started)
	x.arrived(ctx, drafts, outcomes)
	return outcomes, nil
}

// read parses and validates one object.
func (x *Exchange) read(raw []byte, policy Policy) draft {
	if len(raw) > x.cfg.ObjectBytes {
		return refuse("", "", fault.New(fault.TooLarge, "object.size", "the object has %d bytes, the limit here is %d", len(raw), x.cfg.ObjectBytes))
	}
	obj, err := stix.Parse(raw)
	if err != nil {
		return refuse("", "", asFault(err))
	}
	switch as, err := x.unmarked(obj, raw); {
	case err != nil:
		return refuse(obj.ID(), obj.Version(), asFault(err))
	case len(as) != len(raw):
		return x.read(as, policy)
	}
	if len(obj.Version()) > finest {
		return refuse(obj.ID(), "", fault.New(fault.Unprocessable, "version.precision", "nobody could ask for a version with more than nine digits of a second").
			At("/modified").By("TAXII 2.1 section 3.4.1"))
	}
	d := draft{obj: obj}
	order := obj.Order()
	d.rec = record.Record{
		ID: obj.ID(), Kind: record.STIX, Type: obj.Type(), Spec: obj.Spec(), Version: obj.Version(), Order: order,
		CreatedBy: obj.CreatedBy(), Revoked: obj.Revoked(), Body: raw,
	}
	findings := stix.Validate(obj, stix.Options{})
	if !stix.Valid(findings, false) {
		first, more := firstError(findings)
		e := fault.New(fault.Unprocessable, first.Code, "%s", first.Message).At(first.Pointer).By(section(first.Section))
		if more > 0 {
			e.Message += fmt.Sprintf(" (and %d more)", more)
		}
		switch {
		case policy == Quarantine && storable(obj):
			d.hold = &store.Hold{Reasons: []store.Reason{{Code: "stix." + first.Code, Message: e.Error()}}}
		case policy == Flag && storable(obj):
		default:
			return refuse(obj.ID(), obj.Version(), e)
		}
	}
	d.rec.Digest = obj.Digest()
	d.rec.Lookups = lookups(obj)
	return d
}

const (
	finest    = len("2026-01-31T12:00:00.123456789Z") // as far as versions can be asked for
	longestID = 255
)

// storable tells whether an object that breaks its standard has at least the identity that a store needs, and by which it can be
// asked for: in a path, and in a list with commas.
func storable(o *stix.Object) bool {
	_, err := stix.Order(o.Version())
	prefix, _, ok := strings.Cut(o.ID(), "--")
	return ok && prefix == o.Type() && (o.Version() == "" || err == nil) && len(o.ID()) <= longestID && !strings.ContainsFunc(o.ID(), unaskable)
}

func unaskable(r rune) bool { return r == ',' || !unicode.IsPrint(r) }

func refuse(id, version string, e *fault.Error) draft {
	return draft{refused: true, outcome: Outcome{ID: id, Version: version, State: Refused, Code: e.MachineCode(), Message: e.Error()}}
}

func asFault(err error) *fault.Error {
	var se *stix.Error
	if errors.As(err, &se) {
		return fault.New(fault.Invalid, se.Code, "%s", se.Message).At(se.Pointer).By(section(se.Section))
	}
	return fault.As(err)
}

func section(s string) string {
	if s == "" {
		return ""
	}
	if strings.HasPrefix(s, "RFC") || strings.HasPrefix(s, "STIX") {
		return s
	}
	return "STIX 2.1 section " + s
}

func firstError(fs []stix.Finding) (first stix.Finding, more int) {
	more = -1
	for _, f := range fs {
		if f.Level == stix.LevelError {
			if more < 0 {
				first = f
			}
			more++
		}
	}
	return first, more
}

// most is how many lookups of one kind a record may have: enough for any real object, a bound for hostile ones.
const most = 4096

// tooMany stands for references beyond those that are looked up. Nothing has this id, so whoever must have all that a record names does
// not get the record.
const tooMany = "*"

func lookups(o *stix.Object) []record.Lookup {
	var out []record.Lookup
	add := func(kind record.LookupKind, texts []string) {
		for _, t := range texts[:min(len(texts), most)] {
			if t != "" {
				out = append(out, record.Lookup{Kind: kind, Text: t})
			}
		}
	}
	add(record.Value, o.Values())
	add(record.External, o.Externals())
	add(record.Name, o.Names())
	refs := targets(o)
	add(record.Ref, refs)
	if len(refs) > most {
		add(record.Ref, []string{tooMany})
	}
	slices.SortFunc(out, func(a, b record.Lookup) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.Text, b.Text)
	})
	return slices.Compact(out)
}

// targets are the ids of the objects that an object names, its markings aside: those restrict through its label.
func targets(o *stix.Object) []string {
	var out []string
	for _, r := range o.Refs() {
		if !strings.HasPrefix(r.ID, "marking-definition--") {
			out = append(out, r.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// judge looks at the versions of the object that the submitter may see, inside the transaction.
func judge(d *draft) func([]record.Record) *store.Hold {
	rec := &d.rec
	if rec.Order == "" {
		return nil // an SCO has no versions
	}
	return func(prior []record.Record) *store.Hold {
		for _, p := range prior {
			if p.Spec != rec.Spec {
				continue
			}
			if p.Origin.Nation != rec.Origin.Nation || p.Origin.Org != rec.Origin.Org {
				return hold("version.origin", "%s came from another organisation, and only its originator may make another version of it (STIX 2.1 section 3.6); "+
					"contribute a new object that is derived from it", rec.ID)
			}
			if p.CreatedBy != rec.CreatedBy {
				return hold("version.creator", "only its creator (%s) may make another version of %s (STIX 2.1 section 3.6)", orNobody(p.CreatedBy), rec.ID)
			}
			if p.Revoked && p.Order < rec.Order {
				return hold("version.revoked", "%s was revoked with version %s, and revocation is final (STIX 2.1 section 3.6)", rec.ID, p.Version)
			}
		}
		return nil
	}
}

func orNobody(id string) string {
	if id == "" {
		return "nobody named"
	}
	return id
}

func hold(code, format string, args ...any) *store.Hold {
	return &store.Hold{Reasons: []store.Reason{{Code: code, Message: fmt.Sprintf(format, args...)}}}
}

func outcome(d *draft, s store.Outcome) Outcome {
	out := Outcome{ID: d.rec.ID, Version: s.Version}
	switch s.State {
	case store.Added:
		out.State = Added
	case store.Present:
		out.State = Present
	case store.Conflicting:
		out.State, out.Code = Different, "version.content"
		out.Message = fmt.Sprintf("version %s of %s is here already with other content, which is kept (STIX 2.1 section 3.6); a change needs a new modified time", s.Version, d.rec.ID)
	case store.Held:
		out.State = Held
		for _, r := range s.Hold.Reasons {
			if out.Code == "" {
				out.Code = r.Code
			} else {
				out.Message += "; "
			}
			out.Message += r.Message
		}
	}
	return out
}
