package observable

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// Found is a value in a text.
type Found struct {
	Kind    string `json:"kind"`            // the name of a Kind, or vulnerability or attack-pattern
	Value   string `json:"value"`           // canonical
	Pattern string `json:"pattern"`         // the STIX pattern that finds it; empty for a vulnerability or attack-pattern
	Written string `json:"written"`         // as it stands in the text, where it stands first
	Line    int    `json:"line"`            // counted from 1
	Times   int    `json:"times"`           // how often it stands in the text
	Doubt   string `json:"doubt,omitempty"` // why it may be something else, or nothing to look for: see Doubts
}

// Doubts are the codes of Found.Doubt, and what they mean.
func Doubts() map[string]string {
	return map[string]string{
		"address.special":  "the address is private or reserved, so that it means another machine in every network",
		"address.version":  "this may be the number of a version",
		"domain.file":      "this may be the name of a file",
		"domain.suffix":    "there is no such top-level domain",
		"domain.reference": "the text cites this site; it is probably not what it warns of",
	}
}

// MaxFound bounds the different values that Find returns.
const MaxFound = 20_000

var (
	cve       = regexp.MustCompile(`(?i)^CVE-(\d{4})-(\d{4,19})$`)
	technique = regexp.MustCompile(`^(T[A]?\d{4})(\.\d{3})?$`)
	version   = regexp.MustCompile(`^\d{1,2}\.\d{1,2}\.\d{1,2}\.\d{1,2}$`)
	fileName  = regexp.MustCompile(`(?i)^[\p{L}\p{N}_ .~$@%+=()-]{1,120}\.(exe|dll|sys|scr|bat|cmd|ps1|vbs|vbe|js|jse|hta|lnk|msi|jar|apk|docx?|docm|xlsx?|xlsm|pptx?|pptm|pdf|rtf|iso|img|vhd|rar|7z|gz|tgz|tar|bin|dat|tmp|elf|so|php|aspx?|jsp|cfg|ini|txt|log|chm|one|wsf|cpl|ocx|dmg|pkg|deb|rpm|ko)$`)
)

// ambiguous are top-level domains that are more often the end of a file's name, where the name was not defanged.
var ambiguous = map[string]bool{"py": true, "md": true, "sh": true, "pl": true, "rs": true, "zip": true, "mov": true, "cc": true, "ps": true, "app": true, "so": true, "ai": true, "pub": true, "run": true, "lua": true}

// cited are sites that reports cite.
var cited = map[string]bool{"virustotal.com": true, "github.com": true, "mitre.org": true, "nist.gov": true, "cisa.gov": true, "first.org": true, "misp-project.org": true, "twitter.com": true, "x.com": true,
	"wikipedia.org": true, "shodan.io": true, "urlscan.io": true, "any.run": true, "abuse.ch": true, "alienvault.com": true, "microsoft.com": true, "archive.org": true, "linkedin.com": true, "youtube.com": true, "oasis-open.org": true}

// Find lists the values that stand in a text, in the order in which they come first, each once. It is as sure as the text permits: what may
// be something else carries a doubt. cut tells that there were more than MaxFound.
func Find(text string) (found []Found, cut bool) {
	at := map[[2]string]int{}
	line := 0
	for row := range strings.Lines(text) {
		line++
		for _, w := range words(row) {
			kind, f, ok := readWord(w)
			if !ok {
				continue
			}
			key := [2]string{f.Kind, f.Value}
			if i, there := at[key]; there {
				found[i].Times++
				if f.Doubt == "" {
					found[i].Doubt = ""
				}
				continue
			}
			if len(found) == MaxFound {
				return found, true
			}
			if kind != nil {
				f.Pattern = kind.Pattern(f.Value)
			}
			f.Written, f.Line, f.Times = w, line, 1
			at[key] = len(found)
			found = append(found, f)
		}
	}
	return found, false
}

// separates tells where one word of a text ends: blanks, quotation marks, and what encloses or lists.
func separates(r rune) bool {
	switch r {
	case '"', '\'', '`', '<', '>', '|', ',', ';', '“', '”', '„', '«', '»', '‘', '’', '•', '→', '⇒':
		return true
	}
	return unicode.IsSpace(r) || unicode.IsControl(r)
}

