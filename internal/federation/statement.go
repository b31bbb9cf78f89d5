package federation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"entente/internal/fault"
	"entente/keylog"
	"entente/label"
)

// StatementType is the payload type of what a release officer signs with a key of its own.
const StatementType = "application/vnd.entente.release.statement+json;v=1"

// Statement is what a release officer signs: which bytes go to whom, under which clause and label, and until when that may begin.
type Statement struct {
	Key      string      `json:"key"`    // of the release
	Nation   string      `json:"nation"` // who gives
	Org      string      `json:"org"`
	Party    string      `json:"party"` // who is given
	Accord   string      `json:"accord"`
	Digest   string      `json:"digest"` // of the accord's version: "sha256:" and hex
	Clause   string      `json:"clause"`
	ID       string      `json:"id"`
	Version  string      `json:"version"`
	Class    string      `json:"class"`  // "full" or "reduced"
	Object   string      `json:"object"` // of the exact bytes that go: "sha256:" and hex
	Label    label.Label `json:"label"`  // under which they go; a stricter one needs no other signature
	Time     time.Time   `json:"time"`
	NotAfter time.Time   `json:"not_after"`
}

// Bounds of a statement, and of the file of one.
const (
	MaxReleaseLife  = 90 * 24 * time.Hour
	DefaultLife     = 7 * 24 * time.Hour
	maxAhead        = 5 * time.Minute // clocks differ
	maxReleaseFile  = 16 << 20
	maxEarlierWords = 8
)

// Encode is the statement's canonical bytes, which are signed.
func (s *Statement) Encode() ([]byte, error) { return json.Marshal(s) }

// ParseStatement reads the canonical bytes, and nothing else.
func ParseStatement(b []byte) (*Statement, error) {
	var s Statement
	bad := fault.New(fault.Invalid, "release.statement", "this is not a release officer's statement in its one form")
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, bad.Because(err)
	}
	if again, err := s.Encode(); err != nil || string(again) != string(b) {
		return nil, bad
	}
	return &s, nil
}

// ObjectDigest names the exact bytes of an object.
func ObjectDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func accordDigest(d [32]byte) string { return "sha256:" + hex.EncodeToString(d[:]) }

// covers tells whether this is what would go to the party now, but for the label: it goes under the one that was signed, or a stricter one.
func (s *Statement) covers(digest [32]byte, j *Judged) bool {
	return s.Party == j.Party && s.Accord == j.Accord && s.Digest == accordDigest(digest) && s.Class == j.Class && s.Object == ObjectDigest(j.Body)
}

// same tells whether a statement that was signed says what one says that is made now.
func (s *Statement) same(now *Statement) bool {
	a, b := *s, *now
	a.Time, a.NotAfter, a.Label = b.Time, b.NotAfter, b.Label
	one, err := a.Encode()
	two, err2 := b.Encode()
	return err == nil && err2 == nil && string(one) == string(two) && label.Equal(s.Label.Timeless(), now.Label.Timeless()) && label.LessEqual(now.Label, s.Label)
}

// statement is what a release officer signed with a key of its own, where that is so and counts.
func (r *Release) statement() *Statement {
	if r.State != Signed || r.Holder == "" {
		return nil
	}
	return wordOf(r.Envelope)
}

// wordOf reads a statement that was verified when it came.
func wordOf(envelope []byte) *Statement {
	payload, err := envelopeOf(envelope)
	if err != nil {
		return nil
	}
	s, err := ParseStatement(payload)
	if err != nil {
		return nil
	}
	return s
}

// lapse makes a release wait for another signature.
func (r *Release) lapse(why string) {
	if r.Envelope != nil {
		r.Earlier = append(r.Earlier, r.Envelope)
		if n := len(r.Earlier); n > maxEarlierWords {
			r.Earlier = r.Earlier[n-maxEarlierWords:]
		}
	}
	r.State, r.Why, r.By, r.Holder, r.Signer, r.Reason, r.At, r.Envelope = Waiting, why, "", "", "", "", time.Time{}, nil
}

// ReleaseFile is a signed release with the key log of the nation that gave, for whoever verifies it without a node.
type ReleaseFile struct {
	Envelope json.RawMessage `json:"envelope"`
	KeyLog   json.RawMessage `json:"keylog"`
}

// OpenRelease verifies the file of a release that an officer signed: with the key log that it holds, whose fingerprint is to be compared, or with one that is
// known, of the same nation. It gives the statement, who signed it, and the key log.
func OpenRelease(file []byte, known *keylog.Log) (*Statement, []keylog.Key, *keylog.Log, error) {
	var f ReleaseFile
	if len(file) > maxReleaseFile || json.Unmarshal(file, &f) != nil {
		return nil, nil, nil, fault.New(fault.Invalid, "release.file", "this is not the file of a release").Try("make one: entente release export ID")
	}
	log := known
	if log == nil {
		var err error
		if log, err = keylog.Parse(f.KeyLog); err != nil {
			return nil, nil, nil, signature(err)
		}
	}
	payload, err := envelopeOf(f.Envelope)
	if err != nil {
		return nil, nil, nil, signature(err)
	}
	st, err := ParseStatement(payload) // to know as of when the keys must count; nothing of it is believed before they do
	if err != nil {
		return nil, nil, nil, err
	}
	by, err := signedBy(log.State(), f.Envelope, st.Time)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case st.Nation != log.Nation() || by[0].Org != st.Org:
		return nil, nil, nil, fault.New(fault.Invalid, "release.signature", "the statement is of %s of %s, its signature is not", st.Org, st.Nation)
	}
	return st, by, log, nil
}

// signedBy gives the persons' keys that signed a statement and counted at the time.
func signedBy(s *keylog.State, envelope []byte, at time.Time) ([]keylog.Key, error) {
	_, by, err := s.OpenPerson(keylog.RoleRelease, StatementType, envelope, at)
	return by, signature(err)
}

func signature(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Invalid, "release.signature", "the release officer's signature does not count: %v", err)
}
