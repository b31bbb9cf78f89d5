// Package bundle carries what nodes say to each other where no connection is: a file (.fedb) with statements of key logs, accords and parts of logs, sealed to
// one receiver. Bundles of a sender to a receiver are numbered and each names the one before, so that a missing one is known by its number. What is inside is what
// a connection would carry, and the same verifier takes it. Files are written and read as streams, with a few MiB of memory whatever their size; nothing is
// compressed, so that nothing grows when it is read. docs/bundles.md is its specification. The package is pure: no network, no disk, no clock.
package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/keylog"
	"entente/peer"
	"entente/seal"
)

// Extension ends the name of a file.
const Extension = ".fedb"

// Types of the payloads that the sender's node signs; the realm is added to them.
const (
	ManifestType = "application/vnd.entente.bundle+json;v=1"
	TrailerType  = "application/vnd.entente.bundle-end+json;v=1"
)

// Purpose is what a bundle is sealed for.
const Purpose = "entente-bundle/1"

const magic = Purpose + "\n"

// Bounds of items, in bytes.
const (
	MaxManifest = 1 << 20
	MaxKeys     = 4 << 20 // one item of key statements
	MaxAccord   = 8 << 20
	MaxBatch    = 4 << 20
	MaxHeads    = 4 << 20
	maxTrailer  = 64 << 10
)

// MaxLogs bounds the logs, the key logs and the accords that one bundle holds of each.
const MaxLogs = 4096

// Limits bound a bundle as a whole. A zero field is its default.
type Limits struct {
	Bytes  int64  // of its content; 64 GiB
	Items  uint64 // 1,000,000
	Frames uint64 // 50,000,000
	Keys   int64  // bytes of key statements, which come before the first signature of the sender can be verified; 64 MiB
	Peer   peer.Limits
}

func (l Limits) values() Limits {
	set(&l.Bytes, 64<<30)
	set(&l.Items, 1_000_000)
	set(&l.Frames, 50_000_000)
	set(&l.Keys, 64<<20)
	l.Peer.BatchBytes = MaxBatch
	return l
}

func set[T int64 | uint64](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Error says why a bundle is refused, or cannot be written. Code is stable. What another language found stands behind it: *seal.Error, *peer.Error,
// *peer.Equivocation.
type Error struct {
	Code    string // "bundle.form", "bundle.size", "bundle.order", "bundle.range", "bundle.receiver", "bundle.signature", "bundle.short", "bundle.changed", "bundle.content", "bundle.known", "bundle.gap", "bundle.fork"
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "bundle: " + e.Message + ": " + e.Err.Error()
	}
	return "bundle: " + e.Message
}

// Unwrap gives what stands behind it.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Party is an organisation of a nation.
type Party struct {
	Nation string `json:"nation"`
	Org    string `json:"org"`
}

func (p Party) String() string { return p.Nation + "/" + p.Org }

// Manifest says what is in a bundle, before it comes.
type Manifest struct {
	V        int         `json:"v"`                 // 1
	Number   uint64      `json:"number"`            // from 1, for this sender and receiver
	Previous peer.Digest `json:"previous,omitzero"` // digest of the bundle with the number before; zero for the first
	From     Party       `json:"from"`
	To       Party       `json:"to"`
	Created  time.Time   `json:"created"` // by the sender's clock
	KeyLogs  []KeyRange  `json:"keylogs,omitempty"`
	Accords  int         `json:"accords,omitzero"` // how many
	Logs     []LogRange  `json:"logs,omitempty"`
}

// KeyRange is statements of a nation's key log.
type KeyRange struct {
	Nation string `json:"nation"`
	From   uint64 `json:"from"` // index of the first
	To     uint64 `json:"to"`   // of the first that is not here
}

