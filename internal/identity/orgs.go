package identity

import (
	"context"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

// Org is an organisation that the node knows.
type Org struct {
	Name     string    `json:"name"`
	Nation   string    `json:"nation"`
	Client   bool      `json:"client,omitzero"` // a client of the node's own organisation, in the sense of TLP:AMBER (TLP 2.0)
	Sectors  []string  `json:"sectors,omitempty"`
	Purposes []string  `json:"purposes,omitempty"` // for which it may use what it gets
	Created  time.Time `json:"created"`
}

// Community is a named set of organisations, in the sense of TLP:GREEN (TLP 2.0).
type Community struct {
	Name    string   `json:"name"`
	Members []string `json:"members"` // names of organisations
}

// Register is what the gate's rules are made of. It is shared: read only.
type Register struct {
	Nation      string
	Org         string // the node's own organisation
	Realm       string
	Orgs        []Org       // in the order of their names, the own one included
	Communities []Community // in the order of their names
}

// Find finds an organisation by its name, whatever its case.
func (r Register) Find(name string) (Org, bool) {
	key := fold(name)
	i := slices.IndexFunc(r.Orgs, func(o Org) bool { return fold(o.Name) == key })
	if i < 0 {
		return Org{}, false
	}
	return r.Orgs[i], true
}

// Clients are the names of the organisations that are clients of the own one.
func (r Register) Clients() []string {
	var out []string
	for _, o := range r.Orgs {
		if o.Client {
			out = append(out, o.Name)
		}
	}
	return out
}

// Register is the present register.
func (d *Directory) Register() Register { return d.known.Load().register }

// Generation grows with every change of identities: whoever keeps something derived compares it.
func (d *Directory) Generation() uint64 { return d.generation.Load() }

const (
	maxOrgs     = 10_000
	maxMembers  = 2_000
	maxFeatures = 64 // sectors or purposes of one organisation
)

// AddOrg registers an organisation. One of the same name is a Conflict.
func (d *Directory) AddOrg(ctx context.Context, actor string, o Org) (Org, error) {
	return d.putOrg(ctx, actor, "org.add", o, func(o, old Org, there bool) (Org, error) {
		if there {
			return Org{}, fault.New(fault.Conflict, "org.exists", "the organisation is already registered").At("name")
		}
		o.Created = d.now().UTC()
		return o, nil
	})
}

// EnsureOrg is the registered organisation of this name, which is registered as given when it is not there. An empty nation is the
// node's own.
func (d *Directory) EnsureOrg(ctx context.Context, actor string, o Org) (Org, error) {
	if o.Nation == "" {
		o.Nation = d.nation
	}
	for range 3 { // another may register or remove it at the same moment
		if there, ok := d.Register().Find(o.Name); ok {
			return there, nil
		}
		added, err := d.AddOrg(ctx, actor, o)
		if err == nil || fault.Of(err) != fault.Conflict {
			return added, err
		}
		if err := d.Refresh(ctx); err != nil {
			return Org{}, err
		}
	}
	return Org{}, fault.New(fault.Conflict, "identity.changed", "identities were changed at the same time").Try("try again")
}

// SetOrg changes an organisation's nation, client mark, sectors and purposes.
func (d *Directory) SetOrg(ctx context.Context, actor string, o Org) (Org, error) {
	return d.putOrg(ctx, actor, "org.set", o, func(o, old Org, there bool) (Org, error) {
		if !there {
			return Org{}, noOrg()
		}
		if fold(o.Name) == fold(d.org) && o.Nation != d.nation {
			return Org{}, fault.New(fault.Forbidden, "org.own", "the node's own organisation keeps its nation").At("nation")
		}
		o.Name, o.Created = old.Name, old.Created
		return o, nil
	})
}

func (d *Directory) putOrg(ctx context.Context, actor, verb string, o Org, decide func(o, old Org, there bool) (Org, error)) (Org, error) {
	name, err := title("name", o.Name)
	if err != nil {
		return Org{}, err
	}
	o.Name = name
	if !nationForm.MatchString(o.Nation) {
		return Org{}, fault.New(fault.Invalid, "nation.invalid", "this is not a nation's code").At("nation").By("ISO 3166-1 alpha-3, for example UTO")
	}
	if o.Sectors, err = titles("sectors", o.Sectors, maxFeatures); err != nil {
		return Org{}, err
	}
	if o.Purposes, err = titles("purposes", o.Purposes, maxFeatures); err != nil {
		return Org{}, err
	}
	if err := d.enter(ctx); err != nil {
		return Org{}, err
	}
	defer d.change.Unlock()
	old, version, err := read[Org](ctx, d.store, kindOrg, fold(name))
	if err != nil && fault.Of(err) != fault.NotFound {
		return Org{}, err
	}
	next, derr := decide(o, old, err == nil)
	if derr != nil {
		return Org{}, derr
	}
	if version == 0 && len(d.known.Load().orgs) >= maxOrgs {
		return Org{}, fault.New(fault.TooLarge, "org.count", "the register is full").By("at most 10000 organisations")
	}
	doc, err := write(kindOrg, fold(name), next, version)
	if err != nil {
		return Org{}, err
	}
	detail := "nation=" + next.Nation
	if next.Client {
		detail += " client"
	}
	if err := d.commit(ctx, store.Act{Actor: actor, Verb: verb, Target: next.Name, Detail: detail}, doc); err != nil {
		return Org{}, err
	}
	return next, nil
}

// DeleteOrg removes an organisation that nobody belongs to any more.
func (d *Directory) DeleteOrg(ctx context.Context, actor, name string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	if fold(name) == fold(d.org) {
		return fault.New(fault.Forbidden, "org.own", "the node's own organisation cannot be removed")
	}
	o, version, err := read[Org](ctx, d.store, kindOrg, fold(name))
	if err != nil {
		return absent(err, noOrg())
	}
	used := false
	uses := func(org string, ended bool) { used = used || !ended && fold(org) == fold(name) }
	if err := each(ctx, d.store, kindUser, func(_ store.Doc, u User) { uses(u.Org, false) }); err != nil {
		return err
	}
	if err := each(ctx, d.store, kindToken, func(_ store.Doc, t Token) { uses(t.Org, !t.Revoked.IsZero()) }); err != nil {
		return err
	}
	if err := each(ctx, d.store, kindCert, func(_ store.Doc, c Certificate) { uses(c.Org, !c.Revoked.IsZero()) }); err != nil {
		return err
	}
	for _, c := range d.known.Load().register.Communities {
		used = used || slices.ContainsFunc(c.Members, func(m string) bool { return fold(m) == fold(name) })
	}
	if used {
		return fault.New(fault.Conflict, "org.used", "accounts, tokens, certificates or communities still name this organisation").
			Try("remove or revoke them first")
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: "org.delete", Target: o.Name}, store.Doc{Kind: kindOrg, Key: fold(name), Version: version})
}

