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

func TestAPrivateKeyInAFile(t *testing.T) {
	dir := t.TempDir()
	p, q, err := NewPrivate("UTO", Operational, "ut.mofa", clock(), keylog.RoleVote, keylog.RoleAccord)
	must(t, err)
	if q.Entry.Key.ID() != p.Key.Key().ID() || len(p.Roles) != 2 || p.Roles[0] != keylog.RoleAccord {
		t.Errorf("%+v", q)
	}
	const phrase = "correct horse battery"
	for name, given := range map[string]string{"plain": "", "sealed": phrase} {
		path := filepath.Join(dir, name)
		must(t, WritePrivate(path, p, given, clock()))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
		wantCode(t, WritePrivate(path, p, given, clock()), fault.Conflict, "keyring.exists")
		again, err := ReadPrivate(path, func() (string, error) { return given, nil })
		must(t, err)
		if again.Key.Key().ID() != p.Key.Key().ID() || again.Org != "ut.mofa" || again.Nation != "UTO" || again.Realm != Operational {
			t.Errorf("%s: %+v came back", name, again)
		}
	}
	sealed := filepath.Join(dir, "sealed")
	_, err = ReadPrivate(sealed, func() (string, error) { return "another passphrase", nil })
	wantCode(t, err, fault.Forbidden, "key.passphrase")
	wantCode(t, WritePrivate(filepath.Join(dir, "short"), p, "short", clock()), fault.Invalid, "key.passphrase")

	b, err := os.ReadFile(sealed)
	must(t, err)
	for name, change := range map[string][2]string{ // what a sealed key is for cannot be changed, and no file asks for more work than is bearable
		"organisation": {"ut.mofa", "ut.mofb"}, "nation": {`"UTO"`, `"RUR"`}, "role": {`"vote"`, `"release"`}, "passes": {`"passes": `, `"passes": 99999999`}, "derivation": {`"derivation": "`, `"derivation": "x`},
	} {
		path := filepath.Join(dir, "changed")
		changed := strings.Replace(string(b), change[0], change[1], 1)
		must(t, os.WriteFile(path, []byte(changed), 0o600))
		if _, err := ReadPrivate(path, func() (string, error) { return phrase, nil }); changed == string(b) || err == nil {
			t.Errorf("another %s, and it opens", name)
		}
	}
	must(t, os.Chmod(sealed, 0o644))
	_, err = ReadPrivate(sealed, nil)
	wantCode(t, err, fault.Forbidden, "keyring.permissions")
	_, _, err = NewPrivate("UTO", Operational, "ut.mofa", clock(), keylog.RoleNode)
	wantCode(t, err, fault.Invalid, "key.role")
}

// signed has holders sign what a node drafted, and gives the longer log.
func signed(t testing.TB, l *keylog.Log, d *keylog.Draft, holders ...Private) *keylog.Log {
	t.Helper()
	for _, h := range holders {
		must(t, d.Sign(h.Key))
	}
	l = l.Clone()
	must(t, l.Take(d))
	return l
}

// The life of a member under a root of 2 of 3: it is admitted, replaces a key, loses one, and gets another.
func TestAMemberUnderARootInSeveralHands(t *testing.T) {
	now := time.Now()
	at := func() time.Time { return now }
	root, keys, err := NewRoot(2, 3)
	must(t, err)
	holders := []Private{{Key: keys[0]}, {Key: keys[1]}, {Key: keys[2]}}
	l := keylog.New("UTO", Operational)
	first, err := l.Prepare(keylog.Statement{Kind: keylog.KindRoot, Time: micro(now), Root: root})
	must(t, err)
	l = signed(t, l, first, holders...)

	dir := t.TempDir()
	r, err := CreateMember(dir, Names{Nation: "UTO", Org: "Utopia Navy"}, at)
	must(t, err)
	_, err = r.SignEnvelope("a/b", nil)
	wantCode(t, err, fault.Conflict, "keyring.key")
	admit := func() {
		t.Helper()
		list, err := r.Requests()
		must(t, err)
		again, err := r.Requests()
		must(t, err)
		b, err := keylog.EncodeRequests(list)
		must(t, err)
		asked, err := Asked(b, "UTO", Operational, now)
		must(t, err)
		var statements []keylog.Statement
		for i := range asked {
			if asked[i].Entry.Key.ID() != again[i].Entry.Key.ID() {
				t.Error("it asks for another key each time")
			}
			statements = append(statements, keylog.Statement{Kind: keylog.KindAdd, Time: micro(now), Entry: &asked[i].Entry})
		}
		d, err := l.Prepare(statements...)
		must(t, err)
		l = signed(t, l, d, holders[2], holders[0])
		must(t, r.Join(l))
	}
	admit()
	for _, h := range r.Health() {
		if h.Ends.Sub(now) < keyLife-time.Hour {
			t.Errorf("%+v", h)
		}
	}
	_, err = r.RotateKey(keylog.RoleNode, 0)
	wantCode(t, err, fault.Conflict, "keyring.root")

	now = now.Add(time.Hour)
	old := signerID(t, r, keylog.RoleOriginate)
	d, err := r.DraftRotation(keylog.RoleOriginate, 0)
	must(t, err)
	if signerID(t, r, keylog.RoleOriginate) != old {
		t.Error("a key signs before it is named")
	}
	l = signed(t, l, d, holders[0], holders[1])
	must(t, r.Join(l))
	next := signerID(t, r, keylog.RoleOriginate)
	if next == old {
		t.Error("the old key signs on")
	}

	now = now.Add(time.Hour)
	d, err = l.Prepare(keylog.Statement{Kind: keylog.KindCompromise, Time: micro(now), From: micro(now.Add(-time.Minute)), Key: next, Reason: "stolen"})
	must(t, err)
	l = signed(t, l, d, holders[1], holders[2])
	must(t, r.Join(l))
	_, err = r.SignEnvelope("a/b", nil)
	wantCode(t, err, fault.Conflict, "keyring.key")
	if h := r.Health()[0]; h.Role != keylog.RoleOriginate || !h.Ends.IsZero() {
		t.Errorf("%+v", h)
	}
	now = now.Add(time.Second)
	admit()
	opened, err := Open(dir, "", at)
	must(t, err)
	for _, r := range []*Ring{r, opened} {
		if id := signerID(t, r, keylog.RoleOriginate); id == next || id == old {
			t.Error("a key that is lost signs")
		}
	}
}

func TestKeysThatEndAreDue(t *testing.T) {
	now := time.Now()
	r, err := Create(t.TempDir(), utopia, func() time.Time { return now })
	must(t, err)
	due := func() (n int) {
		for _, k := range r.KeyState().All() {
			if Due(r.KeyState(), k, now) {
				n++
			}
		}
		return n
	}
	if due() != 0 {
		t.Error("new keys are due")
	}
	now = now.Add(keyLife - Renew + time.Hour)
	if due() != 4 {
		t.Errorf("%d keys are due", due())
	}
	_, err = r.RotateKey(keylog.RoleNode, 14*24*time.Hour)
	must(t, err)
	if due() != 3 {
		t.Errorf("%d keys are due after one was replaced", due())
	}
	for _, h := range r.Health() {
		if soon := h.Ends.Sub(now) <= Renew; soon == (h.Role == keylog.RoleNode) {
			t.Errorf("%+v", h)
		}
	}
	now = now.Add(2 * Renew)
	_, err = r.Signer(keylog.RoleAccord)
	wantCode(t, err, fault.Conflict, "keyring.key")
	if due() != 0 {
		t.Error("what has ended is not due: it has ended")
	}
}
