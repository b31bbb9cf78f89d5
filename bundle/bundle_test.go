package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"entente/dsse"
	"entente/label"
	"entente/peer"
	"entente/seal"
)

const realm = "operational"

var (
	at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	us = Party{"USA", "us.cisa"}
	kw = Party{"KWT", "kw.ncsc"}
)

// world is a sender with logs, and a receiver.
type world struct {
	t      testing.TB
	node   *dsse.Private
	author *dsse.Private
	key    *seal.Private
	to     *seal.Statement
	logs   []*log
	held   peer.Memory // what the receiver has of the second log of small
}

type log struct {
	w      *world
	origin string
	frames []peer.Frame
	hashes []tlog.Hash
	edge   peer.Edge
}

func newWorld(t testing.TB, logs int) *world {
	t.Helper()
	w := &world{t: t, node: signer(t, 64), author: signer(t, 32)}
	var err error
	if w.key, err = seal.FromSeed(bytes.Repeat([]byte{1}, seal.SeedSize)); err != nil {
		t.Fatal(err)
	}
	w.to = &seal.Statement{V: 1, Nation: kw.Nation, Org: kw.Org, Epoch: 1, Key: w.key.Public(), NotBefore: at.AddDate(0, 0, -1), NotAfter: at.AddDate(0, 0, 30)}
	for i := range logs {
		w.logs = append(w.logs, &log{w: w, origin: peer.Origin([]byte("a secret of the log"), us.Org, fmt.Sprint("accord-", i), nil)})
	}
	return w
}

