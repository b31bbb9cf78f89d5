package feed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// docProposals is which proposals were taken, in which version. Key: name.
const docProposals = "feed.proposals"

const (
	proposalDays    = 90 // how far back proposals are asked for, as MISP does
	proposalsAtOnce = 1000
	maxProposals    = 50_000 // of one server
)

// proposed is a proposal as a server tells of it.
type proposed struct {
	misp.ShadowAttribute
	key  string // its uuid here
	at   time.Time
	text jsontext.Value
}

// mispProposals takes what others propose to change in events of the server that are here. A proposal changes nothing: it stands by itself, names its
// event, and is listed to those who may have that.
func (r *Run) mispProposals(ctx context.Context, known *taken) error {
	var was versions
	if err := r.versions(ctx, docProposals, &was); err != nil {
		return err
	}
	before, listed := was.of(r), map[string]int64{}
	changed := false
	for page := 1; ; page++ {
		list, more, err := r.proposals(ctx, page)
		if err != nil {
			return err
		}
		if page*proposalsAtOnce > maxProposals {
			return fault.New(fault.Unprocessable, "feed.entries", "there are more than %d proposals of the last %d days", maxProposals, proposalDays)
		}
		var newer []proposed
		for _, p := range list {
			event, err := uuid.Parse(p.EventUUID)
			if e := known.at(event); err != nil || e.timestamp == 0 || e.bad {
				continue // its event is not here, or not for us
			}
			if before[p.key] < p.at.Unix() {
				newer = append(newer, p)
				changed = true
			}
			listed[p.key] = max(listed[p.key], before[p.key], p.at.Unix())
		}
		if err := r.someProposals(ctx, newer); err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if !changed || r.report.DryRun {
		return nil
	}
	was.Versions = listed // what is not listed any more is not asked for again
	_, err := r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc { return []store.Doc{doc(docProposals, r.c.Name, was)} })
	return err
}

// proposals asks for one page, and tells whether there may be more.
func (r *Run) proposals(ctx context.Context, page int) ([]proposed, bool, error) {
	since := r.now.AddDate(0, 0, -proposalDays).Unix()
	raw, err := r.mispBytes(ctx, http.MethodGet, fmt.Sprintf("shadow_attributes/index/all:1/timestamp:%d/limit:%d/page:%d/deleted[]:0/deleted[]:1.json", since, proposalsAtOnce, page), nil)
	if err != nil {
		return nil, false, err
	}
	var list misp.List[struct {
		Shadow jsontext.Value `json:"ShadowAttribute"`
	}]
	if err := misp.Decode(raw, &list); err != nil {
		return nil, false, fault.New(fault.Unprocessable, "feed.format", "the list of proposals cannot be read").Because(err)
	}
	var out []proposed
	for _, one := range list {
		p := proposed{}
		err := misp.Decode(one.Shadow, &p.ShadowAttribute)
		var ok bool
		if p.at, ok = misp.Time(p.Timestamp); err != nil || !ok || misp.UUID(p.UUID) == "" || p.Type == "" {
			r.Drop("misp.proposal", "it lacks a uuid, a timestamp or a type, or cannot be read", p.UUID)
			continue
		}
		proposer := ""
		if p.Org != nil {
			proposer = p.Org.UUID
		}
		// A proposal to change an attribute has the attribute's uuid, as have those of others to change the same.
		p.key = misp.Derived("proposal", misp.UUID(p.UUID), r.f.o.Nation, r.f.o.Org, proposer)
		p.text = without(one.Shadow, "id", "old_id", "event_id", "org_id", "event_org_id", "email")
		if b, err := json.Marshal(p.text, json.Deterministic(true)); err == nil {
			p.text = b
		}
		out = append(out, p)
	}
	return out, len(list) >= proposalsAtOnce, nil
}

// someProposals stores proposals, each under the label of its event.
func (r *Run) someProposals(ctx context.Context, list []proposed) error {
	if len(list) == 0 || r.report.DryRun {
		return nil
	}
	var ids []string
	for _, p := range list {
		ids = append(ids, "report--"+strings.ToLower(p.EventUUID), "grouping--"+strings.ToLower(p.EventUUID))
	}
	slices.Sort(ids)
	events, err := r.stored(ctx, slices.Compact(ids), true)
	if err != nil {
		return err
	}
	labels := map[string]label.Label{}
	for i := range events {
		rec := &events[i].Record
		_, id, _ := strings.Cut(rec.ID, "--")
		if l, both := labels[id]; both { // as grouping and as report: what both permit
			labels[id] = label.Join(l, rec.Label)
			continue
		}
		labels[id] = rec.Label
	}
	policy := r.policy()
	var items []misp.Item
	for _, p := range list {
		event := strings.ToLower(p.EventUUID)
		outer, ok := labels[event]
		if !ok {
			r.Drop("misp.proposal", "it is a proposal to an event that is not here", p.UUID)
			continue
		}
		l, stated := policy.Within(outer, true, p.Org, misp.DistributionInherit, nil, nil)
		if it, ok := (&misp.Loose{Kind: "proposal", UUID: p.key, At: p.at, Of: event, Label: l, TLP: stated, Text: p.text}).Item(); ok {
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return nil
	}
	for _, definition := range misp.Definitions() {
		items = append(items, misp.Item{Raw: definition, Label: label.For(label.Clear), Stated: true})
	}
	return r.labelled(ctx, items, nil)
}
