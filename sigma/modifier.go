package sigma

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// modifiers are the modifiers by every name they have (Sigma modifiers appendix 2.1), and their full name.
var modifiers = map[string]string{
	"all": "all", "startswith": "startswith", "endswith": "endswith", "contains": "contains", "exists": "exists", "cased": "cased", "neq": "neq",
	"windash": "windash", "re": "re", "i": "ignorecase", "ignorecase": "ignorecase", "m": "multiline", "multiline": "multiline", "s": "dotall", "dotall": "dotall",
	"base64": "base64", "base64offset": "base64offset", "utf16le": "utf16le", "wide": "utf16le", "utf16be": "utf16be", "utf16": "utf16",
	"lt": "lt", "lte": "lte", "gt": "gt", "gte": "gte", "minute": "minute", "hour": "hour", "day": "day", "week": "week", "month": "month", "year": "year",
	"cidr": "cidr", "expand": "expand", "fieldref": "fieldref",
}

func modifierNames() []string { return slices.Sorted(maps.Keys(modifiers)) }

// What one value may become by windash and placeholders.
const maxForms = 5 * 5 * 5 * 5 * 5

// tooMany is said where the values of an item stand for more than a rule may ask.
const tooMany = "the values stand for more than %d texts: split the rule"

// maxRegex bounds a regular expression, in bytes.
const maxRegex = 8192

// reading is an item while its modifiers are applied one after the other.
type reading struct {
	item   *Item
	values []operand
	op     Op // OpWild while values are texts
	text   bool
	part   TimePart

	all, cased, neq, bounded bool // bounded: where the text must stand was said, so keywords keep to it

	flags                string // of a regular expression
	fromStart, untilEnd  bool   // of a regular expression, or of another field's text
	inside               bool   // of another field's text
	encoded, transformed bool
}

// operand is what became of one value: any of its forms.
type operand struct {
	Scalar
	forms [][]Part // of a text
	raw   []string // the same for a regular expression, which has no wildcards
}

// read applies the modifiers of an item. It is nil when they do not go with the values.
func (it *Item) read(placeholders map[string][]string, r *report) *reading {
	d := &reading{item: it, op: OpWild, text: true}
	failed := len(r.list.Errors())
	expand := slices.Contains(it.Modifiers, "expand")
	forms := 0
	for _, s := range it.Values {
		v := operand{Scalar: s}
		switch {
		case expand && s.Kind == KindText:
			v.forms, v.raw = expandPlaceholders(s, placeholders, r)
		case s.Kind == KindText:
			v.forms, v.raw = [][]Part{ParsePattern(s.Text)}, []string{s.Text}
		case s.Kind != KindNull:
			v.forms, v.raw = [][]Part{{{PartText, s.Text}}}, []string{s.Text}
		}
		if forms += len(v.forms); forms > MaxLeaves {
			r.fail(it.Position, CodeSize, tooMany, MaxLeaves)
			return nil
		}
		d.values = append(d.values, v)
	}
	for _, m := range it.Modifiers {
		d.apply(m, r)
		if len(r.list.Errors()) > failed {
			return nil
		}
	}
	d.check(r)
	if len(r.list.Errors()) > failed {
		return nil
	}
	return d
}

func (d *reading) apply(m string, r *report) {
	where := d.item.Position
	switch m {
	case "expand":
	case "all":
		d.all = true
		if len(d.values) == 1 {
			r.warn(where, CodeDoubtful, "all has no meaning for a single value: leave it out")
		}
	case "cased":
		d.cased = true
	case "neq":
		d.neq = true
	case "contains", "startswith", "endswith":
		d.place(m, r)
	case "re":
		if d.transformed || d.bounded || !d.text {
			r.fail(where, CodeModifier, "re must come before the modifiers that change the value or say where it stands: write it first")
			return
		}
		d.become(OpRegex, m, r)
	case "ignorecase", "multiline", "dotall":
		if d.op != OpRegex || d.text {
			r.fail(where, CodeModifier, "%s is part of re: write re|%s", m, m[:1])
			return
		}
		if flag := map[string]string{"ignorecase": "i", "multiline": "m", "dotall": "s"}[m]; !strings.Contains(d.flags, flag) {
			d.flags += flag
		}
	case "cidr":
		d.become(OpCIDR, m, r)
	case "fieldref":
		d.become(OpField, m, r)
	case "exists":
		d.become(OpExists, m, r)
	case "lt", "lte", "gt", "gte":
		d.become(map[string]Op{"lt": OpLess, "lte": OpLessEqual, "gt": OpGreater, "gte": OpGreaterEqual}[m], m, r)
	case "minute", "hour", "day", "week", "month", "year":
		if d.part != NoPart {
			r.fail(where, CodeModifier, "only one part of a time can be compared: leave out %s", m)
			return
		}
		d.part = TimePart(slices.Index(partNames[:], m))
	default:
		d.transform(m, r)
	}
}

