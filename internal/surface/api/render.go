package api

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"entente/internal/fault"
	"entente/internal/surface"
)

// Problem is a failure as RFC 9457 writes it, with what a caller can act on.
type Problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Code    string `json:"code"`               // stable
	Detail  string `json:"detail,omitempty"`   // what was wrong
	Pointer string `json:"pointer,omitempty"`  // where
	Rule    string `json:"rule,omitempty"`     // by which rule
	Do      string `json:"do,omitempty"`       // what to do about it
	ErrorID string `json:"error_id,omitempty"` // the request's id in the node's log
}

const problemType = "application/problem+json"

// Render is the one place where a fault becomes a problem. What is hidden and what is not there look the same. The challenges go with
// a refused credential.
func Render(challenges []string) surface.Render {
	return func(w http.ResponseWriter, r *http.Request, e *fault.Error, id string) {
		write(w, r, challenges, surface.Status(e.Kind), e, id)
	}
}

func write(w http.ResponseWriter, r *http.Request, challenges []string, status int, e *fault.Error, id string) {
	p := problem(e, id)
	p.Status, p.Title = status, http.StatusText(status)
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Kind == fault.Unauthenticated {
		for _, ch := range challenges {
			if strings.HasPrefix(ch, "Basic ") && r.Header.Get("Sec-Fetch-Site") != "" {
				continue // a browser would ask for a name and a password over a page that asks for them itself
			}
			h.Add("WWW-Authenticate", ch)
		}
	}
	if after := retryAfter(e); after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		if b, err := marshal(p); err == nil {
			w.Write(append(b, '\n'))
		}
	}
}

func problem(e *fault.Error, id string) Problem {
	status := surface.Status(e.Kind)
	p := Problem{Title: http.StatusText(status), Status: status, Code: e.MachineCode(), ErrorID: id}
	switch e.Kind {
	case fault.NotFound, fault.Withheld:
		p.Code = fault.NotFound.String()
	case fault.Internal:
		p.Code = fault.Internal.String()
	default:
		p.Detail, p.Pointer, p.Rule, p.Do = e.Message, e.Pointer, e.Rule, e.Do
	}
	return p
}

func retryAfter(e *fault.Error) time.Duration {
	switch e.Kind {
	case fault.Throttled, fault.Unavailable, fault.Full:
		if e.RetryAfter <= 0 {
			return 5 * time.Second
		}
		return e.RetryAfter
	}
	return 0
}

// fault turns a problem back into the failure it was written from.
func (p Problem) fault(status int, after time.Duration) *fault.Error {
	e := &fault.Error{Kind: kindOf(status), Code: p.Code, Message: p.Detail, Pointer: p.Pointer, Rule: p.Rule, Do: p.Do, RetryAfter: after}
	if e.Message == "" {
		e.Message = map[fault.Kind]string{
			fault.NotFound: "no such thing, or none that you may know of",
			fault.Internal: "the node failed to answer",
		}[e.Kind]
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the node answered %d %s", status, http.StatusText(status))
	}
	if e.Kind == fault.Internal && p.ErrorID != "" {
		e.Do = "look for " + p.ErrorID + " in the node's log"
	}
	return e
}

func kindOf(status int) fault.Kind {
	for k := fault.Invalid; k <= fault.Full; k++ {
		if k != fault.Withheld && surface.Status(k) == status {
			return k
		}
	}
	switch {
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return fault.Unavailable
	case status >= 500:
		return fault.Internal
	}
	return fault.Invalid
}

// errStarted marks failures after the first byte of the answer.
var errStarted = errors.New("the answer had begun")

func started(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errStarted, err)
}

func headers(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answer writes one value.
func (c *call) answer(v any) error { return c.answerStatus(http.StatusOK, v) }

func (c *call) answerStatus(status int, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if c.once != nil {
		c.api.settle(c, status, b)
	}
	headers(c.w, jsonType)
	c.w.WriteHeader(status)
	_, err = c.w.Write(b)
	return started(err)
}

// marshal writes a value as JSON. A list without items is [], never null.
func marshal(v any) ([]byte, error) {
	return json.Marshal(v, jsonv1.DefaultOptionsV1(), json.FormatNilSliceAsNull(false), json.FormatNilMapAsNull(false))
}

func (c *call) done() error {
	headers(c.w, jsonType)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// List is one page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // where the next page starts, for this viewer and this query only; empty: this was the last
}

func list[T any](items []T, next string) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{items, next}
}

const maxBody = 1 << 20

// body reads a small JSON body strictly.
func (c *call) body(into any) error {
	b, err := c.read, error(nil)
	if b == nil {
		b, err = readBody(c)
	}
	if err != nil {
		return err
	}
	return decode(b, into)
}

func readBody(c *call) ([]byte, error) { return c.upTo(maxBody) }

// upTo reads a body of a bounded size.
func (c *call) upTo(most int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, fault.New(fault.TooLarge, "body.size", "the body has more than %d bytes", most)
		}
		return nil, fault.New(fault.Invalid, "body.read", "the body could not be read").Because(err)
	}
	return b, nil
}
