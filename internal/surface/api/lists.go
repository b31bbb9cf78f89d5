package api

import (
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lists"
	"entente/internal/store"
	"entente/stix"
)

// listRoutes are what MISP publishes for everybody, as far as the node has loaded it.
var listRoutes = []Route{
	{get, "/lists", "Which published lists are loaded; what could not be, for who may see the configuration.", gate.ObjectRead, nil, gives(lists.Summary{}), (*API).listsSummary},
	{post, "/lists/reload", "Read the files of the published lists anew.", gate.FeedRun, nil, gives(lists.Summary{}), (*API).reloadLists},
	{get, "/lists/check", "Which warning lists a value stands on.", gate.ObjectRead, []Param{
		{Name: "value", Doc: "The value: an address, a domain, a hash."},
		{Name: "type", Doc: "Its MISP attribute type, found by its form where none is given; any asks all lists."},
	}, pages[lists.Hit](), (*API).listsCheck},
	{get, "/lists/taxonomies", "Taxonomies, or the tags of them that a search finds.", gate.ObjectRead, termParams, pages[lists.Term](), (*API).listsTerms},
	{get, "/lists/galaxies", "Galaxies, or the clusters of them that a search finds.", gate.ObjectRead, termParams, pages[lists.Cluster](), (*API).listsClusters},
	{get, "/objects/{id}/warnings", "Which warning lists the values of an object stand on now.", gate.ObjectRead, versioned, pages[Warning](), (*API).warnings},
}

var termParams = []Param{
	{Name: "q", Doc: "A text that stands in the tag, the name or the description."},
	{Name: "tag", Doc: "One tag to explain."},
	{Name: "limit", Doc: "How many items there are at most.", Kind: Limit, Default: limitNone},
}

// Warning is a value of an object that stands on a warning list.
type Warning struct {
	Value string `json:"value"`
	lists.Hit
}

// Bounds of what is asked of the lists at once.
const (
	longestValue  = 4096
	mostWarnings  = 1000
	longestSearch = 255
)

func (a *API) listsSummary(c *call) error { return a.answerLists(c, a.ops.Lists().Summary()) }

func (a *API) reloadLists(c *call) error {
	if err := a.ops.Docs().PutDocs(c.ctx(), store.Act{Actor: actor(c.v), Verb: "lists.reload"}); err != nil {
		return err
	}
	return a.answerLists(c, a.ops.Lists().Reload(time.Now()))
}

func (a *API) answerLists(c *call, s lists.Summary) error {
	if !a.x.Gate().Can(c.v, gate.ConfigRead) {
		s.Faults = []lists.Fault{}
	}
	return c.answer(s)
}

func (a *API) listsCheck(c *call) error {
	value := c.q.get("value")
	if value == "" || len(value) > longestValue {
		return fault.New(fault.Invalid, "lists.value", "a value has 1 to %d bytes", longestValue).At("value")
	}
	return c.answer(list(a.ops.Lists().Check(c.q.get("type"), value), ""))
}

// terms reads a search for tags.
func (c *call) terms() (text, tag string, limit int, err error) {
	text, tag = c.q.get("q"), c.q.get("tag")
	if len(text) > longestSearch || len(tag) > longestSearch {
		return "", "", 0, fault.New(fault.Invalid, "lists.search", "a search has at most %d bytes", longestSearch).At("q")
	}
	limit, err = c.q.limit()
	return text, tag, limit, err
}

func (a *API) listsTerms(c *call) error {
	text, tag, limit, err := c.terms()
	if err != nil {
		return err
	}
	return c.answer(list(a.ops.Lists().Terms(text, tag, limit), ""))
}

func (a *API) listsClusters(c *call) error {
	text, tag, limit, err := c.terms()
	if err != nil {
		return err
	}
	return c.answer(list(a.ops.Lists().Clusters(text, tag, limit), ""))
}

// warnings asks the lists when the object is looked at: so the answer is always that of the lists as they are.
func (a *API) warnings(c *call) error {
	it, err := a.one(c)
	if err != nil {
		return err
	}
	out := []Warning{}
	if o, err := stix.Parse(it.Record.Body); err == nil {
		for _, v := range o.Values() {
			for _, h := range a.ops.Lists().Check("", v) {
				if len(out) < mostWarnings {
					out = append(out, Warning{v, h})
				}
			}
		}
	}
	return c.answer(list(out, ""))
}
