package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/store"
)

// under posts under an idempotency key.
func (w *world) under(v gate.Viewer, key, path, body string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), post, "http://node"+Prefix+path, strings.NewReader(body))
	w.must(err)
	r.Header.Set(onceHeader, key)
	resp, err := w.as(v).RoundTrip(r)
	w.must(err)
	b, err := io.ReadAll(resp.Body)
	w.must(err)
	return resp, string(b)
}

// made are requests that make things, in an order in which all succeed.
var made = []probe{
	{"/orgs", `{"name":"Sylvania CERT","nation":"SYL"}`},
	{"/users", `{"name":"ann","roles":["reader"],"password":"a long enough phrase"}`},
	{"/tokens", `{"name":"t","roles":["reader"]}`},
	{"/certificates", `{"name":"c","roles":["reader"]}`},
	{"/roots", `{"path":"second","title":"Second"}`},
	{"/constituents", `{"name":"Harbour"}`},
	{"/collections", `{"title":"New","read":[],"write":[]}`},
	{"/decisions", `{"accord":"joint","rule":"one","title":"block 192.0.2.0/24"}`},
	{"/bundles", `{"nation":"RUR"}`},
	{"/keys/rotate", `{"role":"accord"}`},
	{"/accords", pact},
}

// Every route that makes something makes it once under a key, whoever else uses the same key, and the answer is the same to the byte.
func TestOneKeyMakesOneThing(t *testing.T) {
	w := newWorld(t)
	other := w.befriend()
	statement, err := other.SealStatement(time.Now())
	w.must(err)
	for _, before := range []probe{{"/bundles/key", string(statement)}, {"/accords", w.countersigned(decidable, other)}, {"/accords/joint/sign", ""}} {
		if status, answer := w.ask(admin, post, before.path, before.body); status >= 300 {
			t.Fatalf("%s: %d %s", before.path, status, answer)
		}
	}
	w.setSensor()
	tried := map[string]bool{}
	for _, m := range made {
		tried[m.path] = true
		first, want := w.under(admin, "key-1"+m.path, m.path, m.body)
		if first.StatusCode != 201 || first.Header.Get(onceReplayed) != "" {
			t.Fatalf("%s: %d %s", m.path, first.StatusCode, want)
		}
		again, got := w.under(admin, "key-1"+m.path, m.path, m.body)
		if again.StatusCode != 201 || got != want || again.Header.Get(onceReplayed) != "true" || again.Header.Get("Content-Type") != jsonType || again.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s again: %d %s, want %s", m.path, again.StatusCode, got, want)
		}
		for _, other := range []probe{{m.path, strings.Replace(m.body, "{", `{ `, 1)}, {m.path, "{}"}} {
			if resp, body := w.under(admin, "key-1"+m.path, other.path, other.body); resp.StatusCode != 422 || !strings.Contains(body, "idempotency.reused") {
				t.Errorf("%s with another body: %d %s", m.path, resp.StatusCode, body)
			}
		}
	}
	for _, r := range Routes() {
		if r.Once && !tried[r.Path] {
			t.Errorf("%s %s: nobody tries it twice", r.Method, r.Path)
		}
	}
	if l, err := w.ids.Tokens(t.Context(), "", 10); err != nil || len(l) != 1 {
		t.Fatalf("%d tokens, %v", len(l), err)
	}
	second := admin
	second.Person = "somebody else"
	if resp, body := w.under(second, "key-1/tokens", "/tokens", made[2].body); resp.StatusCode != 201 || resp.Header.Get(onceReplayed) != "" {
		t.Errorf("another caller: %d %s", resp.StatusCode, body)
	}
	if resp, body := w.under(outsider, "key-1/tokens", "/tokens", made[2].body); resp.StatusCode == 201 {
		t.Errorf("an outsider: %d %s", resp.StatusCode, body)
	}
	nobody := admin
	nobody.Roles = nil
	if resp, body := w.under(nobody, "key-1/tokens", "/tokens", made[2].body); resp.StatusCode != 403 {
		t.Errorf("a caller who lost the right: %d %s", resp.StatusCode, body)
	}
	w.late.Store(int64(onceLife + time.Minute))
	if resp, body := w.under(admin, "key-1/tokens", "/tokens", made[2].body); resp.StatusCode != 201 || resp.Header.Get(onceReplayed) != "" {
		t.Errorf("after a day: %d %s", resp.StatusCode, body)
	}
}

