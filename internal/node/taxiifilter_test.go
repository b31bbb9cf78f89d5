package node

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"

	"entente/internal/exchange"
)

// types fills a collection with several types and spec versions.
func types(b *bench) {
	b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 2, on("02")), b.obj("campaign", 3, on("03")),
		b.old("malware", 4, on("04")), strings.Replace(b.obj("malware", 4, on("04")), `"name"`, `"is_family":false,"name"`, 1), b.old("malware", 5, on("05")))
}

func versions(b *bench) { b.threeVersions() }

var filterRows = rows{
	73: refuses("limit=%zz", "added_after=x", "match[version]=now", "match[version]=", "match[id]=", "match[type]=a,,b", "match[spec_version]=two", "match[spec_version]=2.", "a;b", "next="),
	74: finds(types, map[string]string{
		"added_after=$2":                   "campaign3@03 malware4@04 malware5@05old",
		"added_after=$6":                   "",
		"added_after=2000-01-01T00:00:00Z": "tool1@01 tool2@02 campaign3@03 malware4@04 malware5@05old",
		"added_after=2100-01-01T00:00:00Z": "",
		"added_after=0001-01-01T00:00:00Z": "tool1@01 tool2@02 campaign3@03 malware4@04 malware5@05old",
		"added_after=1969-12-31T23:59:59Z": "tool1@01 tool2@02 campaign3@03 malware4@04 malware5@05old",
		"added_after=9999-12-31T23:59:59Z": "",
	}),
	75: refuses("added_after=2026-01-01T00:00:00Z&added_after=2026-01-01T00:00:00Z"),
	76: func(b *bench) {
		b.threeVersions()
		for digits := range 10 {
			frac := ""
			if digits > 0 {
				frac = "." + strings.Repeat("0", digits)
			}
			if got := b.get("objects/?added_after=2026-01-01T00:00:00" + frac + "Z").want(200).found(); got == "" {
				b.t.Errorf("%d digits: nothing", digits)
			}
		}
		b.get("objects/?added_after=2026-01-01T00:00:00.0000000000Z").want(400)
		// A date added with more digits is the same instant or a little later: what was added then is left out.
		at := b.added()
		for _, more := range []string{"000Z", "999Z"} {
			if got := b.get("objects/?match[version]=all&added_after=" + strings.TrimSuffix(at[2], "Z") + more).found(); got != "tool1@02" {
				b.t.Errorf("%s: %s", more, got)
			}
		}
	},
	77: func(b *bench) {
		b.threeVersions()
		for v, code := range map[string]int{"2026-01-01T00:00:00%2B00:00": 200, "2026-01-01t00:00:00z": 200, "2026-01-01T00:00:00+00:00": 400, "2026-01-01T00:00:00-05:00": 200,
			"2026-13-01T00:00:00Z": 400, "2026-01-01": 400, "2026-01-01T24:00:00Z": 400, "2026-01-01T00:00:60Z": 400, "20260101T000000Z": 400, "2026-01-01T00:00:00,5Z": 400, "2026-01-01T00:00:00.Z": 400} {
			b.get("objects/?added_after=" + v).want(code)
		}
	},
	78: refuses("limit=0", "limit=-1", "limit=abc", "limit=1.5", "limit=", "limit=%201", "limit=%2B1", "limit=0x1", "limit=00", "limit=1&limit=1"),
	89: finds(types, map[string]string{
		"match[id]=<tool-1>":                               "tool1@01",
		"match[id]=<tool-1>,<campaign-3>":                  "tool1@01 campaign3@03",
		"match[type]=campaign,tool":                        "tool1@01 tool2@02 campaign3@03",
		"match[type]=tool&match[id]=<tool-2>,<campaign-3>": "tool2@02",
		"match[id]=<tool-1>,<tool-1>":                      "tool1@01",
		"match[id]=nothing":                                "",
		"match[type]=malware&match[spec_version]=2.0":      "malware4@04old malware5@05old",
	}),
	90: finds(types, map[string]string{"match[type]=no-such-type": "", "match[type]=x-custom": ""}),
	91: finds(types, map[string]string{"match[colour]=red&match[id]=<tool-1>&page=3": "tool1@01"}),
	92: refuses("match[type]=x&match[type]=y", "match[id]=x--1&match%5Bid%5D=x--1", "match[version]=all&match[version]=all", "match[spec_version]=2.1&match[spec_version]=2.1", "next=a&next=b"),
	93: finds(types, map[string]string{"match%5Btype%5D=campaign": "campaign3@03", "match%5btype%5d=campaign": "campaign3@03"}),
	94: finds(versions, map[string]string{
		"":                     "tool1@03 campaign1@01",
		"match[version]=last":  "tool1@03 campaign1@01",
		"match[version]=first": "tool1@01 campaign1@01",
		"match[version]=all":   "tool1@01 tool1@03 campaign1@01 tool1@02",
		"match[version]=2026-01-02T00:00:00.000Z":                          "tool1@02",
		"match[version]=2026-01-02T00:00:00.000Z,2026-01-01T00:00:00.000Z": "tool1@01 campaign1@01 tool1@02",
		"match[version]=first,last":                                        "tool1@01 tool1@03 campaign1@01",
		"match[version]=last,2026-01-02T00:00:00.000Z":                     "tool1@03 campaign1@01 tool1@02",
		"match[version]=first,2026-01-02T00:00:00.000Z":                    "tool1@01 campaign1@01 tool1@02",
	}),
	95: finds(versions, map[string]string{"match[id]=<tool-1>&match[version]=last,2026-01-03T00:00:00.000Z": "tool1@03",
		"match[id]=<campaign-1>&match[version]=first,last,2026-01-01T00:00:00Z": "campaign1@01"}),
	96: refuses("match[version]=all,last", "match[version]=first,all", "match[version]=last,last", "match[version]=all,all",
		"match[version]=2026-01-01T00:00:00Z,2026-01-01T00:00:00.000Z"),
	97: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 2, "2026-01-01T00:00:00.123456789Z"))
		for v, want := range map[string]string{"2026-01-01T00:00:00Z": "tool1@01", "2026-01-01T00:00:00.0000000Z": "tool1@01", "2026-01-01T00:00:00.123456789Z": "tool2@01T00:00:00.123456789Z",
			"2026-01-01T00:00:00.12345678Z": "", "2026-01-01T01:00:00%2B01:00": "tool1@01"} {
			if got := b.get("objects/?match[version]=" + v).want(200).found(); got != want {
				b.t.Errorf("%s: %q, want %q", v, got, want)
			}
		}
	},
	98: finds(versions, map[string]string{
		// Version 02 came last: it is the latest of what was added after the others.
		"added_after=$3":                      "tool1@02",
		"added_after=$1&match[version]=first": "campaign1@01 tool1@02",
		"added_after=$1&match[version]=last":  "tool1@03 campaign1@01",
		"added_after=$2&match[version]=all":   "campaign1@01 tool1@02",
	}),
	99: finds(types, map[string]string{
		"match[id]=<malware-4>":                                "malware4@04",
		"match[id]=<malware-4>&match[spec_version]=2.0":        "malware4@04old",
		"match[id]=<malware-4>&match[spec_version]=2.0,2.1":    "malware4@04old malware4@04",
		"match[type]=malware,campaign&match[spec_version]=2.1": "campaign3@03 malware4@04",
		"match[id]=<malware-4>&match[version]=all":             "malware4@04",
		"match[spec_version]=2.0&match[type]=malware":          "malware4@04old malware5@05old",
		"match[spec_version]=9.9":                              "",
	}),
	100: func(b *bench) {
		sco := strings.Replace(b.sco(1), `"spec_version":"2.1",`, "", 1)
		b.stored(sco, b.old("tool", 1, on("01")))
		for v, id := range map[string]string{"2.1": b.id("mutex", 1), "2.0": b.id("tool", 1)} {
			if recs := b.records("manifest/?match[spec_version]=" + v); len(recs) != 1 || recs[0].ID != id || !strings.HasSuffix(recs[0].Media, v) {
				b.t.Errorf("%s: %+v", v, recs)
			}
		}
	},
}

