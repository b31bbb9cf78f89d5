package stix

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"entente/internal/shareddata"
)

const indicatorJSON = `{"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",` +
	`"created_by_ref":"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff","created":"2026-04-06T20:03:48.000Z","modified":"2026-04-06T20:03:48.000Z",` +
	`"name":"Poison Ivy loader","description":"A file that was found to load Poison Ivy.","indicator_types":["malicious-activity"],` +
	`"pattern":"[file:hashes.'SHA-256' = '4bac27393bdd9777ce02453256c5577cd02275510b2227f473d03f533924f877' OR domain-name:value = 'Evil.example.com']",` +
	`"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","confidence":75,` +
	`"kill_chain_phases":[{"kill_chain_name":"lockheed-martin-cyber-kill-chain","phase_name":"delivery"}],` +
	`"object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"]}`

func BenchmarkParse(b *testing.B) {
	raw := []byte(indicatorJSON)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// All that happens to an indicator on its way into a store: parsing, checking, and everything that it is looked up by.
func BenchmarkValidate(b *testing.B) {
	raw := []byte(indicatorJSON)
	b.ReportAllocs()
	for b.Loop() {
		o, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if !Valid(Validate(o, Options{}), false) || len(o.Values()) != 2 || len(o.Refs()) != 2 {
			b.Fatal("not valid")
		}
		o.Digest()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}

func BenchmarkDigest(b *testing.B) {
	o, err := Parse([]byte(indicatorJSON))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		o.Digest()
	}
}

func attack(b *testing.B) []byte {
	f, err := os.Open(shareddata.Dir(b, "stix", "attack", "enterprise-attack-18.1.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func BenchmarkSplit(b *testing.B) {
	raw := attack(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Split(bytes.NewReader(raw), func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidateAttack(b *testing.B) {
	raw := attack(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	objects := 0
	for b.Loop() {
		_, err := Split(bytes.NewReader(raw), func(obj []byte) error {
			o, err := Parse(obj)
			if err != nil {
				return err
			}
			Validate(o, Options{})
			o.Values()
			o.Refs()
			o.Digest()
			objects++
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(objects)/b.Elapsed().Seconds(), "objects/s")
}