func signer(t testing.TB, n int) *dsse.Private {
	t.Helper()
	k, err := dsse.FromSeed(bytes.Repeat([]byte{byte(n)}, n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (l *log) read(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = l.hashes[n]
	}
	return out, nil
}

func (l *log) add(envelope []byte) {
	f := peer.Frame{Envelope: envelope}
	binary.BigEndian.PutUint64(f.Salt[:], uint64(len(l.frames)+1))
	f.Leaf = peer.Leaf{Kind: peer.Put, Commit: peer.Commit(f.Salt, envelope), Accord: [32]byte{1}, Order: 1, Time: at, Bucket: peer.Padme(uint64(len(envelope)))}
	l.frames = append(l.frames, f)
	l.edge.Add(f.Leaf.Hash(), func(h tlog.Hash) { l.hashes = append(l.hashes, h) })
}

func (l *log) grow(n int) {
	for range n {
		l.add(fmt.Appendf(nil, "envelope %d", len(l.frames)))
	}
}

func (l *log) batch(from, to int) *peer.Batch {
	l.w.t.Helper()
	note, err := peer.SignCheckpoint(peer.Checkpoint{Origin: l.origin, Size: l.edge.Size, Root: l.edge.Root(), Time: at}, l.w.node)
	if err != nil {
		l.w.t.Fatal(err)
	}
	b := &peer.Batch{Origin: l.origin, From: uint64(from), Frames: l.frames[from:to], Checkpoint: note}
	if b.Leads, err = peer.Prove(uint64(to), l.edge.Size, tlog.HashReaderFunc(l.read)); err != nil {
		l.w.t.Fatal(err)
	}
	return b
}

func (w *world) manifest(ranges ...LogRange) Manifest {
	return Manifest{Number: 1, From: us, Created: at, Logs: ranges}
}

func (l *log) span(from, to int) LogRange { return LogRange{l.origin, uint64(from), uint64(to)} }

// write makes the bundle of a manifest with what its logs hold, in batches of a size.
func (w *world) write(to io.Writer, m Manifest, size int) peer.Digest {
	w.t.Helper()
	b, err := Create(to, realm, m, w.to, w.node)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.fill(b, m, size)
}

func (w *world) fill(b *Writer, m Manifest, size int) peer.Digest {
	w.t.Helper()
	check := func(err error) {
		if err != nil {
			w.t.Helper()
			w.t.Fatal(err)
		}
	}
	for _, k := range m.KeyLogs {
		for i := k.From; i < k.To; i++ {
			check(b.KeyLog(k.Nation, i, [][]byte{fmt.Appendf(nil, "statement %d", i)}))
		}
	}
	for i := range m.Accords {
		check(b.Accord(fmt.Appendf(nil, "accord %d", i)))
	}
	for _, r := range m.Logs {
		l := w.logs[slices.IndexFunc(w.logs, func(l *log) bool { return l.origin == r.Origin })]
		for from := int(r.From); from < int(r.To) || from == int(r.From); from += size {
			check(b.Batch(l.batch(from, min(from+size, int(r.To)))))
		}
	}
	digest, err := b.Close()
	check(err)
	return digest
}

// content is what is sealed in a file.
func (w *world) content(file io.Reader) []byte {
	w.t.Helper()
	r, _, err := seal.Open(file, realm, Purpose, w.options().Open)
	if err != nil {
		w.t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return plain
}

func (w *world) options() Options {
	return Options{Realm: realm, To: kw, Open: func(id seal.KeyID) *seal.Private {
		if id == w.key.ID() {
			return w.key
		}
		return nil
	}, Keys: func(nation, org string) []*dsse.Key {
		if nation == us.Nation && org == us.Org {
			return []*dsse.Key{w.node.Key()}
		}
		return nil
	}}
}

// fresh knows of nothing that came before.
func fresh() Known {
	return Known{Log: func(origin string) (*peer.Verifier, error) { return &peer.Verifier{Origin: origin}, nil }}
}

func code(err error) string {
	var own *Error
	if errors.As(err, &own) {
		return own.Code
	}
	return fmt.Sprint(err)
}

// Whatever a bundle holds, it comes back item by item, and its digest is the same on both sides.
func TestBundlesComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 3)
		m := w.manifest()
		for _, l := range w.logs[:rapid.IntRange(0, 3).Draw(rt, "logs")] {
			l.grow(rapid.IntRange(0, 12).Draw(rt, "leaves"))
			m.Logs = append(m.Logs, l.span(rapid.IntRange(0, len(l.frames)).Draw(rt, "from"), len(l.frames)))
		}
		if n := rapid.Uint64Range(0, 3).Draw(rt, "statements"); n > 0 {
			m.KeyLogs = []KeyRange{{"USA", 4, 4 + n}}
		}
		m.Accords = rapid.IntRange(0, 2).Draw(rt, "accords")
		var file bytes.Buffer
		digest := w.write(&file, m, rapid.IntRange(1, 5).Draw(rt, "size"))
		r, err := Open(&file, w.options())
		if err != nil {
			rt.Fatal(err)
		}
		var keys, accords int
		at, known := map[string]uint64{}, true
		for {
			it, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				rt.Fatal(err)
			}
			switch {
			case it.KeyLog != nil:
				if string(it.KeyLog.Statements[0]) != fmt.Sprintf("statement %d", 4+keys) {
					rt.Fatalf("%s", it.KeyLog.Statements)
				}
				keys++
			case it.Accord != nil:
				if string(it.Accord) != fmt.Sprintf("accord %d", accords) {
					rt.Fatalf("%s", it.Accord)
				}
				accords++
			case it.Batch != nil:
				at[it.Batch.Origin] = it.Batch.End()
			}
			if _, ok := r.Manifest(); !ok && it.KeyLog == nil {
				known = false
			}
		}
		if got, ok := r.Manifest(); !ok || !known || got.Number != m.Number || got.To != kw || r.Digest() != digest {
			rt.Fatalf("%+v", got)
		}
		for _, l := range m.Logs {
			if at[l.Origin] != l.To {
				rt.Fatalf("log %s ends at %d, not at %d", l.Origin, at[l.Origin], l.To)
			}
		}
		if accords != m.Accords || len(m.KeyLogs) > 0 && uint64(keys) != m.KeyLogs[0].To-4 {
			rt.Fatal(accords, keys)
		}
	})
}

