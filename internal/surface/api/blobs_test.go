package api

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/outside"
)

// What is taken out is for saving, whatever it is and whatever its sender says it is; a sample is in a ZIP.
func TestBlobsAreNeverShown(t *testing.T) {
	w := newWorld(t)
	page := "<html><script>alert(1)</script></html>"
	get := func(id, query string) (http.Header, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://node"+Prefix+"/blobs/"+id+"/content"+query, nil)
		w.must(err)
		r.Header.Set("Range", "bytes=0-3")
		resp, err := w.as(admin).RoundTrip(r)
		w.must(err)
		b, err := io.ReadAll(resp.Body)
		w.must(err)
		if resp.StatusCode != 200 || resp.ContentLength != int64(len(b)) {
			t.Errorf("%d, %d bytes and %d announced", resp.StatusCode, len(b), resp.ContentLength)
		}
		h := resp.Header
		if !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
			h.Get("Accept-Ranges") != "none" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", h)
		}
		return h, b
	}
	plain, err := w.client(admin).AddBlob(t.Context(), strings.NewReader(page), url.Values{"name": {"../\"x\"\r\nSet-Cookie: a=b.html"}, "media_type": {"text/html"}, "label": {"tlp:clear"}})
	w.must(err)
	h, b := get(plain.Blob.ID, "")
	if h.Get("Content-Type") != "application/octet-stream" || string(b) != page || h.Get("Set-Cookie") != "" || strings.ContainsAny(h.Get("Content-Disposition"), "\r\n") {
		t.Errorf("%v %q", h, b)
	}
	if plain.State != "added" || plain.Blob.Claimed != "text/html" || plain.Blob.Sniffed != "text/html" {
		t.Errorf("%+v", plain)
	}
	sample, err := w.client(admin).AddBlob(t.Context(), strings.NewReader("MZ and more"), url.Values{"name": {"x.exe"}})
	w.must(err)
	for _, of := range []struct{ id, query, name string }{{sample.Blob.ID, "", "x.exe"}, {sample.Blob.ID, "?zip=false", "x.exe"}, {plain.Blob.ID, "?zip=true", "_x_Set-Cookie_ a=b.html"}} {
		h, b := get(of.id, of.query)
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.Get("Content-Type") != "application/zip" || len(z.File) != 1 || z.File[0].Flags&1 == 0 {
			t.Errorf("%v %v", h, err)
			continue
		}
		if z.File[0].Name != of.name || bytes.Contains(b, []byte("MZ and")) || bytes.Contains(b, []byte("alert")) {
			t.Errorf("%q", z.File[0].Name)
		}
	}
}

// Who may read, write, purge and ask for holders is what the roles say, and only the sender's organisation removes.
func TestBlobsLife(t *testing.T) {
	w := newWorld(t)
	us, them := w.client(admin), w.client(outsider)
	b, err := us.AddBlob(t.Context(), strings.NewReader("shared"), url.Values{"name": {"a"}, "label": {"tlp:clear"}})
	w.must(err)
	if again, err := us.AddBlob(t.Context(), strings.NewReader("shared"), url.Values{"name": {"b"}, "label": {"tlp:clear"}}); err != nil || again.State != "present" || again.Blob.ID != b.Blob.ID {
		t.Errorf("%+v %v", again, err)
	}
	seen, err := them.Blob(t.Context(), b.Blob.ID)
	if err != nil || seen.Origin == nil || seen.Origin.Person != "" || seen.Origin.Org != "Utopia CERT" {
		t.Errorf("another organisation is told %+v %v", seen, err)
	}
	if err := them.RemoveBlob(t.Context(), b.Blob.ID); fault.Of(err) != fault.Forbidden {
		t.Errorf("another organisation removes: %v", err)
	}
	held, err := us.BlobHolders(t.Context(), b.Blob.ID)
	if err != nil || len(held) != 1 || held[0].Party != "XER/Erewhon CERT" {
		t.Errorf("%+v %v", held, err)
	}
	if _, err := us.AddBlob(t.Context(), broken("half of "), nil); err == nil {
		t.Error("half a file was taken")
	}
	names := ""
	w.must(us.Blobs(t.Context(), func(b Blob) error { names += b.Name; return nil }))
	if names != "a" {
		t.Errorf("the list has %q", names)
	}
	if r, err := us.PurgeBlob(t.Context(), b.Blob.ID); err != nil || r.Docs != 2 || r.Searched == 0 {
		t.Errorf("%+v %v", r, err)
	}
	for _, c := range []*Client{us, them} {
		if _, err := c.BlobContent(t.Context(), b.Blob.ID, false, io.Discard); fault.Of(err) != fault.NotFound {
			t.Errorf("a purged blob: %v", err)
		}
	}
	large, err := http.NewRequestWithContext(t.Context(), "POST", "http://node"+Prefix+"/blobs", strings.NewReader("x"))
	w.must(err)
	large.ContentLength = 1 << 40
	if resp, err := w.as(admin).RoundTrip(large); err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%+v %v", resp, err)
	}
}

