package keyring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/keylog"
)

// A person's key is made, sealed, named, used, and replaced by another of the same person.
func TestAPersonsKey(t *testing.T) {
	r, err := Create(t.TempDir(), Names{Nation: "UTO", Org: "ut.cert"}, clock)
	must(t, err)
	p, q, err := NewPerson("UTO", Operational, "ut.cert", "", clock(), keylog.RoleVote, keylog.RoleRelease)
	must(t, err)
	other, _, err := NewPerson("UTO", Operational, "ut.cert", "", clock(), keylog.RoleVote)
	must(t, err)
	if p.Holder == "" || p.Holder == other.Holder || q.Entry.Holder != p.Holder || !q.Entry.Key.Hybrid() {
		t.Errorf("%+v", q)
	}
	_, _, err = NewPerson("UTO", Operational, "ut.cert", "", clock(), keylog.RoleAccord)
	wantCode(t, err, fault.Invalid, "statement.form")

	const phrase = "correct horse battery"
	path := filepath.Join(t.TempDir(), "sealed")
	must(t, WritePrivate(path, p, phrase, clock()))
	read := func() (Private, error) { return ReadPrivate(path, func() (string, error) { return phrase, nil }) }
	if again, err := read(); err != nil || again.Holder != p.Holder {
		t.Errorf("%+v %v", again, err)
	}
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(b), p.Holder, other.Holder, 1)), 0o600))
	_, err = read()
	wantCode(t, err, fault.Forbidden, "key.passphrase")

	request, err := keylog.EncodeRequests([]keylog.Request{q})
	must(t, err)
	must(t, r.Admit(request))
	const kind = "application/vnd.entente.test"
	e, err := p.SignPerson(keylog.RoleRelease, kind, []byte("this"))
	must(t, err)
	if payload, by, err := r.KeyState().OpenPerson(keylog.RoleRelease, kind, e, clock()); err != nil || string(payload) != "this" || by[0].Holder != p.Holder || by[0].Org != "ut.cert" {
		t.Errorf("%v %v", by, err)
	}
	_, err = other.SignPerson(keylog.RoleRelease, kind, nil)
	wantCode(t, err, fault.Conflict, "key.role")
	ministry, _, err := NewPrivate("UTO", Operational, "ut.mofa", clock(), keylog.RoleRelease)
	must(t, err)
	_, err = ministry.SignPerson(keylog.RoleRelease, kind, nil)
	wantCode(t, err, fault.Conflict, "key.role")

	next, d, err := p.Renew(r.KeyLog(), time.Hour, clock())
	must(t, err)
	root, err := r.rootKey()
	must(t, err)
	l := r.KeyLog()
	if err := l.Take(d); err == nil {
		t.Error("a key is replaced without the root")
	}
	must(t, d.Sign(root))
	must(t, l.Take(d))
	must(t, r.Join(l))
	old, _ := r.KeyState().Find(p.Key.Key().ID())
	if k, err := r.KeyState().Person(keylog.RoleRelease, next.Key.Key().ID(), clock().Add(2*time.Hour)); err != nil || k.Holder != p.Holder || old.Replaced != next.Key.Key().ID() {
		t.Errorf("%+v %v", k, err)
	}
	_, _, err = ministry.Renew(l, 0, clock())
	wantCode(t, err, fault.Conflict, "key.person")
	_, _, err = p.Renew(l, 100*24*time.Hour, clock())
	wantCode(t, err, fault.Invalid, "key.overlap")
	_, _, err = p.Renew(keylog.New("RUR", Operational), 0, clock())
	wantCode(t, err, fault.Conflict, "key.realm")
}
