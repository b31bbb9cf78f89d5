// Package syslog reads messages of syslog, the new ones (RFC 5424) and those that BSD brought and everybody writes a little differently (RFC 3164), and gives of each one
// line of flat JSON under the names of the Elastic Common Schema. Where the message is itself an object of JSON, as Suricata writes its events and others with @cee: before
// it, that object is the event, and what syslog says stands in it besides.
package syslog

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Severities and facilities by their numbers (RFC 5424, section 6.2.1).
var (
	severities = [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}
	facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
)

// message is what one says.
type message struct {
	pri     int // -1: it says none
	time    time.Time
	host    []byte
	app     []byte
	pid     []byte
	msgid   []byte
	data    []byte // structured data, as it is written
	text    []byte
	version int // 0: of BSD
}

// Parser reads messages. What a message does not say, its arrival does.
type Parser struct {
	Zone *time.Location // of times that name none; nil: UTC
}

// Append adds the line of a message, without an end of line, to a buffer. From is the address of the sender, and may be empty. False: the message is empty.
func (p *Parser) Append(to, msg []byte, now time.Time, from string) ([]byte, bool) {
	msg = bytes.TrimRight(msg, "\r\n\x00 ")
	if len(msg) == 0 {
		return to, false
	}
	m := message{pri: -1}
	rest := m.priority(msg)
	if !m.new(rest) {
		p.old(&m, rest, now)
	}
	m.text = bytes.TrimPrefix(m.text, bom)
	if m.time.IsZero() {
		m.time = now
	}
	w := writer{to: to}
	body := bytes.TrimSpace(m.text)
	if cee, ok := bytes.CutPrefix(body, []byte("@cee:")); ok {
		body = bytes.TrimSpace(cee)
	}
	inside := len(body) > 1 && body[0] == '{' && jsontext.Value(body).IsValid()
	if inside {
		w.to = append(w.to, bytes.TrimSpace(body[:len(body)-1])...)
		w.more = w.to[len(w.to)-1] != '{'
	} else {
		w.to = append(w.to, '{')
	}
	if !inside || !timed(body) {
		w.text("@timestamp", m.time.UTC().AppendFormat(nil, time.RFC3339Nano))
	}
	if inside {
		w.text("log.syslog.hostname", m.host)
		w.text("log.syslog.appname", m.app)
	} else {
		w.text("message", m.text)
		w.text("host.name", m.host)
		w.text("hostname", m.host)
		w.text("appname", m.app)
		w.text("process.name", m.app)
		if n, err := strconv.Atoi(string(m.pid)); err == nil && n >= 0 {
			w.number("process.pid", n)
		}
	}
	w.text("log.syslog.procid", m.pid)
	w.text("log.syslog.msgid", m.msgid)
	if m.pri >= 0 {
		w.number("log.syslog.priority", m.pri)
		w.number("log.syslog.facility.code", m.pri/8)
		w.text("log.syslog.facility.name", []byte(facilities[m.pri/8]))
		w.number("log.syslog.severity.code", m.pri%8)
		w.text("log.syslog.severity.name", []byte(severities[m.pri%8]))
	}
	if m.version > 0 {
		w.number("log.syslog.version", m.version)
	}
	elements(m.data, func(id, name, value []byte) {
		w.text("log.syslog.structured_data."+string(id)+"."+string(name), value)
	})
	w.text("log.source.address", []byte(from))
	return append(w.to, '}'), true
}

var bom = []byte("\ufeff")

// timed says whether an object has a member that says when, by the names under which events have it.
func timed(b []byte) bool {
	for _, name := range [...]string{`"@timestamp"`, `"timestamp"`, `"ts"`, `"time"`, `"UtcTime"`, `"TimeCreated"`, `"EventTime"`} {
		if bytes.Contains(b, []byte(name)) {
			return true
		}
	}
	return false
}

// writer adds members to an object.
type writer struct {
	to   []byte
	more bool
}

func (w *writer) name(s string) {
	if w.more {
		w.to = append(w.to, ',')
	}
	w.more = true
	w.to = append(quoted(w.to, []byte(s)), ':')
}

