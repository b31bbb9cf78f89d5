package peer

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/label"
)

// Carrier is what a relay does for who calls: it carries logs that it cannot read. As with a Backend, who calls is in ctx, and what is not there, is
// for somebody else or was destroyed is one and the same error with CodeNotFound.
type Carrier interface {
	// Carry takes the next items of a log of the caller for readers, "org:NATION/ORG" each, and gives the envelope of a Custody. Items that are there
	// already get the boxes of the batch: what is in theirs was destroyed.
	Carry(ctx context.Context, readers []string, b *SealedBatch) (custody []byte, err error)
	// Done destroys the boxes of a log of the caller that stand before a leaf: all for whom it is carried have them. How far it was taken is not changed.
	Done(ctx context.Context, origin string, before uint64) error
	// Carried gives the logs of a nation that are carried for the caller; of an empty one, of all.
	Carried(ctx context.Context, of string) ([]CarriedLog, error)
	// Sealed gives items of one of them: of the first nation that handed over a log of that name.
	Sealed(ctx context.Context, of []string, origin string, p Pull) (*SealedBatch, error)
	// Await is Backend.Wait for the logs of nations that are carried for the caller. It also ends, with nothing, when a message comes for the caller.
	Await(ctx context.Context, of []string, since []Position) ([]Head, error)
	// Send keeps a message of the caller for a nation, until it has it.
	Send(ctx context.Context, to string, message []byte) error
	// Mail gives messages for the caller that come after one, and forgets those up to it.
	Mail(ctx context.Context, after int64) ([]Message, error)
	// State keeps the caller's statement of the key that one seals to, for nations to see.
	State(ctx context.Context, to []string, statement []byte) error
	// Statements gives those of a nation that are for the caller.
	Statements(ctx context.Context, nation string) ([][]byte, error)
}

// CarriedLog is a log that a relay carries for the caller.
type CarriedLog struct {
	Nation string `json:"nation"` // whose it is
	Org    string `json:"org"`
	Head   []byte `json:"head"` // envelope of a RelayHead
}

// Message is what one nation left for another at a relay, which can read nothing of it and forge nothing in it: it is sealed, and what is in it signed.
type Message struct {
	ID   int64     `json:"id"`
	From string    `json:"from"`
	At   time.Time `json:"at"`
	Body []byte    `json:"body"`
}

// Bounds of what a relay keeps beside logs.
const (
	MaxMessage = 1 << 20 // bytes
	MaxReaders = 64
)

// Carry hands over the next items of one's own log to a relay, for readers, and gives the envelope of its Custody.
func (c *Client) Carry(ctx context.Context, readers []string, b *SealedBatch) (custody []byte, err error) {
	r, err := c.request(ctx, http.MethodPost, "/fed/v1/relay/"+strings.TrimPrefix(b.Origin, OriginPrefix)+"?"+url.Values{"to": {strings.Join(readers, ",")}}.Encode(), SealedMedia, b.Append(nil))
	if err != nil {
		return nil, err
	}
	w, err := c.do(r, false)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	custody, err = io.ReadAll(io.LimitReader(w.Body, maxCheckpoint+1))
	if err == nil && len(custody) > maxCheckpoint {
		err = refuse(CodeSize, "the receipt has more than %d bytes", maxCheckpoint)
	}
	return custody, err
}

// Done tells a relay that nobody waits for what it keeps of one's own log before a leaf.
func (c *Client) Done(ctx context.Context, origin string, before uint64) error {
	return c.post(ctx, "/fed/v1/relay/done/"+strings.TrimPrefix(origin, OriginPrefix)+"?before="+strconv.FormatUint(before, 10), rawMedia, []byte{})
}

// Carried asks a relay which logs of a nation it carries for the caller.
func (c *Client) Carried(ctx context.Context, of string) ([]CarriedLog, error) {
	var l carriedBody
	if err := c.json(ctx, "/fed/v1/relay/logs?"+url.Values{"of": {of}}.Encode(), &l); err != nil {
		return nil, err
	}
	if n := c.Limits.Values().Logs; len(l.Logs) > n {
		return nil, refuse(CodeSize, "the relay has more than %d logs for this caller", n)
	}
	return l.Logs, nil
}

type carriedBody struct {
	Logs []CarriedLog `json:"logs"`
}

