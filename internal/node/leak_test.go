package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"entente/internal/surface/api"
	"entente/internal/surface/api/apitest"
)

// What is hidden from a viewer must not change anything that it gets: the same requests are made in two worlds that differ only in
// what is hidden, and the two transcripts must be the same byte for byte, once what is random by design has been evened out.

// exchanged is one request with its answer.
type exchanged struct {
	asked  string // as the script has it
	answer string // status, headers, body
}

// session is one viewer in one world, with everything it was told.
type session struct {
	t     *testing.T
	w     *leakWorld
	name  string // whose token it has
	auth  func(*http.Request)
	lines []exchanged
	// limits are the sizes of pages in which lists are followed to their end.
	limits []int
}

// documented is what every answer of the native interface is held to.
var documented = func() *apitest.Document {
	d, err := apitest.Read(api.Document())
	if err != nil {
		panic(err)
	}
	return d
}()

// ask makes one request. Names in braces, such as {open}, stand for what this world calls them. A line of headers may follow the
// path after a space: "/x Accept: text/html".
func (s *session) ask(method, target, body string) *httptest.ResponseRecorder {
	path, header, _ := strings.Cut(target, " ")
	r := httptest.NewRequest(method, s.w.fill(path), strings.NewReader(s.w.fill(body)))
	if strings.HasPrefix(path, "/taxii2") && method == http.MethodPost {
		r.Header.Set("Content-Type", "application/taxii+json;version=2.1")
	}
	if strings.HasPrefix(path, "/setup/") && method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	if strings.Contains(path, "/search") || strings.Contains(path, "/neighbours") || strings.Contains(path, "/paths") || path == api.Prefix+"/index" { // how far it lags is a matter of time
		s.w.must(s.w.n.index.Sync(s.t.Context()))
	}
	s.auth(r)
	rec := httptest.NewRecorder()
	if strings.HasPrefix(path, api.Prefix+"/stream") {
		listen(s.w.n.public, rec, r)
	} else {
		s.w.n.public.ServeHTTP(rec, r)
	}
	if s.w.settle != nil && method != http.MethodGet && method != http.MethodHead {
		s.w.settle()
	}
	res := rec.Result()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", res.StatusCode)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range res.Header {
			if !yield(n) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(res.Header[name], "; "))
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&b, "\n%s", answer)
	if strings.HasPrefix(path, api.Prefix+"/") {
		if err := documented.Check(apitest.Exchange{Method: method, URL: r.URL, Body: []byte(s.w.fill(body)), Status: res.StatusCode, Header: res.Header, Answer: answer}); err != nil {
			s.t.Errorf("not as the API's document has it: %v", err)
		}
	}
	s.lines = append(s.lines, exchanged{method + " " + target + " " + body, b.String()})
	if res.StatusCode >= 500 && path != "/readyz" {
		s.t.Errorf("%s %s: %s", method, target, b.String())
	}
	rec.Body = bytes.NewBuffer(answer)
	return rec
}

func (s *session) get(target string) *httptest.ResponseRecorder {
	return s.ask(http.MethodGet, target, "")
}

// page asks for a list at once, and follows it to its end in pages of several sizes; in the smallest ones where it is not filtered.
func (s *session) page(target string) {
	s.get(target)
	limits, sep := s.limits, "&"
	if !strings.Contains(target, "?") {
		limits, sep = append([]int{1}, limits...), "?"
	}
	for _, limit := range limits {
		first := fmt.Sprintf("%s%slimit=%d", target, sep, limit)
		for at, pages := first, 0; at != ""; pages++ {
			m := nextToken.FindStringSubmatch(s.get(at).Body.String())
			if at = ""; m != nil {
				at = first + "&next=" + m[1]
			}
			if pages > 200 {
				s.t.Fatalf("%s has no end", first)
			}
		}
	}
}

