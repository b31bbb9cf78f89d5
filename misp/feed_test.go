package misp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/shareddata"
)

func TestFeedSample(t *testing.T) {
	root := shareddata.Dir(t, "misp", "feed-sample")
	raw, err := os.ReadFile(filepath.Join(root, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(raw)
	if err != nil || len(m) < 70 {
		t.Fatalf("%d events: %v", len(m), err)
	}
	want := map[HashLine]bool{}
	if err := ParseHashes(load(t, filepath.Join(root, "hashes.csv.gz")), func(l HashLine) error { want[l] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	got := map[HashLine]bool{}
	var csv []byte
	mine := map[string]ManifestEntry{}
	for id, entry := range m {
		path := filepath.Join(root, id+".json")
		if _, err := os.Stat(path); err != nil {
			path += ".gz"
		}
		file := load(t, path)
		if err := entry.Verify(file); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		list, err := Parse(file)
		if err != nil || len(list) != 1 || list[0].UUID != id || list[0].Timestamp != entry.Timestamp || list[0].Info != entry.Info {
			t.Errorf("%s: the file is another event: %v", id, err)
			continue
		}
		csv = AppendHashes(csv, list[0])
		mine[id] = list[0].Entry(file)
	}
	if err := ParseHashes(csv, func(l HashLine) error { got[l] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	// the sample hashes its one malware-sample in one piece, where MISP hashes its two values
	for l := range want {
		if !got[l] && l.MD5 != HashOf("a5ff5f.exe|2f7059d7b1dda3080e391d99788fff18") {
			t.Errorf("the hash %x of %s is missing", l.MD5, l.UUID)
		}
	}
	for l := range got {
		if !want[l] && l.MD5 != HashOf("a5ff5f.exe") && l.MD5 != HashOf("2f7059d7b1dda3080e391d99788fff18") {
			t.Errorf("%s has no value with the hash %x", l.UUID, l.MD5)
		}
	}
	written, err := MarshalManifest(mine)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseManifest(written)
	if err != nil || len(again) != len(m) {
		t.Fatalf("%d events: %v", len(again), err)
	}
	rewritten, _ := MarshalManifest(again)
	if !bytes.Equal(written, rewritten) {
		t.Error("the manifest is not written the same twice")
	}
	for id, entry := range again {
		if entry.Verify([]byte("another")) == nil {
			t.Errorf("%s: another file passes", id)
		}
	}
}

func TestFeedRefuses(t *testing.T) {
	for _, raw := range []string{``, `3`, `{"../../etc/passwd":{}}`, `{"5e7d6a5e-0000-4000-8000-000000000001":3}`, `{"5E7D6A5E-0000-4000-8000-00000000000A":{},"5e7d6a5e-0000-4000-8000-00000000000a":{}}`} {
		if _, err := ParseManifest([]byte(raw)); err == nil {
			t.Errorf("%q was taken for a manifest", raw)
		}
	}
	if m, err := ParseManifest([]byte(" [] \n")); err != nil || len(m) != 0 {
		t.Errorf("an empty manifest gives %v, %v", m, err)
	}
	for _, raw := range []string{"zz,5e7d6a5e-0000-4000-8000-000000000001", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e,x"} {
		if err := ParseHashes([]byte(raw), func(HashLine) error { return nil }); err == nil {
			t.Errorf("%q was taken for a list of hashes", raw)
		}
	}
}
