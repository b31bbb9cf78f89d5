package decision

import (
	"strings"
	"testing"
	"time"

	"entente/accord"
)

// said is what the parties of a table's row do: "USA+ KWT- OMN? MEX!" (consent, veto, abstain, reservation, ~ proven silence).
func (w *world) said(all string) (positions [][]byte, silences []*Silence) {
	w.t.Helper()
	at := opens.Add(3600e9)
	for _, s := range strings.Fields(all) {
		n := s[:3]
		for _, c := range s[3:] {
			switch c {
			case '+':
				positions = append(positions, w.position(n, Consent, at))
			case '-':
				positions = append(positions, w.position(n, Veto, at))
			case '?':
				positions = append(positions, w.position(n, Abstain, at))
			case '!':
				positions = append(positions, w.position(n, Reservation, at))
			case '~':
				silences = append(silences, w.silent(n))
			}
		}
	}
	return positions, silences
}

func TestEveryRule(t *testing.T) {
	about := func(nations ...string) func(*Proposal) { return func(p *Proposal) { p.Subject = nations } }
	affects := func(nations ...string) func(*Proposal) { return func(p *Proposal) { p.Affected = nations } }
	for _, tc := range []struct {
		rule    string
		change  func(*Proposal)
		said    string
		outcome Outcome
		missing string // nations, or codes of what any party can give
	}{
		// all
		{"consent = all", nil, "KWT+ MEX+ OMN+ USA+", Yes, ""},
		{"consent = all", nil, "KWT+ MEX+ OMN+", Open, "consent clear:USA"},
		{"consent = all", nil, "KWT+ MEX+ OMN+ USA-", No, ""},
		{"consent = all", nil, "USA-", No, ""},
		{"consent = all", nil, "KWT+ MEX+ OMN+ USA?", Open, "consent clear:USA"},
		{"consent = all", nil, "KWT+ MEX+ OMN+ USA~", Open, "consent consent:USA"},
		{"consent = all\nsilence = allowed", nil, "KWT+ MEX+ OMN+ USA~", Yes, ""},
		{"consent = all\nsilence = allowed", nil, "KWT+ MEX~ OMN~ USA~", Yes, ""},
		{"consent = all\nsilence = allowed", nil, "KWT~ MEX~ OMN~ USA~", Open, "own"},
		{"consent = all\nsilence = allowed\nmin-positive = 2", nil, "KWT+ MEX~ OMN~ USA~", Open, "own"},
		{"consent = all\nsilence = allowed\nmin-positive = 2", nil, "KWT+ MEX+ OMN~ USA~", Yes, ""},
		{"consent = all\nsilence = allowed", nil, "KWT+ MEX~ OMN~ USA~!", Open, "consent consent:USA"},
		{"consent = all\nsilence = allowed", nil, "KWT+ MEX~ OMN~ USA~?", Open, "consent consent:USA"},
		{"consent = all\nsilence = allowed", nil, "KWT+ MEX~ OMN~ USA~-", No, ""},
		{"consent = all\nunreachable = abstains", nil, "KWT+ MEX+ OMN+", Open, "consent clear:USA"},
		{"consent = all", nil, "KWT+ MEX+ OMN+ USA+-", No, ""}, // nothing that it says counts, so all can never consent
		// all but whom it is about
		{"consent = all-but-subject", about("USA"), "KWT+ MEX+ OMN+", Yes, ""},
		{"consent = all-but-subject", about("OMN", "USA"), "KWT+ MEX+", Yes, ""},
		{"consent = all-but-subject", about("USA"), "KWT+ MEX+", Open, "consent clear:OMN"},
		{"consent = all-but-subject", about("USA"), "KWT-", No, ""},
		// a number of parties
		{"consent = 2\nunreachable = abstains", nil, "KWT+ MEX+", Yes, ""},
		{"consent = 2\nunreachable = abstains", nil, "KWT+", Open, "consent consent:MEX consent:OMN consent:USA"},
		{"consent = 2\nunreachable = blocks", nil, "KWT+ MEX+", Open, "reach:OMN reach:USA"},
		{"consent = 2\nunreachable = blocks", nil, "KWT+ MEX+ OMN~ USA?", Yes, ""},
		{"consent = 2\nunreachable = blocks", nil, "KWT+ MEX+ OMN- USA-", Yes, ""},
		{"consent = 2\nunreachable = abstains", nil, "KWT- MEX- OMN-", No, ""},
		{"consent = 2\nunreachable = abstains", nil, "KWT- MEX-", Open, "consent consent:OMN consent:USA own"},
		{"consent = 2\nunreachable = abstains\nmin-positive = 3", nil, "KWT+ MEX+", Open, "own"},
		{"consent = 2\nunreachable = abstains\nmin-positive = 3", nil, "KWT- MEX-", No, ""},
		{"consent = 2\nunreachable = abstains", nil, "KWT+ MEX+-", Open, "consent consent:OMN consent:USA"},
		// a share
		{"consent = \"2/3\"\nunreachable = abstains", nil, "KWT+ MEX+ OMN+", Yes, ""},
		{"consent = \"2/3\"\nunreachable = abstains", nil, "KWT+ MEX+", Open, "consent consent:OMN consent:USA"},
		{"consent = \"2/3\"\nunreachable = abstains", nil, "KWT- MEX-", No, ""},
		{"consent = \"75%\"\nunreachable = abstains", nil, "KWT+ MEX+ USA+", Yes, ""},
		{"consent = \"76%\"\nunreachable = abstains", nil, "KWT+ MEX+ USA+", Open, "consent consent:OMN"},
		{"consent = \"76%\"\nunreachable = abstains", nil, "OMN-", No, ""},
		// a veto of whom it affects
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+", Open, "clear:USA"},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ USA~", Yes, ""},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ USA?", Open, "clear:USA"},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ USA?~", Yes, ""},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ USA+", Yes, ""},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ OMN+ USA-", No, ""},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ OMN-", Open, "clear:USA"},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", affects("USA"), "KWT+ MEX+ USA+-", Open, "contradiction:USA"},
		{"consent = 2\nunreachable = abstains\nveto = affected-party", nil, "KWT+ MEX+", Yes, ""},
		// two persons of each
		{"consent = 2\nunreachable = abstains\npersons = 2", nil, "KWT+ MEX+", Yes, ""},
	} {
		w := newWorld(t, tc.rule, tc.change, nations...)
		_, r := w.combine(w.said(tc.said))
		var missing []string
		for _, m := range r.Missing {
			if m.Nation != "" {
				m.Code += ":" + m.Nation
			}
			missing = append(missing, m.Code)
		}
		if got := strings.Join(missing, " "); r.Outcome != tc.outcome || !sameWords(got, tc.missing) || len(r.LeftOut) > 0 {
			t.Errorf("%s, %s: %q, missing %q; want %q, %q; left out: %q", tc.rule, tc.said, r.Outcome, got, tc.outcome, tc.missing, r.LeftOut)
		}
	}
}

