package decision

import (
	"crypto/sha256"
	"slices"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/keylog"
	"entente/peer"
)

// Opener opens the statements of one realm, by keys of the nations that it is given. It remembers the signatures that held, so that a decision that grows is not
// verified anew with every word: whether a key counts is asked anew each time. It is for one goroutine at a time.
type Opener struct {
	Realm   string
	Nations []string // whose keys are looked for; of a decision: the parties
	Keys    Keys

	opened  map[[32]byte]opened
	notes   map[[32]byte]bool
	accords map[[32]byte]*accord.Accord
	seeded  fault
}

// opened is an envelope whose signatures hold, every one of them.
type opened struct {
	value   statement
	signers []Signer
}

// Signer is a key that signed, and whose it is.
type Signer struct {
	Nation string
	Key    string // its id
}

const (
	maxOpened  = 4096
	maxAccords = 16
)

// Proposal opens the envelope of a proposal. Whether its signers may propose is for Case to judge.
func (o *Opener) Proposal(envelope []byte) (*Proposal, []Signer, error) {
	v, signers, err := o.open(envelope, ProposalType)
	if err != nil {
		return nil, nil, err
	}
	p := *v.(*Proposal)
	return &p, signers, nil
}

// Position opens the envelope of a position. Whether it counts is for Case.Position to judge.
func (o *Opener) Position(envelope []byte) (*Position, []Signer, error) {
	v, signers, err := o.open(envelope, PositionType)
	if err != nil {
		return nil, nil, err
	}
	p := *v.(*Position)
	return &p, signers, nil
}

// Ack opens the envelope of an ack, signed by a node of the organisation that it names.
func (o *Opener) Ack(envelope []byte) (*Ack, error) {
	v, signers, err := o.open(envelope, AckType)
	if err != nil {
		return nil, err
	}
	a := *v.(*Ack)
	return &a, o.byNode(signers, a.Nation, a.Org, a.Time)
}

// Report opens the envelope of a report, signed by a node of the organisation that it names.
func (o *Opener) Report(envelope []byte) (*Report, error) {
	v, signers, err := o.open(envelope, ReportType)
	if err != nil {
		return nil, err
	}
	r := *v.(*Report)
	return &r, o.byNode(signers, r.Nation, r.Org, r.Time)
}

func (o *Opener) byNode(signers []Signer, nation, org string, at time.Time) error {
	if o.Count(signers, nation, org, keylog.RoleNode, at) == 0 {
		return refuse(CodeSignature, "no node of %s in %s signed this", org, nation)
	}
	return nil
}

// Count tells how many of the signers count for the organisation in the role at the time: its persons, each once, where its key log names persons' keys for the role, else
// its keys.
func (o *Opener) Count(signers []Signer, nation, org string, role keylog.Role, at time.Time) int {
	state := o.state(nation)
	if state == nil {
		return 0
	}
	persons := slices.ContainsFunc(state.All(), func(k keylog.Key) bool { // what was signed before there were any counts as it did
		return k.Org == org && k.Holder != "" && slices.Contains(k.Roles, role) && !k.Since.After(at)
	})
	var who []string
	for _, s := range signers {
		k, ok := state.Find(s.Key)
		if !ok || s.Nation != nation || k.Org != org || state.Valid(s.Key, role, at) != nil || persons && k.Holder == "" {
			continue
		}
		id := s.Key
		if persons {
			id = k.Holder
		}
		if !slices.Contains(who, id) {
			who = append(who, id)
		}
	}
	return len(who)
}

// state is the key log of a nation, when it is one of this realm.
func (o *Opener) state(nation string) *keylog.State {
	if o.Keys == nil {
		return nil
	}
	if s := o.Keys(nation); s != nil && s.Realm == o.Realm && s.Nation == nation {
		return s
	}
	return nil
}

// find looks for a key in the key logs of the nations.
func (o *Opener) find(id string) (string, *dsse.Key) {
	for _, n := range o.Nations {
		if s := o.state(n); s != nil {
			if k, ok := s.Find(id); ok {
				return n, k.Key
			}
		}
	}
	return "", nil
}

// open verifies every signature of an envelope, and then reads what it holds.
func (o *Opener) open(envelope []byte, payloadType string) (statement, []Signer, error) {
	full := dsse.InRealm(payloadType, o.Realm)
	name := sha256.Sum256(append([]byte(full+"\x00"), envelope...))
	if known, ok := o.opened[name]; ok && o.known(known.signers) {
		return known.value, known.signers, nil
	}
	e, err := parseEnvelope(envelope)
	if err != nil {
		return nil, nil, err
	}
	var signers []Signer
	held, err := e.Verify(full, func(id string) *dsse.Key {
		nation, key := o.find(id)
		if key != nil {
			signers = append(signers, Signer{nation, id})
		}
		return key
	})
	if err != nil {
		return nil, nil, refuse(CodeSignature, "%v", err)
	}
	if len(held) != len(e.Signatures) {
		return nil, nil, refuse(CodeSignature, "of %d signatures %d hold and are of keys that are known: each has to", len(e.Signatures), len(held))
	}
	var v statement
	switch payloadType {
	case ProposalType:
		v = new(Proposal)
	case PositionType:
		v = new(Position)
	case AckType:
		v = new(Ack)
	default:
		v = new(Report)
	}
	if err := read(e.Payload, v); err != nil {
		return nil, nil, err
	}
	if o.opened == nil || len(o.opened) >= maxOpened {
		o.opened = map[[32]byte]opened{}
	}
	o.opened[name] = opened{v, signers}
	return v, signers, nil
}

// known tells whether the keys are still where they were found.
func (o *Opener) known(signers []Signer) bool {
	for _, s := range signers {
		if nation, key := o.find(s.Key); key == nil || nation != s.Nation {
			return false
		}
	}
	return true
}

// checkpoint opens a log's checkpoint, signed by a node of the organisation that counted when it was made.
func (o *Opener) checkpoint(note []byte, origin, nation, org string) (peer.Checkpoint, error) {
	c, err := peer.PeekCheckpoint(note)
	if err != nil {
		return c, refuse(CodeSilence, "the checkpoint of %s: %v", nation, err)
	}
	state := o.state(nation)
	if state == nil || c.Origin != origin {
		return c, refuse(CodeSilence, "the checkpoint of %s is of another log, or its key log is not known", nation)
	}
	for _, k := range state.Keys(org, keylog.RoleNode, c.Time) {
		name := sha256.Sum256(append([]byte(k.Key.ID()+origin+"\x00"), note...))
		if o.notes[name] {
			return c, nil
		}
		if _, err := peer.OpenCheckpoint(note, origin, k.Key); err == nil {
			if o.notes == nil || len(o.notes) >= maxOpened {
				o.notes = map[[32]byte]bool{}
			}
			o.notes[name] = true
			return c, nil
		}
	}
	return c, refuse(CodeSilence, "the checkpoint of %s is not signed by a node of %s that counted at its time", nation, org)
}

// accord reads the text of a bundle.
func (o *Opener) accord(b *accord.Bundle) (*accord.Accord, error) {
	name := sha256.Sum256([]byte(b.Text))
	if a := o.accords[name]; a != nil {
		return a, nil
	}
	a, err := b.Accord()
	if err != nil {
		return nil, refuse(CodeAccord, "%v", err)
	}
	if o.accords == nil || len(o.accords) >= maxAccords {
		o.accords = map[[32]byte]*accord.Accord{}
	}
	o.accords[name] = a
	return a, nil
}
