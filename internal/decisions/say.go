package decisions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/keylog"
	"entente/peer"
)

// Wish is what a person wants to be decided.
type Wish struct {
	Accord   string           `json:"accord"` // name
	Rule     string           `json:"rule"`   // name of its decide block
	Title    string           `json:"title"`
	Action   *decision.Action `json:"action,omitempty"`
	Subject  []string         `json:"subject,omitempty"`  // nations that it is about
	Affected []string         `json:"affected,omitempty"` // nations that it affects
	Evidence []peer.Digest    `json:"evidence,omitempty"`
	Deadline time.Time        `json:"deadline,omitzero"` // the rule's, when it is not said
	NotAfter time.Time        `json:"notAfter,omitzero"` // the action is not begun then or later
	Weights  string           `json:"weights,omitempty"` // the table that the rule names
	Instead  string           `json:"instead,omitempty"` // id of an earlier proposal, of which this is the next round
}

func (r *Room) may(v gate.Viewer, action gate.Action) error {
	if r.cfg.Gate().Can(v, action) {
		return nil
	}
	return fault.RoleMissing(action)
}

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }

func (r *Room) stamp() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// Draft completes a wish as the proposal that is to be signed.
func (r *Room) Draft(v gate.Viewer, w Wish) (*decision.Proposal, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return nil, err
	}
	digest, ok := r.cfg.Named(w.Accord)
	if !ok {
		return nil, fault.New(fault.Unprocessable, "decision.accord", "no accord %q binds this node now", w.Accord).At("accord")
	}
	a, _ := r.cfg.Accord(digest)
	rule, err := decision.RuleOf(a.Text, w.Rule)
	if err != nil {
		return nil, refused(err)
	}
	p := &decision.Proposal{V: 1, ID: newID(), Round: 1, Accord: digest, Rule: w.Rule, Nation: r.cfg.Nation, Org: r.cfg.Org, Title: w.Title, Action: w.Action, Subject: w.Subject, Affected: w.Affected,
		Evidence: w.Evidence, Opens: r.stamp(), Deadline: w.Deadline.UTC().Truncate(time.Microsecond), NotAfter: w.NotAfter.UTC().Truncate(time.Microsecond), Weights: rule.Weights}
	if w.Deadline.IsZero() {
		p.Deadline = p.Opens.Add(rule.Deadline)
	}
	if a := w.Action; a != nil && (len(a.Body) > 0 || a.Type == AboutAccord) {
		with := *a
		if with.Type == AboutAccord && len(with.Body) == 0 {
			with.Media, with.Body = "application/json", accordBody(digest)
		}
		with.Digest = peer.Digest(sha256.Sum256(with.Body))
		p.Action = &with
	}
	if w.NotAfter.IsZero() {
		p.NotAfter = time.Time{}
	}
	if !p.Deadline.After(p.Opens) {
		return nil, fault.New(fault.Invalid, "decision.deadline", "the deadline %s has passed", p.Deadline.Format(time.RFC3339)).At("deadline")
	}
	if w.Instead != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		old, err := r.find(w.Instead)
		if err != nil {
			return nil, err
		}
		if old.what.Nation != r.cfg.Nation {
			return nil, fault.New(fault.Conflict, "decision.round", "%s proposed this, and alone begins another round of it", old.what.Nation).Try("propose your own text without --instead")
		}
		p.ID, p.Round = old.what.ID, old.what.Round+1
		for _, m := range r.known {
			if m.what != nil && m.what.ID == p.ID && m.what.Round >= p.Round {
				p.Round = m.what.Round + 1
			}
		}
	}
	slices.Sort(p.Subject)
	slices.Sort(p.Affected)
	slices.SortFunc(p.Evidence, func(a, b peer.Digest) int { return slices.Compare(a[:], b[:]) })
	return p, nil
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Propose proposes what a person wishes, by the key with which this node votes, and tells every party.
func (r *Room) Propose(ctx context.Context, v gate.Viewer, w Wish) (View, error) {
	p, err := r.Draft(v, w)
	if err != nil {
		return View{}, err
	}
	voter, err := r.cfg.Voter()
	if err != nil {
		return View{}, err
	}
	e, err := decision.SignProposal(r.cfg.Realm, *p, voter)
	if err != nil {
		return View{}, refused(err)
	}
	return r.Submit(ctx, v, e, []byte(w.Weights))
}

