package stix

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Kind says what Split found its objects in.
type Kind string

// The kinds of input that Split takes apart.
const (
	KindBundle   Kind = "bundle"
	KindEnvelope Kind = "envelope" // a TAXII envelope, or any object with a list of objects and no type
	KindList     Kind = "list"     // a JSON array
	KindObject   Kind = "object"   // one object
	KindLines    Kind = "lines"    // several values one after another, one a line or not
	KindEmpty    Kind = "empty"
)

// Info tells what Split has read. BundleID and SpecVersion are those of the first bundle; only a bundle of STIX 2.0 has a spec_version.
type Info struct {
	Kind        Kind
	BundleID    string
	SpecVersion string
	Count       int  // objects given to fn
	Gzip        bool // the input was compressed
}

// Split reads a bundle, a JSON array, one object, objects or bundles one after another (newline-delimited JSON), or a TAXII envelope,
// compressed with gzip or not, and calls fn with the exact bytes of each object, in order. The bytes belong to fn and are never written
// again; objects stand in shared blocks of 256 KiB, so that one which is kept for long while its neighbours are not should be copied.
// Memory stays bounded by the largest object. Split only finds the objects' ends; whether an object is sound JSON is for Parse to say. An
// error of fn ends the reading and is returned as it is; any other error is an *Error with the offset into the (decompressed) input,
// or that of the reader.
func Split(r io.Reader, fn func(raw []byte) error) (Info, error) { return SplitLimits(r, Limits{}, fn) }

// SplitLimits is Split with another limit for the size of an object; the other limits do not matter here.
func SplitLimits(r io.Reader, l Limits, fn func(raw []byte) error) (Info, error) {
	s := &splitter{fn: fn, limit: l.filled().Size}
	buffered := bufio.NewReaderSize(r, 4096)
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		s.info.Gzip = true
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return s.info, s.fail("split.gzip", "not sound gzip data: "+err.Error())
		}
		s.r = z
	} else {
		s.r = buffered
	}
	err := s.run()
	return s.info, err
}

const (
	firstChunk = 32 << 10
	chunkSize  = 256 << 10
)

// A splitter reads its input into chunks. The objects it gives away are parts of the chunks: a chunk is never written again once a
// part of it is given away, and an object that does not end in one chunk is moved to the next.
type splitter struct {
	r     io.Reader
	fn    func(raw []byte) error
	limit int
	info  Info

	buf     []byte // the chunk, filled up to len
	pos     int    // the next byte
	mark    int    // the first byte that must be kept, -1 for none
	base    int64  // offset of buf[0] in the input
	lastErr error  // the reader's
}

func (s *splitter) fail(code, message string) error {
	return &Error{Code: code, Message: message, Offset: s.base + int64(s.pos)}
}

// more makes at least one further byte available at buf[pos]; false at the end of the input, or for an error.
func (s *splitter) more() (bool, error) {
	if s.pos < len(s.buf) {
		return true, nil
	}
	if s.lastErr != nil {
		return false, s.readError()
	}
	keep := s.buf[len(s.buf):]
	if s.mark >= 0 {
		keep = s.buf[s.mark:]
	}
	if len(keep) > s.limit {
		return false, s.fail("split.size", fmt.Sprintf("an object has more than the limit of %d bytes", s.limit))
	}
	if len(s.buf) == cap(s.buf) || s.mark < 0 && cap(s.buf)-len(s.buf) < chunkSize/8 {
		size := chunkSize
		if s.buf == nil {
			size = firstChunk
		}
		next := make([]byte, len(keep), max(size, 2*len(keep)))
		copy(next, keep)
		s.base += int64(len(s.buf) - len(keep))
		s.buf = next
		s.pos = len(keep)
		if s.mark >= 0 {
			s.mark = 0
		}
	}
	for range 100 {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.lastErr = err
		if n > 0 {
			return true, nil
		}
		if err != nil {
			return false, s.readError()
		}
	}
	s.lastErr = io.ErrNoProgress
	return false, s.readError()
}

func (s *splitter) readError() error {
	if errors.Is(s.lastErr, io.EOF) {
		return nil
	}
	if s.info.Gzip {
		return s.fail("split.gzip", "the gzip data is cut off or damaged: "+s.lastErr.Error())
	}
	return fmt.Errorf("stix: reading the input: %w", s.lastErr)
}

// peek is the next byte that is not white space; 0 at the end of the input.
func (s *splitter) peek() (byte, error) {
	for {
		if ok, err := s.more(); !ok {
			return 0, err
		}
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\n', '\r', 0x1e: // 0x1e begins a text of a JSON text sequence (RFC 7464)
			s.pos++
		case 0:
			return 0, s.fail("split.syntax", "a zero byte between values")
		default:
			return c, nil
		}
	}
}

