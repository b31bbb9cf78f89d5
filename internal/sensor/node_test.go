package sensor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/indicator"
	wire "entente/sensor"
)

// fakeNode speaks the node's side of the language, as it is written down.
type fakeNode struct {
	t      testing.TB
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	server *httptest.Server
	code   wire.Code

	mu       sync.Mutex
	changed  chan struct{}
	version  int
	state    wire.State
	snap     []wire.Change // what the snapshot has
	snapAt   int64
	changes  []wire.Change
	rules    wire.Rules
	reports  map[string]wire.Report
	posts    int
	health   []wire.Health
	down     bool
	refuse   func(*wire.Report) bool
	renewed  int
	life     time.Duration // until a certificate is to be renewed
	cut      int64         // an answer with a snapshot breaks off after so many bytes, once
	ranges   []string      // that were asked for
	tampered bool          // the next snapshot is damaged
	asked    int           // the newest version that the sensor says it has
}

func newFakeNode(t testing.TB) *fakeNode {
	n := &fakeNode{t: t, changed: make(chan struct{}), reports: map[string]wire.Report{}, life: time.Hour}
	t.TempDir() // directories are taken away when nobody asks any more: after what ends it below
	n.state = wire.State{Indicators: wire.Cursor{Epoch: "one"}, Rules: "0"}
	n.ca, n.caKey = n.certificate("authority", nil)
	leaf, key := n.certificate("127.0.0.1", nil)
	pool := x509.NewCertPool()
	pool.AddCert(n.ca)
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, n.ca.Raw}, PrivateKey: key}}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	n.server.StartTLS()
	t.Cleanup(func() {
		n.change(func() { n.down = true })
		n.server.CloseClientConnections()
		n.server.Close()
	})
	n.code = wire.NewCode(n.ca)
	return n
}

// certificate makes one: the authority's, the server's, or of a key that a sensor asked for.
func (n *fakeNode) certificate(name string, public any) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	q := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true}
	by, byKey := n.ca, n.caKey
	switch {
	case n.ca == nil:
		q.IsCA, q.KeyUsage = true, x509.KeyUsageCertSign
		by, byKey = q, key
	case public == nil:
		q.ExtKeyUsage, q.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, n.addresses()
	default:
		q.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if public == nil {
		public = &key.PublicKey
	}
	der, err := x509.CreateCertificate(rand.Reader, q, by, public, byKey)
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		n.t.Fatal(err)
	}
	return c, key
}

// change changes what the node has, and tells those who wait.
func (n *fakeNode) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.version++
	n.state.Version = strconv.Itoa(n.version)
	close(n.changed)
	n.changed = make(chan struct{})
}

// share adds a source, or changes it, or takes it out.
func (n *fakeNode) share(source string, values ...wire.Value) {
	n.change(func() {
		n.state.Indicators.Seq++
		n.changes = append(n.changes, wire.Change{Seq: n.state.Indicators.Seq, Source: source, Version: n.state.Indicators.Seq, Label: "TLP:GREEN", Confidence: -1, Values: values})
	})
}

// collapse puts everything into the snapshot; changes from before cannot be asked for any more.
func (n *fakeNode) collapse(epoch string) {
	n.change(func() {
		by := map[string]wire.Change{}
		for _, c := range append(n.snap, n.changes...) {
			by[c.Source] = c
		}
		n.snap, n.changes, n.snapAt = nil, nil, n.state.Indicators.Seq
		for _, c := range by {
			n.snap = append(n.snap, c)
		}
		n.state.Indicators.Epoch = epoch
	})
}

func (n *fakeNode) rule(rules ...wire.Rule) {
	n.change(func() { n.rules.Rules, n.state.Rules = rules, n.state.Rules+"+" })
}

