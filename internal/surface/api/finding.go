package api

import (
	"context"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/index"
	"entente/internal/record"
	"entente/internal/store"
)

var fresh = Param{Name: "fresh", Doc: "Wait until everything that is stored at the moment can be found.", Kind: Flag, Default: false}

// findingRoutes find objects by what they say and along the graph, and tell where they came from.
var findingRoutes = []Route{
	{get, "/search", "Objects found by words, values and filters, best first.", gate.ObjectRead, append([]Param{
		{Name: "q", Doc: "Words, \"phrases\", begin* and filters such as type:malware or value:198.51.100.0/24; docs/search.md has the language."},
		{Name: "typing", Doc: "The query is being typed: the word at its end may go on.", Kind: Flag, Default: false},
		{Name: "sort", Doc: "The best first, or the newest.", Enum: []string{"relevance", "newest"}, Default: "relevance"},
		{Name: "type", Doc: "Types of objects, any of them.", Kind: Words},
		{Name: "tlp", Doc: "TLP labels, any of them.", Kind: Words, Enum: []string{"red", "amber+strict", "amber", "green", "clear"}},
		{Name: "label", Doc: "Entries of the property labels, any of them.", Kind: Texts},
		{Name: "since", Doc: "Only what was added at this time or later: a time, a day, a month, a year, or how long ago: 24h, 7d, 2w."},
		{Name: "until", Doc: "Only what was added before this time, written in the same ways."},
		inCollection,
		{Name: "facets", Doc: "Count what was found by type, TLP and organisation.", Kind: Flag, Default: false},
		{Name: "headers", Doc: "Leave the objects themselves out.", Kind: Flag, Default: false},
		fresh,
	}, paging...), gives(Finds{}), (*API).find},
	{get, "/search/words", "Words that begin as the text does, and in how many objects they are.", gate.ObjectRead, []Param{
		{Name: "q", Doc: "The beginning of a word, of two characters or more."}, paging[0],
	}, pages[index.Count](), (*API).suggest},
	{get, "/objects/{id}/neighbours", "What an object is connected with in the graph, newest first.", gate.ObjectRead, append([]Param{
		{Name: "relationship", Doc: "Types of connections, any of them: a relationship_type, sighting, or the name of a reference without _ref, such as created_by.", Kind: Words},
		{Name: "type", Doc: "Types of the objects at the other end, any of them.", Kind: Words},
		{Name: "direction", Doc: "Whether the connections lead from the object, to it, or both.", Enum: []string{"both", "out", "in"}, Default: "both"},
		fresh,
	}, paging...), gives(Around{}), (*API).neighbours},
	{get, "/objects/{id}/paths", "The shortest ways in the graph from an object to another.", gate.ObjectRead, []Param{
		{Name: "to", Doc: "The id of the other object."},
		{Name: "depth", Doc: "How many connections a way has at most: 1 to 6, and 6 where none is given."},
		{Name: "skip", Doc: "Types of connections that no way goes over.", Kind: Words},
		fresh,
	}, gives(Ways{}), (*API).paths},
	{get, "/objects/{id}/provenance", "Where the versions of an object came from, and how they got their labels, oldest first.", gate.ObjectRead, paging, pages[Provenance](), (*API).provenance},
	{get, "/index", "How far search and the graph are behind the journal, and what they take.", gate.ConfigRead, nil, gives(index.State{}), (*API).indexState},
}

// Found is one object that a search found.
type Found struct {
	Object
	Rank int `json:"rank"` // 2: is called as the query; 1: has every word in its name or values; 0: in its text
}

// Finds is one page of a search.
type Finds struct {
	Items   []Found `json:"items"`
	Total   *int    `json:"total,omitempty"`    // of all pages; nil where a collection was asked for
	AtLeast bool    `json:"at_least,omitempty"` // there may be more than Total
	Next    string  `json:"next,omitempty"`
	Facets  *Facets `json:"facets,omitempty"`
}

// Facets are how many objects of a search have a value, most frequent first.
type Facets struct {
	Types []index.Count `json:"types"`
	TLPs  []index.Count `json:"tlps"`
	Orgs  []index.Count `json:"orgs"`
}

const (
	// sifted is how many finds are looked for in a collection by one request: the index does not know what lies in which.
	sifted = 10_000
	// sieve is how many of them are looked for at once.
	sieve = 1000
)

