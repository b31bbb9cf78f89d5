package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/correlation"
	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/input"
	"entente/internal/watch"
	"entente/sigma"
)

// detection is one run over inputs: one goroutine reads lines, all processors look at them, and one prints what they found in the order of the input.
type detection struct {
	a         *app
	set       *watch.Set
	now       time.Time
	format    string
	bar       *bar
	total     int64 // bytes of all files; 0: nobody knows
	read      int64 // of them
	next      uint64
	work      chan *lines
	order     chan *lines
	summary   detectSummary
	live      *correlation.Engine // nil: there are no correlations
	asGoing   bool                // they are found as the input is read, and not at its end
	out       *bufio.Writer
	stream    *watch.Stream
	undecided uint64
	told      int   // lines that were told to be unreadable
	failed    error // of printing
}

// detectSummary is what is said at the end.
type detectSummary struct {
	Events         uint64             `json:"events"`
	Lines          uint64             `json:"lines"`
	Unreadable     uint64             `json:"unreadable"` // lines that are no events
	Hits           uint64             `json:"hits"`
	ByRule         map[string]uint64  `json:"by_rule"`
	ByIndicator    map[string]uint64  `json:"by_indicator"`
	MoreIndicators uint64             `json:"more_indicators,omitempty"` // hits of indicators that are not in ByIndicator, as there are too many
	Dead           map[string]uint64  `json:"not_valid,omitempty"`       // indicators that were met and do not count, by why
	Rules          int                `json:"rules"`
	RulesLeft      int                `json:"rules_not_used"`
	Indicators     int                `json:"indicators"`
	IndicatorsLeft int                `json:"indicators_not_used"`
	Correlations   *correlation.Stats `json:"correlations,omitempty"`
	Patterns       *patternsMissed    `json:"patterns,omitempty"` // what patterns may have missed
	Failed         int                `json:"inputs_failed"`      // inputs that could not be read, or not to their end
	Seconds        float64            `json:"seconds"`
}

// patternsMissed says why patterns may have missed some.
type patternsMissed struct {
	Evicted   uint64 `json:"evicted,omitempty"`   // events that no longer had room
	GivenUp   uint64 `json:"given_up,omitempty"`  // evaluations that were too much
	Untimed   uint64 `json:"untimed,omitempty"`   // events without a time
	Undecided uint64 `json:"undecided,omitempty"` // conditions that could not be decided on an event
}

// lines are some lines of one input that stand one after the other, and what was found in them.
type lines struct {
	input string
	tsv   *event.TSV // nil: they are JSON
	first uint64     // counted over all inputs, from 0
	line  uint64     // of the first in its input, from 1
	text  []byte
	ends  []int

	printed     []byte
	events      uint64
	unreadable  uint64
	told        []string // the first of these
	byRule      map[string]uint64
	byIndicator map[string]uint64
	dead        map[string]uint64
	kept        []sigma.Hit
	parts       []partLine
	undecided   uint64
	latest      time.Time // of the events, where correlations are found as the input is read
	ready       chan struct{}
}

// partLine is an event that patterns of several events need, and where it stands.
type partLine struct {
	parts *watch.Parts
	event uint64
	line  uint64
	time  time.Time
}

const (
	linesMost   = 512
	linesBytes  = 256 << 10
	toldMost    = 10     // unreadable lines that are told
	countedMost = 10_000 // indicators that are counted one by one
)

// newDetection begins. Below 0, lateness is that of the whole input.
func newDetection(a *app, set *watch.Set, now time.Time, format string, lateness time.Duration) *detection {
	d := &detection{a: a, set: set, now: now, format: format, asGoing: lateness >= 0, stream: set.Stream(), out: bufio.NewWriterSize(a.out, 64<<10),
		summary: detectSummary{ByRule: map[string]uint64{}, ByIndicator: map[string]uint64{}, Dead: map[string]uint64{}}}
	d.live = set.Correlations(correlation.Options{Lateness: lateness, Shards: runtime.GOMAXPROCS(0)}, d.correlated)
	return d
}

