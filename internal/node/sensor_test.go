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
	"strings"
	"testing"
	"time"

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
	for range 60 {
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
	for range 600 {
		out = nil
		n.must(n.api.Search(n.t.Context(), q, func(o api.Object) error { out = append(out, o); return nil }))
		if test(out) {
			return out
		}
		time.Sleep(50 * time.Millisecond)
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
