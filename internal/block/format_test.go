package block

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/internal/indicator"
	"entente/sigma"
)

// Every format is read back here by a reader that takes nothing but what the format has, and compared with what was to be in it.

// shapes are the lines of the formats that are read by line. The first group is the value.
var shapes = map[string]*regexp.Regexp{
	"hosts":            regexp.MustCompile(`^(?:0\.0\.0\.0 ([a-z0-9._-]+) # [A-Za-z0-9 ._:/@+-]*|:: [a-z0-9._-]+)$`),
	"rpz":              regexp.MustCompile(`^(?:\*\.[a-z0-9._-]+ CNAME \.|([a-z0-9._-]+) CNAME \. ; [A-Za-z0-9 ._:/@+-]*)$`),
	"nft":              regexp.MustCompile(`^(?:add table inet entente|add set inet entente block[46] \{ type ipv[46]_addr; flags interval, timeout; \}|flush set inet entente block[46]|add element inet entente block[46] \{ ([0-9a-f.:/]+)(?: timeout [0-9]+s)? comment "[A-Za-z0-9 ._:/@+-]{0,128}" \})$`),
	"suricata-ip":      regexp.MustCompile(`^([0-9a-f.:]+)$`),
	"suricata-md5":     regexp.MustCompile(`^([0-9a-f]{32})$`),
	"suricata-sha256":  regexp.MustCompile(`^([0-9a-f]{64})$`),
	"suricata-domains": regexp.MustCompile(`^([A-Za-z0-9+/=]+)$`),
	"squid":            regexp.MustCompile(`^\.?([a-z0-9._-]+)$`),
	"squid-addresses":  regexp.MustCompile(`^([0-9a-f.:/]+)$`),
	"list":             regexp.MustCompile(`^([!-~]+)$`),
}

// values reads a file of a format back.
func values(format, text string) (out []string, err error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no end")
	}
	bad := func(line string) error { return fmt.Errorf("%q is no line of %s", line, format) }
	switch format {
	case "json":
		var v struct {
			Nation, Org, Realm, Cursor string
			Serial                     uint32
			Time                       time.Time
			Entries                    []View
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, err
		}
		for _, x := range v.Entries {
			out = append(out, x.Value)
		}
		return out, nil
	case "csv":
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) == 0 || !slices.Equal(rows[0], csvColumns) {
			return nil, fmt.Errorf("no table: %v", err)
		}
		for _, r := range rows[1:] {
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
					return nil, fmt.Errorf("%q is a formula", cell)
				}
			}
			out = append(out, r[1])
		}
		return out, nil
	case "sigma":
		return sigmaValues(text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsAny(line, "\r\x00\x0b\x0c\u0085") {
			return nil, bad(line)
		}
		mark := "#"
		if format == "rpz" {
			mark = ";"
		}
		switch {
		case strings.HasPrefix(line, mark) && format != "zeek":
			continue
		case format == "rpz" && (strings.HasPrefix(line, "$TTL 60") || strings.HasPrefix(line, "@ ")):
			continue
		case format == "zeek":
			cells := strings.Split(line, "\t")
			if len(cells) == 5 && cells[0] == "#fields" {
				continue
			}
			if len(cells) != 4 || !strings.HasPrefix(cells[1], "Intel::") || cells[0] == "" || strings.HasPrefix(cells[0], "#") {
				return nil, bad(line)
			}
			v, err := unescape(cells[0])
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		case format == "suricata" || format == "snort":
			v, err := ruleValue(format, line)
			if err != nil {
				return nil, err
			}
			if v != "" {
				out = append(out, v)
			}
		case format == "squid-urls":
			re, err := regexp.Compile(line)
			if err != nil || !strings.HasPrefix(line, "^http://") || !strings.HasSuffix(line, "$") || strings.ContainsAny(line, " \t\"") {
				return nil, bad(line)
			}
			literal := regexp.MustCompile(`\\(.)`).ReplaceAllString(strings.Replace(line[1:len(line)-1], "(:[0-9]+)?", "", 1), "$1")
			if !re.MatchString(literal) {
				return nil, bad(line)
			}
			out = append(out, literal)
		default:
			m := shapes[format].FindStringSubmatch(line)
			if m == nil {
				return nil, bad(line)
			}
			if m[1] == "" {
				continue
			}
			v := m[1]
			switch format {
			case "suricata-domains":
				b, err := base64.StdEncoding.DecodeString(v)
				if err != nil {
					return nil, err
				}
				v = string(b)
			case "rpz":
				v = fromZone(v)
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// unescape reads \xNN.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i+4 > len(s) || s[i+1] != 'x' {
			return "", fmt.Errorf("%q has a backslash", s)
		}
		c, err := hex.DecodeString(s[i+2 : i+4])
		if err != nil {
			return "", err
		}
		b.Write(c)
		i += 3
	}
	return b.String(), nil
}

