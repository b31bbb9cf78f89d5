package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/indicator"
	"entente/internal/keyring"
	"entente/internal/record"
	"entente/internal/store"
	"entente/sensor"
)

const hiddenIndicator = "indicator--7b8f0a4e-52b0-4a3e-9a53-3a3b4ba0a001"

// sensorAsks is what the outsider asks of sensors and what they met.
var sensorAsks = map[string][]probe{
	"GET /sensors":                  {{"/sensors", ""}, {"/sensors?all=true", ""}, {"/sensors?all=odd", ""}},
	"POST /sensors":                 {{"/sensors", `{"name":"spy"}`}, {"/sensors", `{"name":"spy","org":"Secret Org"}`}},
	"GET /sensors/{id}":             {{"/sensors/watchful", ""}, {"/sensors/none", ""}},
	"DELETE /sensors/{id}":          {{"/sensors/watchful", ""}, {"/sensors/none", ""}},
	"GET /detections":               {{"/detections", ""}, {"/detections?source=" + hiddenIndicator, ""}, {"/detections?sensor=watchful&value=" + hiddenValue + "&since=2026-01-01&limit=1", ""}, {"/detections?since=odd", ""}, {"/detections?day=2026-01-01", ""}, {"/detections?next=x", ""}},
	"GET /detections/days":          {{"/detections/days", ""}, {"/detections/days?source=" + hiddenIndicator, ""}, {"/detections/days?sensor=watchful&value=" + hiddenValue + "&from=2026-01-01&to=2026-12-31", ""}, {"/detections/days?from=odd", ""}, {"/detections/days?from=2020-01-01", ""}},
	"GET /detections/tables":        {{"/detections/tables", ""}},
	"GET /detections/left":          {{"/detections/left", ""}, {"/detections/left?code=pattern&limit=1&source=" + hiddenIndicator, ""}},
	"GET /detections/mutes":         {{"/detections/mutes", ""}},
	"POST /detections/mutes":        {{"/detections/mutes", `{"source":"` + hiddenIndicator + `","why":"x"}`}, {"/detections/mutes", `{"source":"none","why":"x"}`}},
	"DELETE /detections/mutes/{id}": {{"/detections/mutes/" + hiddenIndicator, ""}, {"/detections/mutes/none", ""}},
}

func init() {
	maps.Copy(asks, sensorAsks)
	made = append(made, probe{"/sensors", `{"name":"east"}`}, probe{"/detections/mutes", `{"source":"` + hiddenIndicator + `","why":"the office's own resolver","false_positive":true}`})
}

// watching is the house as detection reads it.
type watching struct{ w *world }

func (d watching) own() gate.Scope { return d.w.gate.Own(time.Now()) }

func (d watching) Lines(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return d.w.st.Watch(ctx, d.own(), after, limit)
}
func (d watching) Newest() (record.Seq, <-chan struct{}) { return d.w.st.Newest() }
func (d watching) All(ctx context.Context, types []string, after record.Seq, limit int) (store.Page, error) {
	return d.w.st.Page(ctx, d.own(), store.Query{Types: types, After: after, Limit: limit, Headers: true})
}
func (d watching) For(ctx context.Context, p gate.Party, ids []string) ([]store.Item, error) {
	page, err := d.w.st.Page(ctx, d.w.gate.Scope(gate.Viewer{Nation: p.Nation, Org: p.Org, Realm: keyring.Operational}, time.Now()), store.Query{IDs: ids})
	return page.Items, err
}
func (d watching) Visible(ctx context.Context, v gate.Viewer, ids []string) ([]store.Item, error) {
	page, err := d.w.x.Read(ctx, v, store.Query{IDs: ids, Headers: true})
	return page.Items, err
}
func (d watching) Held(ctx context.Context, ids []string) (map[string]bool, error) {
	page, err := d.w.st.Page(ctx, d.own(), store.Query{IDs: ids, Headers: true, Held: true})
	out := map[string]bool{}
	for i := range page.Items {
		out[page.Items[i].Record.ID] = true
	}
	return out, err
}
func (d watching) Read(ctx context.Context, v gate.Viewer, id string) (store.Item, error) {
	return d.w.x.Get(ctx, v, "", id, store.Versions{})
}
func (d watching) Hand(ctx context.Context, p gate.Party, items []store.Item) error {
	return d.w.x.Hand(ctx, exchange.Recipient{Party: p}, items)
}
func (d watching) Era() string { return "" }
func (d watching) Harmless(_ context.Context, _ gate.Party, v indicator.Value) (code, why string, err error) {
	if v.Text() == "192.0.2.53" {
		return "warninglist", "it is a public resolver", nil
	}
	return "", "", nil
}
func (d watching) Accord(*record.Record) (string, bool) { return "", true }
func (d watching) Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error) {
	return d.w.x.Accept(ctx, v, s)
}

