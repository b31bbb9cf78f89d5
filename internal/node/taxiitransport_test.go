package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"entente/taxii"
)

// everyGet is one path of each endpoint that answers GET.
var everyGet = []string{"/taxii2/", root, root + "collections/", "", "objects/", "manifest/", "objects/%s/", "objects/%s/versions/"}

// each calls fn with every path of everyGet, for tool 1.
func (b *bench) each(fn func(path string)) {
	for _, p := range everyGet {
		fn(strings.Replace(p, "%s", b.id("tool", 1), 1))
	}
}

func accepts(accept ...string) func(*bench) {
	return func(b *bench) {
		for _, a := range accept {
			b.header.Set("Accept", a)
			if b.get("/taxii2/"); b.Code != 200 {
				b.t.Errorf("Accept %q: %d", a, b.Code)
			}
		}
	}
}

func posts(status int, contentTypes ...string) func(*bench) {
	return func(b *bench) {
		for _, ct := range contentTypes {
			b.header.Set("Content-Type", ct)
			if b.post(b.obj("tool", 1, on("01"))); b.Code != status {
				b.t.Errorf("Content-Type %q: %d, want %d", ct, b.Code, status)
			}
		}
	}
}

// handshake meets the listener and says what was agreed.
func (b *bench) handshake(change func(*tls.Config)) (tls.ConnectionState, error) {
	conf := b.w.n.ClientTLS()
	change(conf)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", b.w.n.Addr(), conf)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	return c.ConnectionState(), nil
}

// hello records what a TLS client says first.
type hello struct {
	net.Conn
	said bytes.Buffer
}

func (h *hello) Write(p []byte) (int, error) { return h.said.Write(p) }
func (h *hello) Read([]byte) (int, error)    { return 0, io.EOF }

// earlyHello is a ClientHello that announces early data (RFC 8446 section 4.2.10).
func (b *bench) earlyHello() []byte {
	h := &hello{}
	conf := b.w.n.ClientTLS()
	conf.ServerName, conf.MinVersion = "127.0.0.1", tls.VersionTLS13
	tls.Client(h, conf).HandshakeContext(context.Background()) // ends with the recording
	msg := h.said.Bytes()
	at := 5 + 4 + 2 + 32                       // record, message, version, random
	at += 1 + int(msg[at])                     // session
	at += 2 + int(msg[at])<<8 + int(msg[at+1]) // suites
	at += 1 + int(msg[at])                     // compression
	const extra = "\x00\x2a\x00\x00"
	out := append(bytes.Clone(msg[:at+2]), extra...)
	out = append(out, msg[at+2:]...)
	grow := func(at int) {
		binary.BigEndian.PutUint16(out[at:], binary.BigEndian.Uint16(out[at:])+uint16(len(extra)))
	}
	grow(3)  // of the record
	grow(7)  // of the message, whose length has three bytes
	grow(at) // of the extensions
	return out
}

