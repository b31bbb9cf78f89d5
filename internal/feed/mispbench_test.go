package feed

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/store"
)

// BenchmarkMISPServerIdle is a pull of 100,000 events of which none has changed, from a server that tells so by its ETag, and from one that lists them
// all again.
func BenchmarkMISPServerIdle(b *testing.B) {
	const events = 100_000
	s, dir := newInstance(), b.TempDir()
	c := pull(b, dir, s)
	c.Limits.Timeout = "10m"
	w := newWorld(b, dir, c)
	w.f.patience = 10 * time.Minute
	one := w.f.feeds["pull"]
	r, err := w.f.begin(b.Context(), one, "test", false)
	must(b, err)
	known, err := r.takenEvents(b.Context())
	must(b, err)
	for i := range events {
		id := strings.Replace(eventUUID(i), "00000000-1111", fmt.Sprintf("%02x000000-1111", i%256), 1)
		s.put(id, 1767225600, "")
		for _, e := range []indexed{{timestamp: 1767225600}} {
			must(b, e.id.UnmarshalText([]byte(id)))
			known.put(e.id, takenEvent{timestamp: e.timestamp})
		}
	}
	for shard := range shards {
		must(b, w.st.PutDocs(b.Context(), store.Act{}, known.doc("pull", byte(shard))))
	}
	if r := w.run("pull"); r.Counts.Present != events || r.Counts.Added != 0 { // learns the ETag
		b.Fatalf("%+v %+v", r, r.Error)
	}
	for name, noETag := range map[string]bool{"etag": false, "list": true} {
		b.Run(name, func(b *testing.B) {
			s.noETag = noETag
			for b.Loop() {
				if r := w.run("pull"); r.Result != Unchanged {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}

// BenchmarkMISPServer takes events of 500 attributes each, and one of 350,000, of the types that are most common.
func BenchmarkMISPServer(b *testing.B) {
	for _, size := range []struct{ events, attributes int }{{40, 500}, {1, 20_000}} {
		b.Run(fmt.Sprintf("%dx%d", size.events, size.attributes), func(b *testing.B) { benchmarkPull(b, size.events, size.attributes) })
	}
	b.Run("1x350000", func(b *testing.B) {
		if testing.Short() {
			b.Skip("it takes a minute")
		}
		benchmarkPull(b, 1, 350_000)
	})
}

func benchmarkPull(b *testing.B, events, attributes int) {
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch m := view.FindStringSubmatch(r.URL.Path); {
		case r.URL.Path == "/servers/getVersion":
			fmt.Fprint(w, `{"version":"2.5.1"}`)
		case r.URL.Path == "/events/index":
			var out []string
			for i := range events {
				out = append(out, fmt.Sprintf(`{"timestamp":"1767225600","published":true,"uuid":"%s"}`, eventUUID(i)))
			}
			fmt.Fprintf(w, "[%s]", strings.Join(out, ","))
		case m != nil:
			out := bufio.NewWriterSize(w, 1<<20)
			defer out.Flush()
			var n int
			fmt.Sscanf(m[1], "00000000-1111-4000-8000-%d", &n)
			whole := anEvent(m[1], 1767225600, "3", "HERE")
			before, after, _ := strings.Cut(whole, "HERE")
			out.WriteString(before)
			for i := range attributes {
				if i > 0 {
					out.WriteByte(',')
				}
				out.WriteString(commonAttribute(n*attributes + i))
			}
			out.WriteString(after)
		default:
			fmt.Fprint(w, "[]")
		}
	})
	var taken, peak float64
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		c := pull(b, dir, server)
		c.Limits.Bytes, c.Limits.Timeout = 1<<30, "10m"
		w := newWorld(b, dir, c)
		runtime.GC()
		var most atomic.Uint64
		done := make(chan struct{})
		go func() {
			var m runtime.MemStats
			for {
				select {
				case <-done:
					return
				case <-time.After(50 * time.Millisecond):
					runtime.ReadMemStats(&m)
					most.Store(max(most.Load(), m.HeapInuse))
				}
			}
		}()
		b.StartTimer()
		r := w.run("pull")
		b.StopTimer()
		close(done)
		if r.Result != Done || r.Counts.Refused+r.Counts.Held+r.Counts.Dropped != 0 {
			b.Fatalf("%+v %+v", r, r.Error)
		}
		taken += float64(events * attributes)
		peak = max(peak, float64(most.Load()))
		w.x.Close()
		w.st.Close()
		b.StartTimer()
	}
	b.ReportMetric(taken/b.Elapsed().Seconds(), "attributes/s")
	b.ReportMetric(peak/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op")
}

// commonAttribute is of the types of which there are most in what is published: domains, hashes, texts, file names, URLs, addresses.
func commonAttribute(n int) string {
	id := fmt.Sprintf("00000000-aaaa-4000-8000-%012d", n)
	kinds := []struct{ typ, category, value, ids string }{
		{"domain", "Network activity", fmt.Sprintf("host-%d.evil.example", n), "true"},
		{"sha1", "Payload delivery", fmt.Sprintf("%040x", n), "true"},
		{"text", "Other", fmt.Sprintf("a text %d", n), "false"},
		{"md5", "Payload delivery", fmt.Sprintf("%032x", n), "true"},
		{"filename", "Payload delivery", fmt.Sprintf("file-%d.exe", n), "false"},
		{"sha256", "Payload delivery", fmt.Sprintf("%064x", n), "true"},
		{"url", "Network activity", fmt.Sprintf("http://evil.example/%d", n), "true"},
		{"ip-dst", "Network activity", fmt.Sprintf("198.51.%d.%d", n>>8&255, n&255), "true"},
	}
	k := kinds[n%len(kinds)]
	return fmt.Sprintf(`{"id":"%d","type":"%s","category":"%s","to_ids":%s,"uuid":"%s","event_id":"7","distribution":"5","timestamp":"1767225600","comment":"","sharing_group_id":"0","deleted":false,"disable_correlation":false,"object_id":"0","object_relation":null,"first_seen":null,"last_seen":null,"value":"%s","Galaxy":[],"ShadowAttribute":[]}`,
		n, k.typ, k.category, k.ids, id, k.value)
}
