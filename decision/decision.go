// Package decision is the language of joint decisions: what nations say when they decide something together (a proposal, positions on it, the word that it was
// received, the report of what was done), the rules of an accord by which this is counted, the proof that a party was silent, which its own log gives, and
// the certificate that anybody verifies without asking anyone. docs/decisions.md is its specification. The package is pure: no network, no disk, no
// clock.
package decision

import (
	"crypto/sha256"
	"fmt"

	"entente/keylog"
	"entente/peer"
)

// Bounds.
const (
	MaxCertificate = 4 << 20  // bytes of a certificate
	MaxAlone       = 16 << 20 // bytes of one that carries key logs
	MaxLeaves      = 16384    // of one log in a proof of silence
	MaxBody        = 64 << 10 // bytes of an action
	maxStatement   = 1 << 20  // bytes of an envelope
	maxText        = 4000     // bytes of a title, a reason or a report
	maxName        = 256
	maxPositions   = 256 // of a certificate
	maxRound       = 1000
)

// Error says why something is no part of a decision, or why a certificate does not hold. Code is stable.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

// Codes of Error.
const (
	CodeForm      = "form"      // not the format of docs/decisions.md
	CodeSize      = "size"      // beyond a bound
	CodeSignature = "signature" // not signed by enough keys that count
	CodeKeys      = "keys"      // a key log is not known, or an older or another one than the certificate was made with
	CodeAccord    = "accord"    // of another accord, or of one that its parties did not sign
	CodeRule      = "rule"      // the accord has no such rule, or the proposal breaks it
	CodeBinding   = "binding"   // about another proposal, text, round or accord
	CodeTime      = "time"      // too early or too late
	CodeSilence   = "silence"   // the log does not show what is said of it
	CodeOutcome   = "outcome"   // what it holds does not add up to its outcome
)

func refuse(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// Keys gives what the key log of a nation says; nil: it is not known.
type Keys func(nation string) *keylog.State

// Topic is what the leaves of a log have that are about a proposal: the first 16 bytes of SHA-256 over "entente decision topic", a zero byte and the proposal's digest.
func Topic(proposal peer.Digest) [16]byte {
	sum := sha256.Sum256(append([]byte("entente decision topic\x00"), proposal[:]...))
	return [16]byte(sum[:])
}
