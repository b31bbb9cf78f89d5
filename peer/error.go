package peer

import "fmt"

// Error says why something from another node is refused. Code is stable and may be shown to the other side; Message is for one's own.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return "peer: " + e.Message }

// Codes of Error.
const (
	CodeForm        = "form"        // not the format that docs/wire.md describes
	CodeSize        = "size"        // beyond a bound
	CodeOrigin      = "origin"      // of another log than was asked for
	CodeCheckpoint  = "checkpoint"  // not signed by a key in force, or by half of it
	CodeRollback    = "rollback"    // the log became smaller
	CodeFork        = "fork"        // the log's past became another
	CodeGap         = "gap"         // leaves are missing between what is known and what came
	CodeProof       = "proof"       // the leaves do not lead to the signed root
	CodeCommitment  = "commitment"  // the envelope is not the one that the leaf commits to
	CodeSignature   = "signature"   // the envelope is not signed by a known key
	CodeRendition   = "rendition"   // the payload breaks a rule of its form
	CodeSealed      = "sealed"      // the box does not open, or holds something else
	CodeNotFound    = "not_found"   // unknown, another's, or destroyed: they are told alike
	CodeThrottled   = "throttled"   // too much at once
	CodeUnavailable = "unavailable" // come back later
	CodeFull        = "full"        // no more is kept for the caller
	CodeRefused     = "refused"     // not taken
	CodeInternal    = "internal"    // a defect
)

func refuse(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}
