package index

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

var (
	someTLPs  = []string{"red", "amber+strict", "amber", "green", "clear", ""}
	someWords = []string{"emotet", "emperor", "loader", "loading", "zebra"}
)

func pick[T any](t *rapid.T, name string, list []T) T {
	return list[rapid.IntRange(0, len(list)-1).Draw(t, name)]
}

// randomObject makes one of few objects in one of few versions, which may name others that are there, hidden, or nowhere.
func randomObject(t *rapid.T) string {
	n, tlp := rapid.IntRange(1, 6).Draw(t, "n"), pick(t, "tlp", someTLPs)
	when := fmt.Sprintf("2026-01-0%dT00:00:00.000Z", rapid.IntRange(1, 3).Draw(t, "version"))
	other := func() string { return id("malware", rapid.IntRange(1, 6).Draw(t, "other")) }
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		return at(relation(n, tlp, "related-to", other(), other()), when)
	case 1:
		return at(sdo("grouping", n, tlp, fmt.Sprintf(`"context":"unspecified","object_refs":[%q]`, other())), when)
	case 2:
		return at(sdo("identity", n, tlp, fmt.Sprintf(`"name":%q,"identity_class":"group"`, pick(t, "name", someWords))), when)
	}
	var more []string
	if rapid.Bool().Draw(t, "author") {
		more = append(more, fmt.Sprintf(`"created_by_ref":%q`, id("identity", rapid.IntRange(1, 6).Draw(t, "by"))))
	}
	return at(malware(n, tlp, pick(t, "name", someWords), pick(t, "w1", someWords)+" "+pick(t, "w2", someWords), more...), when)
}

// naive is what a viewer would find by reading everything.
type naive struct {
	rec  record.Seq
	id   string
	body map[string]any
	text string
}

// readAll reads each object by itself, as a page of several remembers what it found of others.
func (w *world) readAll(v gate.Viewer) (all []naive) {
	for _, id := range w.reads(v) {
		one, err := w.Read(context.Background(), v, store.Query{IDs: []string{id}})
		w.must(err)
		if len(one.Items) == 0 {
			continue
		}
		n := naive{rec: one.Items[0].Rec, id: id}
		w.must(json.Unmarshal(one.Items[0].Record.Body, &n.body))
		n.text = fmt.Sprint(n.body["name"], " ", n.body["description"])
		all = append(all, n)
	}
	return all
}

// check holds the index to reading everything, for every viewer.
func (w *world) check(t *rapid.T) {
	ctx := context.Background()
	for _, v := range viewers {
		all := w.readAll(v)
		search := func(q Query) (recs []record.Seq) {
			res, err := w.x.Search(ctx, w.scope(v), q)
			w.must(err)
			for _, h := range res.Hits {
				recs = append(recs, h.Rec)
			}
			if res.Total != len(recs) {
				t.Fatalf("%s: %q tells of %d and shows %d", v.Org, q.Text, res.Total, len(recs))
			}
			slices.Sort(recs)
			return recs
		}
		want := func(has func(naive) bool) (recs []record.Seq) {
			for _, n := range all {
				if has(n) {
					recs = append(recs, n.rec)
				}
			}
			slices.Sort(recs)
			return recs
		}
		for _, c := range []struct {
			query string
			has   func(naive) bool
		}{
			{"", func(naive) bool { return true }},
			{"type:malware", func(n naive) bool { return n.body["type"] == "malware" }},
			{"emotet", func(n naive) bool { return slices.Contains(strings.Fields(n.text), "emotet") }},
			{"em*", func(n naive) bool { return strings.Contains(" "+n.text, " em") }},
			{"load* -zebra", func(n naive) bool { return strings.Contains(" "+n.text, " load") && !strings.Contains(n.text, "zebra") }},
			{`"loader zebra"`, func(n naive) bool { return n.body["description"] == "loader zebra" }},
		} {
			if got, want := search(Query{Text: c.query}), want(c.has); !slices.Equal(got, want) {
				t.Fatalf("%s: %q finds %v, reading all finds %v", v.Org, c.query, got, want)
			}
		}
		words, err := w.x.Suggest(ctx, w.scope(v), "em", 10)
		w.must(err)
		for _, word := range []string{"emotet", "emperor"} {
			n := len(want(func(n naive) bool { return slices.Contains(strings.Fields(n.text), word) }))
			i := slices.IndexFunc(words, func(c Count) bool { return c.Value == word })
			if got := 0; n > 0 && (i < 0 || words[i].Count != n) || n == 0 && i >= 0 {
				t.Fatalf("%s: %q is suggested %v %d, and is in %d objects", v.Org, word, words, got, n)
			}
		}
		there := map[string]bool{}
		for _, n := range all {
			there[n.id] = true
		}
		for i := 1; i <= 6; i++ {
			w.checkAround(t, v, id("malware", i), all, there)
		}
	}
}

