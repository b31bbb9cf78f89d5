package node

import (
	"io"
	"slices"
	"strings"

	"entente/internal/exchange"
)

var rootRows = rows{
	37: func(b *bench) {
		if d := into[map[string]any](b.get("/taxii2/").want(200)); d["title"] == "" || d["title"] == nil {
			b.t.Errorf("%s", b.Body)
		}
	},
	38: func(b *bench) {
		d := into[discovery](b.get("/taxii2/"))
		if d.Default != root || !slices.Contains(d.Roots, d.Default) {
			b.t.Errorf("%+v", d)
		}
	},
	39: func(b *bench) {
		for _, r := range into[discovery](b.get("/taxii2/")).Roots {
			if !strings.HasPrefix(r, "/") || strings.HasPrefix(r, "//") || !strings.HasSuffix(r, "/") || strings.Contains(r, "..") || strings.Contains(r, "?") {
				b.t.Errorf("%s", r)
			}
			b.get(r).want(200)
		}
	},
	40: func(b *bench) {
		x := b.w.n.exchange
		must(b.t, x.AddRoot(b.t.Context(), b.w.admin(), exchange.Root{Path: "arcadia", Title: "For Arcadia", Party: "ARC/Arcadia CERT"}))
		id := b.w.collection(exchange.Collection{Root: "arcadia", Alias: "own"})
		b.as = dave
		b.stored(b.obj("tool", 1, on("01"), clearRef)) // through the common root
		if d := into[discovery](b.get("/taxii2/")); !slices.Contains(d.Roots, "/taxii2/arcadia/") || d.Default != root {
			b.t.Errorf("%+v", d)
		}
		const own = "/taxii2/arcadia/collections/"
		b.get("/taxii2/arcadia/").want(200)
		b.get(own + "own/").want(200)
		st := into[status](b.do("POST", own+"own/objects/", envelope(b.obj("tool", 1, on("01"), clearRef))).want(202))
		b.get("/taxii2/arcadia/status/" + st.ID + "/").want(200)
		b.get(root + "status/" + st.ID + "/").want(404) // a status belongs to the root that was posted to
		b.get(own + "own/objects/").want(200)
		b.get(root + "collections/" + id + "/").want(404) // not in this root
		b.get(own + b.coll + "/").want(404)               // and the reverse
		b.get(root + "collections/" + id + "/objects/").want(404)
		for _, who := range []string{alice, mallory} {
			b.as = who
			if d := into[discovery](b.get("/taxii2/")); slices.Contains(d.Roots, "/taxii2/arcadia/") {
				b.t.Errorf("%s: %+v", who, d)
			}
			for _, tail := range []string{"", "collections/", "collections/own/", "collections/" + id + "/objects/", "collections/own/manifest/", "status/" + st.ID + "/"} {
				b.sameAnswer("GET", "/taxii2/arcadia/"+tail, "/taxii2/nowhere/"+tail)
			}
			b.sameAnswer("POST", own+"own/objects/", "/taxii2/nowhere/collections/own/objects/")
			b.sameAnswer("DELETE", own+"own/objects/x/", "/taxii2/nowhere/collections/own/objects/x/")
		}
	},
	41: func(b *bench) {
		b.get(root).want(200).body(`{"title":"Utopia CERT","versions":["application/taxii+json;version=2.1"],"max_content_length":65536}`)
	},
	42: func(b *bench) {
		for _, p := range []string{"", "collections/", "collections/a/", "collections/" + b.coll + "/objects/", "collections/" + b.coll + "/manifest/", "collections/a/objects/b/", "collections/a/objects/b/versions/", "status/x/"} {
			b.get("/taxii2/other/" + p).want(404)
		}
		b.do("POST", "/taxii2/other/collections/"+b.coll+"/objects/", envelope(b.obj("tool", 1, on("01")))).want(404)
		b.do("DELETE", "/taxii2/other/collections/"+b.coll+"/objects/x/", "").want(404)
	},
	43: func(b *bench) {
		body := envelope(b.obj("tool", 1, on("01")))
		body += strings.Repeat(" ", 65536-len(body))
		b.do("POST", "objects/", body).want(202)
		b.do("POST", "objects/", body+" ").want(413)
		b.header.Set("Content-Encoding", "gzip")
		b.do("POST", "objects/", zipped(body)).want(202)
		b.do("POST", "objects/", zipped(body+" ")).want(413)
	},
	44: func(b *bench) {
		for n, want := range map[int]int{1: 202, 400: 413} {
			var objects []string
			for i := range n {
				objects = append(objects, b.obj("tool", i+1, on("01")))
			}
			b.send("POST", "objects/", struct{ io.Reader }{strings.NewReader(envelope(objects...))}).want(want)
		}
	},
	46: func(b *bench) {
		list := into[struct{ Collections []map[string]any }](b.get(root + "collections/").want(200)).Collections
		for _, c := range list {
			for _, p := range []string{"id", "title", "can_read", "can_write"} {
				if c[p] == nil {
					b.t.Errorf("no %s: %v", p, c)
				}
			}
		}
		must(b.t, b.w.n.exchange.AddRoot(b.t.Context(), b.w.admin(), exchange.Root{Path: "empty", Title: "Empty"}))
		b.get("/taxii2/empty/collections/").want(200).body("{}")
	},
	47: func(b *bench) {
		first := b.get(root + "collections/").Body
		for range 5 {
			b.get(root + "collections/").body(first)
		}
	},
	48: func(b *bench) {
		if c := into[map[string]any](b.get("").want(200)); c["id"] != b.coll {
			b.t.Errorf("%v", c)
		}
		for _, p := range []string{nowhere, "%00%ff", "x", strings.ToUpper(b.coll)[:35]} {
			b.get(root + "collections/" + p + "/").want(404)
		}
	},
	49: func(b *bench) {
		b.coll = b.w.collection(exchange.Collection{Alias: "row49"})
		next := b.twoPages()
		for _, tail := range []string{"", "objects/", "manifest/", "objects/" + b.id("tool", 1) + "/", "objects/" + b.id("tool", 1) + "/versions/", "objects/?limit=1&next=" + next} {
			want := b.get(tail).want(200).Body
			b.get(root + "collections/row49/" + tail).want(200).body(want)
		}
		if _, err := b.w.n.exchange.AddCollection(b.t.Context(), b.w.admin(), exchange.Collection{Title: "T", Alias: "row49"}); err == nil {
			b.t.Error("an alias is taken twice")
		}
	},
	50: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")), b.old("tool", 2, on("01")))
		c := into[struct {
			Types []string `json:"media_types"`
		}](b.get("").want(200))
		for _, r := range b.records("manifest/") {
			if !slices.Contains(c.Types, r.Media) {
				b.t.Errorf("%s is not among %v", r.Media, c.Types)
			}
		}
	},
	51: func(b *bench) {
		if len(b.coll) != 36 || b.coll[14] != '4' || !strings.ContainsRune("89ab", rune(b.coll[19])) {
			b.t.Errorf("%s is no UUIDv4", b.coll)
		}
	},
	52: func(b *bench) {
		known := []string{"id", "title", "description", "alias", "can_read", "can_write", "media_types"}
		for p := range into[map[string]any](b.get("").want(200)) {
			if !slices.Contains(known, p) && !strings.HasPrefix(p, "x_") {
				b.t.Errorf("%s", p)
			}
		}
	},
}

type discovery struct {
	Default string   `json:"default"`
	Roots   []string `json:"api_roots"`
}
