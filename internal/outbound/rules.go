package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
)

// Rules is the first part of the codes under which failures of a line are told.
type Rules string

func (r Rules) fault(kind fault.Kind, rule, format string, args ...any) *fault.Error {
	return fault.New(kind, string(r)+"."+rule, format, args...)
}

// Truncated is an answer that broke off.
func (r Rules) Truncated(err error) *fault.Error {
	return r.fault(fault.Unavailable, "truncated", "the answer broke off before its end; nothing of it was taken").Because(err)
}

// TooLarge is an answer that is larger than was agreed.
func (r Rules) TooLarge(limit int64) *fault.Error {
	return r.fault(fault.TooLarge, "size", "the answer has more than %d bytes", limit).Try("raise limits.bytes if that is right")
}

func (r Rules) zipped(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return r.Truncated(err)
	}
	return r.fault(fault.Invalid, "gzip", "the compressed answer is damaged; nothing of it was taken").Because(err)
}

// Wire says in words why there was no answer.
func (r Rules) Wire(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // without the URL, which may hold a key
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return r.fault(fault.Unavailable, "timeout", "the server does not answer in time").Because(err)
	}
	return r.fault(fault.Unavailable, "connect", "no answer from the server: %v", err)
}

// Status says in words what a status other than success means.
func (r Rules) Status(resp *http.Response) error {
	said := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized || c == http.StatusForbidden || c == http.StatusProxyAuthRequired:
		return r.fault(fault.Forbidden, "refused", "the server answers %s", said).Try("look at the credential")
	case c == http.StatusNotFound || c == http.StatusGone:
		return r.fault(fault.NotFound, "missing", "the server answers %s", said).Try("look at the url")
	case c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable:
		return r.fault(fault.Throttled, "throttled", "the server answers %s", said).After(retryAfter(resp.Header))
	}
	return r.fault(fault.Unavailable, "status", "the server answers %s", said)
}

// retryAfter reads seconds, or a date, which is measured from the server's own.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(v)
	now, nerr := http.ParseTime(h.Get("Date"))
	if err != nil || nerr != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
