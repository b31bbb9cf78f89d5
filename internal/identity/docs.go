package identity

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/store"
)

// The kinds of documents.
const (
	kindOrg       = "org"
	kindCommunity = "community"
	kindUser      = "user"
	kindToken     = "token"
	kindCert      = "cert"
	kindSetup     = "setup"
	kindSession   = "session"
	kindPending   = "totp"     // a secret that waits for its first code, by account
	kindState     = "identity" // one document: the generation
)

const (
	stateKey = "generation"
	page     = 500
	maxPage  = 1000
)

type generationDoc struct {
	Generation int64 `json:"generation"`
}

// snapshot is what every decision needs at once, taken when something changed.
type snapshot struct {
	register Register
	orgs     map[string]Org  // by folded name
	revoked  map[string]bool // fingerprints of certificates
}

func read[T any](ctx context.Context, s Store, kind, key string) (T, int64, error) {
	var v T
	doc, err := s.Doc(ctx, kind, key)
	if err != nil {
		return v, 0, err
	}
	if err := json.Unmarshal(doc.Value, &v); err != nil {
		return v, 0, fault.New(fault.Internal, "identity.damaged", "a stored %s cannot be read", kind)
	}
	return v, doc.Version, nil
}

func write(kind, key string, v any, version int64) (store.Doc, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return store.Doc{}, fault.New(fault.Internal, "", "a %s cannot be stored", kind)
	}
	return store.Doc{Kind: kind, Key: key, Value: b, Version: version}, nil
}

// list reads one page in the order of keys. limit 0 is the default page.
func list[T any](ctx context.Context, s Store, kind, after string, limit int) ([]T, error) {
	if limit <= 0 {
		limit = page
	}
	docs, err := s.Docs(ctx, kind, after, min(limit, maxPage))
	if err != nil {
		return nil, err
	}
	out := make([]T, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal(doc.Value, &out[i]); err != nil {
			return nil, fault.New(fault.Internal, "identity.damaged", "a stored %s cannot be read", kind)
		}
	}
	return out, nil
}

// each visits all documents of a kind with their keys and versions.
func each[T any](ctx context.Context, s Store, kind string, visit func(doc store.Doc, v T)) error {
	after := ""
	for {
		docs, err := s.Docs(ctx, kind, after, page)
		if err != nil || len(docs) == 0 {
			return err
		}
		for _, doc := range docs {
			var v T
			if err := json.Unmarshal(doc.Value, &v); err != nil {
				return fault.New(fault.Internal, "identity.damaged", "a stored %s cannot be read", kind)
			}
			visit(doc, v)
		}
		after = docs[len(docs)-1].Key
	}
}

func (d *Directory) readGeneration(ctx context.Context) (gen, version int64, err error) {
	g, version, err := read[generationDoc](ctx, d.store, kindState, stateKey)
	if fault.Of(err) == fault.NotFound && err != nil {
		return 0, 0, nil
	}
	return g.Generation, version, err
}

// enter begins a change: alone on this node, and on the newest state. What is decided from here on is decided on that state or meets
// a Conflict in commit. The caller unlocks d.change.
func (d *Directory) enter(ctx context.Context) error {
	d.change.Lock()
	gen, version, err := d.readGeneration(ctx)
	if err == nil && gen != d.stored.Load() { // another node has made changes
		err = d.reload(ctx, gen)
	}
	if err != nil {
		d.change.Unlock()
		return err
	}
	d.stateVersion = version
	return nil
}

// commit writes a change and makes it count at once. The generation is written with it, so that two nodes never decide on the same
// state: the second meets a Conflict. The caller has entered.
func (d *Directory) commit(ctx context.Context, act store.Act, docs ...store.Doc) error {
	gen := d.stored.Load() + 1
	state, err := write(kindState, stateKey, generationDoc{gen}, d.stateVersion)
	if err != nil {
		return err
	}
	err = d.store.PutDocs(ctx, act, append(docs, state)...)
	if err != nil {
		d.generation.Add(1) // it may have been written nevertheless
		if fault.Of(err) == fault.Conflict {
			return fault.New(fault.Conflict, "identity.changed", "identities were changed at the same time").Try("look at the present state and try again").Because(err)
		}
		return err
	}
	// The change stands, whether or not the caller still waits and whatever comes now.
	if !slices.ContainsFunc(docs, func(doc store.Doc) bool {
		return doc.Kind == kindOrg || doc.Kind == kindCommunity || doc.Kind == kindCert
	}) {
		d.stored.Store(gen)
		d.generation.Add(1)
	} else if err := d.reload(context.WithoutCancel(ctx), gen); err != nil {
		d.log.WarnContext(ctx, "a change of identities is stored but could not be read back; the next one reads again", "verb", act.Verb, "error", err)
	}
	return nil
}

// reload takes the snapshot anew and forgets what was cached. The caller holds d.change or is alone.
func (d *Directory) reload(ctx context.Context, gen int64) error {
	defer d.generation.Add(1)
	s := &snapshot{orgs: map[string]Org{}, revoked: map[string]bool{}}
	s.register = Register{Nation: d.nation, Org: d.org, Realm: d.realm}
	err := each(ctx, d.store, kindOrg, func(_ store.Doc, o Org) {
		s.orgs[fold(o.Name)] = o
		s.register.Orgs = append(s.register.Orgs, o)
	})
	if err != nil {
		return err
	}
	if err := each(ctx, d.store, kindCommunity, func(_ store.Doc, c Community) { s.register.Communities = append(s.register.Communities, c) }); err != nil {
		return err
	}
	if err := each(ctx, d.store, kindCert, func(_ store.Doc, c Certificate) {
		if !c.Revoked.IsZero() && c.Fingerprint != "" {
			s.revoked[c.Fingerprint] = true
		}
	}); err != nil {
		return err
	}
	if own, ok := s.orgs[fold(d.org)]; ok {
		s.register.Org = own.Name
	}
	d.known.Store(s)
	d.stored.Store(gen)
	return nil
}
