package decisions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/keylog"
	"entente/peer"
)

// View is a decision as people see it.
type View struct {
	ID       string            `json:"id"` // digest of the proposal, in hex
	State    State             `json:"state"`
	Accord   string            `json:"accord"` // name
	Version  int               `json:"version"`
	What     decision.Proposal `json:"what"`
	From     string            `json:"from"`           // the nation that showed it
	Rule     []string          `json:"rule,omitempty"` // what its rule asks for, in sentences
	Voters   []string          `json:"voters"`         // the nations that have a vote
	Count    *decision.Tally   `json:"count,omitempty"`
	Said     []Statement       `json:"said"`
	Own      decision.Choice   `json:"own,omitempty"`  // what this organisation has said last
	Half     decision.Choice   `json:"half,omitempty"` // what persons of this organisation have signed, and fewer than the rule asks for
	Mine     bool              `json:"mine"`           // this organisation has a right to vote and can still say something
	Second   bool              `json:"second"`         // more parties have to propose it, and this one has not
	Executes bool              `json:"executes"`       // this node carries it out by itself
	Decided  time.Time         `json:"decided,omitzero"`
	Text     string            `json:"text,omitempty"` // of what came of it
	By       string            `json:"by,omitempty"`
	Reason   string            `json:"reason,omitempty"` // of Unusable and Seeking
	Means    []string          `json:"means,omitempty"`  // of the text of an accord that is to be signed: what it says, or what it changes, in sentences
}

// In is the decision with the sentences of its count in one of accord.Languages; in any other they are English.
func (v View) In(lang string) View {
	if v.Count != nil {
		t := v.Count.In(lang)
		v.Count = &t
	}
	return v
}

// Statement is what a party said.
type Statement struct {
	Nation string          `json:"nation"`
	Kind   string          `json:"kind"` // "proposal", "position", "ack", "report"
	Choice decision.Choice `json:"choice,omitempty"`
	Did    decision.Did    `json:"did,omitempty"`
	Reason string          `json:"reason,omitempty"`
	At     time.Time       `json:"at"`
	Log    string          `json:"log"`
	Index  uint64          `json:"index"`
}

// find finds a decision by its id or the beginning of it. The caller holds mu.
func (r *Room) find(id string) (*matter, error) {
	id = strings.TrimPrefix(strings.ToLower(id), "sha256:")
	var found *matter
	if len(id) >= 8 {
		for d, m := range r.known {
			if m.what != nil && strings.HasPrefix(key(d), id) {
				if found != nil {
					return nil, fault.New(fault.Conflict, "decision.several", "several decisions begin with %s", id)
				}
				found = m
			}
		}
	}
	if found == nil {
		return nil, none()
	}
	return found, nil
}

