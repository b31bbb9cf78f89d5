package taxii

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// onePage is a Backend that always gives the same page.
type onePage struct {
	*mem
	page Page
}

func (o *onePage) Objects(context.Context, string, string, Query) (Page, error) { return o.page, nil }

// discard is a ResponseWriter that counts.
type discard struct {
	h http.Header
	n int64
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { d.n += int64(len(b)); return len(b), nil }

// rawObject is an indicator-like object of about 1.5 kB.
func rawObject(n int) []byte {
	return fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-%012d","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","description":"%s","pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`,
		n, strings.Repeat("An address seen in \\\"use\\\". ", 42), n%256)
}

func benchPage(n int) *onePage {
	o := &onePage{mem: newMem()}
	for i := range n {
		o.page.Objects = append(o.page.Objects, Object{Raw: rawObject(i), ID: fmt.Sprintf("indicator--%d", i), Version: "2026-01-01T00:00:00.000Z",
			DateAdded: time.UnixMicro(int64(i)), MediaType: STIXMediaType})
	}
	o.page.More, o.page.Next = true, []byte("12345678")
	return o
}

func benchRead(b *testing.B, path, coding string, objects int) {
	sealer, err := NewSealer(secret, callerOf)
	if err != nil {
		b.Fatal(err)
	}
	h := NewHandler(benchPage(objects), Options{Sealer: sealer})
	r := httptest.NewRequest(http.MethodGet, "/cti/collections/a/"+path, nil)
	r.Header.Set("Accept", MediaType)
	if coding != "" {
		r.Header.Set("Accept-Encoding", coding)
	}
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		w := &discard{h: http.Header{}}
		h.ServeHTTP(w, r)
		n = w.n
	}
	b.SetBytes(n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(objects), "ns/object")
}

func BenchmarkObjectsPage(b *testing.B)      { benchRead(b, "objects/", "", 1000) }
func BenchmarkObjectsPage10000(b *testing.B) { benchRead(b, "objects/?limit=10000", "", 10000) }
func BenchmarkObjectsPageGzip(b *testing.B)  { benchRead(b, "objects/", "gzip", 1000) }
func BenchmarkManifestPage(b *testing.B)     { benchRead(b, "manifest/", "", 1000) }

func BenchmarkParseEnvelope(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"objects":[`)
	const n = 1000
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(rawObject(i))
	}
	body.WriteString(`]}`)
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, fault := parseEnvelope(body.Bytes(), bounds{objects: n, depth: 64}); fault != nil {
			b.Fatal(fault)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/object")
}
