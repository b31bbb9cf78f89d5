package api

import (
	"slices"
	"strconv"

	"entente/internal/fault"
	"entente/internal/index"
	"entente/internal/record"
	"entente/internal/store"
	"entente/stix"
)

// Neighbour is one connection of an object in the graph, with what is at its other end.
type Neighbour struct {
	index.Edge
	Name   string `json:"name,omitempty"` // of the other object
	Object Object `json:"object"`         // the other object, without its content
}

// Around is one page of an object's connections. Total, Relationships and Types count all pages.
type Around struct {
	Items         []Neighbour   `json:"items"`
	Total         int           `json:"total"`
	Relationships []index.Count `json:"relationships"`
	Types         []index.Count `json:"types"`
	Next          string        `json:"next,omitempty"`
}

// Ways are the shortest paths between two objects.
type Ways struct {
	Items  [][]Neighbour `json:"items"`
	GaveUp bool          `json:"gave_up,omitempty"` // there were too many connections to look at all
}

func (a *API) neighbours(c *call) error {
	q := index.NeighbourQuery{Types: c.q.words("relationship"), Kinds: c.q.words("type")}
	switch c.q.get("direction") {
	case "", "both":
	case "out":
		q.Direction = index.Out
	case "in":
		q.Direction = index.In
	default:
		return fault.New(fault.Invalid, "direction.unknown", "there is no such direction").At("direction").Try("use in, out or both")
	}
	var err error
	if q.Limit, err = c.q.limit(); err != nil {
		return err
	}
	after, err := a.afterKey(c)
	if err != nil {
		return err
	}
	if after != "" {
		if q.After, err = strconv.Atoi(after); err != nil || q.After < 0 {
			return fault.New(fault.Invalid, "next.invalid", "this next was not given to you for this query").At("next").Try("start again without it")
		}
	}
	if err := a.caughtUp(c); err != nil {
		return err
	}
	n, err := a.ops.Index().Neighbours(c.ctx(), a.x.Scope(c.v), c.path("id"), q)
	if err != nil {
		return err
	}
	out := Around{Total: n.Total, Relationships: n.Types, Types: n.Kinds}
	if end := q.After + len(n.Edges); end < n.Total {
		out.Next = a.nextKey(c, strconv.Itoa(end))
	}
	shown, err := a.shown(c, n.Edges)
	if err != nil {
		return err
	}
	out.Items = append([]Neighbour{}, shown.of(n.Edges)...)
	return c.answer(out)
}

// showing are the edges that may be told, with what they lead to.
type showing map[index.Edge]Neighbour

func (s showing) of(edges []index.Edge) (out []Neighbour) {
	for _, e := range edges {
		if n, ok := s[e]; ok {
			out = append(out, n)
		}
	}
	return out
}

// shown reads what edges lead to and the records that state them: an edge tells what those say, so another organisation is given them,
// and that is written down. An edge of something that is not handed out any more is left out.
func (a *API) shown(c *call, edges []index.Edge) (showing, error) {
	ids := make([]string, 0, 2*len(edges))
	for _, e := range edges {
		ids = append(ids, e.Other)
		if !a.isOwn(c.v) {
			ids = append(ids, e.By)
		}
	}
	slices.Sort(ids)
	items := map[string]*store.Item{}
	for part := range slices.Chunk(slices.Compact(ids), sieve) {
		some, err := a.readAll(c.ctx(), c.v, store.Query{}, part)
		if err != nil {
			return nil, err
		}
		for id, it := range some {
			items[id] = it
		}
	}
	out := showing{}
	for _, e := range edges {
		if holds(items, e.Other, 0) && (a.isOwn(c.v) || holds(items, e.By, e.Rec)) {
			it := items[e.Other]
			n := Neighbour{Edge: e, Name: nameOf(&it.Record), Object: a.view(c.v, it)}
			n.Object.Object = nil
			out[e] = n
		}
	}
	return out, nil
}

// nameOf is what a person calls an object: its name, or its first value.
func nameOf(r *record.Record) string {
	o, err := stix.Parse(r.Body)
	if err != nil {
		return ""
	}
	for _, at := range []string{"/name", "/value", "/path", "/key", "/subject", "/relationship_type", "/pattern"} {
		if s := o.Text(at); s != "" {
			return shortened(s)
		}
	}
	for _, s := range append(o.Names(), o.Values()...) {
		return shortened(s)
	}
	return ""
}

const maxCalled = 200 // characters of what an object is called in a list

func shortened(s string) string {
	for i := range s {
		if i >= maxCalled {
			return s[:i] + "…"
		}
	}
	return s
}

func (a *API) paths(c *call) error {
	depth := 0
	if d := c.q.get("depth"); d != "" {
		var err error
		if depth, err = strconv.Atoi(d); err != nil || depth < 1 || depth > index.MaxDepth {
			return fault.New(fault.Invalid, "depth.range", "a depth is a number from 1 to %d", index.MaxDepth).At("depth")
		}
	}
	to := c.q.get("to")
	if to == "" {
		return fault.New(fault.Invalid, "paths.to", "a path leads to another object").At("to").Try("give the other object's id")
	}
	if err := a.caughtUp(c); err != nil {
		return err
	}
	p, err := a.ops.Index().Paths(c.ctx(), a.x.Scope(c.v), c.path("id"), to, depth, c.q.words("skip"))
	if err != nil {
		return err
	}
	out := Ways{Items: [][]Neighbour{}, GaveUp: p.GaveUp}
	shown, err := a.shown(c, slices.Concat(p.Paths...))
	if err != nil {
		return err
	}
	for _, path := range p.Paths {
		if way := shown.of(path); len(way) == len(path) {
			out.Items = append(out.Items, way)
		}
	}
	return c.answer(out)
}
