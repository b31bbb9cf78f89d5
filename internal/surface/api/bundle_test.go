package api

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"entente/bundle"
	"entente/dsse"
	"entente/internal/federation"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/peer"
	"entente/seal"
)

// bundleRows has Ruritania known, whose ring it gets, and exchanges bundles with it.
func bundleRows(w *world, do func(route, path, body string), last *string) {
	other := w.befriend()
	statement, err := other.SealStatement(time.Now())
	w.must(err)
	do("POST /bundles/key", "/bundles/key", string(statement))
	do("GET /bundles/key", "/bundles/key", "")
	mine := *last
	do("POST /bundles", "/bundles", `{"nation":"RUR","since":"acknowledged","dry_run":true}`)
	do("POST /bundles", "/bundles", `{"nation":"RUR"}`)
	var made federation.Bundle
	w.must(json.Unmarshal([]byte(*last), &made))
	do("GET /bundles/{nation}/file", "/bundles/RUR/file", "")
	if int64(len(*last)) != made.Bytes {
		w.t.Errorf("a bundle of %d bytes came as %d", made.Bytes, len(*last))
	}
	words := w.opened(other, []byte(*last))
	do("POST /bundles/ack", "/bundles/ack", `{"nation":"RUR","words":"`+words+`"}`)

	file := w.bundleOf(other, mine)
	do("POST /bundles/verify", "/bundles/verify", file)
	do("POST /bundles/import", "/bundles/import", file)
	if !strings.Contains(*last, `"state":"taken"`) {
		w.t.Errorf("a bundle: %s", *last)
	}
	if status, answer := w.ask(admin, post, "/bundles/import", file[:len(file)-1]); status != 422 || !strings.Contains(answer, "bundle.short") {
		w.t.Errorf("a bundle that was cut off: %d %s", status, answer)
	}
	do("GET /bundles", "/bundles", "")
	for _, part := range []string{`"acknowledged":true`, `"code":"bundle.short"`, `"words":"`, `"epoch":1`} {
		if !strings.Contains(*last, part) {
			w.t.Errorf("the list does not have %s: %s", part, *last)
		}
	}
	w.must(w.peers.Remove(w.t.Context(), "test", "RUR"))
}

// opened reads a bundle as its receiver does, and gives its words.
func (w *world) opened(to *keyring.Ring, file []byte) string {
	w.t.Helper()
	keys, err := to.SealKeys(time.Now())
	w.must(err)
	r, err := bundle.Open(bytes.NewReader(file), bundle.Options{Realm: keyring.Operational, To: bundle.Party{Nation: "RUR", Org: "Ruritania CERT"},
		Open: func(seal.KeyID) *seal.Private { return keys[0] },
		Keys: func(string, string) (out []*dsse.Key) {
			for _, k := range w.ring.KeyState().Keys("Utopia CERT", keylog.RoleNode, time.Now()) {
				out = append(out, k.Key)
			}
			return out
		}})
	w.must(err)
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		w.t.Fatal(err)
	}
	return bundle.Words(r.Digest())
}

// bundleOf is a bundle of another nation to this node, with nothing in it.
func (w *world) bundleOf(from *keyring.Ring, statement string) string {
	w.t.Helper()
	to, _, err := seal.OpenStatement([]byte(statement), keyring.Operational, func(id string) *dsse.Key { k, _ := w.ring.KeyState().Find(id); return k.Key })
	w.must(err)
	key, err := from.Signer(keylog.RoleNode)
	w.must(err)
	var file bytes.Buffer
	b, err := bundle.Create(&file, keyring.Operational, bundle.Manifest{Number: 1, From: bundle.Party{Nation: "RUR", Org: "Ruritania CERT"}, Created: time.Now()}, to, key)
	w.must(err)
	said, err := json.Marshal(peer.Heads{})
	w.must(err)
	w.must(b.Heads(said))
	w.must(errOf(b.Close()))
	return file.String()
}

func TestWhoMayCarryBundles(t *testing.T) {
	w := newWorld(t)
	for _, r := range bundleRoutes {
		path := strings.ReplaceAll(r.Path, "{nation}", "RUR")
		if status, answer := w.ask(outsider, r.Method, path, "{}"); status != 403 {
			t.Errorf("%s %s by an outsider: %d %s", r.Method, r.Path, status, answer)
		}
	}
	if status, answer := w.ask(admin, post, "/bundles", `{"nation":"NON"}`); status != 404 {
		t.Errorf("for a nation that is not known: %d %s", status, answer)
	}
	if status, answer := w.ask(admin, post, "/bundles/ack", `{"words":"abandon"}`); status != 400 || !strings.Contains(answer, "words") {
		t.Errorf("words that are none: %d %s", status, answer)
	}
}
