package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/exchange"
)

// rejects checks bodies of a POST: body → status.
func rejects(cases map[string]int) func(*bench) {
	return func(b *bench) {
		for body, status := range cases {
			if b.do("POST", "objects/", body); b.Code != status {
				b.t.Errorf("%.80q: %d, want %d: %s", body, b.Code, status, b.Body)
			}
		}
	}
}

// deep is an object nested n levels.
func deep(n int) string {
	return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

// at runs fn several times at once, each with a bench of its own over the same collection.
func (b *bench) at(n int, fn func(k int, one *bench)) {
	var all sync.WaitGroup
	for k := range n {
		one := *b
		one.header = http.Header{}
		all.Go(func() { fn(k, &one) })
	}
	all.Wait()
}

func statusOf(b *bench) status { b.t.Helper(); return into[status](b) }

// strict gives the row a collection that takes only what its standard allows.
func (b *bench) strict() *bench {
	b.coll = b.w.collection(exchange.Collection{})
	return b
}

var addRows = rows{
	101: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		b.get("objects/").body(envelope(b.obj("tool", 1, on("01"))))
	},
	102: func(b *bench) {
		st := statusOf(b.post(b.obj("tool", 1, on("01")), `{"type":"y","id":"x--2"}`).want(202))
		if st.TotalCount != 2 || st.SuccessCount != 1 || len(st.Successes) != 1 || st.FailureCount != 1 || len(st.Failures) != 1 || st.PendingCount != 0 || st.Status != "complete" {
			b.t.Errorf("%+v", st)
		}
		if len(st.ID) != 36 || st.ID[14] != '4' {
			b.t.Errorf("%s is no UUIDv4", st.ID)
		}
		for _, name := range []string{"total_count", "success_count", "failure_count", "pending_count"} {
			if !strings.Contains(b.Body, `"`+name+`":`) {
				b.t.Errorf("no %s: %s", name, b.Body)
			}
		}
	},
	103: func(b *bench) {
		st := statusOf(b.post(b.obj("tool", 1, on("01")), `{"type":"y","id":"x--2"}`, `{}`, b.sco(1)))
		for _, d := range append(st.Successes, st.Failures...) {
			if d.ID == "" || d.Version == "" {
				b.t.Errorf("%+v", d)
			}
		}
	},
	104: func(b *bench) {
		if st := b.stored(b.obj("tool", 1, on("01"))); !microseconds.MatchString(st.Requested) {
			b.t.Errorf("%s", b.Body)
		}
	},
	105: func(b *bench) {
		st := b.stored(b.obj("tool", 1, on("01")))
		path, want := root+"status/"+st.ID+"/", b.Body
		b.get(path).want(200).body(want)
		b.w.restart()
		b.get(path).want(200).body(want)
		defer b.w.ahead.Store(0)
		b.w.ahead.Store(int64(24*time.Hour - 10*time.Minute))
		b.get(path).want(200).body(want)
		b.w.ahead.Store(int64(25 * time.Hour))
		b.get(path).want(404)
		// A clock that goes back takes nothing from the order.
		b.stored(b.obj("tool", 2, on("01")))
		b.w.ahead.Store(0)
		b.stored(b.obj("tool", 3, on("01")))
		if got := b.get("objects/").found(); got != "tool1@01 tool2@01 tool3@01" {
			b.t.Error(got)
		}
	},
	106: func(b *bench) {
		b.as = dave
		st := b.stored(b.obj("tool", 1, on("01")))
		b.get(root + "status/" + st.ID + "/").want(200)
		for _, who := range []string{alice, bob, carol} {
			b.as = who
			b.sameAnswer("GET", root+"status/"+st.ID+"/", root+"status/"+nowhere+"/")
		}
		// An auditor follows the own organisation's posts; another's may tell of records that the own one may not have.
		b.as = audrey
		b.sameAnswer("GET", root+"status/"+st.ID+"/", root+"status/"+nowhere+"/")
		b.as = alice
		st = b.stored(b.obj("tool", 2, on("01")))
		b.as = audrey
		b.get(root + "status/" + st.ID + "/").want(200)
	},
	107: func(b *bench) {
		for _, id := range []string{"x", "%00", nowhere, "..%2f", strings.Repeat("a", 512), "%7B" + nowhere + "%7D", "urn:uuid:" + nowhere} {
			b.get(root + "status/" + id + "/").want(404)
		}
	},
	108: func(b *bench) {
		const good = 60
		var objects []string
		for n := range good {
			objects = append(objects, b.obj("tool", n+1, on("01")))
		}
		objects = append(objects, `{"type":"tool","id":"no"}`, "{}")
		st := statusOf(b.post(objects...).want(202))
		if st.Status != "pending" || st.PendingCount != good+2 || st.TotalCount != good+2 || st.SuccessCount+st.FailureCount != 0 {
			b.t.Errorf("%s", b.Body)
		}
		st = b.await(st)
		if st.SuccessCount != good || st.FailureCount != 2 || st.PendingCount != 0 || len(st.Successes) != good || len(st.Failures) != 2 || st.Failures[0].Message == "" {
			b.t.Errorf("%s", b.Body)
		}
		b.get(root + "status/" + st.ID + "/").body(b.Body) // complete is final
		if got := len(strings.Fields(b.get("objects/").found())); got != good {
			b.t.Errorf("%d stored", got)
		}
		// One less is stored before it is answered.
		if st := statusOf(b.post(objects[:20]...)); st.Status != "complete" || st.SuccessCount != 20 {
			b.t.Errorf("%+v", st)
		}
		// What waits when the node stops is stored after its start.
		for n := range objects {
			objects[n] = b.obj("campaign", n+1, on("01"))
		}
		st = statusOf(b.post(objects...).want(202))
		b.w.restart()
		if st = b.await(st); st.SuccessCount != len(objects) {
			b.t.Errorf("%+v", st)
		}
	},
	109: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")), b.sco(1))
		before := b.get("manifest/").Body
		b.stored(b.obj("tool", 1, on("01")), b.sco(1))
		b.stored(strings.Replace(b.obj("tool", 1, on("01")), `"name":"n"`, `"name": "\u006e"`, 1)) // other bytes, the same content
		b.get("manifest/").body(before)
		b.stored(b.obj("tool", 2, on("01")), b.obj("tool", 2, on("01"))) // twice in one envelope
		// And at the same time by several: each is told of the one version.
		said := make([]string, 6)
		b.at(len(said), func(k int, one *bench) {
			for _, d := range one.stored(one.obj("tool", 3, on("01")), one.sco(2)).Successes {
				said[k] += d.Version + " "
			}
		})
		if n := len(b.records("manifest/")); n != 5 || len(slices.Compact(said)) != 1 {
			b.t.Errorf("%d records; %q", n, said)
		}
	},
	110: func(b *bench) {
		first := b.obj("tool", 1, on("01"))
		b.stored(first)
		other := strings.Replace(first, `"name":"n"`, `"name":"other"`, 1)
		for range 2 {
			if st := statusOf(b.post(other).want(202)); st.FailureCount != 1 || !strings.Contains(st.Failures[0].Message, "3.6") {
				b.t.Errorf("%+v", st)
			}
		}
		b.get("objects/?match[version]=all").body(envelope(first))
		// Of several at the same time one is kept.
		var kept atomic.Int32
		b.at(6, func(k int, one *bench) {
			st := statusOf(one.post(strings.Replace(one.obj("tool", 3, on("01")), `"name":"n"`, fmt.Sprintf(`"name":"n%d"`, k), 1)).want(202))
			kept.Add(int32(st.SuccessCount))
		})
		if n := len(b.records("manifest/?match[version]=all&match[id]=" + b.id("tool", 3))); n != 1 || kept.Load() != 1 {
			b.t.Errorf("%d records, %d were told that they are stored", n, kept.Load())
		}
		// Also in one envelope.
		if st := statusOf(b.post(b.obj("tool", 2, on("01")), strings.Replace(b.obj("tool", 2, on("01")), `"name":"n"`, `"name":"other"`, 1))); st.SuccessCount != 1 || st.FailureCount != 1 {
			b.t.Errorf("%+v", st)
		}
	},
	111: func(b *bench) {
		b.strict()
		if st := statusOf(b.post(b.obj("tool", 1, on("01")), b.obj("tool", 9, "z"), b.obj("tool", 2, on("02"))).want(202)); st.SuccessCount != 2 || st.FailureCount != 1 || !strings.Contains(st.Failures[0].Message, "/modified") || !strings.Contains(st.Failures[0].Message, "section") {
			b.t.Errorf("%+v", st)
		}
		if got := b.get("objects/").found(); got != "tool1@01 tool2@02" {
			b.t.Error(got)
		}
		// All failed is a status as well.
		if st := statusOf(b.post("{}").want(202)); st.FailureCount != 1 || st.Status != "complete" {
			b.t.Errorf("%+v", st)
		}
	},
	112: rejects(map[string]int{"": 400, " ": 400, "{": 400, "null": 422, "[]": 422, `"x"`: 422, "1": 422, `{"objects":{}}`: 422, `{"objects":"x"}`: 422, `{"objects":null}`: 422,
		`{"objects":[1]}`: 422, `{"objects":[{},null]}`: 422, `{"objects":[[]]}`: 422, `{"objects":[{}}`: 400, `{"objects":[{}]}}`: 400, `{"objects":[{}]} {}`: 400,
		`{objects:[]}`: 400, `{"objects":[{},]}`: 400, `{"objects":[{"a":01}]}`: 400, "\xef\xbb\xbf{}": 400, `{"objects":[{}]`: 400, `{"objects"`: 400, "tru": 400, "[": 400}),
	113: rejects(map[string]int{"{}": 422, `{"objects":[]}`: 422, `{"more":false}`: 422}),
	114: func(b *bench) {
		b.strict()
		bad := []string{`{}`, `{"type":"x"}`, strings.Replace(b.obj("tool", 1, on("01")), `"type":"tool"`, `"type":"campaign"`, 1), b.obj("tool", 2, "yesterday"), `{"type":1}`, b.obj("tool", 3, "2026-01-01"),
			strings.Replace(b.obj("tool", 4, on("01")), b.id("tool", 4), "tool--4", 1), strings.Replace(b.obj("tool", 5, on("01")), `"spec_version":"2.1"`, `"spec_version":"9.9"`, 1),
			b.obj("tool", 6, "2025-01-01T00:00:00.000Z"), strings.Replace(b.obj("tool", 7, on("01")), `"name":"n"`, `"name":null`, 1), strings.Replace(b.obj("indicator", 8, on("01")), `"name"`, `"pattern":"[","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","name"`, 1)}
		if st := statusOf(b.post(bad...).want(202)); st.FailureCount != len(bad) {
			b.t.Errorf("%s", b.Body)
		}
		b.get("objects/").want(200).body("{}")
	},
	115: func(b *bench) {
		hostile := []string{b.obj("tool", 1, "yesterday"), b.obj("tool", 2, "0000-00-00T00:00:00.000Z"), b.obj("tool", 3, "9999-12-31T23:59:59.999Z"), strings.Replace(b.obj("tool", 4, on("01")), `"modified":"`+on("01")+`"`, `"modified":7`, 1),
			strings.Replace(b.obj("tool", 5, on("01")), `"modified":"`+on("01")+`"`, `"modified":null`, 1), strings.Replace(b.obj("tool", 6, on("01")), `"id":"`, `"id":"\u0000`, 1),
			b.obj("tool", 7, on("01"), `,"object_marking_refs":{"a":1}`), b.obj("tool", 8, on("01"), `,"granular_markings":[{"selectors":["x.[0]"]}]`), b.obj("tool", 9, on("01"), `,"x":`+deep(60)),
			strings.Replace(b.obj("indicator", 1, on("01")), `"name"`, `"pattern":"`+strings.Repeat("(", 5000)+`","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","name"`, 1),
			b.obj("tool", 10, on("01"), `,"extensions":[]`), b.obj("tool", 11, on("01"), `,"created_by_ref":["a"]`), `{"type":"mutex","id":"mutex--x","name":[]}`, b.obj("tool", 12, "2026-06-30T23:59:60.000Z"), b.obj("tool", 13, "2026-01-01T00:00:60.000Z"),
			strings.Replace(b.obj("tool", 14, on("01")), b.id("tool", 14), "tool--a/../b?c#d,e f\u00fc%2F", 1), strings.Replace(b.obj("tool", 15, on("01")), b.id("tool", 15), "tool--"+strings.Repeat("a", 600), 1),
			strings.Replace(b.obj("tool", 16, on("01")), b.id("tool", 16), "tool--", 1), fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":%q,"name":"n"}`, b.id("tool", 17)), b.obj("tool", 17, on("01")),
			strings.Replace(b.obj("tool", 18, on("01")), `"2.1"`, `2.1`, 1), strings.Replace(b.obj("tool", 19, on("01")), `"2.1"`, `null`, 1), strings.Replace(b.obj("tool", 20, on("01")), `"2.1"`, `"2.1,2.0"`, 1),
			strings.Replace(b.sco(1), `"2.1"`, `"2.0"`, 1), b.sco(1), b.old("tool", 21, "2026-01-01T00:00:00.1234567890123Z"), b.old("tool", 22, "2026-01-01T00:00:00+00:00"),
			strings.Replace(b.obj("tool", 23, on("01")), `"revoked"`, `"revoked":"yes","name"`, 1), b.obj("tool", 24, on("01"), `,"revoked":true`), b.obj("tool", 24, on("02"))}
		for _, policy := range []exchange.Policy{exchange.Reject, exchange.Flag, exchange.Quarantine} {
			b.coll = b.w.collection(exchange.Collection{Policy: policy})
			for _, h := range hostile {
				b.post(h).want(202)
			}
			b.stored(b.obj("campaign", 1, on("01")))
			for _, who := range []string{alice, dave} {
				b.as = who
				for _, q := range []string{"", "?match[version]=all", "?match[version]=first,last", "?match[spec_version]=2.0,2.1", "?match[version]=2026-01-01T00:00:00Z", "?limit=1"} {
					b.get("objects/" + q).want(200)
					b.get("manifest/" + q).want(200)
				}
			}
			b.as = alice
			for _, r := range b.records("manifest/?match[version]=all&match[spec_version]=2.0,2.1") {
				for _, p := range []string{"objects/" + url.PathEscape(r.ID) + "/", "objects/" + url.PathEscape(r.ID) + "/versions/", "objects/?match[spec_version]=2.0,2.1&match[version]=" + r.Version, "objects/?match[id]=" + url.QueryEscape(r.ID) + "&match[version]=all"} {
					if b.get(p); b.Code != 200 || b.Body == "{}" {
						b.t.Errorf("%s: %.60s, version %s, at %.80s: %d %s", policy, r.ID, r.Version, p, b.Code, b.Body)
					}
				}
			}
		}
	},
	116: func(b *bench) {
		b.do("POST", "objects/", `{"type":"bundle","id":"bundle--`+nowhere+`","objects":[`+b.obj("tool", 1, on("01"))+`]}`).want(202)
		b.get("objects/").body(envelope(b.obj("tool", 1, on("01"))))
	},
	117: func(b *bench) {
		b.do("POST", "objects/", `{"more":true,"next":"n","x_custom":{"a":[1]},"objects":[`+b.obj("tool", 1, on("01"))+`]}`).want(202)
		rejects(map[string]int{`{"more":1,"objects":[{}]}`: 422, `{"next":1,"objects":[{}]}`: 422, `{"next":null,"objects":[{}]}`: 422})(b)
	},
	118: rejects(map[string]int{
		`{"objects":[{"a":1,"a":2}]}`:        400,
		`{"objects":[{"a":1,"\u0061":2}]}`:   400,
		`{"objects":[{}],"objects":[{}]}`:    400,
		"{\"objects\":[{\"a\":\"\xff\"}]}":   400,
		"{\"objects\":[{\"a\":\"\x01\"}]}":   400,
		`{"objects":[{"a":NaN}]}`:            400,
		`{"objects":[{"a":"\ud800"}]}`:       400,
		`{"objects":[` + deep(65) + `]}`:     400,
		`{"objects":[` + deep(64) + `]}`:     202,
		`{"x":` + strings.Repeat("[", 60000): 400,
		strings.Repeat(`{"objects":[`, 5000): 400,
		`{"objects":[{"a":1e999999999}]}`:    202,
	}),
	119: func(b *bench) {
		b.threeVersions()
		if got := b.get(b.object("")).found(); got != "tool1@03" {
			b.t.Error(got)
		}
		if got := b.get(b.object("?match[version]=all")).found(); got != "tool1@01 tool1@03 tool1@02" {
			b.t.Error(got)
		}
	},
	120: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01"), clearRef))
		b.as = dave
		b.get(b.object("")).body(envelope(b.obj("tool", 1, on("01"), clearRef)))
		st := statusOf(b.post(b.obj("tool", 1, on("02"), clearRef)).want(202))
		said := fmt.Sprint(st.Successes, st.Failures)
		if !strings.Contains(said, "quarantine") || !strings.Contains(said, "3.6") {
			b.t.Errorf("%s", b.Body)
		}
		for _, who := range []string{alice, bob} {
			b.as = who
			for _, q := range []string{"", "?match[version]=all"} {
				b.get(b.object(q)).body(envelope(b.obj("tool", 1, on("01"), clearRef)))
			}
			b.get(b.object("versions/")).body(`{"versions":["` + on("01") + `"]}`)
		}
	},
	121: func(b *bench) {
		st := b.stored(b.obj("tool", 1, on("01")))
		// What a power cut would leave now: the files as they are, without a word to the node.
		dir := filepath.Join(b.t.TempDir(), "d")
		err := os.CopyFS(dir, withoutSocket{os.DirFS(b.w.cfg.Data)})
		for errors.Is(err, fs.ErrNotExist) { // a file went between the look at its folder and the copy
			must(b.t, os.RemoveAll(dir))
			err = os.CopyFS(dir, withoutSocket{os.DirFS(b.w.cfg.Data)})
		}
		must(b.t, err)
		must(b.t, filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
			if err == nil {
				err = os.Chmod(p, map[bool]os.FileMode{true: 0o700, false: 0o600}[info.IsDir()])
			}
			return err
		}))
		after := &world{t: b.t, cfg: b.w.cfg, tokens: b.w.tokens}
		after.cfg.Data = dir
		after.start()
		defer after.stop()
		again := *b
		again.w, again.header = after, nil
		again.get(root + "status/" + st.ID + "/").want(200)
		if got := statusOf(&again); got.SuccessCount != 1 {
			b.t.Errorf("%+v", got)
		}
		again.get("objects/").body(envelope(b.obj("tool", 1, on("01"))))
		// And by the way of a stop.
		b.w.restart()
		b.get(root + "status/" + st.ID + "/").want(200)
		b.get("objects/").body(envelope(b.obj("tool", 1, on("01"))))
	},
}