var (
	streamID   = regexp.MustCompile(`(?m)^id: .*$`)
	nextToken  = regexp.MustCompile(`"next":"([^"]+)"`)
	nextParam  = regexp.MustCompile(`next=[A-Za-z0-9_-]+`)
	errorID    = regexp.MustCompile(`"error_id":"[A-Z2-7]{26}"`)
	heldToken  = regexp.MustCompile(`"id":"A[A-Za-z0-9_-]{54}"`)
	rankedTime = regexp.MustCompile(`<time [0-9]+>`)
	indexFiles = regexp.MustCompile(`"segments":[0-9]+,"bytes":[0-9]+`)          // by how much the index took in at once
	purgedAs   = regexp.MustCompile(`"searched":[0-9]+,"commit":"[0-9a-f]{64}"`) // how large the files were just then, and a salted sum
	pending    = regexp.MustCompile(`"status":"pending"`)
	madeDigest = regexp.MustCompile(`"digest":"[0-9a-f]{64}"`)                                                      // of what the node made, and gave a time
	lastDrawn  = regexp.MustCompile(`"last":[0-9]+`)                                                                // a place of the journal, which is drawn
	serial     = regexp.MustCompile(`\b179[0-9]{7}\b`)                                                              // of what is blocked: a time in seconds
	ofSerial   = regexp.MustCompile(`(?m)^(Etag|Entente-Signature): .*$|"(payload|sig|keyid)":"[A-Za-z0-9+/=_-]+"`) // sums of files that name it, and signatures over them
	notAfter   = regexp.MustCompile(`("notafter":"[0-9-]+T[0-9]{2}):[0-9:.]+Z`)                                     // from when it came, cut off at its second: two may be the same time or not, and no hour ends
	seconds    = regexp.MustCompile(`"seconds":[0-9.e-]+`)
	anyUUID    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|blob--[0-9a-f]{32}|(?:alert|notice)-[0-9a-f]{24}`)
	anyTime    = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z`)
)

// evened is the transcript without what is random by design: ids of errors, ids that the server makes (by the order in which they
// are met), sealed positions (by their length), and times (by their order).
func (s *session) evened() []exchanged {
	rank := map[string]int{}
	for i := range s.lines {
		l := &s.lines[i]
		if strings.Contains(l.asked, "/api/v1/block") { // it says one time with and without its fraction of a second, which may be two times or one
			l.answer = anyTime.ReplaceAllString(l.answer, "<time>")
			l.answer = serial.ReplaceAllString(ofSerial.ReplaceAllString(l.answer, "$1<>"), "<serial>")
		}
		l.answer = notAfter.ReplaceAllString(l.answer, "$1")
		for _, text := range []string{l.asked, l.answer} {
			for _, t := range anyTime.FindAllString(text, -1) {
				rank[plainTime(t)] = 0
			}
		}
	}
	for i, t := range slices.Sorted(maps.Keys(rank)) {
		rank[t] = i
	}
	ids := map[string]int{}
	even := func(text string) string {
		text = nextToken.ReplaceAllStringFunc(text, func(m string) string { return fmt.Sprintf(`"next":<%d>`, len(m)) })
		text = nextParam.ReplaceAllStringFunc(text, func(m string) string { return fmt.Sprintf("next=<%d>", len(m)) })
		text = streamID.ReplaceAllStringFunc(text, func(m string) string { return fmt.Sprintf("id: <%d>", len(m)) })
		text = heldToken.ReplaceAllString(text, `"id":"<held>"`)
		text = errorID.ReplaceAllString(text, `"error_id":<>`)
		text = lastDrawn.ReplaceAllString(text, `"last":<>`)
		text = indexFiles.ReplaceAllString(text, `"segments":<>,"bytes":<>`)
		text = purgedAs.ReplaceAllString(text, `"searched":<>,"commit":<>`)
		text = seconds.ReplaceAllString(text, `"seconds":<>`)
		text = madeDigest.ReplaceAllString(text, `"digest":<>`)
		text = anyUUID.ReplaceAllStringFunc(text, func(id string) string {
			if strings.Contains(id, fixedUUID) {
				return id
			}
			if _, ok := ids[id]; !ok {
				ids[id] = len(ids)
			}
			return fmt.Sprintf("<id %d>", ids[id])
		})
		return anyTime.ReplaceAllStringFunc(text, func(t string) string { return fmt.Sprintf("<time %d>", rank[plainTime(t)]) })
	}
	out := make([]exchanged, len(s.lines))
	for i, l := range s.lines {
		out[i] = exchanged{even(l.asked), even(l.answer)}
	}
	return out
}

// firstDifference is the first answer that differs, first of all in more than its times, as these are numbered across all answers; -1 is none.
func firstDifference(a, b []exchanged) int {
	found := -1
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if rankedTime.ReplaceAllString(a[i].answer, "") != rankedTime.ReplaceAllString(b[i].answer, "") {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	if found < 0 && len(a) != len(b) {
		return min(len(a), len(b)) - 1
	}
	return found
}

// plainTime compares as times do: JSON leaves out the last zeros of a fraction.
func plainTime(t string) string {
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(t, "Z"), ".")
	return whole + "." + (fraction + "000000000")[:9]
}

