package node

import (
	"archive/zip"
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// pausing calls a function once, when a part of an archive begins.
type pausing struct {
	bytes.Buffer
	part string
	do   func()
}

func (b *pausing) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if b.do != nil && bytes.Contains(b.Bytes(), []byte(b.part)) {
		do := b.do
		b.do = nil
		do()
	}
	return n, err
}

// What happens between the copy of the ledger and that of the store: a record that is handed in is in the backup, and nothing is purged until it is made.
func TestTheFilesOfABackupAreOfOneMind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := Create(t.Context(), Init{Data: dir, Nation: "UTO", Org: "Utopia CERT"}); err != nil {
		t.Fatal(err)
	}
	n, err := New(t.Context(), DefaultConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	ids := []string{"malware--00000000-0000-4000-8000-000000000001", "malware--00000000-0000-4000-8000-000000000002"}
	person := gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "pat", Roles: []string{gate.RoleAnalyst, gate.RoleOfficer}, Realm: n.ring.Names().Realm}
	push := func(n *Node, id string) {
		t.Helper()
		object := `{"type":"malware","spec_version":"2.1","id":"` + id + `","created":"2024-03-01T00:00:00.000Z","modified":"2024-03-01T00:00:00.000Z","name":"x","is_family":false}`
		out, err := n.exchange.Accept(t.Context(), person, exchange.Submission{Objects: [][]byte{[]byte(object)}, Labels: []label.Label{label.For(label.Amber)}})
		if err != nil || len(out) != 1 || out[0].State != exchange.Added {
			t.Fatalf("%+v %v", out, err)
		}
	}
	sees := func(n *Node, id string) bool {
		_, err := n.exchange.Get(t.Context(), person, "", id, store.Versions{})
		return err == nil
	}
	push(n, ids[0])
	called := false
	b := &pausing{part: storeEntry, do: func() {
		called = true
		push(n, ids[1])
		if _, err := n.exchange.Purge(t.Context(), person, ids[0], false); fault.Of(err) != fault.Unavailable {
			t.Errorf("a purge between the copies: %v", err)
		}
		if _, err := n.exchange.Purge(t.Context(), person, ids[0], true); err != nil {
			t.Errorf("what would be purged is not told: %v", err)
		}
	}}
	if err := n.Backup(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, f := range z.File {
		if f.Name == storeEntry || f.Name == ledgerEntry {
			parts = append(parts, f.Name)
		}
	}
	if !called || !slices.Equal(parts, []string{ledgerEntry, storeEntry}) {
		t.Fatalf("%v are the parts, and something came between them: %v", parts, called)
	}
	if _, err := n.exchange.Purge(t.Context(), person, ids[0], false); err != nil || sees(n, ids[0]) {
		t.Errorf("after the backup: %v", err)
	}
	done, err := n.exchange.Copying()
	if err != nil {
		t.Fatalf("a purge that ended is in the way: %v", err)
	}
	done()
	to := filepath.Join(t.TempDir(), "e")
	if _, err := Restore(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), to, ""); err != nil {
		t.Fatal(err)
	}
	old, err := New(t.Context(), DefaultConfig(to))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Stop(context.Background())
	if !sees(old, ids[0]) || !sees(old, ids[1]) {
		t.Error("the backup has not all that was there when its last part was made")
	}
}
