package peers

import (
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/keyring"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/keylog"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%v, want %s", err, code)
	}
}

func ring(t testing.TB, nation string) (*keyring.Ring, string) {
	t.Helper()
	dir := t.TempDir()
	r, err := keyring.Create(dir, keyring.Names{Nation: nation, Org: nation + " CERT"}, time.Now)
	must(t, err)
	return r, dir
}

func card(t testing.TB, r *keyring.Ring) ([]byte, keylog.Fingerprint) {
	t.Helper()
	b, err := r.Card("node.example:7443")
	must(t, err)
	return b, r.KeyLog().Fingerprint()
}

func nodeKey(t testing.TB, r *keyring.Ring) ed25519.PublicKey {
	t.Helper()
	s, err := r.Signer(keylog.RoleNode)
	must(t, err)
	return s.Key().Bytes()[:ed25519.PublicKeySize]
}

func open(t testing.TB) (*Room, store.Store) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: time.Now})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	r, err := Open(t.Context(), Config{Nation: "UTO", Realm: keyring.Operational, Docs: db})
	must(t, err)
	return r, db
}

func TestANationIsKnownOnceItsFingerprintWasCompared(t *testing.T) {
	room, db := open(t)
	rur, _ := ring(t, "RUR")
	b, f := card(t, rur)
	if p, err := room.Look(b); err != nil || p.Nation != "RUR" || p.Words != f.Words() {
		t.Fatalf("%+v %v", p, err)
	}
	if _, ok := room.Know(nodeKey(t, rur)); ok || len(room.List()) != 0 {
		t.Error("a look makes it known")
	}
	_, err := room.Add(t.Context(), "UTO/una", b, keylog.Fingerprint{1})
	wantCode(t, err, "peer.fingerprint")
	p, err := room.Add(t.Context(), "UTO/una", b, f)
	must(t, err)
	if p.By != "UTO/una" || p.Address != "node.example:7443" || p.Statements != 5 {
		t.Errorf("%+v", p)
	}
	again, err := Open(t.Context(), Config{Nation: "UTO", Realm: keyring.Operational, Docs: db})
	must(t, err)
	for _, r := range []*Room{room, again} {
		if got, err := r.Find("RUR"); err != nil || got != p {
			t.Errorf("%+v %v", got, err)
		}
		if who, ok := r.Know(nodeKey(t, rur)); !ok || who.Nation != "RUR" || who.Org != "RUR CERT" {
			t.Errorf("%+v", who)
		}
	}
	must(t, room.Remove(t.Context(), "UTO/una", "RUR"))
	if _, ok := room.Know(nodeKey(t, rur)); ok || room.Keys("RUR") != nil {
		t.Error("a removed nation is known")
	}
	wantCode(t, room.Remove(t.Context(), "UTO/una", "RUR"), "peer.unknown")
}

func TestCardsThatAreNotTaken(t *testing.T) {
	room, _ := open(t)
	own, _ := ring(t, "UTO")
	b, f := card(t, own)
	_, err := room.Add(t.Context(), "a", b, f)
	wantCode(t, err, "peer.own")
	drill, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "RUR", Org: "x", Realm: "exercise:N"}, time.Now)
	must(t, err)
	b, f = card(t, drill)
	_, err = room.Add(t.Context(), "a", b, f)
	wantCode(t, err, "peer.realm")
	late, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "RUR", Org: "x"}, func() time.Time { return time.Now().Add(72 * time.Hour) })
	must(t, err)
	b, f = card(t, late)
	_, err = room.Add(t.Context(), "a", b, f)
	wantCode(t, err, "peer.time")
	_, err = room.Look([]byte("{}"))
	wantCode(t, err, "card.form")
	// a second root for a nation that is known
	one, _ := ring(t, "RUR")
	b, f = card(t, one)
	_, err = room.Add(t.Context(), "a", b, f)
	must(t, err)
	two, _ := ring(t, "RUR")
	b, f = card(t, two)
	_, err = room.Add(t.Context(), "a", b, f)
	wantCode(t, err, "peer.known")
}

// Key logs grow with their nations, and a nation that shows two is proved to have.
func TestAMirrorGrowsAndForksAreKept(t *testing.T) {
	room, db := open(t)
	rur, dir := ring(t, "RUR")
	b, f := card(t, rur)
	_, err := room.Add(t.Context(), "UTO/una", b, f)
	must(t, err)
	twinDir := t.TempDir()
	must(t, os.CopyFS(twinDir, os.DirFS(dir)))
	must(t, os.Chmod(twinDir+"/keys", 0o700))
	entries, err := os.ReadDir(twinDir + "/keys")
	must(t, err)
	for _, e := range entries {
		must(t, os.Chmod(twinDir+"/keys/"+e.Name(), 0o600))
	}
	twin, err := keyring.Open(twinDir, "", time.Now)
	must(t, err)

	_, err = rur.RotateKey(keylog.RoleNode, 0)
	must(t, err)
	if _, ok := room.Know(nodeKey(t, rur)); ok {
		t.Error("a key counts that the mirror has not seen")
	}
	n, err := room.Extend(t.Context(), "RUR", 5, rur.KeyLog().Since(5))
	if err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	if _, ok := room.Know(nodeKey(t, rur)); !ok {
		t.Error("the new key does not count")
	}
	if n, err := room.Extend(t.Context(), "RUR", 0, rur.KeyLog().Since(0)); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	_, err = twin.RotateKey(keylog.RoleRelease, 0)
	must(t, err)
	_, err = room.Extend(t.Context(), "RUR", 0, twin.KeyLog().Since(0))
	wantCode(t, err, "peer.forked")
	again, err := Open(t.Context(), Config{Nation: "UTO", Realm: keyring.Operational, Docs: db})
	must(t, err)
	for _, r := range []*Room{room, again} {
		p, err := r.Find("RUR")
		must(t, err)
		if _, ok := r.Know(nodeKey(t, rur)); ok || !p.Forked || r.Keys("RUR") != nil {
			t.Error("a nation with two key logs counts")
		}
	}
	_, err = room.Extend(t.Context(), "XXX", 0, nil)
	wantCode(t, err, "peer.unknown")
}

func TestFingerprintsAreReadInEveryForm(t *testing.T) {
	f := keylog.Fingerprint{7, 8, 9}
	q, err := f.QR("RUR")
	must(t, err)
	for _, text := range []string{f.String(), f.Words(), " " + strings.ToUpper(f.Words()) + "\n", q.Text} {
		if got, err := ParseFingerprint("RUR", text); err != nil || got != f {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err = ParseFingerprint("XER", q.Text)
	wantCode(t, err, "peer.fingerprint")
	_, err = ParseFingerprint("RUR", "abandom")
	wantCode(t, err, "words.form")
}
