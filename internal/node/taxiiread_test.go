package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"entente/internal/exchange"
)

const headerFirst, headerLast = "X-Taxii-Date-Added-First", "X-Taxii-Date-Added-Last"

var microseconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// finds checks which versions queries give: query → versions, in order. In a query $1 to $9 are the dates added in the collection,
// in order, and <type-n> is an id.
func finds(fill func(*bench), cases map[string]string) func(*bench) {
	return func(b *bench) {
		fill(b)
		added := b.added()
		for query, want := range cases {
			if got := b.get("objects/?" + b.query(query, added)).want(200).found(); got != want {
				b.t.Errorf("%s: %q, want %q", query, got, want)
			}
			// The manifest follows the same filters (section 5.3).
			if n := len(b.records("manifest/?" + b.query(query, added))); n != len(strings.Fields(want)) {
				b.t.Errorf("%s: %d manifest records, want %q", query, n, want)
			}
		}
	}
}

var idOf = regexp.MustCompile(`<([a-z]+)-(\d)>`)

func (b *bench) query(q string, added []string) string {
	q = idOf.ReplaceAllStringFunc(q, func(s string) string {
		m := idOf.FindStringSubmatch(s)
		return b.id(m[1], int(m[2][0]-'0'))
	})
	for i, at := range added {
		q = strings.ReplaceAll(q, fmt.Sprintf("$%d", i+1), at)
	}
	return q
}

// refuses checks that queries are answered 400 on every endpoint that knows the parameter.
func refuses(queries ...string) func(*bench) {
	return func(b *bench) {
		b.threeVersions()
		for _, q := range queries {
			for _, p := range []string{"objects/", "manifest/"} {
				if b.get(p + "?" + b.query(q, nil)); b.Code != 400 {
					b.t.Errorf("%s: %d %s", q, b.Code, b.Body)
				}
			}
		}
	}
}

func (b *bench) object(tail string) string { return "objects/" + b.id("tool", 1) + "/" + tail }

