package taxii

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// Options configure a handler. The zero value is usable: every field has a default.
type Options struct {
	// DiscoveryPath is where discovery is answered: "/taxii2/" by default, where clients look for it (section 8.2.1).
	DiscoveryPath string
	// RootPrefix stands before the name of each API root: "/" by default, so that root "cti" is at /cti/. It may equal DiscoveryPath.
	RootPrefix string
	// MaxContentLength bounds the decoded body of a POST, in bytes, where a root does not state a smaller max_content_length; 100 MiB
	// by default.
	MaxContentLength int64
	// MaxBuffered bounds the decoded bodies of all POSTs at work together, in bytes: what does not fit any more is answered 503. As many
	// bytes bound the pages on their way: the fewer are left, the smaller pages become. Twice MaxContentLength by default.
	MaxBuffered int64
	// MaxObjects bounds the objects of one POST; 100,000 by default.
	MaxObjects int
	// MaxDepth bounds the nesting of one posted object; 64 by default.
	MaxDepth int
	// PageLimit is the page size when none is asked for, and MaxLimit the greatest that is given; 1,000 and 10,000 by default.
	PageLimit, MaxLimit int
	// PageBytes is the hint Query.MaxBytes; 32 MiB by default.
	PageBytes int
	// MaxFilterValues bounds the values of one comma list; 1,000 by default.
	MaxFilterValues int
	// NoGzip turns off the coding of responses.
	NoGzip bool
	// Sealer seals next tokens. By default one with a random key, whose tokens end with the process and are not bound to the caller.
	Sealer Sealer
	// RenderError turns an error of the Backend into what its caller may see. By default an *Error is shown and all else is a bare 500.
	RenderError func(error) *Error
	// ErrorID returns a new id for each error answered, unless the error has one; by default a random one. ctx is the request's.
	ErrorID func(ctx context.Context) string
	// Report is called with every error answered and its cause, for the log. It may be nil.
	Report func(r *http.Request, e *Error, cause error)
}

func (o *Options) setDefaults() {
	setDefault(&o.DiscoveryPath, "/taxii2/")
	setDefault(&o.RootPrefix, "/")
	o.DiscoveryPath, o.RootPrefix = slashed(o.DiscoveryPath), slashed(o.RootPrefix)
	setDefault(&o.MaxContentLength, 100<<20)
	setDefault(&o.MaxBuffered, 2*o.MaxContentLength)
	setDefault(&o.MaxObjects, 100_000)
	setDefault(&o.MaxDepth, 64)
	setDefault(&o.PageLimit, 1_000)
	setDefault(&o.MaxLimit, 10_000)
	setDefault(&o.PageBytes, 32<<20)
	setDefault(&o.MaxFilterValues, 1_000)
	o.PageLimit = min(o.PageLimit, o.MaxLimit)
	if o.RenderError == nil {
		o.RenderError = renderOwn
	}
	if o.ErrorID == nil {
		o.ErrorID = func(context.Context) string { return rand.Text() }
	}
	if o.Sealer == nil {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		o.Sealer, _ = NewSealer(secret, nil)
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// slashed is a path that begins and ends in "/".
func slashed(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "/"
	}
	return "/" + path + "/"
}

func renderOwn(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{HTTPStatus: http.StatusInternalServerError, Title: "Internal error"}
}

type server struct {
	Options
	backend  Backend
	buffered atomic.Int64 // bytes of bodies at work, see MaxBuffered
	sending  atomic.Int64 // bytes of pages on their way
}

// NewHandler serves b. It answers every path below where it is mounted: what is not TAXII there is a 404 in TAXII's words.
func NewHandler(b Backend, o Options) http.Handler {
	o.setDefaults()
	return &server{Options: o, backend: b}
}

// endpoint is one row of the protocol's table of endpoints.
type endpoint struct {
	path           string
	get, post, del func(*server, http.ResponseWriter, *http.Request, route) error
}

// route is a request's path, taken apart and unescaped.
type route struct {
	root, collection, object, status string
}

var (
	endDiscovery   = &endpoint{path: "{discovery}", get: (*server).discovery}
	endRoot        = &endpoint{path: "{root}/", get: (*server).root}
	endStatus      = &endpoint{path: "{root}/status/{id}/", get: (*server).status}
	endCollections = &endpoint{path: "{root}/collections/", get: (*server).collections}
	endCollection  = &endpoint{path: "{root}/collections/{collection}/", get: (*server).collection}
	endManifest    = &endpoint{path: "{root}/collections/{collection}/manifest/", get: (*server).manifest}
	endObjects     = &endpoint{path: "{root}/collections/{collection}/objects/", get: (*server).objects, post: (*server).add}
	endObject      = &endpoint{path: "{root}/collections/{collection}/objects/{object}/", get: (*server).object, del: (*server).remove}
	endVersions    = &endpoint{path: "{root}/collections/{collection}/objects/{object}/versions/", get: (*server).versions}

	endpoints = []*endpoint{endDiscovery, endRoot, endStatus, endCollections, endCollection, endManifest, endObjects, endObject, endVersions}
)

// Endpoints lists what a handler answers, "GET {root}/collections/", for documents and tests. HEAD is answered wherever GET is.
func Endpoints() []string {
	var list []string
	for _, e := range endpoints {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if e.handler(method) != nil {
				list = append(list, method+" "+e.path)
			}
		}
	}
	return list
}

