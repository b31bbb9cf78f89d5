package pattern_test

import (
	"testing"

	"entente/stix/pattern"
)

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, src string }{
		{"simple", `[domain-name:value = 'update.example.com']`},
		{"hash", `[file:hashes.'SHA-256' = 'ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c']`},
		{"temporal", `([file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4'] FOLLOWEDBY [windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\foo']) WITHIN 300 SECONDS`},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pattern.Parse(c.src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