func (s *splitter) run() error {
	s.mark = -1
	if err := s.skipBOM(); err != nil {
		return err
	}
	s.info.Kind = KindEmpty
	for n := 0; ; n++ {
		c, err := s.peek()
		if err != nil || c == 0 {
			return err
		}
		var kind Kind
		switch c {
		case '{':
			kind, err = s.object()
		case '[':
			kind = KindList
			err = s.list(func() error {
				_, err := s.object()
				return err
			})
		default:
			err = s.fail("split.syntax", fmt.Sprintf("an object or a list of objects is expected, not %q", c))
		}
		if err != nil {
			return err
		}
		if n > 0 {
			kind = KindLines
		}
		s.info.Kind = kind
	}
}

// skipBOM steps over a byte order mark, which RFC 8259 8.1 lets a reader ignore.
func (s *splitter) skipBOM() error {
	for i, c := range []byte("\xef\xbb\xbf") {
		if ok, err := s.more(); !ok {
			return err
		}
		if s.buf[s.pos] != c {
			if i == 0 {
				return nil
			}
			return s.fail("split.syntax", "half a byte order mark at the start")
		}
		s.pos++
	}
	return nil
}

// list reads a JSON array, calling item at the start of each object in it.
func (s *splitter) list(item func() error) error {
	s.pos++
	for n := 0; ; n++ {
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case c == ']':
			s.pos++
			return nil
		case n > 0 && c == ',':
			s.pos++
			if c, err = s.peek(); err != nil {
				return err
			}
		case n > 0:
			return s.fail("split.syntax", s.got(c, "a comma or closing bracket is expected in the list of objects"))
		}
		if c != '{' {
			return s.fail("split.syntax", s.got(c, "an object is expected in the list of objects"))
		}
		if err := item(); err != nil {
			return err
		}
	}
}

func (s *splitter) got(c byte, expected string) string {
	if c == 0 {
		return expected + ", but the input ends"
	}
	return fmt.Sprintf("%s, not %q", expected, c)
}

// emit gives the object that begins at the mark and ends at pos to fn.
func (s *splitter) emit() error {
	raw := s.buf[s.mark:s.pos:s.pos]
	s.mark = -1
	if len(raw) > s.limit {
		return s.fail("split.size", fmt.Sprintf("an object has more than the limit of %d bytes", s.limit))
	}
	s.info.Count++
	return s.fn(raw)
}

// plainObject reads one object, whatever is in it, and emits it.
func (s *splitter) plainObject() error {
	s.mark = s.pos
	if err := s.skip(); err != nil {
		return err
	}
	return s.emit()
}

// object reads an object that may be a container. It is one when its type is bundle, or when it has no type before a property objects
// that is a list: then the items of that list are emitted. Otherwise the object itself is.
func (s *splitter) object() (Kind, error) {
	s.mark = s.pos
	s.pos++
	typ, container := "", false
	id, spec := "", ""
	for n := 0; ; n++ {
		c, err := s.peek()
		if err != nil {
			return "", err
		}
		if c == '}' {
			s.pos++
			break
		}
		if n > 0 {
			if c != ',' {
				return "", s.fail("split.syntax", s.got(c, "a comma or closing brace is expected"))
			}
			s.pos++
			if c, err = s.peek(); err != nil {
				return "", err
			}
		}
		if c != '"' {
			return "", s.fail("split.syntax", s.got(c, "a property name is expected"))
		}
		key, err := s.shortString()
		if err != nil {
			return "", err
		}
		if c, err = s.peek(); err != nil {
			return "", err
		}
		if c != ':' {
			return "", s.fail("split.syntax", s.got(c, "a colon is expected"))
		}
		s.pos++
		if c, err = s.peek(); err != nil {
			return "", err
		}
		switch {
		case key == "objects" && c == '[' && (typ == "" || typ == "bundle") && !container:
			container = true
			s.mark = -1
			err = s.list(s.plainObject)
		case c == '"' && key == "type":
			typ, err = s.shortString()
		case c == '"' && key == "id":
			id, err = s.shortString()
		case c == '"' && key == "spec_version":
			spec, err = s.shortString()
		default:
			err = s.skip()
		}
		if err != nil {
			return "", err
		}
	}
	switch {
	case typ == "bundle":
		s.mark = -1
		if s.info.BundleID == "" {
			s.info.BundleID, s.info.SpecVersion = id, spec
		}
		return KindBundle, nil
	case container && typ != "":
		return "", s.fail("split.type", "an object of type "+quote(typ)+" has its list of objects before its type")
	case container:
		return KindEnvelope, nil
	}
	return KindObject, s.emit()
}
