package node

import (
	"net/url"
	"strings"
)

// findingScript asks search and the graph, with words, values and ids of hidden things.
func findingScript(reading leakScript) {
	const base = "/api/v1"
	queries := []string{"", "shared", "withheld", "hidden", "second version", `"second version"`, "sha*", "qz*", "-shared", "type:indicator", "type:report,relationship,grouping", "type:campaign", "tlp:green",
		"tlp:red", "tlp:amber,amber+strict", "value:198.51.100.3", "value:198.51.100.0/24", "value:0.0.0.0/0", "value:shared-1.example", "value:example", "author:" + fixedID("identity", 1), "author:hidden",
		"id:" + fixedID("indicator", 1000), "id:" + fixedID("indicator", 2), "source:import", `source:"Utopia CERT"`, `source:"` + freedonia + `"`, "source:RUR", "label:qz", "since:2020", "until:2020", "since:1h", "revoked:false",
		"report -circle", "as one that", "tlp:blue", "since:x", `"open`, "revoked:perhaps"}
	reading["api GET /search"] = func(s *session) {
		for _, q := range queries {
			s.page(base + "/search?q=" + url.QueryEscape(q))
			s.get(base + "/search?facets=true&sort=newest&q=" + url.QueryEscape(q))
			s.get(base + "/search?typing=true&headers=true&q=" + url.QueryEscape(q))
		}
		for _, f := range []string{"type=indicator,tool", "tlp=green", "tlp=red", "label=crimeware", "since=2020-01-01", "until=1h", "type=indicator&tlp=clear&since=2026"} {
			s.page(base + "/search?facets=true&" + f)
		}
		for _, c := range []string{"open", "{open}", "vault", "{vault}", "{foreign}", "box", "shown", "nowhere"} {
			s.page(base + "/search?q=shared&collection=" + c)
		}
		for _, bad := range []string{"limit=0", "next=AAAA", "sort=x", "facets=true&collection=open", "tlp=blue", "since=x", "fresh=perhaps", "nonsense=1"} {
			s.get(base + "/search?" + bad)
		}
		s.ask("HEAD", base+"/search?q=hidden", "")
		s.ask("PUT", base+"/search", "")
	}
	reading["api GET /search/words"] = func(s *session) {
		for _, q := range []string{"", "s", "sh", "qz", "hid", "wi", "198.51", "second", "example", "f1ed0"} {
			s.get(base + "/search/words?q=" + q)
			s.get(base + "/search/words?limit=1&q=" + q)
		}
		s.get(base + "/search/words?limit=0")
	}
	reading["api GET /objects/{id}/neighbours"] = func(s *session) {
		for _, id := range probed() {
			s.page(base + "/objects/" + id + "/neighbours")
			for _, q := range []string{"direction=in", "direction=out", "direction=up", "relationship=related-to", "relationship=object,created_by", "type=indicator,report", "next=AAAA"} {
				s.get(base + "/objects/" + id + "/neighbours?" + q)
			}
		}
	}
	reading["api GET /objects/{id}/paths"] = func(s *session) {
		for _, from := range []string{fixedID("indicator", 1), fixedID("indicator", 1000), fixedID("report", 53), fixedID("report", 111)} {
			for _, to := range probed() {
				s.get(base + "/objects/" + from + "/paths?to=" + to)
			}
			for _, q := range []string{"", "to=" + fixedID("report", 52) + "&depth=1", "to=x&depth=9", "to=" + fixedID("indicator", 2) + "&skip=related-to,object", "depth=x&to=y"} {
				s.get(base + "/objects/" + from + "/paths?" + q)
			}
		}
	}
	reading["api GET /objects/{id}/provenance"] = func(s *session) {
		for _, id := range probed() {
			s.page(base + "/objects/" + id + "/provenance")
		}
	}
	reading["api GET /index"] = func(s *session) { s.get(base + "/index"); s.get(base + "/index?" + strings.Repeat("x", 9)) }
}
