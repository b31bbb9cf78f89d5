package input

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// JSON that is not one object a line is given as lines of one object each, and what cannot be read says where.
func TestDecodeJSON(t *testing.T) {
	for _, c := range []struct {
		name, text string
		plain      bool
		lines      []string
		unread     uint64
		err        string
	}{
		{name: "lines", text: "{\"a\":1}\n{\"a\":2}\n", plain: true},
		{name: "one line", text: `{"a":{"b":[1,2]}}`, plain: true},
		{name: "text", text: "[2026-11-22] something happened\n", plain: true},
		{name: "empty", text: "", plain: true},
		{name: "array", text: `[{"a":1}, {"a" : 2}]`, lines: []string{`{"a":1}`, `{"a":2}`}},
		{name: "array of many lines", text: "\r\n[\r\n  {\r\n \"a\": \"x\\ny\"\r\n},\r\n{\"a\":2}\r\n]\r\n", lines: []string{`{"a":"x\ny"}`, `{"a":2}`}},
		{name: "byte order mark", text: "\ufeff[{\"a\":1}]", lines: []string{`{"a":1}`}},
		{name: "arrays", text: "[{\"a\":1}]\n[]\n[{\"a\":2}]", lines: []string{`{"a":1}`, `{"a":2}`}},
		{name: "no objects", text: `[{"a":1}, 7, "x", null, [{"a":3}], {"a":2}]`, lines: []string{`{"a":1}`, `{"a":2}`}, unread: 4},
		{name: "empty array", text: "[]\n"},
		{name: "objects of many lines", text: "{\n\"a\": 1\n}\n{\n\"a\": 2\n}\n", lines: []string{`{"a":1}`, `{"a":2}`}},
		{name: "names that come twice", text: "[{\"a\":1,\"a\":2}]", lines: []string{`{"a":1,"a":2}`}},
		{name: "records", text: `{"Records":[{"a":1},{"a":2}],"more":{"b":[]}}`, lines: []string{`{"a":1}`, `{"a":2}`}},
		{name: "unfinished", text: `[{"a":1},{"a":`, lines: []string{`{"a":1}`}, err: "byte 8"},
		{name: "damaged", text: `[{"a":1},{"a":x}]`, lines: []string{`{"a":1}`}, err: "invalid character 'x'"},
		{name: "never ends", text: `[{"a":1}`, lines: []string{`{"a":1}`}, err: "EOF"},
		{name: "wrong end", text: `[{"a":1}}`, lines: []string{`{"a":1}`}, err: "invalid character '}'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := c.text[:min(len(c.text), magicBytes)]
			text, unread, err := Decode([]byte(head), iotest.HalfReader(strings.NewReader(c.text)))
			if err != nil || (text == nil) != c.plain {
				t.Fatal(text, err)
			}
			if c.plain {
				return
			}
			b, err := io.ReadAll(text)
			if got := strings.TrimSuffix(string(b), "\n"); got != strings.Join(c.lines, "\n") {
				t.Errorf("%q", got)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v", err)
			}
			if unread() != c.unread {
				t.Errorf("%d values are no objects", unread())
			}
		})
	}
}

// endless goes on for ever.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	e.n += len(b)
	return len(b), nil
}

// One value may not be longer than a line may.
func TestDecodeLongJSON(t *testing.T) {
	e := &endless{}
	text, _, err := Decode([]byte(`[{"a":"`), io.MultiReader(strings.NewReader(`[{"a":1},{"a":"`), e))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(text)
	if string(b) != "{\"a\":1}\n" || err == nil || !strings.Contains(err.Error(), "longer than") || e.n > 4*MaxLine {
		t.Errorf("%d bytes of %d: %v", len(b), e.n, err)
	}
}

// What has no lines says what it is and what to do with it.
func TestDecodeStrangers(t *testing.T) {
	for magic, want := range map[string]string{
		"\x0c\xa5\x01\x00":                       "nfreplay",
		"\xd4\xc3\xb2\xa1\x02":                   "Zeek or Suricata",
		"\x0a\x0d\x0d\x0a":                       "Zeek or Suricata",
		strings.Repeat("x", 257) + "ustar\x0000": "unpack it",
		"PK\x03\x04":                             "ZIP",
		"\x28\xb5\x2f\xfd\x04":                   "zstd",
		"BZh91AY&SY":                             "bzip2",
		"SQLite format 3\x00\x10":                "database",
	} {
		if text, _, err := Decode([]byte(magic), strings.NewReader(magic)); text != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", magic, err)
		}
	}
}

// Whatever comes, what is given are lines with one object each.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`[{"a":1}, {"a":[{}]}]`, "{\n\"a\":1}", `{"Records":[{"a":1}]}`, `[[{}],1]`, "\ufeff[{\"\xff\":1}]", `[{"a":1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !jsonValues(in) {
			return
		}
		b, _ := io.ReadAll(newValues(bytes.NewReader(in)))
		for line := range bytes.Lines(b) {
			if line = bytes.TrimSuffix(line, []byte("\n")); !json.Valid(line) || line[0] != '{' {
				t.Fatalf("%q", line)
			}
		}
	})
}
