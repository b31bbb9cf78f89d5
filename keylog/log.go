package keylog

import (
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// Log is a nation's key log. It is for one goroutine at a time; what State gives is for all.
type Log struct {
	statements []jsontext.Value // the envelopes as they came
	leaves     []tlog.Hash      // RecordHash of each payload
	hashes     stored
	state      State // its maps are never shared: State gives a copy
	given      *State
}

// stored is the hashes of the tree in the order of package tlog.
type stored []tlog.Hash

// ReadHashes is a tlog.HashReader.
func (h stored) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, a := range at {
		if a < 0 || a >= int64(len(h)) {
			return nil, refuse("keylog.order", "the log is not that long")
		}
		out[i] = h[a]
	}
	return out, nil
}

// New is the empty log of a nation in a realm.
func New(nation, realm string) *Log {
	return &Log{state: State{Nation: nation, Realm: realm, keys: map[string]Key{}}}
}

// Open verifies a whole log, statement by statement.
func Open(nation, realm string, statements [][]byte) (*Log, error) {
	l := New(nation, realm)
	for _, s := range statements {
		if err := l.Append(s); err != nil {
			return nil, err
		}
	}
	return l, nil
}

type file struct {
	Nation     string           `json:"nation"`
	Realm      string           `json:"realm"`
	Statements []jsontext.Value `json:"statements"`
}

// Bytes is the whole log as JSON, for Parse.
func (l *Log) Bytes() ([]byte, error) {
	b, err := json.Marshal(file{l.state.Nation, l.state.Realm, l.statements})
	if err != nil {
		return nil, refuse("statement.form", "the log cannot be written: ", err.Error())
	}
	return b, nil
}

// Parse reads what Bytes gave and verifies all of it.
func Parse(b []byte) (*Log, error) {
	var f file
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse("statement.form", "this is not a key log: ", err.Error())
	}
	return f.open()
}

