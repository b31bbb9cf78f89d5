package api

import (
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/label"
)

// PutCollection asks for a collection, or for another state of one.
type PutCollection struct {
	Alias       string          `json:"alias,omitempty"`
	Root        string          `json:"root,omitempty"` // of a new one only; empty: the default root
	Title       string          `json:"title"`
	Description string          `json:"description,omitempty"`
	Read        []string        `json:"read"`
	Write       []string        `json:"write"`
	Default     *label.Label    `json:"default,omitempty"`
	Policy      exchange.Policy `json:"policy,omitempty"`
}

func (p PutCollection) collection(id string) exchange.Collection {
	return exchange.Collection{ID: id, Alias: p.Alias, Root: p.Root, Title: p.Title, Description: p.Description, Read: p.Read, Write: p.Write,
		Default: p.Default, Policy: p.Policy}
}

func (a *API) collections(c *call) error {
	all, err := c.q.flag("all")
	if err != nil {
		return err
	}
	root := c.q.get("root")
	var out []exchange.CollectionView
	if all {
		if out, err = a.x.AllCollections(c.v); err != nil {
			return err
		}
		kept := out[:0]
		for _, v := range out {
			if root == "" || v.Root == root {
				kept = append(kept, v)
			}
		}
		out = kept
	} else {
		out = a.x.Collections(c.v, root)
	}
	return c.answer(list(out, ""))
}

func (a *API) addCollection(c *call) error {
	var in PutCollection
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.x.AddCollection(c.ctx(), c.v, in.collection(""))
	if err != nil {
		return err
	}
	return c.answerStatus(201, out)
}

// named finds the collection of the path. Who manages collections finds those it may not use, too.
func (a *API) named(c *call) (exchange.CollectionView, error) {
	name := c.path("name")
	out, err := a.x.Collection(c.v, "", name)
	if fault.Of(err) != fault.NotFound || err == nil {
		return out, err
	}
	all, failed := a.x.AllCollections(c.v)
	if failed != nil {
		return out, err
	}
	for _, v := range all {
		if v.ID == name || v.Alias != "" && v.Alias == name {
			return v, nil
		}
	}
	return out, err
}

func (a *API) collection(c *call) error {
	out, err := a.named(c)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) changeCollection(c *call) error {
	var in PutCollection
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Policy == "" {
		in.Policy = exchange.Reject // as of a new one
	}
	old, err := a.named(c)
	if err != nil {
		return err
	}
	if in.Root != "" && in.Root != old.Root {
		return fault.New(fault.Invalid, "collection.root", "a collection keeps its root").At("root")
	}
	out, err := a.x.ChangeCollection(c.ctx(), c.v, in.collection(old.ID))
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) removeCollection(c *call) error {
	old, err := a.named(c)
	if err != nil {
		return err
	}
	if err := a.x.RemoveCollection(c.ctx(), c.v, old.ID); err != nil {
		return err
	}
	return c.done()
}

func (a *API) roots(c *call) error {
	all, err := c.q.flag("all")
	if err != nil {
		return err
	}
	out := a.x.Roots(c.v)
	if all {
		if out, err = a.x.AllRoots(c.v); err != nil {
			return err
		}
	}
	return c.answer(list(out, ""))
}

func (a *API) addRoot(c *call) error {
	var in exchange.Root
	if err := c.body(&in); err != nil {
		return err
	}
	if err := a.x.AddRoot(c.ctx(), c.v, in); err != nil {
		return err
	}
	return c.answerStatus(201, in)
}
