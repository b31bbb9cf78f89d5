package block

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/internal/indicator"
	"entente/internal/record"
	"entente/label"
	"entente/stix"
)

// point is a value and its kind.
type point struct {
	kind indicator.Kind
	text string
}

func (p point) compare(q point) int {
	if p.kind != q.kind {
		return cmp.Compare(p.kind, q.kind)
	}
	return strings.Compare(p.text, q.text)
}

// claim is what one object says: values that its source stands by, or why none of them is blocked.
type claim struct {
	src    Source
	values []point  // in order, each once
	about  []point  // the values of one of which nothing is blocked
	alone  []string // of them names without those beneath
	from   time.Time
	until  time.Time
	left   []Spared // whatever time it is
	whole  bool     // left says why nothing of it is blocked
	benign bool     // the own organisation says that the values are harmless
}

// read makes a claim of a record.
func (r *Room) read(ctx context.Context, rec *record.Record) *claim {
	l := &rec.Label
	c := &claim{src: Source{ID: rec.ID, Version: rec.Version, Origin: r.intern(rec.Origin.Nation + "/" + rec.Origin.Org), Via: r.intern(rec.Origin.Via), TLP: l.TLP.String(), PAP: l.PAP.String()}}
	refuse := func(code, format string, args ...any) *claim {
		c.left, c.about, c.values, c.whole = []Spared{{ID: rec.ID, Code: code, Reason: fmt.Sprintf(format, args...)}}, c.values, nil, true
		return c
	}
	if rec.Revoked {
		return refuse("revoked", "its source revoked it")
	}
	o, err := stix.Parse(rec.Body)
	if err != nil {
		return refuse("object", "the object cannot be read")
	}
	m, values, left := indicator.FromObject(o)
	for _, x := range left {
		c.left = append(c.left, Spared{ID: rec.ID, Code: x.Code, Reason: x.Detail})
	}
	c.from, c.until = m.From, m.Until
	for _, v := range values {
		text := v.Text()
		if v.Alone() {
			c.alone = append(c.alone, text)
		}
		c.values = append(c.values, point{v.Kind, strings.TrimPrefix(text, "*.")})
	}
	slices.SortFunc(c.values, point.compare)
	c.values = slices.Compact(c.values)
	if m.Revoked {
		return refuse("revoked", "its source revoked it")
	}
	types := texts(o, "/indicator_types")
	if slices.Contains(types, "benign") {
		c.benign = rec.Origin.Nation == r.o.Nation && rec.Origin.Org == r.o.Org
		c.left, c.about, c.whole = []Spared{{ID: rec.ID, Code: "types", Reason: "its source says that it is benign"}}, c.values, true
		return c
	}
	switch {
	case l.PAP == label.PAPAsk:
		return refuse("pap", "nothing may be done with it before its originator was asked")
	case l.PAP < label.PAPGreen:
		return refuse("pap", "%s forbids what others can see, and blocking is that", l.PAP)
	case l.Purpose&label.NetDefence == 0:
		return refuse("purpose", "it may be used for %s, and not to defend networks", l.Purpose)
	case l.Access == label.View:
		return refuse("access", "it may be shown and not kept, and what is loaded is kept")
	}
	if len(types) == 0 && !r.o.Config.UntypedToo {
		return refuse("types", "its source does not say of which type it is: see block.untyped_too")
	}
	if len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return slices.Contains(r.o.Config.Types, t) }) {
		return refuse("types", "its types are %s: see block.types", strings.Join(types, ", "))
	}
	c.src.Confidence = m.Confidence
	if m.Confidence < 0 {
		c.src.Confidence = r.o.Config.UnstatedConfidence
	}
	if c.src.Confidence < r.o.Config.MinConfidence {
		return refuse("confidence", "its confidence of %d is below %d: see block.min_confidence", c.src.Confidence, r.o.Config.MinConfidence)
	}
	if c.until.IsZero() && r.o.Config.Days > 0 {
		since := m.Since
		if since.IsZero() {
			since = m.From
		}
		c.until = since.AddDate(0, 0, r.o.Config.Days)
	}
	if !l.NotAfter.IsZero() && (c.until.IsZero() || l.NotAfter.Before(c.until)) {
		c.until = l.NotAfter
	}
	if c.from.Before(l.NotBefore) {
		c.from = l.NotBefore
	}
	c.src.Until = c.until
	if strings.HasPrefix(c.src.Via, "peer:") && r.o.Accord != nil {
		c.src.Accord = r.intern(r.o.Accord(ctx, rec.ID))
	}
	return c
}

// texts is a list of texts in an object.
func texts(o *stix.Object, pointer string) (out []string) {
	for i := range 100 {
		t := o.Text(fmt.Sprintf("%s/%d", pointer, i))
		if t == "" {
			return out
		}
		out = append(out, t)
	}
	return out
}

// state is why a claim does not count at a moment; empty: it does. next is when that changes; zero: never.
func (c *claim) state(now time.Time) (code, reason string, next time.Time) {
	switch {
	case now.Before(c.from):
		return "early", "it is valid from " + c.from.Format(time.RFC3339) + " on", c.from
	case !c.until.IsZero() && !now.Before(c.until):
		return "expired", "it was valid until " + c.until.Format(time.RFC3339), time.Time{}
	}
	return "", "", c.until
}
