package taxii

import "strings"

// MediaType is the content type of every TAXII 2.1 message (section 1.6.8).
const MediaType = "application/taxii+json;version=2.1"

// STIXMediaType is the default media type of stored objects (section 5.2.1).
const STIXMediaType = "application/stix+json;version=2.1"

// mediaRange is one element of an Accept header, or a Content-Type: lower case type, the version parameter and the weight.
type mediaRange struct {
	name    string
	version string // empty: not given
	q       int    // thousandths
}

// Acceptable tells whether an Accept header (its lines joined by commas) admits a TAXII 2.1 answer. A missing header admits anything;
// application/json is taken as meaning TAXII, because widely used clients send only that. The most specific range decides
// (RFC 9110, section 12.5.1).
func Acceptable(accept string) bool {
	if strings.TrimSpace(accept) == "" {
		return true
	}
	best, q := -1, 0
	for part := range splitQuoted(accept, ',') {
		m, ok := parseRange(part)
		if !ok {
			continue
		}
		rank := -1
		switch m.name {
		case "application/json":
			rank = 0
		case "*/*":
			rank = 1
		case "application/*":
			rank = 2
		case "application/taxii+json":
			if m.version == "" {
				rank = 3
			} else if m.version == "2.1" {
				rank = 4
			}
		}
		if rank > best || (rank == best && rank >= 0 && m.q > q) {
			best, q = rank, m.q
		}
	}
	return best >= 0 && q > 0
}

// isTAXII tells whether a Content-Type is TAXII 2.1; without a version it is the highest version spoken (section 3.1).
func isTAXII(contentType string) bool {
	m, ok := parseRange(contentType)
	return ok && m.name == "application/taxii+json" && (m.version == "" || m.version == "2.1")
}

func parseRange(s string) (mediaRange, bool) {
	m := mediaRange{q: 1000}
	first := true
	for part := range splitQuoted(s, ';') {
		part = strings.Trim(part, " \t")
		if first {
			first = false
			m.name = strings.ToLower(part)
			if !strings.Contains(m.name, "/") {
				return m, false
			}
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		value = unquote(strings.Trim(value, " \t"))
		switch strings.ToLower(strings.Trim(name, " \t")) {
		case "version":
			m.version = value
			if value == "" {
				return m, false
			}
		case "q":
			if m.q, ok = parseWeight(value); !ok {
				return m, false
			}
		}
	}
	return m, !first
}

// parseWeight reads a qvalue (RFC 9110, section 12.4.2) as thousandths.
func parseWeight(s string) (int, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if (whole != "0" && whole != "1") || len(frac) > 3 {
		return 0, false
	}
	q := int(whole[0]-'0') * 1000
	for i, unit := 0, 100; i < len(frac); i, unit = i+1, unit/10 {
		if frac[i] < '0' || frac[i] > '9' {
			return 0, false
		}
		q += int(frac[i]-'0') * unit
	}
	return q, q <= 1000
}

// splitQuoted yields the parts of s between separators that stand outside quoted strings.
func splitQuoted(s string, sep byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted:
				i++
			case c == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// acceptsGzip tells whether an Accept-Encoding header asks for gzip; without the header nothing is coded.
func acceptsGzip(header string) bool {
	star := false
	for part := range splitQuoted(header, ',') {
		name, params, _ := strings.Cut(part, ";")
		q := 1000
		if k, v, ok := strings.Cut(params, "="); ok && strings.EqualFold(strings.TrimSpace(k), "q") {
			if q, ok = parseWeight(strings.TrimSpace(v)); !ok {
				q = 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return q > 0
		case "*":
			star = q > 0
		}
	}
	return star
}
