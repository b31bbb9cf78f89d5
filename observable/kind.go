// Package observable reads the values that indicators are made of (addresses, names, hashes and others) as people write them: defanged, in any
// case, alone or in the middle of a text. It is pure: no network, no disk, no clock.
package observable

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxValue bounds one value, in bytes.
const maxValue = 8192

// Kind is one kind of value: how it is written in one way only, and the STIX pattern that finds it.
type Kind struct {
	Name  string
	parse func(string) (string, bool) // the canonical form
	path  string                      // the object path of the pattern; empty: make makes it
	make  func(string) string
}

var hexadecimal = regexp.MustCompile(`^[0-9a-fA-F]+$`)

func hash(n int) func(string) (string, bool) {
	return func(s string) (string, bool) {
		return strings.ToLower(s), len(s) == n && hexadecimal.MatchString(s)
	}
}

// kinds is every kind, in the order in which an unknown value is tried.
var kinds = []*Kind{
	{Name: "md5", parse: hash(32), path: "file:hashes.MD5"},
	{Name: "sha1", parse: hash(40), path: "file:hashes.'SHA-1'"},
	{Name: "sha256", parse: hash(64), path: "file:hashes.'SHA-256'"},
	{Name: "sha512", parse: hash(128), path: "file:hashes.'SHA-512'"},
	{Name: "ipv4", parse: address(true), path: "ipv4-addr:value"},
	{Name: "ipv6", parse: address(false), path: "ipv6-addr:value"},
	{Name: "ip-port", parse: addressPort, make: addressPortPattern},
	{Name: "mac", parse: mac, path: "mac-addr:value"},
	{Name: "url", parse: URL, path: "url:value"},
	{Name: "email", parse: email, path: "email-addr:value"},
	{Name: "domain", parse: domain, path: "domain-name:value"},
	// These are never guessed.
	{Name: "file-name", parse: text, path: "file:name"},
	{Name: "mutex", parse: text, path: "mutex:name"},
	{Name: "user-agent", parse: text, path: "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"},
	{Name: "registry-key", parse: text, path: "windows-registry-key:key"},
}

// hashes is how many of kinds are hashes.
const hashes = 4

// guessed is how many of kinds are tried for a value whose kind nobody says.
const guessed = 11

// aliases are other words for kinds, as lists and their columns have them.
var aliases = map[string]string{
	"ip": "ip", "ip-dst": "ip", "ip-src": "ip", "ipv4-addr": "ipv4", "ipv6-addr": "ipv6", "cidr": "ip", "ip-dst|port": "ip-port", "ip:port": "ip-port", "hostname": "domain", "host": "domain",
	"domain-name": "domain", "fqdn": "domain", "uri": "url", "link": "url", "email-addr": "email", "email-src": "email", "email-dst": "email", "sha-1": "sha1", "sha-256": "sha256", "sha-512": "sha512",
	"md5_hash": "md5", "sha1_hash": "sha1", "sha256_hash": "sha256", "mac-addr": "mac", "filename": "file-name", "regkey": "registry-key", "intel::addr": "ip", "intel::subnet": "ip", "intel::domain": "domain", "intel::url": "url", "intel::email": "email", "intel::file_hash": "hash", "file_hash": "hash", "windows-registry-key": "registry-key",
}

// Words are the words for kinds that a configuration may use, for a message.
func Words() string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.Name)
	}
	return strings.Join(append(out, "ip", "hash"), ", ")
}

// Kinds are the kinds that a word may mean: "ip" means two, "hash" four. An empty word means all that can be guessed; a word that is not known
// means none.
func Kinds(word string) []*Kind {
	word = strings.ToLower(strings.TrimSpace(word))
	if word == "" || word == "auto" {
		return kinds[:guessed]
	}
	if a, ok := aliases[word]; ok {
		word = a
	}
	var out []*Kind
	for i, k := range kinds {
		if k.Name == word || word == "ip" && (k.Name == "ipv4" || k.Name == "ipv6") || word == "hash" && i < hashes {
			out = append(out, k)
		}
	}
	return out
}

// Read finds which of the kinds a value is, and its canonical form. scheme, when not empty, is put before what is no absolute URL. Where it is
// none, problem is a stable code: "value.empty", "value.unknown", or "value." with the name of the only kind.
func Read(candidates []*Kind, value, scheme string) (k *Kind, canonical, problem string) {
	value = Refang(strings.TrimSpace(value))
	switch {
	case value == "":
		return nil, "", "value.empty"
	case len(value) > maxValue:
		return nil, "", "value.long"
	case !utf8.ValidString(value):
		return nil, "", "value.utf8"
	case strings.ContainsFunc(value, unicode.IsControl):
		return nil, "", "value.control"
	}
	for _, k := range candidates {
		if v, ok := k.parse(value); ok {
			return k, v, ""
		}
	}
	if scheme != "" && !strings.Contains(value, "://") && (len(candidates) == 1 || strings.Contains(value, "/")) {
		for _, k := range candidates {
			if k.Name == "url" {
				if v, ok := URL(scheme + "://" + value); ok {
					return k, v, ""
				}
			}
		}
	}
	if len(candidates) == 1 {
		return nil, "", "value." + candidates[0].Name
	}
	return nil, "", "value.unknown"
}

