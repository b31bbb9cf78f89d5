package federation

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/peer"
)

// Bounds of what is told of witnesses: notes at once, and notes that wait for one nation.
const (
	maxWitnessed = peer.MaxWitnessed
	maxPassing   = 1024
)

// passEvery is how long a nation waits at least to hear once more of one log that one party has cosigned it.
const passEvery = 5 * time.Second

// passage is what one party cosigned of one log, on its way to another.
type passage struct {
	note []byte    // nil: it was told
	told time.Time // last
}

// attestEvery is how often a node cosigns the newest checkpoints of a partner, also when nothing was added.
const attestEvery = time.Minute

// nations are those of the parties of a log.
func nations(parties []string) (out []string) {
	for _, p := range parties {
		nation, _, _ := strings.Cut(strings.TrimPrefix(p, "org:"), "/")
		out = append(out, nation)
	}
	return out
}

// pass has a checkpoint of an own log that one party cosigned told to the other parties: each sees that the others saw the same.
func (f *Federation) pass(g *ledger.Log, by string, note []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, nation := range nations(g.Parties) {
		if nation == by || nation == f.cfg.Nation {
			continue
		}
		waiting := f.passing[nation]
		if waiting == nil {
			waiting = map[string]*passage{}
			f.passing[nation] = waiting
		}
		key := g.Origin + " " + by
		if len(waiting) >= maxPassing {
			maps.DeleteFunc(waiting, func(_ string, p *passage) bool { return p.note == nil && f.cfg.Now().Sub(p.told) >= passEvery })
		}
		if p := waiting[key]; p != nil {
			p.note = note
		} else if len(waiting) < maxPassing { // what does not fit comes again with the next that it cosigns
			waiting[key] = &passage{note: note}
		}
	}
}

// passed takes what waits for a nation and may be told it now.
func (f *Federation) passed(nation string) (out [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Now()
	for _, p := range f.passing[nation] {
		if len(out) == maxWitnessed {
			break
		}
		if p.note != nil && now.Sub(p.told) >= passEvery {
			out = append(out, p.note)
			p.note, p.told = nil, now
		}
	}
	return out
}

// attest cosigns the newest checkpoints of a partner's logs, so that its other partners see that they are shown the same.
func (f *Federation) attest(ctx context.Context, c *peer.Client, p Partner, l *link) error {
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: p.Nation})
	if err != nil {
		return err
	}
	var a peer.Ack
	told := map[string]time.Time{}
	for _, g := range logs {
		if g.Retired || g.Note == nil || len(a.Logs) >= maxWitnessed || !g.Signed.Time.After(l.attested[g.Origin]) {
			continue
		}
		note, err := f.cosign(ctx, g.Origin)
		if err != nil {
			return err
		}
		a.Logs = append(a.Logs, peer.LogAck{Origin: g.Origin, Cosigned: note})
		told[g.Origin] = g.Signed.Time
	}
	if len(a.Logs) == 0 {
		return nil
	}
	if err := c.Ack(ctx, a); err != nil {
		return err
	}
	for origin, at := range told {
		l.attested[origin] = at
	}
	return nil
}

