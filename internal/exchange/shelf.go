package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// Root is a TAXII API root: a named group of collections. One with a Party belongs to that organisation's viewers, and nobody else
// learns that it exists.
type Root struct {
	Path        string `json:"path"` // one path segment
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Party       string `json:"party,omitempty"` // "NATION/organisation"; empty: every viewer
}

// defaultRoot is the root that is always there, where the node says nothing else.
const defaultRoot = "api"

// DefaultRoot is the root that is always there: where a collection stands when none is named.
func (x *Exchange) DefaultRoot() string { return x.cfg.Root }

// Policy says what happens to an object that breaks a MUST of its standard.
type Policy string

const (
	Reject     Policy = "reject"     // refuse the object and say why (the default)
	Quarantine Policy = "quarantine" // hold it for an officer
	Flag       Policy = "flag"       // accept it
)

// Collection is a place to put records in, with the roles that may read and write it. Rights on a collection never widen what a
// record's label allows. No roles means every role that may read or write at all.
type Collection struct {
	ID          string       `json:"id"` // UUIDv4
	Alias       string       `json:"alias,omitempty"`
	Root        string       `json:"root"`
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	Read        []string     `json:"read"`
	Write       []string     `json:"write"`
	Default     *label.Label `json:"default,omitempty"` // of records without a TLP; nil: RED for the submitting organisation
	Policy      Policy       `json:"policy,omitempty"`
}

// CollectionView is a collection as one viewer has it.
type CollectionView struct {
	Collection
	CanRead  bool `json:"can_read"`
	CanWrite bool `json:"can_write"`
}

const (
	docRoot       = "root"
	docCollection = "collection"
	maxOnShelf    = 10_000
)

var (
	rootPath  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	aliasForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

// shelf holds all roots and collections in memory; documents in the store are the truth.
type shelf struct {
	mu          sync.RWMutex
	roots       map[string]Root
	collections map[string]Collection // by id
	names       map[[2]string]string  // {root, id or alias} to id
}

func (x *Exchange) loadShelf(ctx context.Context) error {
	s := &x.shelf
	s.roots, s.collections, s.names = map[string]Root{}, map[string]Collection{}, map[[2]string]string{}
	s.roots[x.cfg.Root] = Root{Path: x.cfg.Root, Title: x.cfg.Org}
	if err := eachDoc(ctx, x.store, docRoot, func(d store.Doc) error {
		var r Root
		if err := json.Unmarshal(d.Value, &r); err != nil {
			return err
		}
		s.roots[r.Path] = r
		return nil
	}); err != nil {
		return err
	}
	return eachDoc(ctx, x.store, docCollection, func(d store.Doc) error {
		var c Collection
		if err := json.Unmarshal(d.Value, &c); err != nil {
			return err
		}
		s.put(c)
		return nil
	})
}

func (s *shelf) put(c Collection) {
	s.collections[c.ID] = c
	s.names[[2]string{c.Root, c.ID}] = c.ID
	if c.Alias != "" {
		s.names[[2]string{c.Root, c.Alias}] = c.ID
	}
}

func (s *shelf) drop(c Collection) {
	delete(s.collections, c.ID)
	delete(s.names, [2]string{c.Root, c.ID})
	delete(s.names, [2]string{c.Root, c.Alias})
}

func eachDoc(ctx context.Context, st store.Store, kind string, fn func(store.Doc) error) error {
	for after := ""; ; {
		docs, err := st.Docs(ctx, kind, after, 500)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if err := fn(d); err != nil {
				return fault.New(fault.Internal, "store.document", "the stored %s %q cannot be read", kind, d.Key).Because(err)
			}
			after = d.Key
		}
		if len(docs) == 0 {
			return nil
		}
	}
}

func (x *Exchange) access(v gate.Viewer, c Collection) gate.Access {
	return x.Gate().Collection(v, gate.ACL{Read: c.Read, Write: c.Write, Party: x.shelf.roots[c.Root].Party})
}

// Roots lists the roots that the viewer may know, by path.
func (x *Exchange) Roots(v gate.Viewer) []Root {
	return x.rootsThat(func(r Root) bool { return r.Party == "" || r.Party == v.Party().String() })
}

// AllRoots lists every root, for who manages them.
func (x *Exchange) AllRoots(v gate.Viewer) ([]Root, error) {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return nil, err
	}
	return x.rootsThat(func(Root) bool { return true }), nil
}

