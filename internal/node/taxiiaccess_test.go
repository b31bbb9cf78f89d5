package node

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/keyring"
)

// sameAnswer fails unless two answers differ in nothing but the id of the error and the date.
func (b *bench) sameAnswer(method, one, other string) {
	b.t.Helper()
	ask := func(path string) (int, string, string) {
		b.do(method, path, map[bool]string{true: envelope("{}")}[method == "POST"])
		var e map[string]any
		if b.Body != "" {
			must(b.t, json.Unmarshal([]byte(b.Body), &e))
			delete(e, "error_id")
		}
		body, _ := json.Marshal(e)
		h := b.Header.Clone()
		h.Del("Date")
		head, _ := json.Marshal(h)
		return b.Code, string(body), string(head)
	}
	c1, b1, h1 := ask(one)
	c2, b2, h2 := ask(other)
	if c1 != c2 || b1 != b2 || h1 != h2 {
		b.t.Errorf("%s %s: %d %s %s\nand %s: %d %s %s", method, one, c1, b1, h1, other, c2, b2, h2)
	}
}

// throttled signs in with guess after guess until it is told to wait; checkError sees that it is told for how long.
func throttled(b *bench, guess func(n int) string) bool {
	b.t.Helper()
	for n := range 60 {
		b.header["Authorization"] = []string{guess(n)}
		if b.get("/taxii2/"); b.Code == 429 {
			return true
		}
		b.want(401)
	}
	return false
}

// nowhere is the id of no collection.
const nowhere = "44444444-4444-4444-8444-444444444444"

