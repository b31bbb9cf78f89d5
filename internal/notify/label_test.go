package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/register"
)

// TestWhatMayBeSaid says for each label whether a constituent is told, only asked to get in touch, or told nothing; and that a draft holds
// nothing of what may not be said.
func TestWhatMayBeSaid(t *testing.T) {
	const marker = "Zxqvmarker"
	mine, theirs := local, ally
	for _, c := range []struct {
		by    gate.Viewer
		label string
		org   string // of the constituent in the register of organisations
		want  string // "told", "hint" or "withheld"
	}{
		{mine, "tlp:clear", "", "told"},
		{mine, "tlp:green", "", "told"},
		{mine, "tlp:amber", "", "told"},
		{mine, "tlp:amber+strict", "", "hint"},
		{mine, "tlp:red", "", "withheld"},
		{mine, "tlp:green", "Arcadia CERT", "told"},     // a member of the community
		{mine, "tlp:amber", "Arcadia CERT", "withheld"}, // registered, and no client
		{theirs, "tlp:amber", "", "told"},
		{theirs, "tlp:amber+strict", "", "hint"},
		{theirs, "tlp:red", "", "withheld"},
		{theirs, "tlp:green,onward:consent", "", "withheld"},
		{theirs, "tlp:green,onward:none", "", "withheld"},
		{theirs, "tlp:amber+strict,onward:none", "", "withheld"},
		{mine, "tlp:green,onward:none", "", "told"}, // the own organisation is the originator
		{mine, "tlp:amber,access:view", "", "withheld"},
		{mine, "tlp:green,nation:KWT", "", "withheld"},
		{mine, "tlp:amber,pap:red", "", "told"},
	} {
		t.Run(c.by.Org+" "+c.label+" "+c.org, func(t *testing.T) {
			w := newWorld(t, "")
			one := water()
			one.Org = c.org
			w.serve(one)
			w.give(c.by, c.label, strings.Replace(indicator(1, 0, "[domain-name:value = '"+strings.ToLower(marker)+".water.example']", ""), "Beacon 1", marker, 1))
			w.catchUp()
			w.d.mu.Lock()
			defer w.d.mu.Unlock()
			if len(w.d.notes) != 1 {
				t.Fatalf("%d notifications", len(w.d.notes))
			}
			for _, n := range w.d.notes {
				said, err := json.Marshal(w.d.message(n))
				must(t, err)
				told := strings.Contains(strings.ToLower(string(said)), strings.ToLower(marker))
				got := "told"
				switch {
				case n.State == Withheld:
					got = "withheld"
				case n.Kind == Hint:
					got = "hint"
				}
				if got != c.want || told != (c.want == "told") {
					t.Errorf("%s, the marker is in it: %t\n%s\n%s", got, told, n.Reason, said)
				}
				if got == "withheld" && n.Reason == "" {
					t.Error("no reason")
				}
				if got == "hint" {
					has(t, n.Text, "Please contact us")
					if n.TLP != "TLP:AMBER" {
						t.Errorf("the hint is %s", n.TLP)
					}
				}
				if c.label == "tlp:amber,pap:red" {
					has(t, n.Handling, "PAP:RED", "own records")
				}
			}
		})
	}
}

// TestSource names the source only where the label lets it be named.
func TestSource(t *testing.T) {
	for label, want := range map[string]bool{"tlp:green": true, "tlp:green,attrib:must": true, "tlp:green,attrib:must-not": false, "tlp:green,attrib:withhold": false} {
		w := newWorld(t, "")
		w.serve(water())
		w.give(ally, label, indicator(1, 0, address("203.0.113.9"), ""))
		w.catchUp()
		n := w.one(Draft)
		if got := strings.Contains(n.Text, "Arcadia CERT (ARC)"); got != want {
			t.Errorf("%s: named %t\n%s", label, got, n.Text)
		}
	}
}

