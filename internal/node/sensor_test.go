package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/detect"
	"entente/internal/identity"
	"entente/internal/indicator"
	"entente/internal/surface/api"
	"entente/label"
	"entente/sensor"
)

// probe is a sensor as a test plays one: over TLS, in the language of package sensor.
type probe struct {
	t    *testing.T
	n    *nation
	key  *ecdsa.PrivateKey
	me   sensor.Enrolled
	http *http.Client
	code string
}

// newProbe is a sensor that has a code and a key, and trusts what the code names.
func newProbe(t *testing.T, n *nation, code string) *probe {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	n.must(err)
	p := &probe{t: t, n: n, key: key, code: code}
	c, err := sensor.ParseCode(code)
	n.must(err)
	p.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		return c.Trusts(s.PeerCertificates, time.Now())
	}}}}
	t.Cleanup(p.http.CloseIdleConnections)
	return p
}

func (p *probe) csr() string {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin"}}, p.key)
	p.n.must(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// as takes a certificate into use.
func (p *probe) as(e sensor.Enrolled) {
	p.me = e
	block, _ := pem.Decode([]byte(e.Certificate))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(e.Authority))
	p.http.CloseIdleConnections()
	p.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: p.key}}}}}
	p.t.Cleanup(p.http.CloseIdleConnections)
}

func (p *probe) try(method, path string, body any, out any) (int, http.Header) {
	p.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		p.n.must(err)
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.n.URL()+path, r)
	p.n.must(err)
	res, err := p.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	p.n.must(err)
	if res.StatusCode == 200 && out != nil {
		if raw, ok := out.(*[]byte); ok {
			*raw = b
		} else if err := json.Unmarshal(b, out); err != nil {
			p.t.Fatalf("%s %s: %v in %.300s", method, path, err, b)
		}
	}
	return res.StatusCode, res.Header
}

func (p *probe) do(method, path string, body any, out any) http.Header {
	p.t.Helper()
	status, h := p.try(method, path, body, out)
	if status != 200 {
		p.t.Fatalf("%s %s: %d", method, path, status)
	}
	return h
}

func (p *probe) enrol() *probe {
	p.t.Helper()
	var e sensor.Enrolled
	p.do("POST", sensor.PathEnrol, sensor.Request{Code: p.code, CSR: p.csr()}, &e)
	p.as(e)
	return p
}

// sees waits until the state is one that test accepts.
func (p *probe) sees(what string, test func(sensor.State) bool) sensor.State {
	p.t.Helper()
	var st sensor.State
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		after := st.Version
		p.do("GET", sensor.PathState+"?wait=1&after="+url.QueryEscape(after), nil, &st)
		if test(st) {
			return st
		}
	}
	p.t.Fatalf("it never saw %s: %+v", what, st)
	return st
}

// changes are all after a cursor.
func (p *probe) changes(after sensor.Cursor) (out []sensor.Change, to sensor.Cursor) {
	p.t.Helper()
	for {
		var c sensor.Changes
		p.do("GET", fmt.Sprintf("%s?after=%s.%d", sensor.PathChanges, after.Epoch, after.Seq), nil, &c)
		if c.Again {
			p.t.Fatal("a snapshot must be taken")
		}
		out = append(out, c.Changes...)
		after = c.To
		if !c.More {
			return out, after
		}
	}
}

// has waits until a source has exactly these values, by the changes since the beginning.
func (p *probe) has(source string, values ...string) sensor.Change {
	p.t.Helper()
	var last sensor.Change
	p.sees(fmt.Sprintf("%v of %s", values, source), func(st sensor.State) bool {
		last = sensor.Change{}
		list, _ := p.changes(sensor.Cursor{Epoch: st.Indicators.Epoch})
		for _, c := range list {
			if c.Source == source {
				last = c
			}
		}
		if len(last.Values) != len(values) {
			return false
		}
		for i, v := range last.Values {
			if v.Text != values[i] {
				return false
			}
		}
		return true
	})
	return last
}

func (n *nation) code(name string) string {
	n.t.Helper()
	c, err := n.Detection().Add(n.t.Context(), "test", name, "")
	n.must(err)
	return c.Code
}

