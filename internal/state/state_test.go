package state_test

import (
	"bytes"
	"math"
	"testing"

	"entente/internal/fault"
	"entente/internal/state"

	"pgregory.net/rapid"
)

// What was written is read again, and what was sealed is refused with any byte changed or cut off.
func TestReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w state.Writer
		numbers, texts := rapid.SliceOf(rapid.Int64()).Draw(t, "numbers"), rapid.SliceOf(rapid.String()).Draw(t, "texts")
		w.Text("test 1")
		w.Uint(uint64(len(numbers)))
		for _, n := range numbers {
			w.Int(n)
			w.Uint(uint64(n))
			w.Word(uint64(n))
		}
		w.Uint(uint64(len(texts)))
		for _, s := range texts {
			w.Text(s)
			w.Data([]byte(s))
		}
		sealed := w.Seal()
		r := state.Open(sealed)
		r.Expect("test 1")
		if n := r.Count(); n != len(numbers) {
			t.Fatal(n)
		}
		for _, n := range numbers {
			if a, b, c := r.Int(), r.Uint(), r.Word(); a != n || b != uint64(n) || c != uint64(n) {
				t.Fatal(a, b, c)
			}
		}
		if n := r.Count(); n != len(texts) {
			t.Fatal(n)
		}
		for _, s := range texts {
			if a, b := r.Text(), r.Data(); a != s || string(b) != s {
				t.Fatal(a, b)
			}
		}
		if r.End(); r.Err() != nil {
			t.Fatal(r.Err())
		}
		bad := bytes.Clone(sealed)
		bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		for _, b := range [][]byte{bad, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "until")], append(bytes.Clone(sealed), 0)} {
			if r := state.Open(b); fault.As(r.Err()) == nil || r.Uint() != 0 || r.Text() != "" {
				t.Fatal("it is not as it was written, and is read")
			}
		}
	})
}

// What is not sealed may say anything: that there is more than there is, that nothing follows, or another version.
func TestUnsound(t *testing.T) {
	for name, f := range map[string]func(*state.Reader){
		"count": func(r *state.Reader) { r.Count() }, "text": func(r *state.Reader) { _ = r.Text() }, "expect": func(r *state.Reader) { r.Expect("other") }, "end": func(r *state.Reader) { r.End() },
		"word": func(r *state.Reader) { r.Uint(); r.Word() }, "uint": func(r *state.Reader) { r.Uint(); r.Uint() }, "int": func(r *state.Reader) { r.Uint(); r.Int() },
	} {
		var w state.Writer
		w.Uint(math.MaxUint64)
		r := state.NewReader(w.Bytes())
		if f(r); r.Err() == nil || r.Rest() != 0 || r.Count() != 0 {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}
