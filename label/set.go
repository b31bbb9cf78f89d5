package label

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxMembers bounds the members of one set.
	MaxMembers = 4096
	// MaxMember bounds the length of one member, in bytes.
	MaxMember = 256
)

// Set is a small immutable set of words, or all words there are. Sets are comparable with ==. The zero value is empty.
type Set struct {
	// text holds the members sorted, each followed by a line feed; everything is the word for all of them, which has none.
	text string
}

const everything = "*"

// All is the set of everything.
func All() Set { return Set{everything} }

// NewSet makes a set of the given members. A member is 1 to MaxMember bytes of UTF-8 without control characters or white space at its ends.
func NewSet(members ...string) (Set, error) {
	for _, m := range members {
		if err := checkMember(m); err != nil {
			return Set{}, err
		}
	}
	sorted := slices.Clone(members)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > MaxMembers {
		return Set{}, invalid("", "a set holds at most %d members, this has %d", MaxMembers, len(sorted))
	}
	return pack(sorted), nil
}

func checkMember(m string) error {
	switch {
	case m == "":
		return invalid("", "a member of a set must not be empty")
	case len(m) > MaxMember:
		return invalid("", "a member of a set is at most %d bytes, this has %d", MaxMember, len(m))
	case !utf8.ValidString(m):
		return invalid("", "a member of a set must be UTF-8")
	case strings.TrimSpace(m) != m:
		return invalid("", "a member of a set must not begin or end with white space")
	case strings.ContainsFunc(m, unicode.IsControl):
		return invalid("", "a member of a set must not hold control characters")
	}
	return nil
}

// pack takes sorted, distinct members. More than a set may hold are all there are: the only larger set that can be written.
func pack(sorted []string) Set {
	if len(sorted) > MaxMembers {
		return All()
	}
	n := len(sorted)
	for _, m := range sorted {
		n += len(m)
	}
	var b strings.Builder
	b.Grow(n)
	for _, m := range sorted {
		b.WriteString(m)
		b.WriteByte('\n')
	}
	return Set{b.String()}
}

// IsAll tells whether the set is everything.
func (s Set) IsAll() bool { return s.text == everything }

// IsEmpty tells whether the set has no member.
func (s Set) IsEmpty() bool { return s.text == "" }

// Len is the number of members; of everything it is -1.
func (s Set) Len() int {
	if s.IsAll() {
		return -1
	}
	return strings.Count(s.text, "\n")
}

// Members goes through the members in order. Everything has none that can be named.
func (s Set) Members() iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.IsAll() {
			return
		}
		for rest := s.text; rest != ""; {
			m, after, _ := strings.Cut(rest, "\n")
			if !yield(m) {
				return
			}
			rest = after
		}
	}
}

// List is the members in order. Everything has none that can be named.
func (s Set) List() []string {
	return slices.AppendSeq(make([]string, 0, max(0, s.Len())), s.Members())
}

// Has tells whether the word is in the set.
func (s Set) Has(word string) bool {
	if s.IsAll() {
		return true
	}
	if len(s.text) <= smallText {
		return hasLine(s.text, word)
	}
	// Binary search over the text: low and high stand at starts of members.
	low, high := 0, len(s.text)
	for low < high {
		middle := low + (high-low)/2
		start := low + strings.LastIndexByte(s.text[low:middle], '\n') + 1
		end := start + strings.IndexByte(s.text[start:], '\n')
		switch m := s.text[start:end]; {
		case m == word:
			return true
		case m < word:
			low = end + 1
		default:
			high = start
		}
	}
	return false
}

// smallText is the length up to which a scan is faster than a search.
const smallText = 256

func hasLine(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 || word == "" {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || text[i-1] == '\n') && end < len(text) && text[end] == '\n' {
			return true
		}
		from = i + 1
	}
}

// Intersect is what both sets hold.
func (s Set) Intersect(t Set) Set {
	switch {
	case s == t, t.IsAll():
		return s
	case s.IsAll():
		return t
	case s.IsEmpty(), t.IsEmpty():
		return Set{}
	}
	var both []string
	merge(s, t, func(m string, inS, inT bool) bool {
		if inS && inT {
			both = append(both, m)
		}
		return true
	})
	return pack(both)
}

// Union is what either set holds. More than MaxMembers of them are everything.
func (s Set) Union(t Set) Set {
	switch {
	case s == t, s.IsAll(), t.IsEmpty():
		return s
	case t.IsAll(), s.IsEmpty():
		return t
	}
	var either []string
	merge(s, t, func(m string, _, _ bool) bool { either = append(either, m); return true })
	return pack(either)
}

// Within tells whether every member of the set is in t.
func (s Set) Within(t Set) bool {
	switch {
	case s == t, t.IsAll(), s.IsEmpty():
		return true
	case s.IsAll():
		return false
	}
	return merge(s, t, func(_ string, inS, inT bool) bool { return !inS || inT })
}

// merge walks two sets that are not everything in order, and stops, false, when visit is.
func merge(s, t Set, visit func(m string, inS, inT bool) bool) bool {
	a, b := s.text, t.text
	for a != "" || b != "" {
		x, restA, _ := strings.Cut(a, "\n")
		y, restB, _ := strings.Cut(b, "\n")
		useA := b == "" || a != "" && x <= y
		useB := a == "" || b != "" && y <= x
		m := x
		if useA {
			a = restA
		} else {
			m = y
		}
		if useB {
			b = restB
		}
		if !visit(m, useA, useB) {
			return false
		}
	}
	return true
}

// String is for people: "all", "none" or the members.
func (s Set) String() string {
	switch {
	case s.IsAll():
		return "all"
	case s.IsEmpty():
		return "none"
	}
	return strings.Join(s.List(), ", ")
}

// Meets tells whether the two sets have a member in common.
func (s Set) Meets(t Set) bool {
	switch {
	case s.IsEmpty(), t.IsEmpty():
		return false
	case s.IsAll(), t.IsAll(), s == t:
		return true
	}
	return !merge(s, t, func(_ string, inS, inT bool) bool { return !inS || !inT })
}
