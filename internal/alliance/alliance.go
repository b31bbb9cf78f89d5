// Package alliance stands up several whole nodes in one process, each of an invented nation, and plays a day of theirs: accords are signed, things are shared,
// kept apart, taken back and destroyed. Whatever happens goes through the nodes' own interfaces and over the wire between them.
package alliance

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/node"
	"entente/internal/surface/api"
	"entente/label"
)

// Member is a nation of an alliance before it has a node.
type Member struct {
	Code string
	Org  string
	Name string // as people call the nation
}

// Members are the invented nations of the demonstration, the one that plays the first part first.
var Members = []Member{
	{"UTO", "Utopia CERT", "Utopia"},
	{"RUR", "Ruritania CERT", "Ruritania"},
	{"FRE", "Freedonia CERT", "Freedonia"},
	{"SYL", "Sylvania CERT", "Sylvania"},
}

// Config says where an alliance stands.
type Config struct {
	Dir    string // each nation's data directory is in it
	Listen string // host:port of the first console; the others follow it, where a port is free. Port 0: any
	Realm  string // "exercise:NAME", or empty: operations
	Log    *slog.Logger
	// Ready is called for each node that is new, before it listens.
	Ready func(ctx context.Context, n *Nation) error
	Lay   func(m Member, data string) error // puts files into a data directory before the node is made
}

// Nation is a member with its node.
type Nation struct {
	Member
	Data  string
	API   *api.Client // as whoever may open the data directory
	node  *node.Node
	realm string
	New   bool // the node was made now
}

// URL is where the nation's console answers.
func (n *Nation) URL() string { return n.node.URL() }

// Named is the same under a name of the machine's own that no other console has: a browser keeps the cookies of different names apart, but not those of
// different ports.
func (n *Nation) Named() string {
	_, port, err := net.SplitHostPort(n.node.Addr())
	if err != nil {
		return n.URL()
	}
	return "https://" + n.host() + ":" + port
}

func (m Member) host() string { return strings.ToLower(m.Code) + ".localhost" }

// SetupLink is a link to choose the first administrator's password.
func (n *Nation) SetupLink(ctx context.Context) (string, error) { return n.node.SetupLink(ctx) }

// Alliance is nations in one process, and the lines between them.
type Alliance struct {
	Nations []*Nation
	realm   string
	lines   *lines
}

// Data is where the node of a nation stands.
func (c *Config) Data(code string) string { return filepath.Join(c.Dir, strings.ToLower(code)) }

