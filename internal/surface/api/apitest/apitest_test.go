package apitest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const small = `{"openapi":"3.1.0","servers":[{"url":"/v"}],
"paths":{"/things":{"get":{"parameters":[{"name":"limit","in":"query","schema":{"type":"integer","minimum":1}},{"name":"kind","in":"query","explode":false,"schema":{"type":"array","items":{"type":"string","enum":["a","b"]}}}],
 "responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},"400":{"content":{"application/problem+json":{"schema":{"type":"object"}}}}}},
 "post":{"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}}}},"responses":{"204":{}}}},
"/things/{id}":{"get":{"responses":{"200":{"content":{"application/x-ndjson":{"schema":{"type":"integer"}}}}}}}},
"components":{"schemas":{"Thing":{"type":"object","properties":{"at":{"type":"string","format":"date-time"},"n":{"anyOf":[{"type":"integer"},{"type":"string","enum":["all"]}]},"of":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["at"]}}}}`

func TestCheckFindsWhatIsNotInTheDocument(t *testing.T) {
	d, err := Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	const at = `"at":"2026-01-01T00:00:00Z"`
	for _, c := range []struct {
		method, url, body string
		status            int
		media, answer     string
		want              string // of the error; empty: none
	}{
		{"GET", "/v/things?limit=2&kind=a,b", "", 200, "application/json", `{` + at + `,"n":3,"of":{"x":1}}`, ""},
		{"GET", "/v/things", "", 200, "application/json", `{` + at + `,"n":"all"}`, ""},
		{"GET", "/v/things", "", 200, "application/json", `{"n":1}`, "at is missing"},
		{"GET", "/v/things", "", 200, "application/json", `{` + at + `,"more":1}`, "/more is not in the document"},
		{"GET", "/v/things", "", 200, "application/json", `{` + at + `,"n":1.5}`, "/n"},
		{"GET", "/v/things", "", 200, "application/json", `{` + at + `,"n":null}`, "/n"},
		{"GET", "/v/things", "", 200, "application/json", `{` + at + `,"of":{"x":"1"}}`, "/of/x"},
		{"GET", "/v/things", "", 200, "application/json", `{"at":"yesterday"}`, "/at"},
		{"GET", "/v/things", "", 200, "application/json", `[]`, "type"},
		{"GET", "/v/things", "", 200, "text/html", `{}`, "text/html is not"},
		{"GET", "/v/things", "", 418, "application/json", `{}`, "the status is not"},
		{"GET", "/v/things?limit=0", "", 200, "application/json", `{` + at + `}`, "limit"},
		{"GET", "/v/things?kind=c", "", 200, "application/json", `{` + at + `}`, "kind"},
		{"GET", "/v/things?colour=red", "", 200, "application/json", `{` + at + `}`, "colour is read and not"},
		{"GET", "/v/things?colour=red", "", 400, "application/problem+json", `{}`, ""},
		{"HEAD", "/v/things", "", 200, "application/json", ``, ""},
		{"POST", "/v/things", `{"name":"x"}`, 204, "", "", ""},
		{"POST", "/v/things", `{"name":"x"}`, 204, "", "x", "should be empty"},
		{"POST", "/v/things", `{"name":"x","more":1}`, 204, "", "", "/more"},
		{"POST", "/v/things", `{}`, 204, "", "", "name is missing"},
		{"GET", "/v/things/1", "", 200, "application/x-ndjson", "1\n2\n", ""},
		{"GET", "/v/things/1", "", 200, "application/x-ndjson", "1\n\"2\"\n", "type"},
		{"PUT", "/v/things/1", "", 405, "", "", ""},
		{"PUT", "/v/things/1", "", 200, "", "", "is not in the document"},
		{"GET", "/v/others", "", 200, "", "", "is not in the document"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Check(Exchange{Method: c.method, URL: u, Body: []byte(c.body), Status: c.status, Header: http.Header{"Content-Type": {c.media}}, Answer: []byte(c.answer)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s %d %s: %v, want %q", c.method, c.url, c.status, c.answer, err, c.want)
		}
	}
	if got := d.Statuses("GET /things"); len(got) != 3 || got[0] != 200 {
		t.Errorf("%v", got)
	}
}
