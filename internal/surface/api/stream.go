package api

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/surface"
)

// streamRoutes are what is told as it happens.
var streamRoutes = []Route{
	{get, "/stream", "What comes to the node that the caller may have, as it comes: server-sent events.", gate.ObjectRead, []Param{
		{Name: "after", Doc: "The id of the event after which to go on, for who cannot send it as Last-Event-ID. Without either the stream begins now."},
		{Name: "type", Doc: "Only objects of these types.", Kind: Words},
	}, events(Live{}), (*API).stream},
}

// Live is the data of one event. Exactly one member is set, and it is the event's name.
type Live struct {
	Object  *Object  `json:"object,omitempty"`  // came, or has another label; without its content
	Removed *Removal `json:"removed,omitempty"` // of which this connection has told, and which the caller may not have any more
	Act     *Act     `json:"act,omitempty"`     // for who reads the audit trail
	End     *Problem `json:"end,omitempty"`     // why the stream ends; the last event
}

// Removal names a version of an object.
type Removal struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

func (l *Live) name() string {
	switch {
	case l.Object != nil:
		return "object"
	case l.Removed != nil:
		return "removed"
	case l.Act != nil:
		return "act"
	}
	return "end"
}

const (
	streamsEach  = 8    // of one account
	streamsAll   = 256  // of the node
	streamLines  = 500  // of the journal, read at once
	streamMemory = 2000 // records of which a connection remembers that it told
	streamPause  = 50 * time.Millisecond
)

// heartbeat is how often an open stream says something, and makes sure that its viewer still is one. A variable for tests.
var heartbeat = 15 * time.Second

// stream tells until the caller goes away, takes too long to listen, or may not listen any more.
func (a *API) stream(c *call) error {
	types := c.q.words("type")
	at, err := a.streamFrom(c)
	if err != nil {
		return err
	}
	leave, err := a.streams.enter(who(c.v))
	if err != nil {
		return err
	}
	defer leave()
	headers(c.w, eventsType)
	c.w.Header().Set("X-Accel-Buffering", "no") // proxies that gather answers must not
	s := &telling{a: a, c: c, types: types, at: at, told: map[record.Seq]Removal{}}
	s.out.WriteString("retry: 3000\n")
	s.place()
	if err := s.flush(); err != nil {
		return started(err)
	}
	if err := s.tell(); err != nil && c.ctx().Err() == nil {
		p := problem(fault.As(err), surface.RequestID(c.ctx()))
		s.event(&Live{End: &p})
		return started(s.flush())
	}
	return nil
}

// streamFrom is the place after which a stream begins.
func (a *API) streamFrom(c *call) (record.Seq, error) {
	token := c.r.Header.Get("Last-Event-ID") // of who lost its connection: newer than what its address says
	if token == "" {
		token = c.q.get("after")
	}
	if token == "" {
		at, _ := a.x.Newest()
		return at, nil
	}
	b, err := a.ring.Open(streamPlace(c.v), token)
	if err != nil || len(b) != 8 {
		return 0, fault.New(fault.Invalid, "stream.after", "this is no id of an event that was sent to you").At("after").Try("begin without it, and ask for what you have missed")
	}
	return record.Seq(binary.BigEndian.Uint64(b)), nil
}

func streamPlace(v gate.Viewer) string { return "api/stream\x00" + who(v) }

// telling is one stream under way.
type telling struct {
	a     *API
	c     *call
	types []string
	at    record.Seq // of the journal, up to here
	out   bytes.Buffer
	told  map[record.Seq]Removal
	order [streamMemory]record.Seq // of told, a ring
	next  int                      // in the ring: the oldest
}

var errStopping = fault.New(fault.Unavailable, "node.stopping", "the node is stopping").After(5 * time.Second)

