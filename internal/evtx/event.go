package evtx

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// writer gathers the members of one event.
type writer struct {
	c       *chunk
	err     error
	buf     []byte // their values, in JSON
	members []member
	index   map[string]int
	text    []byte
}

// member is one name, and where its values are in the writer's memory.
type member struct {
	name   string
	values []span
}

// event writes the members of one record's event.
func (c *chunk) event(to []byte, body span) ([]byte, error) {
	c.work = max(c.work, maxWork/500) // a record that takes long does not take the time of those after it
	r := cursor{c: c, at: body.from, end: body.to}
	root := r.fragment(false, 0)
	if r.err != nil {
		return nil, r.err
	}
	if c.w == nil {
		c.w = &writer{index: map[string]int{}}
	}
	w := c.w
	w.c, w.err, w.buf, w.members = c, nil, w.buf[:0], w.members[:0]
	clear(w.index)
	found := false
	w.inside(root, nil, 0, func(n *node, values []value, depth int) {
		if n.kind != element || n.name != "Event" || found {
			return
		}
		found = true
		w.inside(n, values, depth, func(n *node, values []value, depth int) {
			switch {
			case n.kind != element:
			case n.name == "System":
				w.system(n, values, depth)
			default:
				w.flat(n, values, depth)
			}
		})
	})
	if w.err == nil && !found {
		w.err = errRoot
	}
	if w.err != nil {
		return nil, w.err
	}
	if _, ok := w.index["EventRecordID"]; !ok {
		w.put("EventRecordID", value{kind: uint64s, b: c.b[body.from-16 : body.from-8]})
	}
	if _, ok := w.index["TimeCreated"]; !ok {
		w.put("TimeCreated", value{kind: filetimes, b: c.b[body.from-8 : body.from]})
	}
	if len(w.buf) > maxLine {
		return nil, errLong
	}
	for i, m := range w.members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(quote(to, m.name), ':')
		if len(m.values) == 1 {
			to = append(to, w.buf[m.values[0].from:m.values[0].to]...)
			continue
		}
		for j, v := range m.values {
			to = append(append(to, "[,"[min(j, 1)]), w.buf[v.from:v.to]...)
		}
		to = append(to, ']')
	}
	return to, nil
}

func quote[T string | []byte](to []byte, s T) []byte {
	out, err := jsontext.AppendQuote(to, s)
	if err != nil { // a name or an ANSI text that is no UTF-8 cannot be: both are decoded
		return append(to, `""`...)
	}
	return out
}

// inside calls f with what stands in a node.
func (w *writer) inside(n *node, values []value, depth int, f func(*node, []value, int)) {
	w.each(n.kids, values, depth, f)
}

// each calls f with what stands somewhere: elements, texts and places that hold no XML.
func (w *writer) each(kids []*node, values []value, depth int, f func(*node, []value, int)) {
	if depth > maxDepth {
		w.err = errDeep
	}
	for _, kid := range kids {
		if w.c.work--; w.c.work < 0 && w.err == nil {
			w.err = errWork
		}
		if w.err != nil {
			return
		}
		switch {
		case kid.kind == fragment && kid.values != nil:
			w.each(kid.kids, kid.values, depth+1, f)
		case kid.kind == fragment:
			w.each(kid.kids, values, depth+1, f)
		case kid.kind == place && kid.id < len(values) && values[kid.id].kind == xml:
			v := values[kid.id]
			r := cursor{c: w.c, at: v.from, end: v.from + len(v.b)}
			x := r.fragment(false, depth+1)
			if w.err = r.err; w.err == nil {
				w.each(x.kids, nil, depth+1, f)
			}
		default:
			f(kid, values, depth+1)
		}
	}
}

