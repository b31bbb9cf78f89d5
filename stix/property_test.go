package stix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// The Order of two timestamps compares as the instants do.
func TestOrderIsInstantOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stamp := func(label string) (string, time.Time) {
			base := time.Date(2026, 1, 1, 0, 0, rapid.IntRange(0, 2).Draw(t, label+"s"), 0, time.UTC)
			digits := rapid.StringMatching(`[0-9]{0,9}`).Draw(t, label)
			nanos := 0
			_, _ = fmt.Sscanf((digits + "000000000")[:9], "%d", &nanos)
			text := base.Format("2006-01-02T15:04:05")
			if digits != "" {
				text += "." + digits
			}
			return text + "Z", base.Add(time.Duration(nanos))
		}
		a, at := stamp("a")
		b, bt := stamp("b")
		x, err1 := Order(a)
		y, err2 := Order(b)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if strings.Compare(x, y) != at.Compare(bt) {
			t.Fatalf("%s %s: %s %s", a, b, x, y)
		}
	})
}

// A leap second is the instant of the second after it, and there is none within a day.
func TestOrderOfLeapSeconds(t *testing.T) {
	for in, want := range map[string]string{"2026-06-30T23:59:60.000Z": "2026-07-01T00:00:00", "2016-12-31T23:59:60.250Z": "2017-01-01T00:00:00.25", "9999-12-31T23:59:60Z": "9999-12-31T23:59:60",
		"2026-06-30T23:58:60Z": "", "2026-06-30T00:00:60Z": "", "2026-06-30T23:59:61Z": ""} {
		if got, err := Order(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
}

// reorder writes a JSON value anew: members in another order, other white space, other escapes, numbers in another way.
func reorder(v value, r *rand.Rand) []byte {
	space := func() []byte { return bytes.Repeat([]byte(" \n\t\r")[r.IntN(4):][:1], r.IntN(3)) }
	switch v.kind() {
	case kindObject:
		var keys []value
		for key := range v.members {
			keys = append(keys, key)
		}
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		out := []byte{'{'}
		for i, key := range keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = slices.Concat(out, space(), reorder(key, r), space(), []byte{':'}, space(), reorder(value{v.o, key.at + 1}, r), space())
		}
		return append(out, '}')
	case kindList:
		out := []byte{'['}
		for i, item := range v.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = slices.Concat(out, space(), reorder(item, r), space())
		}
		return append(out, ']')
	case kindString:
		out := []byte{'"'}
		for _, c := range v.text() {
			if c < 0x80 && (c < 0x20 || c == '"' || c == '\\' || r.IntN(10) == 0) {
				out = fmt.Appendf(out, `\u%04x`, c)
			} else {
				out = append(out, string(c)...)
			}
		}
		return append(out, '"')
	case kindNumber:
		if n, ok := v.integer(); ok && n > 0 && n < 1e6 && r.IntN(2) == 0 {
			return fmt.Appendf(nil, "%d.0e0", n)
		}
	}
	return v.raw()
}

// Row 24: the digest of an object does not depend on how it is written, nor on omitted defaults, and does on anything else.
func TestRow24Digest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	src := `{"type":"tool","spec_version":"2.1","id":"tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"VNC \"é\" \u20ac €😀","ﬀ":1,"😀":2,` +
		`"x":[1,2.5,-0,1e21,1e-7,123456789012,{"b":null,"a":true}],"revoked":false}`
	o := mustParse(t, src)
	want := o.Digest()
	for range 200 {
		again := reorder(o.root(), r)
		if mustParse(t, string(again)).Digest() != want {
			t.Fatalf("%s", again)
		}
	}
	if mustParse(t, strings.Replace(src, `,"revoked":false`, "", 1)).Digest() != want {
		t.Error("an omitted default counts")
	}
	for _, change := range [][2]string{{`"revoked":false`, `"revoked":true`}, {"VNC", "VNc"}, {"2.5", "2.50001"}, {"null", "false"}, {"[1,", "[-1,"}} {
		if mustParse(t, strings.Replace(src, change[0], change[1], 1)).Digest() == want {
			t.Errorf("%v does not count", change)
		}
	}
	a := mustParse(t, `{"type":"url","id":"url--x","value":"u"}`)
	b := mustParse(t, `{"type":"url","spec_version":"2.1","defanged":false,"id":"url--x","value":"u"}`)
	if a.Digest() != b.Digest() {
		t.Error("defaults of an observable count")
	}
}

// The canonical form is that of another implementation of RFC 8785.
func TestCanonicalAgainstJsontext(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		numbers := make([]string, 0, 8)
		for range 8 {
			f := (r.Float64() - 0.5) * []float64{1, 1e3, 1e9, 1e20, 1e21, 1e22, 1e-5, 1e-6, 1e-7, 1e-30, 1e300}[r.IntN(11)]
			raw, _ := json.Marshal(f)
			numbers = append(numbers, string(raw))
		}
		compareCanonical(t, []byte(`{"type":"a","\ud83d\ude00":1,"\uffee":2,"\u0000\b\u001f\u2028\/":["`+"é"+`",`+strings.Join(numbers, ",")+`]}`))
	}
}

