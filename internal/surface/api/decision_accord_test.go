package api

import (
	"encoding/json"
	"strings"
	"testing"

	"entente/decision"
	"entente/internal/decisions"
)

// Accords that are signed stand among the decisions: who signed consents, who declined vetoes, and the file with all signatures is the certificate.
func TestAccordsAreDecisions(t *testing.T) {
	w := newWorld(t)
	other := w.befriend()
	ask := func(method, path, body string, want int) string {
		t.Helper()
		status, got := w.ask(admin, method, path, body)
		if status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, got)
		}
		return got
	}
	row := func(id string) (v decisions.View) {
		t.Helper()
		w.must(json.Unmarshal([]byte(ask(get, "/decisions/"+id, "", 200)), &v))
		return v
	}
	ask(post, "/accords", pact, 201)
	if got := ask(get, "/decisions", "", 200); strings.Contains(got, "ratify") {
		t.Errorf("a draft that nobody signed is a decision: %s", got)
	}
	ask(post, "/accords", w.countersigned(pact, other), 201)
	var list List[decisions.View]
	w.must(json.Unmarshal([]byte(ask(get, "/decisions", "", 200)), &list))
	if len(list.Items) != 1 || list.Items[0].What.Action.Type != "accord" || list.Items[0].What.Action.Do != "ratify" || list.Items[0].State != decisions.Open || !list.Items[0].Mine || list.Items[0].Means != nil {
		t.Fatalf("%+v", list)
	}
	id := list.Items[0].ID
	d := row(id[:12])
	if len(d.Means) < 5 || d.Count.Have != 1 || d.Count.Need != 2 || len(d.Count.Missing) != 1 || d.Count.Missing[0].Nation != "UTO" {
		t.Errorf("%+v %+v", d, d.Count)
	}
	for _, no := range [][2]string{{"GET", "/ballot?choice=consent"}, {"POST", "/second"}} {
		if got := ask(no[0], "/decisions/"+id+no[1], "", 409); !strings.Contains(got, "decision.text") {
			t.Errorf("%v: %s", no, got)
		}
	}
	ask(post, "/decisions/"+id+"/report", `{"did":"executed"}`, 409)
	ask(post, "/decisions/"+id+"/position", `{"choice":"abstain"}`, 400)
	if got := ask(get, "/decisions/"+id+"/certificate", "", 409); !strings.Contains(got, "decision.open") {
		t.Error(got)
	}
	ask(post, "/decisions/"+id+"/position", `{"choice":"consent"}`, 200)
	d = row(id)
	if d.State != decisions.Executed || d.Own != decision.Consent || d.Mine || d.Count.Outcome != decision.Yes {
		t.Errorf("%+v %+v", d, d.Count)
	}
	file := ask(get, "/decisions/"+id+"/certificate", "", 200)
	if file != ask(get, "/decisions/"+id+"/proposal", "", 200) || !strings.Contains(file, `"signatures":[`) {
		t.Error(file)
	}

	// The amendment is declined, with a reason that the others read; it cannot be signed here any more.
	amended := strings.Replace(strings.Replace(pact, "version   = 1", "version = 2\n  supersedes = \"sha256:"+id+`"`, 1), "[indicator", "[note, indicator", 1)
	ask(post, "/accords", w.countersigned(amended, other), 201)
	w.must(json.Unmarshal([]byte(ask(get, "/decisions", "", 200)), &list))
	var second decisions.View
	for _, v := range list.Items {
		if v.Version == 2 {
			second = v
		}
	}
	if second.ID == "" {
		t.Fatalf("%+v", list)
	}
	d = row(second.ID)
	if d.What.Action.Do != "amend" || len(d.Means) == 0 || !strings.Contains(strings.Join(d.Means, " "), "note") {
		t.Errorf("%+v", d)
	}
	d = decisions.View{}
	w.must(json.Unmarshal([]byte(ask(post, "/decisions/"+second.ID+"/position", `{"choice":"veto","reason":"notes name our sources"}`, 200)), &d))
	if d.State != decisions.Rejected || d.Own != decision.Veto || d.Mine || len(d.Said) != 1 || d.Said[0].Reason != "notes name our sources" || d.Count.Outcome != decision.No {
		t.Errorf("%+v %+v", d, d.Count)
	}
	if got := ask(post, "/accords/sha256:"+second.ID+"/sign", "", 409); !strings.Contains(got, "accord.declined") {
		t.Error(got)
	}
	if got := ask(post, "/accords/sha256:"+id+"/notice", `{"verb":"decline"}`, 409); !strings.Contains(got, "accord.signed") {
		t.Error(got)
	}
	if d := row(id); d.State != decisions.Executed {
		t.Errorf("an amendment that is declined changes what binds: %+v", d)
	}
}