// Start makes the nodes that are not there, and starts all. They know each other afterwards.
func Start(ctx context.Context, cfg Config, members ...Member) (*Alliance, error) {
	a := &Alliance{realm: cmp.Or(cfg.Realm, string(label.OperationalMode)), lines: newLines(), Nations: make([]*Nation, len(members))}
	consoles, err := addresses(cfg.Listen, len(members))
	if err != nil {
		return nil, err
	}
	by, err := a.authority(members)
	if err != nil {
		return nil, err
	}
	g, all := errgroup.WithContext(ctx)
	for i, m := range members {
		g.Go(func() (err error) {
			a.Nations[i], err = a.open(all, cfg, m, consoles[i], by)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
}

// open makes a node where there is none, and starts it.
func (a *Alliance) open(ctx context.Context, cfg Config, m Member, listen string, by *authority) (_ *Nation, err error) {
	n := &Nation{Member: m, Data: cfg.Data(m.Code), realm: a.realm}
	if n.New = !exists(filepath.Join(n.Data, "keys")); n.New {
		if cfg.Lay != nil {
			if err := cfg.Lay(m, n.Data); err != nil {
				return nil, err
			}
		}
		if err := node.Create(ctx, node.Init{Data: n.Data, Nation: m.Code, Org: m.Org, Realm: a.realm, Hosts: []string{m.host()}}); err != nil {
			return nil, err
		}
		if err := by.lay(n.Data, a.realm); err != nil {
			return nil, err
		}
	}
	c, err := node.LoadConfig(n.Data)
	if err != nil {
		return nil, err
	}
	if c.Realm != a.realm {
		return nil, fault.New(fault.Conflict, "demo.realm", "%s belongs to the realm %q, not to %q", n.Data, c.Realm, a.realm).Try("give the directory of that realm's day, or a new one")
	}
	c.Listen, c.Log, c.Dial = listen, cfg.Log.With("nation", m.Code), a.lines.from(m.Code)
	c.TLS.Hosts = append(c.TLS.Hosts, m.host())
	c.Federation.Listen = "127.0.0.1:0"
	c.Limits.CacheBytes, c.Index.CacheBytes = 8<<20, 4<<20 // several of them share one machine
	if n.node, err = node.New(ctx, c); err != nil {
		return nil, err
	}
	n.API = api.NewClient("http://node", n.node.Local(), nil)
	if cfg.Ready != nil {
		err = cfg.Ready(ctx, n)
	}
	if err == nil {
		err = n.node.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, n.node.Stop(context.WithoutCancel(ctx)))
	}
	a.lines.lead(n.node.PartnerAddr(), m.Code)
	return n, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// addresses are where consoles listen: the first as it is said, the others on the next ports that nobody has.
func addresses(first string, count int) ([]string, error) {
	host, port, err := net.SplitHostPort(first)
	base, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return nil, fault.New(fault.Invalid, "listen", "%q is not host:port", first)
	}
	out := []string{first}
	for p := base; len(out) < count; {
		at := net.JoinHostPort(host, "0")
		if base != 0 {
			if p++; p > 65535 {
				return nil, fault.New(fault.Invalid, "listen", "no ports are free after %d", base)
			}
			at = net.JoinHostPort(host, strconv.Itoa(p))
			l, err := net.Listen("tcp", at)
			if err != nil {
				continue
			}
			l.Close()
		}
		out = append(out, at)
	}
	return out, nil
}

// Find gives the nation of a code.
func (a *Alliance) Find(code string) *Nation {
	i := slices.IndexFunc(a.Nations, func(n *Nation) bool { return n != nil && n.Code == code })
	if i < 0 {
		return nil
	}
	return a.Nations[i]
}

// Meet has every two nations take each other's card, after the fingerprint on it was compared with the one that the other reads out.
func (a *Alliance) Meet(ctx context.Context) error {
	for _, of := range a.Nations {
		book, err := of.API.Keys(ctx)
		if err != nil {
			return err
		}
		var card strings.Builder
		if err := of.API.Card(ctx, of.node.PartnerAddr(), &card); err != nil {
			return err
		}
		for _, at := range a.Nations {
			if at == of {
				continue
			}
			if _, err := at.API.AddPeer(ctx, of.Code, book.Fingerprint, []byte(card.String())); err != nil {
				return fmt.Errorf("%s takes the card of %s: %w", at.Code, of.Code, err)
			}
		}
	}
	return nil
}

// Cut cuts every line of a nation, or heals them.
func (a *Alliance) Cut(code string, cut bool) { a.lines.cut(code, cut) }

// Stop ends every node.
func (a *Alliance) Stop(ctx context.Context) error {
	errs := make([]error, len(a.Nations))
	var all sync.WaitGroup
	for i, n := range a.Nations {
		if n != nil {
			all.Go(func() { errs[i] = n.node.Stop(ctx) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// given is where an own object went, and what became of it there, even when the object itself was purged.
func (n *Nation) given(ctx context.Context, id string) ([]federation.Given, error) {
	return n.node.Federation().Given(ctx, gate.Viewer{Nation: n.Code, Org: n.Org, Person: node.Local, Roles: []string{gate.RoleOfficer}, Realm: n.realm}, id)
}

// onDisk tells whether a file of the nation's data directory holds a text.
func (n *Nation) onDisk(text string) (found bool, err error) {
	err = filepath.WalkDir(n.Data, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Type().IsRegular() {
			return nil // files of a database come and go
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	return found, err
}
