package mispapi

import (
	"net/netip"
	"regexp"
	"strings"

	"entente/internal/fault"
	"entente/misp"
)

var (
	domainForm = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	cveForm    = regexp.MustCompile(`^(?i)CVE-\d{4}-\d{4,19}$`)
	hexForm    = regexp.MustCompile(`^(?i)[0-9a-f]+$`)
)

const maxFound = 10_000

// found is the attributes that a free text holds: addresses, domains, URLs, hashes, e-mail addresses and CVE numbers, refanged.
func found(text string) []misp.Attribute {
	text = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "hxxp", "http", "[:]", ":", "[@]", "@", "[at]", "@").Replace(text)
	seen := map[string]bool{}
	var out []misp.Attribute
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;\"'<>()|", r) }) {
		w = strings.TrimRight(w, ".:")
		typ := ""
		low := strings.ToLower(w)
		switch {
		case seen[low] || len(w) > 2048:
			continue
		case strings.HasPrefix(low, "http://"), strings.HasPrefix(low, "https://"), strings.HasPrefix(low, "ftp://"):
			typ = "url"
		case cveForm.MatchString(w):
			typ, w = "vulnerability", strings.ToUpper(w)
		case hexForm.MatchString(w):
			typ = map[int]string{32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}[len(w)]
			w = low
		case strings.Count(w, "@") == 1 && domainForm.MatchString(low[strings.IndexByte(low, '@')+1:]) && w[0] != '@':
			typ = "email"
		case isAddress(w):
			typ = "ip-dst"
		case domainForm.MatchString(low):
			if typ, w = "domain", low; strings.Count(low, ".") > 1 {
				typ = "hostname"
			}
		}
		if typ == "" {
			continue
		}
		seen[low] = true
		t, _ := misp.TypeByName(typ)
		out = append(out, misp.Attribute{Type: typ, Category: t.Category, Value: w, ToIDs: misp.FlagOf(t.ToIDs)})
		if len(out) == maxFound {
			break
		}
	}
	return out
}

func isAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return strings.ContainsAny(s, ".:")
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// freeText finds the attributes in a text, and adds them to an event where that is asked for.
func (s *Surface) freeText(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	text := c.params.get("value")
	if text == "" {
		return fault.New(fault.Invalid, "misp.param", "there is no text in value").At("value")
	}
	list := found(text)
	if !c.params.flag("adhereToWarninglists") && c.params.get("returnMetaAttributes") == "1" || c.arg(0) == "" {
		out := []any{}
		for i := range list {
			out = append(out, encoded(&list[i]))
		}
		return c.answer(out)
	}
	it, e, err := s.ownEvent(c, c.arg(0))
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return c.answer([]int{})
	}
	at := s.changeTime("")
	for i := range list {
		list[i].Timestamp = misp.Unix(at)
		if d := c.params.get("distribution"); d != "" {
			list[i].Distribution = d
		}
	}
	e.Attributes, e.Published = list, misp.False
	if err := s.save(c, it, e, at, "Attribute"); err != nil {
		return err
	}
	out := []any{}
	for i := range e.Attributes {
		out = append(out, encoded(&e.Attributes[i]))
	}
	return c.answer(out)
}
