package gate

import (
	"time"

	"entente/accord"
	"entente/label"
)

// MarkingKind is the type of marking definitions.
const MarkingKind = "marking-definition"

// Parcel is what of a received record matters for whether it may be kept.
type Parcel struct {
	Label      label.Label // as signed
	Origin     Party       // whose signature it bears
	Signed     bool        // that signature holds over the exact bytes, with a key in force at its place in the log
	Accord     [32]byte    // digest of the version that it was given under
	Audience   label.Set   // whom the envelope is for, org:NATION/org
	Kind       string
	Realm      label.Mode // of this node
	Size       int64
	Attachment int64
}

// Acceptance is whether a received record may be kept, and if not, why. Its zero value is a refusal.
type Acceptance struct {
	judged bool
	failed rule
	own    acceptance
}

type acceptance uint8

const (
	acceptSignature acceptance = 1 << iota
	acceptAccord
	acceptEnvelope
	acceptHandle
	acceptLate
	acceptHeld
)

var acceptGrounds = [...]string{"accept.signature", "accept.accord", "accept.envelope", "accept.handle", "accept.retention", "accept.embargo"}

// OK tells whether the record may be kept.
func (a Acceptance) OK() bool { return a.judged && a.failed == 0 && a.own == 0 }

// Codes are the codes of what stands against the record: all that its giver is told.
func (a Acceptance) Codes() []string {
	var list []string
	for i, code := range acceptGrounds {
		if a.own&(1<<i) != 0 {
			list = append(list, code)
		}
	}
	return append(list, a.failed.codes()...)
}

// Held tells whether all that stands against the record is an embargo that the accord takes: it may be kept when that is over.
func (a Acceptance) Held() bool { return a.judged && a.failed == ruleEmbargo && a.own == 0 }

// givers are the rules that only who gives can keep: what it counted, what its officers signed, its legal bases and what else it has.
const givers = ruleRelay | ruleOnward | ruleAuthority | ruleQuota | ruleReciprocity | ruleRefs | ruleOfficer

// Skew is how far the clocks of two nodes may be apart.
const Skew = 5 * time.Minute

// Accept judges what a node received, by the same rule that its originator must have kept: the signature, the audience, the accord, the times, the
// mode, the ceilings, and a label at least as strict as the accord's handling.
func (s *Standing) Accept(self Party, p *Parcel, now time.Time) Acceptance {
	if s == nil || p == nil {
		return Acceptance{own: acceptAccord}
	}
	a := Acceptance{judged: true}
	if !p.Signed {
		a.own |= acceptSignature
	}
	if p.Audience.IsAll() || p.Label.Audience.IsAll() || !p.Label.Named || !p.Audience.Has(label.Org(self.Nation, self.Org)) {
		a.own |= acceptEnvelope
	}
	t := s.version(p.Accord)
	if t == nil {
		a.own |= acceptAccord
		return a
	}
	along := p.Kind == MarkingKind // whether it is named by a record that it came with, only its giver knows
	o := Offer{Along: along, Label: p.Label, Origin: p.Origin, Kind: p.Kind, Realm: p.Realm, Size: p.Size, Attachment: p.Attachment, Released: true, Sealed: p.Signed, Closed: true}
	failed, clause := s.judge(t, &ask{from: p.Origin, to: self, offer: &o, now: now})
	a.failed = failed &^ givers
	var c *accord.Clause
	if clause >= 0 {
		c = &t.Clauses[clause]
	}
	if !observes(p.Label, t.handle(c)) {
		a.own |= acceptHandle
	}
	if retain := t.retain(p.Kind); retain > 0 && !along && (p.Label.NotAfter.IsZero() || p.Label.NotAfter.After(now.Add(retain+Skew))) {
		a.own |= acceptLate
	}
	if failed&ruleEmbargo != 0 && p.Label.NotBefore.After(now.Add(t.Handle.EmbargoMax)) {
		a.own |= acceptHeld
	}
	return a
}

func (s *Standing) version(digest [32]byte) *version {
	for i := range s.versions {
		if s.versions[i].Digest == digest && digest != [32]byte{} {
			return &s.versions[i]
		}
	}
	return nil
}

// observes tells whether a label is at least as strict as the handling asks, but for its audience, which the envelope's rules judge.
func observes(l, handle label.Label) bool {
	l.Audience, l.Named, handle.Audience, handle.Named = label.Set{}, false, label.Set{}, false
	return label.LessEqual(handle, l)
}
