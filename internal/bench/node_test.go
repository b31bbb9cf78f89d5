package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"

	"entente/internal/node"
	"entente/internal/sample"
	"entente/internal/surface/api"
	"entente/internal/testnode"
	"entente/label"
)

// inProcess is a node in the process of the benchmark, for profiles: go test -bench . -cpuprofile cpu.out ./internal/bench.
type inProcess struct {
	node   *node.Node
	native *api.Client
	taxii  *testnode.Client
}

func newNode(b *testing.B) *inProcess {
	b.Helper()
	password := rand.Text()
	cfg := node.DefaultConfig(filepath.Join(b.TempDir(), "n"))
	cfg.Listen = "127.0.0.1:0"
	if err := node.Create(b.Context(), node.Init{Data: cfg.Data, Nation: "UTO", Org: "Utopia CERT", AdminPassword: password}); err != nil {
		b.Fatal(err)
	}
	n, err := node.New(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	p := &inProcess{node: n, native: api.NewClient("http://node", n.Local(), nil), taxii: testnode.NewClient(n.URL(), "admin", password, n.ClientTLS())}
	b.Cleanup(func() {
		p.taxii.Close()
		if err := n.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	if _, err := p.native.AddCollection(b.Context(), api.PutCollection{Title: "Indicators", Alias: testnode.Collection, Read: []string{}, Write: []string{}}); err != nil {
		b.Fatal(err)
	}
	return p
}

func indicators(src *sample.Source, n int) (out [][]byte) {
	for range n {
		out = append(out, src.Indicator(label.Green).Raw)
	}
	return out
}

func perObject(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}

func BenchmarkPost(b *testing.B) {
	p, src := newNode(b), sample.New(3)
	for b.Loop() {
		b.StopTimer()
		envelope := testnode.Envelope(indicators(src, envelopeSize)...)
		b.StartTimer()
		if s, err := p.taxii.Post(b.Context(), envelope); err != nil || s.Success != envelopeSize {
			b.Fatal(s, err)
		}
	}
	perObject(b, envelopeSize)
}

func BenchmarkImport(b *testing.B) {
	const n = 20_000
	p, src := newNode(b), sample.New(3)
	for b.Loop() {
		b.StopTimer()
		file := bytes.Join(indicators(src, n), []byte("\n"))
		b.StartTimer()
		if s, err := p.native.Import(b.Context(), bytes.NewReader(file), map[string][]string{"collection": {testnode.Collection}}, func(api.Event) {}); err != nil || s.Added != n {
			b.Fatal(s, err)
		}
	}
	perObject(b, n)
}

func BenchmarkPages(b *testing.B) {
	const n = 20_000
	p, src := newNode(b), sample.New(3)
	file := bytes.Join(indicators(src, n), []byte("\n"))
	if s, err := p.native.Import(b.Context(), bytes.NewReader(file), map[string][]string{"collection": {testnode.Collection}}, func(api.Event) {}); err != nil || s.Added != n {
		b.Fatal(s, err)
	}
	for b.Loop() {
		got := 0
		if err := p.taxii.Pages(b.Context(), "", 10_000, func(page []byte) error { got += count(page); return nil }); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	perObject(b, n)
}
