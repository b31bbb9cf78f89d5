// Package proof is accusations that stand alone: a file that shows to anyone, by the accused nation's own signatures and nothing else, that it signed
// what nobody may sign who keeps to the protocol. Whoever has the nation's fingerprint sees that it is the nation that he knows. The package is
// pure: no network, no disk, no clock.
package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/keylog"
	"entente/peer"
	"entente/stix"
)

// Kind says what is proved.
type Kind string

// The kinds.
const (
	LogFork    Kind = "log-fork"        // two pasts of one log, or a log that became smaller
	KeyLogFork Kind = "keylog-fork"     // two statements for one place of the nation's key log
	Conflict   Kind = "conflict"        // two objects under one id and version
	Withheld   Kind = "withheld"        // a relay that said it had taken a log, and told a reader that there is less
	Position   Kind = "double-position" // two final positions on one proposal
)

// MaxBytes bounds a file.
const MaxBytes = 16 << 20

// Proof is an accusation. What Evidence holds is for the kind to say: a peer.Equivocation, a keylog.Fork, or a Pair.
type Proof struct {
	V        int            `json:"v"` // 1
	Realm    string         `json:"realm"`
	Kind     Kind           `json:"kind"`
	Nation   string         `json:"nation"`           // the accused
	KeyLog   [][]byte       `json:"keylog,omitempty"` // statements of its key log; those of a keylog-fork are in the evidence
	Evidence jsontext.Value `json:"evidence"`
}

// Pair is two envelopes of one signer that contradict each other.
type Pair struct {
	First  []byte `json:"first"`
	Second []byte `json:"second"`
}

// Positions is what shows that a party took both sides: the envelopes of two final positions on one proposal, its payload, and the text of the accord whose rule says how many persons sign.
type Positions struct {
	First    []byte `json:"first"`
	Second   []byte `json:"second"`
	Proposal []byte `json:"proposal"`
	Accord   string `json:"accord"`
}

// Finding is what a proof shows.
type Finding struct {
	Kind        Kind               `json:"kind"`
	Realm       string             `json:"realm"`
	Nation      string             `json:"nation"`
	Org         string             `json:"org,omitempty"`
	Object      string             `json:"object,omitempty"` // of a conflict: the id of what was signed twice
	Keys        []string           `json:"keys,omitempty"`   // ids of the keys that signed
	Times       []time.Time        `json:"times,omitempty"`  // that the two say of themselves, where they do
	Fingerprint keylog.Fingerprint `json:"-"`                // of the nation's key log
	Text        string             `json:"text"`             // in a sentence, in English
}

// Error says why a file proves nothing. Code is stable.
type Error struct {
	Code    string // "proof.form", "proof.size", "proof.kind", "proof.keys", "proof.evidence"
	Message string
}

func (e *Error) Error() string { return "proof: " + e.Message }

func refuse(code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// OfLog accuses the nation with this key log of two pasts of a log.
func OfLog(l *keylog.Log, e *peer.Equivocation) (*Proof, error) { return with(l, LogFork, e) }

// OfObjects accuses the nation with this key log of two objects under one id and version: the envelopes of two renditions.
func OfObjects(l *keylog.Log, first, second []byte) (*Proof, error) {
	return with(l, Conflict, Pair{first, second})
}

// OfRelay accuses the nation with this key log of what its node did as a relay: the envelopes of a peer.Custody and of a peer.RelayHead.
func OfRelay(l *keylog.Log, custody, head []byte) (*Proof, error) {
	return with(l, Withheld, Pair{custody, head})
}

// OfPositions accuses the nation with this key log of two final positions on one proposal.
func OfPositions(l *keylog.Log, e Positions) (*Proof, error) { return with(l, Position, e) }

// OfKeyLog accuses a nation of two key logs.
func OfKeyLog(f *keylog.Fork) (*Proof, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, refuse("proof.form", "the evidence cannot be written: %v", err)
	}
	return &Proof{V: 1, Realm: f.Realm, Kind: KeyLogFork, Nation: f.Nation, Evidence: b}, nil
}