// become makes the values something else than texts.
func (d *reading) become(op Op, m string, r *report) {
	if !d.text || d.transformed || d.bounded {
		r.fail(d.item.Position, CodeModifier, "%s does not go with the modifiers before it: %s", m, strings.Join(d.item.Modifiers, "|"))
		return
	}
	d.text, d.op = false, op
}

// place says where in the field's text the value stands.
func (d *reading) place(m string, r *report) {
	d.bounded = true
	if d.op == OpRegex || d.op == OpField {
		d.fromStart = d.fromStart || m == "startswith"
		d.untilEnd = d.untilEnd || m == "endswith"
		d.inside = d.inside || m == "contains"
		return
	}
	if !d.text {
		r.fail(d.item.Position, CodeModifier, "%s is for texts, and does not go with the modifiers before it: %s", m, strings.Join(d.item.Modifiers, "|"))
		return
	}
	star := []Part{{Kind: PartAny}}
	d.each(m, r, func(v *operand, form []Part) [][]Part {
		if m != "startswith" {
			form = join(star, form)
		}
		if m != "endswith" {
			form = join(form, star)
		}
		return [][]Part{form}
	})
}

// each changes every form of every value.
func (d *reading) each(m string, r *report, f func(*operand, []Part) [][]Part) {
	total := 0
	for i := range d.values {
		v := &d.values[i]
		if v.Kind == KindNull {
			r.fail(v.Position, CodeModifier, "%s is for texts, and null is none: write '' for an empty text, or null without modifiers", m)
			return
		}
		var forms [][]Part
		for _, form := range v.forms {
			forms = append(forms, f(v, form)...)
		}
		if v.forms = forms; len(forms) > maxForms {
			r.fail(v.Position, CodeSize, "the value stands for more than %d texts: split it", maxForms)
			return
		}
		if total += len(forms); total > MaxLeaves {
			r.fail(d.item.Position, CodeSize, tooMany, MaxLeaves)
			return
		}
	}
}

// transform changes the values themselves.
func (d *reading) transform(m string, r *report) {
	if !d.text {
		r.fail(d.item.Position, CodeModifier, "%s is for texts, and does not go with the modifiers before it: %s", m, strings.Join(d.item.Modifiers, "|"))
		return
	}
	d.transformed = true
	d.each(m, r, func(v *operand, form []Part) [][]Part {
		if m == "windash" {
			forms, ok := windash(form, maxForms)
			if !ok {
				r.fail(v.Position, CodeModifier, "windash has more than five parameters to vary here: split the value into several with all")
			}
			return forms
		}
		text, ok := literal(form)
		if m == "base64" || m == "base64offset" {
			if !ok {
				r.fail(v.Position, CodeModifier, "a wildcard cannot be encoded by %s: take it out, or write contains after %s", m, m)
				return nil
			}
			d.encoded = true
			if m == "base64" {
				return [][]Part{{{PartText, base64.StdEncoding.EncodeToString([]byte(text))}}}
			}
			forms := base64Offsets(text)
			if len(forms) < 3 {
				r.fail(v.Position, CodeValue, "the value is too short for base64offset: a single byte leaves nothing to be found by")
			}
			var out [][]Part
			for _, f := range forms {
				out = append(out, []Part{{PartText, f}})
			}
			return out
		}
		if !ok && m == "utf16" {
			r.fail(v.Position, CodeModifier, "utf16 puts a byte order mark before the value, which has no place next to a wildcard: write utf16le")
			return nil
		}
		out := make([]Part, len(form))
		for i, p := range form {
			if out[i] = p; p.Kind == PartText {
				out[i].Text = utf16Bytes(p.Text, m == "utf16be", m == "utf16")
			}
		}
		return [][]Part{out}
	})
}

// check looks at what only the whole of the modifiers shows.
func (d *reading) check(r *report) {
	where, keywords := d.item.Position, len(d.item.Fields) == 0
	if keywords && !d.text && d.op != OpRegex || keywords && d.part != NoPart {
		r.fail(where, CodeModifier, "%s needs a field, and keywords have none: name the field before the first |", strings.Join(d.item.Modifiers, "|"))
		return
	}
	if d.encoded && !d.bounded && !keywords && slices.Contains(d.item.Modifiers, "base64offset") {
		r.warn(where, CodeDoubtful, "base64offset gives pieces of a text, and the field would have to be such a piece: write base64offset|contains")
	}
	if d.part != NoPart && (d.op == OpRegex || d.op == OpCIDR || d.op == OpField || d.op == OpExists || d.bounded || d.transformed) {
		r.fail(where, CodeModifier, "%s gives a number: it goes with lt, lte, gt, gte and neq alone", d.part)
		return
	}
	if d.op == OpExists && len(d.values) != 1 {
		r.fail(where, CodeValue, "exists takes one value: true or false")
		return
	}
	for i := range d.values {
		d.checkValue(&d.values[i], keywords, r)
	}
}

