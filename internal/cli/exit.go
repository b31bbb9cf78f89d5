package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"entente/internal/fault"
)

// Exit codes. They are part of the command line's contract.
const (
	exitOK          = 0
	exitNo          = 1  // the answer is no: something is invalid, or was refused
	exitUsage       = 2  // the command was not understood
	exitNotFound    = 3  // no such thing, or none that the caller may know of
	exitDenied      = 4  // not signed in, or not allowed
	exitUnavailable = 5  // busy, locked or out of reach: try again
	exitFull        = 6  // no storage left
	exitInternal    = 10 // a defect
)

const exitHelp = `Exit codes:
  0   done; the answer is yes
  1   the answer is no: something is invalid, does not match, or was refused
  2   the command was not understood
  3   no such thing, or none that you may know of
  4   not signed in, or not allowed
  5   busy, locked or out of reach; try again
  6   no storage left
  10  a defect of the program`

// exit is an error with a code of its own. A nil err has been told already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// no ends the program with the answer no, which has been printed.
func no() error { return &exit{code: exitNo} }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fault.New(fault.Invalid, "usage", format, args...)}
}

// code is the exit code of an error.
func code(err error) int {
	var e *exit
	if err == nil {
		return exitOK
	}
	if errors.As(err, &e) {
		return e.code
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return exitNotFound
		case errors.Is(err, fs.ErrPermission):
			return exitDenied
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return exitFull
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return exitUnavailable
		}
		return exitInternal
	}
	switch f.Kind {
	case fault.NotFound, fault.Withheld:
		return exitNotFound
	case fault.Unauthenticated, fault.Forbidden:
		return exitDenied
	case fault.Throttled, fault.Unavailable:
		return exitUnavailable
	case fault.Full:
		return exitFull
	case fault.Internal:
		return exitInternal
	}
	return exitNo
}

// tell writes an error for a person.
func tell(w io.Writer, err error) {
	var e *exit
	if errors.As(err, &e) && e.err == nil {
		return
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		fmt.Fprintf(w, "entente: %s\n", clean(err.Error()))
		return
	}
	msg := f.Message
	if f.Pointer != "" {
		msg = f.Pointer + ": " + msg
	}
	if f.Rule != "" {
		msg += " (" + f.Rule + ")"
	}
	if f.Err != nil {
		msg += ": " + f.Err.Error()
	}
	fmt.Fprintf(w, "entente: %s\n", clean(msg))
	if f.Do != "" {
		fmt.Fprintf(w, "  try: %s\n", clean(f.Do))
	}
	if f.RetryAfter > 0 {
		fmt.Fprintf(w, "  again in %s\n", f.RetryAfter)
	}
}

func notFound(what, name string) error {
	return fault.New(fault.NotFound, "", "there is no %s %q", what, name)
}