// signing is the node's authority.
type signing struct{ w *world }

func (a signing) Trust() (*x509.Certificate, error) { return a.w.ring.CA(), nil }
func (a signing) Roots() []byte                     { return a.w.ring.CAPEM() }
func (a signing) Sign(name string, p gate.Party, csr []byte) (*x509.Certificate, []byte, error) {
	out, err := a.w.ring.IssueClient(keyring.ClientRequest{Nation: p.Nation, Org: p.Org, Person: name, CSR: csr})
	return out.Certificate, out.CertPEM, err
}
func (a signing) Admit(ctx context.Context, actor string, leaf *x509.Certificate, name string, p gate.Party) (string, error) {
	c, err := a.w.ids.RegisterCertificate(ctx, actor, leaf, identity.CertificateSpec{Name: name, Org: p.Org, Roles: []string{gate.RoleSensor}})
	return c.ID, err
}
func (a signing) Dismiss(ctx context.Context, actor, id string) error {
	return a.w.ids.RevokeCertificate(ctx, actor, id)
}

func (w *world) Detection() *detect.Room { return w.detection }

// openDetection gives the world a room for sensors.
func (w *world) openDetection() {
	w.t.Helper()
	var err error
	w.detection, err = detect.Open(w.t.Context(), detect.Options{Dir: filepath.Join(w.dir, "detect"), Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, World: watching{w}, Docs: w.st,
		Authority: signing{w}, Named: func(org string) (gate.Party, bool) {
			o, ok := w.ids.Register().Find(org)
			return gate.Party{Nation: o.Nation, Org: o.Name}, ok
		}})
	w.must(err)
	w.detection.Start()
	w.t.Cleanup(w.detection.Close)
}

