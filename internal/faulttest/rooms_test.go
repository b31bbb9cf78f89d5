package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/node"
	"entente/internal/notify"
	"entente/internal/surface/api"
	"entente/internal/testnode"
	"entente/register"
)

// roomsConfig has a mail server that is not there: what is approved stays approved.
const roomsConfig = `
[notify]
digest_after = 1000
[[notify.smtp]]
name = "relay"
host = "127.0.0.1"
port = 9
tls = "none"
from = "soc@utopia.example"
`

// rooms is what was acknowledged by the rooms that follow the store: the register, the alerts, the blobs, the sessions and the surface of MISP.
// It lives as long as the test.
type rooms struct {
	n        *testnode.Node
	token    string
	tried    int
	signedIn int
	round    *promises
	earlier  []*promises
	taken    [7]atomic.Int64 // by step: how often it was acknowledged
}

// promises are those of one round.
type promises struct {
	constituents map[string]string // id to the version that was last acknowledged; of one whose change got no answer it is empty
	watched      map[string]string // id of an indicator to its value, which touches a constituent
	approved     []string          // notifications
	events       map[string]string // uuid to the value of its attribute
	blobs        map[string]string // id to content
	open, ended  []string          // cookies
}

func (r *rooms) local() *api.Client {
	socket := filepath.Join(r.n.Data, node.Socket)
	return api.NewClient("http://node", &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}, nil)
}

func openRooms(t *testing.T, n *testnode.Node) *rooms {
	t.Helper()
	r := &rooms{n: n}
	r.token = must(r.local().AddToken(t.Context(), api.AddToken{Name: "peer", Roles: []string{"analyst", "publisher"}, Form: "misp"}))(t).Text
	must(r.local().AddConstituent(t.Context(), &register.Constituent{Name: "Utopia Water", Contacts: []register.Contact{{Name: "SOC", Email: "soc@water.example"}},
		Networks: []register.Network{{Range: "10.0.0.0/8"}}}))(t)
	return r
}

const watchedIndicator = `{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"watched","pattern":"[ipv4-addr:value = '%s']",` +
	`"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}`

// everywhere tells whether every room has acknowledged something.
func (r *rooms) everywhere() bool {
	return r.taken[0].Load()*r.taken[1].Load()*r.taken[4].Load()*r.taken[5].Load() > 0
}

// work works in the rooms of a node that lives for a while, and until every room has taken something.
func (r *rooms) work(t *testing.T, long time.Duration, rnd *rand.Rand) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	end := time.Now().Add(long)
	if err := r.use(ctx, rnd, func() bool { return time.Now().After(end) && r.everywhere() }); err != nil {
		t.Fatal(err)
	}
}

