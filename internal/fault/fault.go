// Package fault names the few kinds of failure the house knows. Rooms branch on the kind, wrap with what they were doing, and
// each protocol renders a kind in one place. The message is for the caller; the cause is for the log.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is what a caller can act on.
type Kind uint8

const (
	// Internal is a defect or a broken machine: the caller can do nothing but report it.
	Internal Kind = iota
	// Invalid is input that breaks a rule; Pointer and Rule say where and which.
	Invalid
	// Unauthenticated is a missing, wrong or expired credential.
	Unauthenticated
	// Forbidden is a known thing that this viewer may not do.
	Forbidden
	// NotFound is a thing that does not exist.
	NotFound
	// Withheld is a thing that exists and that this viewer may not know of. It renders exactly as NotFound.
	Withheld
	// Conflict is a change that meets another state than it expected.
	Conflict
	// TooLarge is input beyond a stated limit.
	TooLarge
	// Unsupported is a media type, version or method that is not spoken here.
	Unsupported
	// NotAcceptable is an answer that cannot be given in any form that was asked for.
	NotAcceptable
	// Unprocessable is well-formed input that means nothing here.
	Unprocessable
	// Throttled is a caller that must wait; RetryAfter says how long.
	Throttled
	// Unavailable is a lack of resources or a stop in progress; RetryAfter says when to come back.
	Unavailable
	// Full is a lack of storage.
	Full
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "withheld", "conflict", "too_large", "unsupported",
	"not_acceptable", "unprocessable", "throttled", "unavailable", "full"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is a failure that may be shown to its caller. Err, the private cause, never is.
type Error struct {
	Kind       Kind
	Code       string        // stable machine code, for example "pattern.syntax"; empty: the kind's name
	Message    string        // what was wrong, for the caller
	Pointer    string        // RFC 6901 pointer or parameter name: where
	Rule       string        // standard and section, or the configured rule
	Do         string        // what to do about it
	RetryAfter time.Duration // for Throttled, Unavailable and Full
	Err        error         // private cause
}

func (e *Error) Error() string {
	s := e.Message
	if e.Pointer != "" {
		s = e.Pointer + ": " + s
	}
	if e.Rule != "" {
		s += " (" + e.Rule + ")"
	}
	if e.Do != "" {
		s += "; " + e.Do
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// RoleMissing refuses somebody whose roles do not allow an action.
func RoleMissing(action fmt.Stringer) *Error {
	return New(Forbidden, "role.missing", "your roles do not allow this: %s", action).Try("ask the node's administrators for a role that does")
}

// New returns an error of the kind with a message that its caller may read.
func New(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Message: fmt.Sprintf(format, args...)}
}

// At says where in the input the error is.
func (e *Error) At(pointer string) *Error { e.Pointer = pointer; return e }

// By says which rule was broken.
func (e *Error) By(rule string) *Error { e.Rule = rule; return e }

// Try says what the caller can do.
func (e *Error) Try(do string) *Error { e.Do = do; return e }

// After says when to come back.
func (e *Error) After(d time.Duration) *Error { e.RetryAfter = d; return e }

// Because keeps the private cause.
func (e *Error) Because(err error) *Error { e.Err = err; return e }

// Of finds the kind of an error: that of the outermost *Error in its chain, Unavailable for an ended context, else Internal.
func Of(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Internal
}

// As returns the outermost *Error of the chain, or a bare one of the kind Of finds, whose message reveals nothing.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	k := Of(err)
	msg := "internal error"
	if k == Unavailable {
		msg = "the request was ended before it was answered"
	}
	return &Error{Kind: k, Message: msg, Err: err}
}

// MachineCode is the stable code to render: Code, or the kind's name. Withheld always renders as not_found.
func (e *Error) MachineCode() string {
	switch {
	case e.Kind == Withheld:
		return NotFound.String()
	case e.Code != "":
		return e.Code
	}
	return e.Kind.String()
}
