package api

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Provenance is where one version of an object came from and how it got its label, as far as the caller may know.
type Provenance struct {
	ID          string                 `json:"id"`
	Version     string                 `json:"version"`
	Spec        string                 `json:"spec"`
	Added       time.Time              `json:"added"`
	Held        bool                   `json:"held,omitempty"`
	Digest      string                 `json:"digest"`             // SHA-256 of the canonical form, in hex
	Envelope    string                 `json:"envelope,omitempty"` // SHA-256 of the signed envelope it came in, in hex; empty: it came in none
	Origin      *record.Origin         `json:"origin,omitempty"`
	Came        []federation.Came      `json:"came,omitempty"` // from partners, for who may know of accords
	Collections []Placed               `json:"collections"`
	Label       label.Label            `json:"label"`
	Markings    []exchange.MarkingSaid `json:"markings"`
	Stated      label.Label            `json:"stated"`
	Because     []string               `json:"because"`
	Acts        []Act                  `json:"acts,omitempty"`
}

// Placed is a collection that an object lies in.
type Placed struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	Added time.Time `json:"added"`
}

func (a *API) provenance(c *call) error {
	q := store.Query{IDs: []string{c.path("id")}}
	var err error
	if q.Limit, err = c.q.limit(); err != nil {
		return err
	}
	if q.After, err = a.after(c); err != nil {
		return err
	}
	list, page, err := a.x.Provenance(c.ctx(), c.v, q)
	if err != nil {
		return err
	}
	if len(list) == 0 && q.After == 0 && !page.More {
		return fault.New(fault.NotFound, "", "no such object")
	}
	var came []federation.Came
	if f := a.ops.Federation(); f != nil {
		if came, err = f.Came(c.ctx(), c.v, c.path("id")); err != nil {
			return err
		}
	}
	out := List[Provenance]{Items: make([]Provenance, len(list))}
	for i := range list {
		if out.Items[i], err = a.cameFrom(c, &list[i], came); err != nil {
			return err
		}
	}
	if page.More {
		out.Next = a.next(c, page.Next)
	}
	return c.answer(out)
}

func (a *API) cameFrom(c *call, p *exchange.Provenance, came []federation.Came) (Provenance, error) {
	r := &p.Item.Record
	out := Provenance{ID: r.ID, Version: r.Version, Spec: r.Spec, Added: p.Item.Seq.Time(), Held: p.Item.Held, Digest: hex.EncodeToString(r.Digest[:]),
		Origin: a.originOf(c.v, r.Origin, &r.Label), Label: r.Label, Markings: p.Markings, Stated: p.Stated, Because: because(p)}
	if r.Envelope != nil {
		sum := sha256.Sum256(r.Envelope)
		out.Envelope = hex.EncodeToString(sum[:])
	}
	for _, w := range came { // an object without versions has none in logs either
		if o := out.Origin; o != nil && w.Nation == o.Nation && (w.Version == "" || w.Version == r.Version) {
			out.Came = append(out.Came, w)
		}
	}
	for _, at := range p.Places {
		col, err := a.x.Collection(c.v, "", at.Collection)
		if fault.Of(err) == fault.NotFound && err != nil {
			continue // taken off the shelf meanwhile
		}
		if err != nil {
			return out, err
		}
		out.Collections = append(out.Collections, Placed{col.ID, col.Title, at.Seq.Time()})
	}
	for _, e := range p.Acts {
		out.Acts = append(out.Acts, Act{At: e.Seq.Time(), Act: *e.Act})
	}
	return out, nil
}

// because says in sentences how the markings became the label.
func because(p *exchange.Provenance) (out []string) {
	l := &p.Item.Record.Label
	switch {
	case len(p.Markings) == 0:
		out = append(out, "It has no markings.")
	default:
		out = append(out, "Its label is the join of what its markings say: where they differ, the strictest holds.")
	}
	for _, m := range p.Markings {
		if m.Problem != "" {
			out = append(out, "A marking says nothing here: "+m.ID+" "+m.Problem+".")
		}
	}
	if p.Item.Held {
		return append(out, "It is in quarantine, and its label is that of whoever handed it in, alone.")
	}
	if !p.TLP {
		out = append(out, "No marking of the whole object states a TLP: it has the default of its submission or collection, and TLP:RED where there was none.")
	}
	joined := label.Join(p.Stated, *l)
	switch {
	case !label.Equal(joined, *l):
		out = append(out, "It was given another label since: what was done says when and by whom.")
	case !label.Equal(p.Stated, *l):
		out = append(out, "Its submission, its collection or the node's realm restricts it further than its markings do.")
	}
	return out
}
