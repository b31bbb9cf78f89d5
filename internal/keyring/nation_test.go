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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signerID(t testing.TB, r *Ring, role keylog.Role) string {
	t.Helper()
	s, err := r.Signer(role)
	must(t, err)
	return s.Key().ID()
}

func TestANewRingSpeaksForItsNation(t *testing.T) {
	r, dir := create(t, utopia)
	opened, err := Open(dir, "", clock)
	must(t, err)
	if opened.KeyLog().Head() != r.KeyLog().Head() || r.KeyLog().Size() != 5 || !opened.HasRoot() {
		t.Fatal("another log came back")
	}
	for _, role := range keylog.Roles() {
		id := signerID(t, opened, role)
		if id != signerID(t, r, role) {
			t.Errorf("%s: another key came back", role)
		}
		must(t, opened.KeyState().Valid(id, role, clock()))
	}
	if signerID(t, r, keylog.RoleNode) == signerID(t, r, keylog.RoleAccord) {
		t.Error("the node's key signs accords")
	}
	b, err := r.Card("")
	must(t, err)
	card, err := keylog.ParseCard(b)
	must(t, err)
	if card.Log.Fingerprint() != r.KeyLog().Fingerprint() || card.Org != utopia.Org {
		t.Errorf("%+v", card)
	}
}

// A data directory from before there were nations' keys gets them, and keeps the key that its registers are signed with.
func TestAnOldRingGetsItsKeys(t *testing.T) {
	old, dir := create(t, utopia)
	env, err := old.SignEnvelope("a/b", []byte("before"))
	must(t, err)
	for _, file := range []string{"org", "node", "release", "root", "keylog"} {
		must(t, os.Remove(filepath.Join(dir, "keys", file+".json")))
	}
	r, err := Open(dir, "", clock)
	must(t, err)
	if got, err := r.OpenEnvelope("a/b", env, clock()); err != nil || string(got) != "before" {
		t.Errorf("%s %v", got, err)
	}
	if r.KeyLog().Size() != 5 || signerID(t, r, keylog.RoleOriginate) != Fingerprint(old.PublicKey()) {
		t.Error("the originator's key is another")
	}
	again, err := Open(dir, "", clock)
	must(t, err)
	if again.KeyLog().Fingerprint() != r.KeyLog().Fingerprint() {
		t.Error("made twice")
	}
}

func TestMakingKeysGoesOnAfterACrash(t *testing.T) {
	for _, lost := range [][]string{{}, {"root"}, {"root", "release"}, {"root", "release", "node", "org"}} {
		r, dir := create(t, utopia)
		must(t, r.save("keylog", logFile{head: r.head("keylog")}))
		for _, file := range lost {
			must(t, os.Remove(filepath.Join(dir, "keys", file+".json")))
		}
		again, err := Open(dir, "", clock)
		must(t, err)
		if again.KeyLog().Size() != 5 {
			t.Errorf("%v: %d statements", lost, again.KeyLog().Size())
		}
	}
}

// A lost file is never made anew in silence: partners would see another key.
func TestALostFileIsMissed(t *testing.T) {
	for _, file := range []string{"org", "node", "release", "keylog", "signing"} {
		_, dir := create(t, utopia)
		must(t, os.Remove(filepath.Join(dir, "keys", file+".json")))
		_, err := Open(dir, "", clock)
		wantCode(t, err, fault.NotFound, "keyring.missing")
	}
}

