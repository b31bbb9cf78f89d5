package mispapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/surface"
)

// call is one request.
type call struct {
	s *Surface
	w http.ResponseWriter
	r *http.Request
	v gate.Viewer

	action  string   // "events/view"
	args    []string // the plain parts of the path behind it
	params  params   // named parameters of the path, the query, and the members of a body that is an object
	body    []byte
	spooled spooled // a larger body of an event, in place of body
	seated  bool    // holds the seat for large bodies
}

// params is the parameters of a request by their names, each with its values as text. A name that began with ! or - is not known apart.
type params map[string][]string

const (
	maxPath   = 8 << 10 // bytes
	maxParams = 20_000  // values of one request
)

// ParsePath takes a path apart as CakePHP does: controller, action, plain arguments, and named parameters like page:2 or uuid[]:x. ok is false
// for what is no path of this interface.
func ParsePath(path string) (action string, args []string, named map[string][]string, ok bool) {
	if len(path) > maxPath {
		return "", nil, nil, false
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".json")
	parts := strings.Split(path, "/")
	named = map[string][]string{}
	var plain []string
	for _, p := range parts {
		name, value, is := strings.Cut(p, ":")
		if is && name != "" {
			name = strings.TrimSuffix(name, "[]")
			named[name] = append(named[name], value)
			continue
		}
		if p == "" || p == "." || p == ".." {
			return "", nil, nil, false
		}
		plain = append(plain, p)
	}
	switch {
	case len(plain) == 0:
		return "", nil, nil, false
	case len(plain) == 1:
		plain = append(plain, "index")
	}
	return controller(plain[0]) + "/" + plain[1], plain[2:], named, true
}

// controller is the one spelling of a controller: CakePHP takes both eventReports and event_reports.
func controller(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			b.WriteByte(c + 'a' - 'A')
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (c *call) readPath() error {
	rest := strings.TrimPrefix(c.r.URL.Path, strings.TrimSuffix(Prefix, "/"))
	action, args, named, ok := ParsePath(rest)
	if !ok {
		return noSuch("there is nothing at this path")
	}
	c.action, c.args, c.params = action, args, named
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "query", "the query cannot be read").Because(err)
	}
	for name, values := range q {
		name = strings.TrimSuffix(name, "[]")
		c.params[name] = append(c.params[name], values...)
	}
	return nil
}

// readBody reads the whole body, which may be compressed, and the parameters in it.
func (c *call) readBody() error {
	var r io.Reader = c.r.Body
	switch enc := strings.ToLower(c.r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return fault.New(fault.Invalid, "body.encoding", "the body is not gzip").Because(err)
		}
		defer z.Close()
		r = z
	default:
		return fault.New(fault.Unsupported, "body.encoding", "the content encoding %q is not read here", enc).Try("send gzip or none, as servers/getVersion says")
	}
	limit := c.s.cfg.MaxBytes
	var b bytes.Buffer
	if n := c.r.ContentLength; n > 0 && n <= limit {
		b.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	spools := c.action == "events/add" || c.action == "events/edit" // which read it an element at a time
	inMemory := int64(smallBody)
	if spools {
		inMemory = spoolAbove
	}
	n, err := b.ReadFrom(io.LimitReader(r, min(limit, inMemory)+1))
	if err == nil && n > inMemory {
		rest := io.LimitReader(r, limit+1-n)
		if spools {
			n, err = c.spool(io.MultiReader(&b, rest))
		} else if err = c.sit(); err == nil {
			var more int64
			more, err = b.ReadFrom(rest)
			n += more
		}
	}
	if err != nil {
		if f := fault.As(err); f.Kind != fault.Internal {
			return f
		}
		return fault.New(fault.Invalid, "body.read", "the body cannot be read to its end").Because(err)
	}
	if n > limit {
		return fault.New(fault.TooLarge, "body.size", "the body has more than %d bytes", limit).By("limits.post_bytes")
	}
	c.body = bytes.TrimSpace(b.Bytes())
	return nil
}

const (
	smallBody = 8 << 20 // bytes: larger ones are worked on one at a time, because they take memory and time
	patience  = 30 * time.Second
)

// sit waits until no other large body is worked on. The seat is free again when the request is answered.
func (c *call) sit() error {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case c.s.large <- struct{}{}:
		c.seated = true
		return nil
	case <-c.r.Context().Done():
		return c.r.Context().Err()
	case <-wait.C:
		return fault.New(fault.Unavailable, "misp.busy", "another large event is being taken").After(patience)
	}
}