// fill stores n tools, numbered from from on.
func (b *bench) fill(from, n int) {
	b.t.Helper()
	for n > 0 {
		var objects []string
		for range min(n, 200) {
			objects = append(objects, b.obj("tool", from, on("01")))
			from++
		}
		if st := b.await(into[status](b.post(objects...).want(202))); st.SuccessCount != len(objects) {
			b.t.Fatalf("%+v", st)
		}
		n -= len(objects)
	}
}

var pagingRows = rows{
	79: func(b *bench) {
		b.threeVersions()
		for _, n := range []string{"9223372036854775807", "9223372036854775808", strings.Repeat("9", 400)} {
			if got := b.get("objects/?limit=" + n).want(200).found(); got != "tool1@03 campaign1@01" {
				b.t.Errorf("%s: %s", n, got)
			}
		}
	},
	80: func(b *bench) {
		const all = 1203
		b.fill(1, all)
		for query, want := range map[string]int{"": 1000, "?limit=1": 1, "?limit=3": 3, "?limit=1202": 1202} {
			b.get("objects/" + query)
			if got := len(strings.Fields(b.found())); got != want || !into[frame](b).More {
				b.t.Errorf("%s: %d objects", query, got)
			}
		}
	},
	81: func(b *bench) {
		types(b)
		for _, n := range []string{"5", "6", "999", "10000"} {
			if got := b.get("objects/?limit=" + n).found(); strings.Contains(b.Body, "more") || len(strings.Fields(got)) != 5 {
				b.t.Errorf("%s", b.Body)
			}
		}
		// Also when the last ones are not for this viewer.
		b.stored(b.obj("intrusion-set", 1, on("01"), clearRef), b.obj("tool", 9, on("01")))
		b.as = dave
		if got := b.get("objects/?limit=1").found(); got != "intrusion-set1@01" || strings.Contains(b.Body, "more") {
			b.t.Errorf("%s", b.Body)
		}
	},
	82: func(b *bench) { b.everythingOnce(func(f frame, _ string) string { return "&next=" + f.Next }) },
	83: func(b *bench) {
		b.everythingOnce(func(_ frame, last string) string { return "&added_after=" + last })
		// One post larger than a page.
		b.coll = b.w.collection(exchange.Collection{})
		b.fill(5000, 100)
		seen := map[string]bool{}
		for after, pages := "2000-01-01T00:00:00Z", 0; ; pages++ {
			f := into[frame](b.get("objects/?limit=7&added_after=" + after))
			for id := range strings.FieldsSeq(b.found()) {
				seen[id] = true
			}
			if !f.More || pages > 50 {
				break
			}
			after = b.Header.Get(headerLast)
		}
		if len(seen) != 100 {
			b.t.Errorf("%d of 100", len(seen))
		}
	},
	84: func(b *bench) {
		next := b.twoPages()
		first := b.get("objects/?limit=1&next=" + next).want(200).Body
		b.stored(b.obj("tool", 3, on("01")))
		b.get("objects/?limit=1").want(200)
		for range 3 {
			if got := b.get("objects/?limit=1&next=" + next).want(200).found(); got != "tool2@01" || !strings.Contains(first, b.id("tool", 2)) {
				b.t.Error(got)
			}
		}
	},
	85: func(b *bench) {
		next := b.twoPages()
		other := b.w.collection(exchange.Collection{})
		b.get("objects/?next=" + next).want(200) // the limit may change
		for _, o := range []string{"objects/?match[type]=tool&next=", "objects/?added_after=2000-01-01T00:00:00Z&next=", "objects/?match[version]=all&next=", "objects/?match[version]=last&next=",
			"objects/?match[spec_version]=2.1&next=", "objects/?match[id]=" + b.id("tool", 1) + "&next=", "manifest/?next=", b.object("?next="), b.object("versions/?next="),
			root + "collections/" + other + "/objects/?next="} {
			b.get(o + next).want(400)
		}
		for _, who := range []string{bob, dave} {
			b.as = who
			b.get("objects/?limit=1&next=" + next).want(400)
		}
	},
	86: func(b *bench) {
		next := b.twoPages()
		forged := []string{"a", "!!", "%00", "0", "18446744073709551615", strings.Repeat("A", 5000), next[1:], next[:len(next)-1], next + "A", next + "="}
		for i := 0; i < len(next); i += 3 {
			flipped := []byte(next)
			flipped[i] = map[bool]byte{true: 'B', false: 'A'}[flipped[i] == 'A']
			forged = append(forged, string(flipped))
		}
		for _, f := range forged {
			b.get("objects/?limit=1&next=" + url.QueryEscape(f)).want(400)
		}
	},
	87: func(b *bench) {
		next := b.twoPages()
		want := b.get("objects/?limit=1&next=" + next).want(200).Body
		b.w.restart()
		b.get("objects/?limit=1&next=" + next).want(200).body(want)
		// Another node, and so another realm's, has another key.
		other := newWorld(b.t, settings).bench(b.t, b.row)
		other.twoPages()
		other.get("objects/?limit=1&next=" + next).want(400)
	},
	88: func(b *bench) {
		next := b.twoPages()
		b.do("DELETE", "objects/"+b.id("tool", 2)+"/", "").want(200)
		b.get("objects/?limit=1&next=" + next).want(200).body("{}")
	},
}

