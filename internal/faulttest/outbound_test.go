package faulttest

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/notify"
	"entente/internal/surface/api"
	"entente/register"
)

// stranger is a server elsewhere that answers as it should, or as the path says.
type stranger struct {
	*httptest.Server
	bad    atomic.Bool
	round  atomic.Int64 // of good answers
	canary string       // a server that nobody is to reach
	hits   atomic.Int64 // of connections to it
}

// badAddress stands in everything that is answered in bad faith, and must be found nowhere.
const badAddress = "203.0.113.66"

// misdeeds are what a stranger does by the name of a feed or webhook, and what of it is told.
var misdeeds = []struct {
	name, kind, says string
	do               func(s *stranger, w http.ResponseWriter, r *http.Request)
}{
	{"silent", "list", "not complete after 20s", func(_ *stranger, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"slow", "list", "not complete after 20s", func(_ *stranger, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprintln(w, badAddress)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}},
	{"endless", "list", "more than 1048576 bytes", func(_ *stranger, w http.ResponseWriter, r *http.Request) {
		for lines := []byte(strings.Repeat(badAddress+"\n", 1000)); r.Context().Err() == nil; {
			w.Write(lines)
		}
	}},
	{"truncated", "list", "broke off before its end", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		fmt.Fprintln(w, badAddress)
	}},
	{"bomb", "list", "more than 1048576 bytes", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprintln(z, badAddress)
		io.Copy(z, io.LimitReader(&repeater{unit: strings.Repeat("#", 1<<16), left: 1 << 29}, 1<<29))
		z.Close()
	}},
	{"elsewhere", "list", "redirects to another host", func(s *stranger, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.canary, http.StatusFound)
	}},
	{"inward", "stix", "redirects to another host", func(s *stranger, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(s.canary, "127.0.0.1", "localhost", 1), http.StatusPermanentRedirect)
	}},
	{"metadata", "csv", "redirects to another host", func(_ *stranger, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
	}},
	{"page", "list", "a web page", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<!doctype html><p>%s</p>", badAddress)
	}},
	{"prose", "list", "changed its form", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, badAddress+"\n"+strings.Repeat("we have moved to another address\n", 20))
	}},
	{"half", "stix", "ends inside a value", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		b := bundle(badAddress)
		io.WriteString(w, b[:len(b)-2]+`,{"type":"indic`)
	}},
	{"columns", "csv", "column", func(_ *stranger, w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "when,what\nnow,%s\n", badAddress)
	}},
	{"root", "taxii", "leads to", func(s *stranger, w http.ResponseWriter, _ *http.Request) {
		taxiiSays(w, fmt.Sprintf(`{"title":"x","default":"%[1]s/api/","api_roots":["%[1]s/api/"]}`, s.canary))
	}},
	{"forged", "list", "certificate", nil}, // its authority is not the one that vouches for it
}

// bundle is one with an indicator of an address.
func bundle(address string) string {
	_, raw := watchedOne(address)
	return `{"type":"bundle","id":"bundle--5d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c000","objects":[` + string(raw) + `]}`
}

func taxiiSays(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/taxii+json;version=2.1")
	io.WriteString(w, body)
}

// goodAddress is what a feed brings in a round.
func goodAddress(i int, round int64) string { return fmt.Sprintf("198.51.%d.%d", 99+round, i+1) }

func newStranger(t *testing.T) *stranger {
	s := &stranger{}
	canary := httptest.NewUnstartedServer(http.NotFoundHandler())
	canary.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.hits.Add(1)
		}
	}
	canary.Start()
	t.Cleanup(canary.Close)
	s.canary = canary.URL
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for i, m := range misdeeds {
		switch {
		case m.name != name:
		case s.bad.Load() && m.do != nil:
			m.do(s, w, r)
		case r.Method == http.MethodPost: // a webhook's
			w.WriteHeader(http.StatusNoContent)
		default:
			s.good(w, m.kind, name, rest, goodAddress(i, s.round.Load()))
		}
	}
}