// attested keeps who else saw what a partner's log shows here. Notes that the log did not sign, and cosignatures by others than its parties, count for nothing.
func (f *Federation) attested(ctx context.Context, notes [][]byte) (err error) {
	if len(notes) == 0 {
		return nil
	}
	seen, logs, cosigners := map[string][]ledger.Cosigned{}, map[string]ledger.Log{}, f.cosigners()
	for _, note := range notes {
		c, err := peer.PeekCheckpoint(note)
		if err != nil || !peer.IsOrigin(c.Origin) {
			continue
		}
		g, known := logs[c.Origin]
		if !known {
			if g, err = f.cfg.Ledger.Log(ctx, c.Origin); ignoreMissing(err) != nil {
				return err
			}
			logs[c.Origin] = g // of an unknown one nothing is known
		}
		if g.Own || g.Note == nil {
			continue
		}
		if !f.agrees(&c, &g) { // else it is what the log signed, and nothing is to be compared
			p, ok := f.partner(g.Nation)
			if !ok {
				continue
			}
			if _, err := peer.OpenCheckpoint(note, c.Origin, f.nodeKeys(&p, c.Time)...); err != nil {
				continue
			}
			if err := f.compareLog(ctx, note); err != nil { // what another was shown is what is shown here, or there is a proof
				return err
			}
		}
		parties := nations(g.Parties)
		for _, by := range cosigners {
			if !bytes.Contains(note, []byte(by.name)) || !slices.Contains(parties, by.nation) {
				continue
			}
			if c, at, err := peer.OpenCosignature(note, by.name, by.key); err == nil && !at.After(f.cfg.Now().Add(gate.Skew)) {
				seen[c.Origin] = append(seen[c.Origin], ledger.Cosigned{Party: by.nation, Size: c.Size, At: at, Note: note})
			}
		}
	}
	for origin, all := range seen {
		err = errors.Join(err, f.cfg.Ledger.Cosign(ctx, origin, all...))
	}
	return err
}

// cosigner is a key with which a partner may cosign.
type cosigner struct {
	nation, name string
	key          *dsse.Key
}

func (f *Federation) cosigners() (out []cosigner) {
	for _, p := range f.cfg.Partners.Partners() {
		for _, k := range f.nodeKeys(&p, f.cfg.Now()) {
			out = append(out, cosigner{p.Nation, peer.CosignerName(k), k})
		}
	}
	return out
}

// Witness is a party that cosigned a log.
type Witness struct {
	Nation string    `json:"nation"`
	Size   uint64    `json:"size"` // of the newest checkpoint that it cosigned
	At     time.Time `json:"at"`   // when it did, by its clock
}

// LogView is how a log that this node shares with a partner is.
type LogView struct {
	Origin    string    `json:"log"`
	Own       bool      `json:"own"`              // of this node; else of the partner
	Accord    string    `json:"accord,omitempty"` // as far as the log has told it
	Parties   []string  `json:"parties,omitempty"`
	Size      uint64    `json:"size"`
	Known     uint64    `json:"known,omitempty"` // leaves under the newest checkpoint, when they are more than were read
	Signed    time.Time `json:"signed,omitzero"` // the newest checkpoint, by the clock of the log's node
	Witnesses []Witness `json:"witnesses"`       // parties that cosigned, this node aside
	Of        int       `json:"of"`              // parties that could be witnesses
	Oldest    time.Time `json:"oldest,omitzero"` // of the witnesses' cosignatures
}

// Shared lists the logs that this node shares with a partner, the partner's first.
func (f *Federation) Shared(ctx context.Context, nation string) ([]LogView, error) {
	p, ok := f.partner(nation)
	if !ok {
		return nil, fault.New(fault.NotFound, "", "no such partner")
	}
	theirs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: nation})
	if err != nil {
		return nil, err
	}
	own, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: "org:" + p.Nation + "/" + p.Org})
	if err != nil {
		return nil, err
	}
	out := []LogView{}
	for _, g := range slices.Concat(theirs, own) {
		if g.Retired {
			continue
		}
		v := LogView{Origin: g.Origin, Own: g.Own, Accord: g.Accord, Parties: g.Parties, Size: g.Size, Signed: g.Signed.Time, Witnesses: []Witness{}}
		if g.Signed.Size > g.Size {
			v.Known = g.Signed.Size
		}
		for _, n := range nations(g.Parties) {
			if n != f.cfg.Nation {
				v.Of++
			}
		}
		seen, err := f.cfg.Ledger.Cosignatures(ctx, g.Origin)
		if err != nil {
			return nil, err
		}
		for _, s := range seen {
			v.Witnesses = append(v.Witnesses, Witness{s.Party, s.Size, s.At})
			if v.Oldest.IsZero() || s.At.Before(v.Oldest) {
				v.Oldest = s.At
			}
		}
		out = append(out, v)
	}
	return out, nil
}
