package peer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// Media types of bodies.
const (
	BatchMedia  = "application/vnd.entente.batch;v=1"
	StreamMedia = "application/vnd.entente.stream;v=1"
	jsonMedia   = "application/json"
	rawMedia    = "application/octet-stream"
)

// Backend is what a server serves. Who asks was established before, by the key of its connection, and is found in ctx by whatever key the
// application uses; nothing in a request says it. What is not there, is another's, or was destroyed is one and the same error with CodeNotFound.
// Methods are called concurrently.
type Backend interface {
	// Hello says what this node speaks; it is the same for every caller.
	Hello(ctx context.Context) (Hello, error)
	// Logs gives the logs that the caller has part in, sorted by origin.
	Logs(ctx context.Context) ([]Head, error)
	// Log gives frames of one log with a checkpoint and proofs.
	Log(ctx context.Context, origin string, p Pull) (*Batch, error)
	// Wait returns as soon as one of the caller's logs is beyond its position, or has a checkpoint that is worth sending; a log without a position is at 0. It
	// returns nothing when it is time for a ping. It must not depend on logs that the caller has no part in.
	Wait(ctx context.Context, since []Position) ([]Head, error)
	// Ack takes what the caller says of logs that it reads.
	Ack(ctx context.Context, a Ack) error
	// Push takes frames of a log of the caller, which cannot be asked for them.
	Push(ctx context.Context, b *Batch) error
	// KeyLog gives statements of a nation's key log from an index on, as they are known here; an empty nation is this node's own.
	KeyLog(ctx context.Context, nation string, from uint64) (KeyLog, error)
	// Heads takes what the caller has seen of others' logs, and gives what this node has seen of those of them that the caller has part in.
	Heads(ctx context.Context, h Heads) (Heads, error)
	// Reconcile says what this node holds of logs of the caller, and, to compare it, of its own that the caller reads.
	Reconcile(ctx context.Context, q Reconcile) (Reconciled, error)
	// Offer takes a document of the caller.
	Offer(ctx context.Context, what Offered, document []byte) error
}

// Hello is what a node says of itself before anything else.
type Hello struct {
	Versions []int     `json:"versions"` // of this protocol: [1]
	Envelope int       `json:"envelope"` // bytes that one has at most
	Frames   int       `json:"frames"`   // that a batch has at most
	Nation   string    `json:"nation"`
	KeyLog   Head      `json:"keylog"` // of the nation
	Time     time.Time `json:"time"`
	PQ       []string  `json:"pq"` // what stands beside classical cryptography
}

// Head is how far a log is.
type Head struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	Time   time.Time `json:"-"` // of its checkpoint
}

// Position is how far a reader is.
type Position struct {
	Origin string
	Size   uint64    // verified
	Known  uint64    // size of its last checkpoint; at least Size
	Time   time.Time // of that checkpoint, as far as it was sent in the same stream
}

// Pull asks for a part of a log.
type Pull struct {
	From   uint64 // index of the first frame
	Known  uint64 // size of the last checkpoint that the reader knows; 0: none
	Frames int    // at most
	Bytes  int64  // of frames, at most; one frame always fits
}

// Ack is what a reader says of logs.
type Ack struct {
	Logs []LogAck `json:"logs"`
}

// LogAck is what a reader says of one log.
type LogAck struct {
	Origin   string   `json:"origin"`
	Cosigned []byte   `json:"cosigned,omitempty"` // a checkpoint with the reader's cosignature
	Receipts [][]byte `json:"receipts,omitempty"` // envelopes
}

// KeyLog is a part of a nation's key log. What the statements hold is for the language of key logs to say.
type KeyLog struct {
	Nation     string   `json:"nation"`
	From       uint64   `json:"from"`
	Statements [][]byte `json:"statements"`
	Checkpoint []byte   `json:"checkpoint,omitempty"`
	More       bool     `json:"more,omitempty"`
}

// Offered says what a document is.
type Offered string

// What can be offered. Each has its path: POST /fed/v1/NAME.
const (
	OfferKeys   Offered = "keylog" // statements of the caller's key log
	OfferAccord Offered = "accord" // an accord with its signatures
	OfferNotice Offered = "notice" // what a party says of an accord: the envelope of an accord.Notice
	OfferProof  Offered = "proof"  // an accusation that stands alone (package proof)
)

