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
	splits  []urls
	live    []live            // by property
	feeds   map[string][]feed // by the key of a path
}

// source is a field, and what its values may be.
type source struct {
	slot  int
	name  string
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
		for i := range objects.props {
			p := &objects.props[i]
			makes := p.typ == typ || slices.ContainsFunc(references, func(r reference) bool { return !r.only && r.typ == typ && r.to == p.role })
			if makes {
				needed[i] = true
				x.live[i].conds = append(x.live[i].conds, conds...)
			}
		}
	}
	x.ask(plan, needed)
	return x
}

// ask asks for the fields that give what is needed.
func (x *Events) ask(plan *event.Plan, needed []bool) {
	wanted := make([]bool, len(Rows))
	of := func(r *Row) (roles [][]int, any bool) {
		for role := range strings.SplitSeq(r.Role, "|") {
			var props []int
			for _, g := range r.given(role) {
				n := objects.property(g.role, g.path, false)
				props = append(props, n)
				any = any || needed[n]
			}
			roles = append(roles, props)
		}
		return roles, any
	}
	for i := range Rows {
		_, wanted[i] = of(&Rows[i])
	}
	for i := range Rows {
		if roles := strings.Split(Rows[i].Role, "|"); wanted[i] && len(roles) > 1 { // which of them there are
			for k := range Rows {
				if f := Rows[k].Form; (f == File || f == Image) && slices.Contains(roles, Rows[k].Role) {
					wanted[k] = true
				}
			}
		}
	}
	for i := range Rows {
		r := &Rows[i]
		if roles, _ := of(r); wanted[i] {
			for _, name := range r.Fields {
				x.sources = append(x.sources, source{slot: plan.Field(name), name: name, row: r, roles: roles, names: strings.Split(r.Role, "|")})
			}
		}
	}
	// What may have several roles comes last: then it is known which there are.
	slices.SortStableFunc(x.sources, func(a, b source) int { return min(len(a.roles), 2) - min(len(b.roles), 2) })
	if needed[urlValue] {
		for _, s := range Split {
			x.splits = append(x.splits, urls{plan.Field(s[0]), plan.Field(s[1]), s[1]})
		}
	}
}

var urlValue = objects.at["\x00url:value"]

// Event gives the conditions that an event meets. They are valid until the next call.
func (m *Matcher) Event(x *Events, ev *event.Event) []int32 {
	m.begin()
	x.each(ev, &m.taken, func(s *source, it item) {
		for _, props := range s.roles {
			m.property(&x.live[props[it.given]], it.text, &objects.props[props[it.given]])
		}
	})
	x.eachURL(ev, &m.taken, func(_ *urls, text []byte) { m.property(&x.live[urlValue], text, &objects.props[urlValue]) })
	if len(m.named) == 0 {
		return m.met
	}
	o := x.Observation(ev, &m.taken)
	return m.decide(&o)
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

// each calls f with what the values of an event give.
func (x *Events) each(ev *event.Event, taken *extraction, f func(s *source, it item)) {
	taken.reset()
	for i := range x.sources {
		s := &x.sources[i]
		if ev.Get(s.slot).Kind == event.Missing {
			continue
		}
		for v := range ev.All(s.slot) {
			if len(v.Text) == 0 {
				continue
			}
			for _, it := range taken.value(s.row.Form, v.Text) {
				f(s, it)
			}
		}
	}
}

// eachURL calls f with the URLs that stand in two fields.
func (x *Events) eachURL(ev *event.Event, taken *extraction, f func(u *urls, text []byte)) {
	for i := range x.splits {
		u := &x.splits[i]
		if host, path := ev.Get(u.host).Text, ev.Get(u.path).Text; len(host) > 0 && len(path) > 0 && path[0] == '/' {
			f(u, taken.kept([]byte("http://"), host, path))
		}
	}
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
func (x *Events) Observation(ev *event.Event, taken *extraction) pattern.Observation {
	m := making{objects: map[string]map[string]any{}, roles: map[string][]string{}}
	x.each(ev, taken, func(s *source, it item) {
		at := len(s.names) - 1
		for i, role := range s.names {
			if len(m.roles[role]) > 0 {
				at = i
				break
			}
		}
		m.put(&objects.props[s.roles[at][it.given]], string(it.text), it.given == 0 || s.row.Form == Address || s.row.Form == Host || s.row.Form == Answers)
	})
	x.eachURL(ev, taken, func(_ *urls, text []byte) { m.put(&objects.props[urlValue], string(text), true) })
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

// Field is a value of an event.
type Field struct {
	Name  string
	Value []byte
}

// Fields are the fields of an event by which it meets a condition.
func (x *Events) Fields(cond int32, ev *event.Event) (list []Field) {
	c := &x.e.conds[cond]
	var taken extraction
	add := func(name string, value []byte) {
		if !slices.ContainsFunc(list, func(f Field) bool { return f.Name == name && bytes.Equal(f.Value, value) }) {
			list = append(list, Field{name, bytes.Clone(value)})
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
		for i := range x.sources {
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
		x.eachURL(ev, &taken, func(u *urls, text []byte) {
			if meets(urlValue, text) {
				add(u.name, text)
			}
		})
	})
	return list
}