func (f *file) open() (*Log, error) {
	if err := checkNames(f.Nation, f.Realm); err != nil {
		return nil, err
	}
	if len(f.Statements) == 0 {
		return nil, refuse("keylog.order", "a key log has at least the statement of its root")
	}
	l := New(f.Nation, f.Realm)
	for _, s := range f.Statements {
		if err := l.Append(s); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Nation is whose log it is.
func (l *Log) Nation() string { return l.state.Nation }

// Realm is the realm that the log holds in.
func (l *Log) Realm() string { return l.state.Realm }

// Size is how many statements it has.
func (l *Log) Size() int64 { return int64(len(l.statements)) }

// Head names the log as it stands.
func (l *Log) Head() Head { return l.state.Head }

// Fingerprint is what two people compare: the hash of the first statement, which holds the nation, the realm and the root's keys. It stays the same for
// the life of the log. The empty log has none.
func (l *Log) Fingerprint() Fingerprint {
	if len(l.leaves) == 0 {
		return Fingerprint{}
	}
	return Fingerprint(l.leaves[0])
}

// State is what the log says now.
func (l *Log) State() *State {
	if l.given == nil {
		s := l.state
		s.keys, s.order = maps.Clone(s.keys), slices.Clone(s.order)
		l.given = &s
	}
	return l.given
}

// Clone is the same log, to append to without changing this one.
func (l *Log) Clone() *Log {
	c := &Log{statements: slices.Clone(l.statements), leaves: slices.Clone(l.leaves), hashes: slices.Clone(l.hashes), state: l.state}
	c.state.keys, c.state.order = maps.Clone(l.state.keys), slices.Clone(l.state.order)
	return c
}

// Since gives the envelopes from an index on.
func (l *Log) Since(index int64) [][]byte {
	var out [][]byte
	for _, s := range l.statements[min(max(index, 0), l.Size()):] {
		out = append(out, slices.Clone(s))
	}
	return out
}

// Statement is what stands at an index.
func (l *Log) Statement(index int64) (Statement, bool) {
	if index < 0 || index >= l.Size() {
		return Statement{}, false
	}
	e, err := dsse.Parse(l.statements[index])
	if err != nil {
		return Statement{}, false // never: Append has parsed it
	}
	s, err := ParseStatement(e.Payload)
	return s, err == nil
}

// Consistency proves to whom knows the log's first statements only that they are the start of this one (tlog.CheckTree).
func (l *Log) Consistency(size int64) (tlog.TreeProof, error) {
	if size < 1 || size > l.Size() {
		return nil, refuse("keylog.order", "the log is not that long")
	}
	return tlog.ProveTree(l.Size(), size, l.hashes)
}

// Draft completes a statement with where it stands and gives it unsigned: its signers Add their signatures, then it can be appended.
func (l *Log) Draft(s Statement) (dsse.Envelope, error) {
	s.Nation, s.Realm, s.Index, s.Prev = l.state.Nation, l.state.Realm, l.Size(), ""
	if s.Index > 0 {
		s.Prev = hexHash(l.state.Head.Hash)
	}
	if err := s.check(); err != nil {
		return dsse.Envelope{}, err
	}
	payload, err := s.Encode()
	if err != nil {
		return dsse.Envelope{}, err
	}
	return dsse.Envelope{PayloadType: dsse.InRealm(PayloadType, s.Realm), Payload: payload}, nil
}

// Append verifies one statement's envelope and takes it as the next one. Nothing changes when it is refused.
func (l *Log) Append(envelope []byte) error {
	s, payload, err := l.verify(envelope)
	if err != nil {
		return err
	}
	return l.take(&s, payload, slices.Clone(envelope))
}

// take appends a statement that has been verified. Nothing changes when it does not follow from what is there.
func (l *Log) take(s *Statement, payload, envelope []byte) error {
	n := l.Size()
	hashes, err := tlog.StoredHashes(n, payload, l.hashes)
	if err != nil {
		return refuse("keylog.order", "the log cannot be hashed: ", err.Error())
	}
	all := append(l.hashes, hashes...)
	hash, err := tlog.TreeHash(n+1, all)
	if err != nil {
		return refuse("keylog.order", "the log cannot be hashed: ", err.Error())
	}
	if err := l.state.apply(s); err != nil {
		return err
	}
	l.hashes = all
	l.statements = append(l.statements, envelope)
	l.leaves = append(l.leaves, tlog.RecordHash(payload))
	l.state.Head, l.state.Time, l.given = Head{n + 1, hash}, s.Time, nil
	return nil
}

// verify checks a statement's signatures, its place and its time. Once there is a root, nothing that it has not signed is even read.
func (l *Log) verify(raw []byte) (Statement, []byte, error) {
	if len(raw) > MaxStatement {
		return Statement{}, nil, refuse("statement.form", "a statement has at most 65536 bytes")
	}
	if l.Size() >= MaxStatements {
		return Statement{}, nil, refuse("keylog.full", "a key log has at most 10000 statements")
	}
	e, err := dsse.Parse(raw)
	if err != nil {
		return Statement{}, nil, refuse("statement.form", err.Error())
	}
	if l.Size() > 0 {
		if err := signed(&e, l.state.Realm, &l.state.Root, l.state.Root.Need, "the root of "+l.state.Nation); err != nil {
			return Statement{}, nil, err
		}
	}
	s, err := ParseStatement(e.Payload)
	if err != nil {
		return s, nil, err
	}
	if err := l.follows(&s); err != nil {
		return s, nil, err
	}
	switch {
	case s.Kind == KindRoot:
		need := s.Root.Need
		if s.Index == 0 {
			need = len(s.Root.Keys) // whose key a root is said to be has agreed
		}
		err = signed(&e, l.state.Realm, s.Root, need, "the new root")
	case s.Kind == KindRotate:
		if old, ok := l.state.keys[s.Key]; ok { // apply refuses an unknown one
			err = signed(&e, l.state.Realm, &Root{Keys: []*dsse.Key{old.Key}}, 1, "the key that is replaced")
		}
	}
	return s, e.Payload, err
}

// follows checks all of a statement but the signatures of its envelope: its place, its time, and that whoever holds a new key has asked for it.
func (l *Log) follows(s *Statement) error {
	if s.Nation != l.state.Nation || s.Realm != l.state.Realm {
		return refuse("keylog.order", "the statement is of ", s.Nation, " in ", s.Realm, ", the log of ", l.state.Nation, " in ", l.state.Realm)
	}
	if s.Index != l.Size() || s.Index > 0 && s.Prev != hexHash(l.state.Head.Hash) {
		return refuse("keylog.order", "the statement does not follow the ", strconv.FormatInt(l.Size(), 10), " that are there")
	}
	if s.Time.Before(l.state.Time) {
		return refuse("keylog.order", "the statement is older than the one before it")
	}
	if s.Entry != nil {
		return s.Entry.checkProof(s.Nation, s.Realm)
	}
	return nil
}

func signed(e *dsse.Envelope, realm string, by *Root, need int, who string) error {
	held, err := e.Verify(dsse.InRealm(PayloadType, realm), by.find)
	if err != nil {
		return refuse("statement.signature", "not signed by ", who, ": ", err.Error())
	}
	if len(held) < need {
		return refuse("statement.signature", strconv.Itoa(len(held)), " signatures of ", who, " are there, and ", strconv.Itoa(need), " are needed")
	}
	return nil
}
