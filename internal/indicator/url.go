package indicator

// schemes with the port that goes without saying.
var schemes = [...]struct{ name, port string }{{"http", "80"}, {"https", "443"}, {"ftp", "21"}, {"ws", "80"}, {"wss", "443"}}

// appendURL writes the normal form of a URL by RFC 3986, section 6.2: scheme and host in lower case, the host in ASCII without a dot at its end,
// no default port, no dot segments, a path of at least "/", percent-encoding only where it is needed and in upper case. User information and
// fragment are left out, since neither says which resource is asked for. Three forms exist: absolute; "//host/path", which stands for any
// scheme; and "/path", which stands for any host.
func appendURL(dst, v []byte) ([]byte, bool) {
	start := len(dst)
	scheme := schemeEnd(v)
	rest := v
	switch {
	case scheme > 0:
		for _, c := range v[:scheme] {
			dst = append(dst, low(c))
		}
		dst = append(dst, ':')
		rest = v[scheme+3:]
	case len(v) > 1 && v[0] == '/' && v[1] == '/':
		rest = v[2:]
	case v[0] == '/':
		dst = appendResource(dst, v)
		n := len(dst) - start
		return dst, n > 1 && dst[start+1] != '/'
	}
	end := len(rest)
	for i, c := range rest {
		if c == '/' || c == '?' || c == '#' || c == '\\' {
			end = i
			break
		}
	}
	dst, ok := appendAuthority(append(dst, '/', '/'), rest[:end], string(v[:max(scheme, 0)]))
	if !ok {
		return dst, false
	}
	return appendResource(dst, rest[end:]), true
}

// schemeEnd is where "://" begins after a scheme, or -1.
func schemeEnd(v []byte) int {
	for i, c := range v {
		switch c = low(c); {
		case c >= 'a' && c <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':' && i+2 < len(v) && v[i+1] == '/' && v[i+2] == '/':
			return i
		default:
			return -1
		}
	}
	return -1
}

func appendAuthority(dst, v []byte, scheme string) ([]byte, bool) {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] == '@' {
			if v = v[i+1:]; scheme == "" {
				return dst, false // "mailto:" and the like
			}
			break
		}
	}
	host, port := v, []byte(nil)
	for i := len(v) - 1; i >= 0 && v[i] != ']'; i-- {
		if v[i] == ':' {
			host, port = v[:i], v[i+1:]
			break
		}
	}
	dst, ok := appendHost(dst, host)
	if !ok {
		return dst, false
	}
	for len(port) > 1 && port[0] == '0' {
		port = port[1:]
	}
	if len(port) == 0 || defaultPort(scheme, port) {
		return dst, true
	}
	n := 0
	for _, c := range port {
		if n = n*10 + int(c-'0'); c < '0' || c > '9' || n > 65535 {
			return dst, false
		}
	}
	return append(append(dst, ':'), port...), n > 0
}

// defaultPort: where no scheme is said, both ports of the web go without saying.
func defaultPort(scheme string, port []byte) bool {
	for _, s := range schemes {
		if string(port) == s.port && (scheme == "" && s.port != "21" || sameFold(scheme, s.name)) {
			return true
		}
	}
	return false
}

func sameFold(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		if low(a[i]) != lower[i] {
			return false
		}
	}
	return true
}

func appendHost(dst, v []byte) ([]byte, bool) {
	n := len(v)
	if n == 0 {
		return dst, false
	}
	if v[0] == '[' {
		if n < 4 || v[n-1] != ']' {
			return dst, false
		}
		var a [16]byte
		if !parse6(&a, v[1:n-1]) {
			return dst, false
		}
		return append(appendAddr6(append(dst, '['), &a), ']'), true
	}
	start := len(dst)
	dst, ok := appendDomain(dst, v, false)
	if !ok {
		return dst, false
	}
	for _, c := range dst[start:] {
		switch c {
		case '"', '<', '>', '[', ']', '\\', '^', '`', '{', '|', '}', '%', ':', ',', '(', ')', '@', '/', '?', '#':
			return dst, false
		}
		if c <= ' ' || c >= 0x7f {
			return dst, false
		}
	}
	return dst, dst[start] != '.' && dst[len(dst)-1] != '.'
}

// appendAddr6 writes an address in full, eight groups without leading zeros: a form with one way to write it.
func appendAddr6(dst []byte, a *[16]byte) []byte {
	const digit = "0123456789abcdef"
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			dst = append(dst, ':')
		}
		group := int(a[i])<<8 | int(a[i+1])
		for shift := 12; shift >= 0; shift -= 4 {
			if group>>shift > 0 || shift == 0 {
				dst = append(dst, digit[group>>shift&15])
			}
		}
	}
	return dst
}

// appendResource writes path and query.
func appendResource(dst, v []byte) []byte {
	dst = append(dst, '/')
	segment := len(dst)
	root := segment
	if len(v) > 0 && (v[0] == '/' || v[0] == '\\') {
		v = v[1:]
	}
	i := 0
path:
	for i < len(v) {
		switch c := v[i]; c {
		case '?', '#':
			break path
		case '/', '\\':
			dst = endSegment(dst, root, segment, true)
			segment = len(dst)
			i++
		default:
			dst, i = appendPercent(dst, v, i)
		}
	}
	dst = endSegment(dst, root, segment, false)
	if i < len(v) && v[i] == '?' {
		dst = append(dst, '?')
		for i++; i < len(v) && v[i] != '#'; {
			dst, i = appendPercent(dst, v, i)
		}
	}
	return dst
}

// endSegment takes out a segment of dots (RFC 3986, section 5.2.4) and begins the next one.
func endSegment(dst []byte, root, segment int, more bool) []byte {
	switch string(dst[segment:]) {
	case ".":
		dst = dst[:segment]
	case "..":
		dst = dst[:segment]
		if segment > root {
			dst = dst[:segment-1]
			for len(dst) > root && dst[len(dst)-1] != '/' {
				dst = dst[:len(dst)-1]
			}
		}
	default:
		if more {
			dst = append(dst, '/')
		}
	}
	return dst
}

// appendPercent writes the octet at i, encoded if it must be, and tells where the next one stands.
func appendPercent(dst, v []byte, i int) ([]byte, int) {
	const digit = "0123456789ABCDEF"
	c, next := v[i], i+1
	if c == '%' && i+2 < len(v) {
		if h, l := hexDigit(v[i+1]), hexDigit(v[i+2]); h >= 0 && l >= 0 {
			c, next = byte(h<<4|l), i+3
			if !unreserved(c) {
				return append(dst, '%', digit[c>>4], digit[c&15]), next
			}
			return append(dst, c), next
		}
	}
	switch {
	case c <= ' ', c >= 0x7f, c == '%', c == '"', c == '<', c == '>', c == '\\', c == '^', c == '`', c == '{', c == '|', c == '}':
		return append(dst, '%', digit[c>>4], digit[c&15]), next
	}
	return append(dst, c), next
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || low(c) >= 'a' && low(c) <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}
