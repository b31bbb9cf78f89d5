// Package correlation evaluates Sigma correlations as hits come in, over streams that do not end. What it finds is what [sigma.Correlate] finds over all of them.
//
// A hit costs the same however much its window holds: counts and different values are lists by age, rules and chains of rules are moments, sums are kept as sums. Only the
// median and the percentiles cost the logarithm of the window, and hits that come out of order that of how many wait. How many rules a correlation has matters: the square of
// their number for temporal_ordered, and with a condition in words two to its power (12 rules at most).
//
// What must be in memory is bounded. Groups whose window is over are forgotten and nothing is lost by it; when there are too many others, those that were not used the
// longest go, and are counted. No event is kept: only moments, keyed hashes of values and groups, and numbers.
package correlation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"time"

	"entente/internal/state"
	"entente/sigma"
)

// Options say how much is kept. What is zero is as said there.
type Options struct {
	Groups   int           // groups of all correlations: 1,000,000
	Bytes    int64         // of all groups with their windows: 256 MiB
	Window   int           // entries of one group: 1,048,576
	Events   int           // events that a hit names, the latest: 1,000
	Lateness time.Duration // how much later than others a hit may come and still be in its place; below 0: until [Engine.Flush]
	Waiting  int64         // bytes of hits that wait for that: 256 MiB
	Shards   int           // parts that work side by side: 1. They change nothing in what is found

	// Now is the clock that times are held to: what is more than an hour ahead of it is not believed. nil: all times are.
	Now func() time.Time
}

func (o *Options) fill() {
	o.Groups = positive(o.Groups, 1_000_000)
	o.Bytes = positive(o.Bytes, 256<<20)
	o.Window = positive(o.Window, 1<<20)
	o.Events = positive(o.Events, 1000)
	o.Waiting = positive(o.Waiting, 256<<20)
	o.Shards = min(positive(o.Shards, 1), 256)
}

func positive[N int | int64](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

// ahead is how far a time may be ahead of the clock.
const ahead = time.Hour

// Stats say what came, what was found, and what is not in it.
type Stats struct {
	Hits  uint64 `json:"hits"`  // of rules that correlations are about
	Found uint64 `json:"found"` // hits of correlations

	Groups  int   `json:"groups"`  // that are kept now
	Bytes   int64 `json:"bytes"`   // that they take
	Waiting int   `json:"waiting"` // hits that wait for what may come before them

	// what was not counted in, or only in part
	Untimed   uint64 `json:"untimed"`   // hits without a time
	Late      uint64 `json:"late"`      // hits that came too late
	Ahead     uint64 `json:"ahead"`     // hits whose time is not come yet
	Hurried   uint64 `json:"hurried"`   // hits that were evaluated early, because too many waited: others may have come late by it
	Evicted   uint64 `json:"evicted"`   // groups that were forgotten within their window, because there were too many
	Shortened uint64 `json:"shortened"` // entries that a window was too full for
}

// live is a correlation as it is evaluated.
type live struct {
	*sigma.Correlation
	at      int
	span    int64
	print   [sha256.Size]byte // of all that its state depends on
	bounds  []bound
	most    int // beyond as many a count matters no more to the condition
	trail   int // entries of the trail at most, one more than are told
	slots   int // moments of a group
	chained []int
	targets []target // of its own hits
	before  bool     // it was there when the state was saved that was loaded
	asks    []string

	counts, distinct, numeric, summed, ordered bool
}

func (c *live) over(time, now int64) bool { return uint64(now-time) > uint64(c.span) }

// Engine evaluates correlations. It belongs to one goroutine.
type Engine struct {
	o        Options
	found    func(*sigma.Hit)
	secret   key
	live     []*live
	refs     map[string][]int // by id and name of a rule: the correlations
	subjects map[subjectName]*subject
	shards   []*shard
	wait     waiting
	sources  map[string]int64 // how far each is
	furthest int64            // of all that was seen
	mark     int64            // all before it is evaluated
	seq      uint64
	used     uint64
	stats    Stats
	text     []byte
	fold     []byte
	inbox    [][]item // by correlation
	full     []uint64 // which of them are not empty, a bit for each
	again    bool     // see Again
}

// New makes an engine for correlations, which must be in the order of [sigma.Collection.Link]. What they find is given to found, in the order of its time, while one of the
// engine's methods runs. Event and Names of these hits are not set.
func New(correlations []*sigma.Correlation, o Options, found func(*sigma.Hit)) *Engine {
	o.fill()
	e := &Engine{o: o, found: found, refs: map[string][]int{}, subjects: map[subjectName]*subject{}, sources: map[string]int64{}, furthest: never, mark: never,
		inbox: make([][]item, len(correlations)), full: make([]uint64, len(correlations)/64+1)}
	var secret [16]byte
	rand.Read(secret[:])
	e.secret = key{binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])}
	for i, c := range correlations {
		e.live = append(e.live, e.newLive(i, c))
		for _, ref := range c.Rules {
			if ref != "" {
				e.refs[ref] = append(e.refs[ref], i)
			}
		}
	}
	for i := len(e.live) - 1; i >= 0; i-- { // a correlation comes after those it is about
		c := e.live[i]
		c.targets = e.targets(&c.Meta, i)
		c.asks = e.asks(c.targets)
	}
	e.shards = e.newShards()
	return e
}

