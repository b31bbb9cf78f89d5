package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/internal/surface"
	"entente/internal/surface/taxiiapi"
	"entente/label"
)

// A party of accords that runs no node fetches by TAXII what they give it. What lies there for it is kept apart, in a store that holds nothing else, under a
// gate that knows nobody else. It stands in no backup, because it is made of the audience logs.

// shelfFolder is where these stores stand below the data directory.
const shelfFolder = "shelves"

// shelfCacheKiB is the memory of one of them for its pages.
const shelfCacheKiB = 2 << 10

// shelf is what one party finds: a store, its one TAXII root, and the gate before both.
type shelf struct {
	party    gate.Party
	realm    string
	now      func() time.Time
	gate     *gate.Gate
	store    *sqlite.Store
	exchange *exchange.Exchange
	taxii    http.Handler
}

var _ federation.Shelf = (*shelf)(nil)

// openShelves opens the shelves of all parties that the configuration names, and destroys those of others.
func (n *Node) openShelves(ctx context.Context) error {
	names := n.ring.Names()
	for _, p := range n.cfg.Federation.parties() {
		if p == (gate.Party{Nation: names.Nation, Org: names.Org}) {
			return fault.New(fault.Invalid, "config.value", "%s is this node's own organisation", p).At("federation.taxii")
		}
		s, err := n.openShelf(ctx, p)
		if err != nil {
			return fmt.Errorf("opening what lies here for %s: %w", p, err)
		}
		n.shelves = append(n.shelves, s)
	}
	return n.dropShelves()
}

// dropShelves destroys what lies there for parties that the configuration does not name any more.
func (n *Node) dropShelves() error {
	all := filepath.Join(n.cfg.Data, shelfFolder)
	there, err := os.ReadDir(all)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range there {
		named := slices.ContainsFunc(n.shelves, func(s *shelf) bool { return s.folder() == d.Name() })
		if err == nil && !named {
			err = os.RemoveAll(filepath.Join(all, d.Name()))
		}
	}
	if err != nil {
		return fault.New(fault.Internal, "shelf.dir", "cannot remove from %s what no party fetches any more", all).Because(err)
	}
	return nil
}

// folder is the name of the party's folder. An organisation's name need not be one.
func (s *shelf) folder() string {
	sum := sha256.Sum256([]byte(s.party.String()))
	return fmt.Sprintf("%s-%x", strings.ToLower(s.party.Nation), sum[:6])
}

func (n *Node) openShelf(ctx context.Context, p gate.Party) (_ *shelf, err error) {
	s := &shelf{party: p, realm: n.cfg.Realm, now: n.cfg.Now,
		gate: gate.New(gate.Rules{Nation: p.Nation, Org: p.Org, Realm: n.cfg.Realm, Authorities: n.bases()})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	dir := filepath.Join(n.cfg.Data, shelfFolder, s.folder())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Internal, "shelf.dir", "cannot make %s", dir).Because(err)
	}
	if s.store, err = sqlite.Open(ctx, sqlite.Config{Dir: dir, Now: n.cfg.Now, Logger: n.cfg.Log, CacheKiB: shelfCacheKiB, MaxBytes: n.cfg.Limits.StoreBytes}); err != nil {
		return nil, err
	}
	if s.exchange, err = exchange.New(ctx, exchange.Config{Nation: p.Nation, Org: p.Org, Realm: n.cfg.Realm, Root: partnerRoot(p), Gate: func() *gate.Gate { return s.gate },
		Now: n.cfg.Now, Log: n.cfg.Log}, s.store); err != nil {
		return nil, err
	}
	return s, nil
}

// serveShelves makes the TAXII servers of the shelves.
func (n *Node) serveShelves(challenges []string) (err error) {
	for _, s := range n.shelves {
		if s.taxii, err = taxiiapi.New(taxiiapi.Config{Title: "What " + n.ring.Names().Org + " gives " + s.party.Org, Contact: n.cfg.TAXII.Contact, Secret: n.ring.Secret("taxii.next"),
			MaxContentLength: n.cfg.Limits.PostBytes, Challenges: challenges, Log: n.cfg.Log}, s.exchange); err != nil {
			return err
		}
	}
	return nil
}

