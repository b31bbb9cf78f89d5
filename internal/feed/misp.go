package feed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// MISP is a feed of MISP events: a manifest, and a file for each event beside it.
type MISP struct{}

func (MISP) Kind() string { return "misp" }

const manifest = "manifest.json"

func (MISP) Check(c *Config) error {
	if c.Gone != "keep" || c.Expire != "" {
		return bad("gone", "what a MISP feed brought stays as its events say: say neither gone nor expire")
	}
	if err := c.checkMISP(); err != nil {
		return err
	}
	if c.url != nil && !strings.HasSuffix(c.url.Path, ".json") {
		c.url = c.url.JoinPath(manifest)
	}
	if c.File != "" && !strings.HasSuffix(c.File, ".json") {
		c.File = strings.TrimSuffix(c.File, "/") + "/" + manifest
	}
	return nil
}

// seen is what is kept of an event that was taken.
type seen struct {
	Timestamp string `json:"timestamp"`
	Digest    string `json:"digest,omitempty"`
	Settings  string `json:"settings"` // of the feed, when it was taken
}

const docEvent = "feed.event" // key: name/uuid

func (MISP) Pull(ctx context.Context, r *Run) error {
	d, err := r.Document(ctx)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	r.stand() // the events are fetched one by one
	raw, err := io.ReadAll(d)
	if err != nil {
		return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	events, err := misp.ParseManifest(raw)
	if err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "%v; nothing of it was taken", err)
	}
	if len(events) > r.c.Limits.Entries {
		return fault.New(fault.TooLarge, "feed.entries", "the manifest has more than %d events; nothing of it was taken", r.c.Limits.Entries).Try("raise the feed's limits.entries if that is right")
	}
	known, err := r.events(ctx)
	if err != nil {
		return err
	}
	ids := slices.SortedFunc(maps.Keys(events), func(a, b string) int {
		return cmp.Or(strings.Compare(events[a].Timestamp, events[b].Timestamp), strings.Compare(a, b))
	})
	missing := 0
	for _, id := range ids {
		if r.enough() {
			break
		}
		now := seen{events[id].Timestamp, strings.ToLower(events[id].SHA256), r.state.Settings}
		if known[id] == now {
			r.report.Counts.Read++
			r.report.Counts.Present++
			continue
		}
		err := r.event(ctx, id, events[id], now)
		var f *fault.Error
		switch {
		case err == nil:
		case errors.As(err, &f) && (f.Kind == fault.NotFound || f.Kind == fault.Unprocessable || f.Kind == fault.TooLarge): // of this event only
			missing++
			r.Drop(f.Code, said(f), id)
		default:
			return err
		}
	}
	if missing == 0 {
		r.took(d) // else the next run looks for the missing ones again
	}
	return nil
}

// events reads which events were taken, in which version.
func (r *Run) events(ctx context.Context) (map[string]seen, error) {
	out := map[string]seen{}
	prefix := r.c.Name + "/"
	for after := prefix; ; {
		docs, err := r.f.o.Docs.Docs(ctx, docEvent, after, 500)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			id, ok := strings.CutPrefix(d.Key, prefix)
			if !ok {
				return out, nil
			}
			var s seen
			if err := json.Unmarshal(d.Value, &s); err != nil {
				return nil, fault.New(fault.Internal, "store.document", "the stored state of the feed %s cannot be read", r.c.Name).Because(err)
			}
			out[id], after = s, d.Key
		}
		if len(docs) == 0 {
			return out, nil
		}
	}
}

// event takes one event: its objects, and in the transaction of the last of them that it was taken.
func (r *Run) event(ctx context.Context, id string, entry misp.ManifestEntry, now seen) error {
	d, err := r.Fetch(ctx, id+".json")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := r.sit(ctx); err != nil {
		return err
	}
	defer r.stand()
	raw, err := io.ReadAll(d)
	if err != nil {
		return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	if err := entry.Verify(raw); err != nil {
		return fault.New(fault.Unprocessable, "misp.integrity", "%v", err)
	}
	events, err := misp.Parse(raw)
	if err != nil {
		return fault.New(fault.Unprocessable, "misp.event", "%v", err)
	}
	if len(events) != 1 || !strings.EqualFold(events[0].UUID, id) {
		return fault.New(fault.Unprocessable, "misp.event", "the file does not hold the event that it is named after")
	}
	items, losses := misp.ToSTIX(events[0], misp.Options{Policy: r.policy()})
	for _, l := range losses {
		r.report.problem("converted", l.Code, l.Message, id+l.Pointer)
	}
	return r.labelled(ctx, items, func() []store.Doc { return []store.Doc{doc(docEvent, r.c.Name+"/"+id, now)} })
}

// policy says whom the distributions of a feed's events reach. A file says them for the instance that published it: by default only what is for all
// communities goes beyond this node's organisation; where the feed decides, its label does.
func (r *Run) policy() misp.Policy {
	p := misp.Policy{Origin: label.Org(r.f.o.Nation, r.f.o.Org), Principals: r.c.principals}
	p.Reach[3] = label.All()
	if r.c.Distribution == "feed" {
		p.Reach = [4]label.Set{label.All(), label.All(), label.All(), label.All()}
	}
	return p
}

// labelled stores objects that each have a label, joined to the feed's. The documents, which may be nil, are written with the last of them.
func (r *Run) labelled(ctx context.Context, items []misp.Item, last func() []store.Doc) error {
	r.report.Counts.Read += int64(len(items))
	groups := misp.ByLabel(items)
	for i, g := range groups {
		restrict, fallback := g.Label, r.c.label
		if r.c.label != nil {
			restrict = label.Join(restrict, *r.c.label)
		}
		if g.Stated {
			fallback = &restrict
		}
		left := len(g.Objects)
		for batch := range slices.Chunk(g.Objects, batchObjects) {
			left -= len(batch)
			end := i == len(groups)-1 && left == 0
			outcomes, err := r.submit(ctx, batch, &restrict, fallback, func([]exchange.Outcome) []store.Doc {
				if end && last != nil {
					return last()
				}
				return nil
			})
			if err != nil {
				return err
			}
			r.report.count(outcomes)
		}
	}
	return nil
}
