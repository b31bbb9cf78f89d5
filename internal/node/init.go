package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/store/sqlite"
	"entente/label"
)

// storeFolder is where the store's files stand below the data directory.
const storeFolder = "store"

// Init says what a new node is called.
type Init struct {
	Data   string
	Nation string // ISO 3166-1 alpha-3, or an exercise code such as UTO
	Org    string
	Realm  string   // empty: operational
	Member bool     // the nation's root is elsewhere: the node asks for its keys
	Hosts  []string // names of the server certificate, besides this machine's
	// AdminPassword is the first administrator's; without one the first start prints a link to choose it.
	AdminName, AdminPassword string
	Now                      func() time.Time
}

// Create makes the data directory of a new node: keys, authority, store and first administrator.
func Create(ctx context.Context, in Init) (err error) {
	if in.Now == nil {
		in.Now = time.Now
	}
	if in.AdminName == "" {
		in.AdminName = "admin"
	}
	if in.AdminPassword != "" {
		if err := identity.CheckPassword(in.AdminName, in.AdminPassword); err != nil {
			return err
		}
	}
	_, statErr := os.Stat(in.Data)
	if err := os.MkdirAll(in.Data, 0o700); err != nil {
		return fault.New(fault.Invalid, "data.create", "cannot create the data directory %s: %v", in.Data, err).Because(err)
	}
	makeRing := keyring.Create
	if in.Member {
		makeRing = keyring.CreateMember
	}
	ring, err := makeRing(in.Data, keyring.Names{Nation: in.Nation, Org: in.Org, Realm: in.Realm, Hosts: in.Hosts}, in.Now)
	if err != nil {
		return err
	}
	defer func() { // a half-made node is worse than none
		if err != nil {
			os.RemoveAll(filepath.Join(in.Data, "keys"))
			os.RemoveAll(filepath.Join(in.Data, storeFolder))
			if errors.Is(statErr, os.ErrNotExist) {
				os.Remove(in.Data)
			}
		}
	}()
	if err = os.Mkdir(filepath.Join(in.Data, storeFolder), 0o700); err != nil {
		return fault.New(fault.Invalid, "data.create", "cannot create the store's directory: %v", err).Because(err)
	}
	if err = claim(filepath.Join(in.Data, storeFolder), ring.Names().Realm); err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(in.Data, storeFolder), Now: in.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	names := ring.Names()
	ids, err := identity.New(ctx, identity.Config{Store: db, Nation: names.Nation, Org: names.Org, Realm: names.Realm, Pepper: ring.Pepper(),
		ValidRole: gate.IsRole, AdminRole: gate.RoleAdmin, Now: in.Now})
	if err != nil {
		return err
	}
	if in.AdminPassword == "" {
		return nil
	}
	_, err = ids.AddUser(ctx, Local, identity.NewUser{Name: in.AdminName, Org: names.Org, Roles: []string{gate.RoleAdmin}, Password: in.AdminPassword})
	return err
}

// gateRules says to the gate what the register and the configuration know.
func gateRules(names keyring.Names, register identity.Register, cfg Gate, apart []gate.Party) gate.Rules {
	rules := gate.Rules{Apart: apart, Nation: names.Nation, Org: names.Org, Realm: names.Realm, Community: cfg.Community, Communities: map[string][]gate.Party{},
		Purposes: map[gate.Party]label.Purposes{}, Sectors: map[gate.Party]label.Set{}}
	for _, o := range register.Orgs {
		p := gate.Party{Nation: o.Nation, Org: o.Name}
		if o.Client {
			rules.Clients = append(rules.Clients, p)
		}
		if len(o.Purposes) > 0 {
			held, err := label.ParsePurposes(o.Purposes...)
			if err != nil {
				held = 0 // a purpose that is not understood permits nothing
			}
			rules.Purposes[p] = held
		}
		if sectors, err := label.NewSet(o.Sectors...); err == nil && len(o.Sectors) > 0 {
			rules.Sectors[p] = sectors
		}
	}
	for _, c := range register.Communities {
		for _, org := range c.Members {
			if o, ok := register.Find(org); ok {
				rules.Communities[c.Name] = append(rules.Communities[c.Name], gate.Party{Nation: o.Nation, Org: o.Name})
			}
		}
	}
	rules.Authorities = cfg.bases()
	return rules
}

// bases are the legal bases with the times at which they lapse.
func (g Gate) bases() map[string]time.Time {
	out := map[string]time.Time{}
	for basis, day := range g.Authorities {
		if t, err := time.Parse(time.DateOnly, day); err == nil {
			out[basis] = t
		}
	}
	return out
}

// everyRole is what the person has who may open the data directory itself.
func everyRole() []string {
	var out []string
	for _, r := range gate.Roles() {
		out = append(out, r.Name)
	}
	return out
}

// firstRun lets the console make the first administrator.
type firstRun struct{ *identity.Directory }

func (f firstRun) RedeemSetup(ctx context.Context, code, name, password string) error {
	_, err := f.Directory.RedeemSetup(ctx, code, name, password)
	return err
}