func (w *writer) text(name string, v []byte) {
	if len(v) > 0 {
		w.name(name)
		w.to = quoted(w.to, v)
	}
}

func (w *writer) number(name string, n int) {
	w.name(name)
	w.to = strconv.AppendInt(w.to, int64(n), 10)
}

func quoted(to, s []byte) []byte {
	if !utf8.Valid(s) {
		s = bytes.ToValidUTF8(s, []byte("\ufffd"))
	}
	if out, err := jsontext.AppendQuote(to, s); err == nil {
		return out
	}
	return append(to, `""`...) // not reached: the text is UTF-8
}

// priority reads <PRI>, and gives what follows.
func (m *message) priority(b []byte) []byte {
	if len(b) < 3 || b[0] != '<' {
		return b
	}
	end := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if end < 2 {
		return b
	}
	n, err := strconv.Atoi(string(b[1:end]))
	if err != nil || n < 0 || n > 191 {
		return b
	}
	m.pri = n
	return b[end+1:]
}

// word cuts off what stands before the next space.
func word(b []byte) (first, rest []byte, ok bool) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil, len(b) > 0
	}
	return b[:i], b[i+1:], i > 0
}

// said is a word of a header; - stands for none.
func said(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}

// new reads what follows the priority by RFC 5424, section 6. False: it is not of that form, and nothing is noted.
func (m *message) new(b []byte) bool {
	version, b, ok := word(b)
	n, err := strconv.Atoi(string(version))
	if m.pri < 0 || !ok || len(version) > 2 || err != nil || n < 1 {
		return false
	}
	var words [5][]byte // time, host, app, process, kind of message
	for i := range words {
		if words[i], b, ok = word(b); !ok {
			return false
		}
	}
	at := time.Time{}
	if t := said(words[0]); t != nil {
		if at, err = time.Parse(time.RFC3339Nano, string(t)); err != nil {
			return false
		}
	}
	data := b
	if len(b) > 0 && b[0] == '[' {
		end := elements(b, nil)
		if end < 0 {
			return false
		}
		data, b = b[:end], b[end:]
	} else if len(b) > 0 && b[0] == '-' {
		data, b = nil, b[1:]
	} else {
		return false
	}
	if len(b) > 0 && b[0] != ' ' {
		return false
	}
	m.version, m.time, m.host, m.app, m.pid, m.msgid, m.data = n, at, said(words[1]), said(words[2]), said(words[3]), said(words[4]), data
	m.text = bytes.TrimPrefix(b, []byte{' '})
	return true
}

// elements calls f, if there is one, with every parameter of structured data, and gives where it ends; -1: it does not (RFC 5424, section 6.3).
func elements(b []byte, f func(id, name, value []byte)) int {
	i := 0
	for i < len(b) && b[i] == '[' {
		i++
		id := b[i:]
		end := bytes.IndexAny(id, " ]")
		if end <= 0 {
			return -1
		}
		id = id[:end]
		for i += end; ; {
			for i < len(b) && b[i] == ' ' {
				i++
			}
			if i >= len(b) {
				return -1
			}
			if b[i] == ']' {
				i++
				break
			}
			eq := bytes.IndexByte(b[i:], '=')
			if eq <= 0 || i+eq+1 >= len(b) || b[i+eq+1] != '"' {
				return -1
			}
			name := b[i : i+eq]
			i += eq + 2
			start, escaped := i, false
			for i < len(b) && b[i] != '"' {
				if b[i] == '\\' {
					escaped = true
					i++
				}
				i++
			}
			if i >= len(b) {
				return -1
			}
			if f != nil {
				value := b[start:i]
				if escaped {
					value = unescaped(value)
				}
				f(id, name, value)
			}
			i++
		}
	}
	return i
}

// unescaped writes out the three signs that are escaped in a value; before others a backslash is itself.
func unescaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\' || b[i+1] == ']') {
			i++
		}
		out = append(out, b[i])
	}
	return out
}