// words cuts a line into what may be values. Brackets stay where they may defang, and go where they enclose.
func words(line string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(line, separates) {
		if len(w) > maxValue || !utf8.ValidString(w) {
			continue
		}
		w = strings.TrimRight(w, ".:!?*_…")
		for range 16 { // layers of what encloses
			before := w
			for _, pair := range []string{"()", "[]", "{}"} {
				open, close := pair[:1], pair[1:]
				if strings.HasPrefix(w, open) && (!strings.Contains(w, close) || strings.HasSuffix(w, close) && strings.Count(w, open) == strings.Count(w, close) && !enclosesAddress(w)) {
					w = strings.TrimPrefix(w, open)
				}
				if strings.HasSuffix(w, close) && strings.Count(w, close) > strings.Count(w, open) {
					w = strings.TrimSuffix(w, close)
				}
			}
			w = strings.TrimLeft(w, "*_=…")
			w = strings.TrimRight(w, ".:!?*_…")
			if w == before {
				break
			}
		}
		if w == "" {
			continue
		}
		out = append(out, w)
		// "c2=evil.example", "MD5:44d8…", "a.example/b.example" in a list: what follows a sign may be the value.
		if i := strings.LastIndexAny(w, "="); i >= 0 && i+1 < len(w) && !strings.Contains(w[:i], "://") && !strings.Contains(w[:i], "?") {
			out = append(out, w[i+1:])
		} else if before, after, ok := strings.Cut(w, ":"); ok && len(after) > 3 && !strings.HasPrefix(after, "/") && !strings.ContainsAny(before, ".:[]0123456789") {
			out = append(out, after)
		} else if before, after, ok := strings.Cut(w, ":"); ok && hashWord[strings.ToLower(before)] {
			out = append(out, after)
		}
	}
	return out
}

var hashWord = map[string]bool{"md5": true, "sha1": true, "sha-1": true, "sha256": true, "sha-256": true, "sha512": true, "sha-512": true}

// enclosesAddress tells whether brackets belong to an address with a port: [2001:db8::1]:443.
func enclosesAddress(w string) bool {
	_, err := netip.ParseAddrPort(w)
	return err == nil
}

// readWord tells which value a word of a text is.
func readWord(w string) (*Kind, Found, bool) {
	if m := cve.FindStringSubmatch(w); m != nil {
		return nil, Found{Kind: "vulnerability", Value: "CVE-" + m[1] + "-" + m[2]}, true
	}
	if technique.MatchString(w) {
		return nil, Found{Kind: "attack-pattern", Value: w}, true
	}
	k, v, problem := Read(kinds[:guessed], w, "")
	if problem != "" {
		if strings.ContainsAny(w, "/\\") { // the name at the end of a path
			w = w[strings.LastIndexAny(w, "/\\")+1:]
		}
		if fileName.MatchString(w) {
			return kindNamed("file-name"), Found{Kind: "file-name", Value: w}, true
		}
		return nil, Found{}, false
	}
	f := Found{Kind: k.Name, Value: v}
	defanged := strings.ContainsAny(w, "[({") || schemes.MatchString(w)
	switch k.Name {
	case "ipv4", "ipv6":
		p, err := netip.ParsePrefix(v)
		if err != nil {
			a, _ := netip.ParseAddr(v)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		switch {
		case special(p.Addr()):
			f.Doubt = "address.special"
		case !defanged && version.MatchString(w):
			f.Doubt = "address.version"
		}
	case "ip-port":
		if ap, err := netip.ParseAddrPort(v); err == nil && special(ap.Addr()) {
			f.Doubt = "address.special"
		}
	case "domain":
		suffix, icann := publicsuffix.PublicSuffix(v)
		last := v[strings.LastIndexByte(v, '.')+1:]
		switch {
		case !defanged && fileName.MatchString(w):
			return kindNamed("file-name"), Found{Kind: "file-name", Value: w}, true
		case !icann && strings.IndexByte(suffix, '.') < 0 && !reserved[last]:
			if !defanged {
				return nil, Found{}, false // "e.g", "self.value": a word with a point in it
			}
			f.Doubt = "domain.suffix"
		case !defanged && ambiguous[last]:
			f.Doubt = "domain.file"
		case !defanged && citation(v):
			f.Doubt = "domain.reference"
		}
	case "url":
		host := v[strings.Index(v, "://")+3:]
		if i := strings.IndexAny(host, "/?#:"); i >= 0 {
			host = host[:i]
		}
		if !defanged && citation(host) {
			f.Doubt = "domain.reference"
		}
	}
	return k, f, true
}

// reserved are top-level names that exist to be written about (RFC 2606, RFC 6761, RFC 7686).
var reserved = map[string]bool{"example": true, "test": true, "invalid": true, "onion": true}

func citation(host string) bool {
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	return err == nil && cited[site]
}

func special(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240)
}

func kindNamed(name string) *Kind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}