// TestHandling carries every restriction that binds the reader.
func TestHandling(t *testing.T) {
	w := newWorld(t, "")
	w.serve(water())
	until := w.now.Add(90 * day).UTC().Format(time.RFC3339)
	w.give(local, "tlp:amber,pap:amber,purpose:net-defence,caveat:no-media,until:"+until, indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	n := w.one(Draft)
	has(t, n.Handling, "TLP:AMBER", "its clients", "PAP:AMBER", "these purposes only: net-defence", "Caveats: no-media", "Destroy every copy by")
	if n.PAP != "PAP:AMBER" {
		t.Errorf("%q", n.PAP)
	}
}

// TestAlertsOfHiddenObjectsAreHidden lets a named person see an alert that others of the organisation do not, and nothing of it changes what those
// are given.
func TestAlertsOfHiddenObjectsAreHidden(t *testing.T) {
	shown := [2]string{}
	for i := range 2 {
		w := newWorld(t, "")
		w.cfg.DigestAfter = 2
		w.open()
		w.serve(water())
		w.give(ally, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
		if i == 1 {
			for k := range 20 {
				w.give(ally, "tlp:red,person:UTO/Utopia CERT/otto", indicator(50+k, 0, address("203.0.113.9"), ""))
			}
			// A newer version of the visible object that revokes it, hidden.
			w.give(ally, "tlp:red", indicator(1, 9, address("203.0.113.9"), `,"revoked":true`))
		}
		w.give(local, "tlp:green", indicator(2, 0, address("203.0.113.9"), ""))
		w.catchUp()
		if n := len(w.alerts(otto)); n != []int{2, 22}[i] {
			t.Errorf("world %d: who is named sees %d alerts", i, n)
		}
		var lines []string // all of one time: in no order
		for _, a := range w.alerts(ada) {
			lines = append(lines, fmt.Sprintln(a.Title, a.State, a.Severity, a.Versions, len(a.Notifications)))
		}
		for _, n := range w.notes(ada) {
			lines = append(lines, fmt.Sprintln(n.Kind, n.State, n.Subject, len(n.Alerts), n.More))
		}
		slices.Sort(lines)
		shown[i] = strings.Join(lines, "")
		list, _, err := w.d.Alerts(context.Background(), ally, Filter{}, "", 10)
		must(t, err)
		if len(list) != 0 {
			t.Errorf("another organisation sees %+v", list)
		}
		if i == 1 {
			for _, a := range w.alerts(otto) {
				if a.TLP == "TLP:RED" {
					wantKind(t, errOf(w.d.Alert(context.Background(), ada, a.ID)), fault.NotFound)
					wantKind(t, errOf(w.d.ChangeAlert(context.Background(), ada, a.ID, ChangeAlert{State: AlertTaken})), fault.NotFound)
				}
			}
		}
	}
	if shown[0] != shown[1] {
		t.Errorf("what is hidden changes what is shown:\n%s\n%s", shown[0], shown[1])
	}
}

// TestDuties keeps writing and sending apart.
func TestDuties(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	ctx := context.Background()
	n := w.one(Draft)
	wantKind(t, errOf(w.d.Edit(ctx, ada, n.ID, EditNotification{Subject: "s", Text: "t", Edition: n.Edition - 1})), fault.Conflict)
	wantKind(t, errOf(w.d.Edit(ctx, ada, n.ID, EditNotification{Subject: "s", Text: " ", Edition: n.Edition})), fault.Invalid)
	wantKind(t, errOf(w.d.Edit(ctx, ada, n.ID, EditNotification{Subject: "two\nlines", Text: "t", Edition: n.Edition})), fault.Invalid)
	wantKind(t, errOf(w.d.Edit(ctx, ada, n.ID, EditNotification{Subject: "s", Text: "a\u202eb", Edition: n.Edition})), fault.Invalid)
	edited, err := w.d.Edit(ctx, otto, n.ID, EditNotification{Subject: "Look at this", Text: "In my words.", Edition: n.Edition})
	must(t, err)
	wantKind(t, errOf(w.d.Send(ctx, otto, n.ID, SendNotification{Edition: edited.Edition})), fault.Forbidden)
	wantKind(t, errOf(w.d.Preview(ctx, otto, n.ID, SendNotification{Edition: edited.Edition})), fault.Forbidden)
	edited, err = w.d.Edit(ctx, ada, n.ID, EditNotification{Subject: "Look at this", Text: "In my words, once more.", Edition: edited.Edition})
	must(t, err)
	wantKind(t, errOf(w.d.Send(ctx, otto, n.ID, SendNotification{Edition: n.Edition})), fault.Conflict)
	// What a person wrote is not written over by what comes later.
	w.give(local, "tlp:green", indicator(1, 1, address("203.0.113.9"), ""))
	w.catchUp()
	if got, _ := w.d.Notification(ctx, ada, n.ID); got.Text != "In my words, once more." {
		t.Errorf("%+v", got)
	}
	dry, err := w.d.Preview(ctx, otto, n.ID, SendNotification{Edition: edited.Edition})
	must(t, err)
	must(t, errOf(w.d.Send(ctx, otto, n.ID, SendNotification{Edition: edited.Edition})))
	wantKind(t, errOf(w.d.Send(ctx, otto, n.ID, SendNotification{Edition: edited.Edition})), fault.Conflict)
	w.deliver()
	if mails := m.mails(); len(mails) != 1 || mails[0].body != dry.Body {
		t.Errorf("the preview is not what was sent:\n%s\n%+v", dry.Body, mails)
	}
	wantKind(t, errOf(w.d.Discard(ctx, ada, n.ID, "late")), fault.Conflict)
	wantKind(t, errOf(w.d.Discard(ctx, gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "r", Roles: []string{"reader"}, Realm: realm}, n.ID, "late")), fault.Forbidden)
	// Every act is in the journal, and none says what was written.
	entries, _, err := w.x.Acts(ctx, local, store.ActQuery{})
	must(t, err)
	verbs := ""
	for _, e := range entries {
		verbs += e.Act.Actor + " " + e.Act.Verb + "\n"
		if strings.Contains(e.Act.Detail+e.Act.Target, "words") {
			t.Errorf("%+v", e.Act)
		}
	}
	has(t, verbs, "Utopia CERT/otto notification.edit", "Utopia CERT/ada notification.edit", "Utopia CERT/otto notification.send", "node notification.sent")
}

// TestAlertStates takes, closes and opens an alert again.
func TestAlertStates(t *testing.T) {
	w := newWorld(t, "")
	w.serve(water())
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	ctx, id := context.Background(), w.alerts(ada)[0].ID
	change := func(in ChangeAlert) Alert {
		t.Helper()
		a, err := w.d.ChangeAlert(ctx, ada, id, in)
		must(t, err)
		return a
	}
	if a := change(ChangeAlert{State: AlertTaken}); a.State != AlertTaken || a.Assignee != "ada" {
		t.Errorf("%+v", a)
	}
	wantKind(t, errOf(w.d.ChangeAlert(ctx, ada, id, ChangeAlert{State: AlertClosed})), fault.Invalid)
	wantKind(t, errOf(w.d.ChangeAlert(ctx, ada, id, ChangeAlert{State: "odd"})), fault.Invalid)
	wantKind(t, errOf(w.d.ChangeAlert(ctx, ada, id, ChangeAlert{Note: strings.Repeat("x", maxNote+1)})), fault.Invalid)
	wantKind(t, errOf(w.d.ChangeAlert(ctx, ada, id, ChangeAlert{Note: "x", Edition: 77})), fault.Conflict)
	a := change(ChangeAlert{State: AlertClosed, Reason: "a test of our own", Note: "asked them\nby telephone"})
	if a.State != AlertClosed || a.Reason == "" || len(a.Notes) != 1 || a.Notes[0].By != "Utopia CERT/ada" {
		t.Errorf("%+v", a)
	}
	w.open() // a restart
	a, err := w.d.Alert(ctx, ada, id)
	must(t, err)
	if a.State != AlertClosed || len(a.Notes) != 1 {
		t.Errorf("after a restart: %+v", a)
	}
	if a = change(ChangeAlert{State: AlertNew}); a.Assignee != "" || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	w.now = w.now.Add(366 * day)
	w.catchUp()
	if len(w.alerts(ada)) != 1 {
		t.Error("an open alert was taken away")
	}
	change(ChangeAlert{State: AlertClosed, Reason: "old"})
	w.now = w.now.Add(366 * day)
	w.catchUp()
	if len(w.alerts(ada)) != 0 {
		t.Error("a closed alert is kept for ever")
	}
}

// TestContacts says who of a constituent is told of what.
func TestContacts(t *testing.T) {
	w := newWorld(t, "")
	c := water()
	c.Contacts = []register.Contact{{Name: "All", Email: "all@water.example", Webhook: "hook"}, {Name: "Patches", Email: "patches@water.example", Receives: []register.Subject{register.Vulnerabilities}},
		{Name: "Alerts", Email: "alerts@water.example", Receives: []register.Subject{register.Alerts}}, {Name: "Phone", Phone: "+99 1"}}
	w.serve(c)
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""), kev(2, "CVE-2026-0001", "Microsoft", "Windows", ""))
	w.catchUp()
	got := map[string]int{}
	for _, n := range w.notes(ada) {
		got[n.Address]++
	}
	want := map[string]int{"all@water.example": 2, "hook": 2, "patches@water.example": 1, "alerts@water.example": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.Contacts = nil
	w.serve(c)
	w.give(local, "tlp:green", indicator(9, 0, address("203.0.113.9"), ""))
	w.catchUp()
	if a := w.alerts(ada)[0]; a.Problem == "" || len(a.Notifications) != 0 {
		t.Errorf("%+v", a)
	}
}