// fromZone is the value of an owner name.
func fromZone(owner string) string {
	rest, ok := strings.CutSuffix(owner, ".rpz-ip")
	if !ok {
		return owner
	}
	bits, rest, _ := strings.Cut(rest, ".")
	parts := strings.Split(rest, ".")
	slices.Reverse(parts)
	text := strings.Join(parts, ".")
	if len(parts) != 4 || slices.Contains(parts, "zz") {
		text = strings.Join(parts, ":")
		text = regexp.MustCompile(`(^|:)zz(:|$)`).ReplaceAllString(text, "::")
	}
	a, err := netip.ParseAddr(text)
	n, _ := strconv.Atoi(bits)
	switch {
	case err != nil:
		return "not an address: " + owner
	case n == a.BitLen():
		return a.String()
	}
	return netip.PrefixFrom(a, n).String()
}

// ruleHead is what stands before the options of a rule.
var ruleHead = regexp.MustCompile(`^drop (ip|dns|tls|http|udp|tcp) (any any <> \[([0-9a-f.:/]+)\] any|any any -> any (?:any|53)) \((.*)\)$`)

// known are the options that rules here have; true: they have a value.
var known = map[string]bool{"msg": true, "metadata": true, "sid": true, "rev": true, "content": true, "dns.query": false, "tls.sni": false, "http.host": false, "http.uri.raw": false, "ja3.hash": false, "ja3s.hash": false,
	"dotprefix": false, "startswith": false, "endswith": false, "nocase": false}

// ruleValue reads one rule strictly, and gives the value that it is about; "" where another rule of the entry has told it.
func ruleValue(format, line string) (string, error) {
	m := ruleHead.FindStringSubmatch(line)
	if m == nil {
		return "", fmt.Errorf("%q is no rule", line)
	}
	var contents []string
	var sticky, sid string
	for rest := m[4]; rest != ""; {
		end, quoted := 0, false
		for end < len(rest) && (quoted || rest[end] != ';') {
			switch rest[end] {
			case '"':
				quoted = !quoted
			case '\\':
				return "", fmt.Errorf("%q has a backslash", line)
			}
			end++
		}
		if end == len(rest) || quoted {
			return "", fmt.Errorf("%q has an option without an end", line)
		}
		option := strings.TrimSpace(rest[:end])
		rest = strings.TrimPrefix(rest[end+1:], " ")
		name, value, has := strings.Cut(option, ":")
		if want, ok := known[name]; !ok || want != has {
			return "", fmt.Errorf("%q has the option %q", line, option)
		}
		switch name {
		case "content":
			text, _, _ := strings.Cut(strings.TrimPrefix(value, `"`), `"`)
			c, err := contentOf(text)
			if err != nil {
				return "", err
			}
			contents = append(contents, c)
		case "sid":
			sid = value
		case "dns.query", "tls.sni", "http.host", "ja3.hash", "ja3s.hash":
			sticky = name
		}
	}
	if sid == "" {
		return "", fmt.Errorf("%q has no number", line)
	}
	if m[3] != "" {
		return m[3], nil
	}
	switch {
	case len(contents) == 0:
		return "", fmt.Errorf("%q looks for nothing", line)
	case format == "snort":
		if m[1] == "tcp" {
			return "", nil
		}
		var labels []string
		for w := contents[0]; w != ""; {
			n := int(w[0])
			if n == 0 && len(w) == 1 {
				return strings.Join(labels, "."), nil
			}
			if n == 0 || len(w) < n+1 {
				break
			}
			labels, w = append(labels, w[1:n+1]), w[n+1:]
		}
		return "", fmt.Errorf("%q has no name of DNS", line)
	case len(contents) == 2:
		return "http://" + contents[0] + contents[1], nil
	case sticky == "tls.sni" || sticky == "http.host":
		return "", nil
	}
	return strings.TrimPrefix(contents[0], "."), nil
}