// readParams adds the members of the body to the parameters. A body that is none is none; one that is no object has none.
func (c *call) readParams() error {
	if len(c.body) == 0 || c.body[0] != '{' {
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(c.body, &members); err != nil {
		return fault.New(fault.Invalid, "misp.syntax", "the body is not sound JSON: %v", err)
	}
	if inner, ok := members["request"]; ok && len(members) == 1 && inner.Kind() == '{' {
		members = nil
		if err := json.Unmarshal(inner, &members); err != nil {
			return fault.New(fault.Invalid, "misp.syntax", "the body is not sound JSON: %v", err)
		}
	}
	total := 0
	for name, v := range members {
		values, ok := texts(v, nil, 0)
		if total += len(values); !ok || total > maxParams {
			return fault.New(fault.TooLarge, "misp.params", "the parameter %q has too many values or is nested too deep", clip(name)).At("/" + clip(name))
		}
		name = strings.TrimSuffix(name, "[]")
		if len(values) > 0 {
			c.params[name] = values
		}
	}
	return nil
}

// texts is the scalars of a value as text: of a list its items; of an object {"NOT": […], "OR": […], "AND": […]} its items, negated ones with !.
func texts(v jsontext.Value, to []string, depth int) ([]string, bool) {
	if depth > 3 || len(to) > maxParams {
		return to, false
	}
	switch v.Kind() {
	case '"':
		var s string
		if json.Unmarshal(v, &s) != nil {
			return to, false
		}
		return append(to, s), true
	case 'n':
		return to, true
	case 't':
		return append(to, "1"), true
	case 'f':
		return append(to, "0"), true
	case '0':
		return append(to, string(v)), true
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(v, &list) != nil {
			return to, false
		}
		ok := true
		for _, item := range list {
			if to, ok = texts(item, to, depth+1); !ok {
				return to, false
			}
		}
		return to, true
	case '{':
		var m map[string]jsontext.Value
		if json.Unmarshal(v, &m) != nil {
			return to, false
		}
		for _, name := range sorted(m) {
			part, ok := texts(m[name], nil, depth+1)
			if !ok {
				return to, false
			}
			for _, s := range part {
				if strings.EqualFold(name, "NOT") {
					s = "!" + s
				}
				to = append(to, s)
			}
		}
		return to, true
	}
	return to, false
}

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// get is the first value of a parameter.
func (p params) get(name string) string {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// list is the values of a parameter, those joined by && or | taken apart as MISP does.
func (p params) list(names ...string) []string {
	var out []string
	for _, name := range names {
		for _, v := range p[name] {
			for _, part := range strings.Split(v, "&&") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
		}
	}
	return out
}

// flag tells whether a parameter says yes.
func (p params) flag(name string) bool {
	switch strings.ToLower(p.get(name)) {
	case "1", "true", "yes":
		return true
	}
	return false
}

// count is a number from 0 on, or the default.
func (p params) count(name string, or int) (int, error) {
	s := p.get(name)
	if s == "" {
		return or, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1_000_000_000 {
		return 0, fault.New(fault.Invalid, "misp.param", "%q is no number from 0 on", clip(s)).At(name)
	}
	return n, nil
}

// arg is the plain part of the path at i, or what a parameter of one of the names says.
func (c *call) arg(i int, names ...string) string {
	if i < len(c.args) {
		return c.args[i]
	}
	for _, n := range names {
		if v := c.params.get(n); v != "" {
			return v
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// compact is how answers are written.
var compact = json.JoinOptions(jsontext.EscapeForHTML(false), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// answer writes a value as JSON.
func (c *call) answer(v any) error { return c.answerStatus(http.StatusOK, v) }

func (c *call) answerStatus(status int, v any) error {
	b, err := json.Marshal(v, compact)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		c.w.Write(b)
	}
	return nil
}

// saved is how MISP says that something was done.
func (c *call) saved(message string) error {
	return c.answer(map[string]any{"saved": true, "success": true, "name": message, "message": message, "url": c.r.URL.Path})
}

// refuse is the one place where a fault becomes an error of MISP.
func (c *call) refuse(err error) {
	e := asFault(err)
	status := surface.Status(e.Kind)
	message := e.Message
	var errors any
	switch e.Kind {
	case fault.Unauthenticated:
		status, message = http.StatusForbidden, "Authentication failed. Please make sure you pass the API key of an API enabled user along in the Authorization header."
	case fault.Withheld, fault.NotFound:
		status, message = http.StatusNotFound, "Not found."
	case fault.Internal:
		message = "internal error"
		if c.s != nil {
			c.s.cfg.Log.Error("a request failed", "id", surface.RequestID(c.r.Context()), "path", c.r.URL.Path, "cause", err)
		}
	case fault.Unavailable, fault.Full, fault.Throttled:
		after := int(e.RetryAfter.Seconds())
		c.w.Header().Set("Retry-After", strconv.Itoa(max(after, 1)))
		errors = message
	case fault.Unsupported:
		if e.Code == "method" {
			status = http.StatusMethodNotAllowed
		}
		errors = message
	default:
		errors = message
		if e.Pointer != "" {
			errors = map[string][]string{strings.TrimPrefix(e.Pointer, "/"): {message}}
		}
		if e.Do != "" {
			message += "; " + e.Do
		}
	}
	if errors == nil {
		errors = message
	}
	c.answerStatus(status, map[string]any{"saved": false, "name": message, "message": message, "url": c.r.URL.Path, "errors": errors})
}

// refusal is a 403 in the words of MISP, whose errors are exactly the text: peers compare some of them.
func refusal(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Forbidden, code, format, args...)
}