func TestRulesThatCannotBeCountedBy(t *testing.T) {
	for _, d := range []accord.Decide{
		{Propose: "any", Consent: "most", Deadline: time.Hour}, {Propose: "any", Consent: "0", Deadline: time.Hour}, {Propose: "any", Consent: "3/2", Deadline: time.Hour},
		{Propose: "any", Consent: "0%", Deadline: time.Hour}, {Propose: "any", Consent: "101%", Deadline: time.Hour}, {Propose: "any", Consent: "-1", Deadline: time.Hour},
		{Propose: "none", Consent: "all", Deadline: time.Hour}, {Propose: "65", Consent: "all", Deadline: time.Hour}, {Propose: "any", Consent: "all"},
		{Propose: "any", Consent: "75%", Weights: "sha256:...", Deadline: time.Hour},
	} {
		if r, err := CompileRule(&d); code(err) != CodeRule {
			t.Errorf("%+v: %+v %v", d, r, err)
		}
	}
	r, err := CompileRule(&accord.Decide{Name: "r", Propose: "2", Consent: "2/3", Deadline: 24 * time.Hour, Persons: 2})
	if want := (Rule{Name: "r", Basis: Share, K: 2, N: 3, Proposers: 2, Persons: 2, MinPositive: 1, Blocks: true, Deadline: 24 * time.Hour, Notice: 12 * time.Hour}); err != nil || r != want {
		t.Errorf("%+v %v", r, err)
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) {
		return false
	}
	for _, w := range y {
		if !strings.Contains(" "+a+" ", " "+w+" ") {
			return false
		}
	}
	return true
}
