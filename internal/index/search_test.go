package index

import (
	"context"
	"slices"
	"testing"
)

func TestSearch(t *testing.T) {
	w := newWorld(t)
	w.take(us,
		malware(1, "clear", "Emotet", "A banking trojan that became a loader. Dropped by CVE-2017-11882."),
		malware(2, "clear", "TrickBot", "Often dropped by emotet; steals credentials", `"labels":["Crimeware"]`),
		malware(3, "green", "Café Loader", "Straße, naïve, Ελλάδα, 网络攻击 2024", `"aliases":["Emotet two"]`),
		indicator(4, "clear", "[ipv4-addr:value = '198.51.100.7']"),
		indicator(5, "clear", "[ipv4-addr:value = '198.51.100.0/24']"),
		indicator(6, "clear", "[domain-name:value = 'www.evil.example']"),
		indicator(7, "clear", "[url:value = 'http://cdn.evil.example/drop/a.exe']"),
		indicator(8, "clear", "[file:hashes.MD5 = 'D41D8CD98F00B204E9800998ECF8427E']"),
		indicator(9, "clear", "[ipv6-addr:value = '2001:db8::1']"),
		indicator(10, "clear", `[mutex:name = 'Global\\M-77']`),
		indicator(11, "amber", "[domain-name:value = 'evil.example']"),
		indicator(12, "clear", "[ipv4-addr:value = '198.51.100.128/25']"),
	)
	w.take(us, sdo("identity", 20, "clear", `"name":"Utopia Analysis Cell","identity_class":"group"`),
		malware(21, "clear", "Zebra", "by the cell", `"created_by_ref":"`+id("identity", 20)+`"`, `"revoked":true`))
	for _, c := range []struct{ query, want string }{
		{"emotet", "mal1 mal3 mal2"}, // is called so, has it in a name, has it in the text
		{"EMOT*", "mal3 mal1 mal2"},
		{"emot", ""},
		{"emotet loader", "mal3 mal1"},
		{`"banking trojan"`, "mal1"},
		{`"trojan banking"`, ""},
		{`-"banking trojan" emotet`, "mal3 mal2"},
		{"emotet -loader", "mal2"},
		{"cafe", "mal3"}, {"naive ΕΛΛΆΔΑ", "mal3"}, {"网络", "mal3"}, {"络网", ""}, {"网 击", "mal3"},
		{"CVE-2017-11882", "mal1"}, {"cve-2017*", "mal1"}, {"11882", "mal1"},
		{"type:malware label:crimeware", "mal2"},
		{"type:malware -label:crimeware emotet", "mal1 mal3"},
		{"tlp:green", "mal3"}, {"tlp:amber", "ind11"},
		{"value:198.51.100.7", "ind5 ind4"}, {"value:198[.]51.100.7", "ind5 ind4"}, {"value:198.51.100.200", "ind12 ind5"},
		{"value:198.51.100.0/25", "ind5 ind4"}, {"value:198.51.0.0/16", "ind12 ind5 ind4"}, {"value:0.0.0.0/0", "ind12 ind5 ind4"},
		{"value:198.51.101.0/24", ""},
		{"value:evil.example", "ind11 ind7 ind6"}, {"value:EVIL[.]example", "ind11 ind7 ind6"}, {"value:www.evil.example", "ind11 ind6"},
		{"value:hxxp://cdn.evil[.]example/drop/a.exe", "ind11 ind7"}, {"value:vil.example", ""},
		{"value:d41d8cd98f00b204e9800998ecf8427e", "ind8"}, {"D41D8CD98F00B204E9800998ECF8427E", "ind8"}, {"d41d8cd9*", "ind8"},
		{"value:2001:DB8:0::1", "ind9"}, {"value:2001:db8::/32", "ind9"},
		{`value:Global\M-77`, "ind10"}, {`global\m-77`, "ind10"}, {`M-77`, "ind10"},
		{"hxxp://cdn.evil[.]example/dr*", "ind7"}, {"198.51.100.1*", "ind12"},
		{`author:"utopia analysis"`, "mal21"}, {"author:" + id("identity", 20), "mal21"}, {"author:nobody", ""},
		{"revoked:true", "mal21"}, {"revoked:false type:malware", "mal3 mal2 mal1"},
		{`source:"Utopia CERT" type:malware revoked:no`, "mal3 mal2 mal1"}, {"source:test type:identity", "ide20"}, {"source:uto tlp:green", "mal3"},
		{"since:2026-11-21 type:identity", "ide20"}, {"since:1h type:identity", "ide20"}, {"until:2026-11-20", ""}, {"since:2027", ""},
		{"id:" + id("malware", 2), "mal2"}, {"id:" + id("malware", 99), ""},
		{"", "mal21 ide20 ind12 ind11 ind10 ind9 ind8 ind7 ind6 ind5 ind4 mal3 mal2 mal1"},
		{"nothing-of-this", ""}, {"*", "mal21 ide20 ind12 ind11 ind10 ind9 ind8 ind7 ind6 ind5 ind4 mal3 mal2 mal1"},
	} {
		if got := w.finds(us, c.query); got != c.want {
			t.Errorf("%s: got %q, want %q", c.query, got, c.want)
		}
	}
}

func TestTyping(t *testing.T) {
	w := newWorld(t)
	w.take(us, malware(1, "clear", "Emotet", ""), malware(2, "clear", "Emperor", "emotet"), malware(3, "clear", "Other", "remote"))
	for _, c := range []struct{ query, want string }{
		{"em", "mal2 mal1"}, {"emo", "mal1 mal2"}, {"emotet", "mal1 mal2"}, {"emotet ", "mal1 mal2"}, {"emot ", ""}, {"emperor emo", "mal2"},
		{`"emo`, ""}, {"type:", "mal3 mal2 mal1"}, {"e", ""},
	} {
		if got := w.hits(us, Query{Text: c.query, Typing: true}); got != c.want {
			t.Errorf("%q: got %q, want %q", c.query, got, c.want)
		}
	}
	words, err := w.x.Suggest(context.Background(), w.scope(us), "em", 10)
	if err != nil || !slices.Equal(words, []Count{{"emotet", 2}, {"emperor", 1}}) {
		t.Errorf("%v %v", words, err)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		name := "Other"
		if i%3 == 0 {
			name = "Zebra crossing"
		}
		if i == 10 {
			name = "zebra"
		}
		w.take(us, malware(i+1, "clear", name, "zebra"))
	}
	for _, sort := range []Sort{Relevance, Newest} {
		all := w.hits(us, Query{Text: "zebra", Sort: sort, Limit: 1000})
		for _, limit := range []int{1, 3, 7, 24, 25} {
			got, next := "", ""
			for {
				res, err := w.x.Search(context.Background(), w.scope(us), Query{Text: "zebra", Sort: sort, Limit: limit, After: next})
				w.must(err)
				if res.Total != 25 || len(res.Hits) > limit {
					t.Fatalf("%d hits of %d", len(res.Hits), res.Total)
				}
				for _, h := range res.Hits {
					got += " " + short(h.ID)
				}
				if next = res.Next; next == "" {
					break
				}
			}
			if got[1:] != all {
				t.Errorf("by %d: %s\nall: %s", limit, got, all)
			}
		}
	}
	if _, err := w.x.Search(context.Background(), w.scope(us), Query{After: "x"}); err == nil {
		t.Error("a cursor that is none was taken")
	}
}
