package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/stix"
)

// Object is one object as the caller may have it.
type Object struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Spec    string          `json:"spec"`
	Version string          `json:"version"`
	Added   time.Time       `json:"added"`
	Revoked bool            `json:"revoked,omitempty"`
	Held    bool            `json:"held,omitempty"` // in quarantine
	Label   label.Label     `json:"label"`
	Origin  *record.Origin  `json:"origin,omitempty"`
	Object  json.RawMessage `json:"object,omitempty"` // the same value; its exact bytes are at /objects/{id}/raw
}

func (a *API) view(v gate.Viewer, it *store.Item) Object {
	r := &it.Record
	return Object{ID: r.ID, Type: r.Type, Spec: r.Spec, Version: r.Version, Added: it.Seq.Time(), Revoked: r.Revoked, Held: it.Held, Label: r.Label,
		Origin: a.originOf(v, r.Origin, &r.Label), Object: r.Body}
}

// originOf is what the viewer may know of where a record came from: other organisations never learn the person, and neither nation nor
// organisation where the label keeps them back.
func (a *API) originOf(v gate.Viewer, o record.Origin, l *label.Label) *record.Origin {
	switch {
	case a.isOwn(v), v.Nation == o.Nation && v.Org == o.Org:
		return &o
	case l.Attribution != label.May:
		return nil
	}
	return &record.Origin{Nation: o.Nation, Org: o.Org}
}

// filter reads the filters of a query.
func (a *API) filter(c *call) (store.Query, error) {
	q := store.Query{IDs: c.q.words("id"), Types: c.q.words("type"), Specs: c.q.words("spec")}
	var err error
	if q.Collection, err = a.collectionID(c); err != nil {
		return q, err
	}
	for _, k := range []struct {
		name string
		kind record.LookupKind
	}{{"value", record.Value}, {"ref", record.Ref}, {"name", record.Name}, {"external", record.External}} {
		for _, text := range c.q.all(k.name) {
			if k.kind == record.Name {
				text = strings.ToLower(text)
			}
			q.Lookups = append(q.Lookups, record.Lookup{Kind: k.kind, Text: text})
		}
	}
	for _, w := range c.q.words("tlp") {
		t, err := label.ParseTLP(strings.ReplaceAll(w, " ", "+")) // a plus sign in a query is a space
		if err != nil {
			return q, fault.New(fault.Invalid, "tlp.unknown", "%q is no TLP label", clip(w)).At("tlp").By("TLP 2.0").Try("use red, amber+strict, amber, green or clear")
		}
		q.TLPs = append(q.TLPs, t)
	}
	if q.Versions, err = c.versions(); err != nil {
		return q, err
	}
	added, err := c.q.time("added_after")
	if !added.IsZero() {
		q.AddedAfter = record.Seq(max(added.UnixMicro(), 0))
	}
	return q, err
}

func (a *API) collectionID(c *call) (string, error) {
	name := c.q.get("collection")
	if name == "" {
		return "", nil
	}
	col, err := a.x.Collection(c.v, "", name)
	return col.ID, err
}

// versions reads which versions are asked for: all, first, last, or timestamps. Without any it is the latest.
func (c *call) versions() (store.Versions, error) {
	var out store.Versions
	for _, w := range c.q.words("version") {
		switch w {
		case "all":
			out.All = true
		case "first":
			out.First = true
		case "last":
			out.Last = true
		default:
			order, err := stix.Order(w)
			if err != nil {
				return out, fault.New(fault.Invalid, "version.form", "%q is no version", clip(w)).At("version").Try("use all, first, last, or the time in modified")
			}
			out.At = append(out.At, order)
		}
	}
	return out, nil
}

func (a *API) search(c *call) error {
	q, err := a.filter(c)
	if err != nil {
		return err
	}
	if q.Limit, err = c.q.limit(); err != nil {
		return err
	}
	if q.Headers, err = c.q.flag("headers"); err != nil {
		return err
	}
	if q.After, err = a.after(c); err != nil {
		return err
	}
	page, err := a.x.Read(c.ctx(), c.v, q)
	if err != nil {
		return err
	}
	return a.answerPage(c, page)
}

