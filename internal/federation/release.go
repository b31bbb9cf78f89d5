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
	"entente/internal/ledger"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/keylog"
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

	Signing string   `json:"signing,omitempty"` // of one that waits: whose key must sign, "person" or "node"
	Holder  string   `json:"holder,omitempty"`  // number in the key log of the person who signed with a key of its own
	Signer  string   `json:"signer,omitempty"`  // the id of that key
	Why     string   `json:"why,omitempty"`     // it waits again
	Earlier [][]byte `json:"earlier,omitempty"` // signed words that count no longer for what would go now
}

// Whose key signs releases.
const (
	ByPerson = "person"
	ByNode   = "node"
)

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

// release is one by its key, as it counts now.
func (f *Federation) release(ctx context.Context, key string) (r Release) {
	d, err := f.cfg.House.Doc(ctx, docRelease, key)
	if err != nil || json.Unmarshal(d.Value, &r) != nil {
		return Release{}
	}
	if r.Holder != "" {
		r.count(f.keys())
	}
	return r
}

// keys is what the own nation's key log says now.
func (f *Federation) keys() *keylog.State { return f.cfg.Partners.KeyLog().State() }

// count has a release wait again whose signer's key turned out to have been in other hands.
func (r *Release) count(s *keylog.State) {
	if r.State != Signed || r.Holder == "" {
		return
	}
	if _, err := s.Person(keylog.RoleRelease, r.Signer, r.At); err != nil {
		r.lapse(err.Error())
	}
}

// signing tells whose key signs releases: once the key log has named an officer's of the own organisation, a person's and no other.
func (f *Federation) signing(keys *keylog.State) string {
	if keys.NamesPersons(f.cfg.Org, keylog.RoleRelease) {
		return ByPerson
	}
	return ByNode
}

func (f *Federation) keep(ctx context.Context, act store.Act, r *Release) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return f.cfg.House.PutDocs(ctx, act, store.Doc{Kind: docRelease, Key: r.Key, Value: b, Version: -1})
}

// askAgain has a release that was signed wait for another signature.
func (f *Federation) askAgain(ctx context.Context, key, why string) error {
	r := f.release(ctx, key)
	if r.State != Signed {
		return nil
	}
	r.lapse(why)
	r.Since = f.stamp()
	return f.keep(ctx, store.Act{}, &r)
}

// await notes what waits for an officer. What is there as it would go now waits for nobody, even when its signature counts no longer.
func (f *Federation) await(ctx context.Context, accord string, it *store.Item, judged []Judged, given []ledger.Place) {
	for i := range judged {
		j := &judged[i]
		if !j.Waits || j.Class == rendition.Withheld.String() {
			continue
		}
		key := releaseKey(accord, it, j.party)
		var err error
		switch old := f.release(ctx, key); {
		case old.State == "":
			err = f.keep(ctx, store.Act{}, &Release{Key: key, Accord: accord, ID: it.Record.ID, Version: it.Record.Version, Party: j.party.String(), State: Waiting, Since: f.stamp()})
		case j.lapsed && !f.has(it, j, given):
			err = f.askAgain(ctx, key, j.Why)
		}
		if err != nil {
			f.cfg.Log.Warn("a release that waits for an officer was not noted; it will be when the record is looked at again", "error", err)
		}
	}
}

// has tells whether the party was given the record as it would go now.
func (f *Federation) has(it *store.Item, j *Judged, given []ledger.Place) bool {
	return slices.ContainsFunc(given, func(p ledger.Place) bool {
		m := parseMark(p.Version)
		return slices.Contains(f.logs[p.Origin].parties, orgOf(j.party)) && m.version == or(it.Record.Version) && m.body == f.keyed(shown(&j.result))
	})
}

