// Package recall remembers which observables were seen: whether, when and how often, for some months, in little space.
//
// Values are not kept: of each a keyed hash of 64 bits is, so that who finds the files cannot read from them whom a network talks with, and two of 10^8 values are taken
// for one with a probability of one in 10^11 for each question. IPv4 addresses stand as they are: their hashes could be tried out anyway, and networks can be asked for.
//
// What is seen is gathered in memory, by day, and written out as a segment when it is flushed: a file that is written once, sorted, and never changed. Segments of one day
// are merged when there are many; the oldest days end when the memory is older or larger than it may be, which is counted. What was seen since the last flush is lost with
// the process: who reads events again from a checkpoint flushes before it keeps the checkpoint.
package recall

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entente/internal/fault"
)

// Config says where and how much is remembered.
type Config struct {
	Dir   string           `toml:"-"`
	Hash  Hash             `toml:"-"` // with another one nothing of before is found
	Now   func() time.Time `toml:"-"`
	Days  int              `toml:"days"` // 90
	Bytes int64            `toml:"size"` // of all segments; 1 GiB
	Hold  int              `toml:"hold"` // values of a day in memory before they must be flushed; 1,000,000
}

// Hash is a keyed hash of a kind of value and a canonical value, which nobody can make without the key. Kind 255 is the memory's own.
type Hash func(kind uint8, value []byte) uint64

const (
	defaultDays  = 90
	maxDays      = 3660
	defaultBytes = 1 << 30
	minBytes     = 1 << 20
	defaultHold  = 1_000_000
	minHold      = 1000
	maxSegments  = 4 // of one day, before they are merged
)

// Validate fills in what is not set.
func (c *Config) Validate() error {
	c.Days, c.Bytes, c.Hold = cmp.Or(c.Days, defaultDays), cmp.Or(c.Bytes, defaultBytes), cmp.Or(c.Hold, defaultHold)
	switch {
	case c.Days < 1 || c.Days > maxDays:
		return fault.New(fault.Unprocessable, "recall.days", "what was seen is remembered for 1 to %d days, not %d", maxDays, c.Days)
	case c.Bytes < minBytes:
		return fault.New(fault.Unprocessable, "recall.size", "the memory of what was seen has at least %d bytes, not %d", minBytes, c.Bytes)
	case c.Hold < minHold:
		return fault.New(fault.Unprocessable, "recall.hold", "at least %d values are held in memory, not %d", minHold, c.Hold)
	}
	return nil
}

// Seen is what is remembered of a value. Seconds are exact, counts are at least: what was read twice is counted twice.
type Seen struct {
	Count uint64    `json:"count"`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func (s *Seen) add(day int64, r entry) {
	first, last := at(day, r.first), at(day, r.last)
	if s.Count == 0 || first.Before(s.First) {
		s.First = first
	}
	if s.Count == 0 || last.After(s.Last) {
		s.Last = last
	}
	s.Count += uint64(r.count)
}

// Memory is what was seen. It may be used by many at once.
type Memory struct {
	cfg Config

	shards [64]shard // of what is not flushed

	flushing sync.Mutex // held by who writes segments

	mu       sync.RWMutex
	segments []*segment // by day, oldest first
	dropped  uint64     // values that ended before their time, for room
}

type shard struct {
	mu  sync.Mutex
	day map[int64]map[uint64]entry
	n   int
}

// entry is how often a value was seen on one day, and when first and last, in seconds of the day.
type entry struct{ count, first, last uint32 }

func (e *entry) add(o entry) {
	e.first, e.last = min(e.first, o.first), max(e.last, o.last)
	if sum := e.count + o.count; sum >= e.count {
		e.count = sum
	} else {
		e.count = ^uint32(0)
	}
}

const daySeconds = 86400

func at(day int64, second uint32) time.Time {
	return time.Unix(day*daySeconds+int64(second), 0).UTC()
}

// Open opens the memory in a directory, which is made where it is missing.
func Open(cfg Config) (*Memory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of what was seen: %w", err)
	}
	m := &Memory{cfg: cfg}
	names, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading what was seen: %w", err)
	}
	for _, n := range names {
		path := filepath.Join(cfg.Dir, n.Name())
		switch filepath.Ext(path) {
		case ".new": // a flush that did not end
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("removing what was not written whole: %w", err)
			}
		case suffix:
			s, err := openSegment(path, m.check())
			if err != nil {
				for _, s := range m.segments {
					err = errors.Join(err, s.file.Close())
				}
				return nil, err
			}
			m.segments = append(m.segments, s)
		}
	}
	m.sort()
	return m, m.forget()
}

// check tells one secret from another in the files.
func (m *Memory) check() uint64 { return m.cfg.Hash(kindOwn, []byte("check")) }