// setSensor gives the world an indicator, and a sensor that met it.
func (w *world) setSensor() (of *detect.Sensor) {
	w.t.Helper()
	if s := w.importAll(admin, nil, `{"type":"indicator","spec_version":"2.1","id":"`+hiddenIndicator+`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern_type":"stix",`+
		`"pattern":"[domain-name:value = '`+hiddenValue+`'] OR [ipv4-addr:value = '192.0.2.53']","valid_from":"2026-01-01T00:00:00Z"}`); s.Added != 1 {
		w.t.Fatalf("%+v", s)
	}
	code, err := w.detection.Add(w.t.Context(), "test", "watchful", "")
	w.must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	w.must(err)
	_, err = w.detection.Enrol(w.t.Context(), sensor.Request{Code: code.Code, CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	w.must(err)
	s, _ := w.detection.Find("watchful")
	for st := (sensor.State{}); st.Indicators.Seq == 0; {
		st, err = w.detection.Await(w.t.Context(), &s, st.Version, time.Second)
		w.must(err)
	}
	now := time.Now()
	w.met = now
	w.must(errOf(w.detection.Take(w.t.Context(), &s, []sensor.Report{{ID: sensor.ReportID("x", hiddenIndicator, "domain", hiddenValue), Source: hiddenIndicator, Kind: "domain", Value: hiddenValue, First: now, Last: now, Count: 2}})))
	w.must(w.detection.Hear(w.t.Context(), &s, sensor.Health{Time: now, Started: now, Build: "x", RulesReady: 1, Inputs: []sensor.Input{{Name: "eve", Kind: "files", Events: 7, Lag: 3, Dropped: 1}},
		Left: []sensor.Left{{Source: "x", Code: "rule", Why: "y"}}, LeftCount: 1, Muted: []sensor.Muted{{Source: "x", Why: "y", Since: now, Count: 1}}}))
	return &s
}

// askSensors asks for sensors and what they met.
func askSensors(w *world, do func(route, path, body string), last func() string) {
	w.setSensor()
	do("POST /sensors", "/sensors", `{"name":"north"}`)
	do("GET /sensors", "/sensors?all=true", "")
	do("GET /sensors/{id}", "/sensors/watchful", "")
	if got := last(); !strings.Contains(got, `"dropped":1`) || !strings.Contains(got, `"state":"well"`) || !strings.Contains(got, `"lag":3`) {
		w.t.Errorf("the sensor is %s", got)
	}
	do("GET /detections", "/detections?value="+hiddenValue+"&sensor=watchful&source="+hiddenIndicator+"&since=2026-01-01&day="+w.met.UTC().Format(time.DateOnly), "")
	if got := last(); !strings.Contains(got, `"count":2`) {
		w.t.Errorf("the detections are %s", got)
	}
	do("GET /detections/days", "/detections/days?from="+w.met.AddDate(0, 0, -1).Format(time.DateOnly)+"&value="+hiddenValue+"&sensor=watchful&source="+hiddenIndicator, "")
	if got := last(); !strings.Contains(got, `"count":2,"back":0,"sources":1,"sensors":1`) {
		w.t.Errorf("the days are %s", got)
	}
	do("GET /detections/tables", "/detections/tables", "")
	do("GET /detections/left", "/detections/left?code=warninglist", "")
	if got := last(); !strings.Contains(got, `"value":"192.0.2.53"`) {
		w.t.Errorf("left out are %s", got)
	}
	do("POST /detections/mutes", "/detections/mutes", `{"source":"`+hiddenIndicator+`","why":"it is ours","false_positive":true}`)
	var m detect.Opined
	w.must(json.Unmarshal([]byte(last()), &m))
	if s, body := w.ask(admin, get, "/objects/"+m.Opinion, ""); s != 200 || !strings.Contains(body, `"strongly-disagree"`) {
		w.t.Errorf("the opinion: %d %s", s, body)
	}
	do("GET /detections/mutes", "/detections/mutes", "")
	do("DELETE /detections/mutes/{id}", "/detections/mutes/"+hiddenIndicator, "")
	do("DELETE /sensors/{id}", "/sensors/watchful", "")
}

// A page of detections goes on where the one before it ended, and every one is on one page.
func TestDetectionsArePaged(t *testing.T) {
	w := newWorld(t)
	s := w.setSensor()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := range 7 {
		on := at.AddDate(0, 0, d)
		w.must(errOf(w.detection.Take(t.Context(), s, []sensor.Report{{ID: sensor.ReportID(on.String(), hiddenIndicator, "", ""), Source: hiddenIndicator, First: on, Last: on, Count: 1}})))
	}
	days := map[string]int{}
	pages := 0
	for next := ""; ; pages++ {
		status, body := w.ask(admin, get, "/detections?limit=3&next="+next, "")
		var l List[detect.Detection]
		if w.must(json.Unmarshal([]byte(body), &l)); status != 200 || len(l.Items) > 3 {
			t.Fatalf("%d %s", status, body)
		}
		for _, d := range l.Items {
			days[d.Day]++
		}
		if next = l.Next; next == "" {
			break
		}
	}
	if len(days) != 8 || pages < 2 {
		t.Fatalf("%v on %d pages", days, pages+1)
	}
	for day, n := range days {
		if n != 1 {
			t.Errorf("%s is there %d times", day, n)
		}
	}
}
