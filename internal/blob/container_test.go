package blob

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

var testKey = bytes.Repeat([]byte{7}, keySize)

func sealAll(t interface{ Fatal(...any) }, plain []byte, steps ...int) []byte {
	var out bytes.Buffer
	s, err := newSealer(&out, testKey)
	if err != nil {
		t.Fatal(err)
	}
	for rest := plain; len(rest) > 0; {
		n := len(rest)
		if len(steps) > 0 {
			n, steps = min(n, steps[0]), steps[1:]
		}
		if _, err := s.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openAll(sealed, key []byte) ([]byte, error) {
	o, err := newOpener(bytes.NewReader(sealed), key)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(o)
}

// pattern is content in which every place looks different.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// sizes around the borders of chunks.
func sizes() *rapid.Generator[int] {
	return rapid.OneOf(rapid.IntRange(0, 300), rapid.Custom(func(t *rapid.T) int {
		return max(0, rapid.IntRange(0, 4).Draw(t, "chunks")*chunkSize+rapid.IntRange(-2, 2).Draw(t, "more"))
	}))
}

func TestContainerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := pattern(sizes().Draw(t, "size"))
		steps := rapid.SliceOfN(rapid.IntRange(1, 2*chunkSize), 0, 8).Draw(t, "steps")
		sealed := sealAll(t, plain, steps...)
		if int64(len(sealed)) != sealedSize(int64(len(plain))) {
			t.Fatalf("%d bytes are sealed in %d, said were %d", len(plain), len(sealed), sealedSize(int64(len(plain))))
		}
		got, err := openAll(sealed, testKey)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes come back as %d: %v", len(plain), len(got), err)
		}
		o, err := newOpener(iotest.OneByteReader(bytes.NewReader(sealed[:min(len(sealed), 2000)])), testKey)
		if err == nil && len(sealed) <= 2000 {
			if got, err = io.ReadAll(o); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("byte by byte: %v", err)
			}
		}
	})
}

// Whatever is changed, left out, cut off, added, repeated or moved is found, and what was handed out before was authentic.
func TestContainerChanged(t *testing.T) {
	const frame = chunkSize + chunkMore
	rapid.Check(t, func(t *rapid.T) {
		plain := pattern(sizes().Draw(t, "size"))
		sealed := sealAll(t, plain)
		bad := bytes.Clone(sealed)
		chunk := func(i int) []byte {
			at := len(head) + i*frame
			return sealed[at:min(len(sealed), at+frame)]
		}
		n := (len(sealed) - len(head) + frame - 1) / frame
		key := testKey
		switch rapid.SampledFrom([]string{"flip", "cut", "add", "drop", "twice", "swap", "cut chunk", "key"}).Draw(t, "change") {
		case "flip":
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "cut":
			bad = bad[:rapid.IntRange(0, len(bad)-1).Draw(t, "at")]
		case "add":
			bad = append(bad, pattern(rapid.IntRange(1, 100).Draw(t, "more"))...)
		case "drop":
			i := rapid.IntRange(0, n-1).Draw(t, "chunk")
			bad = append(bytes.Clone(sealed[:len(head)+i*frame]), sealed[len(head)+i*frame+len(chunk(i)):]...)
		case "twice":
			bad = append(bad, chunk(rapid.IntRange(0, n-1).Draw(t, "chunk"))...)
		case "swap":
			if n < 3 {
				t.Skip("too short")
			}
			copy(bad[len(head):], chunk(1))
			copy(bad[len(head)+frame:], chunk(0))
		case "cut chunk":
			if n < 2 {
				t.Skip("too short")
			}
			bad = bad[:len(head)+(n-1)*frame]
		case "key":
			key = bytes.Repeat([]byte{8}, keySize)
		}
		got, err := openAll(bad, key)
		if !errors.Is(err, errDamaged) {
			t.Fatalf("a changed container opens: %v", err)
		}
		if !bytes.HasPrefix(plain, got) || len(got)%chunkSize != 0 {
			t.Fatalf("%d bytes were handed out that were not sealed", len(got))
		}
	})
}

func TestContainerReadFails(t *testing.T) {
	sealed := sealAll(t, pattern(3*chunkSize))
	torn := errors.New("the disk fails")
	o, err := newOpener(io.MultiReader(bytes.NewReader(sealed[:chunkSize+1000]), iotest.ErrReader(torn)), testKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(o); !errors.Is(err, torn) {
		t.Errorf("a failing disk is told as %v", err)
	}
}

func FuzzContainer(f *testing.F) {
	for _, n := range []int{0, 1, 100, chunkSize, chunkSize + 1} {
		f.Add(sealAll(f, pattern(n)))
	}
	f.Add([]byte(head))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := openAll(b, testKey)
		if err != nil {
			return
		}
		// Without the key nobody makes a container: what opens is one of the seeds.
		if !bytes.Equal(got, pattern(len(got))) {
			t.Fatalf("%d bytes opened that nobody sealed", len(got))
		}
	})
}