func (m *Memory) sort() {
	slices.SortFunc(m.segments, func(a, b *segment) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.path, b.path)) })
}

// The tags of keys: addresses of IPv4 are kept as they are, in order.
const tag4 = 1 << 63

func key4(a netip.Addr) uint64 {
	b := a.As4()
	return tag4 | uint64(binary.BigEndian.Uint32(b[:]))
}

// See notes that a value was seen. Values are compared byte by byte: the caller gives canonical ones.
func (m *Memory) See(kind uint8, value []byte, when time.Time) { m.see(m.Key(kind, value), when) }

// Key is what a value is remembered by.
func (m *Memory) Key(kind uint8, value []byte) uint64 { return m.cfg.Hash(kind, value) &^ tag4 }

// SeeAddr notes that an address was seen. Of IPv6, its networks of 64 and 48 bits are too.
func (m *Memory) SeeAddr(a netip.Addr, when time.Time) {
	var buf [3]uint64
	for _, key := range m.AddrKeys(buf[:0], a) {
		m.see(key, when)
	}
}

// AddrKeys appends what an address is remembered by.
func (m *Memory) AddrKeys(to []uint64, a netip.Addr) []uint64 {
	a = a.Unmap().WithZone("")
	switch {
	case a.Is4():
		to = append(to, key4(a))
	case a.Is6():
		to = append(to, m.key6(netip.PrefixFrom(a, 128)))
		for _, bits := range prefixes6 {
			to = append(to, m.key6(netip.PrefixFrom(a, bits).Masked()))
		}
	}
	return to
}

// prefixes6 are the lengths of networks of IPv6 that can be asked for, beside whole addresses.
var prefixes6 = []int{64, 48}

const kindOwn = 255

func (m *Memory) key6(p netip.Prefix) uint64 {
	b := p.Addr().As16()
	return m.Key(kindOwn, append(b[:], byte(p.Bits())))
}

func (m *Memory) see(key uint64, when time.Time) {
	if second := when.Unix(); m.remembers(second) {
		s := uint32(second % daySeconds)
		m.put(key, second/daySeconds, entry{1, s, s})
	}
}

// remembers tells whether a second is neither older than is remembered, nor by a clock that is wrong.
func (m *Memory) remembers(second int64) bool {
	return second >= 0 && second/daySeconds >= m.oldest() && second <= m.cfg.Now().Unix()+daySeconds
}

// put adds to what is held of a key and a day.
func (m *Memory) put(key uint64, day int64, seen entry) {
	sh := &m.shards[key%uint64(len(m.shards))]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.day == nil {
		sh.day = map[int64]map[uint64]entry{}
	}
	d := sh.day[day]
	if d == nil {
		d = map[uint64]entry{}
		sh.day[day] = d
	}
	e, known := d[key]
	if !known {
		e = entry{first: seen.first, last: seen.last}
		sh.n++
	}
	e.add(seen)
	d[key] = e
}

// oldest is the first day that is remembered.
func (m *Memory) oldest() int64 { return m.cfg.Now().Unix()/daySeconds - int64(m.cfg.Days) + 1 }

// Full tells whether so much is held in memory that it must be flushed.
func (m *Memory) Full() bool {
	n := 0
	for i := range m.shards {
		m.shards[i].mu.Lock()
		n += m.shards[i].n
		m.shards[i].mu.Unlock()
	}
	return n >= m.cfg.Hold
}

// Seen says what is remembered of a value.
func (m *Memory) Seen(kind uint8, value []byte) (Seen, error) {
	key := m.Key(kind, value)
	return m.seen(key, key)
}

// SeenIn says what is remembered of the addresses of a network: of IPv4 of any, of IPv6 of whole addresses and networks of 64 and 48 bits.
func (m *Memory) SeenIn(p netip.Prefix) (Seen, error) {
	low, high, err := m.span(p)
	if err != nil {
		return Seen{}, err
	}
	return m.seen(low, high)
}

func (m *Memory) seen(low, high uint64) (out Seen, err error) {
	err = m.within(low, high, out.add)
	return out, err
}

// Days says what is remembered of a value for each day of UTC on which it was seen, oldest first.
func (m *Memory) Days(kind uint8, value []byte) ([]Seen, error) {
	key := m.Key(kind, value)
	return m.days(key, key)
}

// DaysIn says what is remembered of the addresses of a network for each day, as [Memory.SeenIn] does of all.
func (m *Memory) DaysIn(p netip.Prefix) ([]Seen, error) {
	low, high, err := m.span(p)
	if err != nil {
		return nil, err
	}
	return m.days(low, high)
}

func (m *Memory) days(low, high uint64) (out []Seen, err error) {
	by := map[int64]Seen{}
	err = m.within(low, high, func(day int64, e entry) {
		seen := by[day]
		seen.add(day, e)
		by[day] = seen
	})
	for _, day := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[day])
	}
	return out, err
}