func (d *detection) run(ctx context.Context, files []string) error {
	began := time.Now()
	for _, name := range files {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.Mode().IsRegular() {
			d.total = 0
			break
		}
		d.total += info.Size()
	}
	d.bar = d.a.progress("detect", true)
	workers := runtime.GOMAXPROCS(0)
	d.work = make(chan *lines, workers)
	d.order = make(chan *lines, 4*workers) // bounds what is in memory
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			w := d.set.Watcher()
			w.Now = d.now
			var ev event.Event
			for l := range d.work {
				d.look(w, &ev, l)
				close(l.ready)
			}
		})
	}
	if !d.a.asJSON {
		fmt.Fprintf(d.out, "%-8s  %-20s  %-8s  %-36s  %s\n", "EVENT", "TIME", "LEVEL", "FOUND", "FIELDS")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for l := range d.order {
			<-l.ready
			d.take(l)
		}
	}()
	err := d.files(ctx, files)
	close(d.work)
	close(d.order)
	wg.Wait()
	<-done
	d.bar.end()
	if d.live != nil {
		d.live.Flush()
		stats := d.live.Stats()
		d.summary.Correlations = &stats
	}
	d.missed()
	d.summary.Lines = d.next
	d.summary.Seconds = float64(time.Since(began).Milliseconds()) / 1000
	if err := errors.Join(err, d.failed, d.out.Flush()); err != nil {
		return err
	}
	return d.say()
}

// files reads one input after the other. One that cannot be read does not keep the others from being.
func (d *detection) files(ctx context.Context, files []string) error {
	for _, name := range files {
		err := d.file(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.summary.Failed++
			d.bar.clear()
			tell(d.a.err, err)
		}
	}
	return nil
}

func (d *detection) file(ctx context.Context, name string) error {
	file, closeFile, err := openInput(d.a.in, name)
	if err != nil {
		return err
	}
	defer closeFile()
	in, err := inflate(&counting{file, &d.read})
	if err != nil {
		return fault.New(fault.Invalid, "input.gzip", "%s is not sound gzip data", name).Because(err)
	}
	lr := bufio.NewReaderSize(in, 256<<10)
	head, _ := lr.Peek(4096)
	text, unread, err := input.Decode(head, lr)
	if err != nil {
		return fault.New(fault.Invalid, "input.form", "%s cannot be read: %v", name, err)
	}
	if text != nil {
		lr, head = bufio.NewReaderSize(text, 256<<10), nil
	}
	var tsv *event.TSV
	if head = bytes.TrimPrefix(head, bom); d.format == "zeek" || d.format == "auto" && (bytes.HasPrefix(head, []byte("#separator")) || bytes.HasPrefix(head, []byte("#fields"))) {
		tsv = event.NewTSV(d.set.Plan())
	}
	l := &lines{}
	begin := func(line uint64) {
		l = &lines{input: name, tsv: tsv, first: d.next, line: line, ready: make(chan struct{})}
	}
	send := func(line uint64) {
		if len(l.ends) > 0 || len(l.told) > 0 {
			d.order <- l
			d.work <- l
		}
		begin(line)
	}
	begin(1)
	for line := uint64(1); ; line++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		start := len(l.text)
		var more bool
		var long bool
		l.text, long, more, err = readLine(lr, l.text)
		if err != nil {
			send(line)
			return fault.New(fault.Invalid, "input.read", "%s cannot be read beyond line %d", name, line).Because(err)
		}
		if !more {
			if unread != nil && unread() > 0 {
				l.unreadable += unread()
				l.told = append(l.told, fmt.Sprintf("%s: %d parts of it are damaged", name, unread()))
			}
			send(line)
			return nil
		}
		if line == 1 {
			l.text = append(l.text[:start], bytes.TrimPrefix(l.text[start:], bom)...)
		}
		d.next++
		text := l.text[start:]
		switch {
		case long:
			l.text = l.text[:start]
			l.wrong(line, fmt.Sprintf("the line is longer than %s", size(input.MaxLine)))
			send(line + 1)
		case tsv != nil && len(text) > 0 && text[0] == '#': // what the columns are from here on
			next := *tsv // lines before are still being looked at
			_, err := next.Scan(text, nil)
			tsv = &next
			l.text = l.text[:start]
			if err != nil {
				l.wrong(line, err.Error())
			}
			send(line + 1)
		default:
			if l.ends = append(l.ends, len(l.text)); len(l.ends) == linesMost || len(l.text) >= linesBytes {
				send(line + 1)
			}
		}
		d.bar.set("reading", d.read, d.total, "bytes")
	}
}

var bom = []byte("\ufeff")

// counting counts what is read.
type counting struct {
	r io.Reader
	n *int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	*c.n += int64(n)
	return n, err
}