func (e *Engine) newShards() (out []*shard) {
	for range e.o.Shards {
		out = append(out, newShard(e.secret, e.o.Window, e.live))
	}
	return out
}

func (e *Engine) newLive(at int, c *sigma.Correlation) *live {
	l := &live{Correlation: c, at: at, span: int64(c.Timespan), trail: e.o.Events + 1, print: fingerprint(c)}
	for _, b := range c.Bounds {
		b := newBound(b)
		l.bounds = append(l.bounds, b)
		l.most = max(l.most, int(min(max(b.floor, 0), math.MaxInt32))+1)
	}
	switch c.Type {
	case sigma.EventCount:
		l.counts = true
	case sigma.ValueCount:
		l.distinct = true
	case sigma.Temporal:
		l.slots = len(c.Rules)
	case sigma.TemporalOrdered:
		l.ordered = true
		if c.Expression != nil {
			l.chained = chainedPlaces(c)
		}
		l.slots = l.chainSlots()
	default:
		l.numeric = true
		l.summed = c.Type == sigma.ValueSum || c.Type == sigma.ValueAvg
	}
	return l
}

// fingerprint is the same for correlations that mean the same.
func fingerprint(c *sigma.Correlation) [sha256.Size]byte {
	words := ""
	if c.Expression != nil {
		words = c.Expression.Text
	}
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %d %q %q %q %v %q", c.ID, c.Name, c.Type, c.Rules, c.GroupBy, c.Timespan, c.Aliases, c.Bounds, c.Fields, c.Percentile, words))
}

// Add takes hits of rules from a source, which is as far as the latest of them. Hits of one event come together, and have one time; the indexes are counted up over all
// sources.
func (e *Engine) Add(source string, hits []sigma.Hit) { e.AddLogged(nil, source, hits) }

// AddLogged is Add, and writes down what [Engine.AddAgain] needs.
func (e *Engine) AddLogged(log *state.Writer, source string, hits []sigma.Hit) {
	var taken []*record
	for i := range hits {
		h := &hits[i]
		from := e.subject(h.Rule)
		if from == nil {
			continue
		}
		e.stats.Hits++
		r, timed := e.record(h, from)
		switch {
		case !timed:
			e.stats.Untimed++
			continue
		case !e.believed(h.Time):
			e.stats.Ahead++
			continue
		}
		taken = append(taken, r)
	}
	if log != nil {
		saveRecords(log, taken)
	}
	e.take(source, taken)
}

// Again says that what comes from now on came before, to the engine whose state was loaded: the clock is not asked, and correlations that were not there then do not see it.
func (e *Engine) Again(on bool) { e.again = on }

// AddAgain adds what AddLogged wrote down. After an error nothing of it is added.
func (e *Engine) AddAgain(log *state.Reader, source string) error {
	records := e.loadRecords(log)
	if log.Err() != nil {
		return log.Err()
	}
	e.stats.Hits += uint64(len(records))
	e.take(source, records)
	return nil
}