// contentOf reads the text of an option content.
func contentOf(s string) (string, error) {
	var b strings.Builder
	for i, part := range strings.Split(s, "|") {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		c, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil || part == "" {
			return "", fmt.Errorf("%q is no content", s)
		}
		b.Write(c)
	}
	return b.String(), nil
}

// sigmaValues reads rules with the package that says what they mean.
func sigmaValues(text string) (out []string, err error) {
	all, err := sigma.Parse("block.yml", []byte(text))
	if err != nil {
		return nil, err
	}
	for _, r := range all.Rules {
		if _, err := r.Compile(); err != nil {
			return nil, err
		}
	}
	for line := range strings.Lines(text) {
		field, rest, ok := strings.Cut(line, "'")
		if !strings.HasPrefix(line, "    - ") || strings.Contains(field, "endswith") {
			continue
		}
		quoted, _, ok2 := strings.Cut(strings.ReplaceAll(rest, "''", "\x00"), "'")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%q has no value", line)
		}
		plain := ""
		for _, p := range sigma.ParsePattern(strings.ReplaceAll(quoted, "\x00", "'")) {
			if p.Kind != sigma.PartText {
				return nil, fmt.Errorf("%q has a wildcard", line)
			}
			plain += p.Text
		}
		if strings.Contains(field, "Hashes") {
			_, plain, _ = strings.Cut(plain, "=")
		}
		out = append(out, plain)
	}
	return out, nil
}

// wanted is what must be in a file.
func wanted(s Selection, e *Edition) (out []string) {
	var within cover
	if s.covers {
		within = newCover(e, s)
	}
	for i := range e.Entries {
		x := &e.Entries[i]
		if !s.takes(x) || s.covers && within.has(x) {
			continue
		}
		v := x.Value
		switch {
		case s.Name == "zeek" && x.Kind == indicator.URL:
			_, v, _ = strings.Cut(v, "://")
		case (s.Name == "suricata" || s.Name == "squid-urls") && x.Kind == indicator.URL:
			host, rest := split(v)
			v = "http://" + host + rest
		}
		out = append(out, v)
	}
	return out
}

