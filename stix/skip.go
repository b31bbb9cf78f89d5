package stix

import "bytes"

// shortString reads a string and returns its text as written where it is short enough to matter; "" else.
func (s *splitter) shortString() (string, error) {
	var text [256]byte
	n := 0
	s.pos++
	for {
		if ok, err := s.more(); !ok {
			return "", s.cut(err)
		}
		c := s.buf[s.pos]
		s.pos++
		if c == '"' {
			break
		}
		for range 2 {
			if n < len(text) {
				text[n] = c
			}
			n++
			if c != '\\' {
				break
			}
			if ok, err := s.more(); !ok {
				return "", s.cut(err)
			}
			c = s.buf[s.pos]
			s.pos++
		}
	}
	if n > len(text) {
		return "", nil
	}
	return string(text[:n]), nil
}

func (s *splitter) cut(err error) error {
	if err != nil {
		return err
	}
	return s.fail("split.syntax", "the input ends inside a value")
}

// skip steps over one value: to the end of an object, list or string by counting, else to the next delimiter.
func (s *splitter) skip() error {
	depth := 0
	for {
		if ok, err := s.more(); !ok {
			return s.cut(err)
		}
		b := s.buf[s.pos:]
		switch b[0] {
		case '"':
			if err := s.skipString(); err != nil {
				return err
			}
			if depth == 0 {
				return nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return nil
			}
			depth--
			if depth == 0 {
				s.pos++
				return nil
			}
		case ',':
			if depth == 0 {
				return nil
			}
		}
		s.pos++
	}
}

func (s *splitter) skipString() error {
	s.pos++
	for {
		if ok, err := s.more(); !ok {
			return s.cut(err)
		}
		i := bytes.IndexByte(s.buf[s.pos:], '"')
		if i < 0 {
			i = len(s.buf) - s.pos
		}
		if e := bytes.IndexByte(s.buf[s.pos:s.pos+i], '\\'); e >= 0 {
			s.pos += e + 1
			if ok, err := s.more(); !ok {
				return s.cut(err)
			}
			s.pos++
			continue
		}
		s.pos += i
		if s.pos < len(s.buf) {
			s.pos++
			return nil
		}
	}
}
