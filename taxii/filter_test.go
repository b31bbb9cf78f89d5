package taxii

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// types is a bench with several types and spec versions.
func types(t *testing.T) *bench {
	b := newBench(t, Options{})
	b.post(obj("x", 1, "2026-01-01T00:00:00.000Z"), obj("x", 2, "2026-01-02T00:00:00.000Z"), obj("y", 3, "2026-01-03T00:00:00.000Z"),
		`{"type":"z","id":"z--4","modified":"2026-01-04T00:00:00.000Z"}`,
		`{"type":"z","id":"z--4","spec_version":"2.1","modified":"2026-01-04T00:00:00.000Z"}`,
		`{"type":"z","id":"z--5","modified":"2026-01-05T00:00:00.000Z"}`).want(202)
	return b
}

var filterRows = map[int]func(*testing.T){
	73: refuses("limit=%zz", "added_after=x", "match[version]=now", "match[version]=", "match[id]=", "match[type]=a,,b", "match[spec_version]=two", "match[spec_version]=2.", "a;b", "next="),
	74: finds(types, map[string]string{
		"added_after=2026-01-02T03:04:05.000002Z":    "y--3@03 z--4@04 z--5@05old",
		"added_after=2026-01-02T03:04:05.000006Z":    "",
		"added_after=2026-01-02T03:04:05.000001999Z": "x--2@02 y--3@03 z--4@04 z--5@05old",
	}),
	75: refuses("added_after=2026-01-01T00:00:00Z&added_after=2026-01-01T00:00:00Z"),
	76: func(t *testing.T) {
		for digits := range 10 {
			frac := ""
			if digits > 0 {
				frac = "." + strings.Repeat("0", digits)
			}
			if got := threeVersions(t).get("objects/?added_after=2026-01-01T00:00:00" + frac + "Z").want(200).versionsOnPage(); got == "" {
				t.Errorf("%d digits: nothing", digits)
			}
		}
		threeVersions(t).get("objects/?added_after=2026-01-01T00:00:00.0000000000Z").want(400)
	},
	77: func(t *testing.T) {
		b := threeVersions(t)
		for v, code := range map[string]int{"2026-01-01T00:00:00%2B00:00": 200, "2026-01-01t00:00:00z": 200, "2026-01-01T00:00:00+00:00": 400, "2026-01-01T00:00:00-05:00": 200,
			"2026-13-01T00:00:00Z": 400, "2026-01-01": 400, "2026-01-01T24:00:00Z": 400, "2026-01-01T00:00:60Z": 400, "20260101T000000Z": 400, "2026-01-01T00:00:00,5Z": 400, "2026-01-01T00:00:00.Z": 400} {
			b.get("objects/?added_after=" + v).want(code)
		}
	},
	78: refuses("limit=0", "limit=-1", "limit=abc", "limit=1.5", "limit=", "limit=%201", "limit=%2B1", "limit=0x1", "limit=00", "limit=1&limit=1"),
	89: finds(types, map[string]string{
		"match[id]=x--1":                        "x--1@01",
		"match[id]=x--1,y--3":                   "x--1@01 y--3@03",
		"match[type]=y,x":                       "x--1@01 x--2@02 y--3@03",
		"match[type]=x&match[id]=x--2,y--3":     "x--2@02",
		"match[id]=x--1,x--1":                   "x--1@01",
		"match[id]=nothing":                     "",
		"match[type]=z&match[spec_version]=2.0": "z--4@04old z--5@05old",
	}),
	90: finds(types, map[string]string{"match[type]=no-such-type": "", "match[type]=x-custom": ""}),
	91: finds(types, map[string]string{"match[colour]=red&match[id]=x--1&page=3": "x--1@01"}),
	92: refuses("match[type]=x&match[type]=y", "match[id]=x--1&match%5Bid%5D=x--1", "match[version]=all&match[version]=all", "match[spec_version]=2.1&match[spec_version]=2.1", "next=a&next=b"),
	93: finds(types, map[string]string{"match%5Btype%5D=y": "y--3@03", "match%5btype%5d=y": "y--3@03"}),
	94: finds(threeVersions, map[string]string{
		"":                     "x--1@03 y--1@01",
		"match[version]=last":  "x--1@03 y--1@01",
		"match[version]=first": "x--1@01 y--1@01",
		"match[version]=all":   "x--1@01 x--1@03 y--1@01 x--1@02",
		"match[version]=2026-01-02T00:00:00.000Z":                          "x--1@02",
		"match[version]=2026-01-02T00:00:00.000Z,2026-01-01T00:00:00.000Z": "x--1@01 y--1@01 x--1@02",
		"match[version]=first,last":                                        "x--1@01 x--1@03 y--1@01",
		"match[version]=last,2026-01-02T00:00:00.000Z":                     "x--1@03 y--1@01 x--1@02",
	}),
	95: finds(threeVersions, map[string]string{"match[id]=x--1&match[version]=last,2026-01-03T00:00:00.000Z": "x--1@03"}),
	96: refuses("match[version]=all,last", "match[version]=first,all", "match[version]=last,last", "match[version]=all,all",
		"match[version]=2026-01-01T00:00:00Z,2026-01-01T00:00:00.000Z"),
	97: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(obj("x", 1, "2026-01-01T00:00:00.000Z"), obj("x", 2, "2026-01-01T00:00:00.123456789Z"))
		for v, want := range map[string]string{"2026-01-01T00:00:00Z": "x--1@01", "2026-01-01T00:00:00.0000000Z": "x--1@01", "2026-01-01T00:00:00.123456789Z": "x--2@01T00:00:00.123456789Z",
			"2026-01-01T00:00:00.12345678Z": "", "2026-01-01T01:00:00%2B01:00": "x--1@01"} {
			if got := b.get("objects/?match[version]=" + v).want(200).versionsOnPage(); got != want {
				t.Errorf("%s: %q, want %q", v, got, want)
			}
		}
	},
	98: finds(threeVersions, map[string]string{
		// Version 02 came last: it is the latest of what was added after the others.
		"added_after=2026-01-02T03:04:05.000003Z":                      "x--1@02",
		"added_after=2026-01-02T03:04:05.000001Z&match[version]=first": "y--1@01 x--1@02",
	}),
	99: finds(types, map[string]string{
		"match[id]=z--4":                             "z--4@04",
		"match[id]=z--4&match[spec_version]=2.0":     "z--4@04old",
		"match[id]=z--4&match[spec_version]=2.0,2.1": "z--4@04old z--4@04",
		"match[type]=z,y&match[spec_version]=2.1":    "y--3@03 z--4@04",
		"match[id]=z--4&match[version]=all":          "z--4@04",
		"match[spec_version]=2.0&match[type]=z":      "z--4@04old z--5@05old",
		"match[spec_version]=9.9":                    "",
	}),
	100: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(`{"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.3"}`, `{"type":"x","id":"x--1","modified":"2026-01-01T00:00:00Z"}`).want(202)
		for v, id := range map[string]string{"2.1": "ipv4-addr--1", "2.0": "x--1"} {
			if recs := b.records("manifest/?match[spec_version]=" + v); len(recs) != 1 || recs[0].ID != id {
				t.Errorf("%s: %+v", v, recs)
			}
		}
	},
}

