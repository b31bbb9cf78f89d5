package taxii

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	kgzip "github.com/klauspost/compress/gzip"
)

const (
	headerFirst = "X-TAXII-Date-Added-First"
	headerLast  = "X-TAXII-Date-Added-Last"

	// smallest body that is worth coding
	gzipFloor = 1400
)

var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(io.Discard, 32<<10) }}

var compressors = sync.Pool{New: func() any {
	w, err := kgzip.NewWriterLevel(io.Discard, kgzip.BestSpeed)
	if err != nil {
		return kgzip.NewWriter(io.Discard)
	}
	return w
}}

func setCommon(h http.Header) {
	h.Set("Content-Type", MediaType)
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Accept, Accept-Encoding, Authorization")
	h.Set("X-Content-Type-Options", "nosniff")
}

// send writes a message of a known size, coded when that was asked for and is worth it.
func send(w http.ResponseWriter, r *http.Request, status, size int, compress bool, body func(*bufio.Writer)) {
	h := w.Header()
	setCommon(h)
	compress = compress && size >= gzipFloor && acceptsGzip(joined(r.Header, "Accept-Encoding"))
	if compress {
		h.Set("Content-Encoding", "gzip")
	} else {
		h.Set("Content-Length", strconv.Itoa(size))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	// A write fails only when the client has gone: there is nobody left to tell.
	out := writers.Get().(*bufio.Writer)
	defer func() {
		out.Reset(io.Discard)
		writers.Put(out)
	}()
	if !compress {
		out.Reset(w)
		body(out)
		out.Flush()
		return
	}
	z := compressors.Get().(*kgzip.Writer)
	z.Reset(w)
	out.Reset(z)
	body(out)
	out.Flush()
	z.Close()
	z.Reset(io.Discard)
	compressors.Put(z)
}

func (s *server) sendResource(w http.ResponseWriter, r *http.Request, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	send(w, r, status, len(b), !s.NoGzip, func(out *bufio.Writer) { out.Write(b) })
	return nil
}

// WriteError answers with an error resource. It is what the handler itself uses and what the application's authentication uses for
// its 401, with Error.Challenge set.
func WriteError(w http.ResponseWriter, r *http.Request, e *Error) {
	out := *e
	if out.HTTPStatus < 400 || out.HTTPStatus > 599 {
		out.HTTPStatus = http.StatusInternalServerError
	}
	if out.Title == "" {
		out.Title = http.StatusText(out.HTTPStatus)
	}
	for _, c := range out.Challenge {
		w.Header().Add("WWW-Authenticate", c)
	}
	if out.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((out.RetryAfter+time.Second-1)/time.Second), 10))
	}
	b, err := json.Marshal(&out)
	if err != nil {
		b = []byte(`{"title":"Internal error","http_status":"` + strconv.Itoa(out.HTTPStatus) + `"}`)
	}
	send(w, r, out.HTTPStatus, len(b), false, func(buf *bufio.Writer) { buf.Write(b) })
}

// elementSize is about what a manifest record takes, in bytes.
const elementSize = 200

// list is a message of the shape {more, next, <name>: [...]}; element appends to scratch what stands for an object, or is nil to
// write its raw bytes.
type list struct {
	name    string
	element func(scratch []byte, o *Object) []byte
}

var (
	objectsList  = list{name: "objects"}
	manifestList = list{"objects", appendManifest}
	versionsList = list{"versions", func(b []byte, o *Object) []byte { return appendQuote(b, o.Version) }}
)

func appendManifest(b []byte, o *Object) []byte {
	b = append(b, `{"id":`...)
	b = appendQuote(b, o.ID)
	b = append(b, `,"date_added":"`...)
	b = o.DateAdded.UTC().AppendFormat(b, TimeFormat)
	b = append(b, `","version":`...)
	b = appendQuote(b, o.Version)
	if o.MediaType != "" {
		b = append(b, `,"media_type":`...)
		b = appendQuote(b, o.MediaType)
	}
	return append(b, '}')
}

// appendQuote writes a JSON string; what is not Unicode in it becomes U+FFFD.
func appendQuote(b []byte, s string) []byte {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil && len(out) == len(b) {
		return append(b, `""`...)
	}
	return out
}

// sendPage writes a page without decoding an object.
func (s *server) sendPage(w http.ResponseWriter, r *http.Request, l list, p *Page, next string) {
	head := make([]byte, 0, 256)
	head = append(head, '{')
	if p.More {
		head = append(head, `"more":true,"next":`...)
		head = appendQuote(head, next)
	}
	n := len(p.Objects)
	tail := "}"
	if n > 0 {
		if p.More {
			head = append(head, ',')
		}
		head = append(head, '"')
		head = append(head, l.name...)
		head = append(head, `":[`...)
		tail = "]}"
		w.Header().Set(headerFirst, FormatTime(p.Objects[0].DateAdded))
		w.Header().Set(headerLast, FormatTime(p.Objects[n-1].DateAdded))
	}
	if l.element != nil {
		body := append(make([]byte, 0, len(head)+len(tail)+n*elementSize), head...)
		for i := range p.Objects {
			if i > 0 {
				body = append(body, ',')
			}
			body = l.element(body, &p.Objects[i])
		}
		body = append(body, tail...)
		send(w, r, http.StatusOK, len(body), !s.NoGzip, func(out *bufio.Writer) { out.Write(body) })
		return
	}
	size := len(head) + len(tail) + max(n-1, 0)
	for i := range p.Objects {
		size += len(p.Objects[i].Raw)
	}
	send(w, r, http.StatusOK, size, !s.NoGzip, func(out *bufio.Writer) {
		out.Write(head)
		for i := range p.Objects {
			if i > 0 {
				out.WriteByte(',')
			}
			out.Write(p.Objects[i].Raw)
		}
		out.WriteString(tail)
	})
}
