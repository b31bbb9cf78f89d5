package observation

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/internal/event"
	"entente/stix/pattern"
)

// Events is how the events of a plan are put to an engine: each is one observation, of the objects that [Rows] make of its fields.
type Events struct {
	e       *Engine
	sources []source
	slots   [][]int // by slot: places in sources
	splits  []urls
	live    []live            // by property
	feeds   map[string][]feed // by the key of a path
	direct  []bool            // by condition: what names it decides it
	groups  []int             // by condition: those that ask for the same fields are of one group
	asks    [][]int           // by group: places in sources
	urls    []bool            // by group: whether it asks for URLs
}

// source is a field, and what its values may be.
type source struct {
	slot  int
	name  string
	at    int // of the row
	row   *Row
	roles [][]int // by role that it may have: properties, by what is given
	names []string
}

// urls is a pair of fields that are a URL together.
type urls struct {
	host, path int
	name       string // of the path
}

// live is what is asked about a property.
type live struct {
	paths []*path // that its value is looked up in
	there []*path // for which it says that something is there
	types []*path // in which the type of its object is looked up
	conds []int32 // for which it says that an object is there
}

// Events asks a plan for the fields that the patterns speak of.
func (e *Engine) Events(plan *event.Plan) *Events {
	x := &Events{e: e, live: make([]live, len(objects.props)), feeds: map[string][]feed{}}
	needed := make([]bool, len(objects.props))
	for i := range e.conds {
		e.conds[i].is.EachTest(func(t *pattern.Test) {
			k := key(&t.Path)
			if _, ok := x.feeds[k]; ok {
				return
			}
			var steps []pattern.Step
			for _, s := range t.Path.Steps {
				if s.Kind != pattern.Key {
					s = pattern.Step{Kind: pattern.Every}
				}
				steps = append(steps, s)
			}
			x.feeds[k] = objects.feeds(t.Path.Type, steps)
			for _, f := range x.feeds[k] {
				needed[f.prop] = true
				l := &x.live[f.prop]
				switch p := e.paths[k]; {
				case p == nil:
				case f.typ:
					l.types = append(l.types, p)
				case f.there:
					l.there = append(l.there, p)
				default:
					l.paths = append(l.paths, p)
				}
			}
		})
	}
	for typ, conds := range e.kinds {
		for _, prop := range makes(typ) {
			needed[prop] = true
			x.live[prop].conds = append(x.live[prop].conds, conds...)
		}
	}
	x.ask(plan, wanted(needed))
	if needed[urlValue] {
		for _, s := range Split {
			x.splits = append(x.splits, urls{plan.Field(s[0]), plan.Field(s[1]), s[1]})
		}
	}
	x.group()
	return x
}

// makes are the properties that make an object of a type.
func makes(typ string) (list []int) {
	for i := range objects.props {
		p := &objects.props[i]
		if p.typ == typ || slices.ContainsFunc(references, func(r reference) bool { return !r.only && r.typ == typ && r.to == p.role }) {
			list = append(list, i)
		}
	}
	return list
}

// wanted are the rows that give properties.
func wanted(needed []bool) []bool {
	rows := make([]bool, len(Rows))
	for i := range Rows {
		for _, props := range Rows[i].properties() {
			rows[i] = rows[i] || slices.ContainsFunc(props, func(n int) bool { return needed[n] })
		}
	}
	for i := range Rows {
		if roles := strings.Split(Rows[i].Role, "|"); rows[i] && len(roles) > 1 { // which of them there are
			for k := range Rows {
				if f := Rows[k].Form; (f == File || f == Image) && slices.Contains(roles, Rows[k].Role) {
					rows[k] = true
				}
			}
		}
	}
	return rows
}

// properties are those that a row gives, by role and by what is given.
func (r *Row) properties() (roles [][]int) {
	for role := range strings.SplitSeq(r.Role, "|") {
		var props []int
		for _, g := range r.given(role) {
			props = append(props, objects.at[g.role+"\x00"+g.path])
		}
		roles = append(roles, props)
	}
	return roles
}

// group finds which fields each condition needs.
func (x *Events) group() {
	known := map[string]int{}
	x.groups, x.direct = make([]int, len(x.e.conds)), make([]bool, len(x.e.conds))
	for i := range x.e.conds {
		var keys []string
		types := map[string]bool{}
		x.e.conds[i].is.EachTest(func(t *pattern.Test) {
			k := key(&t.Path)
			if t.Op == pattern.Exists && t.Not || ofAll(&t.Path) {
				types[t.Path.Type] = true
				k += "\x02"
			}
			keys = append(keys, k)
		})
		slices.Sort(keys)
		name := strings.Join(slices.Compact(keys), "\x03")
		g, ok := known[name]
		if !ok {
			g = len(x.asks)
			known[name] = g
			needed := make([]bool, len(objects.props))
			for _, k := range keys {
				for _, f := range x.feeds[strings.TrimSuffix(k, "\x02")] {
					needed[f.prop] = true
				}
			}
			for typ := range types {
				for _, prop := range makes(typ) {
					needed[prop] = true
				}
			}
			rows := wanted(needed)
			var asks []int
			for k := range x.sources {
				if rows[x.sources[k].at] {
					asks = append(asks, k)
				}
			}
			x.asks, x.urls = append(x.asks, asks), append(x.urls, needed[urlValue])
		}
		x.groups[i] = g
		x.direct[i] = x.decides(x.e.conds[i].is)
	}
}