// checkAround holds an object's neighbours to reading everything.
func (w *world) checkAround(t *rapid.T, v gate.Viewer, of string, all []naive, there map[string]bool) {
	var want []string
	say := func(dir, typ, other string) {
		if there[other] && other != of {
			want = append(want, dir+typ+" "+short(other))
		}
	}
	for _, n := range all {
		text := func(key string) string { s, _ := n.body[key].(string); return s }
		if from, to := text("source_ref"), text("target_ref"); from != "" {
			if from == of {
				say(">", text("relationship_type"), to)
			}
			if to == of {
				say("<", text("relationship_type"), from)
			}
		}
		if refs, ok := n.body["object_refs"].([]any); ok && refs[0] == of {
			say("<", "object", n.id)
		}
		if by := text("created_by_ref"); by != "" && n.id == of {
			say(">", "created_by", by)
		}
	}
	got := w.around(v, of, NeighbourQuery{})
	if !there[of] {
		if got != "none" {
			t.Fatalf("%s may not have %s and is told of %s", v.Org, short(of), got)
		}
		return
	}
	list := strings.Split(got, ", ")
	if got == "" {
		list = nil
	}
	slices.Sort(list)
	slices.Sort(want)
	if !slices.Equal(list, want) {
		t.Fatalf("%s: around %s: %v, reading all: %v", v.Org, short(of), list, want)
	}
}

// anyRecord is one record of the store.
func (w *world) anyRecord(t *rapid.T) (store.Item, bool) {
	page, err := w.db.Page(context.Background(), w.gate.Own(w.now()), store.Query{Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Headers: true, Held: true})
	w.must(err)
	if len(page.Items) == 0 {
		return store.Item{}, false
	}
	return pick(t, "record", page.Items), true
}

// TestIndexIsWhatReadingFinds runs random histories, with restarts and rebuilds, and compares every answer to every viewer with what
// the viewer finds by reading everything through the exchange.
func TestIndexIsWhatReadingFinds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		defer w.close()
		ctx := context.Background()
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch step := rapid.IntRange(0, 9).Draw(r, "step"); step {
			case 0:
				if it, ok := w.anyRecord(r); ok {
					l := it.Record.Label
					l.TLP = pick(r, "to", []label.TLP{label.Red, label.Amber, label.Green, label.Clear})
					switch rapid.IntRange(0, 3).Draw(r, "times") {
					case 0:
						l.NotBefore = w.now().Add(time.Hour)
					case 1:
						l.NotAfter = w.now().Add(time.Hour)
					}
					_, err := w.db.Relabel(ctx, w.gate.Own(w.now()), store.Relabelling{Rec: it.Rec, Label: l, EndHold: true, Act: store.Act{Actor: "node", Verb: "relabel"}})
					w.must(err)
				}
			case 1:
				if it, ok := w.anyRecord(r); ok {
					_, err := w.db.Remove(ctx, w.gate.Own(w.now()), store.Removal{Rec: it.Rec, ID: it.Record.ID, Act: store.Act{Actor: "node", Verb: "remove"}})
					w.must(err)
				}
			case 2:
				if it, ok := w.anyRecord(r); ok {
					_, err := w.Purge(ctx, us, it.Record.ID, false)
					w.must(err)
				}
			case 3:
				w.time.Add((40 * time.Minute).Microseconds())
			case 4:
				w.must(w.x.Close())
				w.open()
			case 5:
				w.must(w.x.Rebuild(ctx))
			default:
				var objects [][]byte
				for range rapid.IntRange(1, 6).Draw(r, "objects") {
					objects = append(objects, []byte(randomObject(r)))
				}
				_, err := w.Accept(ctx, pick(r, "by", viewers), exchange.Submission{Objects: objects, Via: "test"})
				w.must(err)
			}
			if rapid.Bool().Draw(r, "sync") {
				w.sync()
			}
		}
		w.sync()
		w.check(r)
	})
}

