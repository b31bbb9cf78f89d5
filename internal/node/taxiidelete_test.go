package node

import (
	"strings"

	"entente/internal/exchange"
	"entente/internal/store"
)

var deleteRows = rows{
	122: func(b *bench) { b.threeVersions().do("DELETE", b.object(""), "").want(200).body("") },
	123: func(b *bench) {
		b.threeVersions()
		b.stored(b.old("tool", 1, on("01")))
		b.do("DELETE", b.object(""), "").want(200)
		b.get(b.object("")).want(404)
		b.get(b.object("versions/")).want(404)
		b.get("manifest/?match[spec_version]=2.0,2.1&match[version]=all&match[id]=" + b.id("tool", 1)).want(200).body("{}")
		b.get("objects/").want(200).body(envelope(b.obj("campaign", 1, on("01"))))
	},
	124: func(b *bench) {
		for version, left := range map[string]string{"2026-01-02T00:00:00Z": "tool1@01 tool1@03", "first": "tool1@03 tool1@02", "last": "tool1@01 tool1@02", "first,last": "tool1@02", "all": "",
			"2026-01-01T00:00:00Z,2026-01-03T00:00:00Z": "tool1@02"} {
			b.coll = b.w.collection(exchange.Collection{})
			b.threeVersions()
			b.do("DELETE", b.object("?match[version]="+version), "").want(200)
			if got := b.get("objects/?match[version]=all&match[id]=" + b.id("tool", 1)).want(200).found(); got != left {
				b.t.Errorf("after %s: %s", version, got)
			}
		}
		b.coll = b.w.collection(exchange.Collection{})
		b.threeVersions()
		b.do("DELETE", b.object("?match[version]=all,last"), "").want(400)
		b.do("DELETE", b.object("?match[version]=2001-01-01T00:00:00Z"), "").want(404)
		b.do("DELETE", b.object("?match[spec_version]=2.0"), "").want(404)
		b.do("DELETE", b.object("?match[spec_version]=2.1"), "").want(200)
		b.stored(b.sco(1))
		r := b.records("manifest/?match[type]=mutex")[0]
		b.do("DELETE", "objects/"+r.ID+"/?match[version]="+r.Version, "").want(200)
		b.get("objects/" + r.ID + "/").want(404)
		// In a second collection it has the version that is stated there.
		b.stored(b.sco(2))
		first := b.records("manifest/?match[type]=mutex")[0].Version
		b.coll = b.w.collection(exchange.Collection{})
		here := b.stored(b.sco(2)).Successes[0].Version
		if first != here {
			b.do("DELETE", "objects/"+b.id("mutex", 2)+"/?match[version]="+first, "").want(404)
		}
		b.do("DELETE", "objects/"+b.id("mutex", 2)+"/?match[version]="+here, "").want(200)
		b.get("objects/").body("{}")
	},
	125: func(b *bench) {
		b.threeVersions()
		b.do("DELETE", "objects/"+b.id("campaign", 1)+"/?match[version]="+on("01"), "").want(200)
		b.get("objects/" + b.id("campaign", 1) + "/?match[version]=" + on("01")).want(404)
		b.do("DELETE", "objects/"+b.id("campaign", 1)+"/?match[version]="+on("01"), "").want(404)
		b.do("DELETE", b.object("?match[version]="+on("02")), "").want(200)
		b.get(b.object("?match[version]=" + on("02"))).want(200).body("{}") // the object itself is there
	},
	126: func(b *bench) {
		b.threeVersions()
		for _, id := range []string{b.id("tool", 9), "x", "%00"} {
			b.do("DELETE", "objects/"+id+"/", "").want(404)
		}
	},
	127: func(b *bench) {
		one := []string{b.obj("tool", 1, on("01")), b.sco(1)}
		b.stored(one...)
		before := b.added()
		b.do("DELETE", b.object(""), "").want(200)
		b.do("DELETE", "objects/"+b.id("mutex", 1)+"/", "").want(200)
		b.get("objects/").body("{}")
		b.stored(one...)
		if after := b.added(); len(after) != 2 || after[0] <= before[1] {
			b.t.Errorf("%v after %v", after, before)
		}
		b.get("objects/?added_after=" + before[1]).body(envelope(one...))
	},
	128: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01"), clearRef))
		for _, c := range []struct {
			who  string
			want int
		}{{mallory, 404}, {bob, 403}, {carol, 403}, {dave, 403}, {alice, 200}, {alice, 404}} { // dave's rights would do, and the object is not his
			b.as = c.who
			b.do("DELETE", b.object(""), "").want(c.want)
		}
		// He removes what is his, from a collection that he shares.
		b.as = dave
		b.stored(b.obj("tool", 2, on("01"), clearRef))
		b.do("DELETE", "objects/"+b.id("tool", 2)+"/", "").want(200)
	},
	129: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		for who, want := range map[string]int{mallory: 404, carol: 403, bob: 200} {
			b.as = who
			for _, p := range []string{"objects/", "manifest/", b.object(""), b.object("versions/")} {
				b.get(p).want(want)
			}
		}
	},
	130: func(b *bench) {
		for who, want := range map[string]int{mallory: 404, bob: 403, carol: 202} {
			b.as = who
			b.post(b.obj("tool", 1, on("01"))).want(want)
		}
	},
	131: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		b.do("DELETE", b.object(""), "").want(200)
		acts, _, err := b.w.n.exchange.Acts(b.t.Context(), b.w.admin(), store.ActQuery{Verbs: []string{"object.remove"}})
		must(b.t, err)
		for _, e := range acts {
			if e.Act.Target == b.coll {
				return
			}
		}
		b.t.Error("the journal does not keep the removal")
	},
	132: func(b *bench) { b.get("/taxii2/nowhere/").want(404) }, // checkError holds every answer from 400 on to this
	133: func(b *bench) {
		if b.get("/taxii2/nowhere/"); !strings.Contains(b.Body, `"http_status":"404"`) {
			b.t.Errorf("%s", b.Body)
		}
	},
	134: func(b *bench) {
		type fault struct {
			ErrorID   string            `json:"error_id"`
			ErrorCode string            `json:"error_code"`
			Details   map[string]string `json:"details"`
		}
		seen := map[string]bool{}
		for range 10 {
			e := into[fault](b.get("objects/?limit=0").want(400))
			if seen[e.ErrorID] || e.ErrorCode != "query.invalid" || e.Details["field"] != "limit" || e.Details["rule"] == "" {
				b.t.Errorf("%+v", e)
			}
			seen[e.ErrorID] = true
		}
		for body, pointer := range map[string]string{envelope("{}", `{"a":{"b/c":[1,{"d":1,"d":2}]}}`): "/objects/1/a/b~1c/1/d", envelope("{}", "7"): "/objects/1", `{"more":"yes"}`: "/more"} {
			if e := into[fault](b.do("POST", "objects/", body)); e.Details["pointer"] != pointer || e.Details["rule"] == "" {
				b.t.Errorf("%s: %s", body, b.Body)
			}
		}
	},
}
