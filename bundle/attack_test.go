package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"entente/dsse"
	"entente/peer"
)

// small is a bundle with something of each kind, and its content as whoever can seal to the receiver sees and may change it.
func small(t testing.TB) (*world, []byte) {
	t.Helper()
	w := newWorld(t, 2)
	for _, l := range w.logs {
		l.grow(3)
	}
	v := &peer.Verifier{Origin: w.logs[1].origin}
	if _, err := v.Extend(w.logs[1].batch(0, 3), w.node.Key()); err != nil {
		t.Fatal(err)
	}
	w.held = v.Memory()
	m := w.manifest(w.logs[0].span(0, 3), w.logs[1].span(3, 3))
	m.KeyLogs, m.Accords = []KeyRange{{"USA", 0, 1}}, 1
	var file bytes.Buffer
	w.write(&file, m, 2)
	return w, w.content(&file)
}

func (w *world) verify(plain []byte, o Options) (*Report, error) {
	r, err := open(bytes.NewReader(plain), o)
	if err != nil {
		return nil, err
	}
	k := fresh()
	k.Log = func(origin string) (*peer.Verifier, error) {
		if origin == w.logs[0].origin {
			return &peer.Verifier{Origin: origin}, nil
		}
		return peer.Resume(origin, w.held, peer.Limits{})
	}
	return verify(r, k)
}

// item is one part of a content.
type item struct {
	kind byte
	body []byte
}

func items(t testing.TB, plain []byte) (out []item) {
	t.Helper()
	for b := plain[len(magic):]; len(b) > 0; {
		n := binary.BigEndian.Uint64(b[1:])
		out = append(out, item{b[0], b[itemHead:][:n]})
		b = b[itemHead+n:]
	}
	return out
}

func join(items []item) []byte {
	b := []byte(magic)
	for _, it := range items {
		b = append(appendHead(b, it.kind, len(it.body)), it.body...)
	}
	return b
}

// signed ends items as their sender would, whatever they are.
func (w *world) signed(items []item, frames uint64) []byte {
	w.t.Helper()
	b := join(items)
	end, err := sign(realm, TrailerType, &trailer{1, sha256.Sum256(b), uint64(len(items)), frames, uint64(len(b))}, w.node)
	if err != nil {
		w.t.Fatal(err)
	}
	return append(appendHead(b, kindTrailer, len(end)), end...)
}

// Whoever can seal to the receiver, but does not have the sender's key, changes a bundle in vain: every bit, every cut, and every item that is left out, doubled
// or moved is seen.
func TestEveryChangeOfABundleIsSeen(t *testing.T) {
	w, plain := small(t)
	o := w.options()
	if _, err := w.verify(plain, o); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(plain); n += 1 + n/50 {
		if _, err := w.verify(plain[:n], o); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(plain))
		}
	}
	if _, err := w.verify(append(slices.Clone(plain), 0), o); code(err) != "bundle.order" {
		t.Errorf("something follows: %v", err)
	}
	all := items(t, plain)
	for i := range all {
		for name, changed := range map[string][]item{"left out": slices.Delete(slices.Clone(all), i, i+1), "doubled": slices.Insert(slices.Clone(all), i, all[i])} {
			if _, err := w.verify(join(changed), o); err == nil {
				t.Errorf("item %d of kind %c was %s, and taken", i, all[i].kind, name)
			}
		}
		for j := range i {
			moved := slices.Clone(all)
			moved[i], moved[j] = moved[j], moved[i]
			if _, err := w.verify(join(moved), o); err == nil {
				t.Errorf("items %d and %d changed places, and were taken", i, j)
			}
		}
	}
}