// TestPurgeLeavesNoByte searches the index's files for what was purged.
func TestPurgeLeavesNoByte(t *testing.T) {
	w := newWorld(t)
	secret := []string{"unmentionable", "verschwiegen", "x-secret-relation", id("malware", 77), "10.77.66.55", "hidden.example"}
	var objects []string
	for i := range 300 {
		objects = append(objects, malware(i+100, "clear", fmt.Sprint("name", i), "some text"))
	}
	w.take(us, objects...)
	w.take(us, malware(77, "clear", "Unmentionable", "verschwiegen", `"labels":["unmentionable"]`))
	w.take(us, relation(78, "clear", "x-secret-relation", id("malware", 77), id("malware", 100)),
		indicator(79, "clear", "[ipv4-addr:value = '10.77.66.55' OR domain-name:value = 'hidden.example']"))
	for range 10 {
		w.take(us, objects[0]) // merges take what is purged along
		objects = objects[1:]
	}
	if got := w.finds(us, "unmentionable"); got != "mal77" {
		t.Fatal(got)
	}
	for _, o := range []string{id("relationship", 78), id("malware", 77), id("indicator", 79)} {
		if _, err := w.Purge(t.Context(), us, o, false); err != nil {
			t.Fatal(err)
		}
	}
	w.sync()
	if got := w.finds(us, "unmentionable") + w.finds(us, "value:hidden.example"); got != "" {
		t.Fatal(got)
	}
	files, err := filepath.Glob(filepath.Join(w.indexDir(), "*"))
	w.must(err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		w.must(err)
		for _, s := range secret {
			for _, form := range []string{s, domainKey(s), "\x0a\x4d\x42\x37"} {
				if strings.Contains(strings.ToLower(string(b)), form) {
					t.Errorf("%s still holds %q", filepath.Base(f), form)
				}
			}
		}
	}
	if got := w.finds(us, "name42"); got != "mal142" {
		t.Errorf("a living object is found as %q", got)
	}
}

// TestTwoWorlds asks the same in two worlds that differ only in what is hidden from the asker: every answer must be the same.
func TestTwoWorlds(t *testing.T) {
	worlds := [2]*world{newWorld(t), newWorld(t)}
	for i, w := range worlds {
		w.take(us, malware(1, "clear", "Emotet", "loader"), malware(2, "clear", "other", "emotet"), sdo("identity", 9, "clear", `"name":"Analysts","identity_class":"group"`))
		if i == 1 {
			var hidden []string
			for n := 10; n < 60; n++ {
				hidden = append(hidden, malware(n, "red", "Emotet", "emotet emotaint taint", `"created_by_ref":"`+id("identity", 9)+`"`),
					relation(n, "red", "uses", id("malware", 1), id("malware", 2)))
			}
			w.take(us, hidden...)
			w.take(us, at(malware(1, "red", "Tainted", "newer version"), "2026-02-01T00:00:00.000Z"))
			w.take(us, sdo("report", 61, "clear", `"name":"Tainted report","published":"2026-01-01T00:00:00Z","object_refs":["`+id("malware", 10)+`"]`)) // withheld: it names what is hidden
		}
		w.take(us, relation(3, "clear", "related-to", id("malware", 1), id("malware", 2)))
	}
	ask := func(w *world, v gate.Viewer) string {
		var b strings.Builder
		for _, q := range []string{"", "emotet", "emo*", "taint", "taint*", "tainted", "loader", "type:malware", "type:report", "tlp:red", "author:analysts", `source:"utopia cert"`, `"emotet emotaint"`,
			`-"emotet emotaint"`, "-tlp:red", "id:" + id("malware", 10), "revoked:false"} {
			res, err := w.x.Search(t.Context(), w.scope(v), Query{Text: q, Facets: true, Limit: 2})
			fmt.Fprintln(&b, q, res.Total, res.More, len(res.Next), res.Types, res.TLPs, res.Orgs, err)
			for _, h := range res.Hits {
				fmt.Fprintln(&b, h.ID, h.Rank)
			}
		}
		for _, p := range []string{"em", "ta", "em0", "lo"} {
			fmt.Fprintln(&b, fmt.Sprint(w.x.Suggest(t.Context(), w.scope(v), p, 5)))
		}
		for _, n := range []int{1, 2, 10} {
			fmt.Fprintln(&b, w.around(v, id("malware", n), NeighbourQuery{}), w.ways(v, id("malware", 1), id("malware", n), 6))
		}
		return b.String()
	}
	for _, v := range []gate.Viewer{grid, member, outside} {
		if a, b := ask(worlds[0], v), ask(worlds[1], v); a != b {
			t.Errorf("%s: what is hidden changes the answer:\n%s\n%s", v.Org, a, b)
		}
	}
	if a, b := ask(worlds[0], us), ask(worlds[1], us); a == b {
		t.Error("nothing was hidden")
	}
}
