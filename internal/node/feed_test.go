package node

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/identity"
	"entente/internal/surface/api"
	"entente/internal/testnode"
	"entente/label"
)

// nation is one of several nodes of a test.
type nation struct {
	*Node
	t    *testing.T
	data string
	addr string
	api  *api.Client
}

const phrase = "a phrase that is long enough"

// found starts a nation's node. config is its configuration file.
func found(t *testing.T, code, org, config string) *nation {
	t.Helper()
	n := &nation{t: t, data: filepath.Join(t.TempDir(), "d")}
	addr, held, err := testnode.Port() // where it stays, though it is away at times
	n.must(err)
	t.Cleanup(func() { held.Close() })
	n.addr = addr
	n.must(Create(t.Context(), Init{Data: n.data, Nation: code, Org: org}))
	n.must(os.WriteFile(filepath.Join(n.data, "secret"), []byte(phrase+"\n"), 0o600))
	n.start(config)
	t.Cleanup(n.halt)
	return n
}

func (n *nation) start(config string) {
	n.t.Helper()
	n.must(os.WriteFile(filepath.Join(n.data, ConfigFile), []byte("listen = \""+n.addr+"\"\n"+config), 0o600))
	cfg, err := LoadConfig(n.data)
	n.must(err)
	n.Node, err = New(n.t.Context(), cfg)
	n.must(err)
	n.must(n.Start(n.t.Context()))
	n.api = api.NewClient("http://node", n.Local(), nil)
}

func (n *nation) halt() {
	if n.Node != nil {
		n.must(n.Stop(context.Background()))
		n.Node = nil
	}
}

func (n *nation) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// give imports identities under a TLP into the collection.
func (n *nation) give(tlp label.TLP, from, to int) {
	n.t.Helper()
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `{"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-%012d","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"n%d","object_marking_refs":["%s"]}`+"\n",
			i, i, label.TLPMarkingID(tlp, false))
	}
	s, err := n.api.Import(n.t.Context(), strings.NewReader(b.String()), url.Values{"collection": {"shared"}}, func(api.Event) {})
	n.must(err)
	if s.Added != to-from {
		n.t.Fatalf("%+v", s)
	}
}

func (n *nation) objects() (out []api.Object) {
	n.t.Helper()
	n.must(n.api.Search(n.t.Context(), url.Values{"type": {"identity"}}, func(o api.Object) error { out = append(out, o); return nil }))
	return out
}

// Two nations: one polls the other over TLS by schedule, and is pushed to. Each gets what the other's gate admits, under the other's labels, once.
func TestNodesFeedEachOther(t *testing.T) {
	utopia := found(t, "UTO", "Utopia CERT", "")
	arcadia := found(t, "ARC", "Arcadia CERT", "")
	for _, x := range []struct {
		n           *nation
		nation, org string
		role        string
	}{{utopia, "ARC", "Arcadia CERT", "reader"}, {arcadia, "UTO", "Utopia CERT", "publisher"}} {
		_, err := x.n.api.AddCollection(t.Context(), api.PutCollection{Title: "Shared", Alias: "shared", Read: []string{}, Write: []string{}})
		x.n.must(err)
		_, err = x.n.api.AddUser(t.Context(), api.AddUser{Name: "ally", Org: x.org, Nation: x.nation, Roles: []string{x.role}, Password: phrase})
		x.n.must(err)
		_, err = x.n.api.PutCommunity(t.Context(), identity.Community{Name: "allies", Members: []string{x.org}})
		x.n.must(err)
	}
	utopia.give(label.Green, 0, 1500)
	utopia.give(label.Amber, 1500, 1600)
	utopia.halt()

	const community = "[gate]\ncommunity = \"allies\"\n"
	utopia.start(community + fmt.Sprintf(`
[[feed]]
name = "to-arcadia"
kind = "push"
url = "%s/taxii2/api/"
remote = "shared"
to = "ARC/Arcadia CERT"
user = "ally"
password_file = "secret"
ca = "arcadia.pem"
schedule = "manual"
`, arcadia.URL()))
	write := func(n *nation, name string, b []byte) { n.must(os.WriteFile(filepath.Join(n.data, name), b, 0o600)) }
	write(utopia, "arcadia.pem", arcadia.CA())
	poll := fmt.Sprintf(`
[[feed]]
name = "utopia"
kind = "taxii"
url = "%s/taxii2/"
remote = "shared"
collection = "shared"
label = "tlp:clear"
user = "ally"
password_file = "secret"
ca = "utopia.pem"
jitter = "0s"
schedule = "1h"
`, utopia.URL())
	arcadia.halt()
	write(arcadia, "utopia.pem", utopia.CA())
	arcadia.start(community + poll)

	// The schedule begins by itself.
	var brought int64
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline) && brought == 0; time.Sleep(10 * time.Millisecond) {
		v, err := arcadia.api.Feed(t.Context(), "utopia")
		arcadia.must(err)
		if len(v.Runs) > 0 {
			if brought = v.Runs[0].Counts.Added; v.Runs[0].Error != nil {
				t.Fatalf("%+v", v.Runs[0].Error)
			}
		}
	}
	got := arcadia.objects()
	if brought != 1500 || len(got) != 1500 {
		t.Fatalf("%d objects came, %d are here", brought, len(got))
	}
	for _, o := range got {
		if o.Label.TLP != label.Green || o.Origin.Via != "feed:utopia" {
			t.Fatalf("%+v", o)
		}
	}
	h, err := utopia.api.Holders(t.Context(), got[0].ID)
	utopia.must(err)
	if len(h) != 1 || h[0].Party != "ARC/Arcadia CERT" {
		t.Errorf("nobody wrote down that it was given: %+v", h)
	}
	if r, err := arcadia.api.RunFeed(t.Context(), "utopia", false); err != nil || r.Counts.Added != 0 || r.Error != nil {
		t.Errorf("again: %+v %v", r, err)
	}
	utopia.give(label.Green, 1600, 1610)
	if r, err := arcadia.api.RunFeed(t.Context(), "utopia", false); err != nil || r.Counts.Added != 10 {
		t.Errorf("what is new: %+v %v", r, err)
	}

	// Pushing brings the rest by the other way: what is there already is no error, and nothing is there twice.
	utopia.give(label.Green, 1610, 1620)
	utopia.give(label.Red, 1620, 1630)
	r, err := utopia.api.RunFeed(t.Context(), "to-arcadia", false)
	if err != nil || r.Error != nil || r.Counts.Pushed != 1620-100 {
		t.Fatalf("pushed: %+v %v", r, err)
	}
	if got = arcadia.objects(); len(got) != 1520 {
		t.Errorf("%d objects are here", len(got))
	}
	if last := got[len(got)-1]; last.Origin.Org != "Utopia CERT" || last.Label.TLP != label.Green {
		t.Errorf("what was pushed is %+v", last)
	}
	if r, err = arcadia.api.RunFeed(t.Context(), "utopia", false); err != nil || r.Counts.Added+r.Counts.Held+r.Counts.Refused != 0 {
		t.Errorf("what was pushed is polled again: %+v %v", r, err)
	}
	arcadia.halt()
	utopia.give(label.Green, 1630, 1631)
	if r, err = utopia.api.RunFeed(t.Context(), "to-arcadia", false); err != nil || r.Error == nil || r.Error.Code != "feed.connect" {
		t.Errorf("to nobody: %+v %v", r, err)
	}
}
