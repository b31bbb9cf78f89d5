package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/node"
	"entente/internal/surface/api"
	"entente/label"
	"entente/starter"
)

// The invented organisations of the starter set.
const (
	demoNation, demoOrg       = "UTO", "Utopia CERT"
	demoPartner, demoNeighbor = "Erewhon CERT", "XER"
)

// demoDir is where the files of the demonstration stand, below the data directory. Its README.md is written when everything is on the node.
const (
	demoDir  = "demo"
	demoList = "blocklist.txt"
	demoDone = "README.md"
)

// demoCollections are made in this order.
var demoCollections = []api.PutCollection{
	{Alias: "starter", Title: "Starter set", Description: "Invented objects for a first look"},
	{Alias: "feeds", Title: "Feeds", Description: "What feeds bring"},
	{Alias: "salt-wind", Title: "Salt Wind", Description: "The invented campaign of the morning after"},
}

// demoUsers have no password that anybody knows: the administrator gives them one.
var demoUsers = []api.AddUser{
	{Name: "noor", Roles: []string{gate.RoleAnalyst}},
	{Name: "emil", Roles: []string{gate.RoleOfficer}},
}

func (a *app) demoCmd() *cobra.Command {
	var listen, realm string
	var alone, headless bool
	c := &cobra.Command{
		Use: "demo", Short: "Run an alliance of four invented nations, and play a day of theirs",
		Long: `Run the nodes of four invented nations in one process, each with its own keys, store and console, and play a day of theirs: they sign accords, share
under one and not under another, admit a third nation, reduce, release, retract, purge with receipts, suspend, and mend a line that was cut. It says who did
what, who sees it, who does not, and why. Everything is invented, and nothing leaves the machine. The consoles stay open until the command is stopped.

The node of the first nation, "Utopia CERT", has a starter set in the collection "starter" besides: a register of constituents, two feeds that read files of
its data directory, a campaign that concerns some of the constituents, and an object in quarantine.

The data directories of the nations stand in the directory of --data, and another start goes on with them; without --data they are temporary. A directory that is
the data directory of one node already, or holds an entente.toml, is served as that one node, and so is one with --alone: one that is new gets the starter
set. With --realm exercise:NAME all of it is an exercise: nodes with keys and stores of their own, marked everywhere, under accords that derive from one of
operations, and nothing crosses.

With --headless the day is played without the starter set, and the command ends with it: exit code 0 when everybody saw what they were to see and nobody else did.`,
		Example: "  entente demo\n  entente demo --headless --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if data := a.conn.data; alone || data != "" && (exists(filepath.Join(data, "keys")) || exists(filepath.Join(data, node.ConfigFile))) {
				if headless {
					return usage("--headless plays the day of an alliance, and this is one node")
				}
				return a.demoAlone(c.Context(), data, listen, realm)
			}
			return a.demoAlliance(c.Context(), a.conn.data, listen, realm, headless)
		},
	}
	a.dataFlag(c)
	c.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` of the first console (127.0.0.1:8443, and any port with --headless); the others are on the next free ports")
	c.Flags().StringVar(&realm, "realm", "", "`REALM` of an exercise to play it in, exercise:NAME; operational without")
	c.Flags().BoolVar(&alone, "alone", false, "run the node of the first nation alone, with its starter set")
	c.Flags().BoolVar(&headless, "headless", false, "play the day, check what everybody sees, and end")
	return c
}

// demoAlone runs one node with the starter set.
func (a *app) demoAlone(ctx context.Context, data, listen, realm string) error {
	if data == "" {
		return usage("where? Give --data DIR, or set ENTENTE_DATA")
	}
	if !exists(filepath.Join(data, "keys")) {
		if err := layDemo(data, realm); err != nil {
			return err
		}
		if err := create(ctx, node.Init{Data: data, Nation: demoNation, Org: demoOrg, Realm: realm}); err != nil {
			return err
		}
	}
	log, err := a.logger("text", "warn")
	if err != nil {
		return err
	}
	cfg, err := node.LoadConfig(data)
	if err != nil {
		return err
	}
	if realm != "" {
		if err := otherRealm(cfg, realm); err != nil {
			return err
		}
	}
	a.noticeRealm(cfg.Realm)
	cfg.Log = log
	if listen != "" {
		cfg.Listen = listen
	}
	n, err := node.New(ctx, cfg)
	if err != nil {
		return inUse(err)
	}
	if err := a.stockOnce(ctx, data, api.NewClient("http://node", n.Local(), nil)); err != nil {
		return errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}
	a.say("A browser does not know the node's authority yet: accept its certificate, or let it trust %s.", filepath.Join(data, "keys", "ca.pem"))
	return a.run(ctx, n, cfg, 10*time.Second)
}

// layDemo writes the files that feeds read, and the configuration that names them. A directory with a configuration of its own gets neither.
func layDemo(data, realm string) error {
	conf := filepath.Join(data, node.ConfigFile)
	if exists(conf) && !isWhole(data) {
		return os.MkdirAll(filepath.Join(data, demoDir), 0o700)
	}
	if err := os.MkdirAll(filepath.Join(data, demoDir, "misp"), 0o700); err != nil {
		return err
	}
	events, err := fs.Glob(starter.Day, "day/misp/*.json")
	if err != nil {
		return err
	}
	for _, name := range append(events, "day/"+demoList) {
		if err := layFile(name, filepath.Join(data, demoDir, filepath.FromSlash(strings.TrimPrefix(name, "day/")))); err != nil {
			return err
		}
	}
	raw, err := starter.Day.ReadFile("day/" + node.ConfigFile) // last: it names the others
	if err != nil {
		return err
	}
	if _, ok := label.Mode(realm).Exercise(); ok {
		raw = slices.Concat(realmLine(realm), raw)
	}
	return os.WriteFile(conf, raw, 0o600)
}

func layFile(name, to string) error {
	raw, err := starter.Day.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// isWhole tells whether the directory has the files of the morning after, and not the starter set alone.
func isWhole(data string) bool { return exists(filepath.Join(data, demoDir, demoList)) }

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// stockOnce fills a node that layDemo has begun, through its API. What was cut off goes on where it was: each step does nothing to what is there.
func (a *app) stockOnce(ctx context.Context, data string, n *api.Client) error {
	done := filepath.Join(data, demoDir, demoDone)
	if !exists(filepath.Dir(done)) || exists(done) {
		return nil
	}
	if err := a.stock(ctx, n); err != nil {
		return err
	}
	if isWhole(data) {
		if err := a.stockDay(ctx, n); err != nil {
			return err
		}
	}
	return layFile("day/"+demoDone, done)
}

// stock loads the starter set.
func (a *app) stock(ctx context.Context, n *api.Client) error {
	if _, err := n.AddOrg(ctx, identity.Org{Name: demoPartner, Nation: demoNeighbor}); err != nil && fault.Of(err) != fault.Conflict {
		return err
	}
	if err := addCollection(ctx, n, demoCollections[0]); err != nil {
		return err
	}
	names, err := fs.Glob(starter.Files, "*.json")
	if err != nil {
		return err
	}
	objects := 0
	for _, name := range names {
		s, err := stockBundle(ctx, n, starter.Files, name, "starter")
		if err != nil {
			return err
		}
		objects += s.Objects
	}
	a.say("%d objects of the starter set are in the collection %q", objects, demoCollections[0].Alias)
	return nil
}

func addCollection(ctx context.Context, n *api.Client, c api.PutCollection) error {
	c.Read, c.Write = []string{}, []string{}
	_, err := n.AddCollection(ctx, c)
	if fault.Of(err) == fault.Conflict { // it is there
		return nil
	}
	return err
}

// stockDay adds what surrounds the starter set on the morning after.
func (a *app) stockDay(ctx context.Context, n *api.Client) error {
	for _, c := range demoCollections[1:] {
		if err := addCollection(ctx, n, c); err != nil {
			return err
		}
	}
	for _, u := range demoUsers {
		u.Password, u.MustChange = rand.Text(), true
		if _, err := n.AddUser(ctx, u); err != nil && fault.Of(err) != fault.Conflict {
			return err
		}
	}
	served, err := a.stockRegister(ctx, n)
	if err != nil {
		return err
	}
	feeds, err := n.Feeds(ctx)
	if err != nil {
		return err
	}
	ran := 0
	for _, f := range feeds {
		if strings.HasPrefix(f.Address, demoDir+"/") {
			if _, err := n.RunFeed(ctx, f.Name, false); err != nil {
				return err
			}
			ran++
		}
	}
	if _, err := stockBundle(ctx, n, starter.Day, "day/salt-wind.json", "salt-wind"); err != nil {
		return err
	}
	held, err := stockBundle(ctx, n, starter.Day, "day/held.json", "salt-wind")
	if err != nil {
		return err
	}
	f, err := starter.Day.Open("day/timeline.csv")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := n.AddBlob(ctx, f, url.Values{"name": {"salt-wind-timeline.csv"}, "media_type": {"text/csv"}, "label": {"tlp:amber"}}); err != nil {
		return err
	}
	// The note of the night shift comes last: it is the newest object, which the console shows first.
	if _, err := stockBundle(ctx, n, starter.Day, "day/handover.json", "salt-wind"); err != nil {
		return err
	}
	a.say("%d constituents are in the register, %d feeds have run, %d object is in quarantine", served, ran, held.Held)
	a.say("The accounts %s (%s) and %s (%s) wait for the administrator to give them a password", demoUsers[0].Name, demoUsers[0].Roles[0], demoUsers[1].Name, demoUsers[1].Roles[0])
	return nil
}

func (a *app) stockRegister(ctx context.Context, n *api.Client) (int, error) {
	f, err := starter.Day.Open("day/constituents.json")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := n.ImportConstituents(ctx, f, url.Values{"format": {"json"}})
	if err == nil && r.Refused > 0 {
		err = fault.New(fault.Internal, "demo.starter", "%d constituents of the starter set were not accepted", r.Refused)
	}
	return r.Added + r.Changed + r.Unchanged, err
}

// stockBundle imports a bundle, of which everything must be taken or held as it was meant.
func stockBundle(ctx context.Context, n *api.Client, from fs.FS, name, collection string) (api.Summary, error) {
	f, err := from.Open(name)
	if err != nil {
		return api.Summary{}, err
	}
	defer f.Close()
	s, err := n.Import(ctx, f, url.Values{"collection": {collection}}, func(api.Event) {})
	if err == nil && s.Refused+s.Different > 0 {
		err = fault.New(fault.Internal, "demo.starter", "%d objects of %s were not accepted", s.Refused+s.Different, name)
	}
	return s, err
}
