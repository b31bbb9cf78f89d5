package decision

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"entente/accord"
	"entente/keylog"
	"entente/peer"
)

// Parts is what a certificate is made of, in any order. What does not count is left out.
type Parts struct {
	Accord    *accord.Bundle
	Proposal  []byte // envelope
	Weights   []byte // the table that the rule names
	Positions [][]byte
	Silences  []*Silence
}

// Combine makes the certificate, or tells in Result.Missing what a yes still needs: the certificate is nil then. The same parts make the same bytes in any
// order. An error is of the proposal or the accord: nothing can be decided by them. Any party, and anybody else who has the parts, may combine.
func (o *Opener) Combine(p Parts) ([]byte, *Result, error) {
	k, err := o.Case(p.Accord, p.Weights, p.Proposal)
	if err != nil {
		return nil, nil, err
	}
	var leftOut []string
	positions, raws := k.sift(p.Positions, &leftOut)
	proofs, silences := k.siftSilences(p.Silences, positions, &leftOut)
	r := k.result(positions, proofs)
	slices.Sort(leftOut)
	r.LeftOut = slices.Compact(leftOut)
	if r.Outcome == Open {
		return nil, r, nil
	}
	c := Certificate{V: 1, Realm: o.Realm, Outcome: r.Outcome, Accord: accord.Bundle{Text: p.Accord.Text, Realm: p.Accord.Realm}, Proposal: p.Proposal, Weights: string(p.Weights),
		Positions: raws, Silences: silences, KeyHeads: []KeyHead{}}
	for _, n := range o.Nations {
		if s := o.state(n); s != nil {
			c.KeyHeads = append(c.KeyHeads, KeyHead{n, s.Head.Size, peer.Digest(s.Head.Hash)})
		}
	}
	b := c.Bytes()
	if len(b) > MaxCertificate {
		return nil, r, refuse(CodeSize, "the certificate would have %d bytes, more than %d: wait for consent in place of silence", len(b), MaxCertificate)
	}
	return b, r, nil
}

// sift keeps of each party one position of each final choice, and the last of those that are not.
func (c *Case) sift(envelopes [][]byte, leftOut *[]string) ([]*Position, []value) {
	type kept struct {
		p   *Position
		raw []byte
	}
	best := map[string]kept{}
	for _, raw := range envelopes {
		p, err := c.Position(raw)
		if err != nil {
			*leftOut = append(*leftOut, err.Error())
			continue
		}
		key := p.Nation + " " + string(p.Choice)
		if !p.Choice.Final() {
			key = p.Nation
		}
		old, is := best[key]
		if !is || c.before(old.p, old.raw, p, raw) {
			best[key] = kept{p, raw}
		}
	}
	all := make([]kept, 0, len(best))
	for _, k := range best {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b kept) int { return compare(a.p, a.raw, b.p, b.raw) })
	positions, raws := make([]*Position, len(all)), make([]value, len(all))
	for i, k := range all {
		positions[i], raws[i] = k.p, k.raw
	}
	return positions, raws
}

// before tells whether q takes the place of p: of two final positions the earlier one stays, of others the later.
func (c *Case) before(p *Position, rawP []byte, q *Position, rawQ []byte) bool {
	switch {
	case !p.Time.Equal(q.Time):
		return p.Time.Before(q.Time) != p.Choice.Final()
	case p.Choice != q.Choice:
		return q.Choice == Reservation
	}
	return compare(p, rawP, q, rawQ) > 0
}

// siftSilences keeps one proof of each party that took no final position: one that shows notice in time before one that does not, else the shortest.
func (c *Case) siftSilences(all []*Silence, positions []*Position, leftOut *[]string) ([]*shown, []Silence) {
	type kept struct {
		s    *Silence
		sh   *shown
		rank string
	}
	best := map[string]kept{}
	for _, s := range all {
		if slices.ContainsFunc(positions, func(p *Position) bool { return p.Nation == s.Nation && p.Choice.Final() }) {
			continue
		}
		sh, err := c.silence(s)
		if err != nil {
			*leftOut = append(*leftOut, err.Error())
			continue
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %x %s", s.Index, s.Origin, s.Leaves, s.Checkpoint))
		final := slices.ContainsFunc(sh.positions, func(p *Position) bool { return p.Choice.Final() })
		k := kept{s, sh, fmt.Sprintf("%t %t %08d %x", !final, !sh.noticed, len(s.Leaves), sum)}
		if old, is := best[s.Nation]; !is || k.rank < old.rank {
			best[s.Nation] = k
		}
	}
	proofs, silences := []*shown{}, []Silence{}
	for _, n := range c.Voters() {
		if k, ok := best[n]; ok {
			proofs, silences = append(proofs, k.sh), append(silences, *k.s)
		}
	}
	return proofs, silences
}

// Alone gives the certificate with the accord's signatures and the key logs of its parties in it, so that it stands alone: for VerifyAlone.
func Alone(certificate []byte, signed *accord.Bundle, logs []*keylog.Log) ([]byte, error) {
	c, err := Parse(certificate)
	if err != nil {
		return nil, err
	}
	if signed.Text != c.Accord.Text || signed.Realm != c.Accord.Realm {
		return nil, refuse(CodeAccord, "the certificate is under another accord")
	}
	c.Accord, c.KeyLogs = *signed, nil
	logs = slices.Clone(logs)
	slices.SortFunc(logs, func(a, b *keylog.Log) int { return strings.Compare(a.Nation(), b.Nation()) })
	for _, l := range logs {
		b, err := l.Bytes()
		if err != nil {
			return nil, refuse(CodeKeys, "%v", err)
		}
		c.KeyLogs = append(c.KeyLogs, b)
	}
	b := c.Bytes()
	if len(b) > MaxAlone {
		return nil, refuse(CodeSize, "with its key logs the certificate would have %d bytes, more than %d", len(b), MaxAlone)
	}
	return b, nil
}