// everythingOnce pages through a collection while four others add and delete: what is met is met once, and what was there all the
// time is met.
func (b *bench) everythingOnce(turn func(f frame, last string) string) {
	const start = 120
	b.fill(1, start)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	gone := make([]map[int]bool, 4)
	for k := range gone {
		gone[k] = map[int]bool{}
		one := *b
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(k)))
			for n := 1000 * (k + 1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				one.do("POST", "objects/", envelope(one.obj("tool", n, on("01"))))
				if n%3 == 0 {
					if victim := 1 + 4*rng.IntN(start/4) + k; !gone[k][victim] { // of this writer's own quarter
						gone[k][victim] = true
						one.do("DELETE", "objects/"+one.id("tool", victim)+"/", "")
					}
				}
			}
		})
	}
	seen := map[string]int{}
	tail := ""
	reader := *b
	for pages := 0; pages < 60; pages++ {
		f := into[frame](reader.get("objects/?limit=9" + tail).want(200))
		for id := range strings.FieldsSeq(reader.found()) {
			seen[id]++
		}
		last := reader.Header.Get(headerLast)
		if !f.More || last == "" && f.Next == "" {
			break
		}
		if last != "" || strings.HasPrefix(tail, "&next") {
			tail = turn(f, last)
		}
	}
	close(stop)
	writers.Wait()
	for i := 1; i <= start; i++ {
		id := fmt.Sprintf("tool%d@01", i)
		if !gone[(i-1)%4][i] && seen[id] != 1 {
			b.t.Fatalf("%s met %d times", id, seen[id])
		}
	}
	for id, times := range seen {
		if times != 1 {
			b.t.Fatalf("%s met %d times", id, times)
		}
	}
}
