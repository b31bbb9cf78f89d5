package node

import (
	"entente/internal/gate"
	"entente/internal/notify"
	"entente/register"
)

// fillAlerts lets the alerts meet what a partner may not know of.
func (w *leakWorld) fillAlerts() {
	w.t.Helper()
	w.must(w.n.desk.Sync(w.t.Context()))
	names := w.n.ring.Names()
	local := gate.Viewer{Nation: names.Nation, Org: names.Org, Person: Local, Roles: everyRole(), Realm: names.Realm}
	list, _, err := w.n.desk.Alerts(w.t.Context(), local, notify.Filter{}, "", 1)
	w.must(err)
	w.names["alert"], w.names["notice"] = "alert-111111111111111111111111", "notice-111111111111111111111111" // where there is none
	if len(list) == 1 {
		w.names["alert"] = list[0].ID
		if len(list[0].Notifications) > 0 {
			w.names["notice"] = list[0].Notifications[0]
		}
	}
}

// alertScript asks for alerts and notifications, which are nobody's but the own organisation's.
func alertScript(reading, changing leakScript) {
	const base = "/api/v1"
	asks := func(method, body string, paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				s.ask(method, base+p, body)
			}
		}
	}
	alerts := []string{"/alerts/{alert}", "/alerts/alert-000000000000000000000000", "/alerts/" + hiddenConstituent, "/alerts/nonsense"}
	notices := func(suffix string) []string {
		return []string{"/notifications/{notice}" + suffix, "/notifications/notice-000000000000000000000000" + suffix, "/notifications/nonsense" + suffix}
	}
	reading["api GET /alerts"] = asks("GET", "", "/alerts", "/alerts?state=new&limit=1", "/alerts?constituent="+hiddenConstituent, "/alerts?severity=critical", "/alerts?sort=severity&limit=1", "/alerts?state=odd", "/alerts?next=AAAA", "/alerts?nonsense=1")
	reading["api GET /alerts/{id}"] = asks("GET", "", alerts...)
	reading["api GET /notifications"] = asks("GET", "", "/notifications", "/notifications?state=draft", "/notifications?constituent="+register.Type, "/notifications?limit=0")
	reading["api GET /notifications/{id}"] = asks("GET", "", notices("")...)
	reading["api GET /channels"] = asks("GET", "", "/channels", "/channels?check=true", "/channels?check=perhaps")
	reading["api POST /notifications/{id}/preview"] = asks("POST", `{"edition":1}`, notices("/preview")...)
	changing["api PATCH /alerts/{id}"] = asks("PATCH", `{"state":"closed","reason":"x"}`, alerts...)
	changing["api PUT /notifications/{id}"] = asks("PUT", `{"subject":"x","text":"y","edition":1}`, notices("")...)
	changing["api POST /notifications/{id}/send"] = asks("POST", `{"edition":1}`, notices("/send")...)
	changing["api POST /notifications/{id}/discard"] = asks("POST", `{"reason":"x"}`, notices("/discard")...)
}
