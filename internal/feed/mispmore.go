package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// sightingsAtOnce is of how many events sightings are asked for at once, as MISP does.
const sightingsAtOnce = 20

// attributeIDs are those that an attribute of its own can have in STIX.
func attributeIDs(id string) []string {
	return []string{"indicator--" + id, "observed-data--" + id, "x-misp-attribute--" + id, "vulnerability--" + id, "campaign--" + id}
}

// mispSightings takes the sightings of events that are here and have newer ones.
func (r *Run) mispSightings(ctx context.Context, index []indexed, known *taken) error {
	var newer []indexed
	for _, e := range index {
		if was := known.at(e.id); was.timestamp > 0 && !was.bad && e.sighting > was.sightings && e.published {
			newer = append(newer, e)
		}
	}
	for some := range slices.Chunk(newer, sightingsAtOnce) {
		if r.report.DryRun {
			return nil
		}
		if err := r.someSightings(ctx, some, known); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) someSightings(ctx context.Context, events []indexed, known *taken) error {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].id.String()
	}
	ask := map[string]any{"returnFormat": "json", "last": 0, "includeUuid": true, "uuid": ids}
	if r.c.MISP.Own != "" {
		ask["org_id"] = []string{"!" + r.c.MISP.Own}
	}
	raw, err := r.mispBytes(ctx, http.MethodPost, "sightings/restSearch/event", ask)
	if err != nil {
		return err
	}
	sightings, err := misp.ParseSightings(raw)
	if err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "%v", err)
	}
	of := map[string][]misp.Sighting{} // by attribute
	var unread []string
	for _, s := range sightings {
		id, err := uuid.Parse(s.AttributeUUID)
		if err != nil {
			continue
		}
		s.ID, s.AttributeID, s.EventID, s.OrgID, s.Unknown = "", "", "", "", nil
		cleanOrg(s.Organisation)
		if of[id.String()] == nil {
			unread = append(unread, id.String())
		}
		of[id.String()] = append(of[id.String()], s)
	}
	where, err := r.attributesHere(ctx, unread, ids)
	if err != nil {
		return err
	}
	var items []misp.Item
	for _, id := range unread {
		at, ok := where[id]
		if !ok {
			r.Drop("misp.sighting", "it is a sighting of an attribute that is not here", id)
			continue
		}
		items = append(items, misp.SightingsToSTIX(at.id, of[id], at.label)...)
	}
	keep := func() []store.Doc {
		var docs []store.Doc
		done := map[byte]bool{}
		for _, e := range events {
			was := known.at(e.id)
			was.sightings = e.sighting
			known.put(e.id, was)
		}
		for _, e := range events {
			if !done[e.id[0]] {
				done[e.id[0]] = true
				docs = append(docs, known.doc(r.c.Name, e.id[0]))
			}
		}
		return docs
	}
	if len(items) == 0 {
		_, err := r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc { return keep() })
		return err
	}
	return r.labelled(ctx, items, keep)
}

// place is where an element of MISP stands here.
type place struct {
	id    string
	label label.Label
}

