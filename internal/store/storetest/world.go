package storetest

import (
	"crypto/sha256"
	"fmt"
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
	tlps = []label.TLP{label.Red, label.AmberStrict, label.Amber, label.Green, label.Clear}
)

// viewers are the scopes that read and write: the node itself, each party, and a stranger.
func viewers() []gate.Scope {
	list := []gate.Scope{rules.Own(now)}
	for _, p := range append(parties, gate.Party{Nation: "XXA", Org: "stranger"}) {
		list = append(list, viewer(p))
	}
	return list
}

func viewer(p gate.Party) gate.Scope {
	return rules.Scope(gate.Viewer{Nation: p.Nation, Org: p.Org, Person: "p", Roles: []string{"analyst"}, Realm: "operational"}, now)
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

func genLabel(t *rapid.T) label.Label {
	l := label.For(pick(t, "tlp", tlps))
	switch rapid.IntRange(0, 7).Draw(t, "times") {
	case 0:
		l.NotBefore = now.Add(time.Hour)
	case 1:
		l.NotAfter = now.Add(-time.Hour)
	case 2:
		l.NotBefore, l.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	}
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

func genRecord(t *rapid.T) record.Record {
	kind, n := pick(t, "kind", kinds), rapid.IntRange(0, 1).Draw(t, "id")
	p := pick(t, "origin", parties)
	r := record.Record{ID: id(kind, n), Kind: record.STIX, Type: kind, Spec: pick(t, "spec", specs), Label: genLabel(t), CreatedBy: "identity--1",
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

func genBatch(t *rapid.T) store.Batch {
	b := store.Batch{Collection: pick(t, "collection", colls)}
	for range rapid.IntRange(1, 6).Draw(t, "puts") {
		p := store.Put{Record: genRecord(t)}
		if rapid.IntRange(0, 5).Draw(t, "hold") == 0 {
			p.Hold = &store.Hold{Reasons: []store.Reason{{Code: "marking.unresolved", Message: "it is"}}, Intended: label.For(label.Green), Awaits: some(t, "awaits", []string{"marking-definition--1", "marking-definition--2"})}
			p.Record.Label = label.For(label.Red)
		}
		b.Puts = append(b.Puts, p)
	}
	return b
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