var pagingRows = map[int]func(*testing.T){
	79: func(t *testing.T) {
		b := threeVersions(t)
		for _, n := range []string{"9223372036854775807", "9223372036854775808", strings.Repeat("9", 400)} {
			if got := b.get("objects/?limit=" + n).want(200).versionsOnPage(); got != "x--1@03 y--1@01" {
				t.Errorf("%s: %s", n, got)
			}
		}
	},
	80: func(t *testing.T) {
		b := newBench(t, Options{PageLimit: 2, MaxLimit: 3})
		for n := range 5 {
			b.post(obj("x", n, "2026-01-01T00:00:00.000Z"))
		}
		for query, want := range map[string]int{"": 2, "?limit=1": 1, "?limit=3": 3, "?limit=4": 3, "?limit=999": 3} {
			b.get("objects/" + query)
			if got := strings.Count(b.versionsOnPage(), "@"); got != want || !strings.HasPrefix(b.Body.String(), `{"more":true,"next":"`) {
				t.Errorf("%s: %d objects, want %d: %s", query, got, want, b.Body)
			}
		}
	},
	81: func(t *testing.T) {
		b := types(t)
		if b.get("objects/?limit=5"); strings.Contains(b.Body.String(), "more") {
			t.Errorf("%s", b.Body)
		}
	},
	82: func(t *testing.T) { rapid.Check(t, everythingOnce) },
	83: func(t *testing.T) {
		// One POST larger than a page: every object has its own date, so added_after alone finds all of them.
		b := newBench(t, Options{})
		var objects []string
		for n := range 10 {
			objects = append(objects, obj("x", n, "2026-01-01T00:00:00.000Z"))
		}
		b.post(objects...)
		seen := map[string]bool{}
		after := "2000-01-01T00:00:00Z"
		for range 10 {
			b.get("objects/?limit=3&added_after=" + after)
			for id := range strings.FieldsSeq(b.versionsOnPage()) {
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
			}
			if !strings.Contains(b.Body.String(), `"more":true`) {
				break
			}
			after = b.Header().Get(headerLast)
		}
		if len(seen) != 10 {
			t.Errorf("%d of 10", len(seen))
		}
	},
	84: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		first := b.get("objects/?limit=1&next=" + next).want(200).Body.String()
		for range 3 {
			b.get("objects/?limit=1&next=" + next).want(200).body(first)
		}
	},
	85: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		b.get("objects/?next=" + next).want(200) // the limit may change
		for _, other := range []string{"objects/?match[type]=x&next=", "objects/?added_after=2000-01-01T00:00:00Z&next=", "objects/?match[version]=all&next=", "objects/?match[version]=last&next=",
			"objects/?match[spec_version]=2.1&next=", "objects/?match[id]=x--1,x--2&next=", "manifest/?next=", "objects/x--1/?next=", "objects/x--1/versions/?next=",
			"/cti/collections/" + collB + "/objects/?next="} {
			b.get(other + next).want(400)
		}
		b.as = "bob"
		b.get("objects/?limit=1&next=" + next).want(400)
	},
	86: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		forged := []string{"a", "!!", "%00", "0", "18446744073709551615", strings.Repeat("A", 5000), next[1:], next[:len(next)-1], next + "A", next + "="}
		for i := range next {
			flipped := []byte(next)
			flipped[i] = map[bool]byte{true: 'B', false: 'A'}[flipped[i] == 'A']
			forged = append(forged, string(flipped))
		}
		for _, f := range forged {
			b.get("objects/?limit=1&next=" + f).want(400)
		}
	},
	87: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		want := b.get("objects/?limit=1&next=" + next).want(200).Body.String()
		b.h = testHandler(b.mem, Options{}) // another server with the same key
		b.get("objects/?limit=1&next=" + next).want(200).body(want)
		b.h = NewHandler(b.mem, Options{}) // and one with a key of its own
		b.get("objects/?limit=1&next=" + next).want(400)
	},
	88: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		b.do(http.MethodDelete, "objects/x--2/", "").want(200)
		b.get("objects/?limit=1&next=" + next).want(200).body("{}")
	},
}

