package recall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"entente/internal/fault"

	"entente/internal/disk"
)

// A segment is a file of the values of one day: a head, the keys in order, what is known of each, the first key of each block, and a checksum of the blocks' first keys
// and the head.
//
//	magic 8 | check 8 | day 8 | n 8 | keys 8·n | entries 12·n | marks 8·⌈n/512⌉ | CRC-32C of keys and entries 4 | CRC-32C of head, marks and the other sum 4
//
// All numbers are little endian. A lookup reads one block of keys and one entry.
type segment struct {
	path  string
	file  *os.File
	day   int64
	n     uint64
	size  int64
	marks []uint64 // the first key of each block
	sum   uint32
}

const (
	suffix    = ".seen"
	magic     = "entseen1"
	headSize  = 32
	block     = 512 // keys
	entrySize = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func blocks(n uint64) uint64 { return (n + block - 1) / block }

func sizeOf(n uint64) int64 { return int64(headSize + n*(8+entrySize) + blocks(n)*8 + 8) }

func broken(path, why string) error {
	return fault.New(fault.Internal, "recall.segment", "%s holds what was seen and %s: take it away, or bring it back from a backup", filepath.Base(path), why)
}

func openSegment(path string, check uint64) (_ *segment, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening what was seen: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening what was seen: %w", err)
	}
	var head [headSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:8]) != magic {
		return nil, broken(path, "does not begin as such a file does")
	}
	if binary.LittleEndian.Uint64(head[8:]) != check {
		return nil, broken(path, "was written with another secret")
	}
	s := &segment{path: path, file: f, day: int64(binary.LittleEndian.Uint64(head[16:])), n: binary.LittleEndian.Uint64(head[24:]), size: info.Size()}
	if s.n > uint64(s.size) || sizeOf(s.n) != s.size || s.day < 0 || s.day > 1<<32 {
		return nil, broken(path, "is not as long as it says")
	}
	tail := make([]byte, blocks(s.n)*8+8)
	if _, err := f.ReadAt(tail, s.size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("reading what was seen: %w", err)
	}
	end := len(tail) - 4
	if crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, tail[:end]) != binary.LittleEndian.Uint32(tail[end:]) {
		return nil, broken(path, "is damaged")
	}
	s.sum = binary.LittleEndian.Uint32(tail[end-4:])
	for i := range blocks(s.n) {
		s.marks = append(s.marks, binary.LittleEndian.Uint64(tail[i*8:]))
	}
	return s, nil
}

// within gives the entries of the keys from low to high.
func (s *segment) within(low, high uint64, each func(entry)) error {
	i, found := slices.BinarySearch(s.marks, low)
	if !found {
		i--
	}
	buf := make([]byte, block*8)
	for i = max(i, 0); i < len(s.marks) && s.marks[i] <= high; i++ {
		from := uint64(i) * block
		n := min(block, s.n-from)
		keys := buf[:n*8]
		if _, err := s.file.ReadAt(keys, int64(headSize+from*8)); err != nil {
			return fmt.Errorf("reading what was seen: %w", err)
		}
		a, b := search(keys, low), search(keys, high)
		if b < int(n) && binary.LittleEndian.Uint64(keys[b*8:]) == high {
			b++
		}
		if a == b {
			continue
		}
		entries := make([]byte, (b-a)*entrySize)
		if _, err := s.file.ReadAt(entries, int64(headSize+s.n*8+(from+uint64(a))*entrySize)); err != nil {
			return fmt.Errorf("reading what was seen: %w", err)
		}
		for ; len(entries) > 0; entries = entries[entrySize:] {
			each(unpack(entries))
		}
	}
	return nil
}

// search is the place of the first key that is not less.
func search(keys []byte, key uint64) int {
	low, high := 0, len(keys)/8
	for low < high {
		mid := (low + high) / 2
		if binary.LittleEndian.Uint64(keys[mid*8:]) < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

func unpack(b []byte) entry {
	return entry{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}
}

// all reads the whole segment, and finds out whether it is as it was written.
func (s *segment) all(into map[uint64]entry) error {
	b := make([]byte, s.n*(8+entrySize))
	if _, err := s.file.ReadAt(b, headSize); err != nil {
		return fmt.Errorf("reading what was seen: %w", err)
	}
	if crc32.Checksum(b, castagnoli) != s.sum {
		return broken(s.path, "is damaged")
	}
	for i := range s.n {
		k := binary.LittleEndian.Uint64(b[i*8:])
		e := unpack(b[s.n*8+i*entrySize:])
		if old, ok := into[k]; ok {
			e.add(old)
		}
		into[k] = e
	}
	return nil
}

// write makes a segment of a day, which is durable when it returns.
func (m *Memory) write(day int64, values map[uint64]entry) (*segment, error) {
	keys := slices.Sorted(maps.Keys(values))
	n := uint64(len(keys))
	b := make([]byte, 0, sizeOf(n))
	b = append(b, magic...)
	for _, x := range []uint64{m.check(), uint64(day), n} {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	for _, k := range keys {
		b = binary.LittleEndian.AppendUint64(b, k)
	}
	for _, k := range keys {
		e := values[k]
		for _, x := range []uint32{e.count, e.first, e.last} {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
	}
	tail := len(b)
	for i := uint64(0); i < n; i += block {
		b = binary.LittleEndian.AppendUint64(b, keys[i])
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[headSize:tail], castagnoli))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(crc32.Checksum(b[:headSize], castagnoli), castagnoli, b[tail:]))

	path, err := m.free(day)
	if err != nil {
		return nil, err
	}
	if err := disk.Replace(path, b); err != nil {
		return nil, fmt.Errorf("writing what was seen: %w", err)
	}
	return openSegment(path, m.check())
}

// free is a name for a segment of a day that no file has. The caller holds flushing.
func (m *Memory) free(day int64) (string, error) {
	for i := range 1 << 20 {
		path := filepath.Join(m.cfg.Dir, fmt.Sprintf("%s.%d%s", at(day, 0).Format("2006-01-02"), i, suffix))
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", fmt.Errorf("writing what was seen: %w", err)
		}
	}
	return "", fault.New(fault.Full, "recall.segment", "there are too many files of one day")
}

// merge makes one segment of those of a day that has many. A process that ends before the old ones are removed leaves what it counted twice: counts are at least.
func (m *Memory) merge() error {
	m.mu.RLock()
	of := map[int64][]*segment{}
	for _, s := range m.segments {
		of[s.day] = append(of[s.day], s)
	}
	m.mu.RUnlock()
	for day, many := range of {
		if len(many) <= maxSegments {
			continue
		}
		values := map[uint64]entry{}
		for _, s := range many {
			if err := s.all(values); err != nil {
				return err
			}
		}
		one, err := m.write(day, values)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.segments = append(slices.DeleteFunc(m.segments, func(s *segment) bool { return slices.Contains(many, s) }), one)
		m.sort()
		for _, s := range many {
			err = errors.Join(err, s.file.Close(), os.Remove(s.path))
		}
		m.mu.Unlock()
		if err != nil {
			return fmt.Errorf("merging what was seen: %w", err)
		}
	}
	return nil
}
