package node

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/taxii"
)

// bench is one row's own collection and what its last request got.
type bench struct {
	t      testing.TB
	w      *world
	row    int
	coll   string
	as     string       // who asks; empty: alice
	header http.Header  // added to each request
	client *http.Client // nil: the world's
	Code   int
	Header http.Header
	Body   string
}

// the root that every node has
const root = "/taxii2/api/"

func (w *world) bench(t testing.TB, row int) *bench {
	b := &bench{t: t, w: w, row: row, header: http.Header{}}
	b.coll = w.collection(exchange.Collection{Policy: exchange.Flag})
	return b
}

// do sends a request. A path without a leading slash is below the row's collection.
func (b *bench) do(method, path, body string) *bench {
	b.t.Helper()
	return b.send(method, path, strings.NewReader(body))
}

func (b *bench) send(method, path string, body io.Reader) *bench {
	b.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = root + "collections/" + b.coll + "/" + path
	}
	r, err := http.NewRequest(method, b.w.n.URL()+path, body)
	must(b.t, err)
	if strings.HasPrefix(path, "//") { // or it would be read as a host
		r.URL.Opaque = "//" + r.URL.Host + path
	}
	if s, ok := body.(*strings.Reader); ok && s.Len() == 0 {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.Header.Set("Accept", taxii.MediaType)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", taxii.MediaType)
	}
	if token := b.w.tokens[b.who()]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range b.header {
		r.Header[k] = v
	}
	client := b.client
	if client == nil {
		client = b.w.http
	}
	resp, err := client.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	b.read(resp)
	if ct := b.Header["Content-Type"]; len(ct) != 1 || ct[0] != taxii.MediaType {
		b.t.Errorf("%s %.200s: %d with Content-Type %q: %.300s", method, path, b.Code, ct, b.Body)
	}
	if b.Code >= 400 {
		b.checkError(method + " " + path)
	}
	return b
}

func (b *bench) who() string {
	if b.as == "" {
		return alice
	}
	return b.as
}

func (b *bench) read(resp *http.Response) {
	b.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(b.t, err)
	b.Code, b.Header, b.Body = resp.StatusCode, resp.Header, string(body)
}

// checkError holds every error to section 3.6.1, and says that none is the node's own failure.
func (b *bench) checkError(what string) {
	b.t.Helper()
	if b.Body != "" {
		var e struct {
			Title      string            `json:"title"`
			HTTPStatus string            `json:"http_status"`
			ErrorID    string            `json:"error_id"`
			ErrorCode  string            `json:"error_code"`
			Details    map[string]string `json:"details"`
		}
		if err := json.Unmarshal([]byte(b.Body), &e); err != nil || e.Title == "" || e.HTTPStatus != strconv.Itoa(b.Code) || e.ErrorID == "" || e.ErrorCode == "" {
			b.t.Errorf("%.200s: %d with error body %s (%v)", what, b.Code, b.Body, err)
		}
		if b.Code == 400 || b.Code == 422 || b.Code == 406 || b.Code == 415 {
			if e.Details["field"] == "" && e.Details["pointer"] == "" && !strings.Contains(b.Body, `"pointer":""`) || e.Details["rule"] == "" && b.Code != 415 {
				b.t.Errorf("%.200s: the error names no field or rule: %s", what, b.Body)
			}
		}
	}
	if b.Code == 500 {
		b.t.Errorf("%.200s: %d %s", what, b.Code, b.Body)
	}
	if (b.Code == 429 || b.Code == 503 || b.Code == 507) && b.Header.Get("Retry-After") == "" {
		b.t.Errorf("%s: %d without Retry-After", what, b.Code)
	}
}

func (b *bench) get(path string) *bench { b.t.Helper(); return b.do(http.MethodGet, path, "") }

func envelope(objects ...string) string { return `{"objects":[` + strings.Join(objects, ",") + `]}` }

func (b *bench) post(objects ...string) *bench {
	b.t.Helper()
	return b.do(http.MethodPost, "objects/", envelope(objects...))
}

func (b *bench) want(status int) *bench {
	b.t.Helper()
	if b.Code != status {
		b.t.Errorf("status %d, want %d: %s", b.Code, status, b.Body)
	}
	return b
}

func (b *bench) body(want string) *bench {
	b.t.Helper()
	if b.Body != want {
		b.t.Errorf("body\n %s\nwant\n %s", b.Body, want)
	}
	return b
}

// stored posts objects and wants every one of them stored.
func (b *bench) stored(objects ...string) status {
	b.t.Helper()
	st := into[status](b.post(objects...).want(202))
	if st.SuccessCount != len(objects) || st.Status != "complete" {
		b.t.Errorf("%s", b.Body)
	}
	return st
}

