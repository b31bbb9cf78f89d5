package api

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/surface"
	"entente/label"
)

func init() {
	maps.Copy(asks, map[string][]probe{"GET /stream": {{"/stream?after=AAAA", ""}, {"/stream?nonsense=1", ""}}})
}

// askStream has a stream that is ended by the node's stop; it is asked last.
func askStream(w *world, do func(route, path, body string)) {
	close(w.stopping)
	do("GET /stream", "/stream?type=identity,malware", "")
}

// heard is one event.
type heard struct {
	id, name string
	Live
}

// ear reads one stream.
type ear struct {
	w     *world
	resp  *http.Response
	lines *bufio.Reader
	id    string // of the last event
	stop  context.CancelFunc
}

// serve is the interface over a connection, for a viewer.
func (w *world) serve(v gate.Viewer) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.http.ServeHTTP(rw, r.WithContext(surface.WithViewer(r.Context(), v)))
	}))
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) listen(s *httptest.Server, query, lastID string) *ear {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, get, s.URL+Prefix+"/stream"+query, nil)
	w.must(err)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := s.Client().Do(r)
	w.must(err)
	for end := time.Now().Add(2 * time.Minute); resp.StatusCode == 429 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // those that were closed may not have ended yet
		resp.Body.Close()
		resp, err = s.Client().Do(r)
		w.must(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != eventsType {
		w.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	e := &ear{w: w, resp: resp, lines: bufio.NewReader(resp.Body), stop: stop, id: lastID}
	w.t.Cleanup(e.close)
	if got, err := e.next(); err != nil || got.name != "" || got.id == "" { // where it begins
		w.t.Fatalf("%+v %v", got, err)
	}
	return e
}

func (e *ear) close() { e.stop(); e.resp.Body.Close() }

// next is the next event, or the next place where nothing is told.
func (e *ear) next() (h heard, err error) {
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return h, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			if h.id != "" || h.name != "" {
				return h, nil
			}
		case "id":
			h.id, e.id = value, value
		case "event":
			h.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &h.Live); err != nil || h.Live.name() != h.name {
				e.w.t.Errorf("%s: %s: %v", h.name, value, err)
			}
		}
	}
}

// hear is the next event with a name.
func (e *ear) hear() heard {
	e.w.t.Helper()
	for {
		h, err := e.next()
		e.w.must(err)
		if h.name != "" {
			return h
		}
	}
}

func TestStreamTellsWhatComesAndGoes(t *testing.T) {
	w := newWorld(t)
	col, err := w.client(admin).AddCollection(t.Context(), PutCollection{Title: "Open", Alias: "open", Read: []string{}, Write: []string{}})
	w.must(err)
	in := map[string][]string{"collection": {col.ID}}
	clear := `,"object_marking_refs":["` + label.TLPMarkingID(label.Clear, false) + `"]`
	analyst := admin
	analyst.Roles = []string{gate.RoleAnalyst}
	ours, audit, theirs := w.listen(w.serve(analyst), "", ""), w.listen(w.serve(admin), "?type=malware", ""), w.listen(w.serve(outsider), "", "")
	other := w.listen(w.serve(analyst), "?type=malware", "")

	w.importAll(admin, in, object(uuidOf(1), "One", green))
	w.importAll(admin, in, object(uuidOf(2), "Two", clear))
	for i := 1; i <= 2; i++ {
		if h := ours.hear(); h.Object == nil || h.Object.ID != "identity--"+uuidOf(i) || h.Object.Object != nil || h.Object.Origin.Org != "Utopia CERT" || h.id == "" {
			t.Errorf("%+v", h)
		}
	}
	if h := theirs.hear(); h.Object == nil || h.Object.ID != "identity--"+uuidOf(2) || h.Object.Origin.Person != "" {
		t.Errorf("%+v", h)
	}
	w.importAll(admin, nil, object(uuidOf(2), "Two", clear)) // it is here: nothing to tell
	w.must(errOf(w.client(admin).Remove(t.Context(), "identity--"+uuidOf(2), url.Values{"collection": {"open"}})))
	w.must(errOf(w.client(admin).Purge(t.Context(), "identity--"+uuidOf(1), false)))
	for i := 2; i >= 1; i-- {
		if h := ours.hear(); h.Removed == nil || h.Removed.ID != "identity--"+uuidOf(i) || h.Removed.Version == "" {
			t.Errorf("%+v", h)
		}
	}
	if h := theirs.hear(); h.Removed == nil || h.Removed.ID != "identity--"+uuidOf(2) {
		t.Errorf("%+v", h)
	}
	for _, verb := range []string{"object.remove", "object.purge"} {
		if h := audit.hear(); h.Act == nil || h.Act.Verb != verb || h.Act.Actor != "Utopia CERT/local" {
			t.Errorf("%+v", h)
		}
	}
	w.importAll(admin, nil, `{"type":"malware","spec_version":"2.1","id":"malware--`+uuidOf(3)+`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"M","is_family":false}`)
	if h := other.hear(); h.Object == nil || h.Object.Type != "malware" {
		t.Errorf("%+v", h)
	}
	close(w.stopping)
	for ours.hear().End == nil {
	}
	if _, err := ours.next(); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
}

