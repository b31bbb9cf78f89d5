package feed

import (
	"testing"
)

func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		csv   CSV
		body  string
		want  []string
		drops map[string]int64
	}{
		"by number": {CSV{Separator: ";", Columns: map[string]string{"value": "2", "description": "1"}}, "one; 192.0.2.1\ntwo;192.0.2.2;more\n\nthree\n",
			[]string{`192.0.2.1`, `"description":"two"`}, map[string]int64{"value.empty": 1}},
		"by title": {CSV{Header: true, Columns: map[string]string{"value": "IOC", "confidence": "level", "valid_until": "end", "labels": "tags", "link": "ref", "name": "what"}},
			"ioc,level,end,tags,ref,what\n\"evil[.]example\",high,2026-12-24 10:00:00,\"c2, \"\"x\"\"\",https://r.example/1,Big one\nold.example,3,2020-01-01,,,\nnew.example,7%,soon,,,\n",
			[]string{`"confidence":85`, `"valid_until":"2026-12-24T10:00:00.000Z"`, `"labels":["c2","\"x\""]`, `"url":"https://r.example/1"`, `"name":"Big one"`}, map[string]int64{"entry.expired": 1, "row.time": 1}},
		"titles in a comment": {CSV{Comment: "#", Header: true, Columns: map[string]string{"value": "ioc_value", "type": "ioc_type"}, Types: map[string]string{"ip:port": "ip-port", "envelope": "-"}},
			"\ufeff# Some words\n# \"first_seen\",\"ioc_value\",\"ioc_type\"\n\"2026\", \"192.0.2.9:443\", \"ip:port\"\n\"2026\", \"a@b.example\", \"envelope\"\n# end\n\"2026\",\"x\",\"odd\"\n",
			[]string{`network-traffic:dst_port = 443`}, map[string]int64{"type.passed": 1, "type.unknown": 1}},
		"an open quote": {CSV{Columns: map[string]string{"value": "1"}}, "192.0.2.1,a\n192.0.2.2,\"b\n192.0.2.3,c\n", []string{"192.0.2.1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := &page{body: c.body}
			w := newWorld(t, "", Config{Name: "t", Kind: "csv", URL: serve(t, p.ServeHTTP), Label: "tlp:green", CSV: c.csv, Limits: Limits{Dropped: 100}})
			r := w.run("t")
			if r.Result != Done {
				t.Fatalf("%+v %+v", r, r.Error)
			}
			got := w.indicators()
			for _, part := range c.want {
				if count(got, part) == 0 {
					t.Errorf("%s is not in %s", part, got)
				}
			}
			n := int64(0)
			for _, p := range r.Problems {
				if c.drops[p.Code] != p.Count {
					t.Errorf("%+v", p)
				}
				n++
			}
			if n != int64(len(c.drops)) {
				t.Errorf("%+v", r.Problems)
			}
		})
	}
}
