package stix

import "strings"

// members is a JSON object taken apart to be changed: its properties in order, each value as its bytes.
type members []member

type member struct {
	key string
	val []byte
}

func membersOf(v value) members {
	m := make(members, 0, v.count()+4)
	for key, val := range v.members {
		m = append(m, member{key.text(), val.raw()})
	}
	return m
}

func (m members) index(key string) int {
	for i := range m {
		if m[i].key == key {
			return i
		}
	}
	return -1
}

func (m members) has(key string) bool { return m.index(key) >= 0 }

// set gives a property a value, in its place or at the end.
func (m *members) set(key string, val []byte) {
	if i := m.index(key); i >= 0 {
		(*m)[i].val = val
		return
	}
	*m = append(*m, member{key, val})
}

// after inserts a property behind another, or at the end.
func (m *members) after(behind, key string, val []byte) {
	i := m.index(behind)
	if i < 0 {
		m.set(key, val)
		return
	}
	*m = append(*m, member{})
	copy((*m)[i+2:], (*m)[i+1:])
	(*m)[i+1] = member{key, val}
}

func (m *members) remove(key string) {
	if i := m.index(key); i >= 0 {
		*m = append((*m)[:i], (*m)[i+1:]...)
	}
}

func (m members) rename(from, to string) bool {
	i := m.index(from)
	if i < 0 || m.has(to) {
		return false
	}
	m[i].key = to
	return true
}

func (m members) bytes() []byte {
	out := []byte{'{'}
	for i, e := range m {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendQuoted(out, []byte(e.key))
		out = append(out, ':')
		out = append(out, e.val...)
	}
	return append(out, '}')
}

func quoted(s string) []byte { return appendQuoted(nil, []byte(s)) }

func quotedList(list []string) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendQuoted(out, []byte(s))
	}
	return append(out, ']')
}

// A refMap replaces local references (values of properties that end in _ref or _refs) by ids. A reference that leads nowhere is told to
// missing; a property with nothing else is kept under another name, for it is no reference any more.
type refMap struct {
	id      func(key string) string
	missing func(name, key string)
}

// name is the name that a property keeps.
func (r refMap) name(name string, v value) string {
	if !isRefName(name) {
		return name
	}
	if v.isString() && r.id(v.text()) != "" || v.kind() != kindString && v.kind() != kindList {
		return name
	}
	for _, item := range v.items {
		if !item.isString() || r.id(item.text()) != "" {
			return name
		}
	}
	return "x_stix20_" + name
}

func isRefName(name string) bool {
	return strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")
}

// append appends a value of a property, its references replaced.
func (r refMap) append(dst []byte, name string, v value) []byte {
	switch v.kind() {
	case kindString:
		if isRefName(name) {
			if id := r.id(v.text()); id != "" {
				return appendQuoted(dst, []byte(id))
			}
			r.missing(name, v.text())
		}
	case kindList:
		dst = append(dst, '[')
		first := true
		partly := isRefName(name) && r.name(name, v) == name
		for _, item := range v.items {
			if partly && item.isString() && r.id(item.text()) == "" {
				r.missing(name, item.text())
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = r.append(dst, name, item)
		}
		return append(dst, ']')
	case kindObject:
		dst = append(dst, '{')
		first := true
		for key, val := range v.members {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendQuoted(dst, []byte(r.name(key.text(), val)))
			dst = append(dst, ':')
			dst = r.append(dst, key.text(), val)
		}
		return append(dst, '}')
	}
	return append(dst, v.raw()...)
}