// decides tells whether a condition is one test that a lookup decides. Where several fields of an event are the same property, each of their values counts for it.
func (x *Events) decides(c *pattern.Condition) bool {
	t := &c.Test
	return c.Join == pattern.Single && hashed(t) && !ofAll(&t.Path) &&
		!slices.ContainsFunc(t.Path.Steps, func(s pattern.Step) bool { return s.Kind == pattern.Index }) &&
		!slices.ContainsFunc(x.feeds[key(&t.Path)], func(f feed) bool { return f.there || f.typ })
}

// ask asks for the fields of rows.
func (x *Events) ask(plan *event.Plan, rows []bool) {
	for i := range Rows {
		if r := &Rows[i]; rows[i] {
			roles := r.properties()
			for _, name := range r.Fields {
				x.sources = append(x.sources, source{slot: plan.Field(name), name: name, at: i, row: r, roles: roles, names: strings.Split(r.Role, "|")})
			}
		}
	}
	// What may have several roles comes last: then it is known which there are.
	slices.SortStableFunc(x.sources, func(a, b source) int { return min(len(a.roles), 2) - min(len(b.roles), 2) })
	for i := range x.sources {
		slot := x.sources[i].slot
		for slot >= len(x.slots) {
			x.slots = append(x.slots, nil)
		}
		x.slots[slot] = append(x.slots[slot], i)
	}
}

var urlValue = objects.at["\x00url:value"]

// Event gives the conditions that an event meets. They are valid until the next call.
func (m *Matcher) Event(x *Events, ev *event.Event) []int32 {
	m.begin()
	taken := &m.taken
	taken.reset()
	for _, slot := range ev.Slots() {
		if int(slot) < len(x.slots) {
			for _, i := range x.slots[slot] {
				x.each(&x.sources[i], ev, taken, m.of)
			}
		}
	}
	for i := range x.splits {
		if text := x.url(&x.splits[i], ev, taken); text != nil {
			m.property(&x.live[urlValue], text, &objects.props[urlValue])
		}
	}
	m.groups = m.groups[:0]
	for _, n := range m.named {
		if x.direct[n] {
			m.met = append(m.met, n)
		} else if g := x.groups[n]; !slices.Contains(m.groups, g) {
			m.groups = append(m.groups, g)
		}
	}
	for _, g := range m.groups {
		o := x.observe(ev, taken, x.asks[g], x.urls[g])
		for _, n := range m.named {
			if x.groups[n] == g && !x.direct[n] {
				m.decide(n, &o)
			}
		}
	}
	return m.met
}

// take names the conditions for what a value gives.
func (m *Matcher) take(x *Events, s *source, it item) {
	for _, props := range s.roles {
		m.property(&x.live[props[it.given]], it.text, &objects.props[props[it.given]])
	}
}

func (m *Matcher) property(l *live, text []byte, is *property) {
	m.name(l.conds)
	for _, p := range l.types {
		p.text([]byte(is.typ), m.hit)
	}
	for _, p := range l.there {
		p.exists(m.hit)
	}
	if is.num && len(l.paths) > 0 {
		if n, ok := number(text); ok {
			for _, p := range l.paths {
				p.num(n, m.hit)
			}
		}
		return
	}
	for _, p := range l.paths {
		p.text(text, m.hit)
	}
}

// each calls f with what the values of a field give.
func (x *Events) each(s *source, ev *event.Event, taken *extraction, f func(x *Events, s *source, it item)) {
	if ev.Get(s.slot).Kind == event.Missing {
		return
	}
	for v := range ev.All(s.slot) {
		if len(v.Text) == 0 {
			continue
		}
		for _, it := range taken.value(s.row.Form, v.Text) {
			f(x, s, it)
		}
	}
}

// url is the URL that stands in two fields; nil: none does.
func (x *Events) url(u *urls, ev *event.Event, taken *extraction) []byte {
	host, path := ev.Get(u.host).Text, ev.Get(u.path).Text
	if len(host) == 0 || len(path) == 0 || path[0] != '/' {
		return nil
	}
	return taken.kept([]byte("http://"), host, path)
}

// maxObjects bounds the objects that are made of one event; what is beyond is not observed.
const maxObjects = 256

// making is an observation in the making.
type making struct {
	objects map[string]map[string]any
	roles   map[string][]string // ids of their objects
	own     int
}

// Observation is the event as one observation, as far as the patterns ask about it. It has no time.
func (x *Events) Observation(ev *event.Event) pattern.Observation {
	all := make([]int, len(x.sources))
	for i := range all {
		all[i] = i
	}
	return x.observe(ev, new(extraction), all, true)
}

