package indicator

import (
	"strings"
	"time"

	"entente/stix"
	"entente/stix/pattern"
)

// Left is what does not become an entry, and why. Nothing is left out without one.
type Left struct {
	Code   string // stable: see the constants, or "indicator." and the kind for a value that is none
	Detail string // for people
}

// The codes of Left, besides those of New.
const (
	LeftPattern  = "pattern"          // more than a list of values: for the pattern engine
	LeftSyntax   = "pattern.syntax"   // no pattern
	LeftLanguage = "pattern.language" // a pattern of another language than STIX
	LeftType     = "type"             // a type of object that has no values to look for
	LeftEmpty    = "empty"            // an object without the value that its type has
	LeftList     = "list.kind"        // a kind of value that no index has
	LeftLine     = "list.line"        // a line that is no entry
)

// FromObject reads the values of an indicator, or of an observable that somebody asks to be looked for. The Meta has all but Seq, Label and
// Accord, which are the caller's to know. A pattern that is more than a list of values gives no value and a LeftPattern.
func FromObject(o *stix.Object) (Meta, []Value, []Left) {
	m := Meta{Source: o.ID(), From: moment(o.Text("/valid_from")), Until: moment(o.Text("/valid_until")), Since: moment(o.Modified()), Confidence: -1, Revoked: o.Revoked()}
	if m.From.After(m.Since) {
		m.Since = m.From
	}
	if n, ok := o.Confidence(); ok {
		m.Confidence = n
	}
	c := &collection{}
	if o.Type() == "indicator" {
		c.indicator(o)
	} else {
		c.observable(o)
	}
	return m, c.values, c.left
}

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// fromPattern reads the values of a pattern that is a list of them: comparisons by = and IN joined by OR, in one observation or in several.
// Besides these, two common forms with AND are known: a reference with its type, and a file's name with its folder.
func fromPattern(p *pattern.Pattern) ([]Value, []Left) {
	c := &collection{}
	c.pattern(p)
	return c.values, c.left
}

type collection struct {
	values []Value
	left   []Left
}

func (c *collection) leave(code, detail string) {
	c.left = append(c.left, Left{Code: code, Detail: detail})
}

func (c *collection) add(k Kind, text string) {
	v, err := New(k, text)
	if err != nil {
		c.leave("indicator."+k.String(), err.Error())
		return
	}
	c.values = append(c.values, v)
}

func (c *collection) indicator(o *stix.Object) {
	if language := o.Text("/pattern_type"); language != "stix" && language != "" {
		c.leave(LeftLanguage, language)
		return
	}
	p, err := pattern.Parse(o.Text("/pattern"))
	if err != nil {
		c.leave(LeftSyntax, err.Error())
		return
	}
	c.pattern(p)
}

func (c *collection) pattern(p *pattern.Pattern) {
	list := &collection{}
	if why := list.expression(p.Root()); why != "" {
		c.leave(LeftPattern, why)
		return
	}
	c.values, c.left = append(c.values, list.values...), append(c.left, list.left...)
}

// expression collects the values, or says why the expression is more than a list of values.
func (c *collection) expression(e *pattern.Expression) (why string) {
	if len(e.Qualifiers) > 0 {
		return "it has " + e.Qualifiers[0].Kind.String()
	}
	switch e.Op {
	case pattern.Observe:
		return c.condition(&e.Condition)
	case pattern.Group, pattern.Or:
		for i := range e.Operands {
			if why := c.expression(&e.Operands[i]); why != "" {
				return why
			}
		}
		return ""
	}
	return "it has " + e.Op.String()
}

func (c *collection) condition(n *pattern.Condition) (why string) {
	switch n.Join {
	case pattern.Single:
		return c.test(&n.Test)
	case pattern.Any:
		for i := range n.Operands {
			if why := c.condition(&n.Operands[i]); why != "" {
				return why
			}
		}
		return ""
	}
	if len(n.Operands) == 2 && n.Operands[0].Join == pattern.Single && n.Operands[1].Join == pattern.Single {
		a, b := &n.Operands[0].Test, &n.Operands[1].Test
		if c.both(a, b) || c.both(b, a) {
			return ""
		}
	}
	return "it has AND"
}

// both knows the two forms with AND.
func (c *collection) both(a, b *pattern.Test) bool {
	first, second := pathOf(&a.Path), pathOf(&b.Path)
	if !equality(a) || !equality(b) || a.Value.Kind != pattern.String || b.Value.Kind != pattern.String {
		return false
	}
	if base, ok := strings.CutSuffix(first, ".type"); ok && second == base+".value" {
		for _, k := range []Kind{IPv4, IPv6, Domain, Email} {
			if a.Value.Text == scoType[k] {
				c.add(k, b.Value.Text)
				return true
			}
		}
		return false
	}
	if first == "file:parent_directory_ref.path" && second == "file:name" {
		c.add(FilePath, a.Value.Text+"/"+b.Value.Text)
		return true
	}
	return false
}

func equality(t *pattern.Test) bool { return t.Op == pattern.Equal && !t.Not }

