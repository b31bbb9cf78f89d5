package keylog

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// MaxDraft bounds the statements of a draft.
const MaxDraft = 64

// Draft is statements that are to follow a log and wait for signatures: it goes from holder to holder of a root, or a copy to each. A statement names the log before
// it by what it says and not by who signed, so that several can wait together.
type Draft struct {
	Nation, Realm string
	First         int64 // index of the first statement

	envelopes  []dsse.Envelope
	statements []Statement
}

type draftFile struct {
	Nation     string           `json:"nation"`
	Realm      string           `json:"realm"`
	First      int64            `json:"first"`
	Statements []jsontext.Value `json:"statements"`
}

// Prepare drafts statements that are to follow the log, and refuses what the log would refuse but for the signatures.
func (l *Log) Prepare(statements ...Statement) (*Draft, error) {
	if len(statements) == 0 || len(statements) > MaxDraft {
		return nil, refuse("statement.form", "a draft has 1 to 64 statements")
	}
	c := l.Clone()
	d := &Draft{Nation: l.Nation(), Realm: l.Realm(), First: l.Size()}
	for _, s := range statements {
		e, err := c.Draft(s)
		if err != nil {
			return nil, err
		}
		parsed, err := ParseStatement(e.Payload)
		if err != nil {
			return nil, err
		}
		if err := c.follows(&parsed); err != nil {
			return nil, err
		}
		if err := c.take(&parsed, e.Payload, nil); err != nil {
			return nil, err
		}
		d.envelopes, d.statements = append(d.envelopes, e), append(d.statements, parsed)
	}
	return d, nil
}

// ParseDraft reads what Bytes gave. That the statements follow a log is known only once they are taken.
func ParseDraft(b []byte) (*Draft, error) {
	if len(b) > MaxDraft*MaxStatement {
		return nil, refuse("statement.form", "a draft has at most 4 MiB")
	}
	var f draftFile
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse("statement.form", "this is not a draft of statements: ", strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(f.Statements) == 0 || len(f.Statements) > MaxDraft || f.First < 0 || f.First > MaxStatements {
		return nil, refuse("statement.form", "a draft has 1 to 64 statements")
	}
	if err := checkNames(f.Nation, f.Realm); err != nil {
		return nil, err
	}
	d := &Draft{Nation: f.Nation, Realm: f.Realm, First: f.First}
	for i, raw := range f.Statements {
		e, s, err := unsigned(raw)
		if err != nil {
			return nil, err
		}
		if s.Nation != d.Nation || s.Realm != d.Realm || s.Index != d.First+int64(i) || e.PayloadType != dsse.InRealm(PayloadType, d.Realm) {
			return nil, refuse("statement.form", "the statements of a draft follow each other, in one log")
		}
		d.envelopes, d.statements = append(d.envelopes, e), append(d.statements, s)
	}
	return d, nil
}

// unsigned reads an envelope that need not have signatures yet, as dsse.Parse asks for.
func unsigned(raw []byte) (e dsse.Envelope, s Statement, err error) {
	if len(raw) > MaxStatement {
		return e, s, refuse("statement.form", "a statement has at most 65536 bytes")
	}
	if err := json.Unmarshal(raw, &e, json.RejectUnknownMembers(true)); err != nil {
		return e, s, refuse("statement.form", "this is not a draft of statements: ", strings.TrimPrefix(err.Error(), "json: "))
	}
	s, err = ParseStatement(e.Payload)
	return e, s, err
}

// Bytes is the draft as JSON.
func (d *Draft) Bytes() ([]byte, error) {
	f := draftFile{Nation: d.Nation, Realm: d.Realm, First: d.First}
	for _, e := range d.envelopes {
		f.Statements = append(f.Statements, e.Bytes())
	}
	b, err := json.Marshal(f, jsontext.WithIndent("  "))
	if err != nil {
		return nil, refuse("statement.form", "the draft cannot be written: ", err.Error())
	}
	return append(b, '\n'), nil
}

// Statements are what is to be signed, for whoever signs to read.
func (d *Draft) Statements() []Statement { return slices.Clone(d.statements) }

// Signers are the ids of the keys that are said to have signed every statement. Append verifies them.
func (d *Draft) Signers() []string {
	var out []string
	for _, s := range d.envelopes[0].Signatures {
		if !slices.ContainsFunc(d.envelopes[1:], func(e dsse.Envelope) bool {
			return !slices.ContainsFunc(e.Signatures, func(o dsse.Signature) bool { return o.KeyID == s.KeyID })
		}) {
			out = append(out, s.KeyID)
		}
	}
	return out
}

// Sign adds a signature to every statement. Who has signed already signs no second time.
func (d *Draft) Sign(by dsse.Signer) error {
	if slices.Contains(d.Signers(), by.Key().ID()) {
		return nil
	}
	for i := range d.envelopes {
		if err := d.envelopes[i].Add(by); err != nil {
			return err
		}
	}
	return nil
}

// Merge takes the signatures of another copy of the same draft.
func (d *Draft) Merge(other *Draft) error {
	if len(other.envelopes) != len(d.envelopes) || other.PayloadHash() != d.PayloadHash() {
		return refuse("keylog.order", "the drafts say different things: every holder signs a copy of one draft")
	}
	for i := range d.envelopes {
		for _, s := range other.envelopes[i].Signatures {
			if !slices.ContainsFunc(d.envelopes[i].Signatures, func(o dsse.Signature) bool { return o.KeyID == s.KeyID && string(o.Sig) == string(s.Sig) }) {
				d.envelopes[i].Signatures = append(d.envelopes[i].Signatures, s)
			}
		}
	}
	return nil
}

// PayloadHash names what the draft says, whoever has signed it, in hex: holders can compare it.
func (d *Draft) PayloadHash() string {
	var all []byte
	for _, e := range d.envelopes {
		h := tlog.RecordHash(e.Payload)
		all = append(all, h[:]...)
	}
	h := tlog.RecordHash(all)
	return hex.EncodeToString(h[:])
}

// Take appends the statements of a draft once enough have signed: all of them or none.
func (l *Log) Take(d *Draft) error {
	if d.First != l.Size() {
		return refuse("keylog.order", "the draft does not follow the log as it stands: make it anew from the log of today")
	}
	var raw [][]byte
	for _, e := range d.envelopes {
		raw = append(raw, e.Bytes())
	}
	_, err := l.Extend(d.First, raw)
	return err
}
