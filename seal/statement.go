package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"entente/dsse"
)

// StatementType is the type of a statement's payload; the realm is added to it.
const StatementType = "application/vnd.entente.sealkey+json;v=1"

// MaxStatement bounds the envelope of a statement, in bytes.
const MaxStatement = 64 << 10

const (
	maxOrg     = 256                    // bytes
	maxLife    = 400 * 24 * time.Hour   // of a key
	maxSeconds = int64(253_402_300_799) // the end of the year 9999
)

// Statement says which key a node of an organisation opens with, and when one may seal to it. The node's own key signs it.
type Statement struct {
	V         int       `json:"v"` // 1
	Nation    string    `json:"nation"`
	Org       string    `json:"org"`
	Epoch     uint32    `json:"epoch"` // from 1; each key has the next
	Key       []byte    `json:"key"`   // PublicSize bytes
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"` // nothing is sealed to it from then on; at most 400 days after NotBefore
}

// ID names the key.
func (s *Statement) ID() KeyID { return sha256.Sum256(s.Key) }

// At tells why nothing is to be sealed to the key at a time: nil means that it counts.
func (s *Statement) At(t time.Time) error {
	if t.Before(s.NotBefore) || !t.Before(s.NotAfter) {
		return refuse("statement.time", "the key %.16s of %s may be sealed to from %s until %s, and it is %s: ask for the statement of its successor", s.ID(), s.Org,
			s.NotBefore.UTC().Format(time.RFC3339), s.NotAfter.UTC().Format(time.RFC3339), t.UTC().Format(time.RFC3339))
	}
	return nil
}

// Sign gives the statement in an envelope. Times are cut to whole seconds.
func (s Statement) Sign(realm string, by dsse.Signer) ([]byte, error) {
	s.V, s.NotBefore, s.NotAfter = 1, s.NotBefore.UTC().Truncate(time.Second), s.NotAfter.UTC().Truncate(time.Second)
	if err := s.check(); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(&s)
	if err != nil {
		return nil, refuse("statement.form", "the statement cannot be written: %v", err)
	}
	e, err := dsse.Sign(dsse.InRealm(StatementType, realm), payload, by)
	if err != nil {
		return nil, refuse("statement.signature", "the statement cannot be signed: %v", err)
	}
	return e.Bytes(), nil
}

// OpenStatement verifies a statement's envelope: find gives the node keys in force, by id. That the signer speaks for the organisation which the statement
// names is for the caller to see, who knows whose key it is.
func OpenStatement(envelope []byte, realm string, find func(id string) *dsse.Key) (*Statement, *dsse.Key, error) {
	if len(envelope) > MaxStatement {
		return nil, nil, refuse("statement.form", "a statement has %d bytes, more than %d", len(envelope), MaxStatement)
	}
	e, err := dsse.Parse(envelope)
	if err != nil {
		return nil, nil, refuse("statement.form", "%v", err)
	}
	signers, err := e.Verify(dsse.InRealm(StatementType, realm), find)
	if err != nil {
		return nil, nil, refuse("statement.signature", "%v", err)
	}
	var s Statement
	if err := json.Unmarshal(e.Payload, &s, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, refuse("statement.form", "the payload is no statement of a key: %v", err)
	}
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if again, err := json.Marshal(&s); err != nil || !bytes.Equal(again, e.Payload) {
		return nil, nil, refuse("statement.form", "the statement is not in its one form: members in their order, times in UTC, no spaces")
	}
	return &s, signers[0], nil
}

func (s *Statement) check() error {
	switch {
	case s.V != 1:
		return refuse("statement.form", "another version than 1")
	case len(s.Nation) != 3 || !upper(s.Nation):
		return refuse("statement.form", "a nation is three capital letters (ISO 3166-1)")
	case s.Org == "" || len(s.Org) > maxOrg || !utf8.ValidString(s.Org):
		return refuse("statement.form", "an organisation is named in 1 to %d bytes", maxOrg)
	case s.Epoch == 0:
		return refuse("statement.form", "epochs are counted from 1")
	case s.NotBefore.Unix() <= 0 || s.NotAfter.Unix() > maxSeconds || !s.NotBefore.Before(s.NotAfter) || s.NotAfter.Sub(s.NotBefore) > maxLife:
		return refuse("statement.form", "a key counts from one time until a later one, at most 400 days")
	case s.NotBefore.Nanosecond() != 0 || s.NotAfter.Nanosecond() != 0 || s.NotBefore.Location() != time.UTC || s.NotAfter.Location() != time.UTC:
		return refuse("statement.form", "the times of a statement are whole seconds of UTC")
	}
	_, err := s.public()
	return err
}

func upper(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

func (s *Statement) public() (hpke.PublicKey, error) {
	if len(s.Key) != PublicSize {
		return nil, refuse("key.form", "a key to seal to has %d bytes, this has %d", PublicSize, len(s.Key))
	}
	k, err := hpke.MLKEM768X25519().NewPublicKey(s.Key)
	if err != nil {
		return nil, refuse("key.form", "these bytes are no key to seal to: %v", err)
	}
	return k, nil
}