// good is what the server has, in the form of a kind of feed.
func (s *stranger) good(w http.ResponseWriter, kind, name, rest, address string) {
	const collection = `{"id":"91a7b528-80eb-42ed-a74d-c6fbd5a26116","title":"x","can_read":true,"can_write":false}`
	switch {
	case kind == "list":
		fmt.Fprintln(w, address)
	case kind == "csv":
		fmt.Fprintf(w, "value,when\n%s,now\n", address)
	case kind == "stix":
		io.WriteString(w, bundle(address))
	case rest == "":
		taxiiSays(w, fmt.Sprintf(`{"title":"x","default":"%[1]s/%[2]s/api/","api_roots":["%[1]s/%[2]s/api/"]}`, s.URL, name))
	case rest == "api/":
		taxiiSays(w, `{"title":"x","versions":["application/taxii+json;version=2.1"],"max_content_length":1000000}`)
	case rest == "api/collections/":
		taxiiSays(w, `{"collections":[`+collection+`]}`)
	case strings.HasSuffix(rest, "/objects/"):
		added := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		w.Header().Set("X-TAXII-Date-Added-First", added)
		w.Header().Set("X-TAXII-Date-Added-Last", added)
		_, raw := watchedOne(address)
		taxiiSays(w, `{"objects":[`+string(raw)+`]}`)
	default:
		taxiiSays(w, collection)
	}
}

// config is that of feeds and webhooks that lead to the stranger, one for each misdeed.
func (s *stranger) config() string {
	var b strings.Builder
	b.WriteString("[notify]\nlook_back = \"0s\"\n")
	for _, m := range misdeeds {
		ca := "stranger.pem"
		if m.name == "forged" {
			ca = "forged.pem"
		}
		fmt.Fprintf(&b, "[[notify.webhook]]\nname = %q\nurl = \"%s/%s/\"\nca = %q\nsecret_file = \"secret\"\ntimeout = \"20s\"\n", m.name, s.URL, m.name, ca)
		fmt.Fprintf(&b, "[[feed]]\nname = %q\nkind = %q\nurl = \"%s/%s/\"\nca = %q\nlabel = \"tlp:green\"\nschedule = \"manual\"\n", m.name, m.kind, s.URL, m.name, ca)
		if m.kind == "taxii" {
			b.WriteString("remote = \"x\"\n")
		}
		b.WriteString("[feed.limits]\nbytes = 1048576\ntimeout = \"20s\"\n")
		if m.kind == "csv" {
			b.WriteString("[feed.csv]\nheader = true\ncolumns = { value = \"value\" }\n")
		}
	}
	return b.String()
}

// TestHostileServersElsewhere lets every feed poll a server that first answers as it should, then in every bad way at once, then as it should
// again; and sends notifications to webhooks of the same server.
func TestHostileServersElsewhere(t *testing.T) {
	s := newStranger(t)
	n := made(t, "")
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(n.Data, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	other := must(os.ReadFile(filepath.Join(n.Data, "keys", "ca.pem")))(t)
	write("stranger.pem", authority)
	write("secret", []byte("a secret of webhooks"))
	write("forged.pem", authority) // webhooks read it at the start, feeds at every run
	write("entente.toml", []byte(s.config()))
	start(t, n)
	local := (&rooms{n: n}).local()

	// run runs every feed by the command line, at once, and gives what each said.
	run := func(failing bool) []string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		out := make([]string, len(misdeeds))
		errs := make([]error, len(misdeeds))
		var all sync.WaitGroup
		for i, m := range misdeeds {
			all.Go(func() {
				said, err := n.Run(ctx, "feed", "run", "--data", n.Data, m.name)
				out[i], errs[i] = string(said), err
			})
		}
		all.Wait()
		for i, m := range misdeeds {
			var exit *exec.ExitError
			switch err := errs[i]; {
			case failing && (!errors.As(err, &exit) || exit.ExitCode() != 1):
				t.Errorf("%s: %v: %s", m.name, err, out[i])
			case !failing && err != nil:
				t.Errorf("%s: %v: %s", m.name, err, out[i])
			}
		}
		return out
	}
	// brought holds the store to the values of the good rounds.
	brought := func(rounds int64) {
		t.Helper()
		for i, m := range misdeeds {
			for round := int64(1); round <= 2; round++ {
				want := 0
				if round <= rounds {
					want = 1
				}
				if got := must(finds(t.Context(), local, goodAddress(i, round)))(t); len(got) != want {
					t.Errorf("%s: %d objects have %s of round %d, want %d", m.name, len(got), goodAddress(i, round), round, want)
				}
			}
		}
		if got := must(finds(t.Context(), local, badAddress))(t); len(got) != 0 {
			t.Errorf("something of a bad answer was taken: %q", got)
		}
		if left, err := os.ReadDir(filepath.Join(n.Data, "tmp")); err == nil && len(left) != 0 {
			t.Errorf("%d files are left in transit", len(left))
		}
	}

	s.round.Store(1)
	run(false)
	brought(1)

	s.bad.Store(true)
	write("forged.pem", other)
	said := run(true)
	brought(1)
	list := string(must(n.Run(t.Context(), "feed", "list", "--data", n.Data))(t))
	for i, m := range misdeeds {
		show := string(must(n.Run(t.Context(), "feed", "show", "--data", n.Data, m.name))(t))
		for where, text := range map[string]string{"run": said[i], "show": show} {
			if !strings.Contains(text, m.says) {
				t.Errorf("%s: feed %s does not say %q: %s", m.name, where, m.says, text)
			}
		}
		v := must(local.Feed(t.Context(), m.name))(t)
		if v.Health != "failing" || v.Failures != 1 || len(v.Runs) != 2 || v.Runs[0].Counts.Added != 0 || v.Runs[0].Bytes > 2<<20 {
			t.Errorf("%s: %+v", m.name, v)
		}
	}
	if failing := strings.Count(list, "failing"); failing != len(misdeeds) {
		t.Errorf("%d feeds are failing, want %d:\n%s", failing, len(misdeeds), list)
	}
	s.webhooks(t, local)

	s.bad.Store(false)
	s.round.Store(2)
	write("forged.pem", authority)
	run(false)
	brought(2)
	for _, v := range must(local.Feeds(t.Context()))(t) {
		if v.Health != "ok" || v.Failures != 0 {
			t.Errorf("%s is %s after %d failures", v.Name, v.Health, v.Failures)
		}
	}
	s.sent(t, local, "10.0.0.2", map[string]notify.State{})

	if hits := s.hits.Load(); hits != 0 {
		t.Errorf("a server that nobody named was reached %d times", hits)
	}
	if peak := must(n.Memory("VmHWM"))(t); peak > memoryBound {
		t.Errorf("at its most the node took %d MB", peak>>20)
	}
}