// artifactID is the id that artifactOf gives the artifact of a content.
func artifactID(content string) string {
	return "artifact--" + uuid.UUID(outside.UUID5(uuid.NameSpaceOID, []byte(content))).String()
}

// artifactOf is an artifact that everybody may have, with the digest of a content and without the content.
func artifactOf(content string) string {
	return fmt.Sprintf(`{"type":"artifact","spec_version":"2.1","id":"%s","url":"https://files.example/x","hashes":{"SHA-256":"%X"}}`, artifactID(content), sha256.Sum256([]byte(content)))
}

func importArtifact(w *world, content string) string {
	w.importAll(admin, map[string][]string{"default": {"tlp:clear"}}, artifactOf(content))
	return artifactID(content)
}

// An object leads to the files whose digest it has, as far as the asker may have both.
func TestAnObjectLeadsToItsFiles(t *testing.T) {
	w := newWorld(t)
	const content = "a dropper"
	blob := func(as gate.Viewer, label string) string {
		b, err := w.client(as).AddBlob(t.Context(), strings.NewReader(content), url.Values{"label": {label}})
		w.must(err)
		return b.Blob.ID
	}
	found := func(as gate.Viewer, id string) (ids []string) {
		t.Helper()
		list, err := w.client(as).ObjectBlobs(t.Context(), id)
		w.must(err)
		for _, b := range list {
			ids = append(ids, b.ID)
		}
		slices.Sort(ids)
		return ids
	}
	artifact := importArtifact(w, content)
	indicator := "indicator--9c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	w.importAll(admin, map[string][]string{"default": {"tlp:clear"}}, fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern_type":"stix",`+
		`"pattern":"[file:hashes.'SHA-256' = '%x' OR file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']","valid_from":"2026-01-01T00:00:00Z"}`, indicator, sha256.Sum256([]byte(content))))
	if got := found(admin, artifact); len(got) != 0 {
		t.Errorf("before there is a file: %q", got)
	}
	red, open := blob(admin, "tlp:red"), blob(admin, "tlp:clear")
	theirs := blob(outsider, "tlp:red")
	for id, want := range map[string]struct{ ours, others []string }{artifact: {[]string{red, open}, []string{open, theirs}}, indicator: {[]string{red, open}, []string{open, theirs}}, importArtifact(w, "something else"): {}} {
		slices.Sort(want.ours)
		slices.Sort(want.others)
		if ours, others := found(admin, id), found(outsider, id); !slices.Equal(ours, want.ours) || !slices.Equal(others, want.others) {
			t.Errorf("%s leads to %q and %q, want %q and %q", id, ours, others, want.ours, want.others)
		}
	}
	w.must(w.client(admin).RemoveBlob(t.Context(), red))
	if got := found(admin, artifact); !slices.Equal(got, []string{open}) {
		t.Errorf("after one has gone: %q", got)
	}
	w.importAll(admin, map[string][]string{"label": {"tlp:red"}}, artifactOf("hidden"))
	if _, err := w.client(outsider).ObjectBlobs(t.Context(), artifactID("hidden")); fault.Of(err) != fault.NotFound {
		t.Errorf("an object that is not to be seen: %v", err)
	}
}
