package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/peer"
)

// Release is a record that an accord lets go to a party once a release officer has signed.
type Release struct {
	Key     string    `json:"key"` // by which it is decided
	Accord  string    `json:"accord"`
	ID      string    `json:"id"`
	Version string    `json:"version"`
	Party   string    `json:"party"`
	State   string    `json:"state"` // "waiting", "signed" or "refused"
	Since   time.Time `json:"since"`
	By      string    `json:"by,omitempty"` // who decided
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at,omitzero"`

	Envelope []byte `json:"envelope,omitempty"` // the officer's signed word
}

// States of a release.
const (
	Waiting = "waiting"
	Signed  = "signed"
	Refused = "refused"
)

const docRelease = "release"

// releaseType is the payload type of an officer's word.
const releaseType = "application/vnd.entente.release+json;v=1"

func releaseKey(accord string, it *store.Item, party gate.Party) string {
	return strings.Join([]string{accord, it.Record.ID, or(it.Record.Version), party.String()}, "|")
}

// isReleased tells whether an officer signed that the party may be given the record.
func (f *Federation) isReleased(ctx context.Context, accord string, it *store.Item, party gate.Party) bool {
	return f.release(ctx, releaseKey(accord, it, party)).State == Signed
}

func (f *Federation) release(ctx context.Context, key string) (r Release) {
	d, err := f.cfg.House.Doc(ctx, docRelease, key)
	if err != nil || json.Unmarshal(d.Value, &r) != nil {
		return Release{}
	}
	return r
}

// await notes what waits for an officer.
func (f *Federation) await(ctx context.Context, accord string, it *store.Item, judged []Judged) {
	for _, j := range judged {
		if !j.Waits || j.Class == rendition.Withheld.String() {
			continue
		}
		key := releaseKey(accord, it, j.party)
		if f.release(ctx, key).State != "" {
			continue
		}
		b, err := json.Marshal(Release{Key: key, Accord: accord, ID: it.Record.ID, Version: it.Record.Version, Party: j.party.String(), State: Waiting, Since: f.stamp()})
		if err == nil {
			err = f.cfg.House.PutDocs(ctx, store.Act{}, store.Doc{Kind: docRelease, Key: key, Value: b, Version: -1})
		}
		if err != nil {
			f.cfg.Log.Warn("a release that waits for an officer was not noted; it will be when the record is looked at again", "error", err)
		}
	}
}

// Releases lists what waits for an officer, or was decided, the oldest first.
func (f *Federation) Releases(ctx context.Context, v gate.Viewer) ([]Release, error) {
	if g := f.cfg.Gate(); !g.Can(v, gate.ReleaseSign) && !g.Can(v, gate.AccordRead) {
		return nil, fault.RoleMissing(gate.AccordRead)
	}
	out := []Release{}
	for after := ""; ; {
		docs, err := f.cfg.House.Docs(ctx, docRelease, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			after = d.Key
			var r Release
			if json.Unmarshal(d.Value, &r) == nil {
				out = append(out, r)
			}
		}
		if len(docs) == 0 || len(out) >= 10_000 {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b Release) int { return a.Since.Compare(b.Since) })
	return out, nil
}

