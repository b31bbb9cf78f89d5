package sensor

import (
	"context"
	"net/netip"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/recall"
	wire "entente/sensor"
)

// job is something to look back for: what changes brought, or a whole snapshot.
type job struct {
	epoch string
	to    int64 // everything up to here, once it is done
	news  []fresh
	all   bool
}

const maxJobs = 256 // that wait

// lookBack has something looked back for. It waits when much is to be done.
func (s *Sensor) lookBack(ctx context.Context, j job) {
	select {
	case s.jobs <- j:
	case <-ctx.Done(): // it is done when the sensor runs again
	}
}

// back looks back: for values that came, whether, when and how often they were seen.
func (s *Sensor) back(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-s.jobs:
			for wait := (backoff{}); ; { // nothing may be left out: those that come later wait
				err := s.backJob(ctx, &j)
				if ctx.Err() != nil {
					return
				}
				s.failed("look back", err)
				if err == nil {
					break
				}
				if !wait.sleep(ctx, err) {
					return
				}
			}
		}
	}
}

func (s *Sensor) backJob(ctx context.Context, j *job) error {
	if j.all {
		return s.backAll(ctx)
	}
	if err := s.backNews(ctx, j.news); err != nil {
		return err
	}
	return s.tables.looked(j.epoch, j.to)
}

func (s *Sensor) backNews(ctx context.Context, news []fresh) error {
	for _, n := range news {
		if !s.worth(&n.meta) {
			continue
		}
		for _, v := range n.values {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.backOne(n.meta.Source, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// backAll looks back for what a snapshot has and the one before had not.
func (s *Sensor) backAll(ctx context.Context) (err error) {
	all, base, previous, c := s.tables.pending()
	if !all {
		return nil
	}
	if st := s.memory.Stats(); st.Held+int(min(st.Stored, 1)) == 0 && len(s.blocks()) == 0 { // nothing was seen
		return s.tables.lookedAll(c)
	}
	base.Each(func(v indicator.Value, m indicator.Meta) bool {
		if !s.worth(&m) || previous != nil && previous.Has(m.Source, v) {
			return ctx.Err() == nil
		}
		if err = s.backOne(m.Source, v); err == nil {
			err = ctx.Err()
		}
		return err == nil
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	return s.tables.lookedAll(c)
}

// worth tells whether an indicator counts at all.
func (s *Sensor) worth(m *indicator.Meta) bool {
	return !m.Revoked && (m.Until.IsZero() || s.o.Now().Before(m.Until)) && s.mutes.heard(m.Source, 0)
}

// backOne looks back for one value. What is remembered is told by day. What stands in blocks that are not marked as read is of these: when they are read again, they are counted
// as this says.
func (s *Sensor) backOne(source string, v indicator.Value) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	kind, key := uint8(v.Kind), []byte(v.Key())
	if v.Kind == indicator.Domain && !v.Alone() {
		kind = kindBeneath
	}
	var network netip.Prefix
	switch v.Kind {
	case indicator.IPv4, indicator.IPv6:
		a, err := netip.ParseAddr(v.Text())
		if err != nil {
			return nil // it is none
		}
		network = netip.PrefixFrom(a, a.BitLen())
	case indicator.CIDR:
		p, err := netip.ParsePrefix(v.Text())
		if err != nil {
			return nil
		}
		network = p
	}
	k := hitKey{source, v.Kind.String(), v.Text()}
	for _, blk := range s.blocks() {
		blk.mu.Lock()
		var seen recall.Seen
		var err error
		if network.IsValid() {
			if seen, err = blk.stage.SeenIn(network); err != nil {
				err = nil // networks of such lengths are not remembered
			}
		} else {
			seen = blk.stage.Seen(kind, key)
		}
		had := int64(0)
		if x := blk.hits[k]; x != nil {
			had = x.count
		}
		if n := int64(seen.Count) - had; n > 0 && blk.hits != nil {
			blk.met(s, k, n, seen.First, seen.Last, nil)
		}
		blk.mu.Unlock()
	}
	s.wake(s.telling)
	var days []recall.Seen
	var err error
	if network.IsValid() {
		if days, err = s.memory.DaysIn(network); fault.Of(err) == fault.Unprocessable && err != nil {
			return nil
		}
	} else {
		days, err = s.memory.Days(kind, key)
	}
	if err != nil || len(days) == 0 {
		return err
	}
	var records [][]byte
	for _, d := range days {
		origin := "back/" + s.id.who.Load().ID + "/" + d.First.Format(time.DateOnly)
		r := wire.Report{ID: wire.ReportID(origin, k.source, k.kind, k.value), Source: source, Kind: k.kind, Value: cut(k.value), First: d.First, Last: d.Last, Count: int64(d.Count), Back: true}
		b, err := json.Marshal(&r, json.Deterministic(true))
		if err != nil {
			return fault.New(fault.Internal, "", "a report cannot be written").Because(err)
		}
		records = append(records, b)
	}
	return s.spool.Append(records)
}