// use works in the rooms until the node is gone; or until it is enough, where that is told, and the node lives. An answer that is not the promised one is an error; none at all is not.
func (r *rooms) use(ctx context.Context, rnd *rand.Rand, enough func() bool) error {
	p := &promises{constituents: map[string]string{}, watched: map[string]string{}, events: map[string]string{}, blobs: map[string]string{}}
	r.round = p
	c, outside := r.local(), r.n.Client("")
	defer outside.Close()
	var made []*register.Constituent
	for step := rnd.IntN(7); ctx.Err() == nil && (enough == nil || !enough()); step++ {
		r.tried++
		var err error
		address := fmt.Sprintf("10.%d.%d.%d", 1+rnd.IntN(250), rnd.IntN(250), 1+r.tried%250)
		switch step % 7 {
		case 0:
			id := "indicator--" + uuid.NewString()
			var s api.Summary
			if s, err = c.Import(ctx, strings.NewReader(fmt.Sprintf(watchedIndicator, id, address)), nil, func(api.Event) {}); err == nil && s.Added != 1 {
				return fmt.Errorf("an import of one object ended as %+v", s)
			} else if err == nil {
				p.watched[id] = address
			}
		case 1:
			var v struct{ id, version string }
			d := &register.Constituent{Name: "Constituent " + uuid.NewString(), Networks: []register.Network{{Range: "172.16.0.0/12"}}}
			got, e := c.AddConstituent(ctx, d)
			if err = e; err == nil {
				v.id, v.version = got.Constituent.ID, got.Version
				p.constituents[v.id] = v.version
				made = append(made, got.Constituent)
			}
		case 2:
			if len(made) == 0 {
				continue
			}
			d := made[rnd.IntN(len(made))]
			was := p.constituents[d.ID]
			d.Description = address
			p.constituents[d.ID] = ""
			got, e := c.PutConstituent(ctx, d.ID, d)
			if err = e; err == nil {
				if got.Version == was {
					return fmt.Errorf("a change of %s made no version", d.ID)
				}
				p.constituents[d.ID] = got.Version
				*d = *got.Constituent
			}
		case 3:
			var some []notify.Notification
			enough := errors.New("enough")
			err = c.Notifications(ctx, url.Values{"state": {"draft"}, "limit": {"3"}}, func(n notify.Notification) error {
				if some = append(some, n); len(some) == 3 {
					return enough
				}
				return nil
			})
			if errors.Is(err, enough) {
				err = nil
			}
			for _, n := range some {
				if err == nil {
					if _, err = c.SendNotification(ctx, n.ID, notify.SendNotification{Edition: n.Edition}); err == nil {
						p.approved = append(p.approved, n.ID)
					}
				}
			}
		case 4:
			id := uuid.NewString()
			body := fmt.Sprintf(`{"Event":{"uuid":"%s","info":"pushed","date":"2026-01-31","distribution":"1","timestamp":"1700000000","Tag":[{"name":"tlp:green"}],`+
				`"Attribute":[{"uuid":"%s","type":"domain","category":"Network activity","value":"%s.example","to_ids":true,"timestamp":"1700000000"}]}}`, id, uuid.NewString(), id)
			a, e := outside.Do(ctx, http.MethodPost, "/misp/events/add", r.mispHead(), strings.NewReader(body))
			if err = e; err == nil {
				if a.Status != http.StatusOK {
					return fmt.Errorf("pushing an event: %d %.300s", a.Status, a.Body)
				}
				p.events[id] = id + ".example"
			}
		case 5:
			content := "content " + uuid.NewString()
			got, e := c.AddBlob(ctx, strings.NewReader(content), url.Values{"label": {"tlp:green"}})
			if err = e; err == nil {
				p.blobs[got.Blob.ID] = content
			}
		case 6:
			if len(p.open)+len(p.ended) > 1 || r.signedIn == 24 { // a password is dear, and of more than 32 sessions the one that was used longest ago ends
				continue
			}
			r.signedIn++
			cookie, e := r.n.SignIn(ctx, testnode.Analyst)
			if err = e; err == nil {
				if len(p.open) > 0 {
					a, e := outside.Do(ctx, http.MethodPost, "/auth/out", http.Header{"Cookie": {cookie}}, nil)
					if err = e; err == nil && a.Status == http.StatusNoContent {
						p.ended = append(p.ended, cookie)
					}
				} else {
					p.open = append(p.open, cookie)
				}
			}
		}
		if err != nil {
			if k := fault.Of(err); k == fault.Invalid || k == fault.Forbidden || k == fault.NotFound || k == fault.Unprocessable {
				return fmt.Errorf("step %d: %w", step%7, err)
			}
			if fault.Of(err) == fault.Conflict { // the draft has grown since it was read
				continue
			}
			if enough != nil { // it has too much to do
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return nil // the node is gone
		}
		r.taken[step%7].Add(1)
	}
	return nil
}

func (r *rooms) mispHead() http.Header {
	return http.Header{"Authorization": {r.token}, "Accept": {"application/json"}, "Content-Type": {"application/json"}}
}

// check holds a restarted node to what it acknowledged in the last round, and to an earlier one.
func (r *rooms) check(ctx context.Context, rnd *rand.Rand) error {
	if r.round == nil {
		return nil
	}
	r.earlier = append(r.earlier, r.round)
	c, outside := r.local(), r.n.Client("")
	defer outside.Close()
	v, err := c.VerifyConstituents(ctx)
	if err != nil || !v.Sound {
		return fmt.Errorf("the register after a kill: %+v %w", v, err)
	}
	names := map[string]bool{}
	if err := c.Notifications(ctx, nil, func(n notify.Notification) error {
		if names[n.ID] {
			return fmt.Errorf("the notification %s is there twice", n.ID)
		}
		names[n.ID] = true
		return nil
	}); err != nil {
		return err
	}
	for _, p := range []*promises{r.round, r.earlier[rnd.IntN(len(r.earlier))]} {
		for id, version := range p.constituents {
			if got, err := c.Constituent(ctx, id); err != nil || version != "" && got.Version != version || !got.Verified {
				return fmt.Errorf("the constituent %s of version %q is %+v: %w", id, version, got, err)
			}
		}
		for id, content := range p.blobs {
			var b bytes.Buffer
			if _, err := c.BlobContent(ctx, id, false, &b); err != nil || b.String() != content {
				return fmt.Errorf("the blob %s is %q: %w", id, b.String(), err)
			}
		}
		for id, value := range p.watched {
			if err := r.found(ctx, c, value, id); err != nil {
				return err
			}
		}
		for id, value := range p.events {
			if err := r.found(ctx, c, value, ""); err != nil {
				return err
			}
			a, err := outside.Do(ctx, http.MethodGet, "/misp/events/view/"+id, r.mispHead(), nil)
			if err != nil || a.Status != http.StatusOK || strings.Count(string(a.Body), `"value":"`+value) != 1 {
				return fmt.Errorf("the event %s is %d %.300s: %w", id, a.Status, a.Body, err)
			}
		}
		for _, id := range p.approved {
			if n, err := c.Notification(ctx, id); err != nil || n.State == notify.Draft || n.Sender == "" {
				return fmt.Errorf("a notification that was approved is %s, by %q: %w", n.State, n.Sender, err)
			}
		}
		for want, cookies := range map[int][]string{http.StatusOK: p.open, http.StatusUnauthorized: p.ended} {
			for _, cookie := range cookies {
				if a, err := outside.Do(ctx, http.MethodGet, "/api/v1/me", http.Header{"Cookie": {cookie}}, nil); err != nil || a.Status != want {
					return fmt.Errorf("a session is answered %d, want %d: %w", a.Status, want, err)
				}
			}
		}
	}
	return r.alerts(ctx, c)
}

// found holds the index to the store: it finds what has the value, once it has caught up.
func (r *rooms) found(ctx context.Context, c *api.Client, value, id string) error {
	got, err := patient(func() (api.Finds, error) {
		return c.Finds(ctx, url.Values{"q": {"value:" + value}, "fresh": {"true"}, "limit": {"1000"}})
	})
	if err != nil {
		return fmt.Errorf("searching for %s: %w", value, err)
	}
	n := 0
	for _, f := range got.Items {
		if id == "" || f.ID == id {
			n++
		}
	}
	if n == 0 || id != "" && n != 1 {
		return fmt.Errorf("what has the value %s is found %d times", value, n)
	}
	return nil
}

// alerts waits until every indicator of all rounds that was acknowledged has its alert, and fails when one has two.
func (r *rooms) alerts(ctx context.Context, c *api.Client) error {
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		about := map[string]int{}
		if err := c.Alerts(ctx, url.Values{"limit": {"1000"}}, func(a notify.Alert) error { about[a.Object+" "+a.Constituent]++; about[a.Object]++; return nil }); err != nil {
			return err
		}
		missing := ""
		for about, n := range about {
			if strings.Contains(about, " ") && n != 1 {
				return fmt.Errorf("%d alerts are about %s", n, about)
			}
		}
		for _, p := range r.earlier {
			for id := range p.watched {
				if about[id] == 0 {
					missing = id
				}
			}
		}
		if missing == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s touches a constituent, and there is no alert", missing)
		}
	}
}

// counted says what was tried.
func (r *rooms) counted() (s string, none bool) {
	var n [6]int
	for _, p := range r.earlier {
		for i, k := range []int{len(p.constituents), len(p.watched), len(p.approved), len(p.events), len(p.blobs), len(p.open) + len(p.ended)} {
			n[i] += k
		}
	}
	return fmt.Sprintf("%d constituents, %d alerts, %d approved, %d events, %d blobs, %d sessions", n[0], n[1], n[2], n[3], n[4], n[5]), n[0]*n[1]*n[3]*n[4] == 0
}
