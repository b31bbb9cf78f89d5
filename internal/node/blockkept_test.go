package node

import (
	"bytes"
	"testing"

	"entente/label"
)

// An enforcement point gets what changed over a restart of the node; a purge leaves nothing of what was blocked in the data directory.
func TestWhatWasBlockedIsKeptAndPurged(t *testing.T) {
	n := found(t, "UTO", "Utopia CERT", "")
	ids := make([]string, 3)
	name := func(i int, name string) string {
		ids[i] = "indicator--" + uuidOf(name)
		return indicatorObject(ids[i], "[domain-name:value = '"+name+"']", "2026-01-01T00:00:00.000Z", label.Green, `,"valid_until":"2099-01-01T00:00:00Z"`)
	}
	n.bring(name(0, "evil-kept.com"), name(1, "evil-purged.com"))
	d, err := n.api.BlockSince(t.Context(), "list", nil, "")
	n.must(err)
	if !d.Reset || len(d.Added) != 2 {
		t.Fatalf("%+v", d)
	}
	var file bytes.Buffer
	first, err := n.api.Block(t.Context(), "list", nil, &file)
	n.must(err)
	n.halt()
	n.start("")
	var again bytes.Buffer
	second, err := n.api.Block(t.Context(), "list", nil, &again)
	n.must(err)
	if second.ETag != first.ETag || again.String() != file.String() {
		t.Errorf("after a restart the file is another: %s and %s", first.ETag, second.ETag)
	}
	n.halt()
	n.start("")
	n.bring(name(2, "evil-later.com"))
	d, err = n.api.BlockSince(t.Context(), "list", nil, d.Cursor)
	n.must(err)
	if d.Reset || len(d.Added) != 1 || len(d.Removed) != 0 {
		t.Errorf("after a restart: %+v", d)
	}
	if len(holding(t, n.data, "evil-purged.com")) == 0 {
		t.Fatal("nothing is kept of what this test looks for")
	}
	_, err = n.api.Purge(t.Context(), ids[1], false)
	n.must(err)
	if left := holding(t, n.data, "evil-purged.com"); len(left) > 0 {
		t.Errorf("%v hold what was purged", left)
	}
	d, err = n.api.BlockSince(t.Context(), "list", nil, d.Cursor)
	n.must(err)
	if d.Reset || len(d.Removed) != 1 {
		t.Errorf("after a purge: %+v", d)
	}
	if left := holding(t, n.data, "evil-purged.com"); len(left) > 0 {
		t.Errorf("%v hold what was purged", left)
	}
}
