package decision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"entente/keylog"
	"entente/peer"
)

// vector is the statements of the specification.
func vector() (Proposal, Position, Ack, Report) {
	body := []byte("All parties block the domains of the campaign.")
	p := Proposal{V: 1, ID: "p-1", Round: 1, Accord: peer.Digest(bytes.Repeat([]byte{0x11}, 32)), Rule: "joint-block", Nation: "KWT", Org: "kw.ncsc", Title: "Block what the campaign uses",
		Action: &Action{Type: "statement", Do: "publish", Media: "text/plain", Digest: sha256.Sum256(body), Body: body}, Affected: []string{"USA"}, Opens: opens, Deadline: deadline}
	d := p.Digest()
	return p, Position{V: 1, Proposal: d, Round: 1, Accord: p.Accord, Choice: Veto, Reason: "One of them is ours.", Nation: "USA", Org: "us.cisa", Time: opens.Add(90*time.Minute + time.Microsecond)},
		Ack{V: 1, Proposal: d, Round: 1, Nation: "USA", Org: "us.cisa", Time: opens.Add(time.Second)}, Report{V: 1, Proposal: d, Nation: "KWT", Org: "kw.ncsc", Did: Aborted, Time: deadline}
}

func TestVectorsOfTheSpecification(t *testing.T) {
	p, q, a, r := vector()
	text := func(s statement) string {
		b, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	digest, topic := p.Digest(), p.Topic()
	table := Weights{"USA": 41, "KWT": 10}.Digest()
	want := strings.Join([]string{"proposal  " + text(&p), "digest    " + hex.EncodeToString(digest[:]), "topic     " + hex.EncodeToString(topic[:]), "position  " + text(&q), "ack       " + text(&a), "report    " + text(&r),
		"weights   " + hex.EncodeToString(table[:])}, "\n")
	page, err := os.ReadFile("../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, block, _ := strings.Cut(string(page), "### Test vectors"); !strings.Contains(block, "```\n"+want+"\n```\n") {
		t.Errorf("docs/decisions.md does not have these vectors:\n%s", want)
	}
}

func TestStatementsAreReadInOneFormOnly(t *testing.T) {
	p, q, a, r := vector()
	for name, s := range map[string]statement{"proposal": &p, "position": &q, "ack": &a, "report": &r} {
		b, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		fresh := func() statement {
			return map[string]statement{"proposal": new(Proposal), "position": new(Position), "ack": new(Ack), "report": new(Report)}[name]
		}
		if err := read(b, fresh()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, bad := range []string{" " + string(b), string(b) + "\n", strings.Replace(string(b), `"v":1`, `"v": 1`, 1), strings.Replace(string(b), `"v":1`, `"v":2`, 1), strings.Replace(string(b), `"v":1`, `"v":1,"x":0`, 1),
			strings.Replace(string(b), `"v":1,`, ``, 1), strings.Replace(string(b), `{"v":1,`, `{"v":1,"v":1,`, 1), strings.Replace(string(b), "Z\"", "+00:00\"", 1), strings.Replace(string(b), `sha256:`, `sha256:A`, 1),
			strings.Replace(string(b), `"nation":"`, `"nation":"x`, 1), strings.Replace(string(b), `"org":"`, `"org":"\u202e`, 1), `{}`, `null`, ``} {
			if err := read([]byte(bad), fresh()); err == nil {
				t.Errorf("%s: %s was taken", name, bad)
			}
		}
	}
	for name, change := range map[string]func(*Proposal){
		"no title":           func(p *Proposal) { p.Title = "" },
		"two lines":          func(p *Proposal) { p.Title = "a\nb" },
		"turned text":        func(p *Proposal) { p.Title = "a\u202eb" },
		"no deadline":        func(p *Proposal) { p.Deadline = p.Opens },
		"nanoseconds":        func(p *Proposal) { p.Opens = p.Opens.Add(1) },
		"another zone":       func(p *Proposal) { p.Opens = p.Opens.In(time.FixedZone("", 3600)) },
		"never begun":        func(p *Proposal) { p.NotAfter = p.Opens },
		"unsorted nations":   func(p *Proposal) { p.Subject = []string{"USA", "KWT"} },
		"a nation twice":     func(p *Proposal) { p.Affected = []string{"USA", "USA"} },
		"no nation":          func(p *Proposal) { p.Affected = []string{"usa"} },
		"unsorted evidence":  func(p *Proposal) { p.Evidence = []peer.Digest{{2}, {1}} },
		"another body":       func(p *Proposal) { p.Action.Body[0] ^= 1 },
		"a body too long":    func(p *Proposal) { p.Action.Body = make([]byte, MaxBody+1) },
		"no media":           func(p *Proposal) { p.Action.Media = "" },
		"no round":           func(p *Proposal) { p.Round = 0 },
		"nothing to do":      func(p *Proposal) { p.Action.Do = "" },
		"no accord":          func(p *Proposal) { p.Accord = peer.Digest{} },
		"a version too late": func(p *Proposal) { p.V = 2 },
	} {
		p, _, _, _ := vector()
		change(&p)
		if err := p.check(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestEnvelopes(t *testing.T) {
	w := newWorld(t, "consent = all", nil, "KWT", "USA")
	o := w.opener()
	o.Nations = []string{"KWT", "USA"}
	kwt := w.party("KWT")
	p, signed, err := o.Proposal(w.envelope)
	if err != nil || p.Digest() != w.proposal.Digest() || len(signed) != 1 || signed[0].Nation != "KWT" {
		t.Fatal(p, signed, err)
	}
	ack, err := SignAck(realm, Ack{Proposal: p.Digest(), Round: 1, Nation: "KWT", Org: kwt.org, Time: opens}, kwt.node)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Ack(ack); err != nil {
		t.Error(err)
	}
	if _, err := o.Report(ack); code(err) != CodeSignature {
		t.Errorf("an ack for a report: %v", err)
	}
	byVoter, _ := SignAck(realm, Ack{Proposal: p.Digest(), Round: 1, Nation: "KWT", Org: kwt.org, Time: opens}, kwt.voters[0])
	if _, err := o.Ack(byVoter); code(err) != CodeSignature {
		t.Errorf("an ack by a voter: %v", err)
	}
	report, _ := SignReport(realm, Report{Proposal: p.Digest(), Nation: "KWT", Org: kwt.org, Did: Executed, Text: "Done.", Time: deadline}, kwt.node)
	if _, err := o.Report(report); err != nil {
		t.Error(err)
	}
	// Every signature counts or the envelope does not.
	stranger, _ := AddSignatures(w.envelope, keyed("nobody"))
	if _, _, err := o.Proposal(stranger); code(err) != CodeSignature {
		t.Errorf("with a stranger's signature beside it: %v", err)
	}
	for name, bad := range map[string][]byte{"spaces": append([]byte(" "), w.envelope...), "cut short": w.envelope[:len(w.envelope)-1], "nothing": nil, "too long": make([]byte, maxStatement+1)} {
		if _, _, err := o.Proposal(bad); code(err) != CodeForm && code(err) != CodeSize {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := (&Opener{Realm: realm}).Proposal(w.envelope); code(err) != CodeSignature {
		t.Errorf("without keys: %v", err)
	}
	if _, err := JoinSignatures(w.envelope, ack); code(err) != CodeBinding {
		t.Errorf("signatures of another payload: %v", err)
	}
	if n := o.Count(append(signed, Signer{"KWT", kwt.node.Key().ID()}), "KWT", kwt.org, keylog.RoleVote, opens); n != 1 {
		t.Errorf("%d voters", n)
	}
}

func FuzzStatements(f *testing.F) {
	p, q, a, r := vector()
	for _, s := range []statement{&p, &q, &a, &r} {
		b, _ := encode(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []statement{new(Proposal), new(Position), new(Ack), new(Report)} {
			if read(b, s) == nil {
				if again, err := encode(s); err != nil || !bytes.Equal(again, b) {
					t.Fatalf("%q is read as %q", b, again)
				}
			}
		}
	})
}

func FuzzWeights(f *testing.F) {
	f.Add([]byte("KWT = 10\nUSA = 41\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := ParseWeights(b); err == nil && !bytes.Equal(w.Bytes(), b) {
			t.Fatalf("%q is read as %q", b, w.Bytes())
		}
	})
}