func (c *collection) test(t *pattern.Test) (why string) {
	k, host := kindAt(&t.Path)
	switch {
	case k == 0 && !host:
		return "it looks at " + t.Path.String()
	case t.Not:
		return "it has NOT"
	}
	set := []pattern.Constant{t.Value}
	switch t.Op {
	case pattern.Equal:
	case pattern.In:
		set = t.Set
	case pattern.IsSubset:
		if k != IPv4 && k != IPv6 {
			return "it has " + t.Op.String()
		}
		k = CIDR
	default:
		return "it has " + t.Op.String()
	}
	for _, v := range set {
		if v.Kind != pattern.String && !(k == ASN && v.Kind == pattern.Integer) {
			return "it compares with " + v.Kind.String()
		}
	}
	for _, v := range set {
		text := v.Text
		switch {
		case v.Kind == pattern.Integer:
			text = v.String()
		case host:
			k = hostKind(text)
		}
		c.add(k, text)
	}
	return ""
}

// hostKind is the kind of one end of a connection.
func hostKind(text string) Kind {
	if v, ok := newAddress([]byte(refang(CIDR, text))); ok {
		return v.Kind
	}
	return Domain
}

// pathOf is a path in lower case without quotes, [*] left out; a place in a list is kept, and so found in no table.
func pathOf(p *pattern.Path) string {
	var b strings.Builder
	b.WriteString(p.Type)
	separator := byte(':')
	for _, s := range p.Steps {
		switch s.Kind {
		case pattern.Key:
			b.WriteByte(separator)
			b.WriteString(strings.ToLower(s.Key))
			separator = '.'
		case pattern.Index:
			b.WriteString("[]")
		}
	}
	return b.String()
}

var scoType = [kinds]string{IPv4: "ipv4-addr", IPv6: "ipv6-addr", Domain: "domain-name", URL: "url", Email: "email-addr"}

var pathKinds = map[string]Kind{
	"ipv4-addr:value": IPv4, "ipv6-addr:value": IPv6, "domain-name:value": Domain, "url:value": URL, "email-addr:value": Email,
	"email-message:from_ref.value": Email, "email-message:sender_ref.value": Email, "email-message:to_refs.value": Email, "email-message:cc_refs.value": Email,
	"email-message:bcc_refs.value": Email, "file:name": FileName, "process:image_ref.name": FileName, "process:binary_ref.name": FileName, "mutex:name": Mutex,
	"windows-registry-key:key": RegistryKey, "windows-registry-key:values.name": RegistryValue, "windows-registry-key:values.data": RegistryData,
	"network-traffic:extensions.http-request-ext.request_header.user-agent": UserAgent, "autonomous-system:number": ASN,
}

// kindAt is the kind of the values at a path; host: they are addresses or names.
func kindAt(p *pattern.Path) (k Kind, host bool) {
	path := pathOf(p)
	if k, ok := pathKinds[path]; ok {
		return k, false
	}
	typ, property, _ := strings.Cut(path, ":")
	switch {
	case path == "network-traffic:src_ref.value", path == "network-traffic:dst_ref.value":
		return 0, true
	case typ == "file", typ == "artifact", typ == "process":
		property = strings.TrimPrefix(strings.TrimPrefix(property, "image_ref."), "binary_ref.")
		if name, ok := strings.CutPrefix(property, "hashes."); ok {
			return hashNamed(name), false
		}
	case typ == "network-traffic", strings.HasPrefix(typ, "x-"):
		switch {
		case strings.Contains(path, "ja3s"):
			return JA3S, false
		case strings.Contains(path, "ja3"):
			return JA3, false
		case strings.Contains(path, "ja4"):
			return JA4, false
		}
	}
	return 0, false
}

// hashNamed knows the names that hashes have in STIX, with and without their signs; 0: another one.
func hashNamed(name string) Kind {
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
	case "md5":
		return MD5
	case "sha1":
		return SHA1
	case "sha256":
		return SHA256
	case "sha512":
		return SHA512
	}
	return 0
}

// observable reads what identifies an observable. A file with hashes is known by them, one without by its name.
func (c *collection) observable(o *stix.Object) {
	typ := o.Type()
	one := func(k Kind, pointer string) {
		if text := o.Text(pointer); text != "" {
			c.add(k, text)
		}
	}
	switch typ {
	case "ipv4-addr":
		one(IPv4, "/value")
	case "ipv6-addr":
		one(IPv6, "/value")
	case "domain-name":
		one(Domain, "/value")
	case "url":
		one(URL, "/value")
	case "email-addr":
		one(Email, "/value")
	case "mutex":
		one(Mutex, "/name")
	case "windows-registry-key":
		one(RegistryKey, "/key")
	case "autonomous-system":
		if raw, ok := o.Property("/number"); ok {
			c.add(ASN, string(raw))
		}
	case "file", "artifact":
		for _, name := range []string{"MD5", "SHA-1", "SHA-256", "SHA-512"} {
			one(hashNamed(name), "/hashes/"+name)
		}
		if len(c.values) == 0 {
			one(FileName, "/name")
		}
	case "network-traffic":
		one(UserAgent, "/extensions/http-request-ext/request_header/User-Agent")
	default:
		c.leave(LeftType, typ)
		return
	}
	if len(c.values)+len(c.left) == 0 {
		c.leave(LeftEmpty, typ)
	}
}