func (d *reading) checkValue(v *operand, keywords bool, r *report) {
	number := v.Kind == KindNumber
	if v.Kind == KindText {
		_, number = parseDecimal(v.Text)
	}
	switch {
	case v.Kind == KindNull && (keywords || !d.text || d.part != NoPart):
		r.fail(v.Position, CodeValue, "null cannot be used here: give a value")
	case keywords && d.text && v.Text == "":
		r.fail(v.Position, CodeValue, "an empty keyword is found in every event: give a text")
	case d.op == OpExists && v.Kind != KindBool:
		r.fail(v.Position, CodeValue, "exists takes true or false, and not %q", v.Text)
	case (d.part != NoPart || d.op >= OpLess && d.op <= OpGreaterEqual) && !number:
		r.fail(v.Position, CodeValue, "%q is no number: write digits", v.Text)
	case d.op == OpField:
		for _, form := range v.forms {
			if name, ok := literal(form); !ok || name == "" || v.Kind != KindText {
				r.fail(v.Position, CodeValue, "fieldref takes the name of a field, and %q is none", v.Text)
			}
		}
	case d.op == OpCIDR:
		for _, form := range v.forms {
			text, ok := literal(form)
			if _, err := parsePrefix(text); err != nil || !ok {
				r.fail(v.Position, CodeValue, "%q is no network: write it as 10.0.0.0/8 or fc00::/7", printPattern(form))
			}
		}
	case d.op == OpRegex:
		for _, raw := range v.raw {
			if _, err := compileRegex(d.regex(raw)); err != nil {
				r.fail(v.Position, CodeRegex, "the regular expression %s cannot be used: %s", raw, err)
			}
		}
	}
}

// regex is the whole of a regular expression: its flags, and where it must stand.
func (d *reading) regex(raw string) string {
	if d.fromStart || d.untilEnd {
		raw = "(?:" + raw + ")"
	}
	if d.fromStart {
		raw = `\A` + raw
	}
	if d.untilEnd {
		raw += `\z`
	}
	if d.flags != "" {
		flags := []byte(d.flags)
		slices.Sort(flags)
		raw = "(?" + string(flags) + ")" + raw
	}
	return raw
}

// parsePrefix reads a network, or an address, which is the network of itself. An IPv4 network written as IPv6 is the IPv4 network.
func parsePrefix(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.WithZone("").Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

var placeholderName = regexp.MustCompile(`^%([A-Za-z0-9_.-]{1,100})%`)

// expandPlaceholders puts the values of placeholders in: every combination. A backslash before a percent sign takes it as it is.
func expandPlaceholders(s Scalar, values map[string][]string, r *report) (forms [][]Part, raw []string) {
	forms, raw = [][]Part{nil}, []string{""}
	var text strings.Builder
	found := false
	flush := func() {
		for i := range forms {
			forms[i] = join(forms[i], ParsePattern(text.String()))
			raw[i] += text.String()
		}
		text.Reset()
	}
	for i := 0; i < len(s.Text); i++ {
		rest := s.Text[i:]
		switch {
		case strings.HasPrefix(rest, `\%`):
			text.WriteByte('%')
			i++
			continue
		case strings.HasPrefix(rest, `\\%`):
			text.WriteString(`\\`)
			i++
			continue
		}
		m := placeholderName.FindStringSubmatch(rest)
		if m == nil {
			text.WriteByte(rest[0])
			continue
		}
		found = true
		list := values[m[1]]
		if len(list) == 0 {
			r.fail(s.Position, CodePlaceholder, "the placeholder %s has no values: give them in a pipeline with value_placeholders", m[0])
			return nil, nil
		}
		if len(forms)*len(list) > maxForms {
			r.fail(s.Position, CodeSize, "the placeholders stand for more than %d texts: give fewer values", maxForms)
			return nil, nil
		}
		flush()
		var moreForms [][]Part
		var moreRaw []string
		for j := range forms {
			for _, v := range list {
				parts := ParsePattern(v)
				moreForms = append(moreForms, join(forms[j], parts))
				moreRaw = append(moreRaw, raw[j]+regexOf(parts))
			}
		}
		forms, raw = moreForms, moreRaw
		i += len(m[0]) - 1
	}
	flush()
	if !found {
		r.warn(s.Position, CodeDoubtful, "expand has nothing to expand here: write a name between percent signs, or leave expand out")
	}
	return forms, raw
}

// regexOf is a text with wildcards as a regular expression.
func regexOf(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		switch p.Kind {
		case PartText:
			b.WriteString(regexp.QuoteMeta(p.Text))
		case PartAny:
			b.WriteString(`(?s:.*)`)
		case PartOne:
			b.WriteString(`(?s:.)`)
		}
	}
	return b.String()
}