// Options of a server.
type Options struct {
	Limits  Limits
	Caller  func(context.Context) string // names the caller, for its share of streams; nil: all are one
	Streams int                          // that one caller may have at once; 4
	Failed  func(context.Context, error) // told of every refusal and failure, for the own side; may be nil
	Carrier Carrier                      // what carries for others; nil: nothing does, and its requests are answered as what is not there
}

const maxTurn = 1 << 20 // bytes of one log before another has its turn in a stream

// NewServer gives the handler of everything below /fed/v1/.
func NewServer(b Backend, o Options) http.Handler {
	if o.Streams <= 0 {
		o.Streams = 4
	}
	if o.Caller == nil {
		o.Caller = func(context.Context) string { return "" }
	}
	if o.Failed == nil {
		o.Failed = func(context.Context, error) {}
	}
	if o.Carrier == nil {
		o.Carrier = noCarrier{}
	}
	o.Limits = o.Limits.Values()
	s := &server{b: b, o: o, open: map[string]int{}}
	mux := http.NewServeMux()
	for route, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /fed/v1/hello":       s.hello,
		"GET /fed/v1/logs":        s.logs,
		"GET /fed/v1/log/{name}":  s.log,
		"GET /fed/v1/stream":      s.stream,
		"GET /fed/v1/keylog":      s.keylog,
		"POST /fed/v1/ack":        s.ack,
		"POST /fed/v1/push":       s.push,
		"POST /fed/v1/heads":      s.heads,
		"POST /fed/v1/reconcile":  s.reconcile,
		"POST /fed/v1/{document}": s.offer,

		"POST /fed/v1/relay/{name}":        s.carry,
		"POST /fed/v1/relay/done/{name}":   s.release,
		"GET /fed/v1/relay/{name}":         s.sealed,
		"GET /fed/v1/relay/logs":           s.carried,
		"GET /fed/v1/relay/stream":         s.sealedStream,
		"POST /fed/v1/relay/mail/{nation}": s.send,
		"GET /fed/v1/relay/mail":           s.mail,
		"POST /fed/v1/relay/keys":          s.state,
		"GET /fed/v1/relay/keys":           s.statements,

		"/": func(http.ResponseWriter, *http.Request) error { return errNotFound },
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return mux
}

type server struct {
	b    Backend
	o    Options
	mu   sync.Mutex
	open map[string]int // streams by caller
}

var errNotFound = refuse(CodeNotFound, "there is nothing of that name")

var statusOf = map[string]int{CodeNotFound: 404, CodeThrottled: 429, CodeUnavailable: 503, CodeSize: 413, CodeForm: 400, CodeFull: 507, CodeInternal: 500}

// fail answers with the code alone: the same bytes for the same code, whatever the reason.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.o.Failed(r.Context(), err)
	code := codeOf(err)
	status := statusOf[code]
	if status == 0 {
		status = http.StatusUnprocessableEntity
	}
	if status == 429 || status == 503 {
		w.Header().Set("Retry-After", "1")
	}
	s.write(w, status, jsonMedia, []byte(`{"code":"`+code+`"}`))
}

func codeOf(err error) string {
	var own *Error
	var e *Equivocation
	switch {
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &e):
		return CodeFork
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return CodeUnavailable
	}
	return CodeInternal
}

func (s *server) write(w http.ResponseWriter, status int, media string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (s *server) json(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		s.write(w, http.StatusOK, jsonMedia, b)
	}
	return err
}

func (s *server) hello(w http.ResponseWriter, r *http.Request) error {
	h, err := s.b.Hello(r.Context())
	if err != nil {
		return err
	}
	return s.json(w, h)
}

func (s *server) logs(w http.ResponseWriter, r *http.Request) error {
	heads, err := s.b.Logs(r.Context())
	if err != nil {
		return err
	}
	b, err := json.Marshal(logsBody{Logs: heads})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	s.write(w, http.StatusOK, jsonMedia, b)
	return nil
}

type logsBody struct {
	Logs []Head `json:"logs"`
}

