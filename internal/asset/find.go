package asset

import (
	"context"
	"hash/fnv"
	"io"

	"entente/internal/gate"
	"entente/internal/store"
	"entente/register"
)

// Match is an asset that a value concerns, and whose it is.
type Match struct {
	Value       string               `json:"value"`
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	Org         string               `json:"org,omitempty"`
	Sectors     []string             `json:"sectors,omitempty"`
	Criticality register.Criticality `json:"criticality,omitempty"`
	Asset       register.Asset       `json:"asset"`
	How         register.How         `json:"how"`
}

// Match says whom a value concerns. A constituent that has been purged since, or that the viewer may not have, is not named.
func (r *Register) Match(ctx context.Context, v gate.Viewer, value string) ([]Match, error) {
	found, err := r.find(ctx, value)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var ids []string
	seen := map[string]bool{}
	for _, m := range found {
		if id := m.Constituent.ID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	there, err := r.there(ctx, v, ids)
	if err != nil {
		return nil, err
	}
	var out []Match
	for _, m := range found {
		c := m.Constituent
		if there[c.ID] == c.Modified && len(out) < maxAnswer {
			out = append(out, Match{value, c.ID, c.Name, c.Org, c.Sectors, c.Criticality, *m.Asset, m.How})
		}
	}
	return out, nil
}

// maxAnswer bounds the matches of one answer.
const maxAnswer = 1000

// there is the current version of those constituents that the viewer may have.
func (r *Register) there(ctx context.Context, v gate.Viewer, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for len(ids) > 0 {
		n := min(len(ids), 200)
		q := store.Query{Types: []string{register.Type}, IDs: ids[:n], Headers: true}
		ids = ids[n:]
		for {
			page, err := r.cfg.Door.Read(ctx, v, q)
			if err != nil {
				return nil, err
			}
			for i := range page.Items {
				if rec := &page.Items[i].Record; !page.Items[i].Held && rec.Origin.Nation == r.cfg.Nation && rec.Origin.Org == r.cfg.Org {
					out[rec.ID] = rec.Version
				}
			}
			if !page.More {
				break
			}
			q.After = page.Next
		}
	}
	return out, nil
}

// find asks the index, which is filled when it is asked first.
func (r *Register) find(ctx context.Context, value string) ([]register.Match, error) {
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	return r.index.Value(value), nil
}

// fill reads every constituent into the index. A version whose signature does not hold names nobody.
func (r *Register) fill(ctx context.Context) error {
	r.load.Lock()
	defer r.load.Unlock()
	if r.loaded {
		return nil
	}
	own := gate.Viewer{Nation: r.cfg.Nation, Org: r.cfg.Org, Person: "node", Roles: []string{gate.RoleReader}, Realm: r.cfg.Realm}
	err := r.each(ctx, own, func(view View) {
		if !view.Verified {
			r.cfg.Log.Warn("a constituent is left out: its signature does not hold", "id", view.Constituent.ID, "version", view.Version)
			return
		}
		r.take(view.Constituent)
	})
	r.loaded = err == nil
	return err
}

// note takes a version that was stored into the index, once that has been filled.
func (r *Register) note(c *register.Constituent) {
	r.load.Lock()
	defer r.load.Unlock()
	if r.loaded {
		r.take(c)
	}
}

// take puts a version in the index. It is called under load.
func (r *Register) take(c *register.Constituent) {
	if old := r.index.Get(c.ID); old != nil && r.names[fold(old.Name)] == c.ID {
		delete(r.names, fold(old.Name))
	}
	if old := r.index.Get(c.ID); old != nil {
		r.sum ^= versionSum(old)
	}
	r.index.Put(c)
	r.sum ^= versionSum(c)
	if !c.Revoked {
		r.names[fold(c.Name)] = c.ID
	}
}

// Current is another whenever Match may answer otherwise, and the same after a restart.
func (r *Register) Current(ctx context.Context) (uint64, error) {
	if err := r.fill(ctx); err != nil {
		return 0, err
	}
	r.load.Lock()
	defer r.load.Unlock()
	return r.sum, nil
}

func versionSum(c *register.Constituent) uint64 {
	h := fnv.New64a()
	io.WriteString(h, c.ID+" "+c.Modified)
	return h.Sum64()
}

// named is the id of the constituent of that name; "" where there is none.
func (r *Register) named(name string) string {
	r.load.Lock()
	defer r.load.Unlock()
	return r.names[fold(name)]
}
