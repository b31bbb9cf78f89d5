package notify

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/register"
)

// TestWhatRaises says which objects raise an alert, and how severe it is.
func TestWhatRaises(t *testing.T) {
	for _, c := range []struct {
		name, object string
		want         Severity // empty: none
	}{
		{"an address of the range", indicator(1, 0, address("203.0.113.9"), ""), High},
		{"an address of the range, confident", indicator(1, 0, address("203.0.113.9"), `,"confidence":90`), Critical},
		{"an address of the range, doubtful", indicator(1, 0, address("203.0.113.9"), `,"confidence":10`), Medium},
		{"a network that the range lies in", indicator(1, 0, address("203.0.0.0/16"), ""), Medium},
		{"a benign one", strings.Replace(indicator(1, 0, address("203.0.113.9"), ""), "malicious-activity", "benign", 1), Low},
		{"an address of others", indicator(1, 0, address("198.51.100.9"), ""), ""},
		{"a subdomain", indicator(1, 0, "[domain-name:value = 'Login.Water.Example']", ""), High},
		{"a domain that only looks like it", indicator(1, 0, "[domain-name:value = 'xwater.example']", ""), ""},
		{"a URL", indicator(1, 0, "[url:value = 'http://pay.water.example/x']", ""), High},
		{"an expired one", indicator(1, 0, address("203.0.113.9"), `,"valid_until":"2026-01-02T00:00:00Z"`), ""},
		{"a revoked one", indicator(1, 0, address("203.0.113.9"), `,"revoked":true`), ""},
		{"a product of the catalogue", kev(1, "CVE-2026-0001", "Microsoft", "Windows", "2026-12-24"), Critical},
		{"another product", kev(1, "CVE-2026-0001", "Acme", "Roadrunner", "2026-12-24"), ""},
		{"an observation", `{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--` + uuid(5) + `","value":"203.0.113.77"}`, Medium},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.serve(water())
			w.give(local, "tlp:green", c.object)
			w.catchUp()
			list := w.alerts(ada)
			switch {
			case c.want == "" && len(list) > 0:
				t.Errorf("%+v", list)
			case c.want != "" && (len(list) != 1 || list[0].Severity != c.want):
				t.Errorf("want one that is %s: %+v", c.want, list)
			}
		})
	}
}

// TestVersionsJoin lets versions of one object join their alert, and a revocation end it.
func TestVersionsJoin(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	first := w.alerts(ada)[0]
	must(t, errOf(w.d.ChangeAlert(context.Background(), ada, first.ID, ChangeAlert{State: AlertClosed, Reason: "known"})))
	w.give(local, "tlp:green", indicator(1, 1, address("203.0.113.9"), ""))
	w.catchUp()
	got := w.alerts(ada)
	if len(got) != 1 || got[0].ID != first.ID || got[0].Versions != 2 || got[0].State != AlertClosed {
		t.Fatalf("a version that says the same: %+v", got)
	}
	n := w.one(Draft)
	must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	w.deliver()
	w.give(local, "tlp:green", indicator(1, 2, "[ipv4-addr:value = '203.0.113.9'] OR [domain-name:value = 'x.water.example']", ""))
	w.catchUp()
	got = w.alerts(ada)
	if len(got) != 1 || got[0].State != AlertNew || len(got[0].Matches) != 2 || len(got[0].Notifications) != 2 {
		t.Fatalf("a version that concerns more: %+v", got)
	}
	w.give(local, "tlp:green", indicator(1, 3, address("203.0.113.9"), `,"revoked":true`))
	w.catchUp()
	got = w.alerts(ada)
	if got[0].State != AlertClosed || !strings.Contains(got[0].Reason, "revoked") {
		t.Fatalf("a revocation: %+v", got[0])
	}
	if d := w.one(Discarded); !strings.Contains(d.Reason, "revoked") {
		t.Errorf("%+v", d)
	}
	back := w.one(Draft)
	if back.Kind != Withdrawn {
		t.Fatalf("%+v", back)
	}
	has(t, back.Text, n.ID, "withdrawn")
	for _, secret := range []string{"203.0.113.9", "Beacon"} {
		if strings.Contains(back.Text+back.Subject, secret) {
			t.Errorf("the withdrawal says %s", secret)
		}
	}
	must(t, errOf(w.d.Send(context.Background(), otto, back.ID, SendNotification{Edition: back.Edition})))
	w.deliver()
	if len(m.mails()) != 2 {
		t.Errorf("%d mails", len(m.mails()))
	}
}