var transportRows = rows{
	1: func(b *bench) {
		for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			s, err := b.handshake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v })
			if err != nil || s.Version != v {
				b.t.Errorf("%x: %x %v", v, s.Version, err)
			}
		}
		if s, err := b.handshake(func(*tls.Config) {}); err != nil || s.Version != tls.VersionTLS13 {
			b.t.Errorf("left to choose: %x %v", s.Version, err)
		}
		for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			if _, err := b.handshake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }); err == nil {
				b.t.Errorf("%x is taken", v)
			}
		}
		// Plain HTTP is told so, and nothing is served.
		if resp, err := http.Get("http://" + b.w.n.Addr() + "/taxii2/"); err == nil {
			resp.Body.Close()
			if resp.StatusCode != 400 {
				b.t.Errorf("over plain HTTP: %d", resp.StatusCode)
			}
		}
	},
	2: func(b *bench) {
		c, err := net.DialTimeout("tcp", b.w.n.Addr(), time.Minute)
		must(b.t, err)
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Minute))
		_, err = c.Write(b.earlyHello())
		must(b.t, err)
		answer := make([]byte, 7)
		_, err = io.ReadFull(c, answer)
		must(b.t, err)
		const alert, unsupportedExtension = 21, 110
		if answer[0] != alert || answer[6] != unsupportedExtension {
			b.t.Errorf("early data is answered % x", answer)
		}
	},
	3: func(b *bench) {
		for _, suite := range []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA} {
			if s, err := b.handshake(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite} }); err == nil {
				b.t.Errorf("%s is taken", tls.CipherSuiteName(s.CipherSuite))
			}
		}
		if _, err := b.handshake(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
		}); err != nil {
			b.t.Error(err)
		}
	},
	4: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		b.each(func(p string) {
			if p == "" {
				p = root + "collections/" + b.coll + "/"
			}
			p = strings.TrimSuffix(p, "/")
			if b.get(p + "?a=b").want(308); !strings.HasSuffix(b.Header.Get("Location"), p+"/?a=b") || !strings.HasPrefix(b.Header.Get("Location"), "/") {
				b.t.Errorf("%s: to %q", p, b.Header.Get("Location"))
			}
		})
		b.do("POST", "objects", envelope(b.obj("tool", 2, on("01")))).want(308)
		// A path that would read as another host leads nowhere.
		for _, p := range []string{"//evil.example/taxii2", "/taxii2//evil.example", "/taxii2/%2F%2Fevil.example"} {
			r, err := http.NewRequest("GET", b.w.n.URL()+p, nil)
			must(b.t, err)
			r.URL.Opaque = "//" + r.URL.Host + p
			r.Header.Set("Authorization", "Bearer "+b.w.tokens[alice])
			resp, err := b.w.http.Do(r)
			must(b.t, err)
			resp.Body.Close()
			if l := resp.Header.Get("Location"); strings.HasPrefix(l, "//") || strings.Contains(l, "://") {
				b.t.Errorf("%s: Location %q", p, l)
			}
		}
	},
	5: func(b *bench) { // do checks it on every answer of every row
		b.stored(b.obj("tool", 1, on("01")))
		b.each(func(p string) { b.get(p).want(200) })
		b.do(http.MethodDelete, "objects/"+b.id("tool", 1)+"/", "").want(200)
		b.get("/taxii2/nowhere/").want(404)
		b.get("/taxii2/api/status/x/").want(404)
	},
	6:  accepts("application/taxii+json"),
	7:  accepts("application/taxii+json;version=2.1", "application/taxii+json; version=2.1", "application/taxii+json ;\tversion=2.1"),
	8:  accepts(`application/taxii+json;version="2.1"`, `application/taxii+json; version="2\.1"`),
	9:  accepts("text/html, application/taxii+json;version=2.1;q=0.5", "application/vnd.oasis.stix+json;q=0.3,application/taxii+json;q=0.001", `a/b;x="1,2;q=0", application/taxii+json`),
	10: accepts("application/taxii+json;version=2.0, application/taxii+json;version=2.1", "application/taxii+json;version=2.1;q=0.1,application/taxii+json;version=2.0"),
	11: accepts("Application/TAXII+JSON;Version=2.1", "APPLICATION/TAXII+JSON"),
	12: func(b *bench) {
		for _, a := range []string{"application/taxii+json;version=2.0", "text/html", "application/taxii+json;version=2.1;q=0", "*/*;q=0", "garbage", ",", "application/vnd.oasis.taxii+json; version=2.0"} {
			b.header.Set("Accept", a)
			b.each(func(p string) { b.get(p).want(406) })
			b.get(root + "status/none/").want(406)
		}
	},
	13: accepts("*/*", "application/json", "application/*", "application/json, text/plain, */*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
	14: func(b *bench) {
		b.header["Accept"] = nil
		b.get("/taxii2/").want(200)
		b.header["Accept"] = []string{""}
		b.get("/taxii2/").want(200)
	},
	15: posts(202, "application/taxii+json"),
	16: posts(202, "application/taxii+json; version=2.1", `application/taxii+json;version="2.1"`, "Application/Taxii+Json; charset=utf-8; version=2.1"),
	17: posts(415, "", "application/json", "application/taxii+json;version=2.0", "application/stix+json;version=2.1", "text/plain", ";"),
	18: func(b *bench) {
		b.header["User-Agent"] = []string{""}
		b.get("/taxii2/").want(200)
	},
	19: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		head := func(p string) {
			b.get(p)
			code, h, body := b.Code, b.Header, b.Body
			b.do(http.MethodHead, p, "").body("")
			if b.Code != code || b.Header.Get("Content-Length") != h.Get("Content-Length") || body == "" || b.Header.Get("X-TAXII-Date-Added-Last") != h.Get("X-TAXII-Date-Added-Last") {
				b.t.Errorf("HEAD %s: %d %v, GET: %d %v", p, b.Code, b.Header, code, h)
			}
		}
		b.each(head)
		head("/taxii2/nowhere/")
		b.as = "nobody"
		b.do(http.MethodHead, "/taxii2/", "").want(401).body("")
	},
	20: func(b *bench) {
		b.stored(b.obj("tool", 1, on("01")))
		whole := b.get("objects/").want(200).Body
		for _, r := range []string{"items=0-0", "bytes=0-5"} {
			b.header.Set("Range", r)
			if b.get("objects/").want(200).body(whole); b.Header.Get("Content-Range") != "" {
				b.t.Error("Content-Range is sent")
			}
		}
	},
	21: func(b *bench) {
		at, err := http.ParseTime(b.get("/taxii2/").Header.Get("Date"))
		if d := time.Since(at); err != nil || d > time.Minute || d < -time.Minute {
			b.t.Errorf("Date: %v %v", at, err)
		}
	},
	22: func(b *bench) {
		for _, p := range []string{"/taxii2/nowhere/", root + "nowhere/", root + "status/", root + "collections//", "/taxii2//api/", "objects//", "objects/a/nowhere/", "objects/a/versions/more/", "nowhere/",
			root + "status/a/b/", "/taxii2/x/y/z/", root + "../api/", "/taxii2/./api/", root + "collections/%2e%2e/objects/", root + "collections/" + strings.Repeat("a", 600) + "/"} {
			b.get(p).want(404)
		}
		for path, allow := range map[string]string{"/taxii2/": "GET, HEAD", root: "GET, HEAD", "manifest/": "GET, HEAD", "objects/": "GET, HEAD, POST",
			"objects/a/": "GET, HEAD, DELETE", "objects/a/versions/": "GET, HEAD", root + "status/x/": "GET, HEAD"} {
			for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "POST", "DELETE"} {
				if strings.Contains(allow, method) {
					continue
				}
				if b.do(method, path, "").want(405); b.Header.Get("Allow") != allow {
					b.t.Errorf("%s %s: Allow %q", method, path, b.Header.Get("Allow"))
				}
			}
		}
	},
	23: func(b *bench) {
		big := b.obj("tool", 1, on("01"), ` , "description":"`+strings.Repeat("ä\\u00e4", 500)+`", "x_n":1.50e1`)
		b.stored(big)
		plain := b.get("objects/").want(200).Body
		b.header.Set("Accept-Encoding", "br, gzip;q=0.5")
		if b.get("objects/").want(200); b.Header.Get("Content-Encoding") != "gzip" {
			b.t.Fatalf("not coded: %v", b.Header)
		}
		if got := unzipped(b.t, b.Body); got != plain || !strings.Contains(got, big) {
			b.t.Error("coding changed the bytes")
		}
		for _, refuse := range []string{"gzip;q=0", "br", "identity"} {
			b.header.Set("Accept-Encoding", refuse)
			if b.get("objects/").body(plain); b.Header.Get("Content-Encoding") != "" {
				b.t.Errorf("coded against %q", refuse)
			}
		}
		if !strings.Contains(b.Header.Get("Vary"), "Accept-Encoding") {
			b.t.Error("Vary does not name Accept-Encoding")
		}
		b.header = http.Header{}
		for _, c := range []struct {
			coding, body string
			want         int
		}{
			{"gzip", zipped(envelope(b.obj("tool", 2, on("01")))), 202}, {"identity", envelope(b.obj("tool", 3, on("01"))), 202},
			{"gzip", zipped(envelope(b.obj("tool", 4, on("01"))) + strings.Repeat(" ", 1<<20)), 413}, {"gzip", "{}", 400}, {"gzip", "", 400}, {"br", "{}", 415}, {"deflate", "{}", 415},
		} {
			b.header.Set("Content-Encoding", c.coding)
			if b.do("POST", "objects/", c.body); b.Code != c.want {
				b.t.Errorf("%s %.30q: %d, want %d: %s", c.coding, c.body, b.Code, c.want, b.Body)
			}
		}
	},
	24: func(b *bench) {
		for _, want := range []int{1, 2} {
			c := b.w.client(nil)
			if want == 1 {
				c = b.w.oldClient()
			}
			for _, body := range []string{"", envelope(b.obj("tool", want, on("01")))} {
				method := map[bool]string{true: "GET", false: "POST"}[body == ""]
				r, err := http.NewRequest(method, b.w.n.URL()+root+"collections/"+b.coll+"/objects/", strings.NewReader(body))
				must(b.t, err)
				r.Header.Set("Authorization", "Bearer "+b.w.tokens[alice])
				r.Header.Set("Content-Type", taxii.MediaType)
				resp, err := c.Do(r)
				must(b.t, err)
				b.read(resp)
				if resp.ProtoMajor != want || b.Code >= 300 {
					b.t.Errorf("%s %s: %d %s", resp.Proto, method, b.Code, b.Body)
				}
			}
			c.CloseIdleConnections()
		}
	},
}