// SetCommunity creates a community or changes its members, all of which must be registered.
func (d *Directory) SetCommunity(ctx context.Context, actor string, c Community) (Community, error) {
	name, err := title("name", c.Name)
	if err != nil {
		return Community{}, err
	}
	if len(c.Members) > maxMembers {
		return Community{}, fault.New(fault.TooLarge, "community.members", "%d members are too many", len(c.Members)).At("members").By("at most 2000")
	}
	if err := d.enter(ctx); err != nil {
		return Community{}, err
	}
	defer d.change.Unlock()
	out := Community{Name: name, Members: []string{}}
	for _, m := range c.Members {
		o, ok := d.known.Load().orgs[fold(m)]
		if !ok {
			return Community{}, noOrg().At("members")
		}
		out.Members = append(out.Members, o.Name)
	}
	slices.Sort(out.Members)
	out.Members = slices.Compact(out.Members)
	doc, err := write(kindCommunity, fold(name), out, -1)
	if err != nil {
		return Community{}, err
	}
	return out, d.commit(ctx, store.Act{Actor: actor, Verb: "community.set", Target: name, Detail: "members=" + strings.Join(out.Members, ",")}, doc)
}

// DeleteCommunity removes a community.
func (d *Directory) DeleteCommunity(ctx context.Context, actor, name string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	c, version, err := read[Community](ctx, d.store, kindCommunity, fold(name))
	if err != nil {
		return absent(err, fault.New(fault.NotFound, "community.unknown", "there is no such community"))
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: "community.delete", Target: c.Name}, store.Doc{Kind: kindCommunity, Key: fold(name), Version: version})
}

func titles(where string, in []string, most int) ([]string, error) {
	if len(in) > most {
		return nil, fault.New(fault.TooLarge, "list.length", "%d entries are too many", len(in)).At(where)
	}
	out := make([]string, 0, len(in))
	for _, s := range in {
		t, err := title(where, s)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func noOrg() *fault.Error {
	return fault.New(fault.NotFound, "org.unknown", "there is no such organisation").At("org").Try("register the organisation first")
}

// absent replaces the store's NotFound by one that says what was looked for.
func absent(err error, instead *fault.Error) error {
	if fault.Of(err) == fault.NotFound {
		return instead
	}
	return err
}
