package event

import (
	"bytes"
	"fmt"
	"strings"
)

// TSV reads logs as Zeek writes them without JSON: lines of columns, and lines with # that say what they are (Zeek, "Zeek log formats and inspection"). One reads one file.
type TSV struct {
	plan    *Plan
	path    *member // nil: nobody asks for it
	log     []byte
	sep     byte
	list    []byte // between the elements of sets and vectors
	unset   []byte
	empty   []byte
	columns []column
	begun   bool
}

type column struct {
	to   *member // nil: nobody asks for it
	kind Kind
	list bool
}

// maxColumns bounds the columns of a log.
const maxColumns = 1000

// NewTSV makes a reader, of a plan that is asked for nothing more from then on. The plan is asked under the names of columns; the slot of _path gets the name of the log, as in Zeek's JSON.
func NewTSV(p *Plan) *TSV {
	return &TSV{plan: p, path: p.root.find([]byte("_path")), sep: '\t', list: []byte(","), unset: []byte("-"), empty: []byte("(empty)")}
}

// Scan reads one line, without its end. There is no event in a line that says what the log is.
func (t *TSV) Scan(line []byte, e *Event) (ok bool, err error) {
	if len(line) > 0 && line[0] == '#' {
		return false, t.head(line)
	}
	if !t.begun {
		return false, &Error{0, "a line of columns comes before the one that names them (#fields)"}
	}
	e.Reset(t.plan.slots)
	e.Line, e.all = line, t.every
	if t.path != nil && t.log != nil {
		t.path.give(e, Value{Text, t.log}, false)
	}
	rest, more := line, true
	for i := range t.columns {
		if !more {
			return false, &Error{len(line), fmt.Sprintf("the line has %d columns, the log %d", i, len(t.columns))}
		}
		var cell []byte
		cell, rest, more = bytes.Cut(rest, []byte{t.sep})
		if c := &t.columns[i]; c.to != nil {
			t.values(c, cell, e, func(v Value) { c.to.give(e, v, false) })
		}
	}
	if more {
		return false, &Error{len(line) - len(rest), fmt.Sprintf("the line has more columns than the log, %d", len(t.columns))}
	}
	return true, nil
}

// values are those of a cell.
func (t *TSV) values(c *column, cell []byte, e *Event, f func(Value)) {
	switch {
	case bytes.Equal(cell, t.unset):
		return
	case bytes.Equal(cell, t.empty):
		if c.list {
			f(Value{Kind: Empty})
			return
		}
		cell = nil
	}
	if !c.list {
		f(c.value(cell, e))
		return
	}
	for one := range bytes.SplitSeq(cell, t.list) {
		f(c.value(one, e))
	}
}

// every goes over the cells.
func (t *TSV) every(e *Event, f func(Value) bool) {
	i, going := 0, true
	for cell := range bytes.SplitSeq(e.Line, []byte{t.sep}) {
		if i >= len(t.columns) || !going {
			return
		}
		mark := len(e.arena)
		t.values(&t.columns[i], cell, e, func(v Value) { going = going && f(v) })
		e.arena = e.arena[:mark]
		i++
	}
}

var truths = map[string][]byte{"T": []byte("true"), "F": []byte("false")}

func (c *column) value(one []byte, e *Event) Value {
	v := Value{c.kind, one}
	switch {
	case c.kind == Bool:
		if v.Text = truths[string(one)]; v.Text == nil {
			return Value{Text, one}
		}
	case bytes.Contains(one, []byte(`\x`)):
		v.Text = e.unhex(one)
	}
	if v.Text == nil {
		v.Text = []byte{}
	}
	return v
}

// unhex writes \xHH out.
func (e *Event) unhex(t []byte) []byte {
	from := len(e.arena)
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' && i+3 < len(t) && t[i+1] == 'x' {
			if r, ok := hex4([]byte{'0', '0', t[i+2], t[i+3]}); ok {
				e.arena = append(e.arena, byte(r))
				i += 3
				continue
			}
		}
		e.arena = append(e.arena, t[i])
	}
	return e.arena[from:len(e.arena):len(e.arena)]
}

// head takes a line that says what the log is.
func (t *TSV) head(line []byte) error {
	if rest, ok := bytes.CutPrefix(line, []byte("#separator ")); ok { // written out, as nothing separates yet
		var e Event
		if b := e.unhex(rest); len(b) == 1 && b[0] != '\n' && b[0] != '#' {
			t.sep = b[0]
			return nil
		}
		return &Error{len("#separator "), "the separator is one byte"}
	}
	words := strings.Split(string(line[1:]), string(t.sep))
	value := strings.Join(words[1:], string(t.sep))
	switch words[0] {
	case "set_separator":
		t.list = []byte(value)
	case "empty_field":
		t.empty = []byte(value)
	case "unset_field":
		t.unset = []byte(value)
	case "path":
		t.log = []byte(value)
	case "fields":
		if len(words)-1 > maxColumns {
			return &Error{0, fmt.Sprintf("a log has at most %d columns", maxColumns)}
		}
		t.columns, t.begun = nil, true
		for _, name := range words[1:] {
			t.columns = append(t.columns, column{to: t.plan.root.find([]byte(squeeze(name))), kind: Text})
		}
	case "types":
		for i, kind := range words[1:] {
			if i >= len(t.columns) {
				return &Error{0, "there are more types than fields"}
			}
			c := &t.columns[i]
			inner, list := kind, false
			for _, of := range []string{"set[", "vector["} {
				if s, ok := strings.CutPrefix(kind, of); ok {
					inner, list = strings.TrimSuffix(s, "]"), true
				}
			}
			c.list = list
			switch inner {
			case "count", "int", "double", "port", "time", "interval":
				c.kind = Number
			case "bool":
				c.kind = Bool
			default:
				c.kind = Text
			}
		}
	}
	return nil // #open and #close say when
}