func TestWhoMayReadABundle(t *testing.T) {
	w := newWorld(t, 1)
	w.logs[0].grow(3)
	var file bytes.Buffer
	w.write(&file, w.manifest(w.logs[0].span(0, 3)), 2)
	other := signer(t, 32)
	for name, c := range map[string]struct {
		change func(*Options)
		code   string
	}{
		"the receiver":          {func(o *Options) {}, ""},
		"another organisation":  {func(o *Options) { o.To.Org = "kw.other" }, "bundle.receiver"},
		"another key":           {func(o *Options) { o.Open = func(seal.KeyID) *seal.Private { return nil } }, "bundle.receiver"},
		"another realm":         {func(o *Options) { o.Realm = "exercise:x" }, "bundle.changed"},
		"a sender not known":    {func(o *Options) { o.Keys = func(string, string) []*dsse.Key { return nil } }, "bundle.signature"},
		"another sender's keys": {func(o *Options) { o.Keys = func(string, string) []*dsse.Key { return []*dsse.Key{other.Key()} } }, "bundle.signature"},
		"too many bytes":        {func(o *Options) { o.Limits.Bytes = 1000 }, "bundle.size"},
		"too many items":        {func(o *Options) { o.Limits.Items = 2 }, "bundle.size"},
		"too many leaves":       {func(o *Options) { o.Limits.Frames = 2 }, "bundle.size"},
		"too many in a batch":   {func(o *Options) { o.Limits.Peer.Frames = 1 }, "bundle.content"},
	} {
		o := w.options()
		c.change(&o)
		report, err := Verify(bytes.NewReader(file.Bytes()), o, fresh())
		if c.code == "" && err == nil {
			if report.New != 3 || report.Chain != nil || len(report.Gaps) > 0 {
				t.Errorf("%s: %+v", name, report)
			}
		} else if code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	late := *w.to
	late.NotAfter = at
	if _, err := Create(io.Discard, realm, w.manifest(), &late, w.node); code(err) != "bundle.receiver" {
		t.Errorf("to a key that has ended: %v", err)
	}
}

// A sender's own key statements are read before its signature is judged.
func TestTheSendersNewKeyComesInTheBundle(t *testing.T) {
	w := newWorld(t, 1)
	w.logs[0].grow(2)
	m := w.manifest(w.logs[0].span(0, 2))
	m.KeyLogs = []KeyRange{{"USA", 2, 4}}
	var file bytes.Buffer
	w.write(&file, m, 2)
	o := w.options()
	learned := uint64(2)
	keys := o.Keys
	o.Keys = func(nation, org string) []*dsse.Key {
		if learned < 4 {
			return nil
		}
		return keys(nation, org)
	}
	k := fresh()
	k.KeyLog = func(k *peer.KeyLog) (uint64, error) {
		have := learned
		learned = k.From + uint64(len(k.Statements))
		return have, nil
	}
	if r, err := Verify(bytes.NewReader(file.Bytes()), o, k); err != nil || r.New != 2 {
		t.Error(err)
	}
	k.KeyLog = func(k *peer.KeyLog) (uint64, error) { return 1, errors.New("not from here") }
	learned = 2
	if _, err := Verify(bytes.NewReader(file.Bytes()), o, k); code(err) != "bundle.gap" || !strings.Contains(err.Error(), "statement 1 of the key log of USA") {
		t.Error(err)
	}
	k.KeyLog = func(k *peer.KeyLog) (uint64, error) { return 2, errors.New("forked") }
	if _, err := Verify(bytes.NewReader(file.Bytes()), o, k); code(err) != "bundle.content" {
		t.Error(err)
	}
}

func TestGapsAreNamed(t *testing.T) {
	w := newWorld(t, 2)
	for _, l := range w.logs {
		l.grow(20)
	}
	m := w.manifest(w.logs[0].span(8, 20), w.logs[1].span(5, 20))
	m.Number, m.Previous = 7, peer.Digest{9}
	var file bytes.Buffer
	digest := w.write(&file, m, 6)
	k := fresh()
	k.Chain = Chain{3, peer.Digest{1}}
	k.Log = func(origin string) (*peer.Verifier, error) {
		v := &peer.Verifier{Origin: origin}
		have := 6
		if origin == w.logs[1].origin {
			have = 10
		}
		l := w.logs[slices.IndexFunc(w.logs, func(l *log) bool { return l.origin == origin })]
		_, err := v.Extend(l.batch(0, have), w.node.Key())
		return v, err
	}
	r, err := Verify(bytes.NewReader(file.Bytes()), w.options(), k)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(r.Gaps)
	if want := "[bundle 4 to 6 of USA/us.cisa leaf 6 to 7 of log " + w.logs[0].origin + "]"; got != want || r.Takes() || code(r.Chain) != "bundle.gap" || r.New != 10 || r.Frames != 27 || r.Digest != digest {
		t.Errorf("%s\n%s %+v", got, want, r)
	}
	k.Chain = Chain{6, peer.Digest{9}}
	k.Log = func(origin string) (*peer.Verifier, error) {
		v := &peer.Verifier{Origin: origin}
		l := w.logs[slices.IndexFunc(w.logs, func(l *log) bool { return l.origin == origin })]
		_, err := v.Extend(l.batch(0, 20), w.node.Key())
		return v, err
	}
	if r, err = Verify(bytes.NewReader(file.Bytes()), w.options(), k); err != nil || r.Chain != nil || !r.Takes() || r.New != 0 {
		t.Errorf("what is held already: %+v %v", r, err)
	}
}

// A log may have been read further, on another way, while the bundle was carried: that is no rollback. A bundle of another past is found out all the same.
func TestBundlesThatWereOvertaken(t *testing.T) {
	w := newWorld(t, 1)
	l := w.logs[0]
	l.grow(20)
	var file, forked bytes.Buffer
	w.write(&file, w.manifest(l.span(15, 20)), 5)
	l.grow(5)
	ahead := l.batch(0, 20)
	other := newWorld(t, 1)
	for range 25 {
		other.logs[0].add([]byte("another"))
	}
	other.write(&forked, other.manifest(l.span(15, 25)), 10)
	k := fresh()
	k.Log = func(origin string) (*peer.Verifier, error) {
		v := &peer.Verifier{Origin: origin}
		_, err := v.Extend(ahead, w.node.Key())
		return v, err
	}
	if r, err := Verify(&file, w.options(), k); err != nil || r.New != 0 || !r.Takes() {
		t.Errorf("%+v %v", r, err)
	}
	var e *peer.Equivocation
	if _, err := Verify(&forked, w.options(), k); !errors.As(err, &e) || e.Verify(l.origin, w.node.Key()) != nil {
		t.Error(err)
	}
}

func TestBundlesChain(t *testing.T) {
	m := Manifest{Number: 5, Previous: peer.Digest{4}, From: us}
	for name, c := range map[string]struct {
		chain Chain
		code  string
	}{"the next": {Chain{4, peer.Digest{4}}, ""}, "another before": {Chain{4, peer.Digest{3}}, "bundle.fork"}, "two missing": {Chain{2, peer.Digest{2}}, "bundle.gap"},
		"the same again": {Chain{5, peer.Digest{5}}, "bundle.known"}, "an old one": {Chain{9, peer.Digest{5}}, "bundle.known"}} {
		if err := c.chain.Next(&m); err == nil && c.code != "" || err != nil && code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Chain{}).Next(&Manifest{Number: 1}); err != nil {
		t.Error(err)
	}
}

func TestWordsNameABundle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := peer.Digest(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		words := Words(d)
		if got, err := ParseWords(strings.ToUpper(words)); err != nil || got != d || len(strings.Fields(words)) != 24 {
			t.Fatal(got, err)
		}
	})
	if _, err := ParseWords("not these"); code(err) != "bundle.form" {
		t.Error(err)
	}
}

