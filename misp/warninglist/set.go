package warninglist

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"entente/misp"
)

// Set is many lists, ready to be asked. It does not change, and many goroutines may ask it at once.
type Set struct {
	names    []string
	types    []map[string]struct{} // of attributes, by list; nil: all
	seed     maphash.Seed
	equal    table
	hosts    table
	parts    substrings
	ranges   ranges
	patterns []expression
	regexOf  map[string][]int // places in patterns by attribute type; "" for lists without any
	entries  int
}

type expression struct {
	list  uint16
	regex *regexp.Regexp
}

// Hit is one list that knows a value.
type Hit struct {
	List  string
	Entry string // the entry that met it, as far as it is known: for regular expressions the expression
}

// New makes a Set. Entries that their type does not allow, such as a range that is none, are left out and named in the errors.
func New(lists ...*List) (*Set, []error) {
	s := &Set{seed: maphash.MakeSeed(), equal: newTable(), hosts: newTable(), regexOf: map[string][]int{}}
	var errs []error
	if len(lists) > 1<<14 {
		errs = append(errs, &misp.Error{Code: misp.CodeSize, Offset: -1, Rule: rule, Message: "more than 16,384 lists: the others are left out"})
		lists = lists[:1<<14]
	}
	for i, l := range lists {
		s.names = append(s.names, l.Name)
		var types map[string]struct{}
		if len(l.Attributes) > 0 {
			types = make(map[string]struct{}, len(l.Attributes))
			for _, t := range l.Attributes {
				types[t] = struct{}{}
			}
		}
		s.types = append(s.types, types)
		for at, entry := range l.Entries {
			if err := s.add(uint16(i), l, entry); err != nil {
				errs = append(errs, &misp.Error{Code: misp.CodeSyntax, Pointer: fmt.Sprintf("/list/%d", at), Offset: -1, Rule: rule, Message: fmt.Sprintf("%s: %.64q %v", l.Name, entry, err), Err: err})
				continue
			}
			s.entries++
		}
	}
	s.ranges.finish()
	s.parts.finish()
	return s, errs
}

// Len is the number of entries.
func (s *Set) Len() int { return s.entries }

func (s *Set) add(list uint16, l *List, entry string) error {
	if entry == "" || len(entry) > MaxEntry {
		return fmt.Errorf("is empty or too long")
	}
	switch l.Type {
	case TypeString:
		s.equal.add(s.hash(fold(entry)), list)
	case TypeHostname:
		host := strings.Trim(fold(entry), ".")
		if host == "" || strings.ContainsAny(host, "/@: ") {
			return fmt.Errorf("is no host name")
		}
		s.hosts.add(s.hash(host), list)
	case TypeSubstring:
		s.parts.add(fold(entry), list)
	case TypeCIDR:
		prefix, ok := parseRange(entry)
		if !ok {
			return fmt.Errorf("is neither an address nor a range")
		}
		s.ranges.add(prefix, list)
	case TypeRegex:
		regex, err := compile(entry)
		if err != nil {
			return fmt.Errorf("is no regular expression that takes linear time: %w", err)
		}
		at := len(s.patterns)
		s.patterns = append(s.patterns, expression{list, regex})
		for _, t := range l.Attributes {
			s.regexOf[t] = append(s.regexOf[t], at)
		}
		if len(l.Attributes) == 0 {
			s.regexOf[""] = append(s.regexOf[""], at)
		}
	}
	return nil
}

func (s *Set) hash(v string) uint64 { return maphash.String(s.seed, v) }

// compile reads an expression between slashes, with flags behind.
func compile(entry string) (*regexp.Regexp, error) {
	if end := strings.LastIndexByte(entry, '/'); end > 0 && entry[0] == '/' {
		flags := ""
		for _, f := range entry[end+1:] {
			if strings.ContainsRune("ims", f) {
				flags += string(f)
			}
		}
		entry = entry[1:end]
		if flags != "" {
			entry = "(?" + flags + ")" + entry
		}
	}
	return regexp.Compile(entry)
}