func (s *server) log(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "from", "known", "limit")
	if err != nil {
		return err
	}
	p := Pull{Bytes: s.o.Limits.BatchBytes / 2, Frames: s.o.Limits.Frames}
	if p.From, err = number(q, "from"); err == nil {
		p.Known, err = number(q, "known")
	}
	limit := uint64(0)
	if err == nil {
		limit, err = number(q, "limit")
	}
	if err != nil {
		return err
	}
	if limit > 0 && limit < uint64(p.Frames) {
		p.Frames = int(limit)
	}
	origin := OriginPrefix + r.PathValue("name")
	if !IsOrigin(origin) {
		return errNotFound
	}
	b, err := s.b.Log(r.Context(), origin, p)
	if err != nil {
		return err
	}
	s.write(w, http.StatusOK, BatchMedia, b.Append(nil))
	return nil
}

// query reads the parameters of a request: each at most once, and no others.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(CodeForm, "the query cannot be read")
	}
	known := 0
	for _, name := range names {
		if n := len(q[name]); n > 1 {
			return nil, refuse(CodeForm, "%s is given twice", name)
		} else if n == 1 {
			known++
		}
	}
	if known != len(q) {
		return nil, refuse(CodeForm, "the query has a parameter that is not known")
	}
	return q, nil
}

func number(q url.Values, name string) (uint64, error) {
	if !q.Has(name) {
		return 0, nil
	}
	return size(q.Get(name))
}

func size(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxSize {
		return 0, refuse(CodeForm, "a size is a number from 0 to %d", uint64(maxSize))
	}
	return n, nil
}

func (s *server) stream(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "since")
	if err != nil {
		return err
	}
	return s.streams(w, r, q.Get("since"), StreamMedia, s.b.Wait, func(ctx context.Context, origin string, p Pull) (streamed, error) {
		b, err := s.b.Log(ctx, origin, p)
		if err != nil {
			return streamed{}, err
		}
		return streamed{b.Append(nil), b.End(), b.Checkpoint}, nil
	})
}

// streamed is a part of a log as a stream sends it.
type streamed struct {
	bytes      []byte
	end        uint64
	checkpoint []byte
}

// streams sends what is new since the positions, then what comes.
func (s *server) streams(w http.ResponseWriter, r *http.Request, since, media string, wait func(context.Context, []Position) ([]Head, error), log func(context.Context, string, Pull) (streamed, error)) error {
	at, err := parsePositions(since, s.o.Limits.Logs)
	if err != nil {
		return err
	}
	caller := s.o.Caller(r.Context())
	if !s.enter(caller) {
		return refuse(CodeThrottled, "the caller has %d streams", s.o.Streams)
	}
	defer s.leave(caller)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	places := make(map[string]int, len(at))
	for i, p := range at {
		places[p.Origin] = i
	}
	for out := []byte{itemPing}; ; {
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return nil // the reader is gone
			}
			if flush.Flush() != nil {
				return nil
			}
			out = nil
		}
		heads, err := wait(r.Context(), at)
		if err != nil {
			s.ended(r, err)
			return nil
		}
		if len(heads) == 0 {
			out = []byte{itemPing}
			continue
		}
		for _, h := range heads { // one turn each, so that no log keeps the others waiting
			i, ok := places[h.Origin]
			if !ok {
				if len(at) >= s.o.Limits.Logs {
					s.ended(r, refuse(CodeSize, "the caller has part in more than %d logs", s.o.Limits.Logs))
					return nil
				}
				i = len(at)
				at, places[h.Origin] = append(at, Position{Origin: h.Origin}), i
			}
			b, err := log(r.Context(), h.Origin, Pull{From: at[i].Size, Known: at[i].Known, Frames: s.o.Limits.Frames, Bytes: maxTurn})
			if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound { // it went, or what is missing of it did: the other logs go on
				at[i] = Position{Origin: h.Origin, Size: h.Size, Known: h.Size, Time: h.Time}
				continue
			}
			if err != nil {
				s.ended(r, err)
				return nil
			}
			c, err := PeekCheckpoint(b.checkpoint)
			if err != nil {
				s.ended(r, err)
				return nil
			}
			at[i].Size, at[i].Known, at[i].Time = b.end, c.Size, c.Time
			if _, err := w.Write(b.bytes); err != nil {
				return nil
			}
		}
		if flush.Flush() != nil {
			return nil
		}
	}
}

// ended tells the own side why a stream ends; a reader sees its end and asks again.
func (s *server) ended(r *http.Request, err error) {
	if r.Context().Err() == nil {
		s.o.Failed(r.Context(), err)
	}
}