var readRows = rows{
	53: func(b *bench) {
		next := b.twoPages()
		b.get("objects/?limit=1").body(`{"more":true,"next":"` + next + `","objects":[` + b.obj("tool", 1, on("01")) + `]}`)
	},
	54: func(b *bench) {
		for _, p := range []string{"objects/", "manifest/", "objects/?match[type]=none"} {
			b.get(p).want(200).body("{}")
		}
	},
	55: func(b *bench) {
		b.threeVersions()
		for _, p := range []string{"objects/", "manifest/", b.object(""), b.object("versions/")} {
			b.get(p).want(200)
			for _, h := range []string{headerFirst, headerLast} {
				if v := b.Header.Get(h); !microseconds.MatchString(v) {
					b.t.Errorf("%s: %s %q", p, h, v)
				}
			}
		}
		if at := b.added(); b.get(b.object("versions/")).Header.Get(headerFirst) != at[0] || b.Header.Get(headerLast) != at[3] {
			b.t.Errorf("%v, added %v", b.Header, at)
		}
	},
	56: func(b *bench) {
		if b.get("objects/").want(200); b.Header.Get(headerFirst)+b.Header.Get(headerLast) != "" {
			b.t.Errorf("%v", b.Header)
		}
	},
	57: func(b *bench) {
		finds(func(b *bench) { b.threeVersions() }, map[string]string{"match[version]=all": "tool1@01 tool1@03 campaign1@01 tool1@02"})(b)
		if at := b.added(); !slices.IsSorted(at) || len(slices.Compact(at)) != 4 {
			b.t.Errorf("%v", at)
		}
	},
	58: func(b *bench) {
		b.threeVersions()
		for _, q := range []string{"?match[version]=all", "", "?limit=1", "?match[version]=first"} {
			recs := b.records("manifest/" + q)
			first, last := recs[0].Added, recs[len(recs)-1].Added
			for _, p := range []string{"manifest/", "objects/"} {
				if b.get(p + q); b.Header.Get(headerFirst) != first || b.Header.Get(headerLast) != last {
					b.t.Errorf("%s%s: %v, manifest %s to %s", p, q, b.Header, first, last)
				}
			}
		}
	},
	59: func(b *bench) {
		for _, r := range b.threeVersions().records("manifest/") {
			if r.ID == "" || r.Version == "" || !microseconds.MatchString(r.Added) || r.Media != "application/stix+json;version=2.1" {
				b.t.Errorf("%+v", r)
			}
		}
	},
	60: func(b *bench) {
		if recs := b.threeVersions().records("manifest/?match[type]=campaign"); len(recs) != 1 || recs[0].ID != b.id("campaign", 1) {
			b.t.Errorf("%+v", recs)
		}
	},
	61: func(b *bench) {
		if recs := b.threeVersions().records("manifest/?match[version]=all&match[id]=" + b.id("tool", 1)); len(recs) != 3 {
			b.t.Errorf("%+v", recs)
		}
	},
	62: func(b *bench) { // the collection's policy lets the forms pass that the standard does not
		versions := []string{"2026-01-01T00:00:00Z", "2026-01-02T00:00:00.123456789Z", "2026-01-03T00:00:00.000Z"}
		for _, v := range versions {
			b.stored(b.obj("tool", 1, v))
		}
		b.get(b.object("versions/")).body(`{"versions":["` + strings.Join(versions, `","`) + `"]}`)
		if r := b.records("manifest/")[0]; r.Version != versions[2] {
			b.t.Errorf("%+v", r)
		}
	},
	63: func(b *bench) {
		m := b.id("marking-definition", 1)
		b.stored(fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2017-01-20T00:00:00.000Z","definition_type":"statement","definition":{"statement":"s"}}`, m))
		b.get("objects/" + m + "/versions/").body(`{"versions":["2017-01-20T00:00:00.000Z"]}`)
		b.get("objects/" + m + "/?match[version]=2017-01-20T00:00:00Z").want(200)
		if r := b.records("manifest/")[0]; r.Version != "2017-01-20T00:00:00.000Z" || b.get("objects/?match[version]=2017-01-20T00:00:00Z").found() == "" {
			b.t.Errorf("%+v %s", r, b.Body)
		}
	},
	64: func(b *bench) {
		var versions []string
		for range 2 {
			versions = append(versions, b.stored(b.sco(1)).Successes[0].Version)
		}
		r := b.records("manifest/")[0]
		versions = append(versions, r.Version, r.Added)
		b.get("objects/" + r.ID + "/?match[version]=" + r.Version).body(`{"objects":[` + b.sco(1) + `]}`)
		b.get("objects/?match[version]=" + r.Version).body(`{"objects":[` + b.sco(1) + `]}`)
		b.get("objects/" + r.ID + "/versions/").body(`{"versions":["` + r.Version + `"]}`)
		for _, q := range []string{"first", "last", "all", "first,last", "last," + r.Version} {
			b.get("objects/?match[version]=" + q).body(`{"objects":[` + b.sco(1) + `]}`)
		}
		b.get("objects/?match[version]=2000-01-01T00:00:00Z").body("{}")
		if len(slices.Compact(versions)) != 1 {
			b.t.Errorf("several versions: %v", versions)
		}
		// In another collection it has another date added, and one version there as well.
		b.coll = b.w.collection(exchange.Collection{})
		again := b.stored(b.sco(1)).Successes[0].Version
		r2 := b.records("manifest/")[0]
		b.get("objects/" + r.ID + "/?match[version]=" + again).body(`{"objects":[` + b.sco(1) + `]}`)
		b.get("objects/" + r.ID + "/versions/").body(`{"versions":["` + again + `"]}`)
		if r2.Version != again {
			b.t.Errorf("status %s, manifest %+v", again, r2)
		}
	},
	65: func(b *bench) {
		if got := b.threeVersions().get(b.object("")).found(); got != "tool1@03" {
			b.t.Error(got)
		}
	},
	66: func(b *bench) {
		b.threeVersions()
		for _, id := range []string{b.id("tool", 9), "x", "%00", "a,b", strings.Repeat("a", 512)} {
			b.get("objects/" + id + "/").want(404)
		}
	},
	67: func(b *bench) {
		b.threeVersions()
		for _, q := range []string{"match[version]=1999-01-01T00:00:00Z", "match[spec_version]=2.0", "added_after=2100-01-01T00:00:00Z"} {
			b.get(b.object("?" + q)).want(200).body("{}")
		}
		b.stored(b.old("tool", 2, on("01")))
		b.get("objects/" + b.id("tool", 2) + "/?match[spec_version]=2.1").want(200).body("{}")
	},
	68: func(b *bench) {
		if got := b.threeVersions().get(b.object("?match[type]=y&match[id]=,")).want(200).found(); got != "tool1@03" {
			b.t.Error(got)
		}
	},
	69: func(b *bench) {
		b.threeVersions()
		b.get("objects/" + b.id("tool", 9) + "/versions/").want(404)
		b.get(b.object("versions/?added_after=2100-01-01T00:00:00Z")).want(200).body("{}")
	},
	70: func(b *bench) {
		b.threeVersions().get(b.object("versions/")).body(`{"versions":["` + on("01") + `","` + on("03") + `","` + on("02") + `"]}`)
		b.get(b.object("versions/?match[version]=first")).want(200)
	},
	71: func(b *bench) {
		b.threeVersions()
		for path, want := range map[string]int{b.object("versions/?limit=1"): 3, "manifest/?match[version]=all&limit=1": 4, b.object("?match[version]=all&limit=1"): 3} {
			if got := b.walk(path); len(got) != want {
				b.t.Errorf("%s: %d pages: %v", path, len(got), got)
			}
		}
	},
	72: func(b *bench) {
		raw := "{\"type\" : \"tool\",\n\t\"id\":\"" + b.id("tool", 1) + "\",\"spec_version\":\"2.1\",\"created\":\"2026-01-01T00:00:00.000Z\",\"modified\":\"2026-01-01T00:00:00.000Z\",\"name\":\"\\u00e9é\\/<>&\\u2028\",\"x_n\":9007199254740991,\"x_f\":1.0E+2,\"x_a\":{\"b\":[null,{}]} }"
		b.stored(raw)
		b.get("objects/").body(`{"objects":[` + raw + `]}`)
		b.get(b.object("")).body(`{"objects":[` + raw + `]}`)
	},
}

// walk follows next and returns the bodies of all pages.
func (b *bench) walk(path string) (out []string) {
	b.t.Helper()
	for tail := ""; len(out) < 200; {
		f := into[frame](b.get(path + tail).want(200))
		out = append(out, b.Body)
		if !f.More {
			break
		}
		tail = "&next=" + f.Next
	}
	return out
}