// Match appends to hits the lists that know a value of an attribute of the given type, or one of the two values of a composite type. A type
// of "" asks all lists. A value longer than 4096 bytes is known to none.
func (s *Set) Match(typ, value string, hits []Hit) []Hit {
	if value == "" || len(value) > MaxEntry {
		return hits
	}
	if first, second, ok := strings.Cut(value, "|"); ok && (typ == "malware-sample" || strings.Contains(typ, "|")) {
		return s.one(typ, second, s.one(typ, first, hits))
	}
	return s.one(typ, value, hits)
}

func (s *Set) one(typ, value string, hits []Hit) []Hit {
	folded := fold(value)
	s.equal.each(s.hash(folded), func(list uint16) { hits = s.hit(hits, list, typ, folded) })
	if host := hostOf(folded); host != "" {
		for rest := host; rest != ""; {
			s.hosts.each(s.hash(rest), func(list uint16) { hits = s.hit(hits, list, typ, rest) })
			dot := strings.IndexByte(rest, '.')
			if dot < 0 {
				break
			}
			rest = rest[dot+1:]
		}
		if first := host[0]; first >= '0' && first <= '9' || first >= 'a' && first <= 'f' || first == ':' {
			if prefix, ok := parseRange(rangeOf(folded, host)); ok {
				s.ranges.each(prefix, func(entry netip.Prefix, list uint16) { hits = s.hit(hits, list, typ, entry.String()) })
			}
		}
	}
	s.parts.each(folded, func(entry string, list uint16) { hits = s.hit(hits, list, typ, entry) })
	if len(s.patterns) > 0 {
		for _, at := range s.regexOf[typ] {
			hits = s.express(hits, at, typ, value)
		}
		if typ != "" {
			for _, at := range s.regexOf[""] {
				hits = s.express(hits, at, typ, value)
			}
		} else {
			for at := range s.patterns {
				hits = s.express(hits, at, typ, value)
			}
		}
	}
	return hits
}

func (s *Set) express(hits []Hit, at int, typ, value string) []Hit {
	if p := s.patterns[at]; p.regex.MatchString(value) {
		return s.hit(hits, p.list, typ, p.regex.String())
	}
	return hits
}

// hit adds a list that meets the type, once.
func (s *Set) hit(hits []Hit, list uint16, typ, entry string) []Hit {
	if types := s.types[list]; typ != "" && types != nil {
		if _, ok := types[typ]; !ok {
			return hits
		}
	}
	name := s.names[list]
	if slices.ContainsFunc(hits, func(h Hit) bool { return h.List == name }) {
		return hits
	}
	return append(hits, Hit{name, strings.Clone(entry)})
}

// fold is the value in lower case, without white space around it.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// hostOf is the host of a URL or of an e-mail address, or the value itself.
func hostOf(v string) string {
	if i := strings.Index(v, "://"); i >= 0 {
		v = v[i+3:]
		if end := strings.IndexAny(v, "/?#"); end >= 0 {
			v = v[:end]
		}
		if at := strings.LastIndexByte(v, '@'); at >= 0 {
			v = v[at+1:]
		}
		if strings.HasPrefix(v, "[") {
			if end := strings.IndexByte(v, ']'); end > 0 {
				return v[1:end]
			}
		}
		if colon := strings.LastIndexByte(v, ':'); colon >= 0 {
			v = v[:colon]
		}
	} else if at := strings.LastIndexByte(v, '@'); at >= 0 {
		v = v[at+1:]
	} else if slash := strings.IndexByte(v, '/'); slash >= 0 {
		v = v[:slash]
	}
	return strings.Trim(v, ".")
}

// rangeOf is the range that a value may be, or its host.
func rangeOf(value, host string) string {
	if !strings.Contains(value, "://") && strings.IndexByte(value, '/') >= 0 {
		return value
	}
	return host
}

func parseRange(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, false
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return p, false
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// Inside is a list that knows an address, or a range of them, within a network: not the network itself or what is around it, which Match finds.
func (s *Set) Inside(p netip.Prefix) (Hit, bool) {
	entry, list, ok := s.ranges.inside(p.Masked())
	if !ok {
		return Hit{}, false
	}
	return Hit{List: s.names[list], Entry: entry.String()}, true
}