// Whoever is cut off again and again, while many post, hears everything once and in order.
func TestStreamResumesWithoutLoss(t *testing.T) {
	w := newWorld(t)
	s := w.serve(admin)
	e := w.listen(s, "", "")
	const posters, posts, each = 4, 12, 25
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			for i := range posts {
				var b strings.Builder
				for k := range each {
					fmt.Fprint(&b, object(uuidOf((p*posts+i)*each+k), "streamed", green))
				}
				if _, err := w.client(admin).Import(context.Background(), strings.NewReader(b.String()), nil, func(Event) {}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var got []string
	for until := rand.IntN(60); len(got) < posters*posts*each; {
		if len(got) == until {
			e.close()
			e = w.listen(s, "", e.id)
			until += 1 + rand.IntN(200)
			continue
		}
		if h := e.hear(); h.Object != nil {
			got = append(got, h.Object.ID)
		}
	}
	wg.Wait()
	var order []string
	w.must(w.client(admin).Search(t.Context(), url.Values{"headers": {"true"}}, func(o Object) error { order = append(order, o.ID); return nil }))
	if !slices.Equal(got, order) {
		t.Errorf("%d were heard and %d are here, or in another order", len(got), len(order))
	}
	e = w.listen(s, "?after="+e.id, "")
	w.importAll(admin, nil, object(uuidOf(99_999), "the next one", green))
	if h := e.hear(); h.Object == nil || h.Object.ID != "identity--"+uuidOf(99_999) {
		t.Errorf("after the last one: %+v", h)
	}
}

// An id is good for its viewer only.
func TestStreamIDsAreTheViewersOwn(t *testing.T) {
	w := newWorld(t)
	e := w.listen(w.serve(admin), "", "")
	if status, body := w.ask(outsider, get, "/stream?after="+e.id, ""); status != 400 || !strings.Contains(body, "stream.after") {
		t.Errorf("%d %s", status, body)
	}
}

var (
	streamID  = regexp.MustCompile(`(?m)^id: (.*)$`)
	addedTime = regexp.MustCompile(`"added":"[^"]*"`)
)

// What is hidden changes no byte of a stream: neither of one that is open nor of one that is resumed.
func TestStreamInTwoWorlds(t *testing.T) {
	clear := `,"object_marking_refs":["` + label.TLPMarkingID(label.Clear, false) + `"]`
	beats(t, time.Hour) // one of them would be a difference, and say nothing of what is hidden
	var live, resumed [2]string
	for i := range 2 {
		w := newWorld(t)
		s := w.serve(outsider)
		e := w.listen(s, "", "")
		begin := e.id
		var heardLive strings.Builder
		e.lines = bufio.NewReader(io.TeeReader(e.resp.Body, &heardLive))
		for n := range 5 {
			if i == 1 {
				w.importAll(admin, nil, object(uuidOf(100+n), hiddenName, "")+object(uuidOf(200+n), hiddenName, unknownMark))
				w.importAll(admin, nil, object(uuidOf(300+n), hiddenName, green))
				w.must(errOf(w.client(admin).Purge(t.Context(), "identity--"+uuidOf(100+n), false)))
				w.must(errOf(w.client(admin).AddUser(t.Context(), AddUser{Name: fmt.Sprint("spy", n), Roles: []string{"reader"}, Password: "a long enough phrase"})))
			}
			w.importAll(admin, nil, object(uuidOf(n), "Open", clear))
			if h := e.hear(); h.Object == nil {
				t.Fatalf("%+v", h)
			}
		}
		e.close()
		live[i] = heardLive.String()
		close(w.stopping)
		_, resumed[i] = w.ask(outsider, get, "/stream?after="+begin, "")
	}
	even := func(text string) string {
		text = streamID.ReplaceAllStringFunc(text, func(m string) string { return fmt.Sprint("id of ", len(m)) })
		return addedTime.ReplaceAllString(errorIDs.ReplaceAllString(text, `"error_id":…`), `"added":…`)
	}
	for name, told := range map[string][2]string{"live": live, "resumed": resumed} {
		if a, b := even(told[0]), even(told[1]); a != b || strings.Count(a, "event: object") != 5 {
			t.Errorf("%s: what is hidden changes a stream:\n%s\n\n%s", name, a, b)
		}
	}
}

var errorIDs = regexp.MustCompile(`"error_id":"[^"]*"`)

// bouncer knows one token until it is taken away.
type bouncer struct{ out atomic.Bool }

func (b *bouncer) Authenticate(context.Context, string, string, string) (gate.Viewer, error) {
	return gate.Viewer{}, errBroken
}

func (b *bouncer) AuthenticateToken(context.Context, string) (gate.Viewer, error) {
	if b.out.Load() {
		return gate.Viewer{}, fault.New(fault.Unauthenticated, "auth.invalid", "the credentials are not valid")
	}
	return admin, nil
}

func (b *bouncer) AuthenticateCertificate(context.Context, *x509.Certificate, ...*x509.Certificate) (gate.Viewer, error) {
	return gate.Viewer{}, errBroken
}

func (b *bouncer) AuthenticateSession(context.Context, string) (gate.Viewer, identity.Session, error) {
	return gate.Viewer{}, identity.Session{}, errBroken
}

func (b *bouncer) CheckSession(context.Context, string) (gate.Viewer, identity.Session, error) {
	return gate.Viewer{}, identity.Session{}, errBroken
}

// behind is the interface behind a hall, with a token.
func (w *world) behind(b *bouncer, patience time.Duration, listener net.Listener) *httptest.Server {
	hall := surface.New(surface.Config{Credentials: b, Patience: patience})
	h := hall.Protect("api", Render(nil), w.http)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer x")
		h.ServeHTTP(rw, r)
	}))
	if listener != nil {
		s.Listener.Close()
		s.Listener = listener
	}
	s.Start()
	w.t.Cleanup(s.Close)
	return s
}