func (x *Exchange) rootsThat(keep func(Root) bool) []Root {
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	var out []Root
	for _, r := range x.shelf.roots {
		if keep(r) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Root) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// Root is one root, or NotFound for who may not know it.
func (x *Exchange) Root(v gate.Viewer, path string) (Root, error) {
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	r, ok := x.shelf.roots[path]
	if !ok || r.Party != "" && r.Party != v.Party().String() {
		return Root{}, fault.New(fault.NotFound, "", "no such API root")
	}
	return r, nil
}

// AddRoot makes a root.
func (x *Exchange) AddRoot(ctx context.Context, v gate.Viewer, r Root) error {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return err
	}
	if !rootPath.MatchString(r.Path) || r.Path == "taxii2" {
		return fault.New(fault.Invalid, "root.path", "a root's path is 1 to 64 of a-z, 0-9, _ and -").At("path")
	}
	if _, ok := gate.ParseParty(r.Party); r.Party != "" && !ok {
		return fault.New(fault.Invalid, "root.party", "a root's party is NATION/organisation").At("party")
	}
	if r.Title == "" {
		return fault.New(fault.Invalid, "root.title", "a root needs a title").At("title").By("TAXII 2.1 section 4.2.1")
	}
	x.shelf.mu.Lock()
	defer x.shelf.mu.Unlock()
	if _, ok := x.shelf.roots[r.Path]; ok && r.Path != x.cfg.Root {
		return fault.New(fault.Conflict, "root.exists", "there is a root %q already", r.Path).At("path")
	}
	if len(x.shelf.roots) >= maxOnShelf {
		return fault.New(fault.TooLarge, "root.limit", "a node has at most %d roots", maxOnShelf)
	}
	if err := x.putDoc(ctx, v, docRoot, r.Path, r, -1, "root.add"); err != nil {
		return err
	}
	x.shelf.roots[r.Path] = r
	return nil
}

// AddCollection makes a collection and returns it with its id.
func (x *Exchange) AddCollection(ctx context.Context, v gate.Viewer, c Collection) (Collection, error) {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return c, err
	}
	c.ID = uuid.NewString()
	c.Root = cmp.Or(c.Root, x.cfg.Root)
	c.Policy = cmp.Or(c.Policy, Reject)
	x.shelf.mu.Lock()
	defer x.shelf.mu.Unlock()
	if err := x.checkCollection(c); err != nil {
		return c, err
	}
	if len(x.shelf.collections) >= maxOnShelf {
		return c, fault.New(fault.TooLarge, "collection.limit", "a node has at most %d collections", maxOnShelf)
	}
	if err := x.putDoc(ctx, v, docCollection, c.ID, c, 0, "collection.add"); err != nil {
		return c, err
	}
	x.shelf.put(c)
	return c, nil
}

// ChangeCollection replaces everything of a collection but its id and root.
func (x *Exchange) ChangeCollection(ctx context.Context, v gate.Viewer, c Collection) (Collection, error) {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return c, err
	}
	x.shelf.mu.Lock()
	defer x.shelf.mu.Unlock()
	old, ok := x.shelf.collections[c.ID]
	if !ok {
		return c, noCollection()
	}
	c.Root = old.Root
	x.shelf.drop(old)
	if err := x.checkCollection(c); err != nil {
		x.shelf.put(old)
		return c, err
	}
	if err := x.putDoc(ctx, v, docCollection, c.ID, c, -1, "collection.change"); err != nil {
		x.shelf.put(old)
		return c, err
	}
	x.shelf.put(c)
	return c, nil
}

// RemoveCollection takes an empty collection off the shelf.
func (x *Exchange) RemoveCollection(ctx context.Context, v gate.Viewer, id string) error {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return err
	}
	x.shelf.mu.Lock()
	defer x.shelf.mu.Unlock()
	c, ok := x.shelf.collections[id]
	if !ok {
		return noCollection()
	}
	page, err := x.store.Page(ctx, x.own(), store.Query{Collection: id, Limit: 1, Headers: true, Held: true})
	if err != nil {
		return err
	}
	if len(page.Items) > 0 || page.More {
		return fault.New(fault.Conflict, "collection.used", "the collection %q holds records", c.Title).Try("remove or move them first")
	}
	act := store.Act{Actor: actor(v), Verb: "collection.remove", Target: id}
	if err := x.store.PutDocs(ctx, act, store.Doc{Kind: docCollection, Key: id, Version: -1}); err != nil {
		return err
	}
	x.shelf.drop(c)
	return nil
}