// Releases lists what waits for an officer, or was decided, the oldest first.
func (f *Federation) Releases(ctx context.Context, v gate.Viewer) ([]Release, error) {
	if g := f.cfg.Gate(); !g.Can(v, gate.ReleaseSign) && !g.Can(v, gate.AccordRead) {
		return nil, fault.RoleMissing(gate.AccordRead)
	}
	out, keys := []Release{}, f.keys()
	signing := f.signing(keys)
	for after := ""; ; {
		docs, err := f.cfg.House.Docs(ctx, docRelease, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			after = d.Key
			var r Release
			if json.Unmarshal(d.Value, &r) == nil {
				if r.count(keys); r.State == Waiting {
					r.Signing = signing
				}
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

// waiting is a release of which an officer may decide.
func (f *Federation) waiting(ctx context.Context, v gate.Viewer, key string) (Release, error) {
	if !f.cfg.Gate().Can(v, gate.ReleaseSign) {
		return Release{}, fault.RoleMissing(gate.ReleaseSign)
	}
	r := f.release(ctx, key)
	if r.State == "" {
		return Release{}, noRelease()
	}
	if r.State != Waiting {
		return r, fault.New(fault.Conflict, "release.decided", "%s decided this already: %s", r.By, r.State)
	}
	return r, nil
}

// ReleaseReview is what an officer looks at before signing.
type ReleaseReview struct {
	Release   Release `json:"release"`
	Signing   string  `json:"signing"`   // whose key must sign: "person" or "node"
	Statement []byte  `json:"statement"` // the exact bytes that a person signs (see Statement)
	Body      []byte  `json:"body"`      // the exact bytes that would go
}

// ReviewRelease is what would go if an officer signed now, and the statement to sign. See tells whether the viewer may see the object.
func (f *Federation) ReviewRelease(ctx context.Context, v gate.Viewer, key string, life time.Duration, see func(id string) error) (ReleaseReview, error) {
	if life == 0 {
		life = DefaultLife
	}
	if life < time.Minute || life > MaxReleaseLife {
		return ReleaseReview{}, fault.New(fault.Invalid, "release.life", "a signature is to be used within one minute to 90 days").At("hours")
	}
	r, err := f.waiting(ctx, v, key)
	if r.ID != "" && see(r.ID) != nil {
		return ReleaseReview{}, noRelease()
	}
	if err != nil {
		return ReleaseReview{}, err
	}
	items, err := f.items(ctx, &r)
	if err != nil {
		return ReleaseReview{}, err
	}
	st, body, err := f.draft(ctx, &r, items, life)
	if err != nil {
		return ReleaseReview{}, err
	}
	b, err := st.Encode()
	r.Signing = f.signing(f.keys())
	return ReleaseReview{r, r.Signing, b, body}, err
}

func noRelease() error { return fault.New(fault.NotFound, "", "no such release") }

// items are the records of a release.
func (f *Federation) items(ctx context.Context, r *Release) ([]store.Item, error) {
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{r.ID}, Nation: f.cfg.Nation, Org: f.cfg.Org, Versions: store.Versions{All: true}, Specs: specs})
	return slices.DeleteFunc(page.Items, func(it store.Item) bool { return it.Record.Version != r.Version }), err
}

// draft is the statement for an officer to sign now, and what would go.
func (f *Federation) draft(ctx context.Context, r *Release, items []store.Item, life time.Duration) (*Statement, []byte, error) {
	f.out.Lock()
	defer f.out.Unlock()
	for _, s := range f.cfg.Accords.Standings() {
		if s.Name != r.Accord {
			continue
		}
		for i := range items {
			nation, org, _ := strings.Cut(r.Party, "/")
			judged, err := f.judge(ctx, &s, &items[i], &writing{suppose: gate.Party{Nation: nation, Org: org}})
			if err != nil {
				return nil, nil, err
			}
			for k := range judged {
				j := &judged[k]
				if j.Party != r.Party || !j.Permit {
					continue
				}
				now := f.stamp()
				return &Statement{Key: r.Key, Nation: f.cfg.Nation, Org: f.cfg.Org, Party: r.Party, Accord: r.Accord, Digest: accordDigest(s.Digest), Clause: j.Clause, ID: r.ID, Version: r.Version,
					Class: j.Class, Object: ObjectDigest(j.Body), Label: whole(j.label()), Time: now, NotAfter: now.Add(life)}, j.Body, nil
			}
		}
	}
	return nil, nil, fault.New(fault.Conflict, "release.denied", "with or without an officer's signature, %s would not be given this now", r.Party).
		Try("see why: entente accord simulate " + r.Accord + " --object " + r.ID)
}

// Decision is what an officer says of a release.
type Decision struct {
	Key      string
	Sign     bool
	Reason   string
	Envelope []byte // the statement of ReviewRelease, signed with the officer's own key; nil: the node's key signs
}

// Decide signs or refuses a release. Who shared the record is not asked: whoever may decide is another person by role.
func (f *Federation) Decide(ctx context.Context, v gate.Viewer, d Decision) (Release, error) {
	r, err := f.waiting(ctx, v, d.Key)
	if err != nil {
		return r, err
	}
	if len(d.Reason) > 500 {
		return Release{}, fault.New(fault.Invalid, "release.reason", "a reason has at most 500 bytes").At("reason")
	}
	items, err := f.items(ctx, &r)
	if err != nil {
		return r, err
	}
	again := len(r.Earlier) > 0
	detail := r.Party
	r.State, r.Why, r.By, r.Reason, r.At = Refused, "", v.Org+"/"+v.Person, d.Reason, f.stamp()
	if d.Sign {
		if err := f.sign(ctx, &r, items, d.Envelope); err != nil {
			return r, err
		}
		if r.Holder != "" {
			detail += ", signed by person " + r.Holder + " with key " + r.Signer
		}
	}
	if err := f.keep(ctx, store.Act{Actor: r.By, Verb: "release." + r.State, Target: r.Accord, Detail: detail}, &r); err != nil {
		return r, fmt.Errorf("writing down a release: %w", err)
	}
	if d.Sign || again { // what went out by a word that counts no longer is destroyed when it is refused
		err = f.give(ctx, items, nil, nil)
	}
	return r, err
}

// sign puts an officer's signature to a release.
func (f *Federation) sign(ctx context.Context, r *Release, items []store.Item, envelope []byte) error {
	if envelope != nil {
		return f.accept(ctx, r, items, envelope)
	}
	if f.signing(f.keys()) == ByPerson {
		return fault.New(fault.Conflict, "release.person", "a release officer of %s signs with a key of its own", f.cfg.Org).By("the nation's key log names one").
			Try("entente release sign " + r.ID + " --signing-key FILE")
	}
	s, err := f.cfg.Officer()
	if err != nil {
		return err
	}
	r.State = Signed
	payload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	e, err := dsse.Sign(dsse.InRealm(releaseType, f.cfg.Realm), payload, s)
	if err != nil {
		return err
	}
	r.Envelope = e.Bytes()
	return nil
}

// accept takes a statement that an officer signed, when it is what would go now.
func (f *Federation) accept(ctx context.Context, r *Release, items []store.Item, envelope []byte) error {
	keys := f.keys()
	by, err := signedBy(keys, envelope, r.At)
	if err != nil {
		return err
	}
	payload, err := envelopeOf(envelope)
	if err != nil {
		return signature(err)
	}
	st, err := ParseStatement(payload)
	if err != nil {
		return err
	}
	if _, err := keys.Person(keylog.RoleRelease, by[0].Key.ID(), st.Time); err != nil || by[0].Org != f.cfg.Org {
		return fault.New(fault.Invalid, "release.signature", "the key did not count for release officers of %s when this was signed", f.cfg.Org)
	}
	switch {
	case st.Time.Before(r.Since) || st.Time.After(r.At.Add(maxAhead)) || st.NotAfter.After(st.Time.Add(MaxReleaseLife)):
		return fault.New(fault.Invalid, "release.life", "the statement is older than what waits, from the future, or would count for more than 90 days")
	case !r.At.Before(st.NotAfter):
		return fault.New(fault.Conflict, "release.life", "the statement was to be used before %s", stampText(st.NotAfter)).Try("look at the release and sign again")
	}
	now, _, err := f.draft(ctx, r, items, DefaultLife)
	if err != nil {
		return err
	}
	if !st.same(now) {
		return fault.New(fault.Conflict, "release.changed", "what was signed is not what would go now").Try("look at the release and sign again")
	}
	r.State, r.Envelope, r.Holder, r.Signer = Signed, envelope, by[0].Holder, by[0].Key.ID()
	return nil
}

// ReleaseBundle is the file of a release that an officer signed with a key of its own, for OpenRelease.
func (f *Federation) ReleaseBundle(ctx context.Context, v gate.Viewer, key string) ([]byte, error) {
	if !f.cfg.Gate().Can(v, gate.AccordRead) {
		return nil, fault.RoleMissing(gate.AccordRead)
	}
	r := f.release(ctx, key)
	if r.Holder == "" || r.State != Signed {
		return nil, fault.New(fault.NotFound, "", "no such release that an officer signed with a key of its own")
	}
	log, err := f.cfg.Partners.KeyLog().Bytes()
	if err != nil {
		return nil, err
	}
	return json.Marshal(ReleaseFile{r.Envelope, log})
}

func stampText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func envelopeOf(b []byte) ([]byte, error) {
	e, err := dsse.Parse(b)
	return e.Payload, err
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
