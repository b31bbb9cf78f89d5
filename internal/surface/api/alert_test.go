package api

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/notify"
	"entente/internal/record"
	"entente/internal/store"
	"entente/register"
)

// alertAsks is what the outsider asks of alerts and notifications.
var alertAsks = map[string][]probe{
	"GET /alerts":                      {{"/alerts", ""}, {"/alerts?state=new&severity=low&limit=1", ""}, {"/alerts?sort=severity&limit=1", ""}, {"/alerts?sort=odd", ""}, {"/alerts?state=odd", ""}, {"/alerts?constituent=" + waterID, ""}},
	"GET /alerts/{id}":                 {{"/alerts/ALERT", ""}, {"/alerts/nonsense", ""}},
	"PATCH /alerts/{id}":               {{"/alerts/ALERT", `{"state":"taken"}`}, {"/alerts/nonsense", `{"state":"odd"}`}},
	"GET /notifications":               {{"/notifications", ""}, {"/notifications?state=draft&limit=1", ""}, {"/notifications?severity=none", ""}},
	"GET /notifications/{id}":          {{"/notifications/NOTICE", ""}},
	"PUT /notifications/{id}":          {{"/notifications/NOTICE", `{"subject":"x","text":"y","edition":1}`}},
	"POST /notifications/{id}/send":    {{"/notifications/NOTICE/send", `{"edition":1}`}},
	"POST /notifications/{id}/preview": {{"/notifications/NOTICE/preview", `{"edition":1}`}},
	"POST /notifications/{id}/discard": {{"/notifications/NOTICE/discard", `{"reason":"x"}`}},
	"GET /channels":                    {{"/channels", ""}, {"/channels?check=true", ""}},
}

func init() { maps.Copy(asks, alertAsks) }

const waterID = "constituent--3d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c001"

// hole is a channel that takes everything and keeps it.
type hole struct{ sent []*notify.Message }

func (h *hole) Name() string                { return "hole" }
func (h *hole) Kind() notify.Route          { return notify.Email }
func (h *hole) Reaches(string) bool         { return true }
func (h *hole) Check(context.Context) error { return errors.New("not there") }
func (h *hole) Compose(m *notify.Message) (notify.Parcel, error) {
	return notify.Parcel{Body: m.Text}, nil
}
func (h *hole) Send(_ context.Context, m *notify.Message) error {
	h.sent = append(h.sent, m)
	return nil
}

// openDesk gives the world alerts and notifications.
func (w *world) openDesk() {
	w.t.Helper()
	var err error
	w.desk, err = notify.New(w.t.Context(), notify.Options{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Config: notify.DefaultConfig(), Channels: []notify.Channel{&hole{}},
		Journal: journal{w}, Door: w.x, Docs: w.st, Base: w.dir, Recipient: func(_, name string) exchange.Recipient {
			return exchange.Recipient{Party: gate.Party{Nation: "UTO", Org: name}, Client: true}
		}, Now: func() time.Time { return time.Now().Add(time.Second) }})
	w.must(err)
}

func (j journal) Headers(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.w.st.Watch(ctx, j.w.gate.Own(time.Now()), after, limit)
}

func (j journal) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return j.w.st.Page(ctx, j.w.gate.Own(time.Now()), q)
}

func (j journal) Scrub(context.Context, string) error { return nil }

// watch takes a constituent into the register, and gives the desk something that concerns it.
func (w *world) watch(as gate.Viewer) {
	w.t.Helper()
	w.must(errOf(w.reg.Add(w.t.Context(), as, &register.Constituent{Name: "Utopia Water", Contacts: []register.Contact{{Name: "SOC", Email: "soc@water.example"}},
		Networks: []register.Network{{Range: "198.51.100.0/24"}}})))
}

const watched = `{"type":"indicator","spec_version":"2.1","id":"indicator--5d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c001","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",` +
	`"name":"` + hiddenName + `","pattern":"[ipv4-addr:value = '198.51.100.66']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}`