func TestAKeyIsReplaced(t *testing.T) {
	now := time.Now()
	at := func() time.Time { return now }
	dir := t.TempDir()
	r, err := Create(dir, utopia, at)
	must(t, err)
	env, err := r.SignEnvelope("a/b", []byte("before"))
	must(t, err)
	now = now.Add(time.Hour)
	for _, role := range []keylog.Role{keylog.RoleOriginate, keylog.RoleAccord, keylog.RoleNode, keylog.RoleRelease} {
		old := signerID(t, r, role)
		next, err := r.RotateKey(role, 10*time.Hour)
		must(t, err)
		if signerID(t, r, role) != old {
			t.Errorf("%s: partners cannot know the new key yet", role)
		}
		_, err = r.RotateKey(role, time.Hour)
		wantCode(t, err, fault.Conflict, "key.rotating")
		now = now.Add(6 * time.Hour)
		opened, err := Open(dir, "", at)
		must(t, err)
		for name, r := range map[string]*Ring{"running": r, "opened": opened} {
			if signerID(t, r, role) != next {
				t.Errorf("%s, %s: the old key still signs", role, name)
			}
		}
		must(t, r.KeyState().Valid(old, role, now))
		now = now.Add(6 * time.Hour)
		if r.KeyState().Valid(old, role, now) == nil {
			t.Errorf("%s: the old key counts for ever", role)
		}
		after, err := r.RotateKey(role, 0)
		must(t, err)
		if signerID(t, r, role) != after {
			t.Errorf("%s: without overlap the new key does not sign at once", role)
		}
	}
	opened, err := Open(dir, "", at)
	must(t, err)
	if got, err := opened.OpenEnvelope("a/b", env, now.Add(-48*time.Hour)); err != nil || string(got) != "before" {
		t.Errorf("what the first key signed: %s %v", got, err)
	}
}

// A key that was written down and never named does not count, and does not stand in the way.
func TestACrashBeforeTheStatementLeavesTheOldKey(t *testing.T) {
	r, dir := create(t, utopia)
	old := signerID(t, r, keylog.RoleNode)
	_, err := r.prepare(purposes[2])
	must(t, err)
	opened, err := Open(dir, "", clock)
	must(t, err)
	if signerID(t, opened, keylog.RoleNode) != old {
		t.Error("a key signs that nobody knows")
	}
	_, err = opened.RotateKey(keylog.RoleNode, 0)
	must(t, err)
}

func TestACompromisedKeyIsReplacedAtOnce(t *testing.T) {
	for _, rotating := range []bool{false, true} {
		now := time.Now()
		at := func() time.Time { return now }
		dir := t.TempDir()
		r, err := Create(dir, utopia, at)
		must(t, err)
		old := signerID(t, r, keylog.RoleNode)
		if rotating {
			_, err := r.RotateKey(keylog.RoleNode, 24*time.Hour)
			must(t, err)
		}
		now = now.Add(5 * time.Hour)
		must(t, r.CompromiseKey(old, now.Add(-time.Hour), "stolen machine"))
		opened, err := Open(dir, "", at)
		must(t, err)
		for _, r := range []*Ring{r, opened} {
			id := signerID(t, r, keylog.RoleNode)
			if id == old {
				t.Error("it still signs")
			}
			must(t, r.KeyState().Valid(id, keylog.RoleNode, now))
		}
		if err := opened.KeyState().Valid(old, keylog.RoleNode, now.Add(-time.Minute)); err == nil {
			t.Error("what it signed since counts")
		}
		must(t, opened.KeyState().Valid(old, keylog.RoleNode, now.Add(-2*time.Hour)))
	}
}

func TestARevokedKeySignsNothing(t *testing.T) {
	r, _ := create(t, utopia)
	must(t, r.RevokeKey(signerID(t, r, keylog.RoleRelease), time.Time{}, "the officer has left"))
	_, err := r.Signer(keylog.RoleRelease)
	wantCode(t, err, fault.Conflict, "keyring.key")
	if !strings.Contains(fault.As(err).Do, "entente key rotate release") {
		t.Errorf("it does not say what to do: %v", err)
	}
	next, err := r.RotateKey(keylog.RoleRelease, time.Hour)
	must(t, err)
	if signerID(t, r, keylog.RoleRelease) != next {
		t.Error("the successor of a revoked key waits")
	}
}

