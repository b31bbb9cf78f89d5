package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"entente/internal/fault"
)

// A segment is a file: a header (magic, and the number of its first record, little-endian), then records, each a frame: the length of the data, a checksum over the length and the data
// (CRC-32C; RFC 3720, section 12.1), and the data.
const (
	magic       = "ENTSPL01"
	headerBytes = 16
	frameBytes  = 8
	suffix      = ".spool"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// file is what a segment is written by.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

type segment struct {
	path    string
	first   uint64 // number of the first record
	records int64
	size    int64 // bytes that are sound
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", first, suffix))
}

func header(first uint64) []byte { return binary.LittleEndian.AppendUint64([]byte(magic), first) }

func checksum(length, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, data)
}

func appendFrame(b, data []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, checksum(b[at:at+4], data))
	return append(b, data...)
}

// frame reads one. io.EOF: there is none more; another error of it: it is torn or damaged.
func frame(r *bufio.Reader) ([]byte, error) {
	var h [frameBytes]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(h[:])
	if n > MaxRecord {
		return nil, errDamaged
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if checksum(h[:4], data) != binary.LittleEndian.Uint32(h[4:]) {
		return nil, errDamaged
	}
	return data, nil
}

var errDamaged = errors.New("the record is damaged")

func torn(err error) bool { return errors.Is(err, errDamaged) || errors.Is(err, io.ErrUnexpectedEOF) }

// scan reads a segment from before, cuts off what is torn or damaged, and says how many bytes that were.
func scan(path string) (g *segment, lost int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, failed("opening", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = failed("closing", e)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, failed("opening", err)
	}
	g = &segment{path: path, size: headerBytes}
	if _, err := fmt.Sscanf(filepath.Base(path), "%016x"+suffix, &g.first); err != nil || filepath.Base(path) != filepath.Base(segmentPath("", g.first)) {
		return nil, 0, fault.New(fault.Unprocessable, "spool.file", "%s is no file of a spool", path).Try("move it out of the spool's directory")
	}
	r := bufio.NewReaderSize(f, 1<<16)
	h := make([]byte, headerBytes)
	if _, err := io.ReadFull(r, h); err != nil || string(h) != string(header(g.first)) {
		if err != nil && !errors.Is(err, io.EOF) && !torn(err) {
			return nil, 0, failed("reading", err)
		}
		return g, info.Size(), nil
	}
	for {
		data, err := frame(r)
		if errors.Is(err, io.EOF) && !torn(err) {
			return g, 0, nil
		}
		if torn(err) {
			break
		}
		if err != nil {
			return nil, 0, failed("reading", err)
		}
		g.records++
		g.size += frameBytes + int64(len(data))
	}
	if err := errors.Join(f.Truncate(g.size), f.Sync()); err != nil {
		return nil, 0, failed("cutting off the torn end of", err)
	}
	return g, info.Size() - g.size, nil
}

// read gives up to n records from an offset, until each says no; damaged: one cannot be read.
func (g *segment) read(at int64, n uint64, each func([]byte) bool) (damaged bool, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return false, failed("reading", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = failed("closing", e)
		}
	}()
	r := bufio.NewReaderSize(io.NewSectionReader(f, at, g.size-at), 1<<16)
	for range n {
		data, err := frame(r)
		if torn(err) || errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, failed("reading", err)
		}
		if !each(data) {
			break
		}
	}
	return false, nil
}

// skip is the offset after n records. What is damaged is found by read.
func (g *segment) skip(at int64, n uint64) (int64, error) {
	_, err := g.read(at, n, func(b []byte) bool { at += frameBytes + int64(len(b)); return true })
	return at, err
}
