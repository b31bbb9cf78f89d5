package taxii

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// obj is an object of a type, with a number and a modified time.
func obj(typ string, n int, modified string) string {
	return fmt.Sprintf(`{"type":%q,"id":"%s--%d","spec_version":"2.1","modified":%q}`, typ, typ, n, modified)
}

// versionsOnPage lists the versions of the objects of the last page as "x--1@version".
func (b *bench) versionsOnPage() string {
	b.t.Helper()
	page := into[struct {
		Objects []struct {
			ID       string `json:"id"`
			Spec     string `json:"spec_version"`
			Modified string `json:"modified"`
		} `json:"objects"`
	}](b)
	var out []string
	for _, o := range page.Objects {
		out = append(out, o.ID+"@"+strings.TrimSuffix(strings.TrimPrefix(o.Modified, "2026-01-"), "T00:00:00.000Z")+map[bool]string{true: "old"}[o.Spec == ""])
	}
	return strings.Join(out, " ")
}

// threeVersions is a bench with versions 01, 03, 02 of x--1 in that order of arrival, and one y--1.
func threeVersions(t *testing.T) *bench {
	b := newBench(t, Options{})
	b.post(obj("x", 1, "2026-01-01T00:00:00.000Z"), obj("x", 1, "2026-01-03T00:00:00.000Z"), obj("y", 1, "2026-01-01T00:00:00.000Z"), obj("x", 1, "2026-01-02T00:00:00.000Z")).want(202)
	return b
}

// finds checks which versions a query gives: query → versions, in order.
func finds(fill func(*testing.T) *bench, cases map[string]string) func(*testing.T) {
	return func(t *testing.T) {
		b := fill(t)
		for query, want := range cases {
			if got := b.get("objects/?" + query).want(200).versionsOnPage(); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	}
}

// refuses checks that queries are answered 400 on every endpoint that knows the parameter.
func refuses(queries ...string) func(*testing.T) {
	return func(t *testing.T) {
		b := threeVersions(t)
		for _, q := range queries {
			for _, p := range []string{"objects/", "manifest/"} {
				if b.get(p + "?" + q); b.Code != 400 {
					t.Errorf("%s: %d %s", q, b.Code, b.Body)
				}
			}
		}
	}
}

var readRows = map[int]func(*testing.T){
	53: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		b.get("objects/?limit=1").body(`{"more":true,"next":"` + next + `","objects":[` + x1 + `]}`)
	},
	54: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, p := range []string{"objects/", "manifest/", "objects/?match[type]=none"} {
			b.get(p).want(200).body("{}")
		}
	},
	55: func(t *testing.T) {
		b := threeVersions(t)
		for _, p := range []string{"objects/", "manifest/", "objects/x--1/", "objects/x--1/versions/"} {
			b.get(p).want(200)
			for _, h := range []string{headerFirst, headerLast} {
				if v := b.Header().Get(h); len(v) != len("2026-01-02T03:04:05.000001Z") {
					t.Errorf("%s: %s %q", p, h, v)
				}
			}
		}
		sameInstant(t, b.Header().Get(headerFirst), "2026-01-02T03:04:05.000001Z")
		sameInstant(t, b.Header().Get(headerLast), "2026-01-02T03:04:05.000004Z")
	},
	56: func(t *testing.T) {
		b := newBench(t, Options{})
		if b.get("objects/").want(200); b.Header().Get(headerFirst)+b.Header().Get(headerLast) != "" {
			t.Errorf("%v", b.Header())
		}
	},
	57: finds(threeVersions, map[string]string{"match[version]=all": "x--1@01 x--1@03 y--1@01 x--1@02"}),
	58: func(t *testing.T) {
		b := threeVersions(t)
		recs := b.records("manifest/?match[version]=all")
		if b.Header().Get(headerFirst) != FormatTime(recs[0].DateAdded.Time) || b.Header().Get(headerLast) != FormatTime(recs[3].DateAdded.Time) {
			t.Errorf("%v and %s", b.Header(), b.Body)
		}
	},
	59: func(t *testing.T) {
		for _, r := range threeVersions(t).records("manifest/") {
			if r.ID == "" || r.Version == "" || r.DateAdded.IsZero() || r.MediaType != STIXMediaType {
				t.Errorf("%+v", r)
			}
		}
	},
	60: func(t *testing.T) {
		if recs := threeVersions(t).records("manifest/?match[type]=y"); len(recs) != 1 || recs[0].ID != "y--1" {
			t.Errorf("%+v", recs)
		}
	},
	61: func(t *testing.T) {
		if recs := threeVersions(t).records("manifest/?match[version]=all&match[id]=x--1"); len(recs) != 3 {
			t.Errorf("%+v", recs)
		}
	},
	62: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(obj("x", 1, "2026-01-01T00:00:00Z"), obj("x", 1, "2026-01-02T00:00:00.123456789Z"), obj("x", 1, "2026-01-03T00:00:00.000Z"))
		b.get("objects/x--1/versions/").body(`{"versions":["2026-01-01T00:00:00Z","2026-01-02T00:00:00.123456789Z","2026-01-03T00:00:00.000Z"]}`)
		if r := b.records("manifest/")[0]; r.Version != "2026-01-03T00:00:00.000Z" {
			t.Errorf("%+v", r)
		}
	},
	63: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(`{"type":"m","id":"m--1","spec_version":"2.1","created":"2017-01-20T00:00:00.000Z"}`).want(202)
		b.get("objects/m--1/versions/").body(`{"versions":["2017-01-20T00:00:00.000Z"]}`)
	},
	64: func(t *testing.T) {
		b := newBench(t, Options{})
		sco := `{"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.3"}`
		var versions []string
		for range 2 {
			st := into[Status](b.post(sco).want(202))
			versions = append(versions, st.Successes[0].Version)
		}
		r := b.records("manifest/")[0]
		versions = append(versions, r.Version, FormatTime(r.DateAdded.Time))
		b.get("objects/ipv4-addr--1/?match[version]=" + r.Version).body(`{"objects":[` + sco + `]}`)
		b.get("objects/ipv4-addr--1/versions/").body(`{"versions":["` + r.Version + `"]}`)
		for _, v := range versions {
			if v != r.Version {
				t.Errorf("several versions: %v", versions)
			}
		}
	},
	65: func(t *testing.T) {
		if got := threeVersions(t).get("objects/x--1/").versionsOnPage(); got != "x--1@03" {
			t.Error(got)
		}
	},
	66: func(t *testing.T) { threeVersions(t).get("objects/x--9/").want(404) },
	67: func(t *testing.T) {
		threeVersions(t).get("objects/x--1/?match[version]=1999-01-01T00:00:00Z").want(200).body("{}")
	},
	68: func(t *testing.T) {
		if got := threeVersions(t).get("objects/x--1/?match[type]=y&match[id]=,").want(200).versionsOnPage(); got != "x--1@03" {
			t.Error(got)
		}
	},
	69: func(t *testing.T) {
		b := threeVersions(t)
		b.get("objects/x--9/versions/").want(404)
		b.get("objects/x--1/versions/?added_after=2100-01-01T00:00:00Z").want(200).body("{}")
	},
	70: func(t *testing.T) {
		b := threeVersions(t)
		b.get("objects/x--1/versions/").body(`{"versions":["2026-01-01T00:00:00.000Z","2026-01-03T00:00:00.000Z","2026-01-02T00:00:00.000Z"]}`)
		b.get("objects/x--1/versions/?match[version]=first").want(200)
	},
	71: func(t *testing.T) {
		b := threeVersions(t)
		for path, want := range map[string]int{"objects/x--1/versions/?limit=1": 3, "manifest/?match[version]=all&limit=1": 4} {
			if got := b.walk(path); len(got) != want {
				t.Errorf("%s: %d pages: %v", path, len(got), got)
			}
		}
	},
	72: func(t *testing.T) {
		b := newBench(t, Options{})
		raw := "{\"type\" : \"x\",\n\t\"id\":\"x--1\",\"spec_version\":\"2.1\",\"modified\":\"2026-01-01T00:00:00.000Z\",\"n\":9007199254740991,\"f\":1.0E+2,\"u\":\"\\u00e9é\\/<>&\\u2028\",\"x_a\":{\"b\":[null,{}]} }"
		b.post(raw).want(202)
		b.get("objects/").body(`{"objects":[` + raw + `]}`)
		b.get("objects/x--1/").body(`{"objects":[` + raw + `]}`)
	},
}