// answerPage writes a page of objects with the token of the next.
func (a *API) answerPage(c *call, page store.Page) error {
	items := make([]Object, len(page.Items))
	for i := range page.Items {
		items[i] = a.view(c.v, &page.Items[i])
	}
	next := ""
	if page.More {
		next = a.next(c, page.Next)
	}
	return c.answer(list(items, next))
}

func (a *API) one(c *call) (store.Item, error) {
	collection, err := a.collectionID(c)
	if err != nil {
		return store.Item{}, err
	}
	versions, err := c.versions()
	if err != nil {
		return store.Item{}, err
	}
	return a.x.Get(c.ctx(), c.v, collection, c.path("id"), versions)
}

func (a *API) object(c *call) error {
	it, err := a.one(c)
	if err != nil {
		return err
	}
	return c.answer(a.view(c.v, &it))
}

func (a *API) raw(c *call) error {
	it, err := a.one(c)
	if err != nil {
		return err
	}
	headers(c.w, stixType+";version="+it.Record.Spec)
	_, err = c.w.Write(it.Record.Body)
	return started(err)
}

func (a *API) versions(c *call) error {
	q := store.Query{IDs: []string{c.path("id")}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Headers: true}
	var err error
	if q.Limit, err = c.q.limit(); err != nil {
		return err
	}
	if q.After, err = a.after(c); err != nil {
		return err
	}
	page, err := a.x.Read(c.ctx(), c.v, q)
	if err != nil {
		return err
	}
	if len(page.Items) == 0 && q.After == 0 && !page.More {
		return fault.New(fault.NotFound, "", "no such object")
	}
	return a.answerPage(c, page)
}

// Removed says how many versions went.
type Removed struct {
	Removed int `json:"removed"`
}

func (a *API) removeObject(c *call) error {
	collection, err := a.collectionID(c)
	if err != nil {
		return err
	}
	versions, err := c.versions()
	if err != nil {
		return err
	}
	n, err := a.x.Remove(c.ctx(), c.v, collection, c.path("id"), versions, nil)
	if err != nil {
		return err
	}
	return c.answer(Removed{n})
}

// why explains the gate to the node's own organisation; nobody else learns why something is kept from somebody.
func (a *API) why(c *call) error {
	if !a.isOwn(c.v) {
		return fault.New(fault.Forbidden, "why.own", "only the node's own organisation may ask why")
	}
	as := gate.Viewer{Nation: c.q.get("nation"), Org: c.q.get("org"), Person: c.q.get("person"), Roles: c.q.words("role"), Purpose: c.q.words("purpose"), Realm: c.v.Realm}
	if as.Org == "" {
		as.Nation, as.Org = c.v.Nation, c.v.Org
	}
	if as.Nation == "" {
		o, ok := a.ids.Register().Find(as.Org)
		if !ok {
			return fault.New(fault.Invalid, "org.unknown", "there is no organisation %q here", clip(as.Org)).At("org").Try("name its nation as well, to ask for one that is not registered")
		}
		as.Nation, as.Org = o.Nation, o.Name
	}
	if len(as.Roles) == 0 {
		as.Roles = []string{"reader"}
	}
	out, err := a.x.Explain(c.ctx(), c.v, c.path("id"), as)
	if err != nil {
		return err
	}
	lang := c.lang()
	for i := range out {
		out[i].Decision = out[i].Decision.In(lang)
	}
	return c.answer(list(out, ""))
}

func (a *API) holders(c *call) error {
	out, err := a.x.Holders(c.ctx(), c.v, c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}

func (a *API) purge(c *call) error {
	dry, err := c.q.flag("dry_run")
	if err != nil {
		return err
	}
	report, err := a.x.Purge(c.ctx(), c.v, c.path("id"), dry)
	if err != nil {
		return err
	}
	if !dry {
		if err := a.ops.Index().Sync(c.ctx()); err != nil {
			return fault.New(fault.Unavailable, "purge.index", "the store holds nothing of it any more, but the index has not let go of it yet").After(time.Minute).
				Try("purge again, which waits for the index").Because(err)
		}
	}
	return c.answer(report)
}

// oneLine is the object without line ends, its exact bytes where it has none.
func oneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	// Line ends stand between the values only: inside a string they are escaped.
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, raw)
}