// ENTENTE_MUTATIONS says how many changes are tried: the night run tries more.
func TestMutatedBundlesAreNeverTaken(t *testing.T) {
	w, plain := small(t)
	o := w.options()
	n := 10_000
	if v, err := strconv.Atoi(os.Getenv("ENTENTE_MUTATIONS")); err == nil {
		n = v
	}
	r := rand.New(rand.NewPCG(5, uint64(n)))
	for i := range n {
		c := slices.Clone(plain)
		from := r.IntN(len(c))
		to := from + 1 + r.IntN(min(len(c)-from, 64))
		switch r.IntN(4) {
		case 0:
			c[from] ^= 1 << r.IntN(8)
		case 1:
			slices.Reverse(c[from:to])
		case 2:
			c = slices.Delete(c, from, to)
		case 3:
			c = slices.Insert(c, from, c[from:to]...)
		}
		if bytes.Equal(c, plain) {
			continue
		}
		if _, err := w.verify(c, o); err == nil {
			t.Fatalf("mutation %d at %d was taken", i, from)
		}
	}
}

// A sender who signs what it should not is refused all the same: the reader holds to the manifest by itself.
func TestSendersAreHeldToTheirManifest(t *testing.T) {
	w, plain := small(t)
	o := w.options()
	all := items(t, plain)
	all = all[:len(all)-1]
	if _, err := w.verify(w.signed(all, 3), o); err != nil {
		t.Fatal(err)
	}
	with := func(i int, it ...item) []item { return slices.Insert(slices.Clone(all), i, it...) }
	less := func(i, j int) []item { return slices.Delete(slices.Clone(all), i, j) }
	other, err := sign(realm, ManifestType, &Manifest{V: 1, Number: 1, From: us, To: kw, Created: at}, signer(t, 32))
	if err != nil {
		t.Fatal(err)
	}
	loose := slices.Clone(all)
	loose[1].body = slices.Insert(slices.Clone(loose[1].body), 1, ' ')
	elsewhere := w.logs[0].batch(0, 3)
	elsewhere.Frames = slices.Clone(elsewhere.Frames)
	elsewhere.Frames[1] = elsewhere.Frames[2]
	for name, c := range map[string]struct {
		items []item
		code  string
	}{
		"no manifest":                   {less(0, 1), "bundle.order"},
		"a manifest twice":              {with(3, all[0]), "bundle.order"},
		"a manifest of another":         {[]item{{kindManifest, other}}, "bundle.signature"},
		"no key statements":             {less(1, 2), "bundle.order"},
		"key statements of other form":  {loose, "bundle.form"},
		"an empty accord":               {append(less(2, 3)[:2], append([]item{{kindAccord, nil}}, all[3:]...)...), "bundle.form"},
		"an accord too many":            {with(2, item{kindAccord, []byte("accord")}), "bundle.order"},
		"a part of a log left out":      {less(3, 4), "bundle.range"},
		"the last log left out":         {less(5, 6), "bundle.range"},
		"heads between":                 {with(4, item{kindHeads, []byte("heads")}), "bundle.range"},
		"heads, and a log after":        {with(6, item{kindHeads, []byte("heads")}, all[5]), "bundle.order"},
		"a log that leads nowhere":      {append(less(3, 6), item{kindBatch, elsewhere.Append(nil)}, all[5]), "bundle.content"},
		"no log":                        {append(less(3, 6), item{kindBatch, []byte("B")}), "bundle.content"},
		"a kind that is not known":      {with(3, item{'X', []byte("x")}), "bundle.form"},
		"a manifest that is no payload": {[]item{{kindManifest, []byte("{}")}}, "bundle.form"},
	} {
		if _, err := w.verify(w.signed(c.items, 3), o); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	b := join(all)
	for name, end := range map[string]trailer{
		"another digest":    {1, peer.Digest{1}, uint64(len(all)), 3, uint64(len(b))},
		"another count":     {1, sha256.Sum256(b), uint64(len(all)) + 1, 3, uint64(len(b))},
		"fewer leaves":      {1, sha256.Sum256(b), uint64(len(all)), 2, uint64(len(b))},
		"a shorter content": {1, sha256.Sum256(b), uint64(len(all)), 3, uint64(len(b)) - 1},
	} {
		envelope, err := sign(realm, TrailerType, &end, w.node)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.verify(join(append(slices.Clone(all), item{kindTrailer, envelope})), o); code(err) != "bundle.changed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	byAnother, err := sign(realm, TrailerType, &trailer{1, sha256.Sum256(b), uint64(len(all)), 3, uint64(len(b))}, signer(t, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(join(append(slices.Clone(all), item{kindTrailer, byAnother})), o); code(err) != "bundle.signature" {
		t.Errorf("an end by another: %v", err)
	}
}

// What an item says of its length costs nothing before the bytes are there.
func TestBombs(t *testing.T) {
	w, plain := small(t)
	o := w.options()
	head := plain[:len(magic)+itemHead+len(items(t, plain)[0].body)]
	for name, b := range map[string][]byte{
		"an endless item":    append(slices.Clone(head), kindKeys, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"an item beyond 63":  append(slices.Clone(head), kindKeys, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"more than a kind's": append(slices.Clone(head), kindHeads, 0, 0, 0, 0, 0, 0x50, 0, 0),
	} {
		if _, err := w.verify(append(b, make([]byte, 64)...), o); code(err) != "bundle.size" {
			t.Errorf("%s: %v", name, err)
		}
	}
	announced := append(slices.Clone(head), kindAccord, 0, 0, 0, 0, 0, 0x80, 0, 0)
	if n := testing.AllocsPerRun(10, func() { w.verify(announced, o) }); n > 5000 {
		t.Errorf("%f allocations for an item that does not come", n)
	}
	if _, err := w.verify(announced, o); code(err) != "bundle.short" {
		t.Error(err)
	}
	small := o
	small.Limits.Keys = 10
	if _, err := w.verify(plain, small); code(err) != "bundle.size" {
		t.Errorf("key statements before any signature: %v", err)
	}
}

func TestASealedBundleIsTruncatedInVain(t *testing.T) {
	w := newWorld(t, 1)
	w.logs[0].grow(3)
	var file bytes.Buffer
	w.write(&file, w.manifest(w.logs[0].span(0, 3)), 2)
	for n := 0; n < file.Len(); n += 1 + n/20 {
		if _, err := Verify(bytes.NewReader(file.Bytes()[:n]), w.options(), fresh()); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, file.Len())
		}
	}
	broken := errors.New("the stick was pulled out")
	if _, err := Verify(io.MultiReader(bytes.NewReader(file.Bytes()[:2000]), failing{broken}), w.options(), fresh()); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzContent(f *testing.F) {
	w, plain := small(f)
	all := items(f, plain)
	f.Add(plain)
	f.Add(join(all[:3]))
	f.Add([]byte(magic + "M"))
	o := w.options()
	want, err := w.verify(plain, o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Every process that fuzzes signs the bundle anew, so that what is taken need not have the same bytes.
		if got, err := w.verify(b, o); err == nil && (!reflect.DeepEqual(got.Manifest, want.Manifest) || got.New != want.New) {
			t.Fatal("another bundle was taken")
		}
	})
}

func FuzzManifest(f *testing.F) {
	w, plain := small(f)
	e, err := dsse.Parse(items(f, plain)[0].body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Payload)
	f.Add([]byte(`{"v":1,"number":1,"logs":[{}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := dsse.Sign(dsse.InRealm(ManifestType, realm), payload, w.author)
		if err != nil {
			return
		}
		var m Manifest
		if _, err := parse(e.Bytes(), &m); err != nil || m.check() != nil {
			return
		}
		if _, err := Create(io.Discard, realm, m, w.to, w.author); err != nil && code(err) != "bundle.receiver" && m.From != kw {
			t.Fatalf("%q was read and cannot be written: %v", payload, err)
		}
	})
}