// find searches. What the index finds is read through the exchange; what that does not hand out is passed over, and the page refilled.
func (a *API) find(c *call) error {
	q, err := c.search()
	if err != nil {
		return err
	}
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	read := store.Query{}
	if read.Headers, err = c.q.flag("headers"); err != nil {
		return err
	}
	if read.Collection, err = a.collectionID(c); err != nil {
		return err
	}
	if read.Collection != "" && q.Facets {
		return fault.New(fault.Invalid, "search.facets", "what a collection holds is not counted").At("facets").Try("leave facets or collection out")
	}
	if q.After, err = a.afterKey(c); err != nil {
		return err
	}
	if err := a.caughtUp(c); err != nil {
		return err
	}
	out := Finds{Items: []Found{}}
	for looked := 0; ; {
		q.Limit = limit - len(out.Items)
		if read.Collection != "" {
			q.Limit = sieve
		}
		res, err := a.ops.Index().Search(c.ctx(), a.x.Scope(c.v), q)
		if err != nil {
			return err
		}
		if looked == 0 && read.Collection == "" {
			out.Total, out.AtLeast = &res.Total, res.More
			if q.Facets {
				out.Facets = &Facets{res.Types, res.TLPs, res.Orgs}
			}
		}
		looked += len(res.Hits)
		q.Facets = false
		used, err := a.fetch(c, read, res.Hits, limit, &out)
		if err != nil {
			return err
		}
		if q.After = res.Next; used < len(res.Hits) {
			q.After = res.Hits[used-1].Place()
		}
		if q.After == "" || len(out.Items) >= limit || looked >= sifted {
			break
		}
	}
	if q.After != "" {
		out.Next = a.nextKey(c, q.After)
	}
	return c.answer(out)
}

// search reads what a search is for.
func (c *call) search() (q index.Query, err error) {
	q.Text = c.q.get("q")
	newest, err := c.q.sort("relevance", "newest")
	if err != nil {
		return q, err
	}
	if newest {
		q.Sort = index.Newest
	}
	if q.Typing, err = c.q.flag("typing"); err != nil {
		return q, err
	}
	if q.Facets, err = c.q.flag("facets"); err != nil {
		return q, err
	}
	for _, f := range []index.Filter{
		{Field: "type", Any: c.q.words("type")}, {Field: "tlp", Any: c.q.words("tlp")}, {Field: "label", Any: c.q.all("label")},
		{Field: "since", Any: c.q.all("since")}, {Field: "until", Any: c.q.all("until")},
	} {
		if len(f.Any) > 0 {
			q.Filters = append(q.Filters, f)
		}
	}
	return q, nil
}

// caughtUp waits for the index where the caller wants it to.
func (a *API) caughtUp(c *call) error {
	wait, err := c.q.flag("fresh")
	if err != nil || !wait {
		return err
	}
	return a.ops.Index().Sync(c.ctx())
}

// fetch reads hits in their order until the page is full, and tells how many of them it used.
func (a *API) fetch(c *call, q store.Query, hits []index.Hit, limit int, out *Finds) (used int, err error) {
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	if q.Collection != "" { // only what is on the page is handed out, and written down as handed out
		within := q
		within.Headers = true
		there, err := a.readAll(c.ctx(), c.v, within, ids)
		if err != nil {
			return 0, err
		}
		ids = ids[:0]
		for _, h := range hits {
			if len(out.Items)+len(ids) == limit {
				break
			}
			if used++; there[h.ID] != nil {
				ids = append(ids, h.ID)
			}
		}
		hits = hits[:used]
	}
	items, err := a.readAll(c.ctx(), c.v, q, ids)
	if err != nil {
		return 0, err
	}
	for _, h := range hits {
		if it := items[h.ID]; it != nil && it.Rec == h.Rec {
			out.Items = append(out.Items, Found{a.view(c.v, it), h.Rank})
		}
	}
	return len(hits), nil
}

// readAll reads objects through the exchange, by id.
func (a *API) readAll(ctx context.Context, v gate.Viewer, q store.Query, ids []string) (map[string]*store.Item, error) {
	items := make(map[string]*store.Item, len(ids))
	if len(ids) == 0 { // a query without ids is for everything
		return items, nil
	}
	q.IDs = ids
	for {
		page, err := a.x.Read(ctx, v, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			items[page.Items[i].Record.ID] = &page.Items[i]
		}
		if !page.More {
			return items, nil
		}
		q.After = page.Next
	}
}

// suggest tells how a word may go on.
func (a *API) suggest(c *call) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	words, err := a.ops.Index().Suggest(c.ctx(), a.x.Scope(c.v), c.q.get("q"), limit)
	if err != nil {
		return err
	}
	return c.answer(list(words, ""))
}

func (a *API) indexState(c *call) error { return c.answer(a.ops.Index().State()) }

// holds tells whether what was read is the very record that the index spoke of.
func holds(items map[string]*store.Item, id string, rec record.Seq) bool {
	it := items[id]
	return it != nil && (rec == 0 || it.Rec == rec)
}