// attributesHere finds the objects that attributes became: by their own ids, else, where they are part of a MISP object, in the objects of the events.
func (r *Run) attributesHere(ctx context.Context, attributes, events []string) (map[string]place, error) {
	out := map[string]place{}
	var ids []string
	for _, a := range attributes {
		ids = append(ids, attributeIDs(a)...)
	}
	items, err := r.stored(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	for i := range items {
		_, id, _ := strings.Cut(items[i].Record.ID, "--")
		out[id] = place{items[i].Record.ID, items[i].Record.Label}
	}
	left := slices.DeleteFunc(slices.Clone(attributes), func(a string) bool { _, ok := out[a]; return ok })
	if len(left) == 0 {
		return out, nil
	}
	for _, e := range events {
		listed, err := r.listedBefore(ctx, e)
		if err != nil {
			return nil, err
		}
		var ids []string
		for id := range listed {
			if typ, _, _ := strings.Cut(id, "--"); typ == "indicator" || typ == "observed-data" || typ == "x-misp-object" {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		for some := range slices.Chunk(ids, 200) {
			items, err := r.stored(ctx, some, false)
			if err != nil {
				return nil, err
			}
			for i := range items {
				rec := &items[i].Record
				left = slices.DeleteFunc(left, func(a string) bool {
					if !bytes.Contains(rec.Body, []byte(a)) {
						return false
					}
					out[a] = place{rec.ID, rec.Label}
					return true
				})
			}
			if len(left) == 0 {
				return out, nil
			}
		}
	}
	return out, nil
}

// stored reads the latest versions of objects; with headers, without their bodies.
func (r *Run) stored(ctx context.Context, ids []string, headers bool) ([]store.Item, error) {
	some := 200
	if headers {
		some = 500
	}
	var out []store.Item
	for part := range slices.Chunk(ids, some) {
		q := store.Query{IDs: part, Limit: some, Headers: headers}
		for {
			page, err := r.f.o.Exchange.Read(ctx, r.viewer, q)
			if err != nil {
				return nil, err
			}
			out = append(out, page.Items...)
			if q.After = page.Next; !page.More {
				break
			}
		}
	}
	return out, nil
}

// docClusters is which custom clusters were taken, in which version. Key: name.
const docClusters = "feed.clusters"

// maxClusters bounds the custom clusters that are taken of one server.
const maxClusters = 50_000

// mispClusters takes the clusters that a server's people made themselves. The published ones everybody has.
func (r *Run) mispClusters(ctx context.Context) error {
	var list misp.List[struct {
		Cluster struct {
			UUID    string `json:"uuid"`
			Version loose  `json:"version"`
		} `json:"GalaxyCluster"`
	}]
	if err := r.mispJSON(ctx, http.MethodPost, "galaxy_clusters/restSearch", map[string]any{"published": 1, "minimal": 1, "custom": 1}, &list); err != nil {
		return err
	}
	if len(list) > maxClusters {
		return fault.New(fault.Unprocessable, "feed.entries", "there are more than %d custom clusters", maxClusters)
	}
	var was versions
	if err := r.versions(ctx, docClusters, &was); err != nil {
		return err
	}
	changed := false
	for _, one := range list {
		id, err := uuid.Parse(one.Cluster.UUID)
		if err != nil || was.of(r)[id.String()] >= one.Cluster.Version.n && one.Cluster.Version.n > 0 {
			continue
		}
		raw, err := r.mispBytes(ctx, http.MethodGet, "galaxy_clusters/view/"+id.String(), nil)
		if err == nil {
			var g misp.Galaxy
			if g, err = misp.ParseCluster(raw); err != nil {
				err = fault.New(fault.Unprocessable, "misp.cluster", "%v", err)
			} else {
				err = r.mispCluster(ctx, g)
			}
		}
		if f := fault.As(err); err != nil {
			if f.Kind != fault.Unprocessable && f.Kind != fault.NotFound && f.Kind != fault.Forbidden {
				return err
			}
			r.Drop(f.Code, said(f), id.String())
		}
		was.of(r)[id.String()], changed = max(one.Cluster.Version.n, 1), true
	}
	if !changed || r.report.DryRun {
		return nil
	}
	_, err := r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc { return []store.Doc{doc(docClusters, r.c.Name, was)} })
	return err
}

// mispCluster stores one cluster, as the domain object that its galaxy stands for.
func (r *Run) mispCluster(ctx context.Context, g misp.Galaxy) error {
	k := &g.Clusters[0]
	k.ID, k.GalaxyID, k.SharingGroupID, k.Org, k.Distribution = "", "", "", nil, misp.Downgraded(k.Distribution)
	cleanOrg(k.Orgc)
	cleanGroup(k.SharingGroup)
	items, _ := misp.ToSTIX(&misp.Event{UUID: k.UUID, Timestamp: "0", Distribution: misp.DistributionAll, Orgc: k.Orgc, Galaxies: misp.List[misp.Galaxy]{g}}, misp.Options{Policy: r.policy()})
	items = slices.DeleteFunc(items, func(it misp.Item) bool {
		return !strings.HasSuffix(it.ID, "--"+strings.ToLower(k.UUID)) || strings.HasPrefix(it.ID, "grouping--")
	})
	if len(items) == 0 {
		return fault.New(fault.Unprocessable, "misp.cluster", "STIX has no type for clusters of the galaxy %s: it is left out", cut(g.Type))
	}
	return r.labelled(ctx, items, nil)
}

// versions is which version of each of many small things was taken, under which settings of the feed.
type versions struct {
	Settings string           `json:"settings"`
	Versions map[string]int64 `json:"versions"`
}

func (v *versions) of(r *Run) map[string]int64 {
	if v.Settings != r.state.Settings || v.Versions == nil {
		v.Settings, v.Versions = r.state.Settings, map[string]int64{}
	}
	return v.Versions
}

func (r *Run) versions(ctx context.Context, kind string, into *versions) error {
	d, err := r.f.o.Docs.Doc(ctx, kind, r.c.Name)
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(d.Value, into); err != nil {
		return fault.New(fault.Internal, "store.document", "the stored state of the feed %s cannot be read", r.c.Name).Because(err)
	}
	return nil
}
