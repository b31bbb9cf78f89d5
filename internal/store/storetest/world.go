package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// The small world of the random tests: few ids, versions, values, labels and viewers, so that everything meets everything.
var (
	now     = time.Now().UTC().Truncate(time.Second)
	parties = []gate.Party{{Nation: "UTO", Org: "cert"}, {Nation: "UTO", Org: "bank"}, {Nation: "KWT", Org: "ncsc"}}
	rules   = gate.New(gate.Rules{Nation: "UTO", Org: "cert", Realm: "operational", Clients: parties[1:2], Community: "allies",
		Communities: map[string][]gate.Party{"allies": {{Nation: "KWT"}, {Nation: "UTO"}}}})
	colls  = []string{"", "a", "b"}
	specs  = []string{"2.0", "2.1"}
	orders = []string{"2026-01-01T00:00:00", "2026-01-02T00:00:00", "2026-01-02T00:00:00.5"}
	kinds  = []string{"indicator", "malware", "ipv4-addr"}
	values = []record.Lookup{{Kind: record.Value, Text: "198.51.100.7"}, {Kind: record.Ref, Text: "identity--1"}, {Kind: record.Name, Text: "198.51.100.7"},
		{Kind: record.External, Text: "cve:CVE-2026-0001"}, {Kind: record.Ref, Text: id("indicator", 0)}, {Kind: record.Ref, Text: id("malware", 1)}, {Kind: record.Ref, Text: id("ipv4-addr", 0)}}
	creators = []string{"identity--1", "identity--2"}
	awaited  = []string{"marking-definition--1", "marking-definition--2"}
	tlps     = []label.TLP{label.Red, label.AmberStrict, label.Amber, label.Green, label.Clear}
)

// viewers are the scopes that read and write at a time: the node itself, each party, and a stranger.
func viewers(at time.Time) []gate.Scope {
	list := []gate.Scope{rules.Own(at)}
	for _, p := range append(parties, gate.Party{Nation: "XXA", Org: "stranger"}) {
		list = append(list, viewer(p, at))
	}
	return list
}

func viewer(p gate.Party, at time.Time) gate.Scope {
	return rules.Scope(gate.Viewer{Nation: p.Nation, Org: p.Org, Person: "p", Roles: []string{"analyst"}, Realm: "operational"}, at)
}

func pick[T interface{}](t *rapid.T, name string, list []T) T {
	return list[rapid.IntRange(0, len(list)-1).Draw(t, name)]
}

func some[T interface{}](t *rapid.T, name string, list []T) (chosen []T) {
	if rapid.IntRange(0, 2).Draw(t, "any "+name) > 0 {
		return nil
	}
	for range rapid.IntRange(1, 2).Draw(t, "n "+name) {
		chosen = append(chosen, pick(t, name, list))
	}
	return chosen
}

// genTimes gives a label an embargo, a retention or both around a time.
func genTimes(t *rapid.T, l *label.Label, at time.Time) {
	switch rapid.IntRange(0, 8).Draw(t, "times") {
	case 0:
		l.NotBefore = at.Add(time.Hour)
	case 1:
		l.NotAfter = at.Add(-time.Hour)
	case 2:
		l.NotBefore, l.NotAfter = at.Add(-time.Hour), at.Add(time.Hour)
	case 3:
		l.NotBefore, l.NotAfter = at.Add(time.Hour), at.Add(2*time.Hour)
	}
}

func genLabel(t *rapid.T, at time.Time) label.Label {
	l := label.For(pick(t, "tlp", tlps))
	genTimes(t, &l, at)
	if rapid.IntRange(0, 5).Draw(t, "attribution") == 0 {
		l.Attribution = label.MustNot
	}
	if rapid.IntRange(0, 3).Draw(t, "audience") == 0 {
		p := pick(t, "for", parties)
		set, err := label.NewAudience(label.Org(p.Nation, p.Org))
		if err != nil {
			t.Fatal(err)
		}
		l.Audience, l.Named = set, rapid.Bool().Draw(t, "named")
	}
	return l
}

// genID makes one of few ids; the last kind has no versions.
func genID(t *rapid.T) string { return id(pick(t, "kind", kinds), rapid.IntRange(0, 1).Draw(t, "id")) }

func id(kind string, n int) string {
	return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", kind, n)
}

func genRecord(t *rapid.T, at time.Time) record.Record {
	kind, n := pick(t, "kind", kinds), rapid.IntRange(0, 1).Draw(t, "id")
	p := pick(t, "origin", parties)
	r := record.Record{ID: id(kind, n), Kind: record.STIX, Type: kind, Spec: pick(t, "spec", specs), Label: genLabel(t, at), CreatedBy: pick(t, "creator", creators),
		Revoked: rapid.Bool().Draw(t, "revoked"), Origin: record.Origin{Nation: p.Nation, Org: p.Org, Person: "p", Via: "taxii"}}
	if kind != "ipv4-addr" {
		r.Order = pick(t, "order", orders)
		r.Version = r.Order + "Z"
	}
	r.Body = fmt.Appendf(nil, `{"id":%q,"modified":%q,"x":%d}`, r.ID, r.Version, rapid.IntRange(0, 1).Draw(t, "content"))
	r.Digest = sha256.Sum256(r.Body)
	if rapid.IntRange(0, 3).Draw(t, "signed") == 0 {
		r.Envelope = fmt.Appendf(nil, `{"payload":%q}`, r.Body)
	}
	for _, l := range values {
		if rapid.IntRange(0, 3).Draw(t, "has") == 0 {
			r.Lookups = append(r.Lookups, l)
		}
	}
	return r
}