func with(l *keylog.Log, kind Kind, evidence any) (*Proof, error) {
	b, err := json.Marshal(evidence)
	if err != nil {
		return nil, refuse("proof.form", "the evidence cannot be written: %v", err)
	}
	return &Proof{V: 1, Realm: l.Realm(), Kind: kind, Nation: l.Nation(), KeyLog: l.Since(0), Evidence: b}, nil
}

// Bytes is the proof as a file.
func (p *Proof) Bytes() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, refuse("proof.form", "the proof cannot be written: %v", err)
	}
	return append(b, '\n'), nil
}

// Parse reads a file. It verifies nothing.
func Parse(b []byte) (*Proof, error) {
	if len(b) > MaxBytes {
		return nil, refuse("proof.size", "a proof has at most %d bytes, this has %d", MaxBytes, len(b))
	}
	var p Proof
	if err := json.Unmarshal(b, &p, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse("proof.form", "this is no proof: %v", err)
	}
	if p.V != 1 {
		return nil, refuse("proof.form", "a proof of version %d is not known; this program reads version 1", p.V)
	}
	return &p, nil
}

// Matter is what an accusation is about. Two of one matter show the same: one of them is enough.
type Matter struct {
	Kind   Kind
	Nation string
	About  string // the log, or the proposal; empty: the kind has no more than one matter for a nation
}

// Matter tells what a proof is about, as it says itself: nothing is verified. One of two objects is about what only its reader may see, and has none.
func (p *Proof) Matter() (Matter, bool) {
	m := Matter{Kind: p.Kind, Nation: p.Nation}
	switch p.Kind {
	case KeyLogFork:
	case LogFork:
		var e peer.Equivocation
		if p.evidence(&e) != nil {
			return m, false
		}
		c, err := peer.PeekCheckpoint(e.First)
		if err != nil {
			return m, false
		}
		m.About = c.Origin
	case Withheld, Position:
		var e Pair
		if p.evidence(&e) != nil {
			return m, false
		}
		d, err := dsse.Parse(e.First)
		if err != nil {
			return m, false
		}
		var said struct {
			Origin   string `json:"origin"`
			Proposal string `json:"proposal"`
		}
		if json.Unmarshal(d.Payload, &said) != nil {
			return m, false
		}
		m.About = said.Origin + said.Proposal
	default:
		return m, false
	}
	return m, true
}

// Verify tells what the file proves, or why it proves nothing. It needs nothing but the file. That the accused is the nation that the reader knows is for him
// to see: the finding has the fingerprint of its key log.
func Verify(b []byte) (Finding, error) {
	p, err := Parse(b)
	if err != nil {
		return Finding{}, err
	}
	f := Finding{Kind: p.Kind, Realm: p.Realm, Nation: p.Nation}
	switch p.Kind {
	case KeyLogFork:
		return p.keyLog(f)
	case LogFork, Conflict, Withheld, Position:
	default:
		return f, refuse("proof.kind", "a proof of kind %q is not known", clip(string(p.Kind)))
	}
	l, err := keylog.Open(p.Nation, p.Realm, p.KeyLog)
	if err != nil {
		return f, refuse("proof.keys", "the key log in the proof does not hold: %v", err)
	}
	f.Fingerprint = l.Fingerprint()
	switch p.Kind {
	case Conflict:
		return p.objects(f, l.State())
	case Withheld:
		return p.relay(f, l.State())
	case Position:
		return p.positions(f, l.State())
	}
	return p.log(f, l.State())
}

func (p *Proof) evidence(v any) error {
	if err := json.Unmarshal(p.Evidence, v, json.RejectUnknownMembers(true)); err != nil {
		return refuse("proof.form", "the evidence is none of kind %s: %v", p.Kind, err)
	}
	return nil
}

func (p *Proof) keyLog(f Finding) (Finding, error) {
	var e keylog.Fork
	if err := p.evidence(&e); err != nil {
		return f, err
	}
	if e.Nation != p.Nation || e.Realm != p.Realm || len(p.KeyLog) > 0 || len(e.Before) == 0 {
		return f, refuse("proof.evidence", "the evidence is about another nation or realm than the proof")
	}
	before := make([][]byte, len(e.Before))
	for i, s := range e.Before {
		before[i] = s
	}
	l, err := keylog.Open(e.Nation, e.Realm, before)
	if err != nil {
		return f, refuse("proof.keys", "the key log in the proof does not hold: %v", err)
	}
	f.Fingerprint = l.Fingerprint()
	if err := e.Check(f.Fingerprint); err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	f.Text = fmt.Sprintf("the root of %s signed two different statements for place %d of its key log: it shows different keys to different partners", p.Nation, len(e.Before))
	return f, nil
}

