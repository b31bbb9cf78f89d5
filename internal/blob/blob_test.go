package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
)

// house is a blob store beside its node's store in a directory.
type house struct {
	t   testing.TB
	dir string
	now time.Time
	db  *sqlite.Store
	*Store
}

var secret = bytes.Repeat([]byte{3}, 32)

func newHouse(t testing.TB, dir string, change func(*Config)) *house {
	t.Helper()
	h := &house{t: t, dir: dir, now: time.Now()}
	if err := os.MkdirAll(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.db, err = sqlite.Open(context.Background(), sqlite.Config{Dir: filepath.Join(dir, "store"), Now: func() time.Time { return h.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	c := Config{Dir: filepath.Join(dir, "blobs"), Secret: secret, Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Now: func() time.Time { return h.now }}
	if change != nil {
		change(&c)
	}
	if h.Store, err = Open(context.Background(), c, h.db); err != nil {
		t.Fatal(err)
	}
	return h
}

// as is the key of somebody of an organisation.
func (h *house) as(nation, org string) gate.Scope {
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational"})
	return g.Scope(gate.Viewer{Nation: nation, Org: org, Person: "somebody", Roles: []string{"analyst"}, Realm: "operational"}, h.now)
}

func (h *house) us() gate.Scope   { return h.as("UTO", "Utopia CERT") }
func (h *house) them() gate.Scope { return h.as("XER", "Erewhon CERT") }

func (h *house) add(s gate.Scope, u Upload, content []byte) (Blob, bool) {
	h.t.Helper()
	b, added, err := h.Add(context.Background(), s, u, bytes.NewReader(content))
	if err != nil {
		h.t.Fatal(err)
	}
	return b, added
}

func (h *house) content(s gate.Scope, id string) []byte {
	h.t.Helper()
	c, err := h.Store.Open(context.Background(), s, id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) want(err error, k fault.Kind, what string) {
	h.t.Helper()
	if err == nil || fault.Of(err) != k {
		h.t.Errorf("%s: %v, want %v", what, err, k)
	}
}

// files are the names in the folder of blobs.
func (h *house) files() (names []string) {
	entries, err := os.ReadDir(filepath.Join(h.dir, "blobs"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func labelled(t label.TLP) *label.Label {
	l := label.For(t)
	return &l
}

func TestWhatIsSentComesBack(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, dir, nil)
	ctx := context.Background()
	content := pattern(3*chunkSize + 5)
	b, added := h.add(h.us(), Upload{Name: "../../etc/report.pdf", MediaType: "application/pdf; x=y", Label: labelled(label.Clear), Via: "api"}, content)
	sum := sha256.Sum256(content)
	if !added || b.SHA256 != hex.EncodeToString(sum[:]) || b.Size != int64(len(content)) || b.Name != "report.pdf" || b.Claimed != "application/pdf" || b.Sample || b.Label.Mode != "operational" {
		t.Errorf("%+v", b)
	}
	if again, added := h.add(h.us(), Upload{Name: "other", Label: labelled(label.Clear)}, content); added || again.ID != b.ID || again.Name != "report.pdf" {
		t.Errorf("sent again: %v %+v", added, again)
	}
	red, added := h.add(h.us(), Upload{}, content)
	if !added || red.ID == b.ID || red.Label.TLP != label.Red {
		t.Errorf("under no label: %+v", red)
	}
	if n, size := h.Usage(); n != 2 || size != 2*int64(len(content)) || len(h.files()) != 2 {
		t.Errorf("%d blobs of %d bytes, files %q", n, size, h.files())
	}
	if got, err := h.Get(ctx, h.us(), b.ID); err != nil || !label.Equal(got.Label, b.Label) || got.SHA256 != b.SHA256 || !got.Added.Equal(b.Added) {
		t.Errorf("%+v %v", got, err)
	}
	// After a restart all is as it was.
	h.db.Close()
	h = newHouse(t, dir, nil)
	if got := h.content(h.us(), b.ID); !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back", len(got))
	}
	if n, size := h.Usage(); n != 2 || size != 2*int64(len(content)) {
		t.Errorf("%d blobs of %d bytes", n, size)
	}
	if err := h.Remove(ctx, h.us(), b.ID); err != nil {
		t.Fatal(err)
	}
	_, err := h.Get(ctx, h.us(), b.ID)
	h.want(err, fault.NotFound, "a removed blob")
	if n, _ := h.Usage(); n != 1 || len(h.files()) != 1 {
		t.Errorf("%d blobs, files %q", n, h.files())
	}
}

// No file of the node holds a byte of the content, its digest or its name, nor does the name of a file tell anything.
func TestNothingStandsInTheClear(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	content := bytes.Repeat([]byte("a secret of forty bytes, and of no more."), 5000)
	b, _ := h.add(h.us(), Upload{Name: "unmentionable.docx"}, content)
	for _, piece := range [][]byte{content[:40], []byte(b.SHA256), []byte("unmentionable")} {
		if where := holding(t, h.dir, piece); where != "" {
			t.Errorf("%q stands in %s", piece, where)
		}
	}
	for _, f := range h.files() {
		if strings.Contains(f, b.ID[len(idPrefix):]) || strings.Contains(f, b.SHA256) || strings.Contains(b.ID, b.SHA256[:16]) {
			t.Errorf("the name %s tells what is in it", f)
		}
	}
}

// holding is the file below dir that holds the piece; empty: none.
func holding(t testing.TB, dir string, piece []byte) (where string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, piece) || strings.Contains(path, string(piece)) {
			where = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// A purge leaves no plaintext and no key anywhere, nor the id, nor who was given the blob.
func TestPurgeLeavesNothing(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	ctx := context.Background()
	content := pattern(200_000)
	b, _ := h.add(h.us(), Upload{Name: "unmentionable", Label: labelled(label.Clear)}, content)
	other, _ := h.add(h.us(), Upload{Name: "bystander " + b.ID, Label: labelled(label.Clear)}, []byte("bystander"))
	h.content(h.them(), b.ID)
	if held, err := h.Holders(ctx, h.us(), b.ID); err != nil || len(held) != 1 || held[0].Party != "XER/Erewhon CERT" {
		t.Fatalf("%+v %v", held, err)
	}
	doc, err := h.db.Doc(ctx, docBlob, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.find(ctx, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	if holding(t, h.dir, doc.Value[:64]) == "" {
		t.Fatal("the sealed document was looked for in vain while it is there")
	}
	report, err := h.Purge(ctx, h.us(), b.ID)
	if err != nil || report.Docs != 2 {
		t.Fatalf("%+v %v", report, err)
	}
	for what, piece := range map[string][]byte{"document": doc.Value[:64], "end of the document": doc.Value[len(doc.Value)-64:], "key": e.Key, "content": content[:64], "id": []byte(b.ID), "file": []byte(e.File)} {
		if where := holding(t, h.dir, piece); where != "" {
			t.Errorf("the %s is still in %s", what, where)
		}
	}
	if got := h.content(h.us(), other.ID); string(got) != "bystander" {
		t.Error("a blob whose name spoke of the purged one is gone with it")
	}
	if _, added := h.add(h.us(), Upload{Label: labelled(label.Clear)}, content); !added {
		t.Error("a purged blob could not be sent again")
	}
}

// Who may not know of a blob gets the same from every question whether or not it is there, also by sending the same content.
func TestTwoViewers(t *testing.T) {
	content := pattern(1000)
	var seen [2]string
	for world := range seen {
		h := newHouse(t, t.TempDir(), nil)
		ctx := context.Background()
		hidden := Blob{ID: "blob--" + strings.Repeat("0", 32)}
		if world == 1 {
			hidden, _ = h.add(h.us(), Upload{Name: "hidden", Label: labelled(label.Red)}, content)
			h.add(h.us(), Upload{Name: "later", Label: &label.Label{}}, content)
		}
		h.add(h.us(), Upload{Name: "open", Label: labelled(label.Clear)}, []byte("open"))
		_, get := h.Get(ctx, h.them(), hidden.ID)
		_, open := h.Store.Open(ctx, h.them(), hidden.ID)
		_, purge := h.Purge(ctx, h.them(), hidden.ID)
		_, holders := h.Holders(ctx, h.them(), hidden.ID)
		seen[world] = fmt.Sprint(get, open, purge, holders, h.Remove(ctx, h.them(), hidden.ID))
		mine, added := h.add(h.them(), Upload{Name: "mine", Label: labelled(label.Red)}, content)
		again, twice := h.add(h.them(), Upload{Name: "mine", Label: labelled(label.Red)}, content)
		page, next, err := h.List(ctx, h.them(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range page {
			names = append(names, b.Name+b.ID)
		}
		seen[world] += fmt.Sprint(added, mine.ID, again.ID, twice, names, next)
		if world == 1 && mine.ID == hidden.ID {
			t.Error("a hidden twin lends its id")
		}
		if err := h.Remove(ctx, h.them(), mine.ID); err != nil {
			t.Fatal(err)
		}
		if world == 1 && !bytes.Equal(h.content(h.us(), hidden.ID), content) {
			t.Error("the hidden twin went with the other")
		}
	}
	if seen[0] != seen[1] || !strings.Contains(seen[0], "mine") || !strings.Contains(seen[0], "open") {
		t.Errorf("what is hidden changes answers:\n%s\n%s", seen[0], seen[1])
	}
}

func TestEmbargoAndRetention(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	ctx := context.Background()
	l := label.For(label.Clear)
	l.NotBefore, l.NotAfter = h.now.Add(time.Hour), h.now.Add(2*time.Hour)
	b, _ := h.add(h.us(), Upload{Label: &l}, []byte("timely"))
	_, err := h.Get(ctx, h.them(), b.ID)
	h.want(err, fault.NotFound, "before the embargo ends")
	h.now = h.now.Add(90 * time.Minute)
	if _, err := h.Get(ctx, h.them(), b.ID); err != nil {
		t.Error(err)
	}
	h.now = h.now.Add(time.Hour)
	_, err = h.Get(ctx, h.us(), b.ID)
	h.want(err, fault.NotFound, "after its retention")
	if err := h.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if n, _ := h.Usage(); n != 0 || len(h.files()) != 0 {
		t.Errorf("after its retention there are %d blobs and the files %q", n, h.files())
	}
	_, _, err = h.Add(ctx, h.us(), Upload{Label: &l}, strings.NewReader("late"))
	h.want(err, fault.Invalid, "a label whose retention is over")
}

func TestLimits(t *testing.T) {
	h := newHouse(t, t.TempDir(), func(c *Config) { c.MaxBytes, c.TotalBytes, c.TotalCount, c.Share = 1000, 3000, 4, 2 })
	ctx := context.Background()
	send := func(s gate.Scope, r io.Reader) error {
		_, _, err := h.Add(ctx, s, Upload{}, r)
		return err
	}
	endless := readerFunc(func(b []byte) (int, error) { return len(b), nil })
	h.want(send(h.us(), bytes.NewReader(pattern(1001))), fault.TooLarge, "one byte too many")
	h.want(send(h.us(), endless), fault.TooLarge, "an endless file")
	h.want(send(h.us(), io.MultiReader(bytes.NewReader(pattern(900)), iotest.ErrReader(io.ErrUnexpectedEOF))), fault.Invalid, "a file cut off")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err := h.Add(ended, h.us(), Upload{}, bytes.NewReader(pattern(10)))
	h.want(err, fault.Unavailable, "a request that ended")
	h.want(send(gate.Scope{}, strings.NewReader("x")), fault.Forbidden, "nobody's file")
	if n, size := h.Usage(); n != 0 || size != 0 || len(h.files()) != 0 {
		t.Errorf("of what was refused %d blobs, %d bytes and the files %q are left", n, size, h.files())
	}
	if err := send(h.them(), bytes.NewReader(pattern(1000))); err != nil {
		t.Error(err)
	}
	h.want(send(h.them(), bytes.NewReader(pattern(999))), fault.Full, "more bytes than a share")
	if err := send(h.them(), bytes.NewReader(pattern(5))); err != nil {
		t.Error(err)
	}
	h.want(send(h.them(), bytes.NewReader(pattern(6))), fault.Full, "more blobs than a share")
	for i := range 2 {
		if err := send(h.us(), bytes.NewReader(pattern(900+i))); err != nil {
			t.Error(err)
		}
	}
	h.want(send(h.us(), bytes.NewReader(nil)), fault.Full, "more blobs than there may be")
	if n, size := h.Usage(); n != 4 || size != 1000+5+1801 || len(h.files()) != 4 {
		t.Errorf("%d blobs, %d bytes, files %q", n, size, h.files())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Many who send the same at once make one blob.
func TestSameAtOnce(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	content := pattern(100_000)
	var wg sync.WaitGroup
	news := make(chan bool, 8)
	for range 8 {
		wg.Go(func() {
			_, added, err := h.Add(context.Background(), h.us(), Upload{}, bytes.NewReader(content))
			if err != nil {
				t.Error(err)
			}
			news <- added
		})
		wg.Go(func() {
			if err := h.Sweep(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(news)
	added := 0
	for n := range news {
		if n {
			added++
		}
	}
	if n, size := h.Usage(); added != 1 || n != 1 || size != int64(len(content)) || len(h.files()) != 1 {
		t.Errorf("%d were new; %d blobs of %d bytes, files %q", added, n, size, h.files())
	}
}

// A file that was changed, cut or lost is told, and made whole by sending it again where that can be seen.
func TestDamagedFiles(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	ctx := context.Background()
	content := pattern(2*chunkSize + 10)
	b, _ := h.add(h.us(), Upload{}, content)
	e, err := h.find(ctx, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := h.path(e.File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func() error {
		c, err := h.Store.Open(ctx, h.us(), b.ID)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.Copy(io.Discard, c)
		return err
	}
	flipped := bytes.Clone(whole)
	flipped[chunkSize] ^= 1
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	h.want(read(), fault.Internal, "a flipped bit")
	for what, change := range map[string]func() error{
		"cut":  func() error { return os.Truncate(path, int64(len(whole)-1)) },
		"lost": func() error { return os.Remove(path) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		h.want(read(), fault.Internal, what)
		if _, added := h.add(h.us(), Upload{}, content); !added {
			t.Errorf("%s: not made whole", what)
		}
		if err := read(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if e, err = h.find(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		path = h.path(e.File)
		if n, size := h.Usage(); n != 1 || size != int64(len(content)) || len(h.files()) != 1 {
			t.Errorf("%s: %d blobs of %d bytes, files %q", what, n, size, h.files())
		}
	}
}

// One entry in the journal for each party that is given a blob, before it is given.
func TestReleases(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	ctx := context.Background()
	b, _ := h.add(h.us(), Upload{Label: labelled(label.Clear)}, []byte("shared"))
	theirs, _ := h.add(h.them(), Upload{Label: labelled(label.Clear)}, []byte("theirs"))
	for range 3 {
		for _, s := range []gate.Scope{h.us(), h.them(), h.as("XER", "Third CERT")} {
			if _, err := h.Get(ctx, s, b.ID); err != nil {
				t.Fatal(err)
			}
			h.content(s, theirs.ID)
			if _, _, err := h.List(ctx, s, "", 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := h.db.Follow(ctx, gate.New(gate.Rules{}).Own(h.now), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, e := range entries {
		if e.Kind == store.EntryAct && e.Act.Verb == "blob.release" {
			party, _, _ := strings.Cut(e.Act.Detail, " by ")
			told[e.Act.Target+" "+party]++
		}
	}
	want := map[string]int{b.ID + " XER/Erewhon CERT": 1, b.ID + " XER/Third CERT": 1, theirs.ID + " XER/Third CERT": 1}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("the journal tells %v, want %v", told, want)
	}
	held, err := h.Holders(ctx, h.us(), b.ID)
	if err != nil || len(held) != 2 || held[0].Clause == "" {
		t.Errorf("%+v %v", held, err)
	}
	h.want(h.Remove(ctx, h.them(), b.ID), fault.Forbidden, "removing what is another's")
}

func TestListPages(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	want := map[string]bool{}
	for i := range 25 {
		b, _ := h.add(h.us(), Upload{Label: labelled(label.Clear)}, []byte{byte(i)})
		h.add(h.us(), Upload{}, []byte{byte(i)})
		want[b.ID] = true
	}
	after, pages := "", 0
	var last time.Time
	for {
		page, next, err := h.List(context.Background(), h.them(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page {
			if !want[b.ID] || b.Added.Before(last) {
				t.Errorf("%s is there twice, hidden, or out of order", b.ID)
			}
			delete(want, b.ID)
			last = b.Added
		}
		pages++
		if after = next; next == "" {
			break
		}
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("%d pages, %d missing", pages, len(want))
	}
}

func TestPrograms(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	for first, sample := range map[string]bool{"MZ\x90\x00": true, "\x7fELF\x02": true, "#!/bin/sh\n": true, "%PDF-1.7": false, "": false, "plain": false} {
		if b, _ := h.add(h.us(), Upload{}, []byte(first)); b.Sample != sample {
			t.Errorf("%q: sample %v", first, b.Sample)
		}
	}
}

func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf": "report.pdf", "": "file", "..": "file", "../../etc/passwd": "passwd", `C:\Temp\x.exe`: "x.exe", ".bashrc": "bashrc", "a\x00b\nc\r\"d": "abc_d",
		"con.txt": "_con.txt", "NUL": "_NUL", "отчёт.doc": "отчёт.doc", "a\u202egpj.exe": "agpj.exe", "x. . ": "x", "\xff\xfe": "__",
	} {
		if got := SafeName(name); got != want {
			t.Errorf("SafeName(%q) = %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := SafeName(rapid.String().Draw(t, "name"))
		if name == "" || len(name) > maxName+1 || strings.ContainsAny(name, "/\\\"\r\n\x00;") || name[0] == '.' {
			t.Fatalf("%q is no safe name", name)
		}
		if again := SafeName(name); again != name {
			t.Fatalf("%q becomes %q", name, again)
		}
	})
}

func BenchmarkAdd(b *testing.B)  { benchmark(b, true) }
func BenchmarkRead(b *testing.B) { benchmark(b, false) }

func benchmark(b *testing.B, add bool) {
	const size = 32 << 20
	h := newHouse(b, b.TempDir(), nil)
	content := pattern(size)
	b.SetBytes(size)
	kept, _ := h.add(h.us(), Upload{Label: labelled(label.Green)}, content)
	for b.Loop() {
		if add {
			content[0]++
			x, _ := h.add(h.us(), Upload{}, content)
			if err := h.Remove(context.Background(), h.us(), x.ID); err != nil {
				b.Fatal(err)
			}
			continue
		}
		c, err := h.Store.Open(context.Background(), h.us(), kept.ID)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// A disk without room is told as such, with when to come back.
func TestFullDisk(t *testing.T) {
	for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		err := diskFault("writing a file", &fs.PathError{Op: "write", Path: "x", Err: no})
		if fault.Of(err) != fault.Full || fault.As(err).RetryAfter == 0 {
			t.Errorf("%v is told as %v", no, err)
		}
	}
	// A folder that takes no file: nothing is counted for what was refused, and when it does again all is well.
	h := newHouse(t, t.TempDir(), nil)
	dir := filepath.Join(h.dir, "blobs")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.Add(context.Background(), h.us(), Upload{}, strings.NewReader("x"))
	h.want(err, fault.Internal, "no folder")
	if n, size := h.Usage(); n != 0 || size != 0 {
		t.Errorf("%d blobs of %d bytes are counted", n, size)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if _, added := h.add(h.us(), Upload{}, []byte("x")); !added {
		t.Error("not taken when there is a folder again")
	}
}