func genBatch(t *rapid.T, at time.Time) store.Batch {
	b := store.Batch{Collection: pick(t, "collection", colls)}
	for range rapid.IntRange(1, 6).Draw(t, "puts") {
		p := store.Put{Record: genRecord(t, at)}
		if rapid.IntRange(0, 5).Draw(t, "hold") == 0 {
			p.Hold = genHold(t)
			p.Record.Label = label.For(label.Red)
			genTimes(t, &p.Record.Label, at)
		}
		if judge := pick(t, "judge", judges); judge != nil {
			r := p.Record
			p.Judge = func(prior []record.Record) *store.Hold { return judge(&r, prior) }
			p.HeldLabel = genLabel(t, at)
		}
		b.Puts = append(b.Puts, p)
	}
	return b
}

func genHold(t *rapid.T) *store.Hold {
	h := &store.Hold{Reasons: []store.Reason{{Code: "marking.unresolved", Message: "it is"}}, Intended: label.For(label.Green), Awaits: some(t, "awaits", awaited)}
	if rapid.Bool().Draw(t, "default") {
		l := label.For(pick(t, "default", tlps))
		h.Default = &l
	}
	if rapid.Bool().Draw(t, "restrict") {
		l := label.For(pick(t, "restrict", tlps))
		h.Restrict = &l
	}
	return h
}

// judges hold what another creator or one after a revocation makes, or whatever has a past: that one repeats all it was told.
var judges = []func(*record.Record, []record.Record) *store.Hold{nil, nil,
	func(r *record.Record, prior []record.Record) *store.Hold {
		for _, p := range prior {
			if p.CreatedBy != r.CreatedBy {
				return &store.Hold{Reasons: []store.Reason{{Code: "creator", Message: "another"}}, Awaits: awaited[1:]}
			}
		}
		return nil
	},
	func(r *record.Record, prior []record.Record) *store.Hold {
		for _, p := range prior {
			if p.Revoked && p.Spec == r.Spec && p.Order <= r.Order {
				return &store.Hold{Reasons: []store.Reason{{Code: "revoked", Message: "before"}}}
			}
		}
		return nil
	},
	func(r *record.Record, prior []record.Record) *store.Hold {
		var told []string
		for _, p := range prior {
			l := p.Label
			told = append(told, fmt.Sprintf("%s %s %s %s %s %t %s %+v %x %s %v %d %d %d %d %d", p.ID, p.Kind, p.Type, p.Spec, p.Version+p.Order, p.Revoked, p.CreatedBy, p.Origin,
				p.Digest[:4], l.TLP, l.Audience, l.NotBefore.Unix(), l.NotAfter.Unix(), len(p.Body), len(p.Envelope), len(p.Lookups)))
		}
		slices.Sort(told)
		return &store.Hold{Reasons: []store.Reason{{Code: "past", Message: strings.Join(told, "\n")}}}
	},
}

func genVersions(t *rapid.T) store.Versions {
	return store.Versions{All: rapid.IntRange(0, 3).Draw(t, "all") == 0, First: rapid.IntRange(0, 3).Draw(t, "first") == 0,
		Last: rapid.IntRange(0, 3).Draw(t, "last") == 0, At: some(t, "at", orders)}
}

// genQuery makes a query without cursor.
func genQuery(t *rapid.T, o *Oracle) store.Query {
	q := store.Query{Collection: pick(t, "collection", colls), Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Types: some(t, "type", kinds), Specs: some(t, "spec", specs),
		Versions: genVersions(t), Lookups: some(t, "lookup", values), TLPs: some(t, "tlp", tlps), Headers: rapid.Bool().Draw(t, "headers"), Held: rapid.Bool().Draw(t, "held")}
	if rapid.IntRange(0, 2).Draw(t, "ids") == 0 {
		q.IDs = []string{genID(t), genID(t)}
	}
	if rapid.IntRange(0, 3).Draw(t, "origin") == 0 {
		p := pick(t, "of", parties)
		q.Nation, q.Org = p.Nation, p.Org
	}
	if len(o.Entries) > 0 {
		if rapid.IntRange(0, 3).Draw(t, "added after") == 0 {
			q.AddedAfter = pick(t, "after", o.Entries).Seq
		}
		if rapid.IntRange(0, 3).Draw(t, "before") == 0 {
			q.Before = pick(t, "before", o.Entries).Seq
		}
	}
	return q
}
