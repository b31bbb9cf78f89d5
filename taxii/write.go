package taxii

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
)

func (s *server) add(w http.ResponseWriter, r *http.Request, rt route) error {
	if !isTAXII(r.Header.Get("Content-Type")) || len(r.Header["Content-Type"]) > 1 {
		return handlerError{&Error{HTTPStatus: http.StatusUnsupportedMediaType, Title: "Unsupported media type", ErrorCode: "content_type.unsupported",
			Description: "send an envelope as " + MediaType, Details: map[string]string{"field": "Content-Type", "rule": ruleAdd}}}
	}
	root, err := s.theRoot(r, rt.root)
	if err != nil {
		return err
	}
	c, err := s.backend.Collection(r.Context(), rt.root, rt.collection)
	switch {
	case err != nil:
		return err
	case c.CanWrite:
	case c.CanRead:
		return forbidden("this collection may be read and not written to")
	default:
		return handlerError{errNoSuchPath}
	}
	held := &share{of: &s.buffered, most: s.MaxBuffered}
	defer held.release()
	data, err := readBody(w, r, root.MaxContentLength, held)
	if err != nil {
		return err
	}
	env, fault := parseEnvelope(data, bounds{objects: s.MaxObjects, depth: s.MaxDepth})
	if fault == nil && len(env.Objects) == 0 {
		fault = unprocessable("/objects", "TAXII 2.1 sections 2 and 5.5", "want a list with at least one object")
	}
	if fault != nil {
		return handlerError{&Error{HTTPStatus: fault.status, Title: "Invalid envelope", ErrorCode: fault.code, Description: fault.Error(),
			Details: map[string]string{"pointer": fault.pointer, "rule": fault.rule}}}
	}
	st, err := s.backend.Add(r.Context(), rt.root, c.ID, env.Objects)
	if err != nil {
		return err
	}
	return s.sendResource(w, r, http.StatusAccepted, st.coherent())
}

func (s *server) remove(w http.ResponseWriter, r *http.Request, rt route) error {
	asked, bad := parseQuery(r.URL.RawQuery, deleteFields, s.MaxFilterValues)
	if bad != nil {
		return handlerError{bad}
	}
	c, err := s.backend.Collection(r.Context(), rt.root, rt.collection)
	switch {
	case err != nil:
		return err
	case c.CanRead && c.CanWrite:
	case c.CanRead || c.CanWrite:
		return forbidden("deleting takes the right to read and to write this collection")
	default:
		return handlerError{errNoSuchPath}
	}
	if err := s.backend.Delete(r.Context(), rt.root, c.ID, rt.object, asked.Filter); err != nil {
		return err
	}
	setCommon(w.Header())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func tooLarge(limit int64) error {
	return handlerError{&Error{HTTPStatus: http.StatusRequestEntityTooLarge, Title: "Content too large", ErrorCode: "content.too_large",
		Description: "the decoded body is larger than the " + strconv.FormatInt(limit, 10) + " bytes of max_content_length; send several envelopes",
		Details:     map[string]string{"rule": "TAXII 2.1 section 4.2.1"}}}
}

func unreadable(why string) error {
	return handlerError{&Error{HTTPStatus: http.StatusBadRequest, Title: "Unreadable body", ErrorCode: "content.unreadable", Description: why,
		Details: map[string]string{"field": "body", "rule": ruleAdd}}}
}

// readBody reads a request's body, of which neither the sent nor the decoded form may be larger than limit. What states a greater
// length is refused unread. The bytes are counted in the share.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, held *share) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	hint := max(r.ContentLength, 0)
	switch coding := strings.ToLower(strings.TrimSpace(joined(r.Header, "Content-Encoding"))); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := kgzip.NewReader(body)
		if err != nil {
			return nil, bodyFault(err, limit)
		}
		defer z.Close()
		body, hint = z, 0
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, handlerError{&Error{HTTPStatus: http.StatusUnsupportedMediaType, Title: "Unsupported content coding",
			ErrorCode: "content_encoding.unsupported", Description: "send the body plain or in gzip", Details: map[string]string{"field": "Content-Encoding"}}}
	}
	// A stated length is believed only so far: a slow client must not hold memory that it has not filled.
	buf := make([]byte, 0, min(hint, 1<<20)+bytes.MinRead)
	body = io.LimitReader(body, limit+1)
	for {
		if len(buf) == cap(buf) {
			more := 3 * len(buf)
			if rest := int(hint) - len(buf) + bytes.MinRead; rest >= bytes.MinRead {
				more = min(more, rest)
			}
			buf = slices.Grow(buf, more)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case !held.take(int64(n)):
			w.Header().Set("Connection", "close")
			return nil, errBusy
		case err == io.EOF && int64(len(buf)) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, bodyFault(err, limit)
		}
	}
}

// share is what one request holds of a bound that all share.
type share struct {
	of   *atomic.Int64
	most int64
	mine int64
}

// take holds n more, unless that is more than there is.
func (s *share) take(n int64) bool {
	s.mine += n
	return s.of.Add(n) <= s.most
}

func (s *share) release() { s.of.Add(-s.mine) }

var errBusy = handlerError{&Error{HTTPStatus: http.StatusServiceUnavailable, Title: "Busy", ErrorCode: "content.busy", RetryAfter: 2 * time.Second,
	Description: "more content is being sent at once than there is memory for; send it again later, or in smaller envelopes"}}

func bodyFault(err error, limit int64) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return tooLarge(limit)
	}
	return unreadable("the body ended before it was complete, came too slowly, or is not coded as it says")
}