func (e *Engine) take(source string, records []*record) {
	for _, r := range records {
		e.reach(source, r.time)
		if r.time < e.mark {
			e.stats.Late++
			continue
		}
		e.seq++
		r.seq = e.seq
		e.wait.add(r)
	}
	e.release()
}

func (e *Engine) believed(t time.Time) bool {
	return e.again || e.o.Now == nil || !t.After(e.o.Now().Add(ahead))
}

// Advance says how far a source is: it had an event of that time, whether a rule found it or not. False: the time is not believed, and nothing has changed.
func (e *Engine) Advance(source string, t time.Time) bool {
	if t.Before(earliest) || t.After(latest) || !e.believed(t) {
		return false
	}
	e.reach(source, t.UnixNano())
	e.release()
	return true
}

// Await says that something may still come from a source, of the time that was reached or later: the others wait for it.
func (e *Engine) Await(source string) {
	if _, known := e.sources[source]; !known && len(e.sources) < sourcesMost {
		e.sources[source] = e.mark
	}
}

// Rest says that nothing comes from a source for now: the others do not wait for it any more.
func (e *Engine) Rest(source string) {
	delete(e.sources, source)
	e.release()
}

// Flush evaluates all that waits: the input is at its end.
func (e *Engine) Flush() {
	e.mark = max(e.mark, e.furthest)
	e.evaluate(math.MaxInt64)
}

// sourcesMost bounds the sources that are known apart.
const sourcesMost = 4096

func (e *Engine) reach(source string, t int64) {
	if _, known := e.sources[source]; !known && len(e.sources) >= sourcesMost {
		source = ""
	}
	if at, known := e.sources[source]; !known || t > at {
		e.sources[source] = t
	}
	e.furthest = max(e.furthest, t)
}

// release evaluates what nothing can come before any more, and what there is no room for.
func (e *Engine) release() {
	if late := int64(e.o.Lateness); late >= 0 && e.furthest != never {
		slowest := e.furthest
		for _, t := range e.sources {
			slowest = min(slowest, t)
		}
		if slowest > math.MinInt64+late {
			e.mark = max(e.mark, slowest-late)
		}
		e.evaluate(e.mark)
	}
	for e.wait.weight > e.o.Waiting {
		before := e.wait.len()
		e.mark = max(e.mark, e.wait.first().time)
		e.run(e.batch(math.MaxInt64, 1))
		e.stats.Hurried += uint64(before - e.wait.len())
	}
}

// batchMost is how many hits are evaluated before what is kept is held to its bounds.
const batchMost = 1024

// evaluate takes what waits and is of before a moment.
func (e *Engine) evaluate(before int64) {
	for {
		b := e.batch(before, batchMost)
		if len(b) == 0 {
			return
		}
		e.run(b)
	}
}

// batch takes some of the first that wait. The hits of one event stay together.
func (e *Engine) batch(before int64, most int) (out []*record) {
	for r := e.wait.first(); r != nil && (r.time < before || before == math.MaxInt64); r = e.wait.first() {
		if n := len(out); n >= most && (out[n-1].time != r.time || out[n-1].index != r.index) {
			break
		}
		out = append(out, e.wait.pop())
	}
	return out
}

// item is a hit for a correlation.
type item struct {
	rec  *record
	to   *target
	key  key
	used uint64
}

// outcome is what a hit of a correlation says besides the hit that it is at.
type outcome struct {
	value  string
	events []uint64
	cut    bool
}

