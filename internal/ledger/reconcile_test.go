package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/peer"
)

// What another holds of a log is found by what the leaves are compared by, each with the proof that its originator signed it there.
func TestHeldItems(t *testing.T) {
	giver, reader := openAt(t, Config{Dir: t.TempDir()}), openAt(t, Config{Dir: t.TempDir()})
	g := ownLog(t, giver)
	appendN(t, giver, g.Origin, 0, 21)
	sign(t, giver, g.Origin)
	v, err := reader.Mirror(t.Context(), g.Origin, "UTO", Identity{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := giver.Frames(t.Context(), g.Origin, peer.Pull{})
	if err != nil {
		t.Fatal(err)
	}
	frames, err := v.Extend(b, notary.Key())
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(1_795_334_400_000_001).UTC()
	taken := make([]Taken, len(frames))
	for i := range frames {
		taken[i] = Taken{Frame: frames[i], Did: peer.DidStore, Object: "malware--1", Way: "push", At: at}
	}
	if err := reader.Extend(t.Context(), v, 0, taken); err != nil {
		t.Fatal(err)
	}
	mine, err := giver.Items(t.Context(), Filter{Own: true}, "")
	if err != nil || len(mine) != 21 {
		t.Fatalf("%d items: %v", len(mine), err)
	}
	theirs, err := reader.Items(t.Context(), Filter{Nation: "UTO"}, g.Origin)
	if err != nil || len(theirs) != 21 {
		t.Fatalf("%d items: %v", len(theirs), err)
	}
	for i := range mine {
		if mine[i] != theirs[i] {
			t.Fatal("the same leaf is another item")
		}
	}
	for _, other := range []Filter{{Nation: "RUR"}, {Own: true}} {
		if items, err := reader.Items(t.Context(), other, ""); err != nil || len(items) != 0 {
			t.Errorf("%+v: %d items, %v", other, len(items), err)
		}
	}
	held, err := reader.HeldItems(t.Context(), "UTO", []peer.Item{theirs[3], theirs[20], {1}}, 10)
	if err != nil || len(held) != 2 || held[0].Index != 3 || held[1].Index != 20 {
		t.Fatalf("%+v %v", held, err)
	}
	for _, h := range held {
		c, err := peer.OpenCheckpoint(h.Note, g.Origin, notary.Key())
		if err != nil || !peer.Included(c, h.Index, &h.Leaf, h.Proof) || peer.Included(c, h.Index+1, &h.Leaf, h.Proof) {
			t.Errorf("leaf %d is not proven: %v", h.Index, err)
		}
		if h.Way != "push" || !h.At.Equal(at) {
			t.Errorf("it came by %q at %s", h.Way, h.At)
		}
	}
	if held, err := reader.HeldItems(t.Context(), "RUR", theirs[:1], 10); err != nil || len(held) != 0 {
		t.Errorf("another nation is given it: %v %v", held, err)
	}
}

// A log that was begun after a backup is not begun again under the same name by who was restored from it.
func TestARestoredLedgerTakesNoNameTwice(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	var backup bytes.Buffer
	if err := l.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{ownLog(t, l).Origin: true}
	for range 2 {
		dir := t.TempDir()
		if err := Restore(t.Context(), bytes.NewReader(backup.Bytes()), dir); err != nil {
			t.Fatal(err)
		}
		r := openAt(t, Config{Dir: dir})
		o := ownLog(t, r).Origin
		if seen[o] || l.Restored() != "" || r.Restored() == "" {
			t.Errorf("%s is taken again, after the restores %q and %q", o, l.Restored(), r.Restored())
		}
		if seen[o] = true; ownLog(t, r).Origin != o {
			t.Error("it has another name the second time")
		}
	}
}

// A ledger of the first schema is brought to this one, also from a backup.
func TestSchemaOne(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, Config{Dir: dir})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := zs.OpenConn(filepath.Join(dir, fileName), zs.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	leaf := (&peer.Leaf{Kind: peer.Heartbeat, Time: time.UnixMicro(1)}).Append(nil)
	err = lite.Script(c, "ALTER TABLE held DROP COLUMN at; ALTER TABLE held DROP COLUMN way; PRAGMA user_version=1;")
	if err == nil {
		err = lite.Exec(c, "INSERT INTO log(id, origin, own, nation, org, accord, parties, epoch, retired, size) VALUES(9, ?, 0, 'RUR', '', '', '', 0, 0, 1)", nil, peer.OriginPrefix+"AAAAAAAAAAAAAAAAAAAA")
	}
	if err == nil {
		err = lite.Exec(c, "INSERT INTO held VALUES(?, ?, 'malware--1', '', 'stored', '')", nil, position(9, 0), leaf)
	}
	if err == nil {
		err = lite.Script(c, "PRAGMA journal_mode=DELETE")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	restored := t.TempDir()
	if err := Restore(t.Context(), bytes.NewReader(old), restored); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, restored, dir} {
		l := openAt(t, Config{Dir: d})
		if own, err := l.Log(t.Context(), g.Origin); err != nil || own.Size != 3 {
			t.Errorf("%+v %v", own, err)
		}
		held, err := l.HeldOf(t.Context(), "malware--1")
		if err != nil || len(held) != 1 || held[0].Way != "" || !held[0].At.IsZero() || held[0].Did != peer.DidStore {
			t.Errorf("%+v %v", held, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