// compareTranscripts reports the first answer that differs.
func compareTranscripts(t *testing.T, a, b *session) {
	t.Helper()
	var x, y []exchanged
	var sides sync.WaitGroup
	sides.Go(func() { x = a.evened() })
	sides.Go(func() { y = b.evened() })
	sides.Wait()
	if i := firstDifference(x, y); i >= 0 {
		from := differsAt(x[i].answer, y[i].answer)
		t.Errorf("what is hidden changes an answer, from byte %d on, and the number of answers from %d to %d.\nasked: %s\nwith it, asked: %s\nwithout it: …%s\nwith it: …%s",
			from, len(x), len(y), clipped(x[i].asked, 0), clipped(y[i].asked, 0), clipped(x[i].answer, from), clipped(y[i].answer, from))
		onlyTimes(t, "with it", b, a)
		onlyTimes(t, "without it", a, b)
	}
}

// onlyTimes logs the first times that one session was told and the other was not: by them the numbers of all later ones differ.
func onlyTimes(t *testing.T, which string, one, other *session) {
	known := map[string]bool{}
	for _, l := range other.lines {
		for _, at := range anyTime.FindAllString(l.asked+l.answer, -1) {
			known[plainTime(at)] = true
		}
	}
	left := 5
	for _, l := range one.lines {
		for _, at := range anyTime.FindAllString(l.answer, -1) {
			if !known[plainTime(at)] && left > 0 {
				left--
				t.Logf("only %s: %s in the answer to %s: %s", which, at, l.asked, clipped(l.answer, strings.Index(l.answer, at)))
				known[plainTime(at)] = true
			}
		}
	}
}

// differsAt is where two texts begin to differ.
func differsAt(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// clipped is what stands around a place.
func clipped(s string, at int) string {
	from := max(at-200, 0)
	return s[from:min(len(s), from+700)]
}

// searchTaints looks in everything that a viewer was told for hidden words, in the forms in which they could get out. A word that the
// viewer itself wrote before is no secret to it.
func searchTaints(t *testing.T, s *session, taints []string) {
	t.Helper()
	for _, told := range toldOf(s.lines, taints) {
		t.Error(told)
	}
}

// toldOf says which words stand where, at most five of them.
func toldOf(lines []exchanged, taints []string) (out []string) {
	var said strings.Builder
	for _, l := range lines {
		said.WriteString(l.asked)
	}
	type needle struct{ taint, form string }
	byStart := map[[6]byte][]needle{} // so that an answer is looked through once for all of them
	for _, taint := range taints {
		if strings.Contains(said.String(), taint) {
			continue
		}
		for _, form := range formsOf(taint) {
			start := [6]byte([]byte(form))
			byStart[start] = append(byStart[start], needle{taint, form})
		}
	}
	told := map[needle]bool{}
	for _, l := range lines {
		text := []byte(l.answer)
		for i := 0; i+6 <= len(text); i++ {
			for _, n := range byStart[[6]byte(text[i:])] {
				if told[n] || !strings.HasPrefix(l.answer[i:], n.form) {
					continue
				}
				if told[n] = true; len(told) > 5 {
					return out
				}
				out = append(out, fmt.Sprintf("%q, hidden, is told as %q.\nasked: %s\n%s", n.taint, n.form, clipped(l.asked, 0), clipped(l.answer, i)))
			}
		}
	}
	return out
}

// TestTaintsAreFound makes sure that a word is found in each of its forms, wherever it stands.
func TestTaintsAreFound(t *testing.T) {
	const word = "qzname000007qz"
	for _, form := range append(formsOf(word), base64.StdEncoding.EncodeToString([]byte("a text with "+word+" in it"))) {
		if told := toldOf([]exchanged{{"GET /", "…" + form + "…"}}, []string{"qzother00009qz", word}); len(told) == 0 {
			t.Errorf("%q was not found", form)
		}
		if told := toldOf([]exchanged{{"GET /" + word, "…" + form + "…"}}, []string{word}); len(told) != 0 { // who says it may be told it
			t.Error(told)
		}
	}
}

// formsOf are a word, its base64 at each of the three places where it can begin, its hex and its SHA-256.
func formsOf(word string) []string {
	forms := []string{word, hex.EncodeToString([]byte(word)), strings.ToUpper(hex.EncodeToString([]byte(word)))}
	for pad := range 3 {
		enc := base64.RawStdEncoding.EncodeToString(append(make([]byte, pad), word...))
		enc = enc[(pad*8+5)/6:]
		forms = append(forms, enc[:len(enc)-2], strings.NewReplacer("+", "-", "/", "_").Replace(enc[:len(enc)-2]))
	}
	sum := sha256.Sum256([]byte(word))
	forms = append(forms, hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]))
	if plain := strings.ReplaceAll(word, "-", ""); plain != word {
		forms = append(forms, plain)
	}
	return forms
}
