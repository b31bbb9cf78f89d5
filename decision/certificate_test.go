package decision

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/keylog"
	"entente/peer"
)

// What the parties may have said, each of which was judged before.
type pool struct {
	w         *world
	o         *Opener
	positions [][]byte
	silences  []*Silence
}

func newPool(t testing.TB, rule string) *pool {
	w := newWorld(t, rule, func(p *Proposal) { p.Affected = []string{"USA"} }, nations...)
	x := &pool{w: w, o: w.opener()}
	for _, n := range nations {
		for i, c := range []Choice{Consent, Veto, Abstain, Reservation} {
			x.positions = append(x.positions, w.position(n, c, opens.Add(time.Duration(i+1)*time.Hour)))
		}
		x.silences = append(x.silences, w.silent(n))
		i := w.ack(n, opens.Add(20*time.Hour)) // of a log that began anew: notice comes too late
		x.silences = append(x.silences, w.silence(n, i, deadline))
	}
	return x
}

func (x *pool) combine(t *rapid.T, positions [][]byte, silences []*Silence) ([]byte, *Result) {
	c, r, err := x.o.Combine(Parts{x.w.bundle, x.w.envelope, nil, positions, silences})
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

func TestTheOrderOfPartsChangesNothing(t *testing.T) {
	x := newPool(t, "consent = 3\nsilence = allowed\nunreachable = abstains\nveto = affected-party")
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.SliceOfN(rapid.SampledFrom(x.positions), 0, 8).Draw(t, "positions")
		silences := rapid.SliceOfN(rapid.SampledFrom(x.silences), 0, 5).Draw(t, "silences")
		c, r := x.combine(t, positions, silences)
		again, s := x.combine(t, rapid.Permutation(positions).Draw(t, "p"), rapid.Permutation(silences).Draw(t, "s"))
		if !bytes.Equal(c, again) || !reflect.DeepEqual(r, s) {
			t.Fatalf("another order made another certificate:\n%s\n%s", c, again)
		}
		if c != nil {
			k, err := Parse(c)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := k.verify(x.o, known); err != nil || !reflect.DeepEqual(got.Tally, r.Tally) {
				t.Fatalf("%v %+v %+v", err, got, r)
			}
		}
	})
}

func TestWhatMoreVoicesDo(t *testing.T) {
	for _, rule := range []string{"consent = all\nsilence = allowed", "consent = 2\nunreachable = abstains\nveto = affected-party", "consent = \"2/3\"\nsilence = allowed", "consent = 2\nmin-positive = 2"} {
		x := newPool(t, rule)
		rapid.Check(t, func(t *rapid.T) {
			positions := rapid.SliceOfN(rapid.SampledFrom(x.positions), 0, 6).Draw(t, "positions")
			silences := rapid.SliceOfN(rapid.SampledFrom(x.silences), 0, 5).Draw(t, "silences")
			_, r := x.combine(t, positions, silences)
			n := rapid.SampledFrom(nations).Draw(t, "nation")
			v := r.Voices[slices.IndexFunc(r.Voices, func(v Voice) bool { return v.Nation == n })]
			if v.How == Consented || v.How == Vetoed || v.How == Contradict {
				return
			}
			veto, consent := x.positions[4*slices.Index(nations, n)+1], x.positions[4*slices.Index(nations, n)]
			// A veto that decides nothing shows at least that its party can be reached.
			if _, more := x.combine(t, append(slices.Clone(positions), veto), silences); more.Outcome == Yes && (r.Outcome == No || v.Decides || r.Outcome == Open && v.How != Unknown) {
				t.Fatalf("a veto of %s made %q a yes", n, r.Outcome)
			}
			if _, more := x.combine(t, append(slices.Clone(positions), consent), silences); r.Outcome == Yes && more.Outcome != Yes || more.Outcome == No && r.Outcome != No {
				t.Fatalf("a consent of %s made %q %q", n, r.Outcome, more.Outcome)
			}
		})
	}
}