// readLine appends a line without its end. Of one that is too long nothing is kept that matters.
func readLine(r *bufio.Reader, to []byte) (text []byte, long, more bool, err error) {
	start := len(to)
	for {
		part, err := r.ReadSlice('\n')
		more = more || len(part) > 0
		if !long {
			to = append(to, part...)
			long = len(to)-start > input.MaxLine+2
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return to[:start], long, more, err
		}
		for len(to) > start && (to[len(to)-1] == '\n' || to[len(to)-1] == '\r') {
			to = to[:len(to)-1]
		}
		return to, long, more, nil
	}
}

// wrong notes a line that is no event.
func (l *lines) wrong(line uint64, why string) {
	if l.unreadable++; len(l.told) < toldMost {
		l.told = append(l.told, fmt.Sprintf("%s:%d: %s", l.input, line, why))
	}
}

// look looks at the lines.
func (d *detection) look(w *watch.Watcher, ev *event.Event, l *lines) {
	clear(w.Dead)
	before := w.Undecided()
	plan, start := d.set.Plan(), 0
	for i, end := range l.ends {
		text := l.text[start:end]
		start = end
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		ok, err := true, error(nil)
		if l.tsv != nil {
			ok, err = l.tsv.Scan(text, ev)
		} else {
			err = plan.Scan(text, ev)
		}
		if err != nil {
			l.wrong(l.line+uint64(i), err.Error())
			continue
		}
		if !ok {
			continue
		}
		l.events++
		ev.Index = l.first + uint64(i)
		if d.asGoing && d.live != nil {
			if t, ok := d.set.Time(ev); ok && t.After(l.latest) {
				l.latest = t
			}
		}
		for _, f := range w.Look(ev) {
			d.found(l, ev, &f, l.line+uint64(i))
		}
	}
	l.undecided = w.Undecided() - before
	for state, n := range w.Dead {
		add(&l.dead, strings.ToLower(state.String()), n)
	}
}

// found prints and counts what was found.
func (d *detection) found(l *lines, ev *event.Event, f *watch.Finding, line uint64) {
	if f.Hit != nil {
		l.kept = append(l.kept, *f.Hit)
	}
	when, known := d.set.Time(ev)
	if !known {
		when = time.Time{}
	}
	if f.Parts != nil {
		l.parts = append(l.parts, partLine{f.Parts, ev.Index, line, when})
	}
	switch {
	case f.Silent:
		return
	case f.Rule != nil:
		add(&l.byRule, f.Rule.Handle(), 1)
	case f.Pattern != nil:
		add(&l.byIndicator, f.Pattern.Meta.Source, 1)
	default:
		add(&l.byIndicator, f.Indicator.Meta.Source, 1)
	}
	l.printed = d.print(l.printed, &hitLine{finding: f, event: ev.Index, time: when, input: l.input, line: line})
}

func add(to *map[string]uint64, key string, n uint64) {
	if *to == nil {
		*to = map[string]uint64{}
	}
	(*to)[key] += n
}

// take prints what was found in some lines, and counts it.
func (d *detection) take(l *lines) {
	s := &d.summary
	if len(l.printed) > 0 && d.failed == nil {
		d.bar.clear()
		_, d.failed = d.out.Write(l.printed)
	}
	for _, p := range l.parts {
		d.stream.Take(p.parts, func(f *watch.Finding) {
			add(&l.byIndicator, f.Pattern.Meta.Source, 1)
			if d.failed == nil {
				d.bar.clear()
				_, d.failed = d.out.Write(d.print(nil, &hitLine{finding: f, event: p.event, time: p.time, input: l.input, line: p.line}))
			}
		})
	}
	d.undecided += l.undecided
	s.Events += l.events
	for _, t := range l.told {
		if d.told++; d.told <= toldMost {
			d.bar.clear()
			d.a.say("entente: %s", clean(t))
		}
	}
	s.Unreadable += l.unreadable
	for k, n := range l.byRule {
		s.ByRule[k] += n
		s.Hits += n
	}
	for k, n := range l.byIndicator {
		s.Hits += n
		if _, counted := s.ByIndicator[k]; counted || len(s.ByIndicator) < countedMost {
			s.ByIndicator[k] += n
		} else {
			s.MoreIndicators += n
		}
	}
	for k, n := range l.dead {
		s.Dead[k] += n
	}
	if d.live != nil {
		d.live.Add("", l.kept)
		if !l.latest.IsZero() {
			d.live.Advance("", l.latest)
		}
	}
}