// A writer holds to its manifest: what it does not name, or not there, is refused, and so is an end before everything came.
func TestWritersHoldToTheManifest(t *testing.T) {
	w := newWorld(t, 2)
	for _, l := range w.logs {
		l.grow(4)
	}
	full := w.manifest(w.logs[0].span(1, 3), w.logs[1].span(4, 4))
	full.KeyLogs, full.Accords = []KeyRange{{"USA", 2, 4}}, 1
	keys := func(b *Writer) error { return b.KeyLog("USA", 2, [][]byte{{1}, {2}}) }
	accord := func(b *Writer) error { return b.Accord([]byte("accord")) }
	one := func(b *Writer) error { return b.Batch(w.logs[0].batch(1, 3)) }
	two := func(b *Writer) error { return b.Batch(w.logs[1].batch(4, 4)) }
	heads := func(b *Writer) error { return b.Heads([]byte("heads")) }
	end := func(b *Writer) error { _, err := b.Close(); return err }
	type steps []func(*Writer) error
	for name, c := range map[string]struct {
		steps steps
		code  string
	}{
		"everything in order":        {steps{keys, accord, one, two, heads, end}, ""},
		"heads are left out":         {steps{keys, accord, one, two, end}, ""},
		"heads in two parts":         {steps{keys, accord, one, two, heads, heads, end}, ""},
		"a log after heads":          {steps{keys, accord, one, two, heads, two}, "bundle.order"},
		"no keys":                    {steps{accord}, "bundle.order"},
		"keys twice":                 {steps{keys, keys}, "bundle.order"},
		"keys of another":            {steps{func(b *Writer) error { return b.KeyLog("KWT", 2, [][]byte{{1}}) }}, "bundle.range"},
		"keys from elsewhere":        {steps{func(b *Writer) error { return b.KeyLog("USA", 3, [][]byte{{1}}) }}, "bundle.range"},
		"too many keys":              {steps{func(b *Writer) error { return b.KeyLog("USA", 2, [][]byte{{1}, {2}, {3}}) }}, "bundle.range"},
		"no accord":                  {steps{keys, one}, "bundle.order"},
		"two accords":                {steps{keys, accord, accord}, "bundle.order"},
		"an empty accord":            {steps{keys, func(b *Writer) error { return b.Accord(nil) }}, "bundle.form"},
		"a large accord":             {steps{keys, func(b *Writer) error { return b.Accord(make([]byte, MaxAccord+1)) }}, "bundle.size"},
		"another log first":          {steps{keys, accord, two}, "bundle.range"},
		"a leaf too early":           {steps{keys, accord, func(b *Writer) error { return b.Batch(w.logs[0].batch(0, 3)) }}, "bundle.range"},
		"a leaf too many":            {steps{keys, accord, func(b *Writer) error { return b.Batch(w.logs[0].batch(1, 4)) }}, "bundle.range"},
		"no leaf":                    {steps{keys, accord, func(b *Writer) error { return b.Batch(w.logs[0].batch(1, 1)) }}, "bundle.range"},
		"an end before the keys":     {steps{end}, "bundle.range"},
		"an end before the logs":     {steps{keys, accord, one, end}, "bundle.range"},
		"heads before the logs":      {steps{keys, accord, one, heads}, "bundle.range"},
		"more after the end":         {steps{keys, accord, one, two, end, heads}, "bundle.form"},
		"an end after what is wrong": {steps{keys, accord, one, two, end, end}, "bundle.form"},
	} {
		b, err := Create(io.Discard, realm, full, w.to, w.node)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range c.steps {
			if err = step(b); err != nil && i < len(c.steps)-1 {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
		}
		if c.code == "" && err != nil || c.code != "" && code(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
	for name, change := range map[string]func(*Manifest){
		"no number":             func(m *Manifest) { m.Number = 0 },
		"a second without":      func(m *Manifest) { m.Number = 2 },
		"a first with":          func(m *Manifest) { m.Previous = peer.Digest{1} },
		"to oneself":            func(m *Manifest) { m.From = kw },
		"no time":               func(m *Manifest) { m.Created = time.Time{} },
		"a log twice":           func(m *Manifest) { m.Logs = append(m.Logs, m.Logs[0]) },
		"a log backwards":       func(m *Manifest) { m.Logs = []LogRange{{w.logs[0].origin, 3, 2}} },
		"a log that is none":    func(m *Manifest) { m.Logs = []LogRange{{"x", 3, 4}} },
		"a key log twice":       func(m *Manifest) { m.KeyLogs = append(m.KeyLogs, m.KeyLogs[0]) },
		"an empty key log":      func(m *Manifest) { m.KeyLogs = []KeyRange{{"USA", 3, 3}} },
		"too many accords":      func(m *Manifest) { m.Accords = MaxLogs + 1 },
		"fewer than no accords": func(m *Manifest) { m.Accords = -1 },
	} {
		m := full
		m.Logs, m.KeyLogs = slices.Clone(m.Logs), slices.Clone(m.KeyLogs)
		change(&m)
		if _, err := Create(io.Discard, realm, m, w.to, w.node); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// A bundle needs a few MiB of memory, however large it is.
func TestBundlesAreStreams(t *testing.T) {
	w := newWorld(t, 1)
	l := w.logs[0]
	for i := range 40 {
		l.add(bytes.Repeat([]byte{byte(i)}, 1<<20))
	}
	var file bytes.Buffer
	w.write(&file, w.manifest(l.span(0, 40)), 3)
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	k := fresh()
	k.Frame = func(_ string, index uint64, _ *peer.Frame) error {
		if index%8 == 7 {
			most = max(most, live())
		}
		return nil
	}
	r, err := Verify(&file, w.options(), k)
	if err != nil || r.New != 40 {
		t.Fatal(err)
	}
	if most > before+12<<20 {
		t.Errorf("%d MiB were needed for a bundle of %d", (most-before)>>20, 40)
	}
}

// The specification's vectors are what this package writes and reads.
func TestVectorsOfTheSpecification(t *testing.T) {
	w := newWorld(t, 0)
	w.node = w.author // of Ed25519 alone: its signatures are always the same
	var file bytes.Buffer
	digest := w.write(&file, w.manifest(), 1)
	plain := w.content(&file)
	page, err := os.ReadFile("../docs/bundles.md")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := digest.MarshalText()
	want := fmt.Sprintf("\ncontent %s\ndigest %s\nwords %s\n```\n", base64.StdEncoding.EncodeToString(plain), text, Words(digest))
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/bundles.md does not have these vectors:%s", want)
	}
	b, err := open(bytes.NewReader(plain), w.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Next(); !errors.Is(err, io.EOF) || b.Digest() != digest {
		t.Error(err)
	}
}

// renditions are envelopes as an originator signs them.
func (w *world) renditions(from, n int) [][]byte {
	w.t.Helper()
	var payloads [][]byte
	for i := from; i < from+n; i++ {
		object := fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--%08d-0000-4000-8000-000000000000","pattern":"[ipv4-addr:value = '198.51.100.%d']","description":"%0900d"}`, i, i%250, i)
		r := &peer.Rendition{Accord: [32]byte{1}, Audience: []string{"org:KWT/kw.ncsc", "org:USA/us.cisa"}, Class: peer.Full, Label: label.Bottom(), Nation: us.Nation, Org: us.Org, Object: object}
		p, err := r.Payload()
		if err != nil {
			w.t.Fatal(err)
		}
		payloads = append(payloads, p)
	}
	out, err := peer.SignRenditions(realm, payloads, w.author)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