// beats sets how far heartbeats are apart, for one test.
func beats(t *testing.T, every time.Duration) {
	was := heartbeat
	heartbeat = every
	t.Cleanup(func() { heartbeat = was })
}

func TestStreamEndsWithItsCredential(t *testing.T) {
	beats(t, 20*time.Millisecond)
	w, b := newWorld(t), &bouncer{}
	s := w.behind(b, 0, nil)
	e := w.listen(s, "", "")
	for range 3 { // it lives on beats alone, each with a place to go on from
		if h, err := e.next(); err != nil || h.name != "" || h.id == "" {
			t.Fatalf("%+v %v", h, err)
		}
	}
	b.out.Store(true)
	if h := e.hear(); h.End == nil || h.End.Status != 401 {
		t.Errorf("%+v", h)
	}
	if _, err := e.next(); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
	s.CloseClientConnections()
}

// What comes after a credential has ended is not told, not even before the next heartbeat.
func TestNothingIsToldAfterTheCredential(t *testing.T) {
	w, b := newWorld(t), &bouncer{}
	s := w.behind(b, 0, nil)
	e := w.listen(s, "", "")
	b.out.Store(true)
	w.importAll(admin, nil, object(uuidOf(1), "late", green))
	if h := e.hear(); h.End == nil || h.End.Status != 401 {
		t.Errorf("%+v", h)
	}
	s.CloseClientConnections()
}

func TestStreamsAreCounted(t *testing.T) {
	w := newWorld(t)
	s := w.serve(admin)
	var ears []*ear
	for range streamsEach {
		ears = append(ears, w.listen(s, "", ""))
	}
	if status, body := w.ask(admin, get, "/stream", ""); status != 429 || !strings.Contains(body, "stream.many") {
		t.Fatalf("%d %s", status, body)
	}
	w.listen(w.serve(outsider), "", "")
	ears[0].close()
	w.opensAgain(s)
}

// opensAgain waits until there is room for one more stream.
func (w *world) opensAgain(s *httptest.Server) {
	w.t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := s.Client().Get(s.URL + Prefix + "/stream")
		if err == nil {
			if resp.Body.Close(); resp.StatusCode == 200 {
				return
			}
			err = errors.New(resp.Status)
		}
		if time.Now().After(end) {
			w.t.Fatalf("still %v", err)
		}
	}
}

// narrow is a listener whose connections hold little that nobody takes.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(4096))
	}
	return c, err
}

// Who does not listen is cut off, and has its room taken by others.
func TestSlowListenersAreCutOff(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	s := w.behind(&bouncer{}, 5*time.Second, narrow{l})
	var deaf []net.Conn
	for range streamsEach {
		c, err := net.Dial("tcp", l.Addr().String())
		w.must(err)
		defer c.Close()
		w.must(c.(*net.TCPConn).SetReadBuffer(4096))
		fmt.Fprintf(c, "GET %s/stream HTTP/1.1\r\nHost: node\r\n\r\n", Prefix)
		head := make([]byte, 12)
		_, err = io.ReadFull(c, head)
		w.must(err)
		if string(head) != "HTTP/1.1 200" {
			t.Fatalf("%s", head)
		}
		deaf = append(deaf, c)
	}
	var b strings.Builder
	for n := range 3000 {
		fmt.Fprint(&b, object(uuidOf(n), "loud", green))
	}
	w.importAll(admin, nil, b.String())
	w.opensAgain(s)
	w.must(deaf[0].SetReadDeadline(time.Now().Add(2 * time.Minute)))
	if got, err := io.ReadAll(deaf[0]); err == nil && strings.HasSuffix(string(got), "0\r\n\r\n") {
		t.Error("a stream that was cut off looks as if it had come to its end")
	}
}