func compareCanonical(t testing.TB, src []byte) {
	t.Helper()
	tape, err := scan(src, Limits{})
	if err != nil {
		return
	}
	got := appendCanonical(nil, value{&Object{raw: src, tape: tape}, 0}, nil)
	want := jsontext.Value(slices.Clone(src))
	if err := want.Canonicalize(); err != nil {
		t.Fatalf("jsontext refuses %q: %v", src, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%q:\n got %s\nwant %s", src, got, want)
	}
}

func TestLookups(t *testing.T) {
	o := mustParse(t, string(sample("file", `hashes:{"MD5":"B365B9A80A06906FC9B400C06C33FF43"}`, `name:"Evil.EXE"`, `parent_directory_ref:"directory--`+sampleV5+`"`,
		`extensions:{"archive-ext":{"contains_refs":["file--`+sampleV5+`"]},"windows-pebinary-ext":{"pe_type":"exe","imphash":"ABC"}}`)))
	if got := o.Values(); !slices.Equal(got, []string{"Evil.EXE", "b365b9a80a06906fc9b400c06c33ff43", "abc"}) {
		t.Errorf("values %v", got)
	}
	if got := o.Refs(); !slices.Equal(got, []Ref{{"/parent_directory_ref", "directory--" + sampleV5}, {"/extensions/archive-ext/contains_refs/0", "file--" + sampleV5}}) {
		t.Errorf("refs %v", got)
	}
	o = mustParse(t, string(sample("indicator", `pattern_type:"stix"`,
		`pattern:"[domain-name:value = 'Evil.Example' OR ipv6-addr:value = '2001:DB8:0::1' OR email-addr:value IN ('A@B.Example') OR file:hashes.MD5 = 'B365B9A80A06906FC9B400C06C33FF43']"`)))
	if got := o.Values(); !slices.Equal(got, []string{"evil.example", "2001:db8::1", "A@b.example", "b365b9a80a06906fc9b400c06c33ff43"}) {
		t.Errorf("values %v", got)
	}
	o = mustParse(t, string(sample("malware", `name:"Poison Ivy"`, `aliases:["PIVY","poison ivy","ÄRGER"]`,
		`external_references:[{"source_name":"mitre-attack","external_id":"S0012"},{"source_name":"x","url":"https://example.com"}]`)))
	if got := o.Names(); !slices.Equal(got, []string{"poison ivy", "pivy", "ärger"}) {
		t.Errorf("names %v", got)
	}
	if got := o.Externals(); !slices.Equal(got, []string{"mitre-attack:S0012"}) {
		t.Errorf("externals %v", got)
	}
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, ",'%d.example'", i)
	}
	o = mustParse(t, string(sample("indicator", `pattern_type:"stix"`, `pattern:"[domain-name:value IN (`+many.String()[1:]+`)]"`)))
	if n := len(o.Values()); n != 256 {
		t.Errorf("%d values", n)
	}
}

func TestAccessors(t *testing.T) {
	o := mustParse(t, string(sample("tool", `name:"a\nb"`, `created_by_ref:"`+sampleIdentity+`"`, `modified:"2026-04-06T20:03:49.120Z"`, `revoked:true`,
		`object_marking_refs:["`+tlpGreen+`"]`, `granular_markings:[{"lang":"de","selectors":["name"]}]`, `a~b:{"c/d":[1,"x"]}`)))
	if o.Type() != "tool" || o.Spec() != "2.1" || o.Version() != "2026-04-06T20:03:49.120Z" || o.Order() != "2026-04-06T20:03:49.12" || !o.Revoked() ||
		o.CreatedBy() != sampleIdentity || o.Name() != "a\nb" || !slices.Equal(o.MarkingRefs(), []string{tlpGreen}) ||
		len(o.Granular()) != 1 || o.Granular()[0].Lang != "de" || o.Text("/a~0b/c~1d/1") != "x" {
		t.Errorf("%s", o.Raw())
	}
	var texts []string
	o.EachString(func(property, text string) { texts = append(texts, property+"="+text) })
	if got := strings.Join(texts, "|"); !strings.HasSuffix(got, "|name=a\nb|created_by_ref="+sampleIdentity+"|object_marking_refs="+tlpGreen+"|lang=de|selectors=name|c/d=x") {
		t.Errorf("strings: %s", got)
	}
	if raw, ok := o.Select("granular_markings.[0].lang"); !ok || string(raw) != `"de"` {
		t.Errorf("select %s", raw)
	}
	for typ, want := range map[string]string{"url": "2.1", "tool": "2.0"} {
		if got := mustParse(t, `{"type":"`+typ+`","id":"x"}`).Spec(); got != want {
			t.Errorf("row 12: %s: %s", typ, got)
		}
	}
	if v := mustParse(t, `{"type":"file","id":"x","ctime":"2026-04-06T20:03:49.120Z"}`).Version(); v != "" {
		t.Errorf("an observable has version %q", v)
	}
	if v := mustParse(t, `{"type":"marking-definition","id":"x","created":"2026-04-06T20:03:49.120Z"}`).Version(); v == "" {
		t.Error("row 25: a marking has no version")
	}
}