// Sealed asks a relay for items of a nation's log.
func (c *Client) Sealed(ctx context.Context, of string, p Position) (*SealedBatch, error) {
	q := url.Values{"of": {of}, "from": {strconv.FormatUint(p.Size, 10)}, "known": {strconv.FormatUint(p.Known, 10)}}
	return batchOf(ctx, c, "/fed/v1/relay/"+strings.TrimPrefix(p.Origin, OriginPrefix)+"?"+q.Encode(), SealedMedia, ReadSealed, func(b *SealedBatch) bool { return b.Origin == p.Origin && b.From == p.Size })
}

// SealedStream is Stream for the logs of nations that a relay carries. A ping comes at once when a message waits.
func (c *Client) SealedStream(ctx context.Context, of []string, since []Position, each func(*SealedBatch) error) error {
	return streamOf(ctx, c, "/fed/v1/relay/stream?"+url.Values{"of": {strings.Join(of, ",")}, "since": {formatPositions(since)}}.Encode(), SealedStreamMedia, ReadSealed, each)
}

// Send leaves a message for a nation at a relay.
func (c *Client) Send(ctx context.Context, to string, message []byte) error {
	return c.post(ctx, "/fed/v1/relay/mail/"+url.PathEscape(to), rawMedia, message)
}

// Mail asks a relay for messages after one; those up to it are forgotten there.
func (c *Client) Mail(ctx context.Context, after int64) ([]Message, error) {
	var m mailBody
	err := c.json(ctx, "/fed/v1/relay/mail?after="+strconv.FormatInt(after, 10), &m)
	return m.Messages, err
}

type mailBody struct {
	Messages []Message `json:"messages"`
}

// State leaves the statement of the key that one seals to at a relay, for nations to see.
func (c *Client) State(ctx context.Context, to []string, statement []byte) error {
	return c.post(ctx, "/fed/v1/relay/keys?"+url.Values{"to": {strings.Join(to, ",")}}.Encode(), rawMedia, statement)
}

// Statements asks a relay for a nation's statements.
func (c *Client) Statements(ctx context.Context, nation string) ([][]byte, error) {
	var b statementsBody
	err := c.json(ctx, "/fed/v1/relay/keys?"+url.Values{"nation": {nation}}.Encode(), &b)
	return b.Statements, err
}

type statementsBody struct {
	Statements [][]byte `json:"statements"`
}

func (s *server) carry(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "to")
	if err != nil {
		return err
	}
	var readers []string
	for name := range strings.SplitSeq(q.Get("to"), ",") {
		if !strings.HasPrefix(name, "org:") || len(name) > maxName || strings.ContainsAny(name, "\n\x00") || len(readers) == MaxReaders {
			return refuse(CodeForm, "readers are 1 to %d organisations, written org:NATION/ORG", MaxReaders)
		}
		readers = append(readers, name)
	}
	in, err := body(w, r, SealedMedia, s.o.Limits.BatchBytes)
	if err != nil {
		return err
	}
	b, err := ParseSealed(in, s.o.Limits)
	switch {
	case err != nil:
		return err
	case b.Origin != OriginPrefix+r.PathValue("name"):
		return refuse(CodeOrigin, "the batch is of another log than the path")
	}
	custody, err := s.o.Carrier.Carry(r.Context(), readers, b)
	if err == nil {
		s.write(w, http.StatusOK, rawMedia, custody)
	}
	return err
}

func (s *server) release(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "before")
	if err != nil {
		return err
	}
	before, err := number(q, "before")
	if err != nil {
		return err
	}
	origin := OriginPrefix + r.PathValue("name")
	if !IsOrigin(origin) {
		return errNotFound
	}
	return s.done(w, s.o.Carrier.Done(r.Context(), origin, before))
}

func (s *server) carried(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "of")
	if err != nil {
		return err
	}
	if q.Get("of") != "" && !label.IsNation(q.Get("of")) {
		return refuse(CodeForm, "logs are of a nation")
	}
	logs, err := s.o.Carrier.Carried(r.Context(), q.Get("of"))
	if err != nil {
		return err
	}
	return s.json(w, carriedBody{logs})
}

// whose reads the parameters of a request for what is carried of a nation, or of several.
func whose(r *http.Request, most int, more ...string) (of []string, q url.Values, err error) {
	q, err = query(r, append([]string{"of"}, more...)...)
	if err != nil {
		return nil, nil, err
	}
	of = strings.Split(q.Get("of"), ",")
	if len(of) > most || slices.ContainsFunc(of, func(n string) bool { return !label.IsNation(n) }) {
		return nil, nil, refuse(CodeForm, "logs are of a nation; a stream, of at most %d", MaxReaders)
	}
	return of, q, nil
}

