// Package spool keeps records on disk until they are acknowledged: in the order in which they came, within a bound of bytes, and durable when Append returns. It is a queue, not a store:
// what is acknowledged is removed, a whole file at a time, so that after a restart some records may come again that had been acknowledged, and never one that had not is missing.
package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/lite"
)

// Config is what a spool is opened with.
type Config struct {
	Dir      string // made if it is not there; one process at a time has it open
	MaxBytes int64  // on disk; 256 MiB if it is 0, at least 64 KiB

	create func(path string) (file, error) // tests give files that fail; os.OpenFile
}

// Bounds.
const (
	DefaultBytes = 256 << 20
	MinBytes     = 64 << 10
	MaxRecord    = 4 << 20 // bytes of one record
	maxNext      = 8 << 20 // bytes that Next gives at most, but for a single record
	maxSegment   = 8 << 20 // bytes after which another segment is begun
	retryFull    = 5 * time.Second
)

// Record is one that was appended. Seq counts up by one from record to record; where a damaged segment was left it jumps.
type Record struct {
	Seq  uint64
	Data []byte
}

// Stats say how a spool is. None of what it could not keep is silent.
type Stats struct {
	Records int64  // that are not acknowledged
	Bytes   int64  // on disk
	Max     int64  // bytes that it may have
	Damaged uint64 // segments that ended with a damaged or torn record, since it was opened
	Lost    int64  // bytes from there to the ends of those segments
	Refused uint64 // records that found no room
	Next    uint64 // the number of the next record
}

// Spool is safe for use by several goroutines.
type Spool struct {
	cfg  Config
	lock *os.File
	wake chan struct{}
	each int64 // bytes after which another segment is begun

	mu    sync.Mutex // held while a group is written too
	segs  []*segment // in order; the last one may be written to
	out   file       // the last segment as it is written to; nil: a new one is begun
	next  uint64
	head  int64  // offset in the first segment of the first record that is not acknowledged
	acked uint64 // records below this number are acknowledged
	stats Stats
	done  bool
}

// Open opens a spool, with what is there from before: everything whose Append returned nil and that was not acknowledged. A torn end of a file, as a crash leaves it, is cut off and counted.
func Open(cfg Config) (*Spool, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultBytes
	}
	if cfg.MaxBytes < MinBytes {
		return nil, fault.New(fault.Invalid, "spool.bytes", "a spool has at least %d bytes", MinBytes)
	}
	if cfg.create == nil {
		cfg.create = func(path string) (file, error) { return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) }
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, failed("making", err)
	}
	lock, err := lite.Lock(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	s := &Spool{cfg: cfg, lock: lock, wake: make(chan struct{}, 1), next: 1, each: min(maxSegment, cfg.MaxBytes/8)}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.acked = s.next
	if len(s.segs) > 0 {
		s.acked = s.segs[0].first
		s.head = headerBytes
		s.ring()
	}
	return s, nil
}

// load reads what segments there are.
func (s *Spool) load() error {
	names, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*"+suffix))
	if err != nil {
		return failed("listing", err)
	}
	slices.Sort(names)
	for _, path := range names {
		g, lost, err := scan(path)
		if err != nil {
			return err
		}
		if lost > 0 {
			s.stats.Damaged++
			s.stats.Lost += lost
		}
		if n := len(s.segs); n > 0 { // of a group whose writing failed more may stand there than was kept
			last := s.segs[n-1]
			s.stats.Records -= last.records
			last.records = min(last.records, int64(g.first-last.first))
			s.stats.Records += last.records
		}
		s.next = max(s.next, g.first+uint64(g.records))
		if g.records == 0 { // it has nothing: an append was cut short, or nothing of it can be read
			if err := os.Remove(path); err != nil {
				return failed("cleaning", err)
			}
			continue
		}
		s.segs = append(s.segs, g)
		s.stats.Records += g.records
		s.stats.Bytes += g.size
	}
	return nil
}

