package rendition

import (
	"iter"
	"strings"
)

// scan looks through every text that is left for what the audience must not learn: ids of objects that it has not, or has under another id, names
// that are hidden, and what was taken out elsewhere.
func (m *making) scan() {
	var words []string
	for _, w := range m.plan.Names {
		if w != "" {
			words = append(words, strings.ToLower(w))
		}
	}
	for _, w := range m.hidden {
		words = append(words, strings.ToLower(w))
	}
	own, steps := m.object.ID(), 0
	search := func(text, pointer string) {
		if m.why.Code != "" {
			return
		}
		for id := range ids(text) {
			if m.sees(id) == Full && !(id == own && m.changed) {
				continue
			}
			m.review(pointer, "the text names an object that the audience has not, or has under another id")
			return
		}
		if len(words) == 0 {
			return
		}
		if steps += len(words) * (len(text) + 1); steps > maxSteps {
			m.review(pointer, "there is more text than can be searched for all that is hidden")
			return
		}
		folded := strings.ToLower(text)
		for _, w := range words {
			if strings.Contains(folded, w) {
				m.review(pointer, "the text holds a word that the audience must not have")
				return
			}
		}
	}
	m.root.walk("", "", func(v *node, name, pointer string) {
		switch {
		case v.kind == '{':
			for i, key := range v.keys {
				if !v.kids[i].gone {
					search(key, pointer)
				}
			}
		case v.kind != 's', pointer == "/id", pointer == "/type", isRef(name) && isID(v.text): // references were judged one by one
		default:
			search(v.text, pointer)
		}
	})
}

func (m *making) review(pointer, sentence string) {
	m.why = Why{Code: "rendition.text", Pointer: pointer, Sentence: sentence, Review: true}
}

func isRef(name string) bool {
	return strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")
}

const uuidLength = 36

// isID tells whether a text is an identifier: type--UUID.
func isID(s string) bool {
	typ, uuid, ok := strings.Cut(s, "--")
	return ok && typ != "" && strings.Trim(typ, typeLetters) == "" && isUUID(uuid)
}

const typeLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// isUUID takes letters of either case: a reader would, too.
func isUUID(s string) bool {
	if len(s) != uuidLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// ids are the identifiers that stand anywhere in a text, in lower case.
func ids(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !strings.Contains(text, "--") {
			return
		}
		text := strings.ToLower(text)
		for from := 0; ; {
			i := strings.Index(text[from:], "--")
			if i < 0 {
				return
			}
			i += from
			from = i + 1
			if len(text) < i+2+uuidLength || !isUUID(text[i+2:i+2+uuidLength]) {
				continue
			}
			start := i
			for start > 0 && strings.IndexByte(typeLetters, text[start-1]) >= 0 {
				start--
			}
			if start < i && !yield(text[start:i+2+uuidLength]) {
				return
			}
		}
	}
}
