package stix

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape is the string a node stands for. Nodes come from scan, so that escapes are well formed.
func unescape(src []byte, n node) string {
	if !n.escaped {
		return string(src[n.start:n.end])
	}
	return string(appendUnescaped(make([]byte, 0, n.end-n.start), src[n.start:n.end]))
}

func appendUnescaped(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			i++
			continue
		}
		switch c := text[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(text[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(text[i:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default: // quote, backslash, slash
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// A value is one value of an Object: a place in its tape. The zero value stands for an absent one.
type value struct {
	o  *Object
	at uint32
}

func (v value) ok() bool { return v.o != nil }

func (v value) node() node { return v.o.tape[v.at] }

func (v value) kind() kind { return v.o.tape[v.at].kind }

func (v value) isString() bool { return v.ok() && v.kind() == kindString }

func (v value) isList() bool { return v.ok() && v.kind() == kindList }

func (v value) isObject() bool { return v.ok() && v.kind() == kindObject }

// text is the string of a string, "" of anything else.
func (v value) text() string {
	if !v.isString() {
		return ""
	}
	return unescape(v.o.raw, v.node())
}

// bytes is the text as text(), without a copy where there are no escapes.
func (v value) bytes() []byte {
	if !v.isString() {
		return nil
	}
	n := v.node()
	if n.escaped {
		return appendUnescaped(nil, v.o.raw[n.start:n.end])
	}
	return v.o.raw[n.start:n.end]
}

func (v value) raw() []byte {
	n := v.node()
	if n.kind == kindString {
		return v.o.raw[n.start-1 : n.end+1]
	}
	return v.o.raw[n.start:n.end]
}

func (v value) isTrue() bool { return v.ok() && v.kind() == kindTrue }

// number is the value of a number, and whether it is one.
func (v value) number() (float64, bool) {
	if !v.ok() || v.kind() != kindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.raw()), 64)
	return f, err == nil
}

// integer is the value of a number written as an integer (2.10), and whether it is one.
func (v value) integer() (int64, bool) {
	if !v.ok() || v.kind() != kindNumber {
		return 0, false
	}
	i, err := strconv.ParseInt(string(v.raw()), 10, 64)
	return i, err == nil
}

func (v value) count() int {
	if !v.ok() {
		return 0
	}
	return int(v.node().count)
}

// get is the value of a property of an object, absent where there is none.
func (v value) get(name string) value {
	if !v.isObject() {
		return value{}
	}
	tape, raw := v.o.tape, v.o.raw
	end := tape[v.at].next
	for at := v.at + 1; at < end; {
		k := &tape[at]
		if !k.escaped && int(k.end-k.start) == len(name) && string(raw[k.start:k.end]) == name ||
			k.escaped && unescape(raw, *k) == name {
			return value{v.o, at + 1}
		}
		at = tape[at+1].next
	}
	return value{}
}

// members yields the key and value of each property of an object, in document order.
func (v value) members(yield func(key, val value) bool) {
	if !v.isObject() {
		return
	}
	tape := v.o.tape
	end := tape[v.at].next
	for at := v.at + 1; at < end; at = tape[at+1].next {
		if !yield(value{v.o, at}, value{v.o, at + 1}) {
			return
		}
	}
}

// items yields the items of a list, in order.
func (v value) items(yield func(i int, item value) bool) {
	if !v.isList() {
		return
	}
	tape := v.o.tape
	end := tape[v.at].next
	i := 0
	for at := v.at + 1; at < end; at = tape[at].next {
		if !yield(i, value{v.o, at}) {
			return
		}
		i++
	}
}

// strings is the text of each string in a list.
func (v value) strings() []string {
	if !v.isList() || v.count() == 0 {
		return nil
	}
	out := make([]string, 0, v.count())
	for _, item := range v.items {
		if item.isString() {
			out = append(out, item.text())
		}
	}
	return out
}

// eachString visits every string of a value, with the property that it, or the list that it is in, stands under.
func (v value) eachString(property string, visit func(property, text string)) {
	switch v.kind() {
	case kindString:
		visit(property, v.text())
	case kindList:
		for _, item := range v.items {
			item.eachString(property, visit)
		}
	case kindObject:
		for key, val := range v.members {
			val.eachString(key.text(), visit)
		}
	}
}