func (x *Exchange) checkCollection(c Collection) error {
	if c.Title == "" {
		return fault.New(fault.Invalid, "collection.title", "a collection needs a title").At("title").By("TAXII 2.1 section 5.2.1")
	}
	if _, ok := x.shelf.roots[c.Root]; !ok {
		return fault.New(fault.Invalid, "collection.root", "there is no root %q", c.Root).At("root").Try("add the root first")
	}
	if c.Alias != "" {
		if !aliasForm.MatchString(c.Alias) {
			return fault.New(fault.Invalid, "collection.alias", "an alias is 1 to 128 of letters, digits, '.', '_' and '-'").At("alias")
		}
		if _, ok := x.shelf.names[[2]string{c.Root, c.Alias}]; ok {
			return fault.New(fault.Conflict, "collection.exists", "there is a collection %q in the root %q already", c.Alias, c.Root).At("alias")
		}
	}
	for field, roles := range map[string][]string{"read": c.Read, "write": c.Write} {
		for _, role := range roles {
			if !gate.IsRole(role) {
				return fault.New(fault.Invalid, "role.unknown", "there is no role %q", role).At(field).Try("use one of " + roleNames())
			}
		}
	}
	switch c.Policy {
	case Reject, Quarantine, Flag:
	default:
		return fault.New(fault.Invalid, "collection.policy", "a policy is reject, quarantine or flag").At("policy")
	}
	return nil
}

// Collections lists the collections of a root that the viewer may read or write, by id; root "" means all roots it may know.
func (x *Exchange) Collections(v gate.Viewer, root string) []CollectionView {
	return x.collectionsThat(v, func(c CollectionView) bool { return (root == "" || c.Root == root) && (c.CanRead || c.CanWrite) })
}

// AllCollections lists every collection with the rights of the viewer, who must manage them.
func (x *Exchange) AllCollections(v gate.Viewer) ([]CollectionView, error) {
	if err := x.may(v, gate.CollectionManage); err != nil {
		return nil, err
	}
	return x.collectionsThat(v, func(CollectionView) bool { return true }), nil
}

func (x *Exchange) collectionsThat(v gate.Viewer, keep func(CollectionView) bool) []CollectionView {
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	var out []CollectionView
	for _, c := range x.shelf.collections {
		a := x.access(v, c)
		if view := (CollectionView{c, a.Read, a.Write}); keep(view) {
			out = append(out, view)
		}
	}
	slices.SortFunc(out, func(a, b CollectionView) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// usable is a collection by its id, with what the viewer may do there. Who may do nothing gets NotFound.
func (x *Exchange) usable(v gate.Viewer, id string) (CollectionView, error) {
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	c, ok := x.shelf.collections[id]
	if !ok {
		return CollectionView{}, noCollection()
	}
	a := x.access(v, c)
	if !a.Read && !a.Write {
		return CollectionView{}, noCollection()
	}
	return CollectionView{c, a.Read, a.Write}, nil
}

// Collection finds a collection by id or alias; root "" looks in all roots. Who may neither read nor write it gets NotFound.
func (x *Exchange) Collection(v gate.Viewer, root, name string) (CollectionView, error) {
	x.shelf.mu.RLock()
	defer x.shelf.mu.RUnlock()
	roots := []string{root}
	if root == "" {
		roots = roots[:0]
		for path := range x.shelf.roots {
			roots = append(roots, path)
		}
		slices.Sort(roots)
	}
	for _, r := range roots {
		if id, ok := x.shelf.names[[2]string{r, name}]; ok {
			c := x.shelf.collections[id]
			if a := x.access(v, c); a.Read || a.Write {
				return CollectionView{c, a.Read, a.Write}, nil
			}
		}
	}
	return CollectionView{}, noCollection()
}

func noCollection() *fault.Error { return fault.New(fault.NotFound, "", "no such collection") }

func (x *Exchange) putDoc(ctx context.Context, v gate.Viewer, kind, key string, value any, version int64, verb string) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return x.store.PutDocs(ctx, store.Act{Actor: actor(v), Verb: verb, Target: key}, store.Doc{Kind: kind, Key: key, Value: b, Version: version})
}

func roleNames() string {
	var names []string
	for _, r := range gate.Roles() {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}
