package mispapi

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"entente/misp"
)

func TestPaths(t *testing.T) {
	for path, want := range map[string]struct {
		action string
		args   []string
		named  map[string][]string
	}{
		"/servers/getVersion":                         {"servers/getVersion", []string{}, map[string][]string{}},
		"/servers/getVersion.json":                    {"servers/getVersion", []string{}, map[string][]string{}},
		"/events":                                     {"events/index", []string{}, map[string][]string{}},
		"/events/view/a-b/deleted[]:0/deleted[]:1":    {"events/view", []string{"a-b"}, map[string][]string{"deleted": {"0", "1"}}},
		"/eventReports/add/1":                         {"event_reports/add", []string{"1"}, map[string][]string{}},
		"/analyst_data/index/Note/uuid[]:x.json":      {"analyst_data/index", []string{"Note"}, map[string][]string{"uuid": {"x"}}},
		"/shadow_attributes/index/all:1/limit:5.json": {"shadow_attributes/index", []string{}, map[string][]string{"all": {"1"}, "limit": {"5"}}},
	} {
		action, args, named, ok := ParsePath(path)
		if !ok || action != want.action || !reflect.DeepEqual(append([]string{}, args...), want.args) || !reflect.DeepEqual(named, want.named) {
			t.Errorf("%s: %q %q %q %v", path, action, args, named, ok)
		}
	}
	for _, path := range []string{"", "/", "//", "/events//view", "/events/../users", "/a:b", "/" + strings.Repeat("a", maxPath)} {
		if action, _, _, ok := ParsePath(path); ok {
			t.Errorf("%.40s is taken for %s", path, action)
		}
	}
}

func TestFreeText(t *testing.T) {
	got := map[string]string{}
	for _, a := range found("see hxxps://bad[.]example/x, 192.0.2.1 (also 2001:db8::1) and D41D8CD98F00B204E9800998ECF8427E; mail a@b.example. CVE-2024-1 CVE-2024-3400 www.x.example plain words 1.2 v2.0") {
		got[a.Value] = a.Type
	}
	want := map[string]string{"https://bad.example/x": "url", "192.0.2.1": "ip-dst", "2001:db8::1": "ip-dst", "d41d8cd98f00b204e9800998ecf8427e": "md5", "a@b.example": "email",
		"CVE-2024-3400": "vulnerability", "www.x.example": "hostname"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTerms(t *testing.T) {
	is := func(tags ...string) func(string) bool {
		return func(term string) bool {
			for _, tag := range tags {
				if matchText(term, tag) {
					return true
				}
			}
			return false
		}
	}
	for _, c := range []struct {
		terms []string
		tags  []string
		want  bool
	}{
		{nil, nil, true}, {[]string{"a"}, []string{"a"}, true}, {[]string{"a"}, []string{"b"}, false}, {[]string{"!a"}, []string{"b"}, true}, {[]string{"!a"}, []string{"a"}, false},
		{[]string{"a", "!b"}, []string{"a", "b"}, false}, {[]string{"tlp:%"}, []string{"TLP:CLEAR"}, true}, {[]string{"%x%y"}, []string{"axby"}, true}, {[]string{"%x%y"}, []string{"axbz"}, false},
	} {
		if pass(c.terms, is(c.tags...)) != c.want {
			t.Errorf("%q over %q is not %v", c.terms, c.tags, c.want)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/events/view/1", "/a/b/c:d/e[]:f.json", "/::/", "/eventReports/ADD/%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		action, args, _, ok := ParsePath(path)
		if !ok {
			return
		}
		if strings.Count(action, "/") != 1 {
			t.Errorf("%q", action)
		}
		for _, a := range args {
			if a == "" || a == ".." || strings.Contains(a, "/") {
				t.Errorf("%q", a)
			}
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"tags":{"OR":["a"],"NOT":["b"]},"limit":"5"}`, `[{"Attribute":{"value":["a","b"],"type":"x"}}]`, `{"request":{"a":[[[[1]]]]}}`, `{"Note":[{"Note":[{}]}]}`, `{"Sighting":null}`} {
		f.Add([]byte(s))
	}
	s := New(Config{}, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &call{s: s, r: httptest.NewRequest("POST", "/misp/x", nil), w: httptest.NewRecorder(), body: body, params: params{}}
		if c.readParams() == nil {
			for name := range c.params {
				c.params.list(name)
				c.params.flag(name)
				c.params.count(name, 1)
			}
			s.filterOf(c.params)
			s.attributeFilterOf(c.params, true)
		}
		items(body, "Attribute", "Sighting")
		c.attributesIn()
		c.objectIn()
		analystIn(body)
		found(string(body))
		var e misp.Event
		if misp.Decode(body, &e) == nil {
			(&Rules{Tags: []string{"x"}, Distributions: []string{"0"}}).event(&e)
		}
	})
}
