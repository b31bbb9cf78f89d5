package faulttest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
	"entente/label"
)

// memoryBound is what the process may take after any request, in bytes.
const memoryBound = 700 << 20

// hostile is a request that nobody means well with, and what has to be answered.
type hostile struct {
	name   string
	method string // GET, or POST when there is a body
	path   string // objects of the collection
	header http.Header
	body   func() io.Reader
	status int
	says   []string // parts of the body: the field, the rule
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

// object is an envelope around an object that differs from a good indicator by what changes.
func object(change ...string) func() io.Reader {
	h := fnv.New64a()
	h.Write([]byte(strings.Join(change, "")))
	raw := string(sample.New(h.Sum64()).Indicator(label.Green).Raw)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(raw, change[i]) {
			return text(change[i] + " does not stand in the sample")
		}
		raw = strings.Replace(raw, change[i], change[i+1], 1)
	}
	return text(`{"objects":[` + raw + `]}`)
}

// repeated is a reader of a very long text.
func repeated(head, unit string, n int, tail string) func() io.Reader {
	return func() io.Reader {
		return io.MultiReader(strings.NewReader(head), &repeater{unit: strings.Repeat(unit, 4096), left: n * len(unit)}, strings.NewReader(tail))
	}
}

type repeater struct {
	unit string
	at   int
	left int
}

func (r *repeater) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(b) && r.left > 0 {
		k := copy(b[n:min(len(b), n+r.left)], r.unit[r.at:])
		n, r.left, r.at = n+k, r.left-k, (r.at+k)%len(r.unit)
	}
	return n, nil
}

// bomb is a body of many spaces, in gzip.
func bomb(size int64) func() io.Reader {
	return func() io.Reader {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.Copy(z, io.LimitReader(&repeater{unit: strings.Repeat(" ", 1<<16), left: int(size)}, size))
		z.Close()
		return &b
	}
}

const indicatorHead = `{"objects":[{"type":"indicator","spec_version":"2.1","id":"indicator--6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d",` +
	`"created":"2025-01-01T00:00:00.000Z","modified":"2025-01-01T00:00:00.000Z","pattern":"[file:name = 'a']","pattern_type":"stix",` +
	`"valid_from":"2025-01-01T00:00:00Z"`