// everythingOnce pages through a collection while others add and delete, by next and by added_after: what was there all the time
// is met exactly once.
func everythingOnce(rt *rapid.T) {
	m := newMem()
	b := &bench{mem: m, h: testHandler(m, Options{})}
	ctx := asCaller(ctx, "alice")
	n := 0
	add := func(k int) {
		for range k {
			n++
			if _, err := m.Add(ctx, "cti", collA, [][]byte{[]byte(obj("x", n, "2026-01-01T00:00:00.000Z"))}); err != nil {
				rt.Fatal(err)
			}
		}
	}
	start := rapid.IntRange(0, 30).Draw(rt, "start")
	add(start)
	byNext := rapid.Bool().Draw(rt, "by next")
	limit := rapid.IntRange(1, 7).Draw(rt, "limit")
	seen := map[string]int{}
	deleted := map[string]bool{}
	query := fmt.Sprintf("?limit=%d", limit)
	tail := ""
	for page := 0; page < 200; page++ {
		ids, next, last := b.fetchPage("/cti/collections/a/objects/" + query + tail)
		for _, id := range ids {
			seen[id]++
		}
		if next == "" {
			break
		}
		if byNext {
			tail = "&next=" + next
		} else {
			tail = "&added_after=" + last
		}
		if page < 10 {
			add(rapid.IntRange(0, 4).Draw(rt, "added meanwhile"))
			if victim := rapid.IntRange(0, n).Draw(rt, "deleted meanwhile"); victim > 0 {
				id := fmt.Sprintf("x--%d", victim)
				if m.Delete(ctx, "cti", collA, id, Filter{}) == nil {
					deleted[id] = true
				}
			}
		}
	}
	for i := 1; i <= start; i++ {
		if id := fmt.Sprintf("x--%d", i); !deleted[id] && seen[id] != 1 {
			rt.Fatalf("%s met %d times", id, seen[id])
		}
	}
	for id, times := range seen {
		if times != 1 {
			rt.Fatalf("%s met %d times", id, times)
		}
	}
}