// TestStricterLabel follows a record to a stricter label: the draft goes, and says no more than may be said.
func TestStricterLabel(t *testing.T) {
	w := newWorld(t, "")
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	old := w.one(Draft)
	w.relabel("indicator--"+uuid(1), "tlp:red")
	w.catchUp()
	list := w.notes(local)
	if len(list) != 1 || list[0].ID == old.ID || list[0].State != Withheld || list[0].Text != "" {
		t.Fatalf("%+v", list)
	}
	if got := w.alerts(local); len(got) != 1 || got[0].TLP != "TLP:RED" {
		t.Errorf("%+v", got)
	}
	wantKind(t, errOf(w.d.Notification(context.Background(), local, old.ID)), fault.NotFound)
	w.relabel("indicator--"+uuid(1), "tlp:green")
	w.catchUp()
	if n := w.one(Draft); !strings.Contains(n.Text, "Beacon 1") {
		t.Errorf("%+v", n)
	}
}

// relabel gives the newest version of an object another label.
func (w *world) relabel(id, words string) {
	w.t.Helper()
	page, err := w.st.Page(context.Background(), journal{w.st, w.x}.own(), store.Query{IDs: []string{id}})
	must(w.t, err)
	must(w.t, errOf(w.st.Relabel(context.Background(), journal{w.st, w.x}.own(), store.Relabelling{Rec: page.Items[0].Rec, Label: labelOf(w.t, words), Act: store.Act{Actor: "node", Verb: "object.label"}})))
}

// TestApprovedIsJudgedAgain takes the right to be told away between the approval and the sending.
func TestApprovedIsJudgedAgain(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	n := w.one(Draft)
	must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	w.relabel("indicator--"+uuid(1), "tlp:red")
	w.deliver() // before the follower got to know
	if len(m.mails()) != 0 {
		t.Fatal("it was sent")
	}
	w.catchUp()
	if list := w.notes(local); len(list) != 1 || list[0].State != Withheld {
		t.Errorf("%+v", list)
	}
}

// TestPurgeLeavesNothing purges an object that alerts, drafts and sent notifications tell of, and searches the files.
func TestPurgeLeavesNothing(t *testing.T) {
	const marker = "Zxqvmarker"
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.cfg.DigestAfter = 1
	w.open()
	w.serve(water())
	w.give(local, "tlp:green", indicator(3, 0, address("203.0.113.1"), ""))
	w.give(local, "tlp:green", strings.Replace(indicator(1, 0, "[domain-name:value = '"+marker+".water.example']", ""), "Beacon 1", marker+" name", 1))
	w.give(local, "tlp:green", indicator(2, 0, address("203.0.113.8"), ""))
	w.catchUp()
	id := "indicator--" + uuid(1)
	for _, a := range w.alerts(ada) {
		if a.Object == id {
			must(t, errOf(w.d.ChangeAlert(context.Background(), ada, a.ID, ChangeAlert{Note: "about " + marker})))
		}
	}
	drafts := w.notes(local, "draft")
	if len(drafts) != 2 || !strings.Contains(drafts[0].Text+drafts[1].Text, marker) {
		t.Fatalf("%+v", drafts)
	}
	must(t, errOf(w.x.Purge(context.Background(), local, id, false)))
	w.catchUp()
	left := w.alerts(local)
	if len(left) != 2 || left[0].Object == id || left[1].Object == id {
		t.Errorf("%+v", left)
	}
	// The other alert of the digest is told of anew.
	told := 0
	for _, n := range w.notes(local, "draft") {
		if strings.Contains(strings.ToLower(n.Text+n.Subject), strings.ToLower(marker)) {
			t.Errorf("the draft still tells: %s", n.Text)
		}
		told += len(n.Alerts)
	}
	if told != 2 {
		t.Errorf("%d alerts are told of: %+v", told, w.notes(local))
	}
	searchFiles(t, w.dir, marker, strings.ToLower(marker))
}

// TestPurgeOvertakesTheFollower purges an object while the follower is about to write of it.
func TestPurgeOvertakesTheFollower(t *testing.T) {
	const marker = "Zxqvmarker"
	w := newWorld(t, "")
	w.serve(water())
	w.catchUp()
	w.give(local, "tlp:green", strings.Replace(indicator(1, 0, address("203.0.113.7"), ""), "Beacon 1", marker, 1))
	late := lateJournal{journal{w.st, w.x}, func() { must(t, errOf(w.x.Purge(context.Background(), local, "indicator--"+uuid(1), false))) }, new(bool)}
	w.d.o.Journal = late
	w.catchUp()
	if list := w.alerts(local); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	searchFiles(t, w.dir, marker)
}

// lateJournal lets something happen after the first entries were read.
type lateJournal struct {
	journal
	meanwhile func()
	done      *bool
}

func (j lateJournal) Follow(ctx context.Context, after seq, limit int) ([]store.Entry, error) {
	entries, err := j.journal.Follow(ctx, after, limit)
	if len(entries) > 0 && !*j.done {
		*j.done = true
		j.meanwhile()
	}
	return entries, err
}

func searchFiles(t *testing.T, dir string, markers ...string) {
	t.Helper()
	seen := 0
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		seen++
		for _, m := range markers {
			if strings.Contains(string(b), m) {
				t.Errorf("%s holds %s", path, m)
			}
		}
		return err
	}))
	if seen == 0 {
		t.Fatal("no files were searched")
	}
}