// webhooks sends a notification by every webhook while the server is hostile: bodies say nothing and are read no further than their bound, so
// that only a missing answer and one that leads elsewhere are failures.
func (s *stranger) webhooks(t *testing.T, local *api.Client) {
	for _, m := range misdeeds {
		must(local.AddConstituent(t.Context(), &register.Constituent{Name: m.name, Contacts: []register.Contact{{Name: "SOC", Webhook: m.name}}, Networks: []register.Network{{Range: "10.0.0.0/8"}}}))(t)
	}
	s.sent(t, local, "10.0.0.1", map[string]notify.State{"silent": notify.Approved, "elsewhere": notify.Failed, "inward": notify.Failed, "metadata": notify.Failed})
	for _, c := range must(local.Channels(t.Context(), false))(t) {
		if c.Name == "silent" && (c.State != "failing" || !strings.Contains(c.Error, "not complete after 20s")) {
			t.Errorf("%+v", c)
		}
	}
}

// sent lets something come in that touches every constituent, sends what is drafted, and waits until each is in its state: sent, where none is named.
func (s *stranger) sent(t *testing.T, local *api.Client, address string, want map[string]notify.State) {
	t.Helper()
	must(local.Import(t.Context(), strings.NewReader(bundle(address)), nil, func(api.Event) {}))(t)
	notes := func(state string) (out []notify.Notification) {
		t.Helper()
		if err := local.Notifications(t.Context(), url.Values{"state": {state}}, func(n notify.Notification) error { out = append(out, n); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	drafts := eventually(t, func() ([]notify.Notification, error) {
		d := notes("draft")
		if len(d) != len(misdeeds) {
			return nil, fmt.Errorf("%d drafts, want %d", len(d), len(misdeeds))
		}
		return d, nil
	})
	for _, d := range drafts {
		must(local.SendNotification(t.Context(), d.ID, notify.SendNotification{Edition: d.Edition}))(t)
	}
	becomes := func(d notify.Notification) notify.State { return cmp.Or(want[d.Name], notify.Sent) }
	slices.SortFunc(drafts, func(a, b notify.Notification) int { return cmp.Compare(becomes(a), becomes(b)) }) // what stays approved is looked at first, before it is tried again
	for _, d := range drafts {
		state := becomes(d)
		got := eventually(t, func() (notify.Notification, error) {
			v, err := local.Notification(t.Context(), d.ID)
			if err == nil && (v.State != state || v.Attempts != 1) {
				err = fmt.Errorf("the notification to %s is %s after %d attempts (%s), want %s", d.Name, v.State, v.Attempts, v.Error, state)
			}
			return v, err
		})
		if (got.Error != "") != (state != notify.Sent) {
			t.Errorf("%s: %s says %q", d.Name, got.State, got.Error)
		}
	}
}
