package indicator

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix"
	"entente/stix/pattern"
)

func openList(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := os.Open(shareddata.Dir(t, "indicators", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if !strings.HasSuffix(name, ".gz") {
		return f
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// corpus is the recorded lists, with what of each becomes an indicator and why the rest does not: names of numbers, expressions, values cut off
// by who published them, rows without a fingerprint.
var corpus = []struct {
	name string
	o    ListOptions
	in   int
	left map[string]int
}{
	{"ipv4.txt.gz", ListOptions{Kind: IPv4}, 902_512, nil},
	{"ipv6.txt.gz", ListOptions{Kind: IPv6}, 2_362, nil},
	{"cidr.txt.gz", ListOptions{Kind: CIDR}, 6_153, nil},
	{"md5.txt.gz", ListOptions{Kind: MD5}, 17_118, nil},
	{"sha1.txt.gz", ListOptions{Kind: SHA1}, 11_044, nil},
	{"sha256.txt.gz", ListOptions{Kind: SHA256}, 118_222, nil},
	{"urls.txt.gz", ListOptions{Kind: URL}, 165_986, map[string]int{"indicator.url": 6}},
	{"domains.txt.gz", ListOptions{Kind: Domain}, 1_349_775, map[string]int{"indicator.domain": 5}},
	{"other.txt.gz", ListOptions{}, 131, map[string]int{"indicator.domain": 53}},
	{"zeek-intel-all.intel.gz", ListOptions{}, 363_820, map[string]int{"indicator.domain": 3, "indicator.url": 83}},
	{"extra/hash-iocs.txt.gz", ListOptions{Format: CSV, Comma: ';'}, 3_224, nil},
	{"extra/ja4plus-mapping.csv", ListOptions{Format: CSV, Column: "ja4", Kind: JA4}, 35, map[string]int{LeftLine: 31}},
}

// readCorpus reads all lists into an index, each as one source, and hands every value to each.
func readCorpus(t testing.TB, each func(source string, v Value)) *Snapshot {
	b := NewBuilder(Key{1})
	for _, l := range corpus {
		m := b.Meta(Meta{Source: l.name, Label: "TLP:CLEAR", Confidence: -1})
		in, left := 0, map[string]int{}
		err := ReadList(openList(t, l.name), l.o, func(v Value) error {
			in++
			each(l.name, v)
			return b.Add(v, m)
		}, func(_ int, why Left) { left[why.Code]++ })
		if err != nil {
			t.Fatal(err)
		}
		if in != l.in || !maps.Equal(left, l.left) {
			t.Errorf("%s gives %d indicators and leaves %v, and should give %d and leave %v", l.name, in, left, l.in, l.left)
		}
	}
	return b.Snapshot(0)
}

// All recorded indicators load, and every value meets what a map of all values says it meets.
func TestTheRecordedLists(t *testing.T) {
	if testing.Short() {
		t.Skip("2.9 million indicators take a while")
	}
	sources := map[Value][]string{}
	s := readCorpus(t, func(source string, v Value) {
		if have := sources[v]; len(have) == 0 || have[len(have)-1] != source {
			sources[v] = append(have, source)
		}
	})
	want := map[Kind]int{}
	for v, from := range sources {
		want[v.Kind] += len(from)
	}
	for _, k := range Kinds() {
		if s.Count(k) != want[k] {
			t.Errorf("%d indicators of %s, and %d were read", s.Count(k), k, want[k])
		}
	}
	t.Logf("%d indicators %v: %.2f octets each in the index, %.2f with ids, %.2f with everything", s.Len(), want,
		float64(s.IndexBytes())/float64(s.Len()), float64(s.IndexBytes()+s.IDBytes())/float64(s.Len()), float64(s.Size())/float64(s.Len()))

	table, err := NewTable(s, Decay{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for v, from := range sources {
		if n++; n%8 != 0 || v.Kind == CIDR {
			continue
		}
		met := map[string]bool{}
		table.Lookup(v.Kind, []byte(strings.TrimPrefix(v.Text(), "*.")), noon, func(h Hit) {
			if h.Value == v {
				met[h.Meta.Source] = true
			} else if _, real := sources[h.Value]; !real {
				t.Errorf("%s %q meets %s %q, which nobody gave", v.Kind, v.Text(), h.Value.Kind, h.Value.Text())
			}
		})
		if len(met) != len(from) {
			t.Errorf("%s %q is met from %v, and is in %v", v.Kind, v.Text(), met, from)
		}
		// A name, digest or address that nobody gave is met by what is around it only.
		if v.Kind == MD5 || v.Kind == SHA256 || v.Kind == Mutex {
			other := Value{Kind: v.Kind, key: string(v.key[0]^0x55) + v.key[1:]}
			if _, real := sources[other]; !real {
				table.Lookup(v.Kind, []byte(other.Text()), noon, func(h Hit) { t.Errorf("%s meets %s", other.Text(), h.Value.Text()) })
			}
		}
	}
}

// Every pattern of the recorded STIX is either a list of values, all of which are found, or is handed on with a reason.
func TestTheRecordedPatterns(t *testing.T) {
	codes, plain, all := map[string]int{}, 0, 0
	for _, folder := range []string{"spyware-iocs/*.json*", "elevator-2.1/*.json*", "oasis-examples/*.json*", "misp-stix-tests/*.json*", "unit42-playbooks/playbook_json/*"} {
		files := shareddata.Files(t, folder, "stix")
		read := 0
		for name, raw := range files {
			if read++; read > 12 {
				break
			}
			_, err := stix.Split(bytes.NewReader(raw), func(raw []byte) error {
				o, err := stix.Parse(bytes.Clone(raw))
				if err != nil || o.Type() != "indicator" {
					return nil
				}
				all++
				m, values, left := FromObject(o)
				if m.Source != o.ID() || len(values)+len(left) == 0 {
					t.Errorf("%s: %s gives nothing and no reason", name, o.ID())
				}
				for _, l := range left {
					codes[l.Code]++
				}
				p, err := pattern.Parse(o.Text("/pattern"))
				if err != nil || len(left) > 0 {
					return nil
				}
				plain++
				tests := 0
				p.EachTest(func(x *pattern.Test) { tests += max(1, len(x.Set)) })
				if len(values) > tests || len(values) < (tests+1)/2 {
					t.Errorf("%s gives %d values", p, len(values))
				}
				b := NewBuilder(Key{})
				for _, v := range values {
					if err := b.Add(v, b.Meta(m)); err != nil {
						t.Fatal(err)
					}
				}
				table, _ := NewTable(b.Snapshot(0), Decay{})
				for _, v := range values {
					if v.Kind == CIDR {
						continue
					}
					found := false
					table.Trace(v.Kind, []byte(strings.TrimPrefix(v.Text(), "*.")), noon, func(h Hit) { found = found || h.Value == v && h.Meta.Source == o.ID() })
					if !found {
						t.Errorf("%s: %q of %s is not found", name, v.Text(), o.ID())
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d of %d indicators are lists of values; the others: %v", plain, all, codes)
	if plain < all/2 {
		t.Error("most recorded patterns are lists of values")
	}
}

func ExampleOf() {
	for _, text := range []string{"203[.]0.113.7", "hxxps://Example[.]ORG:443/a/../b", "EXAMPLE.org.", "d41d8cd98f00b204e9800998ecf8427e", "192.0.2.77/24"} {
		v, err := Of(text)
		fmt.Println(v.Kind, v.Text(), err)
	}
	// Output:
	// ipv4 203.0.113.7 <nil>
	// url https://example.org/b <nil>
	// domain example.org <nil>
	// md5 d41d8cd98f00b204e9800998ecf8427e <nil>
	// cidr 192.0.2.0/24 <nil>
}
