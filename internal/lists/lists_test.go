package lists

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/shareddata"
)

func published(t testing.TB) *Lists {
	t.Helper()
	return Load(Config{Files: shareddata.Dir(t, "misp")}, "", time.Now(), nil)
}

// What MISP's projects publish loads as it is.
func TestPublished(t *testing.T) {
	l := published(t)
	s := l.Summary()
	t.Logf("%d warning lists with %d entries, %d taxonomies, %d galaxies with %d clusters, %d templates; faults %+v", len(s.Warnings), s.Entries, s.Taxonomies, s.Galaxies, s.Clusters, s.Templates, s.Faults)
	if s.Entries < 500_000 || len(s.Warnings) < 100 || s.Taxonomies < 180 || s.Galaxies != 7 || s.Clusters < 1000 || s.Templates < 300 {
		t.Errorf("%d lists, %d entries, %d taxonomies, %d galaxies, %d clusters, %d templates", len(s.Warnings), s.Entries, s.Taxonomies, s.Galaxies, s.Clusters, s.Templates)
	}
	if hits := l.Check("", "8.8.8.8"); !slices.ContainsFunc(hits, func(h Hit) bool { return strings.Contains(h.List, "public DNS resolvers") && h.Description != "" }) {
		t.Errorf("8.8.8.8 stands on %+v", hits)
	}
	for _, v := range []string{"d41d8cd98f00b204e9800998ecf8427e", "8.8.8.8", "https://www.google.com/x", "127.0.0.1"} {
		if l.Known(v) == "" {
			t.Errorf("%s stands on no list", v)
		}
	}
	for _, v := range []string{"", "no-such-host.invalid-entente-zone", "44d88612fea8a8f36de82e1278abb02e", "7.7.7.7", strings.Repeat("x", 100_000), "\x00\xff"} {
		if list := l.Known(v); list != "" && !strings.Contains(list, "TLD") {
			t.Errorf("%.40q stands on %s", v, list)
		}
	}
	if terms := l.Terms("", `estimative-language:likelihood-probability="very-likely"`, 10); len(terms) != 1 || terms[0].Name == "" {
		t.Errorf("%+v", terms)
	}
	if terms := l.Terms("PHISHING", "", 5); len(terms) != 5 {
		t.Errorf("%+v", terms)
	}
	if all := l.Terms("", "", 1000); len(all) != s.Taxonomies {
		t.Errorf("%d taxonomies", len(all))
	}
	found := l.Clusters("apt28", "", 10)
	if len(found) == 0 {
		t.Fatal("nobody is called APT28")
	}
	if one := l.Clusters("", found[0].Tag, 10); len(one) != 1 || one[0].UUID != found[0].UUID {
		t.Errorf("%s is explained as %+v", found[0].Tag, one)
	}
	if tpl, ok := l.Template("file"); !ok || tpl.MetaCategory != "file" {
		t.Errorf("%+v", tpl)
	}
}

// Every file that cannot be read is named, and the others are there.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("w/good/list.json", `{"name":"Good","version":1,"type":"string","list":["evil.example"]}`)
	put("w/entry/list.json", `{"name":"Entry","version":1,"type":"cidr","list":["192.0.2.0/24","no network"]}`)
	put("w/cut/list.json", `{"name":"Cut"`)
	put("w/packed/list.json.gz", "\x1f\x8b damaged")
	put("w/README.md", "not looked at")
	l := Load(Config{Warninglists: "w", Taxonomies: "nowhere"}, dir, time.Now(), nil)
	s := l.Summary()
	var files []string
	for _, f := range s.Faults {
		files = append(files, f.File)
		if strings.Contains(f.Message+f.File, dir) {
			t.Errorf("the fault tells of the machine: %+v", f)
		}
	}
	slices.Sort(files)
	if want := []string{"cut/list.json", "misp-warninglists", "nowhere", "packed/list.json.gz"}; !slices.Equal(files, want) {
		t.Errorf("faults in %q, not %q", files, want)
	}
	if s.Entries != 2 || l.Known("evil.example") != "Good" || l.Known("192.0.2.7") != "Entry" {
		t.Errorf("%+v", s)
	}
	if empty := Load(Config{}, dir, time.Now(), nil); empty.Known("evil.example") != "" || len(empty.Summary().Faults) != 0 || len(empty.Terms("x", "", 1)) != 0 {
		t.Error("without a configuration something is loaded")
	}
}

// What is read anew counts from then on, also where a file has gone or can no longer be read.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "list.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(`{"name":"Known","version":1,"type":"string","list":["a.example"]}`)
	at := time.Unix(1767225600, 0)
	l := Load(Config{Warninglists: dir}, "", at, nil)
	put(`{"name":"Known","version":2,"type":"string","list":["b.example","c.example"]}`)
	if l.Known("a.example") == "" || l.Known("b.example") != "" {
		t.Error("the list is read although nobody asked")
	}
	if s := l.Reload(at.Add(time.Hour)); s.Entries != 2 || !s.Loaded.Equal(at.Add(time.Hour)) || !s.Loaded.Equal(l.Summary().Loaded) {
		t.Errorf("%+v", s)
	}
	if l.Known("a.example") != "" || l.Known("b.example") != "Known" {
		t.Error("the list is as it was")
	}
	put(`{"name":`)
	if s := l.Reload(at); s.Entries != 0 || len(s.Faults) != 1 || l.Known("b.example") != "" {
		t.Errorf("%+v", s)
	}
}

func FuzzCheck(f *testing.F) {
	for _, v := range []string{"8.8.8.8", "a@b.example", "http://[::1]:80/x", "::", "/", "..", "a|b", "1.1.1.1/99"} {
		f.Add(v)
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "list.json"), []byte(`{"name":"x","type":"hostname","list":["b.example"]}`), 0o600); err != nil {
		f.Fatal(err)
	}
	l := Load(Config{Warninglists: dir}, "", time.Now(), nil)
	f.Fuzz(func(t *testing.T, v string) {
		if known, hits := l.Known(v), l.Check("", v); (known == "") != (len(hits) == 0) {
			t.Errorf("%q: %q and %+v", v, known, hits)
		}
	})
}

func BenchmarkKnown(b *testing.B) {
	l := published(b)
	values := []string{"host-1.evil.example", "198.51.100.7", "d41d8cd98f00b204e9800998ecf8427f", "http://evil.example/a/b", strings.Repeat("ab", 32)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Known(values[i%len(values)])
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		published(b)
	}
}
