package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/store/sqlite"
)

// storeFolder is where the store's files stand below the data directory.
const storeFolder = "store"

// Init says what a new node is called.
type Init struct {
	Data   string
	Nation string // ISO 3166-1 alpha-3, or an exercise code such as UTO
	Org    string
	Realm  string   // empty: operational
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
	ring, err := keyring.Create(in.Data, keyring.Names{Nation: in.Nation, Org: in.Org, Realm: in.Realm, Hosts: in.Hosts}, in.Now)
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
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(in.Data, storeFolder), Now: in.Now, Secret: ring.Lookup()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	names := ring.Names()
	ids, err := identity.New(ctx, identity.Config{Store: db, Nation: names.Nation, Org: names.Org, Realm: names.Realm, Pepper: ring.Pepper(),
		ValidRole: gate.ValidRole, AdminRole: gate.Admin, Now: in.Now})
	if err != nil {
		return err
	}
	if in.AdminPassword == "" {
		return nil
	}
	_, err = ids.AddUser(ctx, Local, identity.User{Name: in.AdminName, Org: names.Org, Roles: []string{gate.Admin}}, in.AdminPassword)
	return err
}

// gateRules says to the gate what the register and the configuration know.
func gateRules(names keyring.Names, register identity.Register, cfg Gate) gate.Rules {
	rules := gate.Rules{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Community: cfg.Community,
		Clients: register.Clients(), Communities: map[string][]gate.Member{}, Authorities: map[string]time.Time{}}
	for _, c := range register.Communities {
		for _, org := range c.Members {
			if o, ok := register.Find(org); ok {
				rules.Communities[c.Name] = append(rules.Communities[c.Name], gate.Member{Nation: o.Nation, Org: o.Name})
			}
		}
	}
	for basis, day := range cfg.Authorities {
		if t, err := time.Parse(time.DateOnly, day); err == nil {
			rules.Authorities[basis] = t
		}
	}
	for _, o := range register.Orgs {
		if len(o.Sectors)+len(o.Purposes) > 0 {
			rules.Orgs = append(rules.Orgs, gate.Org{Nation: o.Nation, Name: o.Name, Sectors: slices.Clone(o.Sectors), Purposes: slices.Clone(o.Purposes)})
		}
	}
	return rules
}