// What an originator's key signed while it counted holds for ever; from its end on it signs nothing, and what it signs elsewhere does not hold.
func TestARegisterHoldsByTheTimeOfItsSigning(t *testing.T) {
	for _, compromised := range []bool{false, true} {
		now := time.Now()
		dir := t.TempDir()
		r, err := Create(dir, utopia, func() time.Time { return now })
		must(t, err)
		signed := now.Add(time.Hour)
		now = signed
		env, err := r.SignEnvelope("a/b", []byte("x"))
		must(t, err)
		now = now.Add(24 * time.Hour)
		old := signerID(t, r, keylog.RoleOriginate)
		if compromised {
			must(t, r.CompromiseKey(old, now.Add(-12*time.Hour), "stolen"))
		} else {
			must(t, r.RevokeKey(old, time.Time{}, "worn out"))
			_, err := r.SignEnvelope("a/b", []byte("y"))
			wantCode(t, err, fault.Conflict, "keyring.key")
			_, err = r.RotateKey(keylog.RoleOriginate, 0)
			must(t, err)
		}
		_, err = r.SignEnvelope("a/b", []byte("y"))
		must(t, err)
		if got, err := r.OpenEnvelope("a/b", env, signed); err != nil || string(got) != "x" {
			t.Errorf("compromised %v: what it signed before does not hold: %v", compromised, err)
		}
		_, err = r.OpenEnvelope("a/b", env, now)
		wantCode(t, err, fault.Invalid, "signature.invalid")
	}
}

func TestTheRootIsKeptElsewhere(t *testing.T) {
	r, dir := create(t, utopia)
	safe := filepath.Join(t.TempDir(), "root.json")
	must(t, r.ExportRoot(safe))
	if info, err := os.Stat(safe); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v", err)
	}
	for _, r := range []*Ring{r, func() *Ring { o, err := Open(dir, "", clock); must(t, err); return o }()} {
		_, err := r.RotateKey(keylog.RoleNode, 0)
		wantCode(t, err, fault.Conflict, "keyring.root")
		if !strings.Contains(err.Error(), filepath.Join(dir, "keys", "root.json")) {
			t.Errorf("it does not say where it is looked for: %v", err)
		}
		wantCode(t, r.ExportRoot(safe+"2"), fault.Conflict, "keyring.root")
		signerID(t, r, keylog.RoleAccord)
	}
	b, err := os.ReadFile(safe)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "keys", "root.json"), b, 0o600))
	_, err = r.RotateKey(keylog.RoleNode, 0)
	must(t, err)
	if err := r.ExportRoot(safe); err == nil || !r.HasRoot() {
		t.Errorf("a file was overwritten: %v", err)
	}
}

// The second node of a nation: its keys are named where the root is.
func TestAMemberJoins(t *testing.T) {
	capital, _ := create(t, utopia)
	dir := t.TempDir()
	names := Names{Nation: "UTO", Org: "Utopia Navy"}
	member, err := CreateMember(dir, names, clock)
	must(t, err)
	_, err = member.Signer(keylog.RoleNode)
	wantCode(t, err, fault.Conflict, "keyring.key")
	_, err = member.Card("")
	wantCode(t, err, fault.Conflict, "keyring.key")
	requests, err := member.Requests()
	must(t, err)
	b, err := keylog.EncodeRequests(requests)
	must(t, err)
	must(t, capital.Admit(b))
	wantCode(t, capital.Admit(b), fault.Conflict, "keylog.order")
	must(t, member.Join(capital.KeyLog()))
	member, err = Open(dir, "", clock)
	must(t, err)
	for _, role := range keylog.Roles() {
		signerID(t, member, role)
	}
	wantCode(t, member.MoveNode(signerID(t, capital, keylog.RoleNode), "x:1"), fault.Conflict, "keyring.root")
	must(t, capital.MoveNode(signerID(t, capital, keylog.RoleNode), "x:1"))
}

func TestNobodyElsesLogIsJoined(t *testing.T) {
	member, err := CreateMember(t.TempDir(), Names{Nation: "UTO", Org: "Utopia Navy"}, clock)
	must(t, err)
	ruritania, _ := create(t, Names{Nation: "RUR", Org: "Ruritania CERT"})
	wantCode(t, member.Join(ruritania.KeyLog()), fault.Invalid, "keylog.order")
	capital, _ := create(t, utopia)
	pretender, _ := create(t, utopia)
	must(t, member.Join(capital.KeyLog()))
	wantCode(t, member.Join(pretender.KeyLog()), fault.Invalid, "keylog.rewritten")
}