// Pattern is the STIX pattern that finds a value in its canonical form.
func (k *Kind) Pattern(value string) string {
	if k.make != nil {
		return k.make(value)
	}
	return "[" + k.path + " = " + literal(value) + "]"
}

// literal writes a string literal of the pattern language (STIX 2.1 section 9.3).
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

var defanged = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[DOT]", ".", "{dot}", ".", "[:]", ":", "[://]", "://", "[/]", "/",
	"[at]", "@", "(at)", "@", "[AT]", "@", "[@]", "@")

var schemes = regexp.MustCompile(`(?i)^(hxxps?|h\*\*ps?|hxtps?|fxp|meow)(://|:\\\\)`)

// Refang undoes what keeps people from following a link by mistake: hxxp, [.], (dot), [at] and the like.
func Refang(s string) string {
	if strings.ContainsAny(s, "[({") {
		s = defanged.Replace(s)
	}
	if m := schemes.FindStringSubmatchIndex(s); m != nil {
		scheme := "http"
		switch word := strings.ToLower(s[m[2]:m[3]]); {
		case word == "fxp":
			scheme = "ftp"
		case strings.HasSuffix(word, "s"):
			scheme = "https"
		}
		s = scheme + "://" + s[m[1]:]
	}
	return strings.ReplaceAll(s, `\.`, ".")
}

func address(four bool) func(string) (string, bool) {
	return func(s string) (string, bool) {
		if c := s[0]; c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return "", false
		}
		if strings.Contains(s, "/") {
			p, err := netip.ParsePrefix(s)
			if err != nil || p.Addr().Is4() != four {
				return "", false
			}
			if p = p.Masked(); p.Bits() == p.Addr().BitLen() {
				return p.Addr().String(), true
			}
			return p.String(), p.Bits() > 0 // the whole of the internet is nothing to look for
		}
		a, err := netip.ParseAddr(s)
		if err != nil || a.Is4() != four || a.Zone() != "" || a.IsUnspecified() {
			return "", false
		}
		return a.String(), true
	}
}

func addressPort(s string) (string, bool) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
		return "", false
	}
	return ap.String(), true
}

func addressPortPattern(s string) string {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return ""
	}
	typ := "ipv6-addr"
	if ap.Addr().Is4() {
		typ = "ipv4-addr"
	}
	return "[network-traffic:dst_ref.type = '" + typ + "' AND network-traffic:dst_ref.value = '" + ap.Addr().String() + "' AND network-traffic:dst_port = " +
		strconv.Itoa(int(ap.Port())) + "]"
}

var macForm = regexp.MustCompile(`^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$`)

func mac(s string) (string, bool) {
	if len(s) != 17 || !macForm.MatchString(s) {
		return "", false
	}
	return strings.ToLower(strings.ReplaceAll(s, "-", ":")), true
}

// URL is the canonical form of an absolute URL: scheme and host in lower case, everything else as it is.
func URL(s string) (string, bool) {
	if !strings.Contains(s, "://") {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme == "" || strings.ContainsAny(s, " \"<>") {
		return "", false
	}
	// The scheme and the host are the same in any case; everything else is kept as it is.
	i := strings.Index(s, "://") + 3
	end := len(s)
	if j := strings.IndexAny(s[i:], "/?#"); j >= 0 {
		end = i + j
	}
	host := s[i:end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		return strings.ToLower(s[:i]) + host[:at+1] + strings.ToLower(host[at+1:]) + s[end:], true
	}
	return strings.ToLower(s[:i]) + strings.ToLower(host) + s[end:], true
}

func email(s string) (string, bool) {
	local, host, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || strings.ContainsAny(local, " \t\"<>(),;:\\") {
		return "", false
	}
	host, ok = domain(host)
	return local + "@" + host, ok
}

// domain takes what can stand in the DNS, underscores included, with two labels at least.
func domain(s string) (string, bool) {
	s = strings.TrimSuffix(s, ".")
	s = strings.TrimPrefix(s, "*.")
	if len(s) > 253 || strings.IndexByte(s, '.') <= 0 {
		return "", false
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return "", false
			}
			s = ascii
			break
		}
	}
	s = strings.ToLower(s)
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if c := s[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return "", false
			}
			continue
		}
		label := s[start:i]
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
		if i == len(s) && strings.Trim(label, "0123456789") == "" {
			return "", false // the last label of a name is never a number
		}
		start = i + 1
	}
	return s, true
}

func text(s string) (string, bool) { return s, len(s) <= 2048 }
