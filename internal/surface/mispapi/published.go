package mispapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/surface"
	"entente/misp"
)

// FeedPrefix is where MISP feeds are fetched: FeedPrefix + NAME + "/manifest.json", where NAME is a collection, or AllEvents.
const FeedPrefix = "/feeds/misp/"

// AllEvents is the name of the feed of everything that the viewer may have.
const AllEvents = "all"

// Anonymous is who asks without a credential, where the configuration lets anybody fetch feeds. No label can name it, so that the gate gives it what
// is TLP:CLEAR for everybody, and nothing else.
func Anonymous(realm string) gate.Viewer {
	return gate.Viewer{Nation: "-", Org: "anonymous", Person: "feed", Roles: []string{gate.RoleReader}, Realm: realm}
}

// Unsigned lets requests without any credential through as Anonymous. It comes before the hall.
func Unsigned(realm string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		certified := r.TLS != nil && len(r.TLS.VerifiedChains) > 0
		if r.Header.Get("Authorization") == "" && r.Header.Get("X-Misp-Auth") == "" && !certified {
			r = r.WithContext(surface.WithViewer(r.Context(), Anonymous(realm)))
		}
		next.ServeHTTP(w, r)
	})
}

// Published is the published events that the viewer may have, by uuid, with their timestamps. collection is an id; empty: the whole store.
func (s *Surface) Published(ctx context.Context, v gate.Viewer, collection string) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.publishedHeads(ctx, v, collection, true, func(h *head, it *store.Item) error {
		if !s.cfg.Rules.empty() {
			keeps, err := s.ruledOut(ctx, v, h)
			if err != nil || keeps {
				return err
			}
		}
		out[h.uuid] = h.at.Unix()
		return nil
	})
	return out, err
}

// publishedHeads calls fn for the report of each published event.
func (s *Surface) publishedHeads(ctx context.Context, v gate.Viewer, collection string, headers bool, fn func(*head, *store.Item) error) error {
	q := store.Query{Collection: collection, Types: []string{"report"}, Headers: headers}
	return pages(ctx, s.x, v, q, func(it *store.Item) (bool, error) {
		h := headOf(it)
		if h.revoked || h.held {
			return true, nil
		}
		return true, fn(&h, it)
	})
}

// ruledOut tells whether the rules of the node keep an event back from a viewer.
func (s *Surface) ruledOut(ctx context.Context, v gate.Viewer, h *head) (bool, error) {
	it, ok, err := s.find(ctx, v, h.uuid, false)
	if err != nil || !ok {
		return true, err
	}
	ev, err := s.open(ctx, v, s.orgs(), &it, elements{})
	if err != nil {
		return true, err
	}
	if err := ev.ruled(); err != nil {
		if fault.Of(err) == fault.Internal || fault.Of(err) == fault.Unavailable {
			return true, err
		}
		return true, nil
	}
	return false, nil
}

// openPublished begins to read a published event of a collection.
func (s *Surface) openPublished(ctx context.Context, v gate.Viewer, collection, uuid string, want elements) (*opened, error) {
	none := noSuch("no such event")
	if misp.UUID(uuid) != uuid {
		return nil, none
	}
	p, err := s.x.Read(ctx, v, store.Query{Collection: collection, IDs: []string{"report--" + uuid}})
	if err != nil {
		return nil, err
	}
	if len(p.Items) == 0 {
		return nil, none
	}
	it := &p.Items[len(p.Items)-1]
	if it.Held || it.Record.Revoked {
		return nil, none
	}
	ev, err := s.open(ctx, v, s.orgs(), it, want)
	if err != nil {
		return nil, err
	}
	if err := ev.ruled(); err != nil {
		return nil, none
	}
	return ev, nil
}

// WriteEvent writes a published event as the viewer may have it, with its Event wrapper. As it is pushed it is locked, so that the other instance
// takes changes of it from here, and elements that are deleted are there and say so.
func (s *Surface) WriteEvent(ctx context.Context, v gate.Viewer, collection, uuid string, push bool, w io.Writer) error {
	ev, err := s.openPublished(ctx, v, collection, uuid, elements{deleted: push})
	if err != nil {
		return err
	}
	ev.event.Locked = misp.FlagOf(push)
	return ev.write(w, false)
}