func (e *endpoint) allow() string {
	out := "GET, HEAD"
	if e.post != nil {
		out += ", POST"
	}
	if e.del != nil {
		out += ", DELETE"
	}
	return out
}

func (e *endpoint) handler(method string) func(*server, http.ResponseWriter, *http.Request, route) error {
	switch method {
	case http.MethodGet, http.MethodHead:
		return e.get
	case http.MethodPost:
		return e.post
	case http.MethodDelete:
		return e.del
	}
	return nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	end, rt := s.match(path)
	switch {
	case end == nil:
		s.fail(w, r, errNoSuchPath, nil)
		return
	case !strings.HasSuffix(path, "/"):
		// Relative to this host whatever the request said: match allows no empty segment, so this cannot begin with "//".
		to := path + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		setCommon(w.Header())
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	handle := end.handler(r.Method)
	if handle == nil {
		w.Header().Set("Allow", end.allow())
		s.fail(w, r, &Error{HTTPStatus: http.StatusMethodNotAllowed, Title: "Method not allowed", ErrorCode: "method.not_allowed",
			Description: "this endpoint answers " + end.allow()}, nil)
		return
	}
	if !Acceptable(joined(r.Header, "Accept")) {
		s.fail(w, r, &Error{HTTPStatus: http.StatusNotAcceptable, Title: "Not acceptable", ErrorCode: "accept.unsupported",
			Description: "only " + MediaType + " is spoken here; ask for it in the Accept header",
			Details:     map[string]string{"field": "Accept", "rule": "TAXII 2.1 section 3.1"}}, nil)
		return
	}
	if err := handle(s, w, r, rt); err != nil {
		if own, ok := err.(handlerError); ok {
			s.fail(w, r, own.shown, nil)
			return
		}
		s.fail(w, r, s.RenderError(err), err)
	}
}

// handlerError marks an error that the handler itself found: it needs no rendering.
type handlerError struct{ shown *Error }

func (e handlerError) Error() string { return e.shown.Error() }

var errNoSuchPath = &Error{HTTPStatus: http.StatusNotFound, Title: "Not found", ErrorCode: "not_found",
	Description: "there is nothing here, or nothing that you may know of"}

// fail answers with an error and reports it with its cause.
func (s *server) fail(w http.ResponseWriter, r *http.Request, e *Error, cause error) {
	if e == nil {
		e = renderOwn(errors.New("not rendered"))
	}
	out := *e
	if out.ErrorID == "" {
		out.ErrorID = s.ErrorID(r.Context())
	}
	if s.Report != nil {
		if cause == nil {
			cause = &out
		}
		s.Report(r, &out, cause)
	}
	WriteError(w, r, &out)
}

// match finds the endpoint of an escaped path, with or without its last "/".
func (s *server) match(path string) (*endpoint, route) {
	var rt route
	if path == s.DiscoveryPath || path+"/" == s.DiscoveryPath {
		return endDiscovery, rt
	}
	rest, ok := strings.CutPrefix(path, s.RootPrefix)
	if !ok {
		return nil, rt
	}
	seg := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if len(seg) > 6 {
		return nil, rt
	}
	for i := range seg {
		v, err := url.PathUnescape(seg[i])
		if err != nil || v == "" || v == "." || v == ".." || len(v) > 512 {
			return nil, rt
		}
		seg[i] = v
	}
	rt.root = seg[0]
	if len(seg) == 1 {
		return endRoot, rt
	}
	if seg[1] == "status" && len(seg) == 3 {
		rt.status = seg[2]
		return endStatus, rt
	}
	if seg[1] != "collections" {
		return nil, rt
	}
	if len(seg) > 2 {
		rt.collection = seg[2]
	}
	if len(seg) > 4 {
		rt.object = seg[4]
	}
	switch {
	case len(seg) == 2:
		return endCollections, rt
	case len(seg) == 3:
		return endCollection, rt
	case len(seg) == 4 && seg[3] == "manifest":
		return endManifest, rt
	case seg[3] != "objects":
		return nil, rt
	case len(seg) == 4:
		return endObjects, rt
	case len(seg) == 5:
		return endObject, rt
	case seg[5] == "versions":
		return endVersions, rt
	}
	return nil, rt
}

func joined(h http.Header, name string) string {
	vs := h[name]
	if len(vs) == 1 {
		return vs[0]
	}
	return strings.Join(vs, ",")
}