func hostiles() []hostile {
	gz := http.Header{"Content-Encoding": {"gzip"}}
	return []hostile{
		// bodies that are no envelope
		{name: "nothing", body: text(""), status: 400, says: []string{"envelope.malformed", "I-JSON"}},
		{name: "null", body: text("null"), status: 422, says: []string{"envelope"}},
		{name: "a list", body: text("[]"), status: 422, says: []string{"an envelope is a JSON object"}},
		{name: "no objects", body: text("{}"), status: 422, says: []string{"/objects"}},
		{name: "objects is text", body: text(`{"objects":"all"}`), status: 422, says: []string{"/objects", "list"}},
		{name: "an object is a number", body: text(`{"objects":[7]}`), status: 422, says: []string{"/objects/0"}},
		{name: "cut off", body: text(`{"objects":[{"type":"indic`), status: 400, says: []string{"ends too early"}},
		{name: "something follows", body: text(`{"objects":[{}]}{}`), status: 400, says: []string{"follows"}},
		{name: "a name twice", body: text(`{"objects":[{"type":"a","type":"b"}]}`), status: 400, says: []string{"/objects/0/type", "twice"}},
		{name: "objects twice", body: text(`{"objects":[{}],"objects":[{}]}`), status: 400, says: []string{"twice"}},
		{name: "no UTF-8", body: text("{\"objects\":[{\"type\":\"\xff\xfe\"}]}"), status: 400, says: []string{"Unicode"}},
		{name: "half a surrogate", body: text(`{"objects":[{"type":"\ud800"}]}`), status: 400, says: []string{"Unicode"}},
		{name: "UTF-16", body: text("\xff\xfe{\x00}\x00"), status: 400, says: []string{"envelope.malformed"}},
		{name: "control characters", body: text("{\"objects\":[{\"type\":\"\x00\x01\"}]}"), status: 400, says: []string{"not valid JSON"}},
		{name: "depth of the envelope", body: repeated("", "[", 1_000_000, ""), status: 400, says: []string{"nested too deep"}},
		{name: "depth of an object", body: repeated(`{"objects":[{"x":`, `{"x":`, 200_000, ""), status: 400, says: []string{"deep"}},
		{name: "depth that is closed", body: text(`{"objects":[{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}]}`), status: 400, says: []string{"deep"}},
		{name: "a million empty objects", body: repeated(`{"objects":[{}`, ",{}", 1_000_000, "]}"), status: 413, says: []string{"/objects", "several envelopes"}},
		{name: "a million empty lists", body: repeated(`{"x":[[]`, ",[]", 1_000_000, "]}"), status: 422, says: []string{"/objects"}},
		{name: "more bytes than may be", body: repeated(`{"objects":[{"x":"`, "a", 120<<20, `"}]}`), status: 413, says: []string{"max_content_length"}},
		{name: "a string of 100 MB", body: repeated(indicatorHead+`,"description":"`, "a", 100_000_000, `"}]}`), status: 202,
			says: []string{`"failure_count":1`, "100000276 bytes", "limit"}},
		{name: "a gzip bomb", header: gz, body: bomb(1 << 29), status: 413, says: []string{"max_content_length"}},
		{name: "no gzip", header: gz, body: text(`{"objects":[{}]}`), status: 400, says: []string{"content.unreadable"}},
		{name: "unknown coding", header: http.Header{"Content-Encoding": {"br"}}, body: text("x"), status: 415, says: []string{"Content-Encoding"}},
		{name: "not TAXII", header: http.Header{"Content-Type": {"application/json"}}, body: text(`{"objects":[{}]}`), status: 415, says: []string{"Content-Type"}},

		// objects that are none: the post is taken, and its status says what failed by which rule
		{name: "an empty object", body: text(`{"objects":[{}]}`), status: 202, says: []string{`"failure_count":1`, "section"}},
		{name: "wrong type of a property", body: object(`"confidence":`, `"confidence":"high","x_a":`), status: 202, says: []string{`"failure_count":1`, "confidence", "section"}},
		{name: "type is a list", body: object(`"type":"indicator"`, `"type":["indicator"]`), status: 202, says: []string{`"failure_count":1`, "type"}},
		{name: "id is an object", body: object(`"id":"`, `"id":{"a":1},"x_id":"`), status: 202, says: []string{`"failure_count":1`, "id"}},
		{name: "no such day", body: object(`"created":"2025-01-01`, `"created":"2025-02-30`), status: 202, says: []string{`"failure_count":1`, "created", "section"}},
		{name: "a local time", body: object(`"modified":"2025-01-01T00`, `"modified":"2025-01-01 00`), status: 202, says: []string{`"failure_count":1`, "modified"}},
		{name: "year 0", body: object(`"created":"2025-01-01`, `"created":"0000-00-00`), status: 202, says: []string{`"failure_count":1`, "created"}},
		{name: "a time of 100,000 digits", body: object(`"valid_from":"`, `"valid_from":"2025-01-01T00:00:00.`+strings.Repeat("9", 100_000)+`Z","x_b":"`), status: 202,
			says: []string{"_count"}},
		{name: "a huge number", body: object(`"confidence":`, `"confidence":1e999999,"x_a":`), status: 202, says: []string{`"failure_count":1`, "confidence"}},
		{name: "a number of 100,000 digits", body: object(`"confidence":`, `"confidence":`+strings.Repeat("9", 100_000)+`,"x_a":`), status: 202,
			says: []string{`"failure_count":1`, "confidence"}},
		{name: "a pattern that nests", body: object(`"pattern":"`, `"pattern":"`+strings.Repeat("(", 50_000)+`","x_p":"`), status: 202, says: []string{`"failure_count":1`, "pattern"}},
		{name: "a pattern that backtracks", body: object(`"pattern":"`, `"pattern":"[file:name MATCHES '(a+)+$']","x_p":"`), status: 202, says: []string{"_count"}},
		{name: "100,000 markings", body: object(`"object_marking_refs":[`, `"object_marking_refs":[`+strings.Repeat(`"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",`, 15_000)), status: 202,
			says: []string{"_count"}},
		{name: "a marking nobody knows", body: object(`"object_marking_refs":["`, `"object_marking_refs":["marking-definition--11111111-1111-4111-8111-111111111111","`), status: 202,
			says: []string{"quarantine", "marking-definition--11111111-1111-4111-8111-111111111111"}},

		// queries
		{name: "limit 0", path: "?limit=0", status: 400, says: []string{"limit", "section 3.4"}},
		{name: "limit -1", path: "?limit=-1", status: 400, says: []string{"limit"}},
		{name: "limit beyond any number", path: "?limit=" + strings.Repeat("9", 400), status: 200},
		{name: "limit twice", path: "?limit=1&limit=2", status: 400, says: []string{"limit", "once"}},
		{name: "unknown filter", path: "?match[colour]=red", status: 200},
		{name: "broken escape", path: "?match[id]=%zz", status: 400, says: []string{"query"}},
		{name: "no date", path: "?added_after=yesterday", status: 400, says: []string{"added_after"}},
		{name: "no version", path: "?match[version]=newest", status: 400, says: []string{"match[version]"}},
		{name: "no spec version", path: "?match[spec_version]=two", status: 400, says: []string{"match[spec_version]"}},
		{name: "a forged next", path: "?next=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", status: 400, says: []string{"next"}},
		{name: "next is SQL", path: "?next=%27%20OR%201=1%20--", status: 400, says: []string{"next"}},
		{name: "next is long", path: "?next=" + strings.Repeat("A", 20_000), status: 400, says: []string{"next"}},
		{name: "10,000 ids", path: "?match[id]=" + strings.Repeat("a,", 9999) + "a", status: 400, says: []string{"match[id]", "too many"}},
		{name: "an id of SQL", path: "?match[id]=%27%3BDROP%20TABLE%20record%3B--", status: 200},
		{name: "an object that is not there", path: "indicator--00000000-0000-4000-8000-000000000000/", status: 404, says: []string{"http_status"}},
		{name: "a path that climbs", path: "..%2f..%2f..%2fetc%2fpasswd/", status: 404, says: []string{"http_status"}},
		{name: "a path with a zero byte", path: "a%00b/", status: 404, says: []string{"http_status"}},
		{name: "no such method", method: "BREW", status: 405, says: []string{"GET"}},
		{name: "PUT", method: "PUT", status: 405, says: []string{"GET"}},

		// headers
		{name: "accepts nothing of ours", header: http.Header{"Accept": {"text/html"}}, status: 406, says: []string{"Accept", "section 3.1"}},
		{name: "a garbled Accept", header: http.Header{"Accept": {strings.Repeat("a/b;q=,,;;", 2000)}}, status: 406, says: []string{"Accept"}},
		{name: "a garbled credential", header: http.Header{"Authorization": {"Basic !!!"}}, status: 401, says: []string{"credential"}},
		{name: "an unknown scheme", header: http.Header{"Authorization": {"Magic x"}}, status: 401, says: []string{"credential"}},
		{name: "a long token", header: http.Header{"Authorization": {"Bearer " + strings.Repeat("A", 30_000)}}, status: 401},
		{name: "a range", header: http.Header{"Range": {"bytes=0-0,-1,5-2"}}, status: 200},
		{name: "headers without end", header: http.Header{"X-A": {strings.Repeat("a", 72_000)}}, status: 431},
	}
}

