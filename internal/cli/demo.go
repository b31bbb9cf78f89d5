package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/node"
	"entente/internal/surface/api"
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
	var listen string
	c := &cobra.Command{
		Use: "demo --data DIR", Short: "Run a node with a small starter set, for a first look",
		Long: `Run the node of the invented "Utopia CERT": a starter set of objects in the collection "starter", a register of constituents, two feeds that read files
of the data directory, a campaign that concerns some of the constituents, and an object in quarantine. Everything is invented, and nothing leaves the
machine. The data directory is made when it is not there; one that is there is served as it is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data := a.conn.data
			if data == "" {
				return usage("where? Give --data DIR, or set ENTENTE_DATA")
			}
			ctx := c.Context()
			if _, err := os.Stat(filepath.Join(data, "keys")); errors.Is(err, os.ErrNotExist) {
				if err := layDemo(data); err != nil {
					return err
				}
				if err := node.Create(ctx, node.Init{Data: data, Nation: demoNation, Org: demoOrg}); err != nil {
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
		},
	}
	a.dataFlag(c)
	c.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` to listen on (configuration, else 127.0.0.1:8443)")
	return c
}

// layDemo writes the files that feeds read, and the configuration that names them where there is none yet.
func layDemo(data string) error {
	return fs.WalkDir(starter.Day, "day", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(data, demoDir, filepath.FromSlash(strings.TrimPrefix(name, "day")))
		switch base := path.Base(name); {
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		case base == node.ConfigFile:
			if to = filepath.Join(data, base); exists(to) {
				return nil
			}
		case base != "blocklist.txt" && path.Base(path.Dir(name)) != "misp":
			return nil
		}
		raw, err := starter.Day.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, raw, 0o600)
	})
}

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
	raw, err := starter.Day.ReadFile("day/" + demoDone)
	if err != nil {
		return err
	}
	return os.WriteFile(done, raw, 0o600)
}

func (a *app) stock(ctx context.Context, n *api.Client) error {
	if _, err := n.AddOrg(ctx, identity.Org{Name: demoPartner, Nation: demoNeighbor}); err != nil && fault.Of(err) != fault.Conflict {
		return err
	}
	for _, c := range demoCollections {
		c.Read, c.Write = []string{}, []string{}
		if _, err := n.AddCollection(ctx, c); err != nil && fault.Of(err) != fault.Conflict {
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
	a.say("%d objects of the starter set are in the collection %q, and those of the morning after in %q", objects, demoCollections[0].Alias, demoCollections[2].Alias)
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