// indicators imports indicators, one for each pattern, and gives their ids.
func (n *nation) indicators(tlp label.TLP, patterns ...string) (ids []string) {
	n.t.Helper()
	for _, p := range patterns {
		id := "indicator--" + uuidOf(p)
		ids = append(ids, id)
		n.bring(indicatorObject(id, p, "2026-01-01T00:00:00.000Z", tlp, ""))
	}
	return ids
}

func uuidOf(s string) string {
	h := fmt.Sprintf("%x", sha256.Sum256([]byte(s)))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

func indicatorObject(id, pattern, modified string, tlp label.TLP, more string) string {
	text, _ := json.Marshal(pattern)
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q,"pattern_type":"stix","pattern":%s,"valid_from":"2026-01-01T00:00:00Z","object_marking_refs":[%q]%s}`,
		id, modified, text, label.TLPMarkingID(tlp, false), more)
}

// bring imports objects, all of which are taken.
func (n *nation) bring(objects ...string) {
	n.t.Helper()
	s, err := n.api.Import(n.t.Context(), strings.NewReader(strings.Join(objects, "\n")), nil, func(api.Event) {})
	n.must(err)
	if s.Added != len(objects) {
		n.t.Fatalf("%+v", s)
	}
}

// found waits for objects of a query.
func (n *nation) waits(what string, q url.Values, test func([]api.Object) bool) []api.Object {
	n.t.Helper()
	var out []api.Object
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out = nil
		n.must(n.api.Search(n.t.Context(), q, func(o api.Object) error { out = append(out, o); return nil }))
		if test(out) {
			return out
		}
	}
	n.t.Fatalf("it never came to %s: %d objects", what, len(out))
	return nil
}

func met(block, source, kind, value string, count int64) sensor.Report {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return sensor.Report{ID: sensor.ReportID(block, source, kind, value), Source: source, Kind: kind, Value: value, First: at, Last: at.Add(time.Minute), Count: count,
		Fields: map[string]string{"dest_ip": value}, Input: "eve"}
}

// A sensor enrols with a code, takes what to look for, and what it reports is a sighting in the store.
func TestASensorEnrolsLooksAndReports(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	before := n.indicators(label.Amber, "[ipv4-addr:value = '198.51.100.7']")
	p := newProbe(t, n, n.code("edge")).enrol()
	if p.me.Name != "edge" || p.me.Org != "Utopia CERT" || p.me.Nation != "UTO" || p.me.Realm != "operational" {
		t.Fatalf("%+v", p.me)
	}

	p.has(before[0], "198.51.100.7")
	after := n.indicators(label.Green, "[domain-name:value = 'evil.example']", "[url:value = 'http://evil.example/a'] OR [file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']")
	p.has(after[0], "evil.example")
	p.has(after[1], "http://evil.example/a", "d41d8cd98f00b204e9800998ecf8427e")

	var snap []byte
	h := p.do("GET", sensor.PathSnapshot, nil, &snap)
	table, err := indicator.Read(snap)
	n.must(err)
	if table.Len() != 4 || !strings.Contains(h.Get(sensor.CursorHeader), ".") {
		t.Fatalf("%d entries at %q", table.Len(), h.Get(sensor.CursorHeader))
	}

	var taken sensor.Taken
	p.do("POST", sensor.PathReports, []sensor.Report{met("a", before[0], "ipv4", "198.51.100.7", 3), met("b", before[0], "ipv4", "198.51.100.7", 2)}, &taken)
	if taken.Taken != 2 {
		t.Fatalf("%+v", taken)
	}
	p.do("POST", sensor.PathReports, []sensor.Report{met("a", before[0], "ipv4", "198.51.100.7", 3), met("b", before[0], "ipv4", "198.51.100.7", 1)}, &taken)
	if taken.Taken != 0 {
		t.Fatalf("what was told already was taken again: %+v", taken)
	}
	got := n.waits("a sighting", url.Values{"type": {"sighting"}}, func(o []api.Object) bool { return len(o) == 1 })
	var s struct {
		Of    string   `json:"sighting_of_ref"`
		Count int      `json:"count"`
		First string   `json:"first_seen"`
		Last  string   `json:"last_seen"`
		Where []string `json:"where_sighted_refs"`
	}
	n.must(json.Unmarshal(got[0].Object, &s))
	if s.Of != before[0] || s.Count != 5 || s.First != "2026-05-01T12:00:00.000Z" || s.Last != "2026-05-01T12:01:00.000Z" || len(s.Where) != 1 {
		t.Fatalf("%+v", s)
	}
	if got[0].Label.TLP != label.Amber {
		t.Fatalf("the sighting is %s and its indicator %s", got[0].Label.TLP, label.Amber)
	}

	// The label, revocation and purge of an indicator take it out of the table.
	n.bring(indicatorObject(after[0], "[domain-name:value = 'evil.example']", "2026-02-01T00:00:00.000Z", label.Green, `,"revoked":true`))
	p.has(after[0])
}

// A code works once. Whatever is wrong with one, the answer is the same, and who tries many must wait.
func TestACodeWorksOnce(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	code := n.code("edge")
	newProbe(t, n, code).enrol()
	if _, err := n.Detection().Add(t.Context(), "test", "edge", ""); err == nil {
		t.Error("two sensors have one name")
	}
	p := newProbe(t, n, code)
	other, err := sensor.ParseCode(code)
	n.must(err)
	other.Secret[0] ^= 1
	for i := range 15 {
		p.code = []string{code, other.String(), "nonsense"}[i%3]
		status, h := p.try("POST", sensor.PathEnrol, sensor.Request{Code: p.code, CSR: p.csr()}, nil)
		if want := 403; i < 9 && status != want {
			t.Errorf("try %d: %d", i, status)
		}
		if i >= 10 && (status != 429 || h.Get("Retry-After") == "") {
			t.Errorf("try %d: %d", i, status)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	n.must(err)
	p.key = key
	p.as(sensor.Enrolled{Certificate: string(n.CA()), Authority: string(n.CA())})
	if status, _ := p.try("GET", sensor.PathRules, nil, nil); status == 200 {
		t.Error("somebody without a certificate of a sensor gets rules")
	}
}

// A renewed certificate takes the place of the old one once the sensor comes with it; a revoked sensor is out at once.
func TestASensorRenewsAndIsRevoked(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	p := newProbe(t, n, n.code("edge")).enrol()
	old := *p
	var e sensor.Enrolled
	p.do("POST", sensor.PathRenew, sensor.Request{CSR: p.csr()}, &e)
	old.do("GET", sensor.PathState, nil, nil) // it still counts
	p.as(e)
	p.do("GET", sensor.PathState, nil, nil)
	if status, _ := old.try("GET", sensor.PathState, nil, nil); status == 200 {
		t.Error("the old certificate counts on")
	}
	var st sensor.State
	p.do("GET", sensor.PathState, nil, &st)
	ended := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest("GET", n.URL()+sensor.PathState+"?wait=30&after="+st.Version, nil)
		res, err := p.http.Do(req)
		if err != nil {
			ended <- 0
			return
		}
		defer res.Body.Close()
		var last sensor.State
		if res.StatusCode == 200 && json.NewDecoder(res.Body).Decode(&last) == nil && !last.Revoked {
			ended <- 200
			return
		}
		ended <- 403
	}()
	n.must(n.Detection().Revoke(t.Context(), "test", "edge"))
	if got := <-ended; got == 200 {
		t.Error("a revoked sensor was told what to look for")
	}
	for _, path := range []string{sensor.PathState, sensor.PathSnapshot, sensor.PathRules, sensor.PathChanges + "?after=x.1"} {
		if status, _ := p.try("GET", path, nil, nil); status == 200 {
			t.Errorf("a revoked sensor gets %s", path)
		}
	}
}

// What leaves sight leaves the table: what is revoked, purged, of a warning list or of the own register.
func TestWhatLeavesSightLeavesTheTable(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	n.must(os.MkdirAll(filepath.Join(n.data, "warnings", "public-dns"), 0o700))
	n.must(os.WriteFile(filepath.Join(n.data, "warnings", "public-dns", "list.json"), []byte(`{"name":"Public DNS","version":1,"description":"resolvers","type":"string","matching_attributes":["ip-dst","ip-src"],"list":["192.0.2.53"]}`), 0o600))
	n.halt()
	n.start("[lists]\nwarninglists = \"warnings\"\n")
	p := newProbe(t, n, n.code("edge")).enrol()
	ids := n.indicators(label.Amber, "[ipv4-addr:value = '198.51.100.7']", "[domain-name:value = 'secret-purged.example']", "[domain-name:value = 'revoked.example']",
		"[ipv4-addr:value = '192.0.2.53'] OR [ipv4-addr:value = '198.51.100.8']", "[domain-name:value = 'www.harbour.example']")
	p.has(ids[0], "198.51.100.7")
	p.has(ids[1], "secret-purged.example")
	p.has(ids[2], "revoked.example")
	p.has(ids[3], "198.51.100.8")
	p.has(ids[4], "www.harbour.example")

	var snap []byte
	p.do("GET", sensor.PathSnapshot, nil, &snap)
	if !bytes.Contains(snap, []byte("secret-purged")) {
		t.Fatal("the snapshot holds other bytes than this test looks for")
	}
	_, err := n.api.Purge(t.Context(), ids[1], false)
	n.must(err)
	p.has(ids[1])
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := holding(t, filepath.Join(n.data, detectFolder), "secret-purged")
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%v hold what was purged", left)
		}
	}

	n.bring(indicatorObject(ids[2], "[domain-name:value = 'revoked.example']", "2026-02-01T00:00:00.000Z", label.Amber, `,"revoked":true`))
	p.has(ids[2])
	_, err = n.api.ImportConstituents(t.Context(), strings.NewReader(`{"name":"Harbour","domains":[{"name":"harbour.example","include_subdomains":true}]}`), url.Values{"format": {"json"}})
	n.must(err)
	p.has(ids[4])
	var left []string
	n.must(n.api.DetectionLeft(t.Context(), nil, func(l detect.LeftOut) error { left = append(left, l.Code+" "+l.Value); return nil }))
	for _, want := range []string{"warninglist 192.0.2.53", "register www.harbour.example"} {
		if !slices.Contains(left, want) {
			t.Errorf("%q is not among what is left out: %q", want, left)
		}
	}
}

// holding are the files of a directory that hold a text.
func holding(t *testing.T, dir, text string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil && bytes.Contains(b, []byte(text)) {
			out = append(out, e.Name())
		}
	}
	return out
}

// Sigma rules come in as indicators, and go to sensors as rules; what is known before a restart is known after it.
func TestRulesGoToSensorsAndARestartForgetsNothing(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	const rules = "title: One\nid: 5f0b1a3e-6f3a-4d0e-8a53-0c2f6b7c1a01\nlogsource:\n  category: process_creation\ndetection:\n  s:\n    Image: a.exe\n  condition: s\nlevel: high\n---\n" +
		"title: Two\nid: 5f0b1a3e-6f3a-4d0e-8a53-0c2f6b7c1a02\nlogsource:\n  category: process_creation\ndetection:\n  s:\n    Image: b.exe\n  condition: s\n"
	q := url.Values{"format": {"sigma"}, "default": {"tlp:green"}}
	for want := range 2 {
		s, err := n.api.Import(t.Context(), strings.NewReader(rules), q, func(api.Event) {})
		n.must(err)
		if s.Objects != 2 || s.Present != 2*want || s.Added != 2-2*want {
			t.Fatalf("%+v", s)
		}
	}
	ids := n.indicators(label.Green, "[process:command_line MATCHES 'x.*y']", "[ipv4-addr:value = '198.51.100.9']")
	p := newProbe(t, n, n.code("edge")).enrol()
	p.has(ids[1], "198.51.100.9")
	var got sensor.Rules
	var etag string
	p.sees("three rules", func(sensor.State) bool {
		etag = p.do("GET", sensor.PathRules, nil, &got).Get("ETag")
		return len(got.Rules) == 3
	})
	kinds := map[string]int{}
	for _, r := range got.Rules {
		kinds[r.Type]++
	}
	if kinds["sigma"] != 2 || kinds["stix"] != 1 || etag == "" {
		t.Fatalf("%v %q", kinds, etag)
	}
	p.do("POST", sensor.PathReports, []sensor.Report{met("a", ids[1], "ipv4", "198.51.100.9", 3)}, nil)
	p.do("POST", sensor.PathHealth, sensor.Health{Time: time.Now(), Started: time.Now(), Inputs: []sensor.Input{}}, nil)
	var before sensor.State
	p.do("GET", sensor.PathState, nil, &before)
	n.halt()
	n.start("")
	var after sensor.State
	p.do("GET", sensor.PathState, nil, &after)
	if after.Indicators != before.Indicators || after.Rules != before.Rules {
		t.Errorf("after a restart it stands at %+v, and stood at %+v", after, before)
	}
	var taken sensor.Taken
	p.do("POST", sensor.PathReports, []sensor.Report{met("a", ids[1], "ipv4", "198.51.100.9", 3), met("b", ids[1], "ipv4", "198.51.100.9", 1), met("c", "indicator--"+uuidOf("unknown"), "", "", 1)}, &taken)
	if taken.Taken != 1 {
		t.Errorf("%+v", taken)
	}
	var met []detect.Detection
	n.must(n.api.Detections(t.Context(), nil, func(d detect.Detection) error { met = append(met, d); return nil }))
	if len(met) != 1 || met[0].Count != 4 || met[0].Name != "edge" || met[0].Fields["dest_ip"] != "198.51.100.9" {
		t.Errorf("%+v", met)
	}
	v, err := n.api.Sensor(t.Context(), "edge")
	n.must(err)
	if v.Heard.IsZero() || v.State != detect.SensorWell {
		t.Errorf("%+v", v)
	}

	m, err := n.api.Mute(t.Context(), detect.PutMute{Source: ids[1], Why: "our own scanner", FalsePositive: true})
	n.must(err)
	p.sees("the mute", func(st sensor.State) bool { return slices.Contains(st.Muted, ids[1]) })
	n.waits("an opinion", url.Values{"id": {m.Opinion}}, func(o []api.Object) bool { return len(o) == 1 && o[0].Label.TLP == label.Green })
	n.must(n.api.Unmute(t.Context(), ids[1]))
	p.sees("no mute", func(st sensor.State) bool { return len(st.Muted) == 0 })
}

// A sensor of another organisation looks for what that one may have, and what it is given is written down.
func TestASensorOfAClientGetsWhatTheClientMay(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	_, err := n.api.AddOrg(t.Context(), identity.Org{Name: "Harbour", Nation: "UTO", Client: true})
	n.must(err)
	ids := n.indicators(label.Amber, "[ipv4-addr:value = '198.51.100.7']")
	hidden := n.indicators(label.AmberStrict, "[ipv4-addr:value = '198.51.100.8']")
	code, err := n.Detection().Add(t.Context(), "test", "quay", "Harbour")
	n.must(err)
	p := newProbe(t, n, code.Code).enrol()
	p.has(ids[0], "198.51.100.7")
	more := n.indicators(label.Green, "[ipv4-addr:value = '198.51.100.9']")
	p.has(more[0], "198.51.100.9")
	list, _ := p.changes(sensor.Cursor{Epoch: p.sees("its table", func(sensor.State) bool { return true }).Indicators.Epoch})
	for _, c := range list {
		if c.Source == hidden[0] {
			t.Errorf("it was given %+v", c)
		}
	}
	holders, err := n.api.Holders(t.Context(), ids[0])
	n.must(err)
	if len(holders) != 1 || holders[0].Party != "UTO/Harbour" {
		t.Errorf("who was given it is not written down: %+v", holders)
	}
	var taken sensor.Taken
	if p.do("POST", sensor.PathReports, []sensor.Report{met("a", hidden[0], "ipv4", "198.51.100.8", 1)}, &taken); taken.Taken != 0 {
		t.Error("it reports what it was not given")
	}
	p.do("POST", sensor.PathReports, []sensor.Report{met("a", ids[0], "ipv4", "198.51.100.7", 1)}, nil)
	got := n.waits("a sighting", url.Values{"type": {"sighting"}}, func(o []api.Object) bool { return len(o) == 1 })
	if got[0].Origin.Org != "Harbour" {
		t.Errorf("the sighting comes from %+v", got[0].Origin)
	}
	_, err = n.api.Relabel(t.Context(), more[0], api.PutLabel{Label: "tlp:amber+strict", Reason: "not for clients"}, false)
	n.must(err)
	p.has(more[0])
}