func (n *fakeNode) serve(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	if err != nil {
		return
	}
	if r.URL.Path != wire.PathEnrol && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0) {
		n.problem(w, http.StatusUnauthorized, "no certificate")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST " + wire.PathEnrol, "POST " + wire.PathRenew:
		n.enrol(w, r, body)
	case "GET " + wire.PathState:
		n.wait(w, r)
	case "GET " + wire.PathSnapshot:
		n.snapshot(w, r)
	case "GET " + wire.PathChanges:
		after, err := wire.ParseCursor(r.URL.Query().Get("after"))
		if err != nil {
			n.problem(w, http.StatusBadRequest, err.Error())
			return
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		out := wire.Changes{To: after}
		if out.Again = after.Epoch != n.state.Indicators.Epoch || after.Seq < n.snapAt; !out.Again {
			for _, c := range n.changes {
				if c.Seq > after.Seq && len(out.Changes) < 3 {
					out.Changes = append(out.Changes, c)
					out.To.Seq = c.Seq
				}
			}
			out.More = out.To.Seq < n.state.Indicators.Seq
		}
		n.answer(w, out)
	case "GET " + wire.PathRules:
		n.mu.Lock()
		defer n.mu.Unlock()
		tag := `"` + n.state.Rules + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		n.answer(w, n.rules)
	case "POST " + wire.PathReports:
		n.take(w, body)
	case "POST " + wire.PathHealth:
		h, err := wire.Decode[wire.Health](body)
		if err != nil {
			n.problem(w, http.StatusBadRequest, err.Error())
			return
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.health = append(n.health, h)
		n.answer(w, n.state)
	default:
		http.NotFound(w, r)
	}
}

func (n *fakeNode) answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		n.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

func (n *fakeNode) problem(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	n.answer(w, map[string]string{"title": http.StatusText(status), "detail": why})
}

func (n *fakeNode) enrol(w http.ResponseWriter, r *http.Request, body []byte) {
	q, err := wire.Decode[wire.Request](body)
	if err != nil {
		n.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.URL.Path == wire.PathEnrol {
		if q.Code != n.code.String() {
			n.problem(w, http.StatusForbidden, "the code is used up")
			return
		}
		n.code = wire.NewCode(n.ca)
	} else {
		n.renewed++
	}
	block, _ := pem.Decode([]byte(q.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		n.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	leaf, _ := n.certificate("sensor", csr.PublicKey)
	text := func(c *x509.Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	n.answer(w, wire.Enrolled{ID: "sensor--1", Name: "first", Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Certificate: text(leaf), Authority: text(n.ca), RenewAfter: time.Now().Add(n.life)})
}

func (n *fakeNode) wait(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	timeout := time.After(time.Duration(seconds) * time.Second)
	for {
		n.mu.Lock()
		if has, err := strconv.Atoi(r.URL.Query().Get("after")); err == nil {
			n.asked = max(n.asked, has)
		}
		st, changed, down := n.state, n.changed, n.down
		n.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
		if st.Version != r.URL.Query().Get("after") {
			n.answer(w, st)
			return
		}
		select {
		case <-changed:
		case <-timeout:
			n.answer(w, st)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (n *fakeNode) snapshot(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	cutAt, tampered := n.cut, n.tampered
	n.cut, n.tampered = 0, false
	if rg := r.Header.Get("Range"); rg != "" {
		n.ranges = append(n.ranges, rg)
	}
	b := indicator.NewBuilder(indicator.Key{1})
	for _, c := range n.snap {
		id := b.Meta(indicator.Meta{Source: c.Source, Seq: c.Version, Label: c.Label, Confidence: c.Confidence})
		for _, v := range c.Values {
			k, _ := indicator.KindNamed(v.Kind)
			value, err := indicator.New(k, v.Text)
			if err == nil {
				err = b.Add(value, id)
			}
			if err != nil {
				n.t.Error(err)
			}
		}
	}
	at := wire.Cursor{Epoch: n.state.Indicators.Epoch, Seq: n.snapAt}
	n.mu.Unlock()
	path := filepath.Join(n.t.TempDir(), "s")
	if err := b.Snapshot(at.Seq).WriteFile(path); err != nil {
		n.t.Error(err)
	}
	data := read1(n.t, path)
	if tampered {
		data[len(data)/2] ^= 0xff
	}
	w.Header().Set(wire.CursorHeader, at.String())
	if cutAt > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:cutAt])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func (n *fakeNode) take(w http.ResponseWriter, body []byte) {
	reports, err := wire.Decode[[]wire.Report](body)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range reports {
		if err == nil {
			err = reports[i].Check()
		}
		if err == nil && n.refuse != nil && n.refuse(&reports[i]) {
			err = &wire.Error{At: "source", Why: "is none"}
		}
	}
	if err != nil || len(reports) > wire.MaxReports {
		n.problem(w, http.StatusUnprocessableEntity, "a report is refused")
		return
	}
	n.posts++
	taken := 0
	for _, r := range reports {
		if r.Count > n.reports[r.ID].Count {
			n.reports[r.ID] = r
			taken++
		}
	}
	n.answer(w, wire.Taken{Taken: taken})
	close(n.changed)
	n.changed = make(chan struct{})
}

// counts sums up what was reported, by source; of what was seen before an indicator came under "back ".
func (n *fakeNode) counts() map[string]int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[string]int64{}
	for _, r := range n.reports {
		source := r.Source
		if r.Back {
			source = "back " + source
		}
		out[source] += r.Count
	}
	return out
}

// expect waits until the node was told exactly so many.
func (n *fakeNode) expect(want map[string]int64) {
	n.t.Helper()
	n.until("the reports", func() bool { return maps.Equal(n.counts(), want) }, func() any { return n.counts() })
}

// until waits for something that happens in its own time.
func (n *fakeNode) until(what string, ok func() bool, shown func() any) {
	n.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("%s did not come: %+v", what, shown())
		}
	}
}

func (n *fakeNode) last() (h wire.Health) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.health) > 0 {
		h = n.health[len(n.health)-1]
	}
	return h
}

func (n *fakeNode) url() string { return strings.TrimSuffix(n.server.URL, "/") }
