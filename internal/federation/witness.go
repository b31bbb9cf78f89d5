package federation

import (
	"context"
	"slices"
	"strings"
	"time"

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
			waiting = map[string][]byte{}
			f.passing[nation] = waiting
		}
		key := g.Origin + " " + by
		if _, there := waiting[key]; there || len(waiting) < maxPassing { // what does not fit comes again with the next that it cosigns
			waiting[key] = note
		}
	}
}

// passed takes what waits for a nation.
func (f *Federation) passed(nation string) (out [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, note := range f.passing[nation] {
		if len(out) == maxWitnessed {
			break
		}
		out = append(out, note)
		delete(f.passing[nation], key)
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
func (f *Federation) attested(ctx context.Context, notes [][]byte) error {
	for _, note := range notes {
		c, err := peer.PeekCheckpoint(note)
		if err != nil || !peer.IsOrigin(c.Origin) {
			continue
		}
		g, err := f.cfg.Ledger.Log(ctx, c.Origin)
		if err != nil || g.Own {
			if err := ignoreMissing(err); err != nil {
				return err
			}
			continue
		}
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
		for _, nation := range nations(g.Parties) {
			if err := f.witness(ctx, c.Origin, nation, note); err != nil {
				return err
			}
		}
	}
	return nil
}

// witness keeps a nation's cosignature under a note, if it is there.
func (f *Federation) witness(ctx context.Context, origin, nation string, note []byte) error {
	w, ok := f.partner(nation)
	if !ok || nation == f.cfg.Nation {
		return nil
	}
	for _, k := range f.nodeKeys(&w, f.cfg.Now()) {
		c, at, err := peer.OpenCosignature(note, peer.CosignerName(k), k)
		if err == nil && !at.After(f.cfg.Now().Add(gate.Skew)) {
			return f.cfg.Ledger.Cosign(ctx, origin, ledger.Cosigned{Party: nation, Size: c.Size, At: at, Note: note})
		}
	}
	return nil
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