// observe makes an observation of some fields.
func (x *Events) observe(ev *event.Event, taken *extraction, asks []int, url bool) pattern.Observation {
	taken.reset()
	m := making{objects: map[string]map[string]any{}, roles: map[string][]string{}}
	for _, n := range asks {
		x.each(&x.sources[n], ev, taken, func(_ *Events, s *source, it item) {
			at := len(s.names) - 1
			for i, role := range s.names {
				if len(m.roles[role]) > 0 {
					at = i
					break
				}
			}
			m.put(&objects.props[s.roles[at][it.given]], string(it.text), it.given == 0 || s.row.Form == Address || s.row.Form == Host || s.row.Form == Answers)
		})
	}
	for i := range x.splits {
		if text := x.url(&x.splits[i], ev, taken); url && text != nil {
			m.put(&objects.props[urlValue], string(text), true)
		}
	}
	for i := range references {
		m.refer(&references[i])
	}
	return pattern.NewObservation("", time.Time{}, time.Time{}, 1, m.objects)
}

// put puts a value into the object of a role. A second value of what an object has but one makes an object of its own, where the object is nothing but that.
func (m *making) put(p *property, text string, main bool) {
	var v any = text
	if p.num {
		n, ok := number([]byte(text))
		if !ok {
			return
		}
		v = n
	}
	if len(m.objects) >= maxObjects {
		return
	}
	role := p.role
	if ids := m.roles[role]; role != "" && len(ids) > 0 && !several[role] {
		o := m.objects[ids[0]]
		if o["type"] == p.typ && set(o, p.steps, v) {
			return
		}
		if !main || p.typ == "process" || p.typ == "network-traffic" || p.num {
			return
		}
		role = ""
	}
	id := role
	if role == "" || several[role] {
		id = role + "~" + strconv.Itoa(m.own)
		m.own++
	}
	o := map[string]any{"type": p.typ}
	set(o, p.steps, v)
	m.objects[id] = o
	if role != "" {
		m.roles[role] = append(m.roles[role], id)
	}
}

// set sets a property. False: the object has it already, with another value.
func set(o map[string]any, steps []pattern.Step, v any) bool {
	name := steps[0].Key
	rest := steps[1:]
	if len(rest) == 0 {
		if old, ok := o[name]; ok {
			return old == v
		}
		o[name] = v
		return true
	}
	if rest[0].Kind == pattern.Key {
		inner, ok := o[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			o[name] = inner
		}
		return set(inner, rest, v)
	}
	list, _ := o[name].([]any)
	if len(rest) == 1 {
		if !slices.Contains(list, v) {
			o[name] = append(list, v)
		}
		return true
	}
	if len(list) == 0 {
		list = []any{map[string]any{}}
		o[name] = list
	}
	inner, _ := list[0].(map[string]any)
	return set(inner, rest[1:], v)
}

// refer makes the objects of one role refer to those of another.
func (m *making) refer(r *reference) {
	to := m.roles[r.to]
	if len(to) == 0 {
		return
	}
	from := m.roles[r.from]
	if len(from) == 0 {
		if r.only {
			return
		}
		m.objects[r.from] = map[string]any{"type": r.typ}
		from = []string{r.from}
		m.roles[r.from] = from
	}
	name, list := strings.CutSuffix(r.property, "[*]")
	for _, id := range from {
		o := m.objects[id]
		if o["type"] != r.typ {
			continue
		}
		if !list {
			o[name] = to[0]
			continue
		}
		var ids []any
		for _, id := range to {
			ids = append(ids, id)
		}
		o[name] = ids
	}
}

// Fields are the fields of an event by which it meets a condition.
func (x *Events) Fields(cond int32, ev *event.Event) (list []event.Field) {
	c := &x.e.conds[cond]
	var taken extraction
	add := func(name string, value []byte) {
		n := len(list)
		if list = event.AddField(list, event.Field{Name: name, Value: value}); len(list) > n {
			list[n].Value = bytes.Clone(value)
		}
	}
	c.is.EachTest(func(t *pattern.Test) {
		feeds := x.feeds[key(&t.Path)]
		meets := func(prop int, text []byte) bool {
			for _, f := range feeds {
				if f.prop != prop {
					continue
				}
				if t.Op == pattern.Exists {
					return !t.Not
				}
				if f.there || f.typ {
					continue
				}
				var v any = string(text)
				if objects.props[prop].num {
					n, ok := number(text)
					if !ok {
						return false
					}
					v = n
				}
				if ok, err := c.of.Compare(t, v); ok && err == nil {
					return true
				}
			}
			return false
		}
		taken.reset()
		for _, i := range x.asks[x.groups[cond]] {
			s := &x.sources[i]
			for v := range ev.All(s.slot) {
				if len(v.Text) == 0 {
					continue
				}
				for _, it := range taken.value(s.row.Form, v.Text) {
					if slices.ContainsFunc(s.roles, func(props []int) bool { return meets(props[it.given], it.text) }) {
						add(s.name, v.Text)
					}
				}
			}
		}
		for i := range x.splits {
			if text := x.url(&x.splits[i], ev, &taken); text != nil && meets(urlValue, text) {
				add(x.splits[i].name, text)
			}
		}
	})
	return list
}
