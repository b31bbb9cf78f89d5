package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"entente/dsse"
)

const (
	realm   = "operational"
	purpose = "a test"
)

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// recipient is the key of the numbered seed, and its statement.
func recipient(t testing.TB, n byte) (*Private, *Statement) {
	t.Helper()
	p, err := FromSeed(bytes.Repeat([]byte{n}, SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return p, &Statement{V: 1, Nation: "KWT", Org: "kw.ncsc", Epoch: 1, Key: p.Public(), NotBefore: at.AddDate(0, 0, -1), NotAfter: at.AddDate(0, 0, 30)}
}

func finder(keys ...*Private) func(KeyID) *Private {
	return func(id KeyID) *Private {
		if i := slices.IndexFunc(keys, func(p *Private) bool { return p.ID() == id }); i >= 0 {
			return keys[i]
		}
		return nil
	}
}

func sealed(t testing.TB, plain []byte, to ...*Statement) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := Seal(&b, realm, purpose, to, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte, keys ...*Private) ([]byte, error) {
	r, _, err := Open(bytes.NewReader(b), realm, purpose, finder(keys...))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestWhatIsSealedOpensForEveryRecipient(t *testing.T) {
	a, toA := recipient(t, 1)
	b, toB := recipient(t, 2)
	c, _ := recipient(t, 3)
	for _, n := range []int{0, 1, 1000, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2 * ChunkSize, 2*ChunkSize + 7} {
		plain := noise(n)
		s := sealed(t, plain, toA, toB)
		chunks := max(1, (n+ChunkSize-1)/ChunkSize)
		if want := len(magic) + 1 + 2*(32+WrapSize) + chunks*overhead + n; len(s) != want {
			t.Errorf("%d bytes are %d when they are sealed, not %d", n, len(s), want)
		}
		for _, p := range []*Private{a, b} {
			if got, err := open(s, p); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes came back as %d: %v", n, len(got), err)
			}
		}
		if _, err := open(s, c); code(err) != "seal.recipient" {
			t.Errorf("another opens it: %v", err)
		}
	}
}

// However it is written and read, what comes out is what went in.
func TestStreamsInPieces(t *testing.T) {
	p, to := recipient(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		var b, plain bytes.Buffer
		w, err := Seal(&b, realm, purpose, []*Statement{to}, at)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 5).Draw(t, "pieces") {
			piece := noise(rapid.IntRange(0, ChunkSize+10).Draw(t, "bytes"))
			plain.Write(piece)
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, _, err := Open(iotest.HalfReader(&b), realm, purpose, finder(p))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain.Bytes()) {
			t.Fatal(len(got), err)
		}
	})
}

func TestSealingIsBoundToRealmAndPurpose(t *testing.T) {
	p, to := recipient(t, 1)
	s := sealed(t, []byte("text"), to)
	for _, c := range [][2]string{{"exercise:x", purpose}, {realm, "another"}, {realm + "a", " test"}} {
		if _, _, err := Open(bytes.NewReader(s), c[0], c[1], finder(p)); code(err) != "seal.broken" {
			t.Errorf("%q: %v", c, err)
		}
	}
	wrapped, err := Wrap([32]byte{7}, to, realm, purpose)
	if err != nil || len(wrapped) != WrapSize {
		t.Fatal(len(wrapped), err)
	}
	if key, err := p.Unwrap(wrapped, realm, purpose); err != nil || key != [32]byte{7} {
		t.Error(err)
	}
	if _, err := p.Unwrap(wrapped, realm, "another"); code(err) != "seal.broken" {
		t.Error(err)
	}
	if _, err := p.Unwrap(wrapped[1:], realm, purpose); code(err) != "seal.form" {
		t.Error(err)
	}
	other, _ := recipient(t, 2)
	if _, err := other.Unwrap(wrapped, realm, purpose); code(err) != "seal.broken" {
		t.Error(err)
	}
}

