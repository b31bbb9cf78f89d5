package index

import (
	"testing"
	"time"

	"entente/internal/fault"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"emotet", `"a b" -type:malware c*`, "value:hxxp://a[.]b/c", "since:7d until:2026-01", `author:"x`, "-", "-\"", ":", "tlp:amber strict", "type:", "网络 ÄÖ \xff", `""`, "-*"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, typing bool) {
		parts, err := parse(s, typing)
		if err != nil {
			if k := fault.Of(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if len(parts) > maxParts {
			t.Fatalf("%d parts", len(parts))
		}
		for _, p := range parts {
			when(p.text, time.Now())
			valueTerms(refang(p.text), func(byte, string) {})
			n := 0
			runs(fold(p.text), func(r run) {
				n += len(r.whole)
				for _, w := range r.parts {
					if w == "" || len(w) > maxWord {
						t.Fatalf("%q has the word %q", p.text, w)
					}
				}
			})
			if n > len(fold(p.text)) {
				t.Fatalf("%q: runs overlap", p.text)
			}
		}
	})
}