func TestWhatALogDoesNotShow(t *testing.T) {
	fresh := func() (*world, *Case) {
		w := newWorld(t, "consent = all\nsilence = allowed", nil, "KWT", "USA")
		c, err := w.opener().Case(w.bundle, nil, w.envelope)
		if err != nil {
			t.Fatal(err)
		}
		return w, c
	}
	w, c := fresh()
	if noticed, said, err := c.Silence(w.silent("USA")); err != nil || !noticed || len(said) > 0 {
		t.Fatalf("%v %v %v", noticed, said, err)
	}
	usa := func(w *world) *party { return w.party("USA") }
	for name, tc := range map[string]struct {
		change func(*world, *Silence) *Silence
		code   string
	}{
		"signed before the deadline": {func(w *world, s *Silence) *Silence { return w.silence("USA", 5, deadline.Add(-time.Second)) }, CodeTime},
		"signed by another key": {func(w *world, s *Silence) *Silence {
			usa(w).node = keyed("nobody")
			return w.silence("USA", 5, deadline)
		}, CodeSilence},
		"signed by a voter": {func(w *world, s *Silence) *Silence {
			usa(w).node = usa(w).voters[0]
			return w.silence("USA", 5, deadline)
		}, CodeSilence},
		"another's log":          {func(w *world, s *Silence) *Silence { s.Nation = "KWT"; return s }, CodeSilence},
		"of a stranger":          {func(w *world, s *Silence) *Silence { s.Nation = "ZMB"; return s }, CodeRule},
		"without its ack":        {func(w *world, s *Silence) *Silence { return w.silence("USA", 6, deadline) }, CodeSilence},
		"from something else on": {func(w *world, s *Silence) *Silence { return w.silence("USA", 4, deadline) }, CodeSilence},
		"a leaf less":            {func(w *world, s *Silence) *Silence { s.Leaves = s.Leaves[:len(s.Leaves)-peer.LeafSize]; return s }, CodeSilence},
		"a leaf more": {func(w *world, s *Silence) *Silence {
			s.Leaves = append(s.Leaves, s.Leaves[peer.LeafSize:]...)
			return s
		}, CodeSilence},
		"half a leaf":      {func(w *world, s *Silence) *Silence { s.Leaves = s.Leaves[:len(s.Leaves)-1]; return s }, CodeForm},
		"no leaf":          {func(w *world, s *Silence) *Silence { s.Leaves = nil; return s }, CodeForm},
		"another edge":     {func(w *world, s *Silence) *Silence { s.Edge[0] ^= 1; return s }, CodeSilence},
		"another index":    {func(w *world, s *Silence) *Silence { s.Index = 6; return s }, CodeSilence},
		"an envelope less": {func(w *world, s *Silence) *Silence { s.Said = nil; return s }, CodeSilence},
		"an envelope more": {func(w *world, s *Silence) *Silence {
			s.Said = append(s.Said, Said{At: 1, Envelope: value("{}")})
			return s
		}, CodeSilence},
		"another salt": {func(w *world, s *Silence) *Silence { s.Said[0].Salt[0] ^= 1; return s }, CodeSilence},
		"what it said is left out": {func(w *world, _ *Silence) *Silence {
			usa(w).say(w.proposal.Topic(), w.position("USA", Veto, opens.Add(time.Hour)), opens.Add(time.Hour))
			s := w.silence("USA", 5, deadline)
			s.Said = s.Said[:1]
			return s
		}, CodeSilence},
		"what it said is gone": {func(w *world, s *Silence) *Silence {
			usa(w).say(w.proposal.Topic(), []byte("{}"), opens)
			return w.silence("USA", 5, deadline)
		}, CodeForm},
		"it said what nobody can read": {func(w *world, s *Silence) *Silence {
			usa(w).say(w.proposal.Topic(), []byte(`{"payloadType":"x","payload":"","signatures":[{"keyid":"","sig":""}]}`), opens)
			return w.silence("USA", 5, deadline)
		}, CodeSilence},
		"it said it before it was open": {func(w *world, s *Silence) *Silence {
			usa(w).say(w.proposal.Topic(), w.position("USA", Veto, opens.Add(-time.Hour)), opens)
			return w.silence("USA", 5, deadline)
		}, CodeTime},
		"another's ack": {func(w *world, s *Silence) *Silence { i := w.ackOf("KWT", "USA"); return w.silence("USA", i, deadline) }, CodeBinding},
	} {
		w, c := fresh()
		s := tc.change(w, w.silent("USA"))
		if _, _, err := c.Silence(s); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	// What came too late in the party's own log is no word any more.
	w, c = fresh()
	w.silent("USA")
	usa(w).say(w.proposal.Topic(), w.position("USA", Veto, deadline.Add(-time.Hour)), deadline)
	if noticed, said, err := c.Silence(w.silence("USA", 5, deadline)); err != nil || !noticed || len(said) > 0 {
		t.Errorf("a veto that was logged after the deadline: %v %v %v", noticed, said, err)
	}
}

// ackOf puts the ack of one party into another's log.
func (w *world) ackOf(nation, in string) int {
	p := w.party(nation)
	e, err := SignAck(realm, Ack{Proposal: w.proposal.Digest(), Round: 1, Nation: nation, Org: p.org, Time: opens}, p.node)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.party(in).say(w.proposal.Topic(), e, opens)
}

func TestProposalsKeepTheirRule(t *testing.T) {
	for name, tc := range map[string]struct {
		rule   string
		change func(*Proposal)
		code   string
	}{
		"another rule":              {"consent = all", func(p *Proposal) { p.Rule = "other" }, CodeRule},
		"another accord":            {"consent = all", func(p *Proposal) { p.Accord[0] ^= 1 }, CodeAccord},
		"too long":                  {"consent = all", func(p *Proposal) { p.Deadline = p.Deadline.Add(time.Microsecond) }, CodeRule},
		"before the accord":         {"consent = all", func(p *Proposal) { p.Opens = start.Add(-time.Hour); p.Deadline = p.Opens.Add(time.Hour) }, CodeRule},
		"after the accord":          {"consent = all", func(p *Proposal) { p.Opens = p.Opens.AddDate(3, 0, 0); p.Deadline = p.Opens.Add(time.Hour) }, CodeRule},
		"without evidence":          {"consent = all\nevidence = required", nil, CodeRule},
		"about nobody":              {"consent = all-but-subject", nil, CodeRule},
		"about a stranger":          {"consent = all-but-subject", func(p *Proposal) { p.Subject = []string{"ZMB"} }, CodeRule},
		"about everybody":           {"consent = all-but-subject", func(p *Proposal) { p.Subject = nations }, CodeRule},
		"affects a stranger":        {"consent = 2\nveto = affected-party", func(p *Proposal) { p.Affected = []string{"ZMB"} }, CodeRule},
		"a table that is not meant": {"consent = all", func(p *Proposal) { p.Weights[0] = 1 }, CodeRule},
		"by another's voters":       {"consent = all", func(p *Proposal) { p.Nation, p.Org = "USA", "usa.cert" }, CodeSignature},
		"by another organisation":   {"consent = all", func(p *Proposal) { p.Org = "kwt.other" }, CodeSignature},
		"by too few":                {"consent = all\npropose = 2", nil, CodeSignature},
	} {
		w := newWorld(t, tc.rule, tc.change, nations...)
		if _, err := w.opener().Case(w.bundle, nil, w.envelope); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	w := newWorld(t, "consent = all\npropose = 2\npersons = 2", nil, nations...)
	usa := w.party("USA")
	one, err := AddSignatures(w.envelope, usa.voters[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.opener().Case(w.bundle, nil, one); code(err) != CodeSignature {
		t.Errorf("one person of the second party: %v", err)
	}
	other := w.propose(w.proposal, usa)
	both, err := JoinSignatures(one, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.opener().Case(w.bundle, nil, both); err != nil {
		t.Errorf("two persons of two parties: %v", err)
	}
}

func TestPositionsThatDoNotCount(t *testing.T) {
	w := newWorld(t, "consent = all\npersons = 2", nil, "KWT", "USA")
	c, err := w.opener().Case(w.bundle, nil, w.envelope)
	if err != nil {
		t.Fatal(err)
	}
	usa := w.party("USA")
	good := Position{Proposal: c.Digest, Round: 1, Accord: w.proposal.Accord, Choice: Consent, Nation: "USA", Org: usa.org, Time: opens}
	for name, tc := range map[string]struct {
		change  func(*Position)
		persons int
		code    string
	}{
		"as it should be":      {func(p *Position) {}, 2, ""},
		"one person":           {func(p *Position) {}, 1, CodeSignature},
		"another proposal":     {func(p *Position) { p.Proposal[0] ^= 1 }, 2, CodeBinding},
		"another round":        {func(p *Position) { p.Round = 2 }, 2, CodeBinding},
		"another accord":       {func(p *Position) { p.Accord[0] ^= 1 }, 2, CodeBinding},
		"before it opened":     {func(p *Position) { p.Time = opens.Add(-time.Microsecond) }, 2, CodeTime},
		"at the deadline":      {func(p *Position) { p.Time = deadline }, 2, CodeTime},
		"another organisation": {func(p *Position) { p.Org = "usa.other" }, 2, CodeRule},
		"in another's name":    {func(p *Position) { p.Nation, p.Org = "KWT", "kwt.cert" }, 2, CodeSignature},
	} {
		p := good
		tc.change(&p)
		e, err := SignPosition(realm, p, signers(usa.voters[:tc.persons])...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Position(e); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	// One person who signs twice is one.
	e, _ := SignPosition(realm, good, usa.voters[0], usa.voters[0])
	if _, err := c.Position(e); code(err) != CodeSignature {
		t.Errorf("one person twice: %v", err)
	}
}

func TestWeights(t *testing.T) {
	table := Weights{"KWT": 10, "MEX": 20, "OMN": 30, "USA": 41}
	if again, err := ParseWeights(table.Bytes()); err != nil || !reflect.DeepEqual(again, table) {
		t.Fatal(again, err)
	}
	for _, bad := range []string{"", "KWT = 0\n", "KWT = 1", "KWT=1\n", "KWT = 01\n", "KWT = -1\n", "KWT = 1\nKWT = 1\n", "MEX = 1\nKWT = 1\n", "kwt = 1\n", "KWT = 1000000001\n", "KWT = 1\n\n", " KWT = 1\n", "KWT = +1\n"} {
		if _, err := ParseWeights([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	digest, _ := table.Digest().MarshalText()
	for said, want := range map[string]Outcome{"MEX+ OMN+": Open, "OMN+ USA+": Yes, "KWT+ MEX+ OMN+": Yes, "KWT- USA-": No, "KWT- MEX-": Open} {
		w := newWorld(t, "consent = \"59%\"\nunreachable = abstains\nweights = \""+string(digest)+"\"", func(p *Proposal) { p.Weights = table.Digest() }, nations...)
		w.weights = table.Bytes()
		if _, r := w.combine(w.said(said)); r.Outcome != want || r.Total != 101 || r.Need != 60 {
			t.Errorf("%s: %q of %d, need %d", said, r.Outcome, r.Total, r.Need)
		}
		if _, err := w.opener().Case(w.bundle, []byte("KWT = 1\n"), w.envelope); code(err) != CodeRule {
			t.Errorf("another table: %v", err)
		}
	}
}

// sample is a certificate with a consent and a proof of silence.
func sample(t testing.TB) (*world, []byte) {
	return sampleOf(t, "KWT", "OMN", "USA")
}

func sampleOf(t testing.TB, who ...string) (*world, []byte) {
	w := newWorld(t, "consent = all\nsilence = allowed", func(p *Proposal) { p.Action = &Action{Type: "statement", Do: "publish"} }, who...)
	var silences []*Silence
	for _, n := range who[1:] {
		silences = append(silences, w.silent(n))
	}
	c, r := w.combine([][]byte{w.position(who[0], Consent, opens)}, silences)
	if r.Outcome != Yes {
		t.Fatal(r)
	}
	return w, c
}

func TestCertificatesStandAlone(t *testing.T) {
	w, c := sample(t)
	if _, err := Verify(c, w.keys, nil); code(err) != CodeAccord {
		t.Errorf("an accord that nobody is known to have signed: %v", err)
	}
	pins := func(n string) (keylog.Fingerprint, bool) { return w.party(n).log.Fingerprint(), n != "OMN" }
	var logs []*keylog.Log
	for _, p := range w.parties {
		logs = append(logs, p.log)
	}
	unsigned, err := Alone(c, w.bundle, logs)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := VerifyAlone(unsigned, pins); code(err) != CodeAccord {
		t.Errorf("an accord without signatures: %v", err)
	}
	for _, p := range w.parties {
		if err := w.bundle.Sign(p.seal); err != nil {
			t.Fatal(err)
		}
	}
	alone, err := Alone(c, w.bundle, logs)
	if err != nil {
		t.Fatal(err)
	}
	r, unpinned, err := VerifyAlone(alone, pins)
	if err != nil || r.Outcome != Yes || !r.Signed || !slices.Equal(unpinned, []string{"OMN"}) {
		t.Fatalf("%v %v %v", r, unpinned, err)
	}
	if _, _, err := VerifyAlone(alone, func(string) (keylog.Fingerprint, bool) { return keylog.Fingerprint{1}, true }); code(err) != CodeKeys {
		t.Errorf("another nation than the one that is known: %v", err)
	}
	if _, _, err := VerifyAlone(c, pins); code(err) != CodeKeys {
		t.Errorf("without key logs: %v", err)
	}
	if r, err := Verify(alone, w.keys, nil); err != nil || !r.Signed {
		t.Errorf("with the keys of a node: %v", err)
	}
	if few, _ := Alone(c, w.bundle, logs[:2]); few == nil {
		t.Error("a log less")
	} else if _, _, err := VerifyAlone(few, pins); err == nil {
		t.Error("a key log is missing, and the certificate holds")
	}
}

func TestKeyLogsMustBeAsNew(t *testing.T) {
	w, c := sample(t)
	k, err := Parse(c)
	if err != nil {
		t.Fatal(err)
	}
	k.KeyHeads[0].Size++
	if _, err := Verify(k.Bytes(), w.keys, known); code(err) != CodeKeys {
		t.Errorf("an older key log: %v", err)
	}
	k.KeyHeads[0].Size--
	k.KeyHeads[0].Hash[0] ^= 1
	if _, err := Verify(k.Bytes(), w.keys, known); code(err) != CodeKeys {
		t.Errorf("another key log: %v", err)
	}
	if _, err := Verify(c, func(string) *keylog.State { return nil }, known); err == nil {
		t.Error("without any key log the certificate holds")
	}
}

// same tells whether what a changed certificate says is still what the first one says: the outcome of the same proposal, and of each party nothing else than it did.
func (r *Result) same(first *Result) bool {
	if r.Outcome != first.Outcome || r.Proposal != first.Proposal || r.Accord != first.Accord {
		return false
	}
	for i := range r.Voices {
		if v, w := r.Voices[i], first.Voices[i]; v.Nation != w.Nation || v.How != w.How && v.How != Unknown {
			return false
		}
	}
	return true
}

// mutations is how many are tried: ENTENTE_MUTATIONS says more.
func mutations() int {
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_MUTATIONS")); err == nil && n > 0 {
		return n
	}
	return 100_000
}

func TestNoMutationIsWronglyAccepted(t *testing.T) {
	w, c := sampleOf(t, "KWT", "USA")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for half := range uint64(2) {
		t.Run(fmt.Sprint(half), func(t *testing.T) {
			t.Parallel()
			r, o := rand.New(rand.NewPCG(seed, half)), w.opener()
			parsed, err := Parse(c)
			if err != nil {
				t.Fatal(err)
			}
			first, err := parsed.verify(o, known)
			if err != nil {
				t.Fatal(err)
			}
			taken, read := 0, 0
			for i := range mutations() / 2 {
				var b []byte
				if i%2 == 0 {
					b = mutate(r, c)
				} else {
					b = restructure(r, parsed)
				}
				k, err := Parse(b)
				if err != nil {
					continue
				}
				read++
				got, err := k.verify(o, known)
				if err != nil {
					continue
				}
				taken++
				if !got.same(first) {
					t.Fatalf("mutation %d of seed %d was taken, and it says something else: %+v\n%s", i, seed, got.Tally, b)
				}
			}
			t.Logf("%d mutations, %d in the form of a certificate, %d that say the same taken", mutations()/2, read, taken)
			if read == 0 {
				t.Error("no mutation came as far as the verifier")
			}
		})
	}
}

// mutate changes bytes: most of what it makes is of the right form, since base64 and hex go to the same alphabet.
func mutate(r *rand.Rand, c []byte) []byte {
	b := bytes.Clone(c)
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b = slices.Delete(b, i, min(i+1+r.IntN(8), len(b)))
		case 2:
			b = slices.Insert(b, i, b[r.IntN(len(b))])
		default:
			switch x := b[i]; {
			case x >= '0' && x <= '9':
				b[i] = '0' + byte(r.IntN(10))
			case x >= 'a' && x <= 'f':
				b[i] = 'a' + byte(r.IntN(6))
			case x >= 'A' && x <= 'Z':
				b[i] = 'A' + byte(r.IntN(26))
			}
		}
	}
	return b
}

// restructure changes what the certificate holds, and writes it in its one form.
func restructure(r *rand.Rand, c *Certificate) []byte {
	k := *c
	k.Positions, k.Silences, k.KeyHeads = slices.Clone(c.Positions), slices.Clone(c.Silences), slices.Clone(c.KeyHeads)
	for i := range k.Silences {
		s := &k.Silences[i]
		s.Edge, s.Leaves, s.Said = slices.Clone(s.Edge), slices.Clone(s.Leaves), slices.Clone(s.Said)
	}
	flip := func(b []byte) {
		if len(b) > 0 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}
	for range 1 + r.IntN(2) {
		var s *Silence
		if len(k.Silences) > 0 {
			s = &k.Silences[r.IntN(len(k.Silences))]
		} else {
			s = &Silence{}
		}
		switch r.IntN(16) {
		case 0:
			k.Outcome = No
		case 1:
			k.Positions = nil
		case 2:
			k.Positions = append(k.Positions, k.Proposal)
		case 3:
			if len(k.Silences) > 0 {
				k.Silences = slices.Delete(k.Silences, 0, 1)
			}
		case 4:
			flip(s.Edge)
		case 5:
			flip(s.Leaves)
		case 6:
			s.Nation = nations[r.IntN(len(nations))]
		case 7:
			s.Index += uint64(r.IntN(5))
		case 8:
			s.Leaves = s.Leaves[:max(0, len(s.Leaves)-peer.LeafSize*r.IntN(3))]
		case 9:
			if len(s.Said) > 0 {
				flip(s.Said[0].Salt[:])
			}
		case 10:
			s.Said = nil
		case 11:
			s.Checkpoint = string(mutate(r, []byte(s.Checkpoint)))
		case 12:
			k.Accord.Text = strings.Replace(k.Accord.Text, "silence", "evidence", 1)
		case 13:
			k.KeyHeads = k.KeyHeads[:r.IntN(len(k.KeyHeads)+1)]
		case 14:
			if len(k.Silences) > 1 {
				k.Silences[0].Checkpoint, k.Silences[1].Checkpoint = k.Silences[1].Checkpoint, k.Silences[0].Checkpoint
			}
		default:
			if len(k.Positions) > 0 {
				k.Positions[0] = mutate(r, k.Positions[0])
			}
		}
	}
	return k.Bytes()
}

func FuzzVerify(f *testing.F) {
	w, c := sample(f)
	o := w.opener()
	parsed, err := Parse(c)
	if err != nil {
		f.Fatal(err)
	}
	first, err := parsed.verify(o, known)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(b)
		if err != nil {
			return
		}
		if got, err := k.verify(o, known); err == nil && !got.same(first) {
			t.Fatalf("%+v", got)
		}
		_, _, _ = VerifyAlone(b, nil)
	})
}

// alliance is 32 nations under one accord.
func alliance(b testing.TB, persons string) (*world, [][]byte, []*Silence) {
	var names []string
	for i := range 32 {
		names = append(names, fmt.Sprintf("N%c%c", 'A'+i/26, 'A'+i%26))
	}
	w := newWorld(b, "consent = all\nsilence = allowed"+persons, nil, names...)
	var positions [][]byte
	var silences []*Silence
	for i, n := range names {
		if i%2 == 0 {
			positions = append(positions, w.position(n, Consent, opens))
		} else {
			silences = append(silences, w.silent(n))
		}
	}
	return w, positions, silences
}

func TestTheCertificateOfAnAllianceIsSmall(t *testing.T) {
	w, positions, silences := alliance(t, "")
	c, r := w.combine(positions, silences)
	if r.Outcome != Yes || len(c) > 200_000 {
		t.Errorf("%q, %d bytes", r.Outcome, len(c))
	}
	t.Logf("%d bytes", len(c))
}

func BenchmarkVerify(b *testing.B) {
	for _, who := range []string{"half silent", "all consent"} {
		w, positions, silences := alliance(b, "")
		if who == "all consent" {
			silences = nil
			positions = nil
			for _, p := range w.parties {
				positions = append(positions, w.position(p.nation, Consent, opens))
			}
		}
		c, _ := w.combine(positions, silences)
		b.Run(who, func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify(c, w.keys, known); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(c)), "bytes")
		})
	}
}

func BenchmarkCombine(b *testing.B) {
	w, positions, silences := alliance(b, "")
	run := func(b *testing.B, o func() *Opener) {
		for b.Loop() {
			if c, _, err := o().Combine(Parts{w.bundle, w.envelope, nil, positions, silences}); c == nil || err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("first", func(b *testing.B) { run(b, w.opener) })
	o := w.opener()
	b.Run("again", func(b *testing.B) { run(b, func() *Opener { return o }) })
}
