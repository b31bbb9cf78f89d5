package decisions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/decision"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/peer"
)

// Work does once what is due: what was proposed is acknowledged, what can be decided is counted, and what was decided is carried out.
func (r *Room) Work(ctx context.Context) (err error) {
	if err := r.inTurn(ctx, func() error { return nil }); err != nil {
		return err
	}
	for _, m := range r.which(func(m *matter) bool { return m.end == nil }) {
		err = errors.Join(err, r.advance(ctx, m))
	}
	for _, m := range r.which(func(m *matter) bool { return m.end != nil && m.end.State == Decided }) {
		err = errors.Join(err, r.execute(ctx, m))
	}
	for _, m := range r.which(func(m *matter) bool { return m.end != nil && m.end.Did != "" }) {
		err = errors.Join(err, r.inTurn(ctx, func() error { return r.report(ctx, m) }))
	}
	return err
}

// inTurn says something while nobody else does, and after all that was said before is kept.
func (r *Room) inTurn(ctx context.Context, say func() error) error {
	r.saying.Lock()
	defer r.saying.Unlock()
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	return say()
}

// which are the decisions of which something holds.
func (r *Room) which(holds func(*matter) bool) (out []*matter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.known {
		if m.what != nil && holds(m) {
			out = append(out, m)
		}
	}
	return out
}

// advance acknowledges a proposal and counts what was said about it.
func (r *Room) advance(ctx context.Context, m *matter) error {
	now := r.cfg.Now()
	r.mu.Lock()
	c, a, err := r.open(m)
	late := !now.Before(m.what.Deadline)
	over := now.After(m.what.Deadline.Add(linger))
	same := m.tried == len(m.said) && !late && m.result != nil
	r.mu.Unlock()
	if over {
		return nil
	}
	if err != nil && (c == nil || !short(err)) {
		r.mu.Lock()
		m.why = err.Error()
		r.mu.Unlock()
		return nil
	}
	r.mu.Lock()
	replaced := r.replaced(m)
	r.mu.Unlock()
	if !late && !replaced && a.GoesOn && slices.Contains(c.Voters(), r.cfg.Nation) {
		if err := r.inTurn(ctx, func() error { return r.ack(ctx, m) }); err != nil {
			return err
		}
	}
	if same || err != nil {
		return nil
	}
	parts, n, err := r.parts(ctx, m, c, a, late)
	if err != nil {
		return err
	}
	certificate, result, err := r.opener().Combine(parts)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		m.why = err.Error()
		return nil
	}
	m.tried, m.result, m.why = n, result, ""
	if result.Outcome == decision.Open {
		return nil
	}
	state := Decided
	if result.Outcome == decision.No {
		state = Rejected
	}
	return r.finish(ctx, m, &end{Outcome: result.Outcome, Certificate: certificate, At: r.stamp(), State: state}, store.Act{Actor: "node", Verb: "decision.decided", Target: key(m.digest), Detail: "outcome=" + string(result.Outcome)})
}

// parts is all that is here of a decision. What shows that a party was silent is there once its own log has been signed after the deadline.
func (r *Room) parts(ctx context.Context, m *matter, c *decision.Case, a Accord, late bool) (p decision.Parts, n int, err error) {
	r.mu.Lock()
	p = decision.Parts{Accord: a.Bundle, Proposal: m.proposal, Weights: m.weights}
	n = len(m.said)
	acks := map[string]said{}
	for _, s := range m.said {
		switch s.Kind {
		case "position":
			p.Positions = append(p.Positions, s.Envelope)
		case "ack":
			if old, ok := acks[s.Nation]; !ok || s.Index < old.Index {
				acks[s.Nation] = s
			}
		}
	}
	r.mu.Unlock()
	if !late {
		return p, n, nil
	}
	for _, nation := range c.Voters() {
		ack, ok := acks[nation]
		if !ok {
			continue
		}
		s, err := r.silence(ctx, m, c, ack)
		if err != nil {
			return p, n, err
		}
		if s != nil {
			p.Silences = append(p.Silences, s)
		}
	}
	return p, n, nil
}