func (b *bench) records(path string) []ManifestRecord {
	b.t.Helper()
	return into[struct {
		Objects []ManifestRecord `json:"objects"`
	}](b.get(path).want(200)).Objects
}

// walk follows next and returns the bodies of all pages.
func (b *bench) walk(path string) []string {
	b.t.Helper()
	var out []string
	token := ""
	for len(out) < 100 {
		p := path
		if token != "" {
			p += "&next=" + url.QueryEscape(token)
		}
		page := into[struct {
			More bool   `json:"more"`
			Next string `json:"next"`
		}](b.get(p).want(200))
		out = append(out, b.Body.String())
		if !page.More {
			break
		}
		token = page.Next
	}
	return out
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"2026-01-02T03:04:05Z":             "2026-01-02T03:04:05.000000Z",
		"2026-01-02T03:04:05.123456789Z":   "2026-01-02T03:04:05.123456Z",
		"2026-01-02T03:04:05.5+01:00":      "2026-01-02T02:04:05.500000Z",
		"2026-06-30T23:59:60.5Z":           "2026-07-01T00:00:00.500000Z", // a leap second
		"2026-07-01T01:59:60+02:00":        "2026-07-01T00:00:00.000000Z",
		"2026-07-01T00:00:60Z":             "",
		"2026-07-01T00:59:60+02:00":        "",
		"0000-01-01T00:00:00+01:00":        "",
		"2026-01-02T03:04:05.1234567890Z":  "",
		strings.Repeat("2026-01-02T", 100): "",
	} {
		got, err := ParseTime(in)
		if (err != nil) != (want == "") || (err == nil && FormatTime(got) != want) {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	if s := formatPrecise(time.Date(2026, 1, 2, 3, 4, 5, 7, time.UTC)); s != "2026-01-02T03:04:05.000000007Z" {
		t.Error(s)
	}
}
