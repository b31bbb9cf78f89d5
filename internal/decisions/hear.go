package decisions

import (
	"context"

	"entente/decision"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/peer"
)

// Hear takes what stands in a partner's log of decisions. A refusal is a fault; nothing is kept of what is refused.
func (r *Room) Hear(ctx context.Context, nation string, at Place, envelope []byte) error {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return refused(err)
	}
	o := r.opener(nation)
	var about peer.Digest
	var kind, of string
	switch e.PayloadType {
	case dsse.InRealm(decision.ProposalType, r.cfg.Realm):
		p, err := decision.ReadProposal(e.Payload)
		if err != nil {
			return refused(err)
		}
		return r.hearProposal(ctx, nation, at, p, envelope)
	case dsse.InRealm(decision.PositionType, r.cfg.Realm):
		p, _, err := o.Position(envelope)
		if err != nil {
			return refused(err)
		}
		about, kind, of = p.Proposal, "position", p.Nation
	case dsse.InRealm(decision.AckType, r.cfg.Realm):
		a, err := o.Ack(envelope)
		if err != nil {
			return refused(err)
		}
		about, kind, of = a.Proposal, "ack", a.Nation
	case dsse.InRealm(decision.ReportType, r.cfg.Realm):
		a, err := o.Report(envelope)
		if err != nil {
			return refused(err)
		}
		about, kind, of = a.Proposal, "report", a.Nation
	default:
		return fault.New(fault.Unprocessable, "decision.form", "this is no statement of a decision of the realm %s", r.cfg.Realm)
	}
	if of != nation || decision.Topic(about) != at.Leaf.Topic {
		return fault.New(fault.Unprocessable, "decision.binding", "the statement is not what its place says")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.room(about, nation); err != nil {
		return err
	}
	m := r.matter(about)
	if err := r.keep(ctx, m, place(kind, nation, at, envelope), store.Act{Actor: "node", Verb: "decision.heard", Target: key(about), Detail: "nation=" + nation + " kind=" + kind}); err != nil {
		return err
	}
	r.contradicts(ctx, m, nation)
	return nil
}

// room tells whether there is room for one more statement of a nation. The caller holds mu.
func (r *Room) room(about peer.Digest, nation string) error {
	m := r.known[about]
	if m == nil || m.what == nil {
		if r.spoken[nation]++; r.spoken[nation] > maxUnheard || m == nil && len(r.known) >= maxMatters {
			return fault.New(fault.Full, "decision.flood", "%s says too much about what was not proposed here", nation)
		}
	}
	if m != nil && len(m.statements("position", nation))+len(m.statements("ack", nation))+len(m.statements("report", nation)) >= maxSaid {
		return fault.New(fault.Unprocessable, "decision.flood", "%s has said enough about this decision", nation)
	}
	return nil
}

func (r *Room) hearProposal(ctx context.Context, nation string, at Place, p *decision.Proposal, envelope []byte) error {
	d := p.Digest()
	if p.Topic() != at.Leaf.Topic {
		return fault.New(fault.Unprocessable, "decision.binding", "the proposal is not what its place says")
	}
	a, ok := r.cfg.Accord(p.Accord)
	if !ok {
		return fault.New(fault.NotFound, "decision.accord", "the accord of the proposal is not known here")
	}
	party := false
	for _, x := range a.Text.Parties {
		party = party || x.Nation == nation
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.known[d]
	if !party || m == nil && len(r.known) >= maxMatters {
		return fault.New(fault.Unprocessable, "decision.party", "%s is no party of the accord", nation)
	}
	if r.later(p) {
		return fault.New(fault.Unprocessable, "decision.round", "another text of this round, or a later one, was here before")
	}
	if m != nil && m.proposal != nil {
		joined, err := decision.JoinSignatures(m.proposal, envelope)
		if err != nil {
			return refused(err)
		}
		envelope = joined
	}
	if c, err := r.opener().Case(a.Bundle, r.tableOf(p.Weights), envelope); c == nil || err != nil && !short(err) {
		return refused(err)
	}
	m = r.matter(d)
	if err := r.take(ctx, m, nation, envelope, r.tableOf(p.Weights), place("proposal", nation, at, envelope), store.Act{Actor: "node", Verb: "decision.proposed", Target: key(d), Detail: "nation=" + nation + " rule=" + p.Rule}); err != nil {
		return err
	}
	for _, x := range a.Text.Parties { // positions may have come before what they are about
		r.contradicts(ctx, m, x.Nation)
	}
	return nil
}

// contradicts tells the proof of two final positions of one party. The caller holds mu.
func (r *Room) contradicts(ctx context.Context, m *matter, nation string) {
	all := m.statements("position", nation)
	if m.accused[nation] || r.cfg.Accuse == nil || nation == r.cfg.Nation || len(all) < 2 {
		return
	}
	c, a, _ := r.open(m)
	if c == nil {
		return // what was proposed is not known yet
	}
	payload, err := m.what.Payload()
	if err != nil {
		return
	}
	var first *said
	var choice decision.Choice
	for _, s := range all {
		p, err := c.Position(s.Envelope)
		if err != nil || !p.Choice.Final() {
			continue // persons who think differently have not said anything for their organisation
		}
		if first == nil {
			first, choice = &s, p.Choice
		} else if p.Choice != choice {
			m.accused[nation] = true
			if err := r.cfg.Accuse(ctx, nation, a.Bundle.Text, payload, first.Envelope, s.Envelope); err != nil {
				r.cfg.Slog.Warn("a party contradicts itself, and the proof cannot be kept", "partner", nation, "error", err)
			}
			return
		}
	}
}
