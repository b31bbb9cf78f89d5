package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/surface"
	"entente/label"
	"entente/misp"
	"entente/stix"
)

// Event is one line of the answer to an import. Exactly one member is set.
type Event struct {
	Progress *Progress         `json:"progress,omitempty"`
	Outcome  *exchange.Outcome `json:"outcome,omitempty"` // of an object that was held, refused or different; at most maxOutcomes of them
	Loss     *Loss             `json:"loss,omitempty"`    // what an upgrade from STIX 2.0 could not carry over; at most maxOutcomes of them
	Summary  *Summary          `json:"summary,omitempty"` // the last line of an import that came to its end
	Error    *Problem          `json:"error,omitempty"`   // the last line of one that did not
}

// Progress says how far an import is. What is counted is durable.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// Loss is one thing that STIX 2.1 cannot say, or says in another way.
type Loss struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Summary says what became of an import.
type Summary struct {
	Kind      string  `json:"kind"`             // bundle, list, lines, envelope, object or empty
	Bundle    string  `json:"bundle,omitempty"` // the id of the first bundle
	Objects   int     `json:"objects"`
	Added     int     `json:"added"`
	Present   int     `json:"present"`
	Held      int     `json:"held"`
	Refused   int     `json:"refused"`
	Different int     `json:"different"`
	Upgraded  int     `json:"upgraded,omitempty"` // objects that were STIX 2.0
	Losses    int     `json:"losses,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Add adds what became of another file.
func (s *Summary) Add(o Summary) {
	s.Objects += o.Objects
	s.Added += o.Added
	s.Present += o.Present
	s.Held += o.Held
	s.Refused += o.Refused
	s.Different += o.Different
	s.Upgraded += o.Upgraded
	s.Losses += o.Losses
	s.Seconds += o.Seconds
}

func (s *Summary) count(o exchange.Outcome) {
	switch o.State {
	case exchange.Added:
		s.Added++
	case exchange.Present:
		s.Present++
	case exchange.Held:
		s.Held++
	case exchange.Refused:
		s.Refused++
	case exchange.Different:
		s.Different++
	}
}

const (
	batchObjects = 2000
	batchBytes   = 8 << 20
	maxOutcomes  = 10_000
)

// The kinds of objects in the spool. Definitions of markings go in first, so that no object waits for a marking of its own file.
const (
	kindMarking = 'm'
	kindObject  = 'o'
	kindBound   = 128 // and above: objects with a label of their own, by its place in a list
)

var viaForm = regexp.MustCompile(`^[a-z0-9][a-z0-9:._-]{0,63}$`)

// importing stores what is in the body. All of it is read before the first object is stored: a body that is cut off or is no JSON
// changes nothing.
func (a *API) importing(c *call) error {
	began := time.Now()
	s, err := a.submission(c)
	if err != nil {
		return err
	}
	sp := &spool{dir: a.ops.SpoolDir(), limit: importBytes}
	if !a.isOwn(c.v) {
		sp.limit = importBytesOthers
	}
	defer sp.close()
	var sum Summary
	var losses []Loss
	var bounds []bound
	switch format := c.q.get("format"); format {
	case "", "stix":
		sum, losses, err = fill(sp, c.r.Body)
	case "misp":
		sum, losses, bounds, err = a.fillEvents(sp, c)
	case "sigma":
		sum, losses, err = a.fillRules(sp, c)
	default:
		err = fault.New(fault.Invalid, "import.format", "there is no such format").At("format").Try("write stix, misp or sigma")
	}
	if err != nil {
		return err
	}
	// The body is here: from now on nobody waits for the client, and no deadline for reading may end the request.
	http.NewResponseController(c.w).SetReadDeadline(time.Time{})

	headers(c.w, linesType)
	e := &progress{w: c.w}
	for i := range losses {
		if err := e.send(Event{Loss: &losses[i]}); err != nil {
			return err
		}
	}
	if err := a.store(c, s, bounds, sp, &sum, e); err != nil {
		if errors.Is(err, errStarted) {
			return err
		}
		f := fault.As(err)
		p := problem(f, surface.RequestID(c.ctx()))
		if p.Status >= 500 {
			a.log.Error("an import failed", "id", p.ErrorID, "cause", err)
		}
		return e.send(Event{Error: &p})
	}
	sum.Seconds = time.Since(began).Seconds()
	return e.send(Event{Summary: &sum})
}

// submission reads the parameters of an import, and refuses early what could not be stored later.
func (a *API) submission(c *call) (exchange.Submission, error) {
	s := exchange.Submission{Via: c.q.get("via")}
	if s.Via == "" {
		s.Via = "import"
	}
	if !viaForm.MatchString(s.Via) {
		return s, fault.New(fault.Invalid, "via.form", "this is not a way for objects to come").At("via").Try("write import or feed:NAME")
	}
	var err error
	if s.Restrict, err = ParseLabel(c.q.get("label"), false); err != nil {
		return s, at(err, "label")
	}
	if s.Default, err = ParseLabel(c.q.get("default"), true); err != nil {
		return s, at(err, "default")
	}
	if name := c.q.get("collection"); name != "" {
		col, err := a.x.Collection(c.v, "", name)
		if err != nil {
			return s, err
		}
		if !col.CanWrite {
			return s, fault.New(fault.Forbidden, "collection.write", "you may read this collection but not write to it").Try("ask the node's administrators for a role that may write")
		}
		s.Collection = col.ID
	}
	return s, nil
}

func at(err error, where string) error {
	var f *fault.Error
	if errors.As(err, &f) {
		f.Pointer = where
	}
	return err
}

// fill reads a body into the spool.
func fill(sp *spool, body io.Reader) (Summary, []Loss, error) {
	var sum Summary
	var losses []Loss
	info, err := stix.Split(body, func(raw []byte) error {
		objects, lost := [][]byte{raw}, []Loss(nil)
		if isOld(raw) {
			var upgraded bool
			if objects, lost, upgraded = upgrade(raw); upgraded {
				sum.Upgraded++
			}
		}
		sum.Losses += len(lost)
		losses = append(losses, lost[:min(len(lost), maxOutcomes-len(losses))]...)
		for _, o := range objects {
			sum.Objects++
			kind := byte(kindObject)
			if isMarking(o) {
				kind = kindMarking
			}
			if err := sp.add(kind, o); err != nil {
				return err
			}
		}
		return nil
	})
	sum.Kind, sum.Bundle = string(info.Kind), info.BundleID
	var se *stix.Error
	var fe *fault.Error
	switch {
	case err == nil:
		return sum, losses, nil
	case errors.As(err, &fe):
		return sum, nil, err
	case errors.As(err, &se):
		f := fault.New(fault.Invalid, se.Code, "%s, at byte %d; nothing was imported", se.Message, se.Offset).At(se.Pointer)
		if se.Section != "" {
			f.By("STIX 2.1 section " + se.Section)
		}
		return sum, nil, f
	}
	return sum, nil, fault.New(fault.Invalid, "body.read", "the body could not be read to its end; nothing was imported").Because(err)
}

// bound is a label that a conversion found for some of its objects, besides what they say themselves.
type bound struct {
	label  label.Label
	stated bool // it has a TLP: no default is needed
}

// maxBounds is how many labels of one file are told apart; further ones are joined into one.
const maxBounds = 100

// within is the submission of objects with the bound: its label only ever restricts what was asked for.
func (b bound) within(s exchange.Submission) exchange.Submission {
	restrict := b.label
	if s.Restrict != nil {
		restrict = label.Join(restrict, *s.Restrict)
	}
	s.Restrict = &restrict
	if b.stated {
		s.Default = &restrict
	}
	return s
}

// fillEvents reads a file of MISP events into the spool, as objects of STIX.
func (a *API) fillEvents(sp *spool, c *call) (sum Summary, losses []Loss, bounds []bound, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, reviewBytes))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return sum, nil, nil, fault.New(fault.TooLarge, "import.size", "a file of MISP events has at most %d bytes", reviewBytes).Try("take larger events by a feed or over the MISP interface")
		}
		return sum, nil, nil, fault.New(fault.Invalid, "body.read", "the body could not be read to its end; nothing was imported").Because(err)
	}
	events, err := parseEvents(raw)
	if err != nil {
		return sum, nil, nil, err
	}
	sum.Kind = "misp"
	places := map[bound]byte{}
	policy := a.eventPolicy()
	for _, e := range events {
		items, lost := misp.ToSTIX(e, misp.Options{Policy: policy})
		sum.Losses += len(lost)
		for _, l := range lost[:min(len(lost), maxOutcomes-len(losses))] {
			losses = append(losses, Loss{ID: e.UUID, Code: l.Code, Pointer: l.Pointer, Message: l.Message})
		}
		for i := range items {
			b := bound{items[i].Label, items[i].Stated}
			place, there := places[b]
			if !there {
				if place = byte(min(len(bounds), maxBounds)); int(place) < maxBounds {
					bounds = append(bounds, b)
				} else if len(bounds) > maxBounds {
					bounds[maxBounds] = bound{label.Join(bounds[maxBounds].label, b.label), bounds[maxBounds].stated && b.stated}
				} else {
					bounds = append(bounds, b)
				}
				places[b] = place
			}
			kind := kindBound + place
			if isMarking(items[i].Raw) {
				kind = kindMarking
			}
			sum.Objects++
			if err := sp.add(kind, items[i].Raw); err != nil {
				return sum, nil, nil, err
			}
		}
	}
	return sum, losses, bounds, nil
}

// isMarking tells whether an object defines a marking. Most objects are told by one look.
func isMarking(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`"marking-definition"`)) {
		return false
	}
	o, err := stix.Parse(raw)
	return err == nil && o.Type() == "marking-definition"
}

// isOld tells whether an object is of STIX 2.0, which has no spec_version on its objects.
func isOld(raw []byte) bool {
	if bytes.Contains(raw, []byte(`"spec_version"`)) {
		return false
	}
	o, err := stix.Parse(raw)
	return err == nil && o.Spec() == "2.0"
}

// store hands the spool to the exchange in batches: while one becomes durable, the next is prepared.
func (a *API) store(c *call, s exchange.Submission, bounds []bound, sp *spool, sum *Summary, e *progress) error {
	group, ctx := errgroup.WithContext(c.ctx())
	batches := make(chan exchange.Prepared)
	group.Go(func() error {
		defer close(batches)
		return a.prepare(ctx, c.v, s, bounds, sp, batches)
	})
	group.Go(func() error {
		p := Progress{Total: sum.Objects}
		for b := range batches {
			outcomes, err := a.x.AcceptPrepared(ctx, c.v, b)
			if err != nil {
				return err
			}
			p.Done += len(outcomes)
			for i := range outcomes {
				sum.count(outcomes[i])
				switch outcomes[i].State {
				case exchange.Added, exchange.Present:
				default:
					if err := e.outcome(&outcomes[i]); err != nil {
						return err
					}
				}
			}
			if err := e.send(Event{Progress: &p}); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// prepare reads the spool in batches, definitions of markings first, and then those that have bounds of their own.
func (a *API) prepare(ctx context.Context, v gate.Viewer, s exchange.Submission, bounds []bound, sp *spool, to chan<- exchange.Prepared) error {
	held := 0
	flush := func() error {
		if len(s.Objects) == 0 {
			return nil
		}
		b, err := a.x.Prepare(v, s)
		if err != nil {
			return err
		}
		s.Objects, held = nil, 0
		select {
		case to <- b:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	kinds := []byte{kindMarking, kindObject}
	for i := range bounds {
		kinds = append(kinds, kindBound+byte(i))
	}
	asked := s
	for _, kind := range kinds {
		if kind >= kindBound {
			s = bounds[kind-kindBound].within(asked)
		}
		err := sp.each(kind, func(raw []byte) error {
			s.Objects = append(s.Objects, raw)
			if held += len(raw); len(s.Objects) == batchObjects || held >= batchBytes {
				return flush()
			}
			return nil
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// progress writes the lines of an answer as they come about.
type progress struct {
	w        http.ResponseWriter
	outcomes int
}

func (e *progress) send(v Event) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	if _, err = e.w.Write(append(b, '\n')); err == nil {
		err = http.NewResponseController(e.w).Flush()
		if errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	return started(err)
}

func (e *progress) outcome(o *exchange.Outcome) error {
	if e.outcomes++; e.outcomes > maxOutcomes {
		return nil
	}
	return e.send(Event{Outcome: o})
}