// partnerRoot is the path of a party's API root.
func partnerRoot(p gate.Party) string { return "partner-" + strings.ToLower(p.Nation) }

func (s *shelf) close() error {
	if s.exchange != nil {
		s.exchange.Close()
	}
	if s.store != nil {
		return s.store.Close()
	}
	return nil
}

// shelved gives the parties that have a shelf what lies there, and nothing else; everybody else goes on. It lies there as the accords would give it at this
// moment, or nothing is answered.
func (n *Node) shelved(render surface.Render, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := surface.Viewer(r.Context()).Party()
		for _, s := range n.shelves {
			if s.party != who {
				continue
			}
			ctx, cancel := context.WithTimeout(r.Context(), n.cfg.Limits.Patience)
			err := n.federation.Settle(ctx)
			cancel()
			if err != nil {
				n.cfg.Log.Warn("what lies here for a partner cannot be brought up to date", "id", surface.RequestID(r.Context()), "partner", s.party.String(), "error", err)
				render(w, r, fault.New(fault.Unavailable, "shelf.busy", "this cannot be answered now").After(10*time.Second), surface.RequestID(r.Context()))
				return
			}
			s.taxii.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func (s *shelf) own() gate.Scope { return s.gate.Own(s.now()) }

// keeper is who makes the collections.
func (s *shelf) keeper() gate.Viewer {
	return gate.Viewer{Nation: s.party.Nation, Org: s.party.Org, Person: "node", Roles: []string{gate.RoleAdmin}, Realm: s.realm}
}

func (s *shelf) Party() gate.Party { return s.party }

// Collection finds the collection of an accord by its alias, which is the accord's name. Whoever of the party reads at all may read it, and nobody may write.
func (s *shelf) Collection(ctx context.Context, accord string) (string, error) {
	v := s.keeper()
	c, err := s.exchange.Collection(v, s.exchange.DefaultRoot(), accord)
	if err == nil {
		return c.ID, nil
	}
	if fault.Of(err) != fault.NotFound {
		return "", err
	}
	made, err := s.exchange.AddCollection(ctx, v, exchange.Collection{Alias: accord, Title: "Accord " + accord, Description: "What is given under the accord " + accord + ", to be handled as it says.",
		Write: []string{gate.RoleReader}})
	return made.ID, err
}

func (s *shelf) Append(ctx context.Context, b store.Batch) ([]store.Outcome, error) {
	return s.store.Append(ctx, s.own(), b)
}

func (s *shelf) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return s.store.Page(ctx, s.own(), q)
}

func (s *shelf) History(ctx context.Context, rec record.Seq) (store.History, error) {
	return s.store.History(ctx, s.own(), rec)
}

func (s *shelf) Remove(ctx context.Context, r store.Removal) (int, error) {
	return s.store.Remove(ctx, s.own(), r)
}

func (s *shelf) Relabel(ctx context.Context, r store.Relabelling) (record.Seq, error) {
	return s.store.Relabel(ctx, s.own(), r)
}

func (s *shelf) Purge(ctx context.Context, p store.Purge) (store.PurgeReport, error) {
	return s.store.Purge(ctx, s.own(), p)
}

// maxShelves bounds the parties that fetch by TAXII: each has a store of its own.
const maxShelves = 64

// parties are those that fetch by TAXII.
func (c *Federation) parties() []gate.Party {
	var out []gate.Party
	for _, text := range c.TAXII {
		if p, ok := gate.ParseParty(text); ok {
			out = append(out, p)
		}
	}
	return out
}

// validate says what cannot be.
func (c *Federation) validate(bad func(at, format string, args ...any) *fault.Error) error {
	if len(c.TAXII) > maxShelves {
		return bad("federation.taxii", "%d are more than %d", len(c.TAXII), maxShelves)
	}
	seen := map[string]string{}
	for _, text := range c.TAXII {
		p, ok := gate.ParseParty(text)
		if !ok || !label.IsNation(p.Nation) || label.CheckPrincipal(label.Org(p.Nation, p.Org)) != nil {
			return bad("federation.taxii", "%q is not NATION/organisation", text)
		}
		if other, ok := seen[p.Nation]; ok {
			return bad("federation.taxii", "%s and %s are of one nation, which has one root", other, text)
		}
		seen[p.Nation] = text
	}
	return nil
}