// system writes what the system says, under the names that all have for it.
func (w *writer) system(n *node, values []value, depth int) {
	w.inside(n, values, depth, func(n *node, values []value, depth int) {
		if n.kind != element {
			return
		}
		switch n.name {
		case "Provider":
			w.attrs(n, values, depth, "Name", "Provider_Name", "Guid", "Provider_Guid", "EventSourceName", "EventSourceName")
		case "TimeCreated":
			w.attrs(n, values, depth, "SystemTime", "TimeCreated")
		case "Correlation":
			w.attrs(n, values, depth, "ActivityID", "ActivityID", "RelatedActivityID", "RelatedActivityID")
		case "Execution":
			w.attrs(n, values, depth, "ProcessID", "Execution_ProcessID", "ThreadID", "Execution_ThreadID")
		case "Security":
			w.attrs(n, values, depth, "UserID", "UserID")
		case "EventID", "Version", "Level", "Task", "Opcode", "EventRecordID":
			w.content(n.name, n.kids, values, depth, true)
		default: // Keywords, Channel, Computer
			w.content(n.name, n.kids, values, depth, false)
		}
	})
}

// attrs writes attributes of an element, which names says pairwise: as they are called, and as they are to be called.
func (w *writer) attrs(n *node, values []value, depth int, names ...string) {
	for i := 0; i < len(names); i += 2 {
		for _, a := range n.attrs {
			if a.name == names[i] {
				w.content(names[i+1], a.kids, values, depth, false)
			}
		}
	}
}

// flat writes the elements in EventData, UserData and the like that hold no others, under their names; a Data under the name that it gives itself.
func (w *writer) flat(n *node, values []value, depth int) {
	if n.name == "RenderingInfo" { // written by who forwards events, in some language
		w.inside(n, values, depth, func(n *node, values []value, depth int) {
			if n.kind == element && n.name == "Message" {
				w.content(n.name, n.kids, values, depth, false)
			}
		})
		return
	}
	leaf := true
	w.inside(n, values, depth, func(kid *node, values []value, depth int) {
		if kid.kind == element {
			leaf = false
			w.flat(kid, values, depth)
		}
	})
	if !leaf || n.name == "EventData" || n.name == "UserData" {
		return
	}
	name := n.name
	if name == "Data" {
		for _, a := range n.attrs {
			if a.name == "Name" {
				if text := w.string(a.kids, values, depth); text != "" {
					name = text
				}
			}
		}
	}
	w.content(strings.ReplaceAll(name, " ", ""), n.kids, values, depth, false)
}

// string is what stands somewhere, as a text.
func (w *writer) string(kids []*node, values []value, depth int) string {
	var out []byte
	w.each(kids, values, depth, func(n *node, values []value, _ int) {
		switch {
		case n.kind == text:
			out = append(out, n.text...)
		case n.kind == place && n.id < len(values):
			out, _ = values[n.id].write(out)
		}
	})
	return string(out)
}

// content writes what stands in an element or attribute as a member: one value as what it is, more of them as one text.
func (w *writer) content(name string, kids []*node, values []value, depth int, number bool) {
	w.text = w.text[:0]
	parts := 0
	var one value
	w.each(kids, values, depth, func(n *node, values []value, _ int) {
		switch {
		case n.kind == text:
			w.text = append(w.text, n.text...)
			one.kind = null
		case n.kind == place && n.id < len(values):
			if one = values[n.id]; one.kind == null {
				return
			}
			w.text, _ = one.write(w.text)
		default:
			return
		}
		parts++
	})
	switch {
	case parts == 0:
	case parts == 1 && one.kind != null:
		one.each(func(v value) { w.put(name, v) })
	case number && len(w.text) > 0 && len(w.text) < 20 && strings.Trim(string(w.text), "0123456789") == "" && (w.text[0] != '0' || len(w.text) == 1):
		from := len(w.buf)
		w.buf = append(w.buf, w.text...)
		w.add(name, span{from, len(w.buf)})
	default:
		from := len(w.buf)
		w.buf = quote(w.buf, w.text)
		w.add(name, span{from, len(w.buf)})
	}
}

// put writes one value.
func (w *writer) put(name string, v value) {
	text, bare := v.write(nil)
	from := len(w.buf)
	if bare {
		w.buf = append(w.buf, text...)
	} else {
		w.buf = quote(w.buf, text)
	}
	w.add(name, span{from, len(w.buf)})
}

func (w *writer) add(name string, at span) {
	if len(w.buf) > maxLine {
		w.err = errLong
		return
	}
	i, ok := w.index[name]
	if !ok {
		i = len(w.members)
		w.index[name] = i
		w.members = append(w.members, member{name: name})
	}
	w.members[i].values = append(w.members[i].values, at)
}
