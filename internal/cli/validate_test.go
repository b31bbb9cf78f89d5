package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
)

// validate runs the validator over a text and returns its lines.
func validate(t testing.TB, text []byte, whole int64) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	v := validator{asJSON: true, out: bufio.NewWriter(&out), whole: whole}
	if err := v.file(bytes.NewReader(text), "-"); err != nil {
		t.Fatal(err)
	}
	if err := v.out.Flush(); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	bad := false
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, member := range []string{"id", "valid", "errors", "warnings"} {
			if _, ok := m[member]; !ok {
				t.Fatalf("%s has no %s", line, member)
			}
		}
		errs, _ := m["errors"].([]any)
		if m["valid"] != (len(errs) == 0) {
			t.Fatalf("valid and errors do not agree: %s", line)
		}
		bad = bad || m["valid"] == false
		lines = append(lines, m)
	}
	if len(lines) == 0 || bad != v.no {
		t.Fatalf("%d lines, an invalid one: %v, the answer no: %v", len(lines), bad, v.no)
	}
	return lines
}

// However an input is read, as a whole or as a stream, its objects get the same lines in the same order.
func TestWholeAndStreamAgree(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","objects":[`)
	const n = 5*lotObjects + 3
	for i := range n {
		name := `"A"`
		if i%100 == 7 {
			name = "7" // a name is no number
		}
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"type":"identity","spec_version":"2.1","id":"identity--%08x-6d1c-4f6e-9c1c-1a2b3c4d5e6f","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":%s}`, i, name)
	}
	b.WriteString("]}")
	whole, stream := validate(t, []byte(b.String()), inMemory), validate(t, []byte(b.String()), 1000)
	if len(whole) != n+1 || len(stream) != n+1 {
		t.Fatalf("%d and %d lines", len(whole), len(stream))
	}
	invalid := 0
	for i := range n {
		a, b := fmt.Sprint(whole[i]), fmt.Sprint(stream[i])
		if a != b {
			t.Fatalf("object %d:\n%s\n%s", i, a, b)
		}
		if whole[i]["valid"] == false {
			invalid++
		}
	}
	if invalid != (n+92)/100 {
		t.Errorf("%d objects are invalid", invalid)
	}
	for _, last := range []map[string]any{whole[n], stream[n]} {
		if last["bundle"] != true || last["valid"] != false || last["id"] != "bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f" {
			t.Errorf("%v", last)
		}
	}
}

// Every object of the shared bundles has its line, and every bundle.
func TestSharedBundlesAreTold(t *testing.T) {
	dir := shareddata.Dir(t, "stix", "oasis-examples")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Type    string
			ID      string
			Objects []struct{ ID string }
		}
		if json.Unmarshal(raw, &bundle) != nil || bundle.Type != "bundle" {
			continue
		}
		lines := validate(t, raw, inMemory)
		if len(lines) != len(bundle.Objects)+1 || lines[len(lines)-1]["id"] != bundle.ID {
			t.Errorf("%s: %d lines for %d objects", filepath.Base(name), len(lines), len(bundle.Objects))
			continue
		}
		for i, o := range bundle.Objects {
			if lines[i]["id"] != o.ID {
				t.Errorf("%s: line %d is about %v, not %s", filepath.Base(name), i, lines[i]["id"], o.ID)
			}
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(`{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","objects":[{"type":"identity","id":"identity--x"},{"a":1,"a":2}]}`))
	f.Add([]byte(`[{"type":"indicator","pattern":"["}] {"type":"bundle"}`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add([]byte("\xff\xfe{}"))
	f.Add([]byte(`{"objects":[],"type":"bundle"}{"id":"`))
	f.Add([]byte{})
	f.Add([]byte(`{"objects":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		validate(t, text, inMemory)
		validate(t, text, 16)
	})
}

func BenchmarkValidate(b *testing.B) {
	object := `{"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"Example","description":"An example.","indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '198.51.100.7']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}` + "\n"
	const n = 10_000
	text := strings.Repeat(object, n)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v := validator{asJSON: true, out: bufio.NewWriter(io.Discard), whole: inMemory}
		if err := v.file(strings.NewReader(text), "-"); err != nil || v.no {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "objects/s")
}