// LogRange is leaves of a log. An empty one tells by a checkpoint that there is nothing new.
type LogRange struct {
	Origin string `json:"origin"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
}

// trailer is signed at the end, over all that stands before it.
type trailer struct {
	V      int         `json:"v"`
	Digest peer.Digest `json:"digest"` // of the bytes of the content before the trailer
	Items  uint64      `json:"items"`
	Frames uint64      `json:"frames"`
	Bytes  uint64      `json:"bytes"` // that the digest is over
}

const (
	maxIndex = 1 << 48
	maxOrg   = 256
)

func (m *Manifest) check() error {
	switch {
	case m.V != 1:
		return refuse("bundle.form", "a manifest of another version than 1")
	case m.Number == 0 || m.Number > maxIndex || (m.Number == 1) != (m.Previous == peer.Digest{}):
		return refuse("bundle.form", "bundles are numbered from 1, and each but the first names the one before")
	case !m.From.valid() || !m.To.valid() || m.From == m.To:
		return refuse("bundle.form", "a bundle goes from one organisation of a nation to another")
	case m.Created.Unix() <= 0 || m.Created.Year() > 9999 || m.Created.Nanosecond() != 0 || m.Created.Location() != time.UTC:
		return refuse("bundle.form", "a bundle says when it was made, in whole seconds of UTC")
	case len(m.KeyLogs) > MaxLogs || m.Accords < 0 || m.Accords > MaxLogs || len(m.Logs) > MaxLogs:
		return refuse("bundle.size", "a bundle has at most %d logs, key logs and accords", MaxLogs)
	}
	seen := map[string]bool{}
	for _, k := range m.KeyLogs {
		if !nation(k.Nation) || seen[k.Nation] || k.From >= k.To || k.To > maxIndex {
			return refuse("bundle.form", "a key log is named once, with statements from one index to a later one")
		}
		seen[k.Nation] = true
	}
	for _, l := range m.Logs {
		if !peer.IsOrigin(l.Origin) || seen[l.Origin] || l.From > l.To || l.To > maxIndex {
			return refuse("bundle.form", "a log is named once, with leaves from one index to no earlier one")
		}
		seen[l.Origin] = true
	}
	return nil
}

func (p Party) valid() bool {
	return nation(p.Nation) && p.Org != "" && len(p.Org) <= maxOrg && utf8.ValidString(p.Org)
}

func nation(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// sign gives the envelope of a payload.
func sign(realm, payloadType string, v any, by dsse.Signer) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, refuse("bundle.form", "it cannot be written: %v", err)
	}
	e, err := dsse.Sign(dsse.InRealm(payloadType, realm), payload, by)
	if err != nil {
		return nil, &Error{"bundle.signature", "it cannot be signed", err}
	}
	return e.Bytes(), nil
}

// parse reads an envelope and its payload, both in their one form. Nothing is verified.
func parse(envelope []byte, v any) (dsse.Envelope, error) {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return e, &Error{"bundle.form", "what the sender signed is no envelope", err}
	}
	if err := json.Unmarshal(e.Payload, v, json.RejectUnknownMembers(true)); err != nil {
		return e, &Error{"bundle.form", "what the sender signed is not of its form", err}
	}
	again, err := json.Marshal(v)
	if err != nil || !bytes.Equal(again, e.Payload) || !bytes.Equal(e.Bytes(), envelope) {
		return e, refuse("bundle.form", "what the sender signed is not written in its one form")
	}
	return e, nil
}

// Words writes a bundle's digest as 24 words, to be read out or typed where the sender is: whoever has them has opened the bundle to its end.
func Words(digest peer.Digest) string { return keylog.Fingerprint(digest).Words() }

// ParseWords reads 24 words, or the first four letters of each. The error says which word is wrong.
func ParseWords(text string) (peer.Digest, error) {
	f, err := keylog.ParseWords(text)
	var wrong *keylog.Error
	if errors.As(err, &wrong) {
		return peer.Digest{}, refuse("bundle.form", "these are not the words of a bundle: %s", wrong.Message)
	}
	return peer.Digest(f), err
}

// Receiver names who a bundle is sealed to, by the statement of its key.
func Receiver(s *seal.Statement) Party { return Party{s.Nation, s.Org} }