func (p *Proof) log(f Finding, keys *keylog.State) (Finding, error) {
	var e peer.Equivocation
	if err := p.evidence(&e); err != nil {
		return f, err
	}
	origin := ""
	for i, note := range [][]byte{e.First, e.Second} {
		c, err := peer.PeekCheckpoint(note)
		if err != nil {
			return f, refuse("proof.evidence", "%v", err)
		}
		k, err := nodeOf(keys, note, c)
		switch {
		case err != nil:
			return f, err
		case i == 0:
			origin, f.Org = c.Origin, k.Org
		case k.Org != f.Org:
			return f, refuse("proof.evidence", "the two checkpoints are of two organisations")
		}
		f.Keys, f.Times = append(f.Keys, k.Key.ID()), append(f.Times, c.Time)
	}
	var signers []*dsse.Key
	for _, id := range f.Keys {
		k, _ := keys.Find(id)
		signers = append(signers, k.Key)
	}
	if err := e.Verify(origin, signers...); err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	f.Keys = slices.Compact(f.Keys)
	f.Text = fmt.Sprintf("the node of %s of %s signed two pasts of one log: it showed different things to different partners, or took back what it had shown", f.Org, p.Nation)
	return f, nil
}

// nodeOf finds the node key that signed the checkpoint, and that counted when it did.
func nodeOf(keys *keylog.State, note []byte, c peer.Checkpoint) (keylog.Key, error) {
	for _, k := range keys.Keys("", keylog.RoleNode, c.Time.Add(time.Second-1)) { // it tells whole seconds
		if _, err := peer.OpenCheckpoint(note, c.Origin, k.Key); err == nil {
			return k, nil
		}
	}
	return keylog.Key{}, refuse("proof.evidence", "no node key of %s that counted at %s signed the checkpoint", keys.Nation, c.Time.Format(time.RFC3339))
}

func (p *Proof) objects(f Finding, keys *keylog.State) (Finding, error) {
	var e Pair
	if err := p.evidence(&e); err != nil {
		return f, err
	}
	opener := peer.Opener{Realm: p.Realm, Keys: func(id string) *dsse.Key {
		k, ok := keys.Find(id)
		if !ok || !slices.Contains(k.Roles, keylog.RoleOriginate) || !k.Compromised.IsZero() { // what a thief signed accuses nobody
			return nil
		}
		return k.Key
	}}
	var said [2]jsontext.Value
	var ids, orgs [2]string
	for i, b := range [][]byte{e.First, e.Second} {
		r, signers, err := opener.Rendition(b)
		if err != nil {
			return f, refuse("proof.evidence", "%v", err)
		}
		k, _ := keys.Find(signers[0].ID())
		if r.Nation != p.Nation || k.Org != r.Org {
			return f, refuse("proof.evidence", "the object is not signed by who it says it is of")
		}
		o, err := stix.Parse(r.Object)
		if err != nil {
			return f, refuse("proof.evidence", "the object cannot be read: %v", err)
		}
		content := jsontext.Value(bytes.Clone(r.Object))
		if o.Version() == "" || content.Canonicalize() != nil { // an object without versions is what its id says
			return f, refuse("proof.evidence", "the object has no version")
		}
		said[i], ids[i] = content, o.ID()+" "+o.Version()
		orgs[i], f.Keys = r.Org, append(f.Keys, k.Key.ID())
	}
	f.Org = orgs[0]
	if ids[0] != ids[1] || orgs[0] != orgs[1] || bytes.Equal(said[0], said[1]) {
		return f, refuse("proof.evidence", "the two objects do not contradict each other")
	}
	f.Keys = slices.Compact(f.Keys)
	id, version, _ := strings.Cut(ids[0], " ")
	f.Object = id
	f.Text = fmt.Sprintf("%s of %s signed two different objects as version %s of %s", f.Org, p.Nation, version, id)
	return f, nil
}