// Append keeps records, all or none of them, and returns nil when they are durable. Errors: fault.Full when the bound is reached or the disk has no room, after which everything kept before
// is still there; fault.TooLarge for a record or a group that never has room; fault.Unavailable after Close.
func (s *Spool) Append(records [][]byte) error {
	if len(records) == 0 {
		return nil
	}
	need := int64(0)
	for _, r := range records {
		if len(r) > MaxRecord {
			return fault.New(fault.TooLarge, "spool.record", "a record of %d bytes is larger than %d", len(r), MaxRecord)
		}
		need += frameBytes + int64(len(r))
	}
	if need+headerBytes > s.cfg.MaxBytes {
		return fault.New(fault.TooLarge, "spool.group", "records of %d bytes never have room in a spool of %d", need, s.cfg.MaxBytes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, out, err := s.begin(need, len(records))
	if err != nil {
		return err
	}
	b := make([]byte, 0, need)
	for _, r := range records {
		b = appendFrame(b, r)
	}
	_, err = out.Write(b)
	if err == nil {
		err = out.Sync()
	}
	if err != nil {
		s.stats.Refused += uint64(len(records))
		// What the disk has of the group now is not known: the segment ends before it, and nothing follows in this file.
		err = errors.Join(err, out.Truncate(g.size), out.Close())
		s.out = nil
		if g.records == 0 {
			err = errors.Join(err, os.Remove(g.path))
			s.segs = s.segs[:len(s.segs)-1]
			s.stats.Bytes -= g.size
		}
		return failed("writing", err)
	}
	g.size += need
	g.records += int64(len(records))
	s.next += uint64(len(records))
	s.stats.Bytes += need
	s.stats.Records += int64(len(records))
	s.ring()
	return nil
}

// begin finds the segment that a group goes to. The caller holds mu.
func (s *Spool) begin(need int64, n int) (*segment, file, error) {
	if s.done {
		return nil, nil, fault.New(fault.Unavailable, "spool.closed", "the spool is closed")
	}
	fresh := s.out == nil || s.segs[len(s.segs)-1].size+need > s.each
	more := need
	if fresh {
		more += headerBytes
	}
	if s.stats.Bytes+more > s.cfg.MaxBytes {
		s.stats.Refused += uint64(n)
		return nil, nil, fault.New(fault.Full, "spool.full", "the spool has %d of %d bytes: nothing of this was kept", s.stats.Bytes, s.cfg.MaxBytes).
			Try("what it has is given first; see why nobody takes it, or give it more bytes").After(retryFull)
	}
	if !fresh {
		return s.segs[len(s.segs)-1], s.out, nil
	}
	if err := s.end(len(s.segs) - 1); err != nil {
		return nil, nil, err
	}
	g := &segment{path: segmentPath(s.cfg.Dir, s.next), first: s.next, size: headerBytes}
	out, err := s.cfg.create(g.path)
	if err != nil {
		s.stats.Refused += uint64(n)
		return nil, nil, failed("beginning", err)
	}
	if _, err = out.Write(header(g.first)); err == nil {
		err = disk.Sync(s.cfg.Dir)
	}
	if err != nil {
		s.stats.Refused += uint64(n)
		return nil, nil, failed("beginning", errors.Join(err, out.Close(), os.Remove(g.path)))
	}
	if len(s.segs) == 0 {
		s.head = headerBytes
	}
	s.segs, s.out = append(s.segs, g), out
	s.stats.Bytes += headerBytes
	return g, out, nil
}

// Next gives the oldest records that are not acknowledged, at most so many, the same again until Ack; none when there are none. What is found to be damaged is left out up to the end of its
// segment, and counted.
func (s *Spool) Next(most int) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil, fault.New(fault.Unavailable, "spool.closed", "the spool is closed")
	}
	var got []Record
	size := 0
	for i := 0; i < len(s.segs) && len(got) < most && size < maxNext; i++ {
		g, seq, at := s.segs[i], s.segs[i].first, int64(headerBytes)
		if i == 0 {
			seq, at = s.acked, s.head
		}
		end := g.first + uint64(g.records)
		if seq >= end {
			continue
		}
		damaged, err := g.read(at, end-seq, func(b []byte) bool {
			if len(got) == most || size+len(b) > maxNext && size > 0 {
				size = maxNext
				return false
			}
			got = append(got, Record{seq, b})
			at += frameBytes + int64(len(b))
			size += len(b)
			seq++
			return true
		})
		if err != nil {
			return nil, err
		}
		if damaged { // since it was opened: nothing behind it in the segment can be found
			if err := s.damage(i, seq, at); err != nil {
				return nil, err
			}
			if g.records == 0 {
				i--
			}
		}
	}
	return got, nil
}

// damage ends a segment before the record of a number, which stands at an offset. The caller holds mu.
func (s *Spool) damage(i int, seq uint64, at int64) error {
	g := s.segs[i]
	gone := int64(g.first) + g.records - int64(seq)
	s.stats.Damaged++
	s.stats.Lost += g.size - at
	s.stats.Records -= gone
	g.records -= gone
	if i == 0 && s.acked >= seq { // what is left of it is acknowledged
		g.records = 0
	}
	if g.records == 0 {
		return s.remove(i)
	}
	return s.end(i)
}

// end ends the segment that is written to, if it is this one. The caller holds mu.
func (s *Spool) end(i int) error {
	out := s.out
	if i < len(s.segs)-1 || out == nil {
		return nil
	}
	s.out = nil
	if err := out.Close(); err != nil {
		return failed("closing", err)
	}
	return nil
}

// remove removes a segment that has nothing any more. The caller holds mu.
func (s *Spool) remove(i int) error {
	g := s.segs[i]
	if err := s.end(i); err != nil {
		return err
	}
	if err := os.Remove(g.path); err != nil {
		return failed("removing", err)
	}
	s.segs = slices.Delete(s.segs, i, i+1)
	s.stats.Bytes -= g.size
	if i == 0 {
		s.acked, s.head = s.next, headerBytes
		if len(s.segs) > 0 {
			s.acked = s.segs[0].first
		}
	}
	return nil
}

// Ack says that the records up to this number, that one among them, are not needed any more.
func (s *Spool) Ack(upTo uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segs) > 0 && s.acked <= upTo {
		g := s.segs[0]
		if end := g.first + uint64(g.records); end > upTo+1 {
			at, err := g.skip(s.head, upTo+1-s.acked)
			if err != nil {
				return err
			}
			s.stats.Records -= int64(upTo + 1 - s.acked)
			s.head, s.acked = at, upTo+1
			return nil
		}
		s.stats.Records -= int64(g.first) + g.records - int64(s.acked)
		if err := s.remove(0); err != nil {
			return err
		}
	}
	return nil
}

// Wake receives after records came, and at the beginning if some are there.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

func (s *Spool) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Stats say how it is.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Max, st.Next = s.cfg.MaxBytes, s.next
	return st
}

// Close ends it. What was appended stays.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	s.done = true
	var err error
	if s.out != nil {
		err = s.out.Close()
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return failed("closing", err)
	}
	return nil
}

// failed turns what a disk says into a fault.
func failed(doing string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fault.New(fault.Full, "spool.disk", "the disk of the spool has no room: nothing of this was kept").Try("make room on the disk").After(retryFull).Because(err)
		}
	}
	return fault.New(fault.Internal, "spool.disk", "%s the spool failed", doing).Because(err)
}
