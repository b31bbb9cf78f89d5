package keylog

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// Fork proves that a nation's root signed two different statements for one place of its log: it shows different keys to different partners. It
// holds all that is needed to check it, and is an error.
type Fork struct {
	Nation string           `json:"nation"`
	Realm  string           `json:"realm"`
	Before []jsontext.Value `json:"before"` // what both logs begin with
	One    jsontext.Value   `json:"one"`
	Other  jsontext.Value   `json:"other"`
}

func (f *Fork) Error() string {
	return "the root of " + f.Nation + " signed two different statements at index " + strconv.Itoa(len(f.Before)) + " of its key log"
}

// Check verifies the proof, and that it is about the log with this fingerprint: without a statement before, the two may belong to two roots.
func (f *Fork) Check(known Fingerprint) error {
	if len(f.Before) == 0 {
		return refuse("keylog.order", "two first statements are two logs, and prove nothing")
	}
	one, err := (&file{f.Nation, f.Realm, f.Before}).open()
	if err != nil {
		return err
	}
	if one.Fingerprint() != known {
		return refuse("keylog.order", "the proof is about another log")
	}
	other := one.Clone()
	if err := one.Append(f.One); err != nil {
		return err
	}
	if err := other.Append(f.Other); err != nil {
		return err
	}
	if one.Head() == other.Head() {
		return refuse("keylog.order", "both statements are the same")
	}
	return nil
}

// Extend takes statements that begin at an index which this log has reached: those that it has must be the same, the others are appended. All of them are
// taken or none. When the root signed another statement than one that is there, the error is a *Fork.
func (l *Log) Extend(first int64, statements [][]byte) (added int, err error) {
	if first < 0 || first > l.Size() {
		return 0, refuse("keylog.order", "statements from ", strconv.FormatInt(first, 10), " on do not follow the ", strconv.FormatInt(l.Size(), 10), " that are there")
	}
	if int64(len(statements)) > MaxStatements-first {
		return 0, refuse("keylog.full", "a key log has at most 10000 statements")
	}
	c := l.Clone()
	for i, raw := range statements {
		at := first + int64(i)
		if at < l.Size() {
			if err := l.same(at, raw); err != nil {
				return 0, err
			}
			continue
		}
		if err := c.Append(raw); err != nil {
			return 0, err
		}
		added++
	}
	*l = *c
	return added, nil
}

func (l *Log) same(at int64, raw []byte) error {
	if len(raw) > MaxStatement {
		return refuse("statement.form", "a statement has at most 65536 bytes")
	}
	if bytes.Equal(raw, l.statements[at]) {
		return nil
	}
	e, err := dsse.Parse(raw)
	if err != nil {
		return refuse("statement.form", err.Error())
	}
	if tlog.RecordHash(e.Payload) == l.leaves[at] {
		return nil // the same statement; its signatures may be others'
	}
	fork := &Fork{l.state.Nation, l.state.Realm, l.statements[:at:at], l.statements[at], bytes.Clone(raw)}
	if fork.Check(l.Fingerprint()) == nil {
		return fork
	}
	return refuse("keylog.rewritten", "another statement stands at index ", strconv.FormatInt(at, 10), ", and the root has not signed it: a log only grows")
}
