package node

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/identity"
	"entente/internal/surface/api"
	"entente/misp"
)

// events are two for the community, one for everybody and one for nobody else, each with two values of which one is deleted in the last.
func mispEvents() string {
	var out []string
	for i, tlp := range []string{"tlp:green", "tlp:green", "tlp:clear", "tlp:red"} {
		out = append(out, fmt.Sprintf(`{"Event":{"uuid":"00000000-1111-4000-8000-%012d","info":"event %d","date":"2026-01-01","timestamp":"1767225600","published":true,"publish_timestamp":"1767225600","distribution":"3","threat_level_id":"2","analysis":"1",`+
			`"Orgc":{"name":"Utopia CERT","uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595"},"Tag":[{"name":"%s"}],"Attribute":[`+
			`{"uuid":"00000000-aaaa-4000-8000-%012d","type":"domain","category":"Network activity","to_ids":true,"timestamp":"1767225600","value":"host-%d.evil.example","distribution":"5"},`+
			`{"uuid":"00000000-bbbb-4000-8000-%012d","type":"domain|ip","category":"Network activity","to_ids":true,"timestamp":"1767225600","value":"two-%d.evil.example|198.51.100.%d","distribution":"5"}]}}`, i, i, tlp, i, i, i, i, i+1))
	}
	return "[" + strings.Join(out, ",") + "]"
}