// tell goes on until there is a reason to end.
func (s *telling) tell() error {
	ctx := s.c.ctx()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		_, more := s.a.x.Newest()
		if err := s.renew(); err != nil {
			return err
		}
		busy, err := s.batch()
		if err != nil {
			return err
		}
		if !busy {
			select {
			case <-more:
			case <-tick.C:
				if err := s.beat(); err != nil {
					return err
				}
				continue
			case <-s.a.ops.Stopping():
				return errStopping
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select { // what comes in many small commits is told in fewer pieces, and a beat is not put off for ever
		case <-time.After(streamPause):
		case <-tick.C:
			if err := s.beat(); err != nil {
				return err
			}
		case <-s.a.ops.Stopping():
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// renew makes sure that the viewer still is who it was, and has the rights that it has now: before anything is told.
func (s *telling) renew() error {
	v, err := surface.Renew(s.c.ctx())
	if err != nil {
		return err
	}
	if who(v) != who(s.c.v) {
		return fault.New(fault.Unauthenticated, "auth.changed", "the credential belongs to somebody else now")
	}
	s.c.v = v
	return nil
}

// beat tells a viewer, who still is one, how far the stream has got.
func (s *telling) beat() error {
	if err := s.renew(); err != nil {
		return err
	}
	s.out.WriteString(":\n")
	s.place()
	return s.flush()
}

// batch tells what the next lines of the journal say, and whether there may be more.
func (s *telling) batch() (busy bool, err error) {
	changes, err := s.a.x.Watch(s.c.ctx(), s.c.v, s.at, streamLines)
	if err != nil {
		return false, err
	}
	for i := range changes {
		s.change(&changes[i])
	}
	return len(changes) == streamLines, s.flush()
}

// change writes the events of one line. Only the last has an id, so that who is cut off between them meets them all again.
func (s *telling) change(c *exchange.Change) {
	s.at = c.Seq
	var all []Live
	if it := c.Item; it != nil && s.wants(it) {
		o := s.a.view(s.c.v, it)
		s.remember(it)
		all = append(all, Live{Object: &o})
	}
	for _, rec := range c.Gone {
		if gone, ok := s.told[rec]; ok {
			delete(s.told, rec)
			all = append(all, Live{Removed: &gone})
		}
	}
	if c.Act != nil {
		all = append(all, Live{Act: &Act{At: c.Seq.Time(), Act: *c.Act}})
	}
	for i := range all {
		if i == len(all)-1 {
			s.id()
		}
		s.event(&all[i])
	}
}

func (s *telling) wants(it *store.Item) bool {
	return len(s.types) == 0 || slices.Contains(s.types, it.Record.Type)
}

func (s *telling) remember(it *store.Item) {
	if _, ok := s.told[it.Rec]; !ok {
		delete(s.told, s.order[s.next])
		s.order[s.next] = it.Rec
		s.next = (s.next + 1) % streamMemory
	}
	s.told[it.Rec] = Removal{ID: it.Record.ID, Type: it.Record.Type, Version: it.Record.Version}
}

// event writes one event.
func (s *telling) event(l *Live) {
	b, err := marshal(l)
	if err != nil { // texts, times and labels only
		return
	}
	s.out.WriteString("event: " + l.name() + "\ndata: ")
	s.out.Write(b)
	s.out.WriteString("\n\n")
}

// id writes the line that says up to where the journal was told; place makes it an event that says nothing else.
func (s *telling) id() {
	s.out.WriteString("id: " + s.a.ring.Seal(streamPlace(s.c.v), binary.BigEndian.AppendUint64(nil, uint64(s.at))) + "\n")
}

func (s *telling) place() {
	s.id()
	s.out.WriteString("\n")
}

// flush sends what is written. Whoever does not take it in time is cut off by the hall's patience.
func (s *telling) flush() error {
	if s.out.Len() == 0 {
		return nil
	}
	_, err := s.c.w.Write(s.out.Bytes())
	s.out.Reset()
	if err == nil {
		if err = http.NewResponseController(s.c.w).Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	return err
}
