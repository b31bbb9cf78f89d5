package api

import (
	"context"
	"encoding/json"
	"strings"

	"entente/decision"
	"entente/dsse"
	"entente/internal/decisions"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/peer"
)

// noDecision is the id of a decision that is not there.
const noDecision = "0123456789abcdef"

// tongue is where the world's node says what it decides.
type tongue struct{ w *world }

func (l tongue) Say(ctx context.Context, accord [32]byte, topic [16]byte, about string, envelope []byte) (decisions.Place, error) {
	return l.w.federation.Say(ctx, accord, topic, about, envelope)
}

func (l tongue) Spoken(ctx context.Context, from func(string) uint64, take func(decisions.Place, []byte) error) error {
	return l.w.federation.Spoken(ctx, from, take)
}

func (l tongue) Awaits(context.Context) (bool, error) { return false, nil }

func (l tongue) Stretch(ctx context.Context, origin string, from uint64) (peer.Edge, []peer.Leaf, []byte, error) {
	return l.w.federation.Stretch(ctx, origin, from)
}

// decidable is the text of an accord with rules.
var decidable = strings.Replace(strings.Replace(pact, "uto-rur", "joint", 1), "  suspend {", `  decide "one" {
    propose = any
    consent = 1
    deadline = "1h"
    unreachable = abstains
  }
  decide "both" {
    propose = 2
    consent = all
    deadline = "1h"
  }
  suspend {`, 1)

// decisionRows asks for joint decisions and has one taken.
func decisionRows(w *world, do func(route, path, body string), last *string) {
	other := w.befriend()
	do("POST /accords", "/accords", w.countersigned(decidable, other))
	do("POST /accords/{name}/sign", "/accords/joint/sign", "")
	wish := `{"accord":"joint","rule":"one","title":"block 192.0.2.0/24","action":{"type":"block","do":"block","media":"text/plain","body":"eA=="},"affected":["RUR"]}`
	do("POST /decisions/review", "/decisions/review", wish)
	if !strings.Contains(*last, `"voters":["RUR","UTO"]`) || !strings.Contains(*last, `"proposers":1`) {
		w.t.Errorf("what it means: %s", *last)
	}
	do("POST /decisions", "/decisions", wish)
	var v decisions.View
	w.must(json.Unmarshal([]byte(*last), &v))
	if v.State != decisions.Open || !v.Mine || len(v.Rule) == 0 {
		w.t.Errorf("proposed: %s", *last)
	}
	id := "/decisions/" + v.ID
	do("GET /decisions", "/decisions", "")
	do("GET /decisions/{id}", id[:len("/decisions/")+12], "")
	do("GET /decisions/{id}/proposal", id+"/proposal", "")
	do("GET /decisions/{id}/ballot", id+"/ballot?choice=reservation&reason=not+so", "")
	var b Ballot
	w.must(json.Unmarshal([]byte(*last), &b))
	e, err := dsse.Sign(b.Type, b.Payload, w.signer(keylog.RoleVote))
	w.must(err)
	do("POST /decisions/envelopes", "/decisions/envelopes", string(e.Bytes()))
	if !strings.Contains(*last, `"own":"reservation"`) {
		w.t.Errorf("signed elsewhere: %s", *last)
	}
	do("POST /decisions/{id}/position", id+"/position", `{"choice":"consent","reason":"agreed"}`)
	w.must(w.decisions.Work(w.t.Context()))
	do("GET /decisions/{id}", id, "")
	w.must(json.Unmarshal([]byte(*last), &v))
	if v.State != decisions.Decided {
		w.t.Fatalf("decided: %s", *last)
	}
	do("GET /decisions/{id}/certificate", id+"/certificate", "")
	do("POST /decisions/verify", "/decisions/verify", *last)
	if !strings.Contains(*last, `"outcome":"yes"`) || strings.Contains(*last, "unpinned") {
		w.t.Errorf("what it proves: %s", *last)
	}
	do("GET /decisions/{id}/certificate", id+"/certificate?alone=true", "")
	alone := *last
	do("POST /decisions/{id}/report", id+"/report", `{"did":"executed","text":"by hand"}`)
	if !strings.Contains(*last, `"state":"executed"`) {
		w.t.Errorf("reported: %s", *last)
	}
	do("POST /decisions/weights", "/decisions/weights", "RUR = 1\nUTO = 2\n")

	// The other proposes; this node proposes it, too.
	d, _ := w.accords.Binding("joint")
	draft, err := w.decisions.Draft(admin, decisions.Wish{Accord: "joint", Rule: "both", Title: "together"})
	w.must(err)
	p := *draft
	p.Nation, p.Org, p.Accord = "RUR", "Ruritania CERT", d
	voter, err := other.Signer(keylog.RoleVote)
	w.must(err)
	envelope, err := decision.SignProposal(keyring.Operational, p, voter)
	w.must(err)
	w.must(w.decisions.Hear(w.t.Context(), "RUR", decisions.Place{Origin: "elsewhere/1", Leaf: peer.Leaf{Kind: peer.Decision, Topic: p.Topic(), Time: p.Opens}}, envelope))
	digest := p.Digest()
	do("POST /decisions/{id}/second", "/decisions/"+digestText(digest)+"/second", "")
	if !strings.Contains(*last, `"state":"open"`) {
		w.t.Errorf("seconded: %s", *last)
	}
	w.must(w.peers.Remove(w.t.Context(), "test", "RUR"))
	do("POST /decisions/verify", "/decisions/verify", alone)
	if !strings.Contains(*last, `"unpinned":["RUR"]`) {
		w.t.Errorf("of whom nothing is known here: %s", *last)
	}
}

func digestText(d peer.Digest) string {
	b, _ := d.MarshalText()
	return string(b)
}
