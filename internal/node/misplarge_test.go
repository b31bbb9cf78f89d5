package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/store"
)

// largeEvent is an event that is kept in a file while it is read, and converted in batches: objects stand before its n attributes, and some of
// both have tags, references and distributions of their own. With last its last attribute ends.
func largeEvent(n int, id, stamp, last string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"Event":{"Object":[`)
	for i := range 50 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"uuid":"%s-aaaa-4000-8000-%012x","name":"file","meta-category":"file","timestamp":"%s","distribution":"5","ObjectReference":[{"uuid":"%[1]s-cccc-4000-8000-%012[2]x","timestamp":"%[3]s","referenced_uuid":"%[1]s-0000-4000-8000-%012[2]x","relationship_type":"drops"}],"Attribute":[{"uuid":"%[1]s-bbbb-4000-8000-%012[2]x","type":"md5","category":"Payload delivery","object_relation":"md5","to_ids":true,"value":"%032[2]x","timestamp":"%[3]s","distribution":"5"}]}`, id[:8], i, stamp)
	}
	b.WriteString(`],"Attribute":[`)
	for i := range n {
		tags := ""
		if i%100 == 7 {
			tags = `,"Tag":[{"name":"tlp:amber"},{"name":"kill-chain:delivery"}]`
		}
		fmt.Fprintf(&b, `{"uuid":"%s-0000-4000-8000-%012x","type":"domain","category":"Network activity","to_ids":%t,"value":"h%d.example","timestamp":"%s","distribution":"5","comment":"the %d%s comment"%s},`, id[:8], i, i%3 == 0, i, stamp, i, "th", tags)
	}
	fmt.Fprintf(&b, `{"uuid":"%s-dddd-4000-8000-000000000000","type":"comment","category":"Other","to_ids":false,"value":"the last one","timestamp":"%s","distribution":"5"%s}]`, id[:8], stamp, last)
	fmt.Fprintf(&b, `,"uuid":"%s","info":"large","date":"2026-01-01","timestamp":"%s","distribution":"3","published":true,"Tag":[{"name":"tlp:green"}]}}`, id, stamp)
	return b.Bytes()
}

// said is the elements of an event by their uuids, with what they say.
func said(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	type attribute struct {
		UUID, Type, Category, Value, Timestamp, Distribution, Comment string
		ToIDs                                                         bool `json:"to_ids"`
		Tag                                                           []struct{ Name string }
	}
	var e struct {
		Event struct {
			Attribute []attribute
			Object    []struct {
				UUID, Name, Timestamp, Distribution string
				Attribute                           []attribute
				ObjectReference                     []struct {
					UUID           string
					ReferencedUUID string `json:"referenced_uuid"`
				}
			}
		}
	}
	must(t, json.Unmarshal(raw, &e))
	out := map[string]string{}
	for _, a := range e.Event.Attribute {
		out[a.UUID] = fmt.Sprint(a)
	}
	for _, o := range e.Event.Object {
		out[o.UUID] = fmt.Sprint(o)
	}
	return out
}