// List gives every decision, the latest proposed first.
func (r *Room) List(v gate.Viewer) ([]View, error) {
	if err := r.may(v, gate.AccordRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []View{}
	for _, m := range r.known {
		if m.what != nil {
			out = append(out, r.view(m))
		}
	}
	slices.SortFunc(out, func(a, b View) int {
		if c := b.What.Opens.Compare(a.What.Opens); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

// Get gives one.
func (r *Room) Get(v gate.Viewer, id string) (View, error) {
	if err := r.may(v, gate.AccordRead); err != nil {
		return View{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.find(id)
	if err != nil {
		return View{}, err
	}
	return r.view(m), nil
}

// Proposal is the envelope of a proposal, for who signs elsewhere.
func (r *Room) Proposal(v gate.Viewer, id string) ([]byte, error) {
	if err := r.may(v, gate.AccordRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := r.find(id)
	if err != nil {
		return nil, err
	}
	return m.proposal, nil
}

// Certificate is the file of a decision that was taken. Alone, it carries the signatures of the accord and the key logs of its parties.
func (r *Room) Certificate(v gate.Viewer, id string, alone bool, logs func(nation string) (*keylog.Log, error)) ([]byte, error) {
	if err := r.may(v, gate.AccordRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	m, err := r.find(id)
	var b []byte
	if err == nil && m.end != nil {
		b = m.end.Certificate
	}
	r.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, fault.New(fault.Conflict, "decision.open", "the decision is not taken yet")
	case !alone:
		return b, nil
	}
	a, ok := r.cfg.Accord(m.what.Accord)
	if !ok {
		return nil, fault.New(fault.NotFound, "decision.accord", "the accord of this decision is not known here")
	}
	var all []*keylog.Log
	for _, p := range a.Text.Parties {
		l, err := logs(p.Nation)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	b, err = decision.Alone(b, a.Bundle, all)
	return b, refused(err)
}

// Verdict is what a certificate proves here.
type Verdict struct {
	decision.Result
	Unpinned []string `json:"unpinned,omitempty"` // nations that this node does not know: it has nothing but the file's word for their keys
}

// Verify judges a certificate that anyone made: by the key logs that are known here, or by those that it carries, where it names nations that are not known.
func (r *Room) Verify(v gate.Viewer, certificate []byte, logs func(nation string) (*keylog.Log, error)) (Verdict, error) {
	if err := r.may(v, gate.AccordRead); err != nil {
		return Verdict{}, err
	}
	if c, err := decision.Parse(certificate); err == nil && c.Realm != r.cfg.Realm {
		return Verdict{}, fault.New(fault.Unprocessable, "decision.realm", "the certificate is of the realm %s, and this node of %s", c.Realm, r.cfg.Realm)
	}
	result, err := decision.Verify(certificate, r.cfg.Keys, r.knows)
	if err == nil {
		return Verdict{Result: *result}, nil
	}
	pins := func(nation string) (keylog.Fingerprint, bool) {
		l, err := logs(nation)
		if err != nil || l == nil {
			return keylog.Fingerprint{}, false
		}
		return l.Fingerprint(), true
	}
	if alone, unpinned, other := decision.VerifyAlone(certificate, pins); other == nil && len(unpinned) > 0 {
		return Verdict{*alone, unpinned}, nil
	}
	return Verdict{}, refused(err)
}

// state is where a decision is on its way. The caller holds mu, or is alone with it.
func (r *Room) state(m *matter) State {
	now := r.cfg.Now()
	switch {
	case m.end != nil:
		return m.end.State
	case m.why != "":
		return Unusable
	case r.replaced(m):
		return Replaced
	case now.After(m.what.Deadline.Add(linger)), !m.what.NotAfter.IsZero() && now.After(m.what.NotAfter):
		return Expired
	case !now.Before(m.what.Deadline):
		return Counting
	}
	return Open
}

func (r *Room) replaced(m *matter) bool { return r.later(m.what) }

// later tells whether another proposal has taken the place of this one: of a later round, or of the same that was here before. The caller holds mu.
func (r *Room) later(p *decision.Proposal) bool {
	d := p.Digest()
	own := r.known[d]
	for _, k := range r.known {
		if k.what != nil && k.digest != d && k.what.ID == p.ID && k.what.Nation == p.Nation && (k.what.Round > p.Round || k.what.Round == p.Round && (own == nil || own.what == nil)) {
			return true
		}
	}
	return false
}

// view renders a decision. The caller holds mu.
func (r *Room) view(m *matter) View {
	v := View{ID: key(m.digest), State: r.state(m), What: *m.what, From: m.from, Said: []Statement{}, Voters: []string{}, Reason: m.why}
	c, a, err := r.open(m)
	if a.Text != nil {
		v.Accord, v.Version = a.Text.Name, a.Text.Version
	}
	if err != nil && v.State == Open {
		v.State, v.Reason = Unusable, err.Error()
		if c != nil && short(err) {
			v.State = Seeking
		}
	}
	if m.result != nil {
		v.Count = &m.result.Tally
	}
	for _, s := range m.said {
		v.Said = append(v.Said, statement(s))
		if s.Nation == r.cfg.Nation && s.Kind == "position" {
			choice := v.Said[len(v.Said)-1].Choice
			if c == nil || !waits(c, s) {
				v.Own, v.Half = choice, ""
			} else if !v.Own.Final() {
				v.Half = choice
			}
		}
	}
	slices.SortStableFunc(v.Said, func(a, b Statement) int { return a.At.Compare(b.At) })
	if c != nil {
		v.Rule, v.Voters = sentences(a.Text, m.what.Rule), c.Voters()
		votes := slices.Contains(v.Voters, r.cfg.Nation)
		v.Mine = votes && !v.Own.Final() && (v.State == Open || v.State == Seeking)
		v.Second = v.State == Seeking && votes && !r.signedHere(a.Text, m.proposal)
	}
	if what := m.what.Action; what != nil {
		v.Executes = r.cfg.Execute[what.Type] != nil
	}
	if m.end != nil {
		v.Decided, v.Text, v.By = m.end.At, m.end.Text, m.end.By
	}
	return v
}

// sentences are what a rule of an accord means.
func sentences(a *accord.Accord, rule string) (out []string) {
	for _, s := range a.Explain("en") {
		if s.Clause == "decide "+rule {
			out = append(out, s.Text)
		}
	}
	return out
}

// Meaning is what a wish would become, and what it would take.
type Meaning struct {
	Proposal  decision.Proposal `json:"proposal"`
	Payload   []byte            `json:"payload"` // of the proposal, to be signed elsewhere
	Type      string            `json:"type"`    // of the payload
	Accord    string            `json:"accord"`  // name
	Version   int               `json:"version"`
	Rule      []string          `json:"rule"`      // what its rule asks for, in sentences
	Proposers int               `json:"proposers"` // parties that must propose it
	Persons   int               `json:"persons"`   // that must sign for each party
	Voters    []string          `json:"voters"`    // the nations that have a vote
	Executes  bool              `json:"executes"`  // this node carries it out by itself
}

// Means tells what a wish would become. Nothing is signed and nothing is said.
func (r *Room) Means(v gate.Viewer, w Wish) (Meaning, error) {
	p, err := r.Draft(v, w)
	if err != nil {
		return Meaning{}, err
	}
	a, _ := r.cfg.Accord(p.Accord)
	rule, err := decision.RuleOf(a.Text, p.Rule)
	if err != nil {
		return Meaning{}, refused(err)
	}
	payload, err := p.Payload()
	if err != nil {
		return Meaning{}, refused(err)
	}
	m := Meaning{Proposal: *p, Payload: payload, Type: dsse.InRealm(decision.ProposalType, r.cfg.Realm), Accord: a.Text.Name, Version: a.Text.Version, Rule: sentences(a.Text, p.Rule), Proposers: rule.Proposers, Persons: rule.Persons, Voters: []string{},
		Executes: p.Action != nil && r.cfg.Execute[p.Action.Type] != nil}
	for _, x := range a.Text.Parties {
		if rule.Basis != decision.AllButSubject || !slices.Contains(p.Subject, x.Nation) {
			m.Voters = append(m.Voters, x.Nation)
		}
	}
	slices.Sort(m.Voters)
	return m, nil
}

func statement(s said) Statement {
	out := Statement{Nation: s.Nation, Kind: s.Kind, At: s.At, Log: s.Origin, Index: s.Index}
	e, err := dsse.Parse(s.Envelope)
	if err != nil {
		return out
	}
	switch s.Kind {
	case "position":
		if p, err := decision.ReadPosition(e.Payload); err == nil {
			out.Choice, out.Reason = p.Choice, p.Reason
		}
	case "report":
		if p, err := decision.ReadReport(e.Payload); err == nil {
			out.Did, out.Reason = p.Did, p.Text
		}
	}
	return out
}

// docWeights is the kind of the documents of tables of weights; their key is the digest in hex.
const docWeights = "decision.weights"

// AddWeights takes a table of weights that a rule of an accord names by its digest: whoever decides by the rule needs it.
func (r *Room) AddWeights(ctx context.Context, v gate.Viewer, table []byte) (peer.Digest, error) {
	if err := r.may(v, gate.Vote); err != nil {
		return peer.Digest{}, err
	}
	if _, err := decision.ParseWeights(table); err != nil {
		return peer.Digest{}, refused(err)
	}
	d := peer.Digest(sha256.Sum256(table))
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.tables[d]; ok {
		return d, nil
	}
	if len(r.tables) >= maxTables {
		return d, fault.New(fault.Full, "decision.full", "this node keeps %d tables of weights, and no more", maxTables)
	}
	if err := r.cfg.Docs.PutDocs(ctx, store.Act{Actor: actor(v), Verb: "decision.weights", Target: key(d)}, store.Doc{Kind: docWeights, Key: key(d), Value: table}); err != nil {
		return d, err
	}
	r.tables[d] = slices.Clone(table)
	r.touch()
	return d, nil
}

const maxTables = 256

func (r *Room) tableOf(d peer.Digest) []byte { return r.tables[d] }

func (r *Room) loadTables(ctx context.Context) error {
	docs, err := r.cfg.Docs.Docs(ctx, docWeights, "", maxTables)
	for _, d := range docs {
		if b, e := hex.DecodeString(d.Key); e == nil && len(b) == 32 {
			r.tables[peer.Digest(b)] = d.Value
		}
	}
	return err
}