// every compares all formats of an edition with what is read back.
func every(t *testing.T, e *Edition) {
	t.Helper()
	for _, f := range Formats() {
		s, err := Select(f.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := written(t, f.Name, e)
		got, err := values(f.Name, text)
		if err != nil {
			t.Errorf("%s: %v\n%s", f.Name, err, text)
			continue
		}
		if want := wanted(s, e); !slices.Equal(got, want) {
			t.Errorf("%s: %q was read back, and not %q\n%s", f.Name, got, want, text)
		}
	}
}

func TestFormatsAreReadBack(t *testing.T) {
	all := map[indicator.Kind][]string{
		indicator.Email: {"a.b+c@bad-zone.com", "=x@bad-zone.com"}, indicator.MD5: {"0cc175b9c0f1b6a831c399e269772661"}, indicator.SHA1: {strings.Repeat("ab", 20)}, indicator.SHA256: {strings.Repeat("cd", 32)},
		indicator.SHA512: {strings.Repeat("ef", 64)}, indicator.JA3: {"769a0cc175b9c0f1b6a831c399e26977"}, indicator.JA3S: {"769a0cc175b9c0f1b6a831c399e26978"}, indicator.JA4: {"t13d1516h2_8daaf6152771_e5627efa2ab1"},
	}
	for k, v := range someValues {
		all[k] = v
	}
	all[indicator.URL] = append(all[indicator.URL], `http://bad-zone.com:8080/a;b"c'd|e\f`, "http://bad-zone.com/%22%3b", "http://[2a01:4f8::1]/x", "http://185.1.1.1/y#frag", "ftp://bad-zone.com/z", "http://bad-zone.com")
	e := edition(t, all)
	every(t, e)
	every(t, edition(t, nil))
	e.Realm = "exercise:storm\n10.0.0.0/8"
	e.Org = "evil\ninclude /etc/passwd"
	every(t, e)
	for _, f := range Formats() {
		if text := written(t, f.Name, e); f.begin != nil && f.Name != "json" && f.Name != "csv" && f.Name != "zeek" && !strings.Contains(strings.SplitN(text, "\n", 2)[0], "EXERCISE storm_10.0.0.0/8") {
			t.Errorf("%s of an exercise does not say so first:\n%s", f.Name, text)
		}
	}
}

// Values that are built to end a line, an option or a record stay values, or have no place in the format.
func FuzzWriters(f *testing.F) {
	for i, s := range []string{"evil.bad-zone.com", "http://a.bad-zone.com/x\";sid:1;)\ndrop ip any any", "x\n*.com CNAME .", "1.2.3.4 }\nflush ruleset", "a@b.org\t", "http://x.org/'\n---\ntitle: y", "http://x.org/|00|%0a\\x0a", "=1+1",
		"2a01::/40", "$INCLUDE /etc/passwd", "http://x.org/ b\x00", "http://\u0430.org/", "t13d1516h2_8daaf6152771_e5627efa2ab1", "http://x.org/#@a", "\u2028.org"} {
		f.Add(byte(i), s, "indicator--x\"; include /etc/passwd\n", "five\n$ORIGIN .")
	}
	f.Fuzz(func(t *testing.T, kind byte, text, source, accord string) {
		if len(text) > 4096 {
			return
		}
		v, err := indicator.New(Kinds[int(kind)%len(Kinds)], text)
		if err != nil {
			return
		}
		value := strings.TrimPrefix(v.Text(), "*.")
		if !slices.Contains(Kinds, v.Kind) || !sound(v.Kind, value) {
			return
		}
		e := edition(t, map[indicator.Kind][]string{indicator.IPv4: {"185.199.1.7"}, indicator.Domain: {"zz.last-zone.net"}, indicator.SHA256: {strings.Repeat("cd", 32)}})
		if _, ok := e.find(v.Kind, value); ok {
			return
		}
		e.Entries = append(e.Entries, Entry{Kind: v.Kind, Value: value, Beneath: v.Kind == indicator.Domain && !v.Alone(), Sources: []Source{{ID: source, Version: source, Origin: accord, Via: accord, Accord: accord, TLP: source, PAP: accord}}})
		sortEntries(e.Entries)
		every(t, e)
	})
}

func TestSelect(t *testing.T) {
	if _, err := Select("iptables", nil); err == nil || !strings.Contains(err.Error(), "no format") {
		t.Errorf("%v", err)
	}
	if _, err := Select("hosts", []string{"ipv4"}); err == nil || !strings.Contains(err.Error(), "no type") {
		t.Errorf("%v", err)
	}
	s, err := Select("list", []string{"domain", "ipv4", "domain"})
	if err != nil || !slices.Equal(s.Kinds, []indicator.Kind{indicator.IPv4, indicator.Domain}) {
		t.Errorf("%v, %v", s.Kinds, err)
	}
}