// TestRemovedObject takes the object away from under an alert and what was told.
func TestRemovedObject(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	n := w.one(Draft)
	must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	w.deliver()
	must(t, errOf(w.st.Remove(context.Background(), journal{w.st, w.x}.own(), store.Removal{ID: "indicator--" + uuid(1), Act: store.Act{Actor: "node", Verb: "object.remove"}})))
	if list := w.alerts(local); len(list) != 0 {
		t.Errorf("an alert is shown whose object is gone: %+v", list)
	}
	w.catchUp()
	list := w.notes(local)
	if len(w.alerts(local)) != 0 || len(list) != 1 || list[0].Kind != Withdrawn {
		t.Errorf("%+v", list)
	}
}

// TestRegisterChangesLookBack gives constituents assets that older objects concern.
func TestRegisterChangesLookBack(t *testing.T) {
	w := newWorld(t, "")
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""), indicator(2, 0, "[domain-name:value = 'mail.power.example']", ""),
		indicator(3, 0, address("203.0.113.10"), ""), indicator(4, 0, address("192.0.2.1"), ""))
	w.give(local, "tlp:green", indicator(3, 1, address("192.0.2.99"), "")) // it moved away
	w.catchUp()
	if list := w.alerts(local); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	w.serve(water())
	w.catchUp()
	if got := strings.Join(names(w.alerts(local)), ","); got != "Beacon 1" {
		t.Errorf("after a constituent came: %s", got)
	}
	c := water()
	c.Domains = append(c.Domains, register.Domain{Name: "power.example", IncludeSubdomains: true})
	w.serve(c)
	w.catchUp()
	if got := strings.Join(names(w.alerts(local)), ","); got != "Beacon 1,Beacon 2" {
		t.Errorf("after it got a domain: %s", got)
	}
	c = water()
	c.Contacts[0].Phone = "+99 2"
	c.Domains = append(c.Domains, register.Domain{Name: "power.example", IncludeSubdomains: true})
	w.serve(c)
	w.open() // a restart does not look back once more
	w.catchUp()
	if len(w.alerts(local)) != 2 {
		t.Errorf("%+v", w.alerts(local))
	}
	// What lies further back is not looked at.
	w.now = w.now.Add(100 * day)
	c = water()
	c.Networks = append(c.Networks, register.Network{Range: "192.0.2.0/24"})
	w.serve(c)
	w.catchUp()
	if len(w.alerts(local)) != 2 {
		t.Errorf("beyond look_back: %+v", names(w.alerts(local)))
	}
	c.Revoked = true
	w.serve(c)
	w.catchUp()
	for _, a := range w.alerts(local) {
		if a.State != AlertClosed {
			t.Errorf("the constituent is gone: %+v", a)
		}
	}
	for _, n := range w.notes(local) {
		if n.State != Discarded {
			t.Errorf("the constituent is gone: %+v", n)
		}
	}
}

// TestRegisterOfOthersDoesNotCount has another organisation hand in a constituent: it makes nobody be told of anything.
func TestRegisterOfOthersDoesNotCount(t *testing.T) {
	w := newWorld(t, "")
	w.serve()
	c := water()
	c.Type, c.SpecVersion, c.Created, c.Modified = register.Type, "2.1", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"
	c.Extensions = map[string]register.Extension{register.DefinitionID: {Type: "new-sdo"}}
	raw, err := c.Canonical()
	must(t, err)
	w.give(ally, "tlp:green", string(raw))
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	if list := w.alerts(local); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestFloods bounds what one hour makes: single drafts, then a digest, then a count.
func TestFloods(t *testing.T) {
	w := newWorld(t, "")
	w.serve(water())
	var objects []string
	const many = 700
	for i := range many {
		objects = append(objects, indicator(100+i, 0, address("203.0.113."+itoa(1+i%250)), ""))
	}
	w.give(local, "tlp:green", objects...)
	w.catchUp()
	if n := len(w.alerts(local)); n != maxHour {
		t.Errorf("%d alerts", n)
	}
	list := w.notes(local)
	single, digests, listed, more := 0, 0, 0, 0
	for _, n := range list {
		switch n.Kind {
		case Single:
			single++
		case Digest:
			digests++
		}
		listed += len(n.Alerts)
		more += n.More
		if len(n.Text) > maxText {
			t.Errorf("a text of %d bytes", len(n.Text))
		}
	}
	if single != w.cfg.DigestAfter || digests != 1 || listed != single+maxItems || listed+more != many {
		t.Errorf("%d single, %d digests, %d listed, %d more", single, digests, listed, more)
	}
	// The next hour begins anew.
	w.now = w.now.Add(time.Hour)
	w.give(local, "tlp:green", indicator(5000, 0, address("203.0.113.9"), ""))
	w.catchUp()
	if got := w.notes(local); len(got) != len(list)+1 || got[0].Kind != Single {
		t.Errorf("%d notifications", len(got))
	}
}