// correlated prints a hit of a correlation, and counts it.
func (d *detection) correlated(h *sigma.Hit) {
	d.summary.ByRule[h.Rule.Handle()]++
	d.summary.Hits++
	if d.failed == nil {
		d.bar.clear()
		_, d.failed = d.out.Write(d.print(nil, &hitLine{correlation: h, event: h.Index, time: h.Time}))
	}
}

// missed notes what patterns did not count, or may have missed.
func (d *detection) missed() {
	st := d.stream.Stats()
	for state, n := range map[indicator.State]uint64{indicator.Early: st.Early, indicator.Expired: st.Expired} {
		if n > 0 {
			d.summary.Dead[strings.ToLower(state.String())] += n
		}
	}
	if m := (patternsMissed{st.Evicted, st.GivenUp, st.Untimed, d.undecided}); m != (patternsMissed{}) {
		d.summary.Patterns = &m
	}
}

// say says what there was.
func (d *detection) say() error {
	s := &d.summary
	if d.a.asJSON {
		e := json.NewEncoder(d.a.err)
		e.SetEscapeHTML(false)
		return e.Encode(s)
	}
	d.a.say("%s events in %s lines, %s hits, %.1f s", count(int64(s.Events)), count(int64(s.Lines)), count(int64(s.Hits)), s.Seconds)
	if s.Unreadable > 0 {
		d.a.say("%s lines are no events", count(int64(s.Unreadable)))
	}
	d.a.say("%s rules (%s not used), %s indicators (%s not used)", count(int64(s.Rules)), count(int64(s.RulesLeft)), count(int64(s.Indicators)), count(int64(s.IndicatorsLeft)))
	for _, k := range slices.Sorted(maps.Keys(s.Dead)) {
		d.a.say("%s times an indicator was met that is %s", count(int64(s.Dead[k])), k)
	}
	if c := s.Correlations; c != nil {
		for _, x := range []struct {
			n    uint64
			what string
		}{
			{c.Untimed, "hits of rules have no time, and are in no correlation"},
			{c.Late, "hits of rules came too late for correlations, by their time"},
			{c.Hurried, "hits of rules were correlated before all was read, as too many waited"},
			{c.Evicted, "groups of correlations were forgotten, as there were too many"},
			{c.Shortened, "hits or values were forgotten by correlations whose window was too full"},
		} {
			if x.n > 0 {
				d.a.say("%s %s", count(int64(x.n)), x.what)
			}
		}
	}
	if m := s.Patterns; m != nil {
		d.a.say("patterns may have missed some: %s events had no room, %s had no time, %s evaluations were too much, %s conditions could not be decided", count(int64(m.Evicted)), count(int64(m.Untimed)), count(int64(m.GivenUp)), count(int64(m.Undecided)))
	}
	for _, by := range []map[string]uint64{s.ByRule, s.ByIndicator} {
		keys := slices.SortedFunc(maps.Keys(by), func(x, y string) int { return cmp.Or(cmp.Compare(by[y], by[x]), cmp.Compare(x, y)) })
		for i, k := range keys {
			if i == 20 {
				d.a.say("  and %s more", count(int64(len(keys)-i)))
				break
			}
			d.a.say("  %8s  %s", count(int64(by[k])), clean(k))
		}
	}
	if s.Failed > 0 {
		d.a.say("%d inputs could not be read to their end", s.Failed)
	}
	return nil
}

// hitLine is what is printed of a hit.
type hitLine struct {
	finding     *watch.Finding // nil: it is of a correlation
	correlation *sigma.Hit
	event       uint64
	time        time.Time
	input       string
	line        uint64
}

func (d *detection) print(to []byte, h *hitLine) []byte {
	if d.a.asJSON {
		return h.json(to)
	}
	level, what, fields := "", "", []string(nil)
	switch {
	case h.correlation != nil:
		level, what = h.correlation.Rule.Level, cmp.Or(h.correlation.Rule.Title, h.correlation.Rule.Handle())
		fields = append(fields, h.correlation.Group...)
		fields = append(fields, h.correlation.Value)
	case h.finding.Rule != nil:
		level, what = h.finding.Rule.Level, cmp.Or(h.finding.Rule.Title, h.finding.Rule.Handle())
	case h.finding.Pattern != nil:
		what = "pattern " + h.finding.Pattern.Text
	default:
		what = h.finding.Indicator.Value.Kind.String() + " " + h.finding.Indicator.Value.Text()
	}
	if h.finding != nil {
		for _, f := range h.finding.Fields {
			fields = append(fields, cmp.Or(f.Name, "any")+"="+string(f.Value))
		}
	}
	return fmt.Appendf(to, "%-8d  %-20s  %-8s  %-36s  %s\n", h.event, when(h.time), clean(level), clean(short(what, 36)), clean(short(strings.Join(fields, " "), 120)))
}