// A node whose events another nation may have: as a MISP server that is pulled, as a MISP feed, and by pushing to the other's MISP. Each way gives what
// the gate admits, and it is written down.
func TestMISPBetweenNodes(t *testing.T) {
	utopia := found(t, "UTO", "Utopia CERT", "")
	arcadia := found(t, "ARC", "Arcadia CERT", "")
	write := func(n *nation, name string, b []byte) { n.must(os.WriteFile(filepath.Join(n.data, name), b, 0o600)) }
	for _, x := range []struct {
		n, other    *nation
		nation, org string
		role        string
	}{{utopia, arcadia, "ARC", "Arcadia CERT", "reader"}, {arcadia, utopia, "UTO", "Utopia CERT", "analyst"}} {
		_, err := x.n.api.AddUser(t.Context(), api.AddUser{Name: "ally", Org: x.org, Nation: x.nation, Roles: []string{x.role}, Password: phrase})
		x.n.must(err)
		_, err = x.n.api.PutCommunity(t.Context(), identity.Community{Name: "allies", Members: []string{x.org}})
		x.n.must(err)
		token, err := x.n.api.AddToken(t.Context(), api.AddToken{Name: "sync", User: "ally", Roles: []string{x.role}})
		x.n.must(err)
		write(x.other, "key", []byte(token.Text+"\n"))
		write(x.other, "other.pem", x.n.CA())
	}
	s, err := utopia.api.Import(t.Context(), strings.NewReader(mispEvents()), url.Values{"format": {"misp"}}, func(e api.Event) {
		if e.Outcome != nil && e.Outcome.State != "added" && e.Outcome.State != "present" {
			t.Errorf("%+v", e.Outcome)
		}
	})
	utopia.must(err)
	if s.Added < 12 {
		t.Fatalf("%+v", s)
	}
	const community = "[gate]\ncommunity = \"allies\"\n"
	feeds := func(n *nation, rows string) {
		n.halt()
		n.start(community + rows)
	}
	row := func(name, kind, url, more string) string {
		return fmt.Sprintf("\n[[feed]]\nname = %q\nkind = %q\nurl = %q\ntoken_file = \"key\"\nca = \"other.pem\"\nschedule = \"manual\"\n%s\n", name, kind, url, more)
	}
	feeds(utopia, row("push", "misp-push", arcadia.URL()+"/misp/", `to = "ARC/Arcadia CERT"`)+"\n[misp_feed]\nanonymous = true\n")
	feeds(arcadia, row("pull", "misp-server", utopia.URL()+"/misp/", `label = "tlp:clear"`)+row("feed", "misp", utopia.URL()+"/feeds/misp/all/", `label = "tlp:clear"`))

	domains := func(n *nation) (green, all int) {
		n.must(n.api.Search(t.Context(), url.Values{"type": {"indicator"}}, func(o api.Object) error {
			if all++; o.Label.TLP.String() == "TLP:GREEN" {
				green++
			}
			return nil
		}))
		return green, all
	}
	r, err := arcadia.api.RunFeed(t.Context(), "pull", false)
	if err != nil || r.Error != nil || r.Counts.Dropped+r.Counts.Held+r.Counts.Refused+r.Counts.Different != 0 {
		t.Fatalf("pulled: %+v %+v %v", r, r.Error, err)
	}
	if green, all := domains(arcadia); green != 4 || all != 6 {
		t.Errorf("%d indicators were pulled, %d of them GREEN", all, green)
	}
	if again, err := arcadia.api.RunFeed(t.Context(), "pull", false); err != nil || again.Counts.Added != 0 || again.Result != "unchanged" {
		t.Errorf("again: %+v %v", again, err)
	}
	holders, err := utopia.api.Holders(t.Context(), "indicator--00000000-aaaa-4000-8000-000000000000")
	utopia.must(err)
	if len(holders) != 1 || holders[0].Party != "ARC/Arcadia CERT" {
		t.Errorf("nobody wrote down that it was given: %+v", holders)
	}
	if red, err := utopia.api.Holders(t.Context(), "indicator--00000000-aaaa-4000-8000-000000000003"); err != nil || len(red) != 0 {
		t.Errorf("the RED one was given to %+v", red)
	}

	r, err = arcadia.api.RunFeed(t.Context(), "feed", false)
	if err != nil || r.Error != nil || r.Counts.Dropped+r.Counts.Held+r.Counts.Refused != 0 || r.Counts.Read < 9 {
		t.Errorf("fetched: %+v %+v %v", r, r.Error, err)
	}
	if again, err := arcadia.api.RunFeed(t.Context(), "feed", false); err != nil || again.Result != "unchanged" {
		t.Errorf("the manifest again: %+v %v", again, err)
	}

	// Pushed to a node that has none of it.
	arcadia.halt()
	third := found(t, "ARC", "Arcadia CERT", "")
	_, err = third.api.AddUser(t.Context(), api.AddUser{Name: "ally", Org: "Utopia CERT", Nation: "UTO", Roles: []string{"analyst"}, Password: phrase})
	third.must(err)
	token, err := third.api.AddToken(t.Context(), api.AddToken{Name: "sync", User: "ally", Roles: []string{"analyst"}})
	third.must(err)
	write(utopia, "key", []byte(token.Text))
	write(utopia, "other.pem", third.CA())
	feeds(utopia, row("push", "misp-push", third.URL()+"/misp/", `to = "ARC/Arcadia CERT"`)+"\n[misp_feed]\nanonymous = true\n")
	r, err = utopia.api.RunFeed(t.Context(), "push", false)
	if err != nil || r.Error != nil || r.Counts.Pushed != 3 || r.Counts.Refused != 0 {
		t.Fatalf("pushed: %+v %+v %v", r, r.Error, err)
	}
	if _, all := domains(third); all != 6 {
		t.Errorf("%d indicators were pushed", all)
	}
	if again, err := utopia.api.RunFeed(t.Context(), "push", false); err != nil || again.Counts.Pushed != 0 || again.Counts.Present != 3 {
		t.Errorf("pushed again: %+v %v", again, err)
	}

	// What a feed gives to whom.
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(utopia.CA())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	fetch := func(path, key, etag string) (int, string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, utopia.URL()+path, nil)
		utopia.must(err)
		if key != "" {
			req.Header.Set("Authorization", key)
		}
		req.Header.Set("If-None-Match", etag)
		resp, err := client.Do(req)
		utopia.must(err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		utopia.must(err)
		return resp.StatusCode, string(b), resp.Header.Get("ETag")
	}
	key, err := os.ReadFile(filepath.Join(arcadia.data, "key"))
	arcadia.must(err)
	for who, want := range map[string]int{strings.TrimSpace(string(key)): 3, "": 1} {
		status, body, etag := fetch("/feeds/misp/all/manifest.json", who, "")
		m, err := misp.ParseManifest([]byte(body))
		if status != 200 || err != nil || len(m) != want {
			t.Errorf("%d: the manifest has %d events, not %d: %s", status, len(m), want, body)
		}
		if status, _, _ := fetch("/feeds/misp/all/manifest.json", who, etag); status != 304 {
			t.Errorf("unchanged, and answered with %d", status)
		}
		for n := range 4 {
			id := fmt.Sprintf("00000000-1111-4000-8000-%012d", n)
			status, body, _ := fetch("/feeds/misp/all/"+id+".json", who, "")
			events, err := misp.Parse([]byte(body))
			if _, listed := m[id]; listed != (status == 200) || listed && (err != nil || len(events) != 1 || len(events[0].Attributes) != 2) {
				t.Errorf("event %d: %d %s", n, status, body)
			}
		}
		status, body, _ = fetch("/feeds/misp/all/hashes.csv", who, "")
		lines := 0
		err = misp.ParseHashes([]byte(body), func(l misp.HashLine) error { lines++; return nil })
		if status != 200 || err != nil || lines != want*3 || !strings.Contains(body, fmt.Sprintf("%x,00000000-1111-4000-8000-%012d", misp.HashOf("198.51.100.3"), 2)) {
			t.Errorf("%d: hashes.csv has %d lines: %s", status, lines, body)
		}
	}
	if status, body, _ := fetch("/feeds/misp/nowhere/manifest.json", "", ""); status != 404 {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := fetch("/feeds/misp/all/manifest.json", "nonsense", ""); status != 403 {
		t.Errorf("a wrong key is answered with %d", status)
	}
	feeds(utopia, "")
	if status, _, _ := fetch("/feeds/misp/all/manifest.json", "", ""); status != 403 {
		t.Errorf("without a credential, and without leave: %d", status)
	}
	var out strings.Builder
	_, err = utopia.api.Export(t.Context(), url.Values{"format": {"misp"}}, &out)
	utopia.must(err)
	if n := strings.Count(out.String(), "\n"); n != 4 || !json.Valid([]byte(strings.SplitN(out.String(), "\n", 2)[0])) {
		t.Errorf("%d events were exported: %s", n, out.String())
	}
}
