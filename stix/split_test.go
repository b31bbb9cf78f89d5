package stix

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func splitAll(r io.Reader, l Limits) ([]string, Info, error) {
	var out []string
	info, err := SplitLimits(r, l, func(raw []byte) error {
		out = append(out, string(raw))
		return nil
	})
	return out, info, err
}

func TestSplit(t *testing.T) {
	const a, b = `{ "type":"tool", "name":"}]\"{" }`, `{"type":"malware","objects":[1,2]}`
	cases := []struct {
		name, src string
		want      []string
		kind      Kind
	}{
		{"bundle", `{"type":"bundle","id":"bundle--1","objects":[` + a + ` , ` + b + `]}`, []string{a, b}, KindBundle},
		{"objects first", `{"objects":[` + a + `,` + b + `],"id":"bundle--1","type":"bundle"}`, []string{a, b}, KindBundle},
		{"members around", `{"x":{"objects":[1]},"type":"bundle","y":[[]],"objects":[` + a + `],"z":"]}","id":"bundle--1"}`, []string{a}, KindBundle},
		{"no objects", `{"type":"bundle","id":"bundle--1"}`, nil, KindBundle},
		{"empty bundle", `{"type":"bundle","id":"bundle--1","objects":[ ]}`, nil, KindBundle},
		{"envelope", `{"more":true,"next":"x","objects":[` + a + `]}`, []string{a}, KindEnvelope},
		{"empty envelope", `{}`, []string{`{}`}, KindObject},
		{"array", ` [` + a + `,` + b + `]`, []string{a, b}, KindList},
		{"empty array", `[]`, nil, KindList},
		{"one object", "\xef\xbb\xbf" + a, []string{a}, KindObject},
		{"an object with objects", b, []string{b}, KindObject},
		{"observed-data", `{"objects":{"0":{}},"type":"observed-data"}`, []string{`{"objects":{"0":{}},"type":"observed-data"}`}, KindObject},
		{"lines", a + "\n" + b + "\n", []string{a, b}, KindLines},
		{"lines of bundles", `{"type":"bundle","id":"bundle--1","objects":[` + a + `]}` + "\n" + b, []string{a, b}, KindLines},
		{"text sequence", "\x1e" + a + "\n\x1e" + b, []string{a, b}, KindLines},
		{"bundles in an array", `[{"type":"bundle","id":"bundle--1","objects":[` + a + `]},` + b + `]`, []string{a, b}, KindList},
		{"nothing", " \n", nil, KindEmpty},
	}
	for _, c := range cases {
		for _, r := range []io.Reader{strings.NewReader(c.src), iotest.OneByteReader(strings.NewReader(c.src)), bytes.NewReader(zipped(c.src))} {
			got, info, err := splitAll(r, Limits{})
			if err != nil || strings.Join(got, "\n") != strings.Join(c.want, "\n") || info.Kind != c.kind || info.Count != len(c.want) {
				t.Errorf("%s: %q %+v %v", c.name, got, info, err)
			}
			if c.kind == KindBundle && info.BundleID != "bundle--1" {
				t.Errorf("%s: bundle id %q", c.name, info.BundleID)
			}
		}
	}
}

func zipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.Bytes()
}

func TestSplitRefuses(t *testing.T) {
	cases := []struct {
		code, src string
		offset    int64
	}{
		{"split.syntax", `{"type":"bundle","objects":[1]}`, 28},
		{"split.syntax", `{"type":"bundle","objects":[{}`, 30},
		{"split.syntax", `{"type":"bundle","objects":[{} {}]}`, 31},
		{"split.syntax", `{"type":"bundle" "objects":[]}`, 17},
		{"split.syntax", `{"type"`, 7},
		{"split.syntax", `{"type":"x`, 10},
		{"split.syntax", `hello`, 0},
		{"split.syntax", `[{},]`, 4},
		{"split.syntax", "{}\x00", 2},
		{"split.type", `{"objects":[{}],"type":"tool"}`, 30},
		{"split.size", `[{"a":"` + strings.Repeat("x", 200) + `"}]`, -1},
		{"split.size", `{"a":"` + strings.Repeat("x", 1<<16) + `","objects":[]}`, -1},
		{"split.gzip", "\x1f\x8b garbage", -1},
		{"split.gzip", string(zipped(`[{},{}]`)[:25]), -1},
	}
	for _, c := range cases {
		_, _, err := splitAll(strings.NewReader(c.src), Limits{Size: 100})
		e, ok := err.(*Error)
		if !ok || e.Code != c.code || c.offset >= 0 && e.Offset != c.offset {
			t.Errorf("%.40q: got %v, want %s at %d", c.src, err, c.code, c.offset)
		}
	}
	stop := errors.New("stop")
	if _, err := Split(strings.NewReader(`[{},{}]`), func([]byte) error { return stop }); err != stop {
		t.Errorf("fn's error: %v", err)
	}
	if _, err := Split(iotest.ErrReader(stop), func([]byte) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("the reader's error: %v", err)
	}
}

// The bytes given to fn are never written again, even where objects straddle the chunks.
func TestSplitKeepsBytes(t *testing.T) {
	var src strings.Builder
	var want []string
	for i := range 5000 {
		obj := `{"type":"tool","x":"` + strings.Repeat("y", i%997) + `"}`
		want = append(want, obj)
		src.WriteString(obj + "\n")
	}
	var got [][]byte
	if _, err := Split(strings.NewReader(src.String()), func(raw []byte) error {
		got = append(got, raw)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Fatalf("object %d changed", i)
		}
	}
}