// status is a status resource as a client reads it.
type status struct {
	ID           string   `json:"id"`
	Status       string   `json:"status"`
	Requested    string   `json:"request_timestamp"`
	TotalCount   int      `json:"total_count"`
	SuccessCount int      `json:"success_count"`
	FailureCount int      `json:"failure_count"`
	PendingCount int      `json:"pending_count"`
	Successes    []detail `json:"successes"`
	Failures     []detail `json:"failures"`
	Pendings     []detail `json:"pendings"`
}

type detail struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message"`
}

// await polls a status until it is complete.
func (b *bench) await(st status) status {
	b.t.Helper()
	for began := time.Now(); st.Status != "complete"; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			b.t.Fatalf("still %+v", st)
		}
		st = into[status](b.get(root + "status/" + st.ID + "/").want(200))
		if st.TotalCount != st.SuccessCount+st.FailureCount+st.PendingCount {
			b.t.Fatalf("the counts disagree: %s", b.Body)
		}
	}
	return st
}

func into[T any](b *bench) T {
	b.t.Helper()
	var v T
	if err := json.Unmarshal([]byte(b.Body), &v); err != nil {
		b.t.Fatalf("%s: %v", b.Body, err)
	}
	return v
}

// id is the id of the row's object of a type and number: rows never share objects, for the store would know them.
func (b *bench) id(typ string, n int) string {
	return fmt.Sprintf("%s--%08d-0000-4000-8000-%012d", typ, b.row, n)
}

// obj is a valid object; extra members come as JSON text that begins with a comma.
func (b *bench) obj(typ string, n int, modified string, extra ...string) string {
	return fmt.Sprintf(`{"type":%q,"id":%q,"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":%q,"name":"n"%s}`,
		typ, b.id(typ, n), modified, strings.Join(extra, ""))
}

// old is an object of STIX 2.0.
func (b *bench) old(typ string, n int, modified string) string {
	return strings.Replace(b.obj(typ, n, modified), `"spec_version":"2.1",`, "", 1)
}

// sco is an object without versions.
func (b *bench) sco(n int) string {
	return fmt.Sprintf(`{"type":"mutex","id":%q,"spec_version":"2.1","name":"m%d-%d"}`, b.id("mutex", n), b.row, n)
}

// marking that lets every viewer have an object
const clearRef = `,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`

func on(day string) string { return "2026-01-" + day + "T00:00:00.000Z" }

// found lists the objects of the last page as "tool1@01": type, number and day, with "old" for STIX 2.0.
func (b *bench) found() string {
	b.t.Helper()
	page := into[struct {
		Objects []struct {
			ID       string `json:"id"`
			Type     string `json:"type"`
			Spec     string `json:"spec_version"`
			Modified string `json:"modified"`
		} `json:"objects"`
	}](b)
	var out []string
	for _, o := range page.Objects {
		n, _ := strconv.Atoi(o.ID[len(o.ID)-12:])
		s := o.Type + strconv.Itoa(n)
		if o.Modified != "" {
			s += "@" + strings.TrimSuffix(strings.TrimPrefix(o.Modified, "2026-01-"), "T00:00:00.000Z")
		}
		if o.Spec == "" {
			s += "old"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// record is a manifest record.
type manifestRecord struct {
	ID      string `json:"id"`
	Added   string `json:"date_added"`
	Version string `json:"version"`
	Media   string `json:"media_type"`
}

func (b *bench) records(path string) []manifestRecord {
	b.t.Helper()
	return into[struct {
		Objects []manifestRecord `json:"objects"`
	}](b.get(path).want(200)).Objects
}

// added are the dates added of everything in the row's collection, in order.
func (b *bench) added() (out []string) {
	b.t.Helper()
	for _, r := range b.records("manifest/?match[version]=all&match[spec_version]=2.0,2.1") {
		out = append(out, r.Added)
	}
	return out
}

type frame struct {
	More bool   `json:"more"`
	Next string `json:"next"`
}

// twoPages posts two objects and returns the token of the second page of one.
func (b *bench) twoPages() string {
	b.t.Helper()
	b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 2, on("01")))
	f := into[frame](b.get("objects/?limit=1").want(200))
	if !f.More || f.Next == "" {
		b.t.Fatalf("no second page: %s", b.Body)
	}
	return f.Next
}

// threeVersions stores versions 01, 03, 02 of tool 1 in that order, and one campaign.
func (b *bench) threeVersions() *bench {
	b.t.Helper()
	b.stored(b.obj("tool", 1, on("01")), b.obj("tool", 1, on("03")), b.obj("campaign", 1, on("01")), b.obj("tool", 1, on("02")))
	return b
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func unzipped(t testing.TB, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	must(t, err)
	out, err := io.ReadAll(z)
	must(t, err)
	return string(out)
}
