package lite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Any 47 bytes in a row of a text that stand anywhere in a file are found, across the parts in which it is read too; and nothing is found that is not there.
func TestTracesAreFoundWhereverTheyStand(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		random := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte('a' + src.IntN(4)) // hashes of such texts differ least
			}
			return b
		}
		text := random(rapid.IntRange(47, 400).Draw(rt, "length"))
		var all Traces
		all.Add(text)
		for name, traces := range map[string]*Traces{"all pieces": &all, "pieces every few bytes": all.onlyEvery(text)} {
			file := random(rapid.IntRange(0, 3000).Draw(rt, "file"))
			if traces.in(file, make([]bool, len(traces.list))) > 0 && !holdsPiece(file, text) {
				rt.Fatalf("%s: found what is not there", name)
			}
			at := rapid.IntRange(0, len(file)).Draw(rt, "at")
			from := rapid.IntRange(0, len(text)-47).Draw(rt, "from")
			file = append(file[:at:at], append(bytes.Clone(text[from:from+47]), file[at:]...)...)
			if traces.in(file, make([]bool, len(traces.list))) == 0 {
				rt.Fatalf("%s: bytes %d to %d of the text at %d of %d were not found", name, from, from+47, at, len(file))
			}
		}
	})
}

// onlyEvery are the traces of a text as they are taken of long ones.
func (t *Traces) onlyEvery(text []byte) *Traces {
	var o Traces
	for i := 0; i+shingle <= len(text); i += shingleStep {
		o.put(text[i : i+shingle])
	}
	o.put(text[len(text)-shingle:])
	return &o
}

func holdsPiece(file, text []byte) bool {
	for i := 0; i+shingle <= len(text); i++ {
		if bytes.Contains(file, text[i:i+shingle]) {
			return true
		}
	}
	return false
}

// A hunt that looks no more for what it has seen sees in the end what looking for everything everywhere sees.
func TestAHuntSeesAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		var every Traces
		var texts [][]byte
		for range rapid.IntRange(1, 4).Draw(rt, "texts") {
			text := make([]byte, rapid.IntRange(8, 200).Draw(rt, "length"))
			for i := range text {
				text[i] = byte('a' + src.IntN(4))
			}
			every.Add(text)
			texts = append(texts, text)
		}
		all := make([]int, len(every.list))
		for i := range all {
			all[i] = i
		}
		for name, traces := range map[string]*Traces{"all pieces": &every, "each for itself": every.only(all)} {
			h, want, left := traces.hunt(), make([]bool, len(traces.list)), true
			for range 20 {
				text := texts[src.IntN(len(texts))]
				from := src.IntN(len(text))
				file := bytes.Repeat([]byte{'-'}, src.IntN(40))
				file = append(file, text[from:from+1+src.IntN(len(text)-from)]...)
				traces.in(file, want)
				left = h.look(file)
			}
			if !slices.Equal(h.seen, want) || left != slices.Contains(want, false) {
				rt.Fatalf("%s: seen are %v, and should be %v; left: %v", name, h.seen, want, left)
			}
			if seen, rest := h.which(true), h.which(false); len(seen)+len(rest) != len(want) || h.left != len(rest) {
				rt.Fatalf("%s: %d and %d of %d, %d left", name, len(seen), len(rest), len(want), h.left)
			}
		}
	})
}

func TestTracesInFiles(t *testing.T) {
	dir := t.TempDir()
	text := []byte("what was purged, and stands across the two parts in which the file is read")
	for _, at := range []int{0, 1<<20 - 40, 1<<20 - 31, 1 << 20, 3<<20 + 7} {
		file := make([]byte, 4<<20)
		copy(file[at:], text)
		if err := os.WriteFile(dir+"/f", file, 0o600); err != nil {
			t.Fatal(err)
		}
		var traces Traces
		traces.Add(text)
		files := OpenFiles{}
		found, read, err := traces.Search(dir, files)
		if err != nil || len(found) == 0 || read != 4<<20 {
			t.Errorf("at %d: %d found in %d bytes: %v", at, len(found), read, err)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A piece is alive that a row holds, but for the few bytes before or after a text that something else ends or begins with; no other is.
func TestWhatIsStillAlive(t *testing.T) {
	c := open(t)
	if err := Script(c, "CREATE TABLE row(salt, body)"); err != nil {
		t.Fatal(err)
	}
	const head = `{"type":"indicator","spec_version":"2.1","id":"indicator--`
	for n := range 100 {
		if err := Exec(c, "INSERT INTO row VALUES(?, ?)", nil, []byte{1, byte(n), ' '}, fmt.Appendf(nil, "%s%d and its end", head, n)); err != nil {
			t.Fatal(err)
		}
	}
	for text, dead := range map[string]int{
		head[:shingle]: 0, " " + head[:shingle-1]: 0, "\x00\x00\x07 " + head[:shingle-4]: 0, "a secret " + head[:shingle-9]: 1,
		head[len(head)-shingle+2:] + "77": 0, head[len(head)-shingle+8:] + "77 never": 1, "an altogether different piece 32": 1, "not here": 1, "its end": 0,
	} {
		var gone Traces
		if gone.put([]byte(text)); len(gone.list) != 1 {
			t.Fatalf("%q is %d pieces", text, len(gone.list))
		}
		if n, err := gone.Lifeless(c, []int{0}, []string{"SELECT salt, body FROM row"}); err != nil || n != dead {
			t.Errorf("%q: %d %v", text, n, err)
		}
	}
}

func BenchmarkTraces(b *testing.B) {
	file := make([]byte, 64<<20)
	src := rand.NewChaCha8([32]byte{})
	_, _ = src.Read(file)
	for _, size := range []int{2 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("text=%d", size), func(b *testing.B) {
			text := make([]byte, size)
			_, _ = src.Read(text)
			var t Traces
			t.Add(text)
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if t.in(file, make([]bool, len(t.list))) > 0 {
					b.Fatal("found")
				}
			}
		})
	}
}