// Manifest is what the feed says of its events, read with their bodies: what a viewer of another organisation is told is written down as released.
func (s *Surface) Manifest(ctx context.Context, v gate.Viewer, collection string) (map[string]misp.ManifestEntry, error) {
	out := map[string]misp.ManifestEntry{}
	o := s.orgs()
	err := s.publishedHeads(ctx, v, collection, false, func(h *head, it *store.Item) error {
		if !s.cfg.Rules.empty() {
			if keeps, err := s.ruledOut(ctx, v, h); err != nil || keeps {
				return err
			}
		}
		e := s.outHead(v, o, h, summaryOf(it).event)
		out[h.uuid] = e.Entry(nil)
		return nil
	})
	for id, e := range out {
		e.SHA256 = "" // the file is made when it is asked for
		out[id] = e
	}
	return out, err
}

// Hashes writes the hashes.csv of a feed.
func (s *Surface) Hashes(ctx context.Context, v gate.Viewer, collection string, w io.Writer) error {
	events, err := s.Published(ctx, v, collection)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	for _, id := range sortedKeys(events) {
		ev, err := s.openPublished(ctx, v, collection, id, elements{})
		if fault.Of(err) == fault.NotFound && err != nil {
			continue // gone since
		}
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		err = ev.each(func(el *misp.Element) error {
			lines := misp.AppendHashes(nil, &misp.Event{UUID: id, Attributes: el.Attributes, Objects: el.Objects})
			for line := range bytes.Lines(lines) {
				if hash := string(line[:32]); !seen[hash] {
					seen[hash] = true
					out.Write(line)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return out.Flush()
}

// Feeds serves the feeds below FeedPrefix.
func (s *Surface) Feeds() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r, v: surface.Viewer(r.Context())}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache, private")
		w.Header().Set("Vary", "Authorization")
		if err := s.feed(c); err != nil {
			c.refuse(err)
		}
	})
}

func (s *Surface) feed(c *call) error {
	name, file, ok := strings.Cut(strings.TrimPrefix(c.r.URL.Path, FeedPrefix), "/")
	switch {
	case c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
		return fault.New(fault.Unsupported, "method", "feeds are fetched with GET").Try("use GET")
	case !ok || name == "" || c.r.URL.RawQuery != "" || len(c.r.URL.Path) > maxPath:
		return noSuch("there is no feed at this path")
	}
	if !s.x.Gate().Can(c.v, gate.ObjectRead) {
		return fault.RoleMissing(gate.ObjectRead)
	}
	collection := ""
	if name != AllEvents {
		col, err := s.x.Collection(c.v, "", name)
		if err != nil {
			return err
		}
		collection = col.ID
	}
	ctx := c.r.Context()
	switch id, isEvent := strings.CutSuffix(file, ".json"); {
	case file == "manifest.json":
		entries, err := s.Manifest(ctx, c.v, collection)
		if err != nil {
			return err
		}
		raw, err := misp.MarshalManifest(entries)
		if err != nil {
			return err
		}
		return c.document("application/json", raw)
	case file == "hashes.csv":
		c.w.Header().Set("Content-Type", "text/csv")
		if c.r.Method == http.MethodHead {
			return nil
		}
		return c.stream(func(w io.Writer) error { return s.Hashes(ctx, c.v, collection, w) })
	case isEvent:
		ev, err := s.openPublished(ctx, c.v, collection, id, elements{})
		if err != nil {
			return err
		}
		c.w.Header().Set("Content-Type", "application/json")
		if c.r.Method == http.MethodHead {
			return nil
		}
		return c.stream(func(w io.Writer) error { return ev.write(w, false) })
	}
	return noSuch("there is nothing at this path")
}

// document answers with something that is whole, or says that the asker has it already.
func (c *call) document(media string, raw []byte) error {
	sum := sha256.Sum256(raw)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h := c.w.Header()
	h.Set("ETag", etag)
	h.Set("Content-Type", media)
	for _, have := range strings.Split(c.r.Header.Get("If-None-Match"), ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == etag || have == "*" {
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	if c.r.Method == http.MethodHead {
		return nil
	}
	_, err := c.w.Write(raw)
	return err
}

func sortedKeys(m map[string]int64) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
