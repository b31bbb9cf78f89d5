package pattern

import (
	"cmp"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// evaluator is what a Test needs beyond its text, made once per pattern.
type evaluator struct {
	values []value      // of Value, or of Set
	prefix netip.Prefix // of IsSubset and IsSuperset
	like   []rune       // of Like, NFC
	regex  *regex       // of Matches, NFC
	raw    *regex       // of Matches on octets, which are not normalised
}

// value is a constant in each form in which it can be compared.
type value struct {
	kind    ConstantKind
	text    string // of String the string
	octets  string // of String, Binary and Hex
	binary  bool   // octets are there
	number  float64
	boolean bool
	moment  instant
}

func makeValue(c *Constant) (value, error) {
	v := value{kind: family(c.Kind), text: c.Text, number: c.Float, boolean: c.Bool}
	switch c.Kind {
	case Integer:
		v.number = float64(c.Int)
	case String:
		v.octets, v.binary = octets(c.Text)
	case Binary, Hex:
		v.octets, v.binary = c.Text, true
	case Timestamp:
		moment, _ := parseInstant(c.Text)
		if !moment.exists() {
			return v, errors.New("no calendar has the day " + c.Text[:10] + ", so nothing can be compared with it")
		}
		v.moment = moment
	}
	return v, nil
}

func makeEvaluator(t *Test) (evaluator, error) {
	var e evaluator
	var err error
	switch t.Op {
	case Exists:
	case Like:
		e.like = []rune(norm.NFC.String(t.Value.Text))
	case Matches:
		normal := norm.NFC.String(t.Value.Text)
		if e.regex, err = compileRegex(normal); err != nil {
			return e, err
		}
		if e.raw = e.regex; normal != t.Value.Text {
			e.raw, err = compileRegex(t.Value.Text)
		}
	case IsSubset, IsSuperset:
		e.prefix, _ = parsePrefix(t.Value.Text)
	case In:
		e.values = make([]value, len(t.Set))
		for i := range t.Set {
			if e.values[i], err = makeValue(&t.Set[i]); err != nil {
				break
			}
		}
	default:
		e.values = make([]value, 1)
		e.values[0], err = makeValue(&t.Value)
	}
	return e, err
}

// compile makes the evaluators of all tests, once.
func (p *Pattern) compile() error {
	p.once.Do(func() {
		p.evaluators = make([]evaluator, p.tests)
		p.EachTest(func(t *Test) {
			if p.broken != nil {
				return
			}
			e, err := makeEvaluator(t)
			if err != nil {
				p.fail(t.Offset, err.Error())
			}
			p.evaluators[t.slot] = e
		})
		p.root.eachQualifier(func(q *Qualifier) {
			_, start := q.Start.Time()
			_, stop := q.Stop.Time()
			if q.Kind == StartStop && (!start || !stop) && p.broken == nil {
				p.fail(q.Offset, "START or STOP names a day that no calendar has")
			}
		})
	})
	return p.broken
}

func (p *Pattern) fail(offset int, message string) {
	e := &EvalError{Code: CodeUnsupported, Message: message, Offset: offset}
	e.Line, e.Col = place(p.source, offset)
	p.broken = e
}

// Holds decides a condition of this pattern for one observation: whether one of its objects meets it (section 9.5).
func (p *Pattern) Holds(c *Condition, o *Observation) (bool, error) {
	if err := p.compile(); err != nil {
		return false, err
	}
	m := matcher{p: p, budget: DefaultBudget}
	return m.observed(c, o)
}

func (m *matcher) observed(c *Condition, o *Observation) (bool, error) {
	for _, object := range o.objects {
		if ok, err := m.condition(c, o, object); ok || err != nil {
			return ok, err
		}
	}
	return false, m.spend(1)
}

func (m *matcher) condition(c *Condition, o *Observation, object map[string]any) (bool, error) {
	if c.Join == Single {
		return m.test(&c.Test, o, object)
	}
	for i := range c.Operands {
		ok, err := m.condition(&c.Operands[i], o, object)
		if err != nil {
			return false, err
		}
		if ok == (c.Join == Any) {
			return ok, nil
		}
	}
	return c.Join == All, nil
}

func (m *matcher) test(t *Test, o *Observation, object map[string]any) (bool, error) {
	if err := m.spend(1); err != nil {
		return false, err
	}
	if object["type"] != t.Path.Type {
		return false, nil
	}
	if len(t.Path.Steps) == 1 {
		v := object[t.Path.Steps[0].Key]
		if t.Op == Exists || v == nil {
			return t.Op == Exists && (v != nil) != t.Not, nil
		}
		ok, err := m.compare(t, v, t.Path.Steps[0].Key)
		return ok != t.Not && err == nil, err
	}
	found, reached := false, false
	err := m.resolve(o, object, "", t.Path.Steps, func(v any, name string) (bool, error) {
		reached = true
		if t.Op == Exists {
			return true, nil
		}
		ok, err := m.compare(t, v, name)
		found = ok != t.Not
		return found, err
	})
	if t.Op == Exists {
		return reached != t.Not, err
	}
	return found && err == nil, err
}

// resolve calls f with the values at a path until f says stop. Absent values and null are not there: no test holds for them.
func (m *matcher) resolve(o *Observation, v any, name string, steps []Step, f func(any, string) (bool, error)) error {
	_, err := m.walk(o, v, name, steps, f)
	return err
}

func (m *matcher) walk(o *Observation, v any, name string, steps []Step, f func(any, string) (bool, error)) (stop bool, err error) {
	if v == nil {
		return false, nil
	}
	if len(steps) == 0 {
		return f(v, name)
	}
	if err := m.spend(1); err != nil {
		return false, err
	}
	step := &steps[0]
	if step.Kind == Key {
		if id, ok := v.(string); ok && (strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")) {
			v = o.byID[id]
		}
		dict, _ := v.(map[string]any)
		return m.walk(o, dict[step.Key], step.Key, steps[1:], f)
	}
	list, _ := v.([]any)
	if step.Kind == Index {
		if step.Index < 0 || step.Index >= int64(len(list)) {
			return false, nil
		}
		return m.walk(o, list[step.Index], name, steps[1:], f)
	}
	for _, item := range list {
		if stop, err := m.walk(o, item, name, steps[1:], f); stop || err != nil {
			return stop, err
		}
	}
	return false, nil
}

// compare decides a test, without its NOT, for one value of the property called name.
func (m *matcher) compare(t *Test, v any, name string) (bool, error) {
	e := &m.p.evaluators[t.slot]
	text, isText := v.(string)
	switch t.Op {
	case Like, Matches:
		if !isText {
			return false, nil
		}
		return m.search(t, e, text, name)
	case IsSubset, IsSuperset:
		block, ok := parsePrefix(text)
		if !isText || !ok {
			return false, nil
		}
		if t.Op == IsSubset {
			return containsPrefix(e.prefix, block), nil
		}
		return containsPrefix(block, e.prefix), nil
	}
	for i := range e.values {
		order, comparable, err := m.order(v, &e.values[i], name, t)
		if err != nil {
			return false, err
		}
		if verdict(t.Op, order, comparable) {
			return true, nil
		}
	}
	return false, nil
}

// verdict applies an operator to an order. Incompatible types are unequal and have no order (section 9.6.1).
func verdict(op Comparator, order int, comparable bool) bool {
	if !comparable {
		return op == NotEqual
	}
	switch op {
	case Equal, In:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Greater:
		return order > 0
	}
	return order >= 0
}

// order compares a property with a constant, in the native format of the property (section 9.6.4).
func (m *matcher) order(v any, c *value, name string, t *Test) (order int, comparable bool, err error) {
	switch v := v.(type) {
	case float64:
		return cmp.Compare(v, c.number), c.kind == Integer, nil
	case bool:
		if v == c.boolean {
			return 0, c.kind == Boolean, nil
		}
		return 1, c.kind == Boolean, nil
	case string:
		if isBinaryName(name) {
			native, ok := decodeNative(v, name)
			return strings.Compare(native, c.octets), ok && c.binary, nil
		}
		switch c.kind {
		case String:
			return strings.Compare(v, c.text), true, nil
		case Binary:
			native, ok := octets(v)
			return strings.Compare(native, c.octets), ok, nil
		case Timestamp:
			moment, ok := parseInstant(v)
			if !ok || !moment.exists() {
				return 0, false, m.fault(CodeNotTimestamp, t, strconv.Quote(clip(v))+" at "+t.Path.String()+
					" is not a timestamp, so it cannot be compared with one")
			}
			return moment.compare(c.moment), true, nil
		}
	}
	return 0, false, nil
}

func isBinaryName(name string) bool {
	return strings.HasSuffix(name, "_bin") || strings.HasSuffix(name, "_hex")
}

func decodeNative(v, name string) (string, bool) {
	if strings.HasSuffix(name, "_hex") {
		return decodeHex(v)
	}
	native, err := decodeBase64(v)
	return native, err == nil
}

// stepTime is about what one step of the budget takes.
const stepTime = 20 * time.Nanosecond

// search decides LIKE and MATCHES: on strings in NFC, on octets as code points U+0000 to U+00FF.
func (m *matcher) search(t *Test, e *evaluator, text, name string) (bool, error) {
	re := e.regex
	if isBinaryName(name) {
		native, ok := decodeNative(text, name)
		if !ok {
			return false, nil
		}
		text, re = latin1(native), e.raw
	} else {
		text = norm.NFC.String(text)
	}
	if t.Op == Like {
		if err := m.spend(int64(len(text)) * int64(1+len(e.like)) / 64); err != nil {
			return false, err
		}
		return like(e.like, text), nil
	}
	if err := m.spend(int64(len(text))); err != nil {
		return false, err
	}
	if re.linear != nil {
		return re.linear.MatchString(text), nil
	}
	// The time of a backtracking search does not follow from its text, so it is charged as it was.
	start := time.Now()
	found, err := re.back.MatchString(text)
	if err != nil {
		return false, m.fault(CodeBudget, t, "the regular expression took too long on a value of "+t.Path.String()+" and was given up")
	}
	return found, m.spend(int64(time.Since(start) / stepTime))
}

func latin1(octets string) string {
	b := make([]rune, len(octets))
	for i := range len(octets) {
		b[i] = rune(octets[i])
	}
	return string(b)
}

// like matches the whole text: % is any number of characters, _ any one.
func like(pattern []rune, text string) bool {
	runes := []rune(text)
	p, i := 0, 0
	star, from := -1, 0
	for i < len(runes) {
		switch {
		case p < len(pattern) && pattern[p] == '%':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '_' || pattern[p] == runes[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}