func (s *server) sealed(w http.ResponseWriter, r *http.Request) error {
	of, q, err := whose(r, 1, "from", "known")
	if err != nil {
		return err
	}
	p := Pull{Bytes: s.o.Limits.BatchBytes / 2, Frames: s.o.Limits.Frames}
	if p.From, err = number(q, "from"); err == nil {
		p.Known, err = number(q, "known")
	}
	origin := OriginPrefix + r.PathValue("name")
	if err == nil && !IsOrigin(origin) {
		err = errNotFound
	}
	if err != nil {
		return err
	}
	b, err := s.o.Carrier.Sealed(r.Context(), of, origin, p)
	if err == nil {
		s.write(w, http.StatusOK, SealedMedia, b.Append(nil))
	}
	return err
}

func (s *server) sealedStream(w http.ResponseWriter, r *http.Request) error {
	of, q, err := whose(r, MaxReaders, "since")
	if err != nil {
		return err
	}
	if _, err := s.o.Carrier.Carried(r.Context(), of[0]); err != nil {
		return err
	}
	return s.streams(w, r, q.Get("since"), SealedStreamMedia,
		func(ctx context.Context, at []Position) ([]Head, error) { return s.o.Carrier.Await(ctx, of, at) },
		func(ctx context.Context, origin string, p Pull) (streamed, error) {
			b, err := s.o.Carrier.Sealed(ctx, of, origin, p)
			if err != nil {
				return streamed{}, err
			}
			return streamed{b.Append(nil), b.End(), b.Checkpoint}, nil
		})
}

func (s *server) send(w http.ResponseWriter, r *http.Request) error {
	to := r.PathValue("nation")
	b, err := body(w, r, rawMedia, MaxMessage)
	switch {
	case err != nil:
		return err
	case !label.IsNation(to) || len(b) == 0:
		return refuse(CodeForm, "a message is for a nation, and has content")
	}
	return s.done(w, s.o.Carrier.Send(r.Context(), to, b))
}

func (s *server) mail(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "after")
	if err != nil {
		return err
	}
	after, err := number(q, "after")
	if err != nil {
		return err
	}
	m, err := s.o.Carrier.Mail(r.Context(), int64(after))
	if err != nil {
		return err
	}
	return s.json(w, mailBody{m})
}

func (s *server) state(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "to")
	if err != nil {
		return err
	}
	var to []string
	for nation := range strings.SplitSeq(q.Get("to"), ",") {
		if !label.IsNation(nation) || len(to) == MaxReaders {
			return refuse(CodeForm, "a statement is for 1 to %d nations", MaxReaders)
		}
		to = append(to, nation)
	}
	b, err := body(w, r, rawMedia, maxStatement)
	if err != nil {
		return err
	}
	return s.done(w, s.o.Carrier.State(r.Context(), to, b))
}

const maxStatement = 64 << 10 // bytes of the envelope of a statement, as package seal has it

func (s *server) statements(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "nation")
	if err != nil {
		return err
	}
	if !label.IsNation(q.Get("nation")) {
		return refuse(CodeForm, "statements are of a nation")
	}
	b, err := s.o.Carrier.Statements(r.Context(), q.Get("nation"))
	if err != nil {
		return err
	}
	return s.json(w, statementsBody{b})
}

// noCarrier carries for nobody.
type noCarrier struct{}

func (noCarrier) Carry(context.Context, []string, *SealedBatch) ([]byte, error) {
	return nil, errNotFound
}
func (noCarrier) Done(context.Context, string, uint64) error            { return errNotFound }
func (noCarrier) Carried(context.Context, string) ([]CarriedLog, error) { return nil, errNotFound }
func (noCarrier) Sealed(context.Context, []string, string, Pull) (*SealedBatch, error) {
	return nil, errNotFound
}
func (noCarrier) Await(context.Context, []string, []Position) ([]Head, error) {
	return nil, errNotFound
}
func (noCarrier) Send(context.Context, string, []byte) error           { return errNotFound }
func (noCarrier) Mail(context.Context, int64) ([]Message, error)       { return nil, errNotFound }
func (noCarrier) State(context.Context, []string, []byte) error        { return errNotFound }
func (noCarrier) Statements(context.Context, string) ([][]byte, error) { return nil, errNotFound }