func TestHostileRequestsAreAnswered(t *testing.T) {
	n := served(t, "")
	good := client(t, n, testnode.Analyst)
	fine := string(testnode.Envelope(sample.New(3).File().Raw))
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			c := client(t, n, testnode.Analyst)
			method, body := http.MethodGet, io.Reader(nil)
			if h.body != nil {
				method, body = http.MethodPost, h.body()
			}
			if h.method != "" {
				method = h.method
			}
			a, err := c.Do(t.Context(), method, testnode.Objects+h.path, h.header, body)
			if err != nil {
				t.Fatal(err)
			}
			shown := a.Body[:min(len(a.Body), 1000)]
			if a.Status != h.status {
				t.Errorf("the answer is %d, want %d: %s", a.Status, h.status, shown)
			}
			for _, part := range h.says {
				if !bytes.Contains(a.Body, []byte(part)) {
					t.Errorf("the answer does not say %q: %s", part, shown)
				}
			}
			if a.Status >= 400 && a.Status != http.StatusRequestHeaderFieldsTooLarge {
				if err := isTAXIIError(a); err != nil {
					t.Errorf("%v: %s", err, shown)
				}
			}
			if len(a.Body) > 2<<20 {
				t.Errorf("the answer has %d bytes", len(a.Body))
			}
			stillWell(t, n, good, fine)
		})
	}
}

// isTAXIIError checks an error resource (TAXII 2.1 section 3.6.1).
func isTAXIIError(a testnode.Answer) error {
	var e struct {
		Title  string `json:"title"`
		Status string `json:"http_status"`
	}
	if err := json.Unmarshal(a.Body, &e); err != nil {
		return fmt.Errorf("the error is not JSON: %w", err)
	}
	if e.Title == "" || e.Status != fmt.Sprint(a.Status) || a.Header.Get("Content-Type") != testnode.Media {
		return fmt.Errorf("not an error resource of TAXII, with the type %q", a.Header.Get("Content-Type"))
	}
	return nil
}

// stillWell checks that the process lives, works, and has not kept what it was fed.
func stillWell(t *testing.T, n *testnode.Node, c *testnode.Client, envelope string) {
	t.Helper()
	if !n.Alive() {
		t.Fatal("the process has ended")
	}
	if s := must(c.Post(t.Context(), []byte(envelope)))(t); s.Success != 1 {
		t.Fatalf("a good post ends as %+v", s)
	}
	if runtime.GOOS != "linux" {
		return
	}
	var rss int64
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // the collector has its own time
		if rss = must(n.Memory("VmRSS"))(t); rss < memoryBound {
			return
		}
	}
	t.Errorf("the process holds %d MiB", rss>>20)
}
