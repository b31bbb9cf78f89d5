package node

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/shareddata"
)

// mispWorld is a whole node with keys for the organisations that speak MISP with it.
type mispWorld struct {
	*world
	keys map[string]string
}

const (
	ursula = "ursula" // analyst of the node's own organisation
	rita   = "rita"   // analyst of Ruritania, whose instance pushes
	fred   = "fred"   // analyst of Freedonia, which is in the community
	alien  = "alien"  // analyst of an organisation that is in no community
	reader = "reader" // reads only, of the node's own organisation
)

const (
	uuidUtopia    = "5dc29ce8-0c1c-4b6f-8b8e-0a0a0a0a0a00"
	uuidRuritania = "5dc29ce8-0c1c-4b6f-8b8e-0a0a0a0a0a01"
	uuidFreedonia = "5dc29ce8-0c1c-4b6f-8b8e-0a0a0a0a0a02"
)

func newMISPWorld(t testing.TB, set func(*Config)) *mispWorld {
	t.Helper()
	w := &mispWorld{newWorld(t, func(c *Config) {
		c.Gate.Community = "allies"
		c.MISP.Label = "tlp:green"
		c.MISP.Orgs = map[string]string{"UTO/Utopia CERT": uuidUtopia, "RUR/Ruritania CERT": uuidRuritania, "FRE/Freedonia CERT": uuidFreedonia}
		if set != nil {
			set(c)
		}
	}), map[string]string{}}
	for _, o := range []identity.Org{{Name: ruritania, Nation: "RUR"}, {Name: freedonia, Nation: "FRE"}, {Name: "Erewhon CERT", Nation: "ERE"}} {
		_, err := w.n.ids.AddOrg(t.Context(), Local, o)
		must(t, err)
	}
	must(t, errorOf(w.n.ids.SetCommunity(t.Context(), Local, identity.Community{Name: "allies", Members: []string{"Utopia CERT", ruritania, freedonia}})))
	for name, who := range map[string][2]string{ursula: {"", gate.RoleAnalyst}, rita: {ruritania, gate.RoleAnalyst}, fred: {freedonia, gate.RoleAnalyst}, alien: {"Erewhon CERT", gate.RoleAnalyst}, reader: {"", gate.RoleReader}} {
		text, _, err := w.n.ids.IssueToken(t.Context(), Local, identity.TokenSpec{Name: name, Org: who[0], Roles: []string{who[1]}, Form: identity.FormMISP})
		must(t, err)
		w.keys[name] = text
	}
	return w
}

// mispAnswer is what came back.
type mispAnswer struct {
	status int
	header http.Header
	body   []byte
}

// json reads the answer.
func (a mispAnswer) json(t testing.TB) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v in %.300s", err, a.body)
	}
	return v
}

// ask makes one request as MISP does: the bare key in its header.
func (w *mispWorld) ask(who, method, path string, body any, headers ...string) mispAnswer {
	w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	case string:
		r = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		must(w.t, err)
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.n.URL()+"/misp"+path, r)
	must(w.t, err)
	if who != "" {
		req.Header.Set("Authorization", w.keys[who])
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "MISP 2.5.1 - #0000000")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.http.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return mispAnswer{resp.StatusCode, resp.Header, b}
}

// want fails unless the answer has the status.
func (a mispAnswer) want(t testing.TB, status int) mispAnswer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, not %d: %.600s", a.status, status, a.body)
	}
	return a
}

// sampleEvent is one event of the shared feed.
func sampleEvent(t testing.TB) (uuid string, raw []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "misp", "feed-sample"), "*-*.json"))
	must(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		must(t, err)
		var e struct{ Event struct{ Distribution any } }
		must(t, json.Unmarshal(raw, &e))
		if len(raw) > 5_000 && len(raw) < 60_000 && (e.Event.Distribution == "3" || e.Event.Distribution == 3.0) {
			return strings.TrimSuffix(filepath.Base(f), ".json"), raw
		}
	}
	t.Fatal("no event of a middle size in the sample")
	return
}

const pullParams = "/deleted[]:0/deleted[]:1/excludeGalaxy:1/includeEventCorrelations:0/includeFeedCorrelations:0/includeWarninglistHits:0/excludeLocalTags:1"

// A MISP instance meets the node, pushes an event, and another pulls it.
func TestMISPPushAndPull(t *testing.T) {
	w := newMISPWorld(t, nil)
	version := w.ask(rita, "GET", "/servers/getVersion", nil).want(t, 200).json(t).(map[string]any)
	if version["version"] != "2.5.1" || version["perm_sync"] != true {
		t.Errorf("%v", version)
	}
	me := w.ask(rita, "GET", "/users/view/me.json", nil).want(t, 200).json(t).(map[string]any)
	if me["User"] == nil || me["Role"] == nil || me["UserSetting"] == nil {
		t.Errorf("%v", me)
	}
	id, raw := sampleEvent(t)
	w.ask(rita, "HEAD", "/events/view/"+id, nil).want(t, 404)
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	z.Write(raw)
	z.Close()
	w.ask(rita, "POST", "/events/add/metadata:1", small.Bytes(), "Content-Encoding", "gzip").want(t, 200)
	w.ask(rita, "HEAD", "/events/view/"+id, nil).want(t, 200)

	list := w.ask(fred, "POST", "/events/index", `{"minimal":1}`).want(t, 200)
	if !bytes.Contains(list.body, []byte(`"uuid":"`+id+`"`)) {
		t.Fatalf("the index does not have %s: %.500s; it has %.500s", id, list.body, w.ask(fred, "POST", "/events/index", `{}`).body)
	}
	w.ask(fred, "POST", "/events/index", `{"minimal":1}`, "If-None-Match", list.header.Get("ETag")).want(t, 304)
	view := w.ask(fred, "GET", "/events/view/"+id+pullParams, nil).want(t, 200)
	var in, out struct {
		Event struct {
			Info      string
			Attribute []struct{ UUID, Value, Type string }
			Object    []struct {
				UUID      string
				Attribute []struct{ Value string }
			}
		}
	}
	must(t, json.Unmarshal(raw, &in))
	must(t, json.Unmarshal(view.body, &out))
	if out.Event.Info != in.Event.Info || len(out.Event.Attribute) != len(in.Event.Attribute) || len(out.Event.Object) != len(in.Event.Object) {
		t.Errorf("%q with %d attributes and %d objects became %q with %d and %d", in.Event.Info, len(in.Event.Attribute), len(in.Event.Object),
			out.Event.Info, len(out.Event.Attribute), len(out.Event.Object))
	}
	w.ask("", "GET", "/servers/getVersion", nil).want(t, 403)
}