// silence is what a party's own log shows of it from its ack on; nil: it does not reach beyond the deadline yet.
func (r *Room) silence(ctx context.Context, m *matter, c *decision.Case, ack said) (*decision.Silence, error) {
	before, leaves, note, err := r.cfg.Log.Stretch(ctx, ack.Origin, ack.Index)
	if err != nil || len(leaves) == 0 {
		return nil, notFoundIsNil(err)
	}
	if at, err := peer.PeekCheckpoint(note); err != nil || at.Time.Before(m.what.Deadline) {
		return nil, nil
	}
	frames := make([]peer.Frame, len(leaves))
	r.mu.Lock()
	for i := range leaves {
		frames[i].Leaf = leaves[i]
	}
	for _, s := range m.said {
		if i := s.Index - ack.Index; s.Origin == ack.Origin && s.Index >= ack.Index && i < uint64(len(frames)) && len(s.Salt) == 16 {
			frames[i].Salt, frames[i].Envelope = [16]byte(s.Salt), s.Envelope
		}
	}
	r.mu.Unlock()
	s, err := decision.NewSilence(ack.Nation, c.Topic, before, frames, note)
	if err != nil { // something of it is not here: it shows nothing yet
		return nil, nil
	}
	return s, nil
}

func notFoundIsNil(err error) error {
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	return err
}

// finish writes down what came of a decision. The caller holds mu.
func (r *Room) finish(ctx context.Context, m *matter, e *end, act store.Act) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fault.New(fault.Internal, "", "a decision cannot be written down").Because(err)
	}
	e.version = 0
	if m.end != nil {
		e.version = m.end.version
	}
	if err := r.cfg.Docs.PutDocs(ctx, act, store.Doc{Kind: docEnd, Key: key(m.digest), Value: value, Version: e.version}); err != nil {
		return err
	}
	e.version++
	m.end = e
	r.touch()
	return nil
}

// move changes where a decision is on its way, when it is where the caller takes it to be.
func (r *Room) move(ctx context.Context, m *matter, from, to State, did decision.Did, text, by string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.end.State != from {
		return fault.New(fault.Conflict, "decision.state", "nothing waits to be carried out: the decision is %s here", m.end.State)
	}
	e := *m.end
	e.State, e.Did, e.Text, e.By = to, did, text, by
	return r.finish(ctx, m, &e, store.Act{Actor: by, Verb: "decision." + string(to), Target: key(m.digest), Detail: text})
}

// execute carries out what was decided, once: that it was begun is written down first, and what was begun is never begun again.
func (r *Room) execute(ctx context.Context, m *matter) error {
	a := m.what.Action
	if a == nil {
		return nil
	}
	run := r.cfg.Execute[a.Type]
	if run == nil {
		return nil // a person does, and says so
	}
	if t := m.what.NotAfter; !t.IsZero() && !r.cfg.Now().Before(t) {
		return r.move(ctx, m, Decided, Refused, decision.Refused, "it was to be begun before "+t.Format(time.RFC3339), "node")
	}
	result, err := decision.Verify(m.end.Certificate, r.cfg.Keys, r.knows)
	if err != nil {
		return r.move(ctx, m, Decided, Refused, decision.Refused, err.Error(), "node")
	}
	if err := r.move(ctx, m, Decided, Started, "", "", "node"); err != nil {
		return err
	}
	text, err := run(ctx, result, m.end.Certificate)
	if err != nil {
		return r.move(ctx, m, Started, Refused, decision.Refused, err.Error(), "node")
	}
	return r.move(ctx, m, Started, Executed, decision.Executed, text, "node")
}

// knows tells whether an accord is known here to be signed by its parties.
func (r *Room) knows(d peer.Digest) bool {
	_, ok := r.cfg.Accord(d)
	return ok
}

// Report says for this organisation what a person did on a decision that no machine carries out, or that was cut short while one did.
func (r *Room) Report(ctx context.Context, v gate.Viewer, id string, did decision.Did, text string) (View, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return View{}, err
	}
	state := map[decision.Did]State{decision.Executed: Executed, decision.Refused: Refused, decision.Aborted: Refused}[did]
	if state == "" {
		return View{}, fault.New(fault.Invalid, "decision.did", "what was done is executed, refused or aborted, not %q", did).At("did")
	}
	r.saying.Lock()
	defer r.saying.Unlock()
	if err := r.catchUp(ctx); err != nil {
		return View{}, err
	}
	r.mu.Lock()
	m, err := r.find(id)
	now := State("")
	if err == nil {
		now = r.state(m)
	}
	r.mu.Unlock()
	switch {
	case err != nil:
		return View{}, err
	case now != Decided && now != Started:
		return View{}, fault.New(fault.Conflict, "decision.state", "nothing waits to be carried out: the decision is %s here", now)
	}
	if _, err := r.signReport(m, did, text); err != nil { // it cannot be said later what cannot be said now
		return View{}, err
	}
	if err := r.move(ctx, m, now, state, did, text, actor(v)); err != nil {
		return View{}, err
	}
	if err := r.report(ctx, m); err != nil {
		return View{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view(m), nil
}