// span is from which key to which the addresses of a network are.
func (m *Memory) span(p netip.Prefix) (low, high uint64, err error) {
	p = p.Masked()
	switch {
	case !p.IsValid():
		return 0, 0, fault.New(fault.Unprocessable, "recall.network", "this is no network")
	case p.Addr().Is4():
		low = key4(p.Addr())
		return low, low | (1<<(32-p.Bits()) - 1), nil
	case p.Bits() == 128 || slices.Contains(prefixes6, p.Bits()):
		key := m.key6(p)
		return key, key, nil
	}
	return 0, 0, fault.New(fault.Unprocessable, "recall.network", "of IPv6, single addresses and networks of %v bits are remembered, not of %d", prefixes6, p.Bits())
}

// within visits what is remembered of the keys from low to high.
func (m *Memory) within(low, high uint64, each func(day int64, e entry)) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	oldest := m.oldest()
	for _, s := range m.segments {
		if s.day < oldest {
			continue
		}
		if err := s.within(low, high, func(e entry) { each(s.day, e) }); err != nil {
			return err
		}
	}
	for i := range m.shards {
		if low == high && uint64(i) != low%uint64(len(m.shards)) {
			continue
		}
		sh := &m.shards[i]
		sh.mu.Lock()
		for day, d := range sh.day {
			if day < oldest {
				continue
			}
			if low == high {
				if e, ok := d[low]; ok {
					each(day, e)
				}
				continue
			}
			for k, e := range d {
				if k >= low && k <= high {
					each(day, e)
				}
			}
		}
		sh.mu.Unlock()
	}
	return nil
}

// Flush makes what was seen durable, merges the segments of days that have many, and forgets what is too old or too much.
func (m *Memory) Flush() error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	days := map[int64]map[uint64]entry{}
	for i := range m.shards { // what is taken out stays readable: it is put back where writing fails
		sh := &m.shards[i]
		sh.mu.Lock()
		for day, d := range sh.day {
			if days[day] == nil {
				days[day] = map[uint64]entry{}
			}
			for k, e := range d {
				days[day][k] = e
			}
		}
		sh.mu.Unlock()
	}
	for day, d := range days {
		s, err := m.write(day, d)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.segments = append(m.segments, s)
		m.sort()
		for i := range m.shards {
			m.shards[i].taken(day, d, uint64(i), uint64(len(m.shards)))
		}
		m.mu.Unlock()
	}
	if err := m.merge(); err != nil {
		return err
	}
	return m.forget()
}

// taken takes out of a shard what was written of a day; what was seen since stays.
func (sh *shard) taken(day int64, wrote map[uint64]entry, at, of uint64) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	d := sh.day[day]
	for k, e := range d {
		w, ok := wrote[k]
		switch {
		case !ok:
		case w == e:
			delete(d, k)
			sh.n--
		default: // seen again since: what was written is not counted twice, and when it was seen may be said twice
			d[k] = entry{e.count - w.count, e.first, e.last}
		}
	}
	if len(d) == 0 {
		delete(sh.day, day)
	}
}

// Stats is how much is remembered.
type Stats struct {
	Held     int    `json:"held"`     // values in memory, by day
	Stored   uint64 `json:"stored"`   // in segments
	Segments int    `json:"segments"` // files
	Bytes    int64  `json:"bytes"`
	Dropped  uint64 `json:"dropped"` // ended before their time, for room
}

// Stats says how much is remembered.
func (m *Memory) Stats() (out Stats) {
	for i := range m.shards {
		m.shards[i].mu.Lock()
		out.Held += m.shards[i].n
		m.shards[i].mu.Unlock()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	out.Segments, out.Dropped = len(m.segments), m.dropped
	for _, s := range m.segments {
		out.Stored += s.n
		out.Bytes += s.size
	}
	return out
}

// forget ends what is too old, and the oldest where there is too much.
func (m *Memory) forget() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var total int64
	for _, s := range m.segments {
		total += s.size
	}
	oldest := m.oldest()
	for len(m.segments) > 0 {
		s := m.segments[0]
		if s.day >= oldest {
			if total <= m.cfg.Bytes || len(m.segments) == 1 {
				break
			}
			m.dropped += s.n
		}
		if err := errors.Join(s.file.Close(), os.Remove(s.path)); err != nil {
			return fmt.Errorf("ending what was seen long ago: %w", err)
		}
		total -= s.size
		m.segments = m.segments[1:]
	}
	return nil
}

// Close flushes, and closes the files.
func (m *Memory) Close() error {
	var errs []error
	errs = append(errs, m.Flush())
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.segments {
		errs = append(errs, s.file.Close())
	}
	m.segments = nil
	return errors.Join(errs...)
}