// Decide signs or refuses a release. Who shared the record is not asked: whoever may decide is another person by role.
func (f *Federation) Decide(ctx context.Context, v gate.Viewer, key string, sign bool, reason string) (Release, error) {
	if !f.cfg.Gate().Can(v, gate.ReleaseSign) {
		return Release{}, fault.RoleMissing(gate.ReleaseSign)
	}
	if len(reason) > 500 {
		return Release{}, fault.New(fault.Invalid, "release.reason", "a reason has at most 500 bytes").At("reason")
	}
	r := f.release(ctx, key)
	if r.State == "" {
		return Release{}, fault.New(fault.NotFound, "", "no such release")
	}
	if r.State != Waiting {
		return r, fault.New(fault.Conflict, "release.decided", "%s decided this already: %s", r.By, r.State)
	}
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{r.ID}, Nation: f.cfg.Nation, Org: f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs})
	if err != nil {
		return r, err
	}
	items := slices.DeleteFunc(page.Items, func(it store.Item) bool { return it.Record.Version != r.Version })
	r.State, r.By, r.Reason, r.At = Refused, v.Org+"/"+v.Person, reason, f.stamp()
	if sign {
		s, err := f.cfg.Officer()
		if err != nil {
			return r, err
		}
		r.State = Signed
		payload, err := json.Marshal(r)
		if err != nil {
			return r, err
		}
		e, err := dsse.Sign(dsse.InRealm(releaseType, f.cfg.Realm), payload, s)
		if err != nil {
			return r, err
		}
		r.Envelope = e.Bytes()
	}
	b, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	if err := f.cfg.House.PutDocs(ctx, store.Act{Actor: r.By, Verb: "release." + r.State, Target: r.Accord, Detail: r.Party}, store.Doc{Kind: docRelease, Key: key, Value: b, Version: -1}); err != nil {
		return r, fmt.Errorf("writing down a release: %w", err)
	}
	if sign {
		err = f.give(ctx, items, nil, nil)
	}
	return r, err
}

// Given is where an object went, and what became of it there.
type Given struct {
	Accord   string    `json:"accord"`
	Parties  []string  `json:"parties"`
	Log      string    `json:"log"`
	Index    uint64    `json:"index"`
	Kind     string    `json:"kind"` // "put", "retract", "relabel" or "purge"
	Version  string    `json:"version,omitempty"`
	Class    string    `json:"class,omitempty"` // "full" or "reduced"
	ID       string    `json:"id,omitempty"`    // under which it went, while it is here
	At       time.Time `json:"at"`
	About    *uint64   `json:"about,omitempty"`     // of an order: the index of what it is about
	AboutLog string    `json:"about_log,omitempty"` // and the log, where that is an earlier one than the order's
	Acts     []Answer  `json:"acts,omitempty"`
}

// Answer is what a party says it did, in a receipt that it signed.
type Answer struct {
	Party   string    `json:"party"`
	Did     string    `json:"did"`
	Code    string    `json:"code,omitempty"`
	At      time.Time `json:"at"`
	Receipt []byte    `json:"receipt"`
}

// Purged tells whether nothing of an object is here any more, for whoever was purging it: what its receivers say still counts.
func (f *Federation) Purged(ctx context.Context, id string) (bool, error) {
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: specs, Headers: true})
	return len(page.Items) == 0, err
}

// Given lists where an own object went in audience logs, in the order in which it did.
func (f *Federation) Given(ctx context.Context, v gate.Viewer, id string) ([]Given, error) {
	if !f.cfg.Gate().Can(v, gate.AccordRead) {
		return nil, fault.RoleMissing(gate.AccordRead)
	}
	places, err := f.cfg.Ledger.Out(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []Given{}
	for _, p := range places {
		l, err := f.cfg.Ledger.Log(ctx, p.Origin)
		if err != nil {
			return nil, err
		}
		m := parseMark(p.Version)
		g := Given{Accord: l.Accord, Parties: l.Parties, Log: p.Origin, Index: p.Index, Kind: p.Leaf.Kind.String(), Version: m.version, Class: m.class.String(), At: p.Leaf.Time}
		switch {
		case p.Gone || p.Leaf.Kind != peer.Put:
			g.Class = ""
		case m.class == rendition.Reduced:
			g.ID = rendition.ID(f.audienceKey(l.Accord, l.Parties), id)
		default:
			g.ID = id
		}
		if p.Leaf.Target > 0 {
			about := p.Leaf.Target - 1
			if m.log != "" {
				g.AboutLog, about = m.log, m.index
			}
			g.About = &about
		}
		acts, err := f.cfg.Ledger.Receipts(ctx, p.Origin, p.Index)
		if err != nil {
			return nil, err
		}
		for _, a := range acts {
			g.Acts = append(g.Acts, Answer{a.Party, a.Did, a.Code, a.At, a.Envelope})
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b Given) int { return a.At.Compare(b.At) })
	return out, nil
}
