package cli

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/node"
	"entente/internal/surface/api"
	"entente/starter"
)

// The invented organisations of the starter set.
const (
	demoNation, demoOrg       = "UTO", "Utopia CERT"
	demoPartner, demoNeighbor = "Erewhon CERT", "XER"
	demoCollection            = "starter"
)

func (a *app) demoCmd() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use: "demo --data DIR", Short: "Run a node with a small starter set, for a first look",
		Long: `Run the node of the invented "Utopia CERT", with a starter set of invented objects in the collection "starter". The data directory is made when it
is not there; one that is there is served as it is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data := a.conn.data
			if data == "" {
				return usage("where? Give --data DIR, or set ENTENTE_DATA")
			}
			ctx := c.Context()
			fresh := false
			if _, err := os.Stat(filepath.Join(data, "keys")); errors.Is(err, os.ErrNotExist) {
				if err := node.Create(ctx, node.Init{Data: data, Nation: demoNation, Org: demoOrg}); err != nil {
					return err
				}
				fresh = true
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
			if fresh {
				if err := a.stock(ctx, api.NewClient("http://node", n.Local(), nil)); err != nil {
					return errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
				}
			}
			return a.run(ctx, n, cfg, 10*time.Second)
		},
	}
	a.dataFlag(c)
	c.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` to listen on (configuration, else 127.0.0.1:8443)")
	return c
}

// stock loads the starter set into a new node.
func (a *app) stock(ctx context.Context, n *api.Client) error {
	if _, err := n.AddOrg(ctx, identity.Org{Name: demoPartner, Nation: demoNeighbor}); err != nil {
		return err
	}
	if _, err := n.AddCollection(ctx, api.PutCollection{Alias: demoCollection, Title: "Starter set", Description: "Invented objects for a first look", Read: []string{}, Write: []string{}}); err != nil {
		return err
	}
	names, err := fs.Glob(starter.Files, "*.json")
	if err != nil {
		return err
	}
	objects := 0
	for _, name := range names {
		f, err := starter.Files.Open(name)
		if err != nil {
			return err
		}
		s, err := n.Import(ctx, f, url.Values{"collection": {demoCollection}}, func(api.Event) {})
		if err != nil {
			return err
		}
		if s.Refused+s.Different+s.Held > 0 {
			return fault.New(fault.Internal, "demo.starter", "%d objects of the starter set were not accepted", s.Refused+s.Different+s.Held)
		}
		objects += s.Objects
	}
	a.say("%d objects of the starter set are in the collection %q", objects, demoCollection)
	return nil
}