// A large event is taken whole or refused whole, and says afterwards what it said.
func TestMISPLargePush(t *testing.T) {
	w := newMISPWorld(t, func(c *Config) { c.MISP.Rules.Tags = []string{"unwanted"} })
	w.http.Timeout = 5 * time.Minute
	const id, n = "0a0a0a0a-0000-4000-8000-ffffffffffff", 12_000
	raw := largeEvent(n, id, "1700000000", "")
	own := w.admin()
	own.Roles = []string{gate.RoleAnalyst}
	first := func() bool {
		_, err := w.n.exchange.Get(t.Context(), own, "", "indicator--0a0a0a0a-0000-4000-8000-000000000000", store.Versions{})
		return err == nil
	}
	none := func(t *testing.T) {
		t.Helper()
		w.ask(rita, "HEAD", "/events/view/"+id, nil).want(t, 404)
		found := w.ask(rita, "POST", "/attributes/restSearch", `{"returnFormat":"json","value":"h0.example"}`).want(t, 200)
		if bytes.Contains(found.body, []byte("h0.example")) {
			t.Errorf("something of a refused event is stored: %s", found.body)
		}
		if first() {
			t.Error("an indicator of a refused event is stored")
		}
	}
	for name, body := range map[string][]byte{
		"the end is cut off":     raw[:len(raw)-2],
		"something follows":      append(raw[:len(raw):len(raw)], "x"...),
		"two events":             append(append([]byte("["), raw...), `,{"Event":{"uuid":"0a0a0a0b-0000-4000-8000-ffffffffffff","info":"x"}}]`...),
		"a bad last attribute":   largeEvent(n, id, "1700000000", `,"x":tru`),
		"a bad distribution":     largeEvent(n, id, "1700000000", `,"sharing_group_id":"7","SharingGroup":[]`),
		"the last is unwanted":   largeEvent(n, id, "1700000000", `,"Tag":[{"name":"unwanted"}]`),
		"nothing to tell it by":  bytes.Replace(raw, []byte(`"uuid":"`+id+`"`), []byte(`"uuid":"7"`), 1),
		"an attribute that lies": bytes.Replace(raw, []byte(`"value":"the last one"`), []byte(`"value":""`), 1),
	} {
		if name == "a bad distribution" {
			body = bytes.Replace(body, []byte(`"timestamp":"1700000000","distribution":"5","sharing`), []byte(`"timestamp":"1700000000","distribution":"4","sharing`), 1)
		}
		a := w.ask(rita, "POST", "/events/add/metadata:1", body)
		var e struct {
			Saved   *bool
			Message string
		}
		if json.Unmarshal(a.body, &e) != nil || a.status < 400 || a.status > 499 || e.Saved == nil || *e.Saved || e.Message == "" {
			t.Errorf("%s: answered %d %.300s", name, a.status, a.body)
		}
		none(t)
	}

	// The directory for bodies in transit cannot be written to.
	must(t, os.RemoveAll(w.n.SpoolDir()))
	must(t, os.WriteFile(w.n.SpoolDir(), nil, 0o600))
	full := w.ask(rita, "POST", "/events/add/metadata:1", raw).want(t, http.StatusInsufficientStorage).json(t).(map[string]any)
	if full["saved"] != false || full["message"] == "" {
		t.Errorf("%v", full)
	}
	none(t)
	must(t, os.Remove(w.n.SpoolDir()))

	// A push is cut off when the first of it is stored, and made again.
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, err := http.NewRequestWithContext(ctx, "POST", w.n.URL()+"/misp/events/add/metadata:1", bytes.NewReader(raw))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", w.keys[rita])
		if resp, err := w.http.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if first() {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing of a large push is stored after two minutes")
		}
	}
	stop()
	<-ended
	if a := w.ask(rita, "POST", "/events/add/metadata:1", raw); a.status != 200 && a.header.Get("Location") == "" {
		t.Fatalf("a push that was cut off is answered %d %.300s when it is made again", a.status, a.body)
	}
	same := func(want []byte) {
		t.Helper()
		in, out := said(t, want), said(t, w.ask(rita, "GET", "/events/view/"+id, nil).want(t, 200).body)
		if len(in) != n+51 || len(out) != len(in) {
			t.Errorf("of %d elements %d are there", len(in), len(out))
		}
		for u, s := range in {
			if out[u] != s {
				t.Fatalf("%s became %s", s, out[u])
			}
		}
	}
	same(raw)
	// and changed: another third is looked for from now on, which makes other objects of STIX of them
	again := bytes.ReplaceAll(largeEvent(n, id, "1700000100", ""), []byte(`"to_ids":false,"value":"h1`), []byte(`"to_ids":true,"value":"h1`))
	w.ask(rita, "POST", "/events/edit/"+id+"/metadata:1", again).want(t, 200)
	same(again)
	stale := w.ask(rita, "POST", "/events/edit/"+id+"/metadata:1", raw).want(t, 403)
	if !bytes.Contains(stale.body, []byte("not newer")) {
		t.Errorf("%s", stale.body)
	}
	w.ask(ursula, "POST", "/events/edit/"+id+"/metadata:1", largeEvent(n, id, "1700000200", "")).want(t, 403)
	same(again)
}
