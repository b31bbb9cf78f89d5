package watch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/observation"
	"entente/sigma"
	"entente/stix"
	"entente/stix/pattern"
)

// Indicators are what was read to be looked for.
type Indicators struct {
	Rules sigma.Collection // those that stand in indicators whose pattern is a Sigma rule
	Left  []Left           // why values are not there, the first of them
	Gone  int              // how many there are in all
	b     *indicator.Builder
	p     []Pattern
}

// Left is something that is not looked for, and why.
type Left struct {
	Source string `json:"source"` // the id of an object, or a list and the line of it, counted from 1
	Code   string `json:"code"`
	Why    string `json:"why"`
}

// maxLeft bounds what is told of what was left out.
const maxLeft = 1000

// NewIndicators begins.
func NewIndicators() *Indicators { return &Indicators{b: indicator.NewBuilder(indicator.NewKey())} }

// Read reads objects of STIX 2.1 (a bundle, an array, an envelope, one after another) or a list: one value a line, CSV where the name says so, or a file of Zeek's
// intelligence framework; compressed with gzip or not. The name is the source of what stands in a list. Of objects, indicators are looked for; observables are where a
// file has no indicators: beside these they are what indicators speak of, and not what somebody warns of. Other objects are passed over.
func (x *Indicators) Read(name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := in.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fault.New(fault.Invalid, "indicator.gzip", "%s is not sound gzip data", name).Because(err)
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	head, _ := in.Peek(4096)
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if len(head) > 0 && (head[0] == '{' || head[0] == '[') {
		return x.objects(name, in)
	}
	o := indicator.ListOptions{}
	if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(name), ".gz"), ".csv") {
		o.Format = indicator.CSV
	}
	id := x.b.Meta(indicator.Meta{Source: name, Confidence: -1})
	return indicator.ReadList(in, o, func(v indicator.Value) error { return x.b.Add(v, id) }, func(line int, l indicator.Left) {
		x.leave(fmt.Sprintf("%s:%d", name, line), l.Code, l.Detail)
	})
}

func (x *Indicators) objects(name string, in io.Reader) error {
	type holding struct {
		indicator.Meta
		values []indicator.Value
	}
	n, indicators, observables := 0, 0, []holding(nil)
	add := func(h holding) error {
		id := x.b.Meta(h.Meta)
		for _, v := range h.values {
			if err := x.b.Add(v, id); err != nil {
				return err
			}
		}
		return nil
	}
	_, err := stix.Split(in, func(raw []byte) error {
		n++
		o, err := stix.Parse(raw)
		if err != nil {
			x.leave(fmt.Sprintf("%s, object %d", name, n), "object", err.Error())
			return nil
		}
		if o.Type() == "indicator" {
			indicators++
		}
		if o.Type() == "indicator" && o.Text("/pattern_type") == "sigma" {
			c, err := sigma.Parse(o.ID(), []byte(o.Text("/pattern")))
			if err != nil {
				x.leave(o.ID(), "sigma", err.Error())
			}
			if o.Revoked() {
				x.leave(o.ID(), "revoked", "the indicator is revoked")
				return nil
			}
			x.Rules.Add(c)
			return nil
		}
		m, values, left := indicator.FromObject(o)
		for _, l := range left {
			if l.Code == indicator.LeftPattern {
				x.pattern(o, m)
				continue
			}
			if l.Code != indicator.LeftType {
				x.leave(o.ID(), l.Code, l.Detail)
			}
		}
		if len(values) == 0 {
			return nil
		}
		if o.Type() == "indicator" {
			return add(holding{m, values})
		}
		observables = append(observables, holding{m, values})
		return nil
	})
	switch {
	case indicators == 0:
		for _, h := range observables {
			if err := add(h); err != nil {
				return err
			}
		}
	case len(observables) > 0:
		x.leave(name, "observables", fmt.Sprintf("%d observables stand beside indicators, and are not looked for themselves", len(observables)))
	}
	if wrong, ok := errors.AsType[*stix.Error](err); ok {
		return fault.New(fault.Invalid, "indicator.objects", "%s: %v", name, wrong)
	}
	return err
}

func (x *Indicators) leave(source, code, why string) {
	if x.Gone++; len(x.Left) < maxLeft {
		x.Left = append(x.Left, Left{source, code, why})
	}
}

// pattern takes a pattern that is more than a list of values.
func (x *Indicators) pattern(o *stix.Object, m indicator.Meta) {
	if m.Revoked {
		x.leave(m.Source, "revoked", "the indicator is revoked")
		return
	}
	p, err := pattern.Parse(o.Text("/pattern"))
	if err == nil {
		p, err = observation.Canonical(p)
	}
	if err == nil {
		err = p.Ready()
	}
	if err != nil {
		x.leave(m.Source, observation.LeftUnsupported, err.Error())
		return
	}
	x.p = append(x.p, Pattern{Meta: m, Text: o.Text("/pattern"), pattern: p})
}

// Len is how many values and patterns were read.
func (x *Indicators) Len() int { return x.b.Len() + len(x.p) }

// Values is how many values were read.
func (x *Indicators) Values() int { return x.b.Len() }

// Patterns are those that are more than values, ready to be put to events; nil: there are none.
func (x *Indicators) Patterns(c observation.Config) *Patterns {
	if len(x.p) == 0 {
		return nil
	}
	p, left := NewPatterns(x.p, c)
	for i := len(left) - 1; i >= 0; i-- {
		l := left[i]
		x.leave(x.p[l.Pattern].Meta.Source, l.Code, l.Why)
		x.p = slices.Concat(x.p[:l.Pattern], x.p[l.Pattern+1:])
	}
	return p
}

// Table is what was read, ready to be looked up in. Confidence does not decay in it. The indicators are spent by it.
func (x *Indicators) Table() (*indicator.Table, error) {
	return indicator.NewTable(x.b.Snapshot(0), indicator.Decay{})
}
