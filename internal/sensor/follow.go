package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/indicator"
	wire "entente/sensor"
)

// pollWait is how long the node may hold an answer back until something changes.
const pollWait = 20 * time.Second

// follow keeps what is looked for as the node has it, until the context ends or the node revokes the sensor, which is its error.
func (s *Sensor) follow(ctx context.Context) error {
	wait, version := backoff{}, ""
	for {
		query := url.Values{"after": {version}, "wait": {strconv.Itoa(int(pollWait / time.Second))}}
		if version == "" {
			query = url.Values{}
		}
		st, _, _, err := get[wire.State](ctx, s.client, wire.PathState, query.Encode(), "")
		if err == nil {
			err = s.obey(ctx, &st)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.failed("node", err)
		switch {
		case errors.Is(err, errRevoked):
			return err
		case err != nil:
			s.o.Log.Warn("the node cannot be followed", "error", err)
			version = "" // what failed is tried again
			if !wait.sleep(ctx, err) {
				return nil
			}
		default:
			wait, version = backoff{}, st.Version
			s.seenNode.Store(s.o.Now().UnixNano())
		}
	}
}

var errRevoked = fault.New(fault.Forbidden, "sensor.revoked", "the node has revoked this sensor: what it looked for is deleted").Try("enrol it again with a new code, or remove it")

// obey makes what the node says so.
func (s *Sensor) obey(ctx context.Context, st *wire.State) error {
	if st.Revoked {
		return errors.Join(errRevoked, s.tables.drop(), remove(s.path(rulesFile)))
	}
	s.mutes.told(st.Muted)
	if err := s.reach(ctx, st.Indicators); err != nil {
		return err
	}
	if bare(s.look.Load().rules.etag) != bare(st.Rules) || !exists(s.path(rulesFile)) {
		if err := s.fetchRules(ctx); err != nil {
			return err
		}
	}
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
	return nil
}

// bare is an ETag without what HTTP writes around it.
func bare(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// reach takes what is looked for up to a cursor.
func (s *Sensor) reach(ctx context.Context, to wire.Cursor) error {
	for tries := 0; ; tries++ {
		table, at := s.tables.at()
		if table == nil || at.Epoch != to.Epoch {
			if tries > 3 {
				return fault.New(fault.Unavailable, "sensor.snapshot", "the node's snapshots are of another epoch than it says")
			}
			if err := s.snapshot(ctx); err != nil {
				return err
			}
			continue
		}
		if at.Seq >= to.Seq {
			return nil
		}
		c, _, _, err := get[wire.Changes](ctx, s.client, wire.PathChanges, url.Values{"after": {at.String()}}.Encode(), "")
		if err != nil {
			return err
		}
		if c.Again || c.To.Epoch != at.Epoch {
			if tries > 3 {
				return fault.New(fault.Unavailable, "sensor.snapshot", "the node's snapshots are older than the changes that it has")
			}
			if err := s.snapshot(ctx); err != nil {
				return err
			}
			continue
		}
		if c.To.Seq <= at.Seq {
			return nil // it said more than it has
		}
		news, err := s.tables.apply(c)
		if err != nil {
			return err
		}
		for i := range c.Changes {
			s.mutes.lift(c.Changes[i].Source)
		}
		s.lookBack(ctx, job{epoch: c.To.Epoch, to: c.To.Seq, news: news})
		s.poke()
		tries = 0
	}
}

// partState is what is known of a snapshot that is being taken.
type partState struct {
	wire.Cursor `json:",inline"`
	ETag        string `json:"etag"`
}

// snapshot takes a snapshot: what an attempt before it left is gone on with, if the node still gives the same one.
func (s *Sensor) snapshot(ctx context.Context) error {
	part, note := s.path("snapshot.part"), s.path("snapshot.part.json")
	var known partState
	head := http.Header{}
	var have int64
	if had, err := readJSON(note, &known); err == nil && had {
		if info, err := os.Stat(part); err == nil && info.Size() > 0 {
			have = info.Size()
			head.Set("Range", fmt.Sprintf("bytes=%d-", have))
			if known.ETag != "" {
				head.Set("If-Range", known.ETag)
			}
		}
	}
	resp, err := s.client.do(ctx, s.client.file, http.MethodGet, wire.PathSnapshot, "", head, nil)
	if have > 0 && fault.Of(err) == fault.Conflict && err != nil { // there is nothing at that place: it is another one, or complete
		have = 0
		resp, err = s.client.do(ctx, s.client.file, http.MethodGet, wire.PathSnapshot, "", nil, nil)
	}
	if err != nil {
		return err
	}
	defer func() { resp.Body.Close() }()
	c, err := wire.ParseCursor(resp.Header.Get(wire.CursorHeader))
	if err != nil {
		return fault.New(fault.Unavailable, "sensor.snapshot", "the node's snapshot has no cursor: %v", err)
	}
	if resp.StatusCode == http.StatusPartialContent && c != known.Cursor { // the beginning is of another one
		resp.Body.Close()
		if err := remove(part, note); err != nil {
			return err
		}
		return s.snapshot(ctx)
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if resp.StatusCode != http.StatusPartialContent {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
		if err := remove(note); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(part, flags, 0o600)
	if err != nil {
		return fmt.Errorf("keeping a snapshot: %w", err)
	}
	if err := writeJSON(note, &partState{c, resp.Header.Get("ETag")}); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return rules.Wire(err) // what came stays, and the next attempt goes on from there
	}
	if err := s.tables.install(part, c); err != nil {
		if fault.Of(err) == fault.Invalid {
			err = errors.Join(fault.New(fault.Unavailable, "sensor.snapshot", "the snapshot came damaged, and is taken again").Because(err), remove(part, note))
		}
		return err
	}
	if err := remove(note); err != nil {
		return err
	}
	s.o.Log.Info("a snapshot of indicators was taken", "epoch", c.Epoch, "seq", c.Seq)
	if err := s.relook(nil); err != nil {
		return err
	}
	s.lookBack(ctx, job{epoch: c.Epoch, all: true})
	s.poke()
	return nil
}

// fetchRules takes the rules.
func (s *Sensor) fetchRules(ctx context.Context) error {
	was := s.look.Load().rules
	tag := was.etag
	if !exists(s.path(rulesFile)) {
		tag = ""
	}
	got, tag, changed, err := get[wire.Rules](ctx, s.client, wire.PathRules, "", tag)
	if err != nil || !changed {
		return err
	}
	kept := &keptRules{ETag: tag, Rules: got}
	if err := writeJSON(s.path(rulesFile), kept); err != nil {
		return err
	}
	for _, r := range got.Rules {
		if old := was.from[r.Source]; old != nil && old.Version != r.Version {
			s.mutes.lift(r.Source)
		}
	}
	if err := s.relook(compile(kept, s.fit)); err != nil {
		return err
	}
	s.poke()
	return nil
}

// relook puts rules (nil: those that stand) and the table that stands in the place of what was looked for.
func (s *Sensor) relook(r *ruleset) error {
	if r == nil {
		if l := s.look.Load(); l != nil {
			r = l.rules
		} else {
			r = compile(&keptRules{}, s.fit)
		}
	}
	table, _ := s.tables.at()
	if table == nil {
		var err error
		if table, err = indicator.NewTable(nil, s.tables.decay); err != nil {
			return err
		}
	}
	l, err := newLook(r, table)
	if err != nil {
		return err
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	s.several.adopt(l)
	s.look.Store(l)
	return nil
}

func (s *Sensor) path(name string) string { return filepath.Join(s.o.Dir, name) }

// merge makes snapshots of the changes when it is time for it.
func (s *Sensor) merge(ctx context.Context) {
	every(ctx, 5*time.Second, nil, func() {
		err := s.tables.merge(ctx)
		if ctx.Err() == nil {
			s.failed("tables", err)
		}
	})
}

// renew has the node vouch for the sensor anew when it is time for it.
func (s *Sensor) renew(ctx context.Context) {
	wait := backoff{}
	for {
		if until := s.id.due().Sub(s.o.Now()); until > 0 {
			t := time.NewTimer(min(until, time.Hour))
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
				continue
			}
		}
		err := s.id.renew(ctx, s.client)
		if ctx.Err() != nil {
			return
		}
		s.failed("certificate", err)
		if err == nil {
			s.o.Log.Info("the sensor's certificate was renewed", "until", s.id.cert.Load().Leaf.NotAfter)
			s.client.close() // the next connections show it
		} else {
			s.o.Log.Warn("the sensor's certificate cannot be renewed", "error", err)
		}
		if !wait.sleep(ctx, err) {
			return
		}
	}
}
