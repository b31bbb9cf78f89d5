package syslog

import (
	"bytes"
	"time"
)

// layouts of times in messages of BSD, and how many words they have. The first is RFC 3164's own; the others are those of its many writers.
var layouts = []struct {
	layout string
	words  int
	year   bool
}{
	{"Jan 2 15:04:05", 3, false},
	{"Jan 2 2006 15:04:05", 4, true},
	{"2006 Jan 2 15:04:05", 4, true},
	{"Jan 2 15:04:05 2006", 4, true},
	{"2006-01-02 15:04:05", 2, true},
	{"2006/01/02 15:04:05", 2, true},
}

// old reads what follows the priority as RFC 3164 describes what there was: time, host, and the program with its number, each of which may be missing.
func (p *Parser) old(m *message, b []byte, now time.Time) {
	rest := numbered(bytes.TrimLeft(b, " "))
	at, rest, timed := p.time(rest, now)
	m.time = at
	host, after, ok := word(rest)
	if timed && ok && !tag(host) && len(after) > 0 && name(host) {
		m.host = bytes.TrimSuffix(host, []byte{':'})
		rest = bytes.TrimLeft(after, " ")
	}
	if !timed {
		rest = b
	}
	first, after, _ := word(rest)
	if !tag(first) {
		// some have a space before the colon, as in "last message repeated" nothing is a program
		m.text = rest
		return
	}
	app := bytes.TrimSuffix(first, []byte{':'})
	if i := bytes.IndexByte(app, '['); i >= 0 {
		pid := app[i+1:]
		if end := bytes.IndexByte(pid, ']'); end >= 0 {
			pid = pid[:end]
		}
		app, m.pid = app[:i], pid
	}
	if len(app) == 0 {
		m.pid, m.text = nil, rest
		return
	}
	m.app, m.text = app, bytes.TrimLeft(after, " ")
}

// numbered leaves out the number that routers put before the time: 000123: *Mar  1 …
func numbered(b []byte) []byte {
	i := 0
	for i < len(b) && i < 12 && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i < len(b)-1 && b[i] == ':' && b[i+1] == ' ' {
		b = b[i+2:]
	}
	return bytes.TrimLeft(b, "*. ")
}

// tag says whether a word names a program: it ends with a colon, or has a number in brackets.
func tag(w []byte) bool {
	if len(w) < 2 || len(w) > 128 {
		return false
	}
	last := w[len(w)-1]
	open := bytes.IndexByte(w, '[')
	return last == ':' && name(bytes.TrimSuffix(w, []byte{':'})) && bytes.IndexByte(w, ':') == len(w)-1 || open > 0 && (last == ']' || last == ':') && name(w[:open])
}

// name says whether a word can be the name of a host or of a program.
func name(w []byte) bool {
	for _, c := range w {
		if c <= ' ' || c == '{' || c == '"' || c == '=' || c == 0x7f {
			return false
		}
	}
	return len(w) > 0 && len(w) <= 255
}

// time reads the time that a message begins with, and gives what follows it. One without a year is of the one in which it is nearest to now.
func (p *Parser) time(b []byte, now time.Time) (at time.Time, rest []byte, ok bool) {
	zone := p.Zone
	if zone == nil {
		zone = time.UTC
	}
	first, after, _ := word(b)
	if len(first) >= 19 && first[4] == '-' && (first[10] == 'T' || first[10] == 't') {
		text := string(bytes.TrimSuffix(first, []byte{':'}))
		for _, l := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
			if t, err := time.ParseInLocation(l, text, zone); err == nil {
				return t, bytes.TrimLeft(after, " "), true
			}
		}
		return time.Time{}, b, false
	}
	for _, l := range layouts {
		text, after, ok := words(b, l.words)
		if !ok {
			continue
		}
		t, err := time.ParseInLocation(l.layout, text, zone) // a fraction of a second is read where it stands
		if err != nil {
			continue
		}
		after, named := zoned(after)
		if named {
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}
		if !l.year {
			t = nearest(t, now)
		}
		return t, after, true
	}
	return time.Time{}, b, false
}

// words are the first ones with one space between them, without a colon after the last.
func words(b []byte, n int) (text string, rest []byte, ok bool) {
	if len(b) < 14 {
		return "", nil, false
	}
	var out []byte
	for i := range n {
		w, after, ok := word(b)
		if !ok || len(w) > 24 {
			return "", nil, false
		}
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, w...)
		b = bytes.TrimLeft(after, " ")
	}
	return string(bytes.TrimSuffix(out, []byte{':'})), b, true
}

// zoned leaves out a word that says that the time was UTC.
func zoned(b []byte) ([]byte, bool) {
	for _, z := range [...]string{"UTC: ", "GMT: ", "UTC ", "GMT ", "Z "} {
		if after, ok := bytes.CutPrefix(b, []byte(z)); ok {
			return after, true
		}
	}
	return bytes.TrimPrefix(b, []byte(": ")), false
}

// nearest puts a time without a year into that in which it is nearest to now.
func nearest(t, now time.Time) (best time.Time) {
	for y := now.Year() - 1; y <= now.Year()+1; y++ {
		x := time.Date(y, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		if x.Month() == t.Month() && (best.IsZero() || x.Sub(now).Abs() < best.Sub(now).Abs()) { // 29 February is not in every year
			best = x
		}
	}
	if best.IsZero() {
		return now
	}
	return best
}
