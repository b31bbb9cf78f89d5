package mispapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/misp"
)

// filter is what an index asks for. Terms that begin with ! exclude.
type filter struct {
	orgs, tags, uuids []string
	published         string // "", "0", "1"
	info              string
	from, to          time.Time // of the event's timestamp
	dateFrom, dateTo  string
}

func (s *Surface) filterOf(p params) (filter, error) {
	f := filter{orgs: split(p.list("org", "orgc", "searchorg")), tags: split(p.list("tag", "tags", "searchtag")), uuids: p.list("uuid", "eventid", "event_id", "searchuuid", "searcheventid"), info: strings.ToLower(p.get("eventinfo") + p.get("searcheventinfo"))}
	if v := p.get("published") + p.get("searchpublished"); v == "0" || v == "1" {
		f.published = v
	}
	now := s.cfg.Now()
	var err error
	if f.from, f.to, err = window(p, now, "timestamp", "searchtimestamp", "last"); err != nil {
		return f, err
	}
	f.dateFrom, f.dateTo = day(p.get("from")+p.get("searchDatefrom"), now), day(p.get("to")+p.get("searchDateuntil"), now)
	return f, nil
}

// split takes terms joined by | apart.
func split(in []string) []string {
	var out []string
	for _, s := range in {
		for _, part := range strings.Split(s, "|") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// negated tells of a term that excludes.
func negated(s string) (string, bool) {
	t, ok := strings.CutPrefix(s, "!")
	return t, ok
}

// pass tells whether terms let something through of which is says whether a term fits: none that excludes fits, and one of the others does.
func pass(terms []string, is func(string) bool) bool {
	wanted, found := false, false
	for _, t := range terms {
		t, not := negated(t)
		switch {
		case not && is(t):
			return false
		case !not:
			wanted = true
			found = found || is(t)
		}
	}
	return found || !wanted
}

// matchText tells whether a text fits a term, in which % stands for anything.
func matchText(term, text string) bool {
	term, text = strings.ToLower(term), strings.ToLower(text)
	if !strings.Contains(term, "%") {
		return term == text
	}
	parts := strings.Split(term, "%")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

func (f *filter) needsBody() bool {
	return len(f.tags) > 0 || f.info != "" || f.dateFrom != "" || f.dateTo != ""
}

// head tells whether what the header says passes. sum, where the body was read, gives the name of a creator that is not registered here.
func (f *filter) head(s *Surface, o *orgs, h *head, sum *summary) bool {
	if f.published != "" && (f.published == "1") != h.published {
		return false
	}
	if !f.from.IsZero() && h.at.Before(f.from) || !f.to.IsZero() && h.at.After(f.to) {
		return false
	}
	if !pass(f.uuids, func(t string) bool { return s.numbers.uuid(t) == h.uuid || s.numbers.give("event", h.uuid) == t }) {
		return false
	}
	return pass(f.orgs, func(t string) bool {
		return misp.UUID(t) == h.creator && h.creator != "" || s.numbers.give("org", h.creator) == t || matchText(t, o.creator(h, sum))
	})
}

func (f *filter) body(sum *summary) bool {
	if !pass(f.tags, func(t string) bool {
		for _, tag := range sum.tags {
			if matchText(t, tag) {
				return true
			}
		}
		return false
	}) {
		return false
	}
	d := sum.event.Date
	return (f.info == "" || matchInfo(f.info, sum.event.Info)) && (f.dateFrom == "" || d >= f.dateFrom) && (f.dateTo == "" || d <= f.dateTo)
}

// of is those of some events that pass, in the same place; with what was read of them, unless that is nil.
func (f *filter) of(s *Surface, o *orgs, heads []head, sums []*summary) (kept []head, keptSums []*summary) {
	kept = heads[:0]
	for i := range heads {
		var sum *summary
		if sums != nil {
			sum = sums[i]
		}
		if !f.head(s, o, &heads[i], sum) || sum != nil && !f.body(sum) {
			continue
		}
		if kept = append(kept, heads[i]); sum != nil {
			keptSums = append(keptSums, sum)
		}
	}
	return kept, keptSums
}

func badParam(name, value string) error {
	return fault.New(fault.Invalid, "misp.param", "%q is no time: seconds since 1970, a date, or a span such as 5d", clip(value)).At(name)
}

func matchInfo(term, info string) bool {
	if strings.Contains(term, "%") {
		return matchText(term, info)
	}
	return strings.Contains(strings.ToLower(info), term)
}

// index lists events: the whole of what the viewer may have where no limit is given, as pulls want it.
func (s *Surface) index(c *call) error {
	if err := c.readParams(); err != nil {
		return err
	}
	f, err := s.filterOf(c.params)
	if err != nil {
		return err
	}
	limit, err := c.params.count("limit", 0)
	if err != nil {
		return err
	}
	page, err := c.params.count("page", 1)
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	heads, err := s.allHeads(ctx, c.v)
	if err != nil {
		return err
	}
	o := s.orgs()
	// Names of creators stand in the bodies: only a name in the filter asks for them.
	var named bool
	for _, t := range f.orgs {
		t, _ = negated(t)
		named = named || misp.UUID(t) == "" && strings.Trim(t, "0123456789") != ""
	}
	var sums []*summary
	full := !c.params.flag("minimal")
	if named || f.needsBody() {
		if sums, err = s.withSummaries(ctx, c.v, heads); err != nil {
			return err
		}
	}
	kept, keptSums := f.of(s, o, heads, sums)
	c.w.Header().Set("X-Result-Count", strconv.Itoa(len(kept)))
	if limit > 0 {
		from := min(max(page-1, 0)*limit, len(kept))
		to := min(from+limit, len(kept))
		kept = kept[from:to]
		if keptSums != nil {
			keptSums = keptSums[from:to]
		}
	}
	if full && keptSums == nil {
		if keptSums, err = s.withSummaries(ctx, c.v, kept); err != nil {
			return err
		}
	}
	seen, err := s.lastSeen(ctx, c.v)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 64+len(kept)*200)
	b = append(b, '[')
	for i := range kept {
		if i > 0 {
			b = append(b, ',')
		}
		if full {
			if b, err = s.indexRow(c, b, o, &kept[i], keptSums[i]); err != nil {
				return err
			}
			continue
		}
		b = s.minimalRow(b, &kept[i], seen[kept[i].uuid])
	}
	b = append(b, ']')
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	c.w.Header().Set("ETag", tag)
	for _, have := range strings.Split(c.r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(have), "W/") == tag {
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return c.raw(b)
}

// raw writes JSON that is written already.
func (c *call) raw(b []byte) error {
	c.w.Header().Set("Content-Type", "application/json")
	if c.r.Method != http.MethodHead {
		c.w.Write(b)
	}
	return nil
}

func (s *Surface) minimalRow(b []byte, h *head, seen int64) []byte {
	b = append(append(b, `{"id":"`...), s.numbers.give("event", h.uuid)...)
	b = append(b, `","timestamp":"`...)
	b = strconv.AppendInt(b, h.at.Unix(), 10)
	b = append(b, `","sighting_timestamp":"`...)
	b = strconv.AppendInt(b, seen, 10)
	b = append(b, `","published":`...)
	b = strconv.AppendBool(b, h.published)
	b = append(append(b, `,"uuid":"`...), h.uuid...)
	b = append(append(b, `","orgc_uuid":"`...), h.creator...)
	return append(b, `"}`...)
}

func (s *Surface) indexRow(c *call, b []byte, o *orgs, h *head, sum *summary) ([]byte, error) {
	e := s.outHead(c.v, o, h, sum.event)
	tags := e.Tags
	e.Tags = nil
	raw, err := misp.Encode(e)
	if err != nil {
		return b, err
	}
	b = append(b, raw[:len(raw)-1]...)
	b = append(b, `,"EventTag":[`...)
	for i := range tags {
		t, err := misp.Encode(&tags[i])
		if err != nil {
			return b, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"tag_id":"`...), tags[i].ID...), `","Tag":`...)
		b = append(append(b, t...), '}')
	}
	return append(b, "]}"...), nil
}

// window reads a span of time: seconds since 1970, a date, or how long ago (5d, 3h), one or two of them.
func window(p params, now time.Time, names ...string) (from, to time.Time, err error) {
	for _, name := range names {
		values := p[name]
		for i, v := range values {
			if v == "" {
				continue
			}
			t, ok := moment(v, now)
			if !ok {
				return from, to, badParam(name, v)
			}
			if i == 0 {
				from = t
			} else {
				to = t
			}
		}
	}
	return from, to, nil
}

func moment(s string, now time.Time) (time.Time, bool) {
	if n := len(s); n > 1 {
		unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second, 'w': 7 * 24 * time.Hour}[s[n-1]]
		if k, err := strconv.Atoi(s[:n-1]); err == nil && unit > 0 && k >= 0 && k < 100_000 {
			return now.Add(-time.Duration(k) * unit), true
		}
	}
	return misp.Time(s)
}

func day(s string, now time.Time) string {
	if s == "" {
		return ""
	}
	if len(s) == 10 && s[4] == '-' {
		return s
	}
	t, ok := moment(s, now)
	if !ok {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