func TestNothingIsSealedToWhoCannotOpen(t *testing.T) {
	_, to := recipient(t, 1)
	old, soon, odd := *to, *to, *to
	old.NotAfter = at
	soon.NotBefore = at.Add(time.Second)
	odd.Key = odd.Key[1:]
	var many []*Statement
	for n := range MaxRecipients + 1 {
		s := *to
		s.Key = append([]byte{byte(n)}, s.Key[1:]...)
		many = append(many, &s)
	}
	for name, c := range map[string]struct {
		to   []*Statement
		code string
	}{"nobody": {nil, "seal.recipient"}, "too many": {many, "seal.recipient"}, "one twice": {[]*Statement{to, to}, "seal.recipient"}, "an expired key": {[]*Statement{&old}, "statement.time"},
		"a key of tomorrow": {[]*Statement{&soon}, "statement.time"}, "a key cut short": {[]*Statement{&odd}, "key.form"}} {
		if _, err := Seal(io.Discard, realm, purpose, c.to, at); code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChunksStayWhereTheyWereSealed(t *testing.T) {
	p, to := recipient(t, 1)
	s := sealed(t, noise(3*ChunkSize+5), to)
	head := len(magic) + 1 + 32 + WrapSize
	chunk := func(i int) []byte { return s[head+i*sealedChunk : min(head+(i+1)*sealedChunk, len(s))] }
	other := sealed(t, noise(3*ChunkSize+5), to)
	for name, parts := range map[string][][]byte{
		"a chunk twice":               {chunk(0), chunk(0), chunk(1), chunk(2), chunk(3)},
		"two in each other's place":   {chunk(1), chunk(0), chunk(2), chunk(3)},
		"one left out":                {chunk(0), chunk(2), chunk(3)},
		"the last left out":           {chunk(0), chunk(1), chunk(2)},
		"the last twice":              {chunk(0), chunk(1), chunk(2), chunk(3), chunk(3)},
		"the last alone":              {chunk(3)},
		"none":                        {},
		"something after it":          {chunk(0), chunk(1), chunk(2), chunk(3), []byte("x")},
		"a chunk of another stream":   {chunk(0), other[head+sealedChunk:][:sealedChunk], chunk(2), chunk(3)},
		"an empty chunk after a full": {chunk(0), bytes.Repeat([]byte{0}, overhead)},
	} {
		if b, err := open(slices.Concat(append([][]byte{s[:head]}, parts...)...), p); err == nil {
			t.Errorf("%s: %d bytes were taken", name, len(b))
		} else if c := code(err); !strings.HasPrefix(c, "seal.") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := open(append(slices.Clone(other[:head]), s[head:]...), p); err == nil {
		t.Errorf("under another head %d bytes were taken", len(b))
	}
}

func TestEveryTruncationIsSeen(t *testing.T) {
	p, to := recipient(t, 1)
	s := sealed(t, []byte("a short text"), to)
	for n := range s {
		if _, err := open(s[:n], p); code(err) != "seal.short" && code(err) != "seal.broken" {
			t.Fatalf("%d of %d bytes: %v", n, len(s), err)
		}
	}
	long := sealed(t, noise(2*ChunkSize), to)
	for _, n := range []int{len(long) - 1, len(long) - sealedChunk, len(long) - sealedChunk - 1, len(long) - 2*sealedChunk} {
		if _, err := open(long[:n], p); code(err) != "seal.short" {
			t.Errorf("%d of %d bytes: %v", n, len(long), err)
		}
	}
}

// ENTENTE_MUTATIONS says how many changes are tried: the night run tries more.
func TestEveryChangeIsSeen(t *testing.T) {
	p, to := recipient(t, 1)
	_, other := recipient(t, 2)
	s := sealed(t, []byte("a short text"), other, to)
	for i := range s {
		bit := i % 8
		s[i] ^= 1 << bit
		if b, err := open(s, p); err == nil {
			t.Fatalf("bit %d of byte %d was changed, and %q was taken", bit, i, b)
		}
		s[i] ^= 1 << bit
	}
	if _, err := open(s, p); err != nil {
		t.Fatal(err)
	}
	n := 10_000
	if v, err := strconv.Atoi(os.Getenv("ENTENTE_MUTATIONS")); err == nil {
		n = v
	}
	r := rand.New(rand.NewPCG(5, uint64(n)))
	for i := range n {
		c := mutated(r, s)
		if b, err := open(c, p); err == nil && !bytes.Equal(c, s) {
			t.Fatalf("mutation %d was taken as %q", i, b)
		}
	}
}

// mutated changes bytes, or moves, doubles or drops some of them.
func mutated(r *rand.Rand, b []byte) []byte {
	c := slices.Clone(b)
	for range 1 + r.IntN(3) {
		from := r.IntN(len(c))
		to := from + r.IntN(min(len(c)-from, 64)) + 1
		switch r.IntN(5) {
		case 0:
			c[from] ^= byte(1 + r.IntN(255))
		case 1:
			c = slices.Delete(c, from, to)
		case 2:
			c = slices.Insert(c, from, c[from:to]...)
		case 3:
			slices.Reverse(c[from:to])
		case 4:
			c = c[:to]
		}
		if len(c) == 0 {
			return c
		}
	}
	return c
}

func TestStatements(t *testing.T) {
	node, err := dsse.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	find := func(id string) *dsse.Key {
		if id == node.Key().ID() {
			return node.Key()
		}
		return nil
	}
	_, s := recipient(t, 1)
	b, err := s.Sign(realm, node)
	if err != nil {
		t.Fatal(err)
	}
	got, signer, err := OpenStatement(b, realm, find)
	if err != nil || got.ID() != s.ID() || got.Epoch != 1 || !got.NotAfter.Equal(s.NotAfter) || signer.ID() != node.Key().ID() {
		t.Fatalf("%+v %v", got, err)
	}
	if _, _, err := OpenStatement(b, "exercise:x", find); code(err) != "statement.signature" {
		t.Error(err)
	}
	if _, _, err := OpenStatement(b, realm, func(string) *dsse.Key { return nil }); code(err) != "statement.signature" {
		t.Error(err)
	}
	if _, _, err := OpenStatement(b[1:], realm, find); code(err) != "statement.form" {
		t.Error(err)
	}
	for name, change := range map[string]func(*Statement){
		"no nation":       func(s *Statement) { s.Nation = "kw" },
		"no organisation": func(s *Statement) { s.Org = "" },
		"no epoch":        func(s *Statement) { s.Epoch = 0 },
		"no key":          func(s *Statement) { s.Key = nil },
		"a bad key":       func(s *Statement) { s.Key = bytes.Repeat([]byte{0xff}, PublicSize) },
		"no end":          func(s *Statement) { s.NotAfter = time.Time{} },
		"an end before":   func(s *Statement) { s.NotAfter = s.NotBefore },
		"a long life":     func(s *Statement) { s.NotAfter = s.NotBefore.AddDate(2, 0, 0) },
	} {
		c := *s
		change(&c)
		if _, err := c.Sign(realm, node); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	for name, change := range map[string][2]string{"a space": {`"v":1`, `"v": 1`}, "a member more": {`"v":1`, `"v":1,"x":1`}, "a later version": {`"v":1`, `"v":2`}, "no time zone": {`00Z"`, `00+00:00"`}, "another time zone": {`T08:00:00Z"`, `T09:00:00+01:00"`}, "half a second": {`T08:00:00Z"`, `T08:00:00.5Z"`}} {
		e, err := dsse.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(e.Payload), change[0], change[1], 1)
		if changed == string(e.Payload) {
			t.Fatalf("%s: nothing was changed", name)
		}
		again, err := dsse.Sign(e.PayloadType, []byte(changed), node)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenStatement(again.Bytes(), realm, find); code(err) != "statement.form" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysComeBack(t *testing.T) {
	p, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := p.Seed()
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromSeed(seed)
	if err != nil || again.ID() != p.ID() || !bytes.Equal(again.Public(), p.Public()) || len(p.Public()) != PublicSize {
		t.Error(err)
	}
	if _, err := FromSeed(seed[1:]); code(err) != "key.form" {
		t.Error(err)
	}
}

// The specification's vectors: the key of the seed has the id, and what is sealed there opens.
func TestVectorsOfTheSpecification(t *testing.T) {
	page, err := os.ReadFile("../docs/bundles.md")
	if err != nil {
		t.Fatal(err)
	}
	vector := func(name string) string {
		for line := range strings.Lines(string(page)) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				return strings.TrimSpace(rest)
			}
		}
		t.Fatalf("docs/bundles.md has no vector %q", name)
		return ""
	}
	p, to := recipient(t, 1)
	if got := p.ID().String(); got != vector("key id") {
		t.Errorf("the key's id is %s", got)
	}
	if got := hex.EncodeToString(info(realm, purpose)); got != vector("info") {
		t.Errorf("info is %s", got)
	}
	s, err := base64.StdEncoding.DecodeString(vector("stream"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(s, p); err != nil || string(got) != vector("plain") {
		t.Errorf("%q %v; a stream that holds:\n%s", got, err, base64.StdEncoding.EncodeToString(sealed(t, []byte("sealed to one recipient"), to)))
	}
}

// noise is bytes that tell their place.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	r.Read(b)
	return b
}

func FuzzOpen(f *testing.F) {
	p, to := recipient(f, 1)
	f.Add(sealed(f, []byte("text"), to))
	f.Add(sealed(f, nil, to)[:300])
	f.Add([]byte(magic + "\x41"))
	f.Fuzz(func(t *testing.T, b []byte) {
		open(b, p)
	})
}

func FuzzStatement(f *testing.F) {
	node, err := dsse.FromSeed(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	_, s := recipient(f, 1)
	b, err := s.Sign(realm, node)
	if err != nil {
		f.Fatal(err)
	}
	e, _ := dsse.Parse(b)
	f.Add(e.Payload)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := dsse.Sign(dsse.InRealm(StatementType, realm), payload, node)
		if err != nil {
			return
		}
		got, _, err := OpenStatement(e.Bytes(), realm, func(string) *dsse.Key { return node.Key() })
		if err != nil {
			return
		}
		if again, err := got.Sign(realm, node); err != nil || !bytes.Equal(again, e.Bytes()) {
			t.Fatalf("%q was read and is written otherwise", payload)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	p, to := recipient(b, 1)
	plain := noise(16 * ChunkSize)
	s := sealed(b, plain, to)
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			w, err := Seal(io.Discard, realm, purpose, []*Statement{to}, at)
			if err != nil {
				b.Fatal(err)
			}
			w.Write(plain)
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			r, _, err := Open(bytes.NewReader(s), realm, purpose, finder(p))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWrap(b *testing.B) {
	p, to := recipient(b, 1)
	wrapped, err := Wrap([32]byte{1}, to, realm, purpose)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("wrap", func(b *testing.B) {
		for b.Loop() {
			if _, err := Wrap([32]byte{1}, to, realm, purpose); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unwrap", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Unwrap(wrapped, realm, purpose); err != nil {
				b.Fatal(err)
			}
		}
	})
}
