package federation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/peer"
	"entente/proof"
)

// decided ends the name under which a log of decisions is kept; the rest is the accord's name.
const decided = "/decisions"

// Say adds a statement about a decision to this node's own log of decisions under an accord, durably and under a checkpoint, and only once for the same bytes.
func (f *Federation) Say(ctx context.Context, accord [32]byte, topic [16]byte, about string, envelope []byte) (decisions.Place, error) {
	f.out.Lock()
	defer f.out.Unlock()
	sum := sha256.Sum256(envelope)
	version := hex.EncodeToString(sum[:])
	before, err := f.cfg.Ledger.Out(ctx, about)
	if err != nil {
		return decisions.Place{}, err
	}
	for _, p := range before {
		if g, ok := f.logs[p.Origin]; ok && p.Version == version && f.ids[identity(g.accord+decided, g.parties)] == p.Origin {
			return f.placeOf(ctx, p)
		}
	}
	l, err := f.decisionLog(ctx, accord)
	if err != nil {
		return decisions.Place{}, err
	}
	e := ledger.Entry{Origin: l.origin, Envelope: envelope, Object: about, Version: version, Leaf: peer.Leaf{Kind: peer.Decision, Accord: accord, Time: f.stamp(), Topic: topic}}
	if err := f.add(ctx, ledger.Cursor{}, e); err != nil {
		return decisions.Place{}, err
	}
	all, err := f.cfg.Ledger.Out(ctx, about)
	if err != nil {
		return decisions.Place{}, err
	}
	for _, p := range slices.Backward(all) {
		if p.Origin == l.origin && p.Version == version {
			return f.placeOf(ctx, p)
		}
	}
	return decisions.Place{}, fault.New(fault.Internal, "", "what was said is not in the log")
}

// Spoken gives what stands in this node's own logs of decisions, each from an index on, in order.
func (f *Federation) Spoken(ctx context.Context, from func(origin string) uint64, take func(at decisions.Place, envelope []byte) error) error {
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true})
	if err != nil {
		return err
	}
	for _, g := range logs {
		if g.Retired || !strings.HasSuffix(g.Accord, decided) {
			continue
		}
		for at := from(g.Origin); at < g.Signed.Size; {
			b, err := f.cfg.Ledger.Frames(ctx, g.Origin, peer.Pull{From: at, Frames: 64})
			if err != nil {
				return err
			}
			if len(b.Frames) == 0 {
				break
			}
			for i := range b.Frames {
				if fr := &b.Frames[i]; fr.Leaf.Kind == peer.Decision && fr.Envelope != nil {
					if err := take(decisions.Place{Origin: g.Origin, Index: at + uint64(i), Leaf: fr.Leaf, Salt: fr.Salt}, fr.Envelope); err != nil {
						return err
					}
				}
			}
			at += uint64(len(b.Frames))
		}
	}
	return nil
}

func (f *Federation) placeOf(ctx context.Context, p ledger.Place) (decisions.Place, error) {
	b, err := f.cfg.Ledger.Frames(ctx, p.Origin, peer.Pull{From: p.Index, Frames: 1})
	if err != nil {
		return decisions.Place{}, err
	}
	if len(b.Frames) == 0 {
		return decisions.Place{}, fault.New(fault.Internal, "", "what was said is not in the log")
	}
	return decisions.Place{Origin: p.Origin, Index: p.Index, Leaf: b.Frames[0].Leaf, Salt: b.Frames[0].Salt}, nil
}

// decisionLog is the own log of decisions under an accord, for all its other parties. The caller holds out.
func (f *Federation) decisionLog(ctx context.Context, accord [32]byte) (openLog, error) {
	for _, s := range f.cfg.Accords.Standings() {
		for _, t := range s.Versions {
			if t.Digest != accord {
				continue
			}
			var parties []string
			for _, p := range t.Parties {
				if p.Nation != f.cfg.Nation {
					parties = append(parties, "org:"+p.Nation+"/"+f.orgOf(p.Nation, p.Org))
				}
			}
			slices.Sort(parties)
			name := s.Name + decided
			if origin, ok := f.ids[identity(name, parties)]; ok {
				return f.logs[origin], f.tell(ctx, f.logs[origin], &s)
			}
			g, err := f.cfg.Ledger.OpenLog(ctx, ledger.Identity{Org: f.cfg.Org, Accord: name, Parties: parties})
			if err != nil {
				return openLog{}, err
			}
			l := f.remember(g)
			return l, f.tell(ctx, l, &s)
		}
	}
	// What was proposed under a version that a later one replaced goes on in the log that it began in.
	if _, text, _, goesOn := f.cfg.Accords.Signed(accord); goesOn {
		var parties []string
		for _, p := range text.Parties {
			if p.Nation != f.cfg.Nation {
				parties = append(parties, "org:"+p.Nation+"/"+f.orgOf(p.Nation, p.Org))
			}
		}
		slices.Sort(parties)
		if origin, ok := f.ids[identity(text.Name+decided, parties)]; ok {
			return f.logs[origin], nil
		}
	}
	return openLog{}, fault.New(fault.Conflict, "decision.accord", "the accord does not bind this node now")
}

// orgOf is the organisation that speaks for a party of an accord.
func (f *Federation) orgOf(nation, stated string) string {
	if stated != "" {
		return stated
	}
	p, _ := f.partner(nation)
	return p.Org
}

// Stretch gives a log from an index to its newest checkpoint, as far as it was read.
func (f *Federation) Stretch(ctx context.Context, origin string, from uint64) (peer.Edge, []peer.Leaf, []byte, error) {
	return f.cfg.Ledger.Stretch(ctx, origin, from, maxStretch)
}

// Contradicts keeps the proof of two final positions of a nation on one proposal, and tells the others.
func (f *Federation) Contradicts(ctx context.Context, nation, accord string, proposal, first, second []byte) error {
	l, err := f.cfg.Partners.Log(nation)
	if err != nil {
		return err
	}
	made, err := proof.OfPositions(l, proof.Positions{First: first, Second: second, Proposal: proposal, Accord: accord})
	if err != nil {
		return err
	}
	return f.accuse(ctx, made)
}

// maxStretch bounds what a proof of silence shows of a log.
const maxStretch = 1 << 20

// say takes what a partner says in a decision.
func (t *taking) say(ctx context.Context, i int, fr *peer.Frame) error {
	if t.f.cfg.Decisions == nil {
		t.refuse(i, "decision.none")
		return nil
	}
	if s := t.f.accordOf(fr.Leaf.Accord); s != nil && t.about.Accord == "" {
		t.about = ledger.Identity{Org: t.partner.Org, Accord: s.Name + decided, Parties: t.f.others(fr.Leaf.Accord, t.partner.Nation)}
	}
	err := t.f.cfg.Decisions.Hear(ctx, t.partner.Nation, decisions.Place{Origin: t.origin, Index: t.from + uint64(i), Leaf: fr.Leaf, Salt: fr.Salt}, fr.Envelope)
	return t.judged(i, err)
}

// others are the parties of an accord but one, as logs name them.
func (f *Federation) others(accord [32]byte, but string) (out []string) {
	for _, s := range f.cfg.Accords.Standings() {
		for _, t := range s.Versions {
			if t.Digest == accord {
				for _, p := range t.Parties {
					switch p.Nation {
					case but:
					case f.cfg.Nation:
						out = append(out, "org:"+f.cfg.Nation+"/"+f.cfg.Org)
					default:
						out = append(out, "org:"+p.Nation+"/"+f.orgOf(p.Nation, p.Org))
					}
				}
				slices.Sort(out)
				return out
			}
		}
	}
	return nil
}