// positions shows that an organisation said both consent and veto. What fewer of its persons signed than the rule asks for is not its word: two of them may think differently.
func (p *Proof) positions(f Finding, keys *keylog.State) (Finding, error) {
	var e Positions
	if err := p.evidence(&e); err != nil {
		return f, err
	}
	what, err := decision.ReadProposal(e.Proposal)
	if err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	if d := peer.Digest(sha256.Sum256([]byte(e.Accord))); d != what.Accord {
		return f, refuse("proof.evidence", "the proposal is not under the accord in the proof")
	}
	text, err := accord.Parse("accord", []byte(e.Accord))
	if err != nil {
		return f, refuse("proof.evidence", "the accord in the proof cannot be read: %v", err)
	}
	rule, err := decision.RuleOf(text, what.Rule)
	if err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	opener := &decision.Opener{Realm: p.Realm, Nations: []string{p.Nation}, Keys: func(string) *keylog.State { return keys }}
	var said [2]*decision.Position
	for i, b := range [][]byte{e.First, e.Second} {
		x, signers, err := opener.Position(b)
		if err != nil {
			return f, refuse("proof.evidence", "%v", err)
		}
		if x.Nation != p.Nation || !x.Choice.Final() || opener.Count(signers, x.Nation, x.Org, keylog.RoleVote, x.Time) < rule.Persons {
			return f, refuse("proof.evidence", "a position is not final, or not signed by %d voters of who it says it is of", rule.Persons)
		}
		if x.Proposal != what.Digest() || x.Round != what.Round || x.Accord != what.Accord || x.Time.Before(what.Opens) || !x.Time.Before(what.Deadline) {
			return f, refuse("proof.evidence", "a position is not on the proposal in the proof, or not in its time")
		}
		said[i], f.Times = x, append(f.Times, x.Time)
		for _, s := range signers {
			f.Keys = append(f.Keys, s.Key)
		}
	}
	if said[0].Org != said[1].Org || said[0].Choice == said[1].Choice {
		return f, refuse("proof.evidence", "the two positions do not contradict each other")
	}
	slices.Sort(f.Keys)
	f.Org, f.Keys = said[0].Org, slices.Compact(f.Keys)
	f.Text = fmt.Sprintf("voters of %s of %s signed both a consent and a veto to one proposal under %s", f.Org, p.Nation, text.Name)
	return f, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

// relay looks at what a relay said to the originator and to a reader.
func (p *Proof) relay(f Finding, keys *keylog.State) (Finding, error) {
	var e Pair
	if err := p.evidence(&e); err != nil {
		return f, err
	}
	opener := peer.Opener{Realm: p.Realm, Keys: func(id string) *dsse.Key {
		k, ok := keys.Find(id)
		if !ok || !slices.Contains(k.Roles, keylog.RoleRelay) {
			return nil
		}
		return k.Key
	}}
	custody, first, err := opener.Custody(e.First)
	if err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	head, second, err := opener.RelayHead(e.Second)
	if err != nil {
		return f, refuse("proof.evidence", "%v", err)
	}
	for i, by := range [][]*dsse.Key{first, second} {
		at := []time.Time{custody.Time, head.Time}[i]
		k := slices.IndexFunc(by, func(k *dsse.Key) bool {
			known, _ := keys.Find(k.ID())
			return known.Org == custody.Org && keys.Valid(k.ID(), keylog.RoleRelay, at) == nil
		})
		if k < 0 {
			return f, refuse("proof.evidence", "no key of the relay that counted at %s signed what it said", at.Format(time.RFC3339))
		}
		f.Keys, f.Times = append(f.Keys, by[k].ID()), append(f.Times, at)
	}
	if custody.Nation != p.Nation || !head.Contradicts(custody) {
		return f, refuse("proof.evidence", "the two do not contradict each other")
	}
	f.Org, f.Keys = custody.Org, slices.Compact(f.Keys)
	f.Text = fmt.Sprintf("the relay of %s of %s said that it had taken a log of %s up to %d, and told a reader afterwards that there are %d: it withheld what it had, or lied to one of them", f.Org, p.Nation, custody.Of, custody.Size, head.Size)
	return f, nil
}