// json writes the hit as one line of JSON. The names of fields come as the rule asked for them.
func (h *hitLine) json(to []byte) []byte {
	text := func(name, value string) {
		to = append(appendJSON(append(to, ','), name), ':')
		to = appendJSON(to, value)
	}
	to = append(to, '{')
	start := len(to)
	switch {
	case h.finding != nil && h.finding.Pattern != nil:
		p := h.finding.Pattern
		text("indicator", p.Meta.Source)
		text("kind", "pattern")
		text("value", p.Text)
		if p.Meta.Confidence >= 0 {
			to = fmt.Appendf(to, `,"confidence":%d`, p.Meta.Confidence)
		}
	case h.finding != nil && h.finding.Rule == nil:
		i := h.finding.Indicator
		text("indicator", i.Meta.Source)
		text("kind", i.Value.Kind.String())
		text("value", i.Value.Text())
		if i.Meta.Confidence >= 0 {
			to = fmt.Appendf(to, `,"confidence":%d`, i.Confidence)
		}
	default:
		rule := (*sigma.Meta)(nil)
		if h.finding != nil {
			rule = h.finding.Rule
		} else {
			rule = h.correlation.Rule
		}
		text("rule", rule.Handle())
		text("title", rule.Title)
		if rule.Level != "" {
			text("level", rule.Level)
		}
	}
	to = append(to[:start], to[start+1:]...) // the first comma
	to = fmt.Appendf(to, `,"event":%d`, h.event)
	if !h.time.IsZero() {
		text("time", h.time.Format(time.RFC3339Nano))
	}
	if c := h.correlation; c != nil {
		to = append(to, `,"fields":{`...)
		for i, name := range c.Correlation.GroupBy {
			if i > 0 {
				to = append(to, ',')
			}
			to = append(appendJSON(to, name), ':')
			to = appendJSON(to, c.Group[i])
		}
		to = append(to, '}')
		text("value", c.Value)
		to = appendEvents(to, c.Events)
		if c.Cut {
			to = append(to, `,"cut":true`...)
		}
		return append(to, "}\n"...)
	}
	to = appendFields(append(to, `,"fields":`...), h.finding.Fields)
	if h.finding.Events != nil {
		to = appendEvents(to, h.finding.Events)
	}
	text("input", h.input)
	return fmt.Appendf(to, ",\"line\":%d}\n", h.line)
}

// appendEvents writes the events that a hit is made of.
func appendEvents(to []byte, events []uint64) []byte {
	to = append(to, `,"events":[`...)
	for i, n := range events {
		if i > 0 {
			to = append(to, ',')
		}
		to = fmt.Appendf(to, "%d", n)
	}
	return append(to, ']')
}

// appendFields writes an object of names and values; of a name with several values a list. Keywords, which no field is named for, stand under "keywords".
func appendFields(to []byte, fields []event.Field) []byte {
	to = append(to, '{')
	for i, f := range fields {
		if slices.ContainsFunc(fields[:i], func(o event.Field) bool { return o.Name == f.Name }) {
			continue
		}
		if to[len(to)-1] != '{' {
			to = append(to, ',')
		}
		to = append(appendJSON(to, cmp.Or(f.Name, "keywords")), ':')
		mark, n := len(to), 0
		for _, o := range fields[i:] {
			if o.Name != f.Name {
				continue
			}
			if n > 0 {
				to = append(to, ',')
			}
			if o.Value == nil {
				to = append(to, "null"...)
			} else {
				to = appendJSON(to, string(o.Value))
			}
			n++
		}
		if n > 1 {
			to = append(slices.Insert(to, mark, '['), ']')
		}
	}
	return append(to, '}')
}

// appendJSON writes a text as JSON has it; what is not UTF-8 becomes U+FFFD.
func appendJSON(to []byte, text string) []byte {
	to, _ = jsontext.AppendQuote(to, strings.ToValidUTF8(text, "\ufffd"))
	return to
}