var accessRows = rows{
	25: func(b *bench) {
		b.as = "nobody"
		b.each(func(p string) {
			b.get(p).want(401)
			if got := b.Header["Www-Authenticate"]; len(got) != 2 || !strings.HasPrefix(got[0], "Basic ") || !strings.HasPrefix(got[1], "Bearer ") {
				b.t.Errorf("%v", got)
			}
		})
		b.post("{}").want(401)
		b.do("DELETE", "objects/x/", "").want(401)
	},
	26: func(b *bench) { // do holds the body and its type
		b.as = "nobody"
		if b.get("/taxii2/").want(401); !strings.Contains(b.Body, `"http_status":"401"`) {
			b.t.Errorf("%s", b.Body)
		}
	},
	27: func(b *bench) {
		token := b.w.tokens[alice]
		basic := func(name, pass string) string {
			r := &http.Request{Header: http.Header{}}
			r.SetBasicAuth(name, pass)
			return r.Header.Get("Authorization")
		}
		for _, a := range []string{"Bearer", "Bearer ", "Bearer x", "Bearer " + token[:len(token)-1], "Bearer " + token + "x", "Bearer " + strings.Repeat("a", 5000), "Basic", "Basic !!!", "Basic eA==",
			basic("admin", "wrong password 1"), basic("nobody here", "x"), basic("", ""), basic("admin\x00", "x"), basic("\xff\xfe", "\xff"), "Digest a=b", token, strings.Repeat("Basic ", 50)} {
			b.header["Authorization"] = []string{a}
			if b.get("/taxii2/"); b.Code != 401 && b.Code != 429 {
				b.t.Errorf("%.40q: %d", a, b.Code)
			}
			if strings.Contains(b.Body, token) || strings.Contains(b.Body, "wrong password") {
				b.t.Errorf("a secret is told: %s", b.Body)
			}
		}
		// Guessing is slowed down for who guesses, and for nobody else.
		guess := throttled(b, func(n int) string { return basic("guessed", fmt.Sprintf("wrong password %d", n)) })
		b.header = http.Header{}
		if b.get("/taxii2/").want(200); !guess {
			b.t.Error("nobody is told to wait")
		}
	},
	28: func(b *bench) {
		b.as = "nobody"
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth("admin", password)
		b.header["Authorization"] = r.Header["Authorization"]
		b.get("/taxii2/").want(200)
		off := newWorld(b.t, func(c *Config) { c.Auth.Basic = false }).bench(b.t, b.row)
		off.get("/taxii2/").want(200) // with a token
		off.header["Authorization"] = r.Header["Authorization"]
		if off.get("/taxii2/").want(401); len(off.Header["Www-Authenticate"]) != 1 || !strings.HasPrefix(off.Header.Get("WWW-Authenticate"), "Bearer ") {
			b.t.Errorf("%v", off.Header["Www-Authenticate"])
		}
	},
	29: func(b *bench) {
		issued, err := b.w.n.ring.IssueClient(keyring.ClientRequest{Nation: "UTO", Org: "Utopia CERT", Person: "sensor"})
		must(b.t, err)
		pair, err := tls.X509KeyPair(issued.CertPEM, issued.KeyPEM)
		must(b.t, err)
		b.as = "nobody"
		was := b.w.http
		defer func() { b.w.http = was }()
		meet := func() {
			b.w.http = b.w.client(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair} })
		}
		meet()
		b.get("/taxii2/").want(401) // issued here, and yet nobody said for whom it stands
		c, err := b.w.n.ids.RegisterCertificate(b.t.Context(), Local, issued.Certificate, identity.CertificateSpec{Name: "sensor", Roles: []string{gate.RoleReader}})
		must(b.t, err)
		meet()
		b.get("/taxii2/").want(200)
		b.get("objects/").want(200)
		b.post("{}").want(403)
		must(b.t, b.w.n.ids.RevokeCertificate(b.t.Context(), Local, c.ID))
		meet()
		if resp, err := b.w.http.Get(b.w.n.URL() + "/taxii2/"); err == nil {
			b.read(resp)
			b.want(401)
		}
		// A certificate of an authority that is not trusted is refused before a word is said.
		other, err := keyring.Create(b.t.TempDir(), keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, b.w.cfg.Now)
		must(b.t, err)
		forged, err := other.IssueClient(keyring.ClientRequest{Nation: "UTO", Org: "Utopia CERT", Person: "sensor"})
		must(b.t, err)
		pair, err = tls.X509KeyPair(forged.CertPEM, forged.KeyPEM)
		must(b.t, err)
		meet()
		if resp, err := b.w.http.Get(b.w.n.URL() + "/taxii2/"); err == nil {
			b.read(resp)
			b.want(401)
		}
	},
	30: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 2, on("01"), clearRef))
		// A collection that is hidden, and one that is not there.
		b.as = mallory
		for _, tail := range []string{"", "objects/", "manifest/", "objects/x--1/", "objects/" + b.id("tool", 1) + "/", "objects/x--1/versions/"} {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "PUT"} {
				b.sameAnswer(method, root+"collections/"+b.coll+"/"+tail, root+"collections/"+nowhere+"/"+tail)
			}
		}
		// An object that is hidden, and one that is not there.
		b.as = dave
		b.get("objects/" + b.id("tool", 2) + "/").want(200)
		for _, tail := range []string{"", "versions/", "?match[version]=all", "versions/?limit=1", "?match[spec_version]=2.0"} {
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				b.sameAnswer(method, "objects/"+b.id("tool", 1)+"/"+tail, "objects/"+b.id("tool", 9)+"/"+tail)
			}
		}
		for _, path := range []string{"objects/?match[id]=", "manifest/?match[id]="} {
			b.sameAnswer("GET", path+b.id("tool", 1), path+b.id("tool", 9))
		}
	},
	31: func(b *bench) {
		for who, want := range map[string]bool{alice: true, bob: true, carol: true, dave: true, mallory: false} {
			b.as = who
			if b.get(root + "collections/").want(200); strings.Contains(b.Body, b.coll) != want {
				b.t.Errorf("%s: %s", who, b.Body)
			}
		}
	},
	32: func(b *bench) {
		for who, rights := range map[string]string{alice: `"can_read":true,"can_write":true`, bob: `"can_read":true,"can_write":false`, carol: `"can_read":false,"can_write":true`} {
			b.as = who
			if b.get("").want(200); !strings.Contains(b.Body, rights) {
				b.t.Errorf("%s: %s", who, b.Body)
			}
			if b.get(root + "collections/").want(200); strings.Contains(b.Body, "null") {
				b.t.Errorf("%s: %s", who, b.Body)
			}
		}
	},
	33: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 2, on("01"), clearRef), b.obj("tool", 3, on("01")))
		b.as = dave
		if got := b.get("objects/").want(200).found(); got != "tool2@01" || strings.Contains(b.Body, "more") {
			b.t.Errorf("%s: %s", got, b.Body)
		}
		// Of an object that names what he may not have, he has the versions that do not; the object is there.
		b.as = alice
		report := func(day string, names int) string {
			return b.obj("report", 4, on(day), clearRef, `,"published":"2026-01-01T00:00:00Z","object_refs":["`+b.id("tool", names)+`"]`)
		}
		b.stored(report("01", 2), report("02", 1))
		b.as = dave
		one := "objects/" + b.id("report", 4) + "/"
		b.get(one + "?match[version]=all").want(200).body(envelope(report("01", 2)))
		b.get(one + "versions/").want(200).body(`{"versions":["` + on("01") + `"]}`)
		b.get(one + "?match[version]=" + on("02")).want(200).body("{}")
		b.get(one).want(200).body(envelope(report("01", 2))) // the latest that he may have
		b.as = alice
		b.do("DELETE", one, "").want(200)
		b.as = dave
		if recs := b.records("manifest/?limit=1"); len(recs) != 1 || recs[0].ID != b.id("tool", 2) || strings.Contains(b.Body, "more") {
			b.t.Errorf("%s", b.Body)
		}
	},
	34: func(b *bench) {
		next := b.twoPages()
		b.as = bob
		b.get("objects/?limit=1&next=" + next).want(400)
		b.as = alice
		b.get("objects/?limit=1&next=" + next).want(200)
		// The rights are asked for again at every page.
		x, admin := b.w.n.exchange, b.w.admin()
		c, err := x.Collection(admin, "", b.coll)
		must(b.t, err)
		c.Read = []string{gate.RoleReader}
		_, err = x.ChangeCollection(b.t.Context(), admin, c.Collection)
		must(b.t, err)
		b.get("objects/?limit=1&next=" + next).want(403)
		c.Write = []string{gate.RoleReader}
		_, err = x.ChangeCollection(b.t.Context(), admin, c.Collection)
		must(b.t, err)
		b.get("objects/?limit=1&next=" + next).want(404)
	},
	35: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		for _, p := range []string{"objects/?limit=x", "objects/?next=x", "objects/" + b.id("tool", 9) + "/", "/taxii2/nowhere/", root + "status/" + nowhere + "/"} {
			b.get(p)
			for _, told := range []string{"goroutine", ".go:", "sqlite", "SELECT", "entente/", b.w.cfg.Data, "panic"} {
				if strings.Contains(b.Body, told) || strings.Contains(b.Header.Get("Server"), told) {
					b.t.Errorf("%s tells %q: %s", p, told, b.Body)
				}
			}
		}
	},
	36: func(b *bench) {
		w := newWorld(b.t, func(c *Config) { c.Limits.InFlight, c.Limits.StoreBytes = 1, 2<<20 })
		busy := w.bench(b.t, b.row)
		// While one post of hers is under way, alice waits, and nobody else does.
		body, feed := io.Pipe()
		var under sync.WaitGroup
		under.Go(func() {
			one := *busy
			one.header, one.client = http.Header{"Expect": {"100-continue"}}, w.oldClient()
			one.send("POST", "objects/", body).want(202)
			one.client.CloseIdleConnections()
		})
		_, err := io.WriteString(feed, `{"objects":[`) // asked for once the request is worked on
		must(b.t, err)
		busy.get("/taxii2/")
		busy.want(429)
		busy.as = bob
		busy.get("/taxii2/").want(200)
		_, err = io.WriteString(feed, busy.obj("tool", 1, on("01"))+"]}")
		must(b.t, errors.Join(err, feed.Close()))
		under.Wait()
		// A store that is full says so, and is read on.
		busy.as = alice
		full := 0
		for n := 2; n < 200 && full == 0; n++ {
			busy.post(busy.obj("tool", n, on("01"), `,"description":"`+strings.Repeat(letters(n), 3000)+`"`))
			if busy.Code != 202 {
				full = n
			}
		}
		busy.want(507)
		busy.get("objects/").want(200)
	},
}

// letters are 26 that do not compress with those of another number.
func letters(n int) string {
	var b strings.Builder
	for i := range 26 {
		b.WriteByte('a' + byte((i*i+n*(i+7)+n*n)%26))
	}
	return b.String()
}