// run evaluates the correlations one after the other over some hits, which are in their order; their own hits join those for the correlations after them.
func (e *Engine) run(batch []*record) {
	if len(batch) == 0 {
		return
	}
	for _, r := range batch {
		e.post(r, r.from.targets)
	}
	type hit struct {
		rec *record
		outcome
	}
	var hits []hit
	for word := range e.full {
		for e.full[word] != 0 {
			at := word*64 + bits.TrailingZeros64(e.full[word])
			e.full[word] &^= 1 << (at % 64)
			c, box := e.live[at], e.inbox[at]
			slices.SortStableFunc(box, func(a, b item) int { return a.rec.order(b.rec) })
			e.stage(c, box, func(it *item, out outcome) {
				r := &record{time: it.rec.time, index: it.rec.index, from: it.rec.from, values: it.rec.values, by: c, group: it.rec.groupTexts(it.to.group), events: out.events}
				hits = append(hits, hit{r, out})
				e.post(r, c.targets)
			})
			clear(box)
			if e.inbox[at] = box[:0]; cap(box) > batchMost {
				e.inbox[at] = nil
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return a.rec.order(b.rec) })
	for _, h := range hits {
		e.stats.Found++
		e.found(&sigma.Hit{Rule: &h.rec.by.Meta, Time: time.Unix(0, h.rec.time).UTC(), Index: h.rec.index,
			Correlation: h.rec.by.Correlation, Group: h.rec.group, Value: h.value, Events: h.events, Cut: h.cut})
	}
	e.settle(batch[len(batch)-1].time)
}

// post gives a hit to the correlations that are about it.
func (e *Engine) post(r *record, targets []target) {
	for i := range targets {
		t := &targets[i]
		c := e.live[t.at]
		if e.again && !c.before {
			continue
		}
		e.text = append(e.text[:0], c.print[:16]...)
		var ok bool
		if e.text, ok = r.join(e.text, t.group); !ok {
			continue
		}
		e.inbox[t.at] = append(e.inbox[t.at], item{rec: r, to: t, key: e.secret.hash(e.text)})
		e.full[t.at/64] |= 1 << (t.at % 64)
	}
}

// sideBySide is how many hits are worth more than one goroutine.
const sideBySide = 256

// stage evaluates one correlation over hits, and gives its own in their order.
func (e *Engine) stage(c *live, box []item, found func(*item, outcome)) {
	for i := range box {
		e.used++
		box[i].used = e.used
	}
	if len(e.shards) == 1 || len(box) < sideBySide {
		for i := range box {
			if out, ok := e.shardOf(box[i].key).take(c, &box[i]); ok {
				found(&box[i], out)
			}
		}
		return
	}
	type numbered struct {
		at int
		outcome
	}
	outs := make([][]numbered, len(e.shards))
	var wg sync.WaitGroup
	for n, s := range e.shards {
		wg.Go(func() {
			for i := range box {
				if e.shardOf(box[i].key) != s {
					continue
				}
				if out, ok := s.take(c, &box[i]); ok {
					outs[n] = append(outs[n], numbered{i, out})
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(outs...)
	slices.SortFunc(all, func(a, b numbered) int { return a.at - b.at })
	for _, n := range all {
		found(&box[n.at], n.outcome)
	}
}

// shardOf is where a group is; tables use the other half of the key.
func (e *Engine) shardOf(k key) *shard { return e.shards[k[1]%uint64(len(e.shards))] }

// settle holds what is kept to its bounds: first the groups whose window is over go, then those that were not used the longest, down to 15 of 16 parts, so that it is not
// done for every hit.
func (e *Engine) settle(now int64) {
	groups, bytes := e.kept()
	if groups <= e.o.Groups && bytes <= e.o.Bytes {
		return
	}
	e.pass(now)
	if groups, bytes = e.kept(); groups <= e.o.Groups && bytes <= e.o.Bytes {
		return
	}
	for groups > e.o.Groups-e.o.Groups/16 || bytes > e.o.Bytes-e.o.Bytes/16 {
		var oldest *shard
		for _, s := range e.shards {
			if s.all.oldest != 0 && (oldest == nil || s.groups.at(s.all.oldest).used < oldest.groups.at(oldest.all.oldest).used) {
				oldest = s
			}
		}
		if oldest == nil {
			return
		}
		id := oldest.all.oldest
		oldest.drop(e.live[oldest.groups.at(id).of], id)
		e.stats.Evicted++
		groups, bytes = e.kept()
	}
}

// pass forgets the groups whose windows are over.
func (e *Engine) pass(now int64) {
	for _, s := range e.shards {
		for _, c := range e.live {
			s.pass(c, now, -1)
		}
	}
}

func (e *Engine) kept() (groups int, bytes int64) {
	for _, s := range e.shards {
		groups += s.groups.live()
		bytes += s.weight()
	}
	return groups, bytes
}

// Stats are those of now.
func (e *Engine) Stats() Stats {
	out := e.stats
	out.Groups, out.Bytes = e.kept()
	out.Waiting = e.wait.len()
	for _, s := range e.shards {
		out.Shortened += s.cut
	}
	return out
}