func TestAFailureLeavesItsKeyFree(t *testing.T) {
	w := newWorld(t)
	if resp, body := w.under(admin, "k", "/users", `{"name":"ann","roles":["king"],"password":"a long enough phrase"}`); resp.StatusCode != 400 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if resp, body := w.under(admin, "k", "/users", made[1].body); resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"", " ", "a b", "é", strings.Repeat("k", maxOnceKey+1), "a\x7f"} {
		if resp, body := w.under(admin, key, "/tokens", made[2].body); resp.StatusCode != 400 || !strings.Contains(body, `"pointer":"Idempotency-Key"`) {
			t.Errorf("%q: %d %s", key, resp.StatusCode, body)
		}
	}
	if resp, body := w.under(admin, "k", "/tokens", strings.Repeat("x", maxBody+1)); resp.StatusCode != 413 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Of many requests at once under one key, one makes the thing; the others get its answer, or are told to wait.
func TestOneKeyAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	var wait sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		wait.Go(func() {
			resp, body := w.under(admin, "k", "/tokens", made[2].body)
			answers[i] = fmt.Sprint(resp.StatusCode, body)
		})
	}
	wait.Wait()
	texts := map[string]bool{}
	for _, a := range answers {
		switch {
		case strings.HasPrefix(a, "201"):
			texts[a] = true
		case !strings.HasPrefix(a, "409") || !strings.Contains(a, "idempotency.unfinished"):
			t.Error(a)
		}
	}
	if l, err := w.ids.Tokens(t.Context(), "", 10); err != nil || len(l) != 1 || len(texts) != 1 {
		t.Fatalf("%d tokens, %d answers, %v", len(l), len(texts), err)
	}
}

// A request that was cut off by a stop of the node has a key and no answer: it is not done a second time.
func TestACutOffRequestIsNotDoneTwice(t *testing.T) {
	w := newWorld(t)
	_, want := w.under(admin, "k", "/tokens", made[2].body)
	doc, err := w.st.Doc(t.Context(), onceKind, onceKey(who(admin), "k"))
	w.must(err)
	begun := doc.Value[:bytes.Index(doc.Value, []byte(`,"status"`))]
	w.must(w.st.PutDocs(t.Context(), store.Act{}, store.Doc{Kind: onceKind, Key: doc.Key, Value: append(begun, '}'), Version: -1, Expires: doc.Expires}))
	if resp, body := w.under(admin, "k", "/tokens", made[2].body); resp.StatusCode != 409 || body == want {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
}

func TestKeysAreBounded(t *testing.T) {
	w := newWorld(t)
	docs := make([]store.Doc, maxOnceKeys)
	for i := range docs {
		docs[i] = store.Doc{Kind: onceKind, Key: onceKey(who(admin), fmt.Sprint(i)), Value: []byte("{}"), Expires: time.Now().Add(onceLife)}
	}
	w.must(w.st.PutDocs(t.Context(), store.Act{}, docs...))
	if resp, body := w.under(admin, "one-more", "/tokens", made[2].body); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	second := admin
	second.Person = "somebody else"
	if resp, body := w.under(second, "one-more", "/tokens", made[2].body); resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
}

// No secret that is told once, and no password that was sent, stands in the store's files.
func TestKeptAnswersHideTheirSecrets(t *testing.T) {
	w := newWorld(t)
	_, token := w.under(admin, "k", "/tokens", made[2].body)
	_, text, _ := strings.Cut(token, `"text":"`)
	text, _, _ = strings.Cut(text, `"`)
	if len(text) < 20 {
		t.Fatal(token)
	}
	w.under(admin, "k2", "/certificates", made[3].body)
	w.under(admin, "k3", "/users", made[1].body)
	searched := 0
	w.must(filepath.WalkDir(filepath.Join(w.dir, "store"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		searched += len(b)
		for _, secret := range []string{text, text[len(text)-16:], "PRIVATE KEY", "a long enough phrase"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %.12q…", path, secret)
			}
		}
		return err
	}))
	if doc, err := w.st.Doc(t.Context(), onceKind, onceKey(who(admin), "k")); err != nil || searched < len(doc.Value) || !bytes.Contains(doc.Value, []byte(`"answer"`)) {
		t.Fatalf("nothing was kept: %v", err)
	}
}