// askAlerts asks for alerts and notifications, and lets one go.
func askAlerts(w *world, do func(route, path, body string)) {
	w.watch(registrar)
	w.importAll(admin, nil, watched)
	w.must(w.desk.Sync(w.t.Context()))
	alerts, _, err := w.desk.Alerts(w.t.Context(), admin, notify.Filter{}, "", 10)
	w.must(err)
	if len(alerts) != 1 || len(alerts[0].Notifications) != 1 {
		w.t.Fatalf("%+v", alerts)
	}
	alert, notice := alerts[0].ID, alerts[0].Notifications[0]
	do("GET /alerts", "/alerts?state=new,taken&severity=low&constituent="+alerts[0].Constituent+"&limit=1", "")
	do("GET /alerts/{id}", "/alerts/"+alert, "")
	do("PATCH /alerts/{id}", "/alerts/"+alert, `{"state":"taken","assignee":"ada","note":"looking"}`)
	do("GET /notifications", "/notifications?state=draft&severity=low", "")
	do("GET /notifications/{id}", "/notifications/"+notice, "")
	edition := w.edition(notice)
	do("PUT /notifications/{id}", "/notifications/"+notice, `{"subject":"a subject","text":"a text","edition":`+edition+`}`)
	// Who wrote into it does not send it.
	if status, body := w.ask(admin, "POST", "/notifications/"+notice+"/send", `{"edition":`+w.edition(notice)+`}`); status != 403 || !strings.Contains(body, "notification.duties") {
		w.t.Errorf("the writer sends: %d %s", status, body)
	}
	other := admin
	other.Person = "otto"
	w.must(errOf(w.desk.Edit(w.t.Context(), other, notice, notify.EditNotification{Subject: "another", Text: "text", Edition: w.editionOf(notice)})))
	do("POST /notifications/{id}/preview", "/notifications/"+notice+"/preview", `{"edition":`+w.edition(notice)+`}`)
	do("POST /notifications/{id}/send", "/notifications/"+notice+"/send", `{"edition":`+w.edition(notice)+`,"channel":"hole"}`)
	do("POST /notifications/{id}/discard", "/notifications/"+notice+"/discard", `{"reason":"told by telephone"}`)
	do("GET /channels", "/channels?check=true", "")
}

func (w *world) editionOf(id string) int {
	w.t.Helper()
	n, err := w.desk.Notification(w.t.Context(), admin, id)
	w.must(err)
	return n.Edition
}

func (w *world) edition(id string) string {
	b, err := marshal(w.editionOf(id))
	w.must(err)
	return string(b)
}

// TestAlertsTellNothingHidden has an alert about an object that only one person may have. For the others of the own organisation every route
// answers as if it was not there.
func TestAlertsTellNothingHidden(t *testing.T) {
	worlds := [2]*world{newWorld(t), newWorld(t)}
	named := gate.Viewer{Nation: "XER", Org: "Erewhon CERT", Person: "eve", Roles: []string{"analyst"}, Realm: keyring.Operational}
	reader := gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "una", Roles: []string{"analyst", "officer", "auditor"}, Realm: keyring.Operational}
	for i, w := range worlds {
		w.watch(registrar)
		if i == 1 {
			// What another organisation hands in as RED is not the own organisation's to see. The alert is there, and nobody sees it.
			w.importAll(named, map[string][]string{"label": {"tlp:red"}}, strings.Replace(watched, `,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`, "", 1))
		}
		w.must(w.desk.Sync(t.Context()))
	}
	for _, v := range []gate.Viewer{reader, admin, outsider, registrar} {
		for _, r := range alertRoutes {
			for _, q := range alertAsks[r.Method+" "+r.Path] {
				s0, b0 := worlds[0].ask(v, r.Method, q.path, q.body)
				s1, b1 := worlds[1].ask(v, r.Method, q.path, q.body)
				if s0 != s1 || normal(b0) != normal(b1) || s0 >= 500 {
					t.Errorf("%s: %s %s: what is hidden changes the answer:\n%d %s\n%d %s", v.Person, r.Method, q.path, s0, normal(b0), s1, normal(b1))
				}
			}
		}
	}
	if status, body := worlds[1].ask(outsider, "GET", "/alerts", ""); status != 403 {
		t.Errorf("who is not of the own organisation sees alerts: %d %s", status, body)
	}
}

// TestAlertsPage walks through all alerts in small pages, newest first.
func TestAlertsPage(t *testing.T) {
	w := newWorld(t)
	w.watch(registrar)
	var all strings.Builder
	for i := range 23 {
		sure := `"confidence":` + strconv.Itoa(1+i%3*40) + `,"name"`
		all.WriteString(strings.NewReplacer("5d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c001", uuidOf(700+i), hiddenName, "Beacon", `"name"`, sure).Replace(watched))
	}
	w.importAll(admin, nil, all.String())
	w.must(w.desk.Sync(t.Context()))
	seen := map[string]bool{}
	w.must(w.client(admin).Alerts(t.Context(), map[string][]string{"limit": {"5"}}, func(a notify.Alert) error {
		if seen[a.ID] {
			t.Errorf("%s stands there twice", a.ID)
		}
		seen[a.ID] = true
		return nil
	}))
	if len(seen) != 23 {
		t.Errorf("%d alerts", len(seen))
	}
	rank, at, n, steps := 4, time.Now().Add(time.Hour), 0, 0
	w.must(w.client(admin).Alerts(t.Context(), map[string][]string{"limit": {"5"}, "sort": {"severity"}}, func(a notify.Alert) error {
		r := a.Severity.Rank()
		if r > rank || r == rank && a.At.After(at) {
			t.Errorf("%s of %s stands behind a lower or an older one", a.Severity, a.At)
		}
		if r < rank {
			steps++
		}
		rank, at, n = r, a.At, n+1
		return nil
	}))
	if n != 23 || steps < 2 {
		t.Errorf("%d alerts of %d severities", n, steps)
	}
	_, err := w.client(admin).Alert(t.Context(), "alert-none")
	if fault.Of(err) != fault.NotFound {
		t.Errorf("an alert that is not there: %v", err)
	}
}