// Submit takes a proposal or a position that voters of this organisation signed, wherever they did, and says it. A proposal that is known already is seconded by it.
func (r *Room) Submit(ctx context.Context, v gate.Viewer, envelope, weights []byte) (View, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return View{}, err
	}
	e, err := dsse.Parse(envelope)
	if err != nil {
		return View{}, refused(err)
	}
	r.saying.Lock()
	defer r.saying.Unlock()
	if err := r.catchUp(ctx); err != nil {
		return View{}, err
	}
	switch e.PayloadType {
	case dsse.InRealm(decision.ProposalType, r.cfg.Realm):
		return r.propose(ctx, v, envelope, weights)
	case dsse.InRealm(decision.PositionType, r.cfg.Realm):
		return r.position(ctx, v, envelope)
	}
	return View{}, fault.New(fault.Unprocessable, "decision.form", "this is no proposal and no position of the realm %s", r.cfg.Realm)
}

func (r *Room) propose(ctx context.Context, v gate.Viewer, envelope, weights []byte) (View, error) {
	e, _ := dsse.Parse(envelope)
	p, err := decision.ReadProposal(e.Payload)
	if err != nil {
		return View{}, refused(err)
	}
	a, ok := r.cfg.Accord(p.Accord)
	if !ok || !a.Active {
		return View{}, fault.New(fault.Conflict, "decision.accord", "the accord of the proposal does not bind this node now")
	}
	d := p.Digest()
	if len(weights) > 0 {
		if _, err := r.AddWeights(ctx, v, weights); err != nil {
			return View{}, err
		}
	}
	r.mu.Lock()
	m := r.known[d]
	later := r.later(p)
	var old []byte
	if m != nil {
		old = m.proposal
	}
	full := len(r.known) >= maxMatters && m == nil
	r.mu.Unlock()
	if later {
		return View{}, outdated()
	}
	if full {
		return View{}, fault.New(fault.Full, "decision.full", "this node keeps %d decisions, and no more", maxMatters)
	}
	if old != nil {
		if envelope, err = decision.JoinSignatures(old, envelope); err != nil {
			return View{}, refused(err)
		}
	}
	if len(weights) == 0 {
		r.mu.Lock()
		weights = r.tableOf(p.Weights)
		r.mu.Unlock()
	}
	c, err := r.opener().Case(a.Bundle, weights, envelope)
	if c == nil || err != nil && !short(err) {
		return View{}, refused(err)
	}
	if !r.cfg.Now().Before(p.Deadline) {
		return View{}, fault.New(fault.Conflict, "decision.deadline", "the deadline %s has passed", p.Deadline.Format(time.RFC3339))
	}
	if !r.signedHere(a.Text, envelope) {
		return View{}, fault.New(fault.Unprocessable, "decision.signature", "no voter of this organisation signed the proposal")
	}
	at, err := r.say(ctx, p.Accord, d, envelope)
	if err != nil {
		return View{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m = r.matter(d)
	if err := r.take(ctx, m, r.cfg.Nation, envelope, weights, place("proposal", r.cfg.Nation, at, envelope), store.Act{Actor: actor(v), Verb: "decision.propose", Target: key(d), Detail: "rule=" + p.Rule + " accord=" + a.Text.Name}); err != nil {
		return View{}, err
	}
	r.behind = false
	return r.view(m), nil
}

// signedHere tells whether a voter of this nation signed a proposal.
func (r *Room) signedHere(a *accord.Accord, envelope []byte) bool {
	var parties []string
	for _, p := range a.Parties {
		parties = append(parties, p.Nation)
	}
	_, signers, err := r.opener(parties...).Proposal(envelope)
	return err == nil && slices.ContainsFunc(signers, func(s decision.Signer) bool { return s.Nation == r.cfg.Nation })
}

// short tells whether all that a proposal lacks is that more parties propose it.
func short(err error) bool {
	var e *decision.Error
	return errors.As(err, &e) && e.Code == decision.CodeSignature
}

func place(kind, nation string, at Place, envelope []byte) said {
	return said{Kind: kind, Nation: nation, Origin: at.Origin, Index: at.Index, Salt: at.Salt[:], Envelope: envelope, At: at.Leaf.Time}
}

// take writes a proposal down, or the signatures that came to one that is there. The caller holds mu.
func (r *Room) take(ctx context.Context, m *matter, from string, envelope, weights []byte, s said, act store.Act) error {
	p, err := r.peek(envelope)
	if err != nil {
		return refused(err)
	}
	doc := matterDoc{Proposal: envelope, Weights: string(weights), From: from, At: r.stamp()}
	if m.proposal != nil {
		doc.From, doc.At = m.from, m.at
		if len(m.weights) > 0 {
			doc.Weights = string(m.weights)
		}
	}
	value, err := json.Marshal(doc)
	if err != nil {
		return fault.New(fault.Internal, "", "a proposal cannot be written down").Because(err)
	}
	before := len(m.said)
	if err := r.keep(ctx, m, s, act, store.Doc{Kind: docMatter, Key: key(m.digest), Value: value, Version: m.version}); err != nil || len(m.said) == before {
		return err
	}
	m.proposal, m.what, m.weights, m.from, m.at = envelope, p, []byte(doc.Weights), doc.From, doc.At
	m.version++
	return nil
}

// Say takes a position for this organisation, by the key with which this node votes.
func (r *Room) Say(ctx context.Context, v gate.Viewer, id string, choice decision.Choice, reason string) (View, error) {
	p, err := r.Ballot(v, id, choice, reason)
	if err != nil {
		return View{}, err
	}
	voter, err := r.cfg.Voter()
	if err != nil {
		return View{}, err
	}
	e, err := decision.SignPosition(r.cfg.Realm, *p, voter)
	if err != nil {
		return View{}, refused(err)
	}
	return r.Submit(ctx, v, e, nil)
}

// Second proposes what another party proposed, by the key with which this node votes.
func (r *Room) Second(ctx context.Context, v gate.Viewer, id string) (View, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return View{}, err
	}
	r.mu.Lock()
	m, err := r.find(id)
	var e, weights []byte
	if err == nil {
		e, weights = m.proposal, m.weights
	}
	r.mu.Unlock()
	if err != nil {
		return View{}, err
	}
	voter, err := r.cfg.Voter()
	if err != nil {
		return View{}, err
	}
	if e, err = decision.AddSignatures(e, voter); err != nil {
		return View{}, refused(err)
	}
	return r.Submit(ctx, v, e, weights)
}

// Ballot is the position that is to be signed: the one that others of the organisation have signed, where it waits for one more of them.
func (r *Room) Ballot(v gate.Viewer, id string, choice decision.Choice, reason string) (*decision.Position, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if c, _, _ := r.open(m); c != nil {
		for _, s := range slices.Backward(m.statements("position", r.cfg.Nation)) {
			if !waits(c, s) {
				break
			}
			e, err := dsse.Parse(s.Envelope)
			if err != nil {
				return nil, refused(err)
			}
			if p, err := decision.ReadPosition(e.Payload); err == nil && p.Choice == choice && (reason == "" || p.Reason == reason) {
				return p, nil
			}
		}
	}
	return &decision.Position{V: 1, Proposal: m.digest, Round: m.what.Round, Accord: m.what.Accord, Choice: choice, Reason: reason, Nation: r.cfg.Nation, Org: r.cfg.Org, Time: r.stamp()}, nil
}

// waits tells whether all that a position lacks is that more persons of its organisation sign it.
func waits(c *decision.Case, s said) bool {
	_, err := c.Position(s.Envelope)
	return err != nil && short(err)
}

func (r *Room) position(ctx context.Context, v gate.Viewer, envelope []byte) (View, error) {
	e, _ := dsse.Parse(envelope)
	p, err := decision.ReadPosition(e.Payload)
	if err != nil {
		return View{}, refused(err)
	}
	r.mu.Lock()
	m := r.known[p.Proposal]
	if m == nil || m.what == nil {
		r.mu.Unlock()
		return View{}, none()
	}
	c, _, err := r.open(m)
	mine := m.statements("position", r.cfg.Nation)
	later := r.later(m.what)
	r.mu.Unlock()
	switch {
	case later:
		return View{}, outdated()
	case err != nil:
		return View{}, refused(err)
	case p.Nation != r.cfg.Nation || p.Org != r.cfg.Org:
		return View{}, fault.New(fault.Unprocessable, "decision.party", "the position is of %s of %s, and this node speaks for %s of %s", p.Org, p.Nation, r.cfg.Org, r.cfg.Nation)
	case !r.cfg.Now().Before(m.what.Deadline):
		return View{}, fault.New(fault.Conflict, "decision.deadline", "the deadline %s has passed", m.what.Deadline.Format(time.RFC3339))
	}
	for _, s := range mine {
		if same(s.Envelope, envelope) { // a second person of the organisation
			if envelope, err = decision.JoinSignatures(s.Envelope, envelope); err != nil {
				return View{}, refused(err)
			}
		} else if last, err := c.Position(s.Envelope); err == nil && last.Choice.Final() {
			return View{}, fault.New(fault.Conflict, "decision.final", "this organisation has said %s, which is final", last.Choice).Try("a changed text is a new round: entente decision propose --instead " + key(m.digest)[:16])
		}
	}
	if _, err := c.Position(envelope); err != nil && !short(err) {
		return View{}, refused(err)
	}
	o := r.opener(r.cfg.Nation)
	if _, signers, err := o.Position(envelope); err != nil {
		return View{}, refused(err)
	} else if o.Count(signers, p.Nation, p.Org, keylog.RoleVote, p.Time) == 0 {
		return View{}, fault.New(fault.Unprocessable, "decision.signature", "no voter of %s whose key counted at %s signed the position", p.Org, p.Time.Format(time.RFC3339))
	}
	if err := r.ack(ctx, m); err != nil { // an ack stands before every position
		return View{}, err
	}
	at, err := r.say(ctx, m.what.Accord, m.digest, envelope)
	if err != nil {
		return View{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.kept(ctx, m, place("position", r.cfg.Nation, at, envelope), store.Act{Actor: actor(v), Verb: "decision.position", Target: key(m.digest), Detail: "choice=" + string(p.Choice)})
	return r.view(m), err
}

// say adds a statement about a proposal to the own log. Until it is kept, too, the room is behind its log. The caller holds saying.
func (r *Room) say(ctx context.Context, accord [32]byte, about peer.Digest, envelope []byte) (Place, error) {
	r.behind = true
	return r.cfg.Log.Say(ctx, accord, decision.Topic(about), "decision/"+key(about), envelope)
}

// kept keeps what was said, all of which is kept then. The caller holds saying and mu.
func (r *Room) kept(ctx context.Context, m *matter, s said, act store.Act) error {
	err := r.keep(ctx, m, s, act)
	if err == nil {
		r.behind = false
	}
	return err
}

// catchUp keeps what stands in the own log and was not written down, because the node stopped in between: nothing is said a second time. The caller holds saying.
func (r *Room) catchUp(ctx context.Context) error {
	if !r.behind {
		return nil
	}
	r.mu.Lock()
	kept := map[string]map[uint64]bool{}
	for _, m := range r.known {
		for _, s := range m.said {
			if s.Nation == r.cfg.Nation {
				if kept[s.Origin] == nil {
					kept[s.Origin] = map[uint64]bool{}
				}
				kept[s.Origin][s.Index] = true
			}
		}
	}
	r.mu.Unlock()
	first := func(origin string) (i uint64) {
		for kept[origin][i] {
			i++
		}
		return i
	}
	err := r.cfg.Log.Spoken(ctx, first, func(at Place, envelope []byte) error {
		if kept[at.Origin][at.Index] {
			return nil
		}
		err := r.Hear(ctx, r.cfg.Nation, at, envelope)
		if err != nil && fault.Of(err) != fault.Internal && fault.Of(err) != fault.Unavailable { // its accord or a key of its may be gone: it stands in the log, and nothing is to be done about it
			r.cfg.Slog.Warn("what this node said about a decision does not count any more", "log", at.Origin, "index", at.Index, "error", err)
			return nil
		}
		return err
	})
	r.behind = err != nil
	return err
}

// ack says that this node has the proposal, once. The caller holds saying.
func (r *Room) ack(ctx context.Context, m *matter) error {
	r.mu.Lock()
	done := len(m.statements("ack", r.cfg.Nation)) > 0
	r.mu.Unlock()
	if done {
		return nil
	}
	node, err := r.cfg.Node()
	if err != nil {
		return err
	}
	e, err := decision.SignAck(r.cfg.Realm, decision.Ack{V: 1, Proposal: m.digest, Round: m.what.Round, Nation: r.cfg.Nation, Org: r.cfg.Org, Time: r.stamp()}, node)
	if err != nil {
		return refused(err)
	}
	at, err := r.say(ctx, m.what.Accord, m.digest, e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept(ctx, m, place("ack", r.cfg.Nation, at, e), store.Act{Actor: "node", Verb: "decision.ack", Target: key(m.digest)})
}

// report says what this node did on a decision, once. The caller holds saying.
func (r *Room) report(ctx context.Context, m *matter) error {
	r.mu.Lock()
	did, text := m.end.Did, m.end.Text
	done := did == "" || len(m.statements("report", r.cfg.Nation)) > 0
	r.mu.Unlock()
	if done {
		return nil
	}
	e, err := r.signReport(m, did, text)
	if err != nil {
		e, err = r.signReport(m, did, "") // what a machine says of itself may be no text
	}
	if err != nil {
		return err
	}
	at, err := r.say(ctx, m.what.Accord, m.digest, e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept(ctx, m, place("report", r.cfg.Nation, at, e), store.Act{Actor: "node", Verb: "decision.report", Target: key(m.digest), Detail: "did=" + string(did)})
}

func (r *Room) signReport(m *matter, did decision.Did, text string) ([]byte, error) {
	node, err := r.cfg.Node()
	if err != nil {
		return nil, err
	}
	e, err := decision.SignReport(r.cfg.Realm, decision.Report{V: 1, Proposal: m.digest, Nation: r.cfg.Nation, Org: r.cfg.Org, Did: did, Text: text, Time: r.stamp()}, node)
	return e, refused(err)
}

func outdated() error {
	return fault.New(fault.Conflict, "decision.round", "the proposer has begun another round: nothing is said about this text any more").Try("entente decision list names the rounds")
}

func none() error {
	return fault.New(fault.NotFound, "decision.none", "no such decision").Try("entente decision list names those that are here")
}

// refused renders what the language of decisions refuses.
func refused(err error) error {
	var e *decision.Error
	var d *dsse.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return fault.New(fault.Unprocessable, "decision."+e.Code, "%s", e.Message)
	case errors.As(err, &d):
		return fault.New(fault.Unprocessable, d.Code, "%s", d.Message)
	}
	return err
}