func (s *server) enter(caller string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[caller] >= s.o.Streams {
		return false
	}
	s.open[caller]++
	return true
}

func (s *server) leave(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[caller]--; s.open[caller] == 0 {
		delete(s.open, caller)
	}
}

// parsePositions reads "NAME:SIZE" or "NAME:SIZE:KNOWN", separated by commas, where NAME is the origin without its prefix.
func parsePositions(text string, limit int) ([]Position, error) {
	if text == "" {
		return nil, nil
	}
	if strings.Count(text, ",") >= limit {
		return nil, refuse(CodeSize, "a stream is asked from at most %d positions", limit)
	}
	var out []Position
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, sizes, _ := strings.Cut(part, ":")
		first, second, two := strings.Cut(sizes, ":")
		p := Position{Origin: OriginPrefix + name}
		var err error
		if p.Size, err = size(first); err == nil {
			if p.Known = p.Size; two {
				p.Known, err = size(second)
			}
		}
		if err != nil || !IsOrigin(p.Origin) || p.Known < p.Size || seen[name] {
			return nil, refuse(CodeForm, "a position is written NAME:SIZE, and each log has one")
		}
		seen[name] = true
		out = append(out, p)
	}
	return out, nil
}

func formatPositions(at []Position) string {
	var b strings.Builder
	for i, p := range at {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.TrimPrefix(p.Origin, OriginPrefix) + ":" + strconv.FormatUint(p.Size, 10))
		if p.Known > p.Size {
			b.WriteString(":" + strconv.FormatUint(p.Known, 10))
		}
	}
	return b.String()
}

func (s *server) keylog(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "nation", "from")
	if err != nil {
		return err
	}
	from, err := number(q, "from")
	if err != nil {
		return err
	}
	k, err := s.b.KeyLog(r.Context(), q.Get("nation"), from)
	if err != nil {
		return err
	}
	return s.json(w, k)
}

// body reads a request's body within its bound.
func body(w http.ResponseWriter, r *http.Request, media string, limit int64) ([]byte, error) {
	if got := r.Header.Get("Content-Type"); got != media {
		return nil, refuse(CodeForm, "the body is to be %s", media)
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(CodeSize, "the body has more than %d bytes", limit)
	case err != nil:
		return nil, refuse(CodeForm, "the body was cut short")
	}
	return b, nil
}

func (s *server) ack(w http.ResponseWriter, r *http.Request) error {
	b, err := body(w, r, jsonMedia, s.o.Limits.Body)
	if err != nil {
		return err
	}
	a, err := parseAck(b, s.o.Limits.Logs)
	if err != nil {
		return err
	}
	return s.done(w, s.b.Ack(r.Context(), a))
}

func parseAck(b []byte, logs int) (a Ack, err error) {
	if err := json.Unmarshal(b, &a, json.RejectUnknownMembers(true)); err != nil {
		return a, refuse(CodeForm, "the body is no acknowledgement: %v", err)
	}
	if len(a.Logs) > logs {
		return a, refuse(CodeSize, "more than %d logs are acknowledged", logs)
	}
	for _, l := range a.Logs {
		if !IsOrigin(l.Origin) || len(l.Cosigned) > maxCheckpoint || len(l.Receipts) > maxReceipts {
			return a, refuse(CodeForm, "the acknowledgement of a log breaks its bounds")
		}
	}
	return a, nil
}

const maxReceipts = 100 // envelopes of receipts for one log in one request

func (s *server) done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *server) push(w http.ResponseWriter, r *http.Request) error {
	b, err := body(w, r, BatchMedia, s.o.Limits.BatchBytes)
	if err != nil {
		return err
	}
	batch, err := ParseBatch(b, s.o.Limits)
	if err != nil {
		return err
	}
	return s.done(w, s.b.Push(r.Context(), batch))
}

func (s *server) offer(w http.ResponseWriter, r *http.Request) error {
	what := Offered(r.PathValue("document"))
	switch what {
	case OfferKeys, OfferAccord, OfferNotice, OfferProof:
	default:
		return errNotFound
	}
	b, err := body(w, r, rawMedia, s.o.Limits.Body)
	if err != nil {
		return err
	}
	return s.done(w, s.b.Offer(r.Context(), what, b))
}
