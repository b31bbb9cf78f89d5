package bundle

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"entente/dsse"
	"entente/peer"
	"entente/seal"
)

// BenchmarkBundle writes and verifies a bundle of ENTENTE_BENCH_OBJECTS objects (20,000 without), from the file to the renditions whose signatures held: signed one by one, and in
// batches of a thousand.
func BenchmarkBundle(b *testing.B) {
	objects := 20_000
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_BENCH_OBJECTS")); err == nil {
		objects = n
	}
	for name, size := range map[string]int{"singly": 1, "batches": 1000} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 1)
			l := w.logs[0]
			path := filepath.Join(b.TempDir(), "a"+Extension)
			file, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			// The log is written in parts, as a node reads it, and its checkpoint of each part is that of the part's end.
			out := bufio.NewWriterSize(file, seal.ChunkSize)
			var busy time.Duration
			writer, err := Create(out, realm, w.manifest(l.span(0, objects)), w.to, w.node)
			if err != nil {
				b.Fatal(err)
			}
			for from := 0; from < objects; from += 1000 {
				n := min(1000, objects-from)
				for done := 0; done < n; done += size {
					for _, e := range w.renditions(from+done, min(size, n-done)) {
						l.add(e)
					}
				}
				batch := l.batch(from, from+n)
				began := spent()
				if err := writer.Batch(batch); err != nil {
					b.Fatal(err)
				}
				busy += spent() - began
				clear(l.frames)
			}
			if _, err := writer.Close(); err != nil {
				b.Fatal(err)
			}
			if err := out.Flush(); err != nil {
				b.Fatal(err)
			}
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			began := spent()
			for b.Loop() {
				if _, err := file.Seek(0, io.SeekStart); err != nil {
					b.Fatal(err)
				}
				opener := peer.Opener{Realm: realm, Keys: func(id string) *dsse.Key {
					if id == w.author.Key().ID() {
						return w.author.Key()
					}
					return nil
				}}
				k := fresh()
				k.Frame = func(_ string, _ uint64, f *peer.Frame) error {
					_, _, err := opener.Rendition(f.Envelope)
					return err
				}
				r, err := Verify(file, w.options(), k)
				if err != nil || r.New != uint64(objects) {
					b.Fatal(err)
				}
			}
			each := (spent() - began).Seconds() / float64(b.N) / float64(objects)
			b.ReportMetric(each*1e6, "cpu-s/1M-objects")
			b.ReportMetric(busy.Seconds()/float64(objects)*1e6, "write-cpu-s/1M-objects")
		})
	}
}

// spent is the processor time of this process so far: what counts on a machine that others use too.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
