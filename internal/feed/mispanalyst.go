package feed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// docAnalyst is which notes, opinions and relationships of analysts were taken, in which version. Key: name.
const docAnalyst = "feed.analyst"

const (
	maxAnalyst    = 200_000 // of one server
	analystAtOnce = 20
)

// analystKinds are the kinds of analyst data, by the names of MISP.
var analystKinds = []string{"Note", "Opinion", "Relationship"}

// mispAnalyst takes what analysts say of events and their elements. STIX has no type for it: it stands by itself, and names what it is about.
func (r *Run) mispAnalyst(ctx context.Context) error {
	raw, err := r.mispBytes(ctx, http.MethodPost, "analyst_data/indexMinimal", map[string]any{})
	if err != nil {
		return err
	}
	var index map[string]misp.List[map[string]string]
	if err := misp.Decode(raw, &index); err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "the list of analyst data cannot be read").Because(err)
	}
	var was versions
	if err := r.versions(ctx, docAnalyst, &was); err != nil {
		return err
	}
	listed, changed := 0, false
	for _, kind := range analystKinds {
		newer := map[string]int64{}
		for _, one := range index[kind] {
			for id, modified := range one {
				at, ok := misp.Time(modified)
				if u := misp.UUID(id); u != "" && ok && was.of(r)[kind+"/"+u] < at.Unix() {
					newer[u] = at.Unix()
				}
				if listed++; listed > maxAnalyst {
					return fault.New(fault.Unprocessable, "feed.entries", "there are more than %d analyst data", maxAnalyst)
				}
			}
		}
		ids := make([]string, 0, len(newer))
		for id := range newer {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for some := range slices.Chunk(ids, analystAtOnce) {
			if r.report.DryRun {
				return nil
			}
			if err := r.someAnalyst(ctx, kind, some); err != nil {
				return err
			}
			for _, id := range some {
				was.of(r)[kind+"/"+id], changed = newer[id], true
			}
		}
	}
	if !changed {
		return nil
	}
	_, err = r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc { return []store.Doc{doc(docAnalyst, r.c.Name, was)} })
	return err
}

func (r *Run) someAnalyst(ctx context.Context, kind string, ids []string) error {
	path := "analyst_data/index/" + kind
	for _, id := range ids {
		path += "/uuid[]:" + id
	}
	raw, err := r.mispBytes(ctx, http.MethodGet, path+".json", nil)
	if err != nil {
		return err
	}
	var list misp.List[map[string]jsontext.Value]
	if err := misp.Decode(raw, &list); err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "the analyst data cannot be read").Because(err)
	}
	var items []misp.Item
	for _, one := range list {
		it, err := r.analyst(kind, one[kind])
		if err != nil {
			r.Drop("misp.analyst", err.Error(), kind)
			continue
		}
		items = append(items, it)
	}
	if len(items) == 0 {
		return nil
	}
	for _, definition := range misp.Definitions() {
		items = append(items, misp.Item{Raw: definition, Label: label.For(label.Clear), Stated: true})
	}
	return r.labelled(ctx, items, nil)
}

// analyst converts one. What it inherits its distribution from may not be here: then it is for us alone.
func (r *Run) analyst(kind string, raw jsontext.Value) (misp.Item, error) {
	var a struct {
		UUID         string             `json:"uuid"`
		About        string             `json:"object_uuid"`
		Modified     string             `json:"modified"`
		Distribution string             `json:"distribution"`
		Orgc         *misp.Org          `json:"Orgc"`
		Group        *misp.SharingGroup `json:"SharingGroup"`
	}
	if len(raw) == 0 {
		return misp.Item{}, fmt.Errorf("the answer holds something else")
	}
	if err := misp.Decode(raw, &a); err != nil {
		return misp.Item{}, fmt.Errorf("it cannot be read")
	}
	at, ok := misp.Time(a.Modified)
	if !ok || misp.UUID(a.UUID) == "" || misp.UUID(a.About) == "" {
		return misp.Item{}, fmt.Errorf("it lacks a uuid, what it is about, or when it was modified")
	}
	d := misp.Downgraded(a.Distribution)
	if d == "" || d == misp.DistributionInherit {
		d = misp.DistributionOrganisation
	}
	text := without(raw, "id", "related_object", "_canEdit", "locked", "Org", "SharingGroup", "sharing_group_id")
	if b, err := json.Marshal(text, json.Deterministic(true)); err == nil {
		text = b
	}
	p := r.policy()
	l, stated := p.Within(label.Bottom(), false, a.Orgc, d, a.Group, nil)
	it, ok := (&misp.Loose{Kind: strings.ToLower(kind), UUID: misp.UUID(a.UUID), At: at, Of: misp.UUID(a.About), Label: l, TLP: stated, Text: text}).Item()
	if !ok {
		return it, fmt.Errorf("its uuid is none that STIX allows")
	}
	return it, nil
}
