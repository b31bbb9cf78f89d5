package detect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/indicator"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/sensor"
	"entente/stix"
)

const (
	lines    = 500                // of the journal, or objects, that are looked at together
	idle     = time.Second        // after which it looks for what no line of the journal tells
	sweepDue = 24 * time.Hour     // after which everything is looked at anew, whatever happened
	goneKept = 7 * 24 * time.Hour // for which it is known that a source is gone: a sensor that was away for longer takes a snapshot
	maxRules = 15 << 20           // bytes of all rules of a table: they are one answer
	maxLeft  = 100                // values of one source that are listed as left out
)

// observables are the types of objects that are values.
var observables = []string{"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mutex", "windows-registry-key", "autonomous-system", "file", "artifact", "network-traffic"}

// types are those of the objects that sensors look for.
func (r *Room) types() []string {
	if r.o.Config.Observables {
		return append([]string{"indicator"}, observables...)
	}
	return []string{"indicator"}
}

// The places that are kept.
const (
	placeJournal = "journal" // the last line that is worked into all tables
	placeSweep   = "sweep"   // how far a sweep has come; -1 and -2: its second and third part; 0: none is under way
	placeSwept   = "swept"   // when the last one ended
	wordSweep    = "sweeping"
	wordEra      = "era"
)

// follow keeps the tables until the context ends.
func (r *Room) follow(ctx context.Context) {
	for wait := idle; ; {
		_, grown := r.o.World.Newest()
		busy, err := r.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(2*wait, 30*time.Second)
			r.metrics.failed.Inc()
			r.o.Log.Warn("what sensors look for is not brought up to date", "error", err)
			if !pause(ctx, wait) {
				return
			}
			continue
		}
		wait = idle
		if busy {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-grown:
		case <-r.stirred(): // a table may have begun
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// advance does one step. It tells whether there may be more to do at once.
func (r *Room) advance(ctx context.Context) (busy bool, err error) {
	if idle, err := r.nothing(); err != nil || idle {
		return false, err
	}
	cursor, err := r.looked.place(placeJournal)
	if err != nil {
		return false, err
	}
	newest, _ := r.o.World.Newest()
	if record.Seq(cursor) > newest { // the store is older than what was made of it
		if err := r.askSweep(newest); err != nil {
			return false, err
		}
		cursor = int64(newest)
	}
	entries, err := r.o.World.Lines(ctx, record.Seq(cursor), lines)
	if err != nil {
		return false, err
	}
	if len(entries) > 0 {
		return true, r.lines(ctx, entries)
	}
	if err := r.era(); err != nil {
		return false, err
	}
	return r.sweep(ctx)
}

// nothing tells whether there is nothing to follow the journal for: neither a table nor anything that was reported.
func (r *Room) nothing() (bool, error) {
	tables := int64(0)
	err := r.looked.read(func(c *zs.Conn) (err error) {
		tables, err = lite.Number(c, "SELECT count(*) FROM party")
		return err
	})
	if err != nil || tables > 0 {
		return false, err
	}
	any, err := r.told.any()
	return !any, err
}

// lines works lines of the journal into the tables.
func (r *Room) lines(ctx context.Context, entries []store.Entry) error {
	types := r.types()
	touched := map[string]bool{}
	noted := map[record.Seq]string{}
	var purged []string
	var destroyed []record.Seq
	for i := range entries {
		e := &entries[i]
		switch e.Kind {
		case store.EntryPut, store.EntryRelabel, store.EntryRemove:
			if e.Record != nil {
				if slices.Contains(types, e.Record.Type) {
					touched[e.Record.ID] = true
					noted[e.Rec] = e.Record.ID
				}
				continue
			}
			id, err := r.looked.sourceOf(e.Rec)
			if err != nil {
				return err
			}
			if id != "" {
				touched[id] = true
			}
		case store.EntryPurge:
			for _, rec := range e.Recs {
				id, err := r.looked.sourceOf(rec)
				if err != nil {
					return err
				}
				if id == "" {
					id = noted[rec]
				}
				if delete(noted, rec); id != "" {
					touched[id] = true
					purged, destroyed = append(purged, id), append(destroyed, rec)
				}
			}
		}
	}
	if err := r.judge(ctx, sorted(touched)); err != nil {
		return err
	}
	if err := r.forget(purged, destroyed); err != nil {
		return err
	}
	return r.looked.do(func(c *zs.Conn) error {
		for rec, id := range noted {
			if err := note(c, rec, id); err != nil {
				return err
			}
		}
		return setPlace(c, placeJournal, int64(entries[len(entries)-1].Seq))
	})
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// judge looks at objects anew for all tables.
func (r *Room) judge(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	tables, err := r.looked.tables()
	if err != nil {
		return err
	}
	for i := range tables {
		for part := range slices.Chunk(ids, 200) {
			if err := r.judgeFor(ctx, &tables[i], part); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Room) judgeFor(ctx context.Context, t *table, ids []string) error {
	items, err := r.o.World.For(ctx, t.party, ids)
	if err != nil {
		return err
	}
	if items, err = r.handed(ctx, t.party, items); err != nil {
		return err
	}
	rows := make([]row, 0, len(ids))
	there := map[string]bool{}
	for i := range items {
		w, err := r.weigh(ctx, t.party, &items[i])
		if err != nil {
			return err
		}
		there[w.source] = true
		rows = append(rows, w)
	}
	for _, id := range ids {
		if !there[id] {
			rows = append(rows, row{source: id})
		}
	}
	changed := 0
	err = r.looked.do(func(c *zs.Conn) error {
		now, err := tableOf(c, t.party)
		if fault.Of(err) == fault.NotFound {
			return nil // it was ended
		}
		if err == nil {
			err = r.fits(c, &now, rows)
		}
		if err == nil {
			changed, err = r.looked.put(c, &now, rows, lite.PackTime(r.o.Now()))
		}
		return err
	})
	if err == nil && changed > 0 {
		r.metrics.changes.Add(float64(changed))
		r.stir()
	}
	return err
}

// fits takes rules out for which there is no room.
func (r *Room) fits(c *zs.Conn, t *table, rows []row) error {
	if !slices.ContainsFunc(rows, func(w row) bool { return w.rule != nil }) {
		return nil
	}
	has, err := lite.Number(c, "SELECT sum(length(rule)) FROM look INDEXED BY look_rule WHERE party = ? AND rule IS NOT NULL", t.id)
	if err != nil {
		return err
	}
	for i := range rows {
		w := &rows[i]
		if w.rule == nil {
			continue
		}
		was, err := lite.Number(c, "SELECT length(rule) FROM look WHERE party = ? AND source = ?", t.id, packSource(w.source))
		if err != nil {
			return err
		}
		b, err := json.Marshal(w.rule)
		if err != nil {
			return err
		}
		if has += int64(len(b)) + 2 - was; has > maxRules {
			has -= int64(len(b)) + 2
			w.rule = nil
			w.left = append(w.left, left{code: "rules.full", why: "all rules together are longer than " + strconv.Itoa(maxRules>>20) + " MiB"})
		}
	}
	return nil
}

// handed are the items that an organisation was given, which is written down before they go. The own organisation's are no release.
func (r *Room) handed(ctx context.Context, p gate.Party, items []store.Item) ([]store.Item, error) {
	if p == r.self() || len(items) == 0 {
		return items, nil
	}
	err := r.o.World.Hand(ctx, p, items)
	if err == nil || fault.Of(err) != fault.Withheld {
		return items, err
	}
	var out []store.Item
	for i := range items {
		switch err := r.o.World.Hand(ctx, p, items[i:i+1]); {
		case err == nil:
			out = append(out, items[i])
		case fault.Of(err) != fault.Withheld:
			return nil, err
		}
	}
	return out, nil
}

// weigh says what an object is for the sensors of an organisation that may have it.
func (r *Room) weigh(ctx context.Context, p gate.Party, it *store.Item) (row, error) {
	rec := &it.Record
	w := row{source: rec.ID}
	leave := func(code, why string) (row, error) {
		w.change, w.rule, w.left = nil, nil, append(w.left, left{code: code, why: why})
		return w, nil
	}
	o, err := stix.Parse(rec.Body)
	if err != nil {
		return leave("object", err.Error())
	}
	accord, stands := r.o.World.Accord(rec)
	meta, values, why := indicator.FromObject(o)
	own := rec.Origin.Nation == p.Nation && rec.Origin.Org == p.Org
	switch {
	case meta.Revoked || !meta.Until.IsZero() && !r.o.Now().Before(meta.Until):
		return w, nil
	case !stands:
		return leave("accord", "the accord "+accord+", under which it came, is suspended or has ended")
	case !own && rec.Label.PAP == label.PAPAsk:
		return leave("pap", "nothing may be done with it before its originator was asked")
	case !own && rec.Label.Access != label.Copy:
		return leave("access", "it may be looked at, and no copy be kept")
	}
	text, err := rec.Label.MarshalJSON()
	if err != nil {
		return w, err
	}
	version := lite.PackTime(meta.Since)
	for _, l := range why {
		switch {
		case l.Code == indicator.LeftPattern, l.Code == indicator.LeftLanguage && l.Detail == "sigma":
			pattern := o.Text("/pattern")
			if len(pattern) > sensor.MaxRule {
				return leave("rule.size", "the rule is longer than "+strconv.Itoa(sensor.MaxRule)+" bytes")
			}
			w.rule = &sensor.Rule{Source: rec.ID, Type: o.Text("/pattern_type"), Pattern: pattern, Version: version, Label: string(text), Accord: accord, From: meta.From, Until: meta.Until}
		default:
			w.left = append(w.left, left{code: l.Code, why: l.Detail})
		}
	}
	c := &sensor.Change{Source: rec.ID, Version: version, Label: string(text), Accord: accord, From: meta.From, Until: meta.Until, Since: meta.Since, Confidence: meta.Confidence}
	for _, v := range values {
		code, why, err := r.o.World.Harmless(ctx, p, v)
		switch {
		case err != nil:
			return w, err
		case code == "":
			c.Values = append(c.Values, sensor.Value{Kind: v.Kind.String(), Text: v.Text()})
		case len(w.left) < maxLeft:
			w.left = append(w.left, left{code, v.Kind.String(), v.Text(), why})
		}
	}
	if len(c.Values) > 0 {
		w.change = c
	}
	return w, nil
}

// askSweep has everything looked at anew. cursor, where it is not negative, is where the journal is followed from.
func (r *Room) askSweep(cursor record.Seq) error {
	return r.looked.do(func(c *zs.Conn) error {
		if cursor >= 0 {
			if err := setPlace(c, placeJournal, int64(cursor)); err != nil {
				return err
			}
		}
		return errors.Join(setPlace(c, placeSweep, 1), setPlace(c, wordSweep, ""))
	})
}

// era has everything looked at anew when something else than a record changed what is decided, or a day has passed.
func (r *Room) era() error {
	was, err := r.looked.word(wordEra)
	if err != nil {
		return err
	}
	swept, err := r.looked.place(placeSwept)
	if err != nil {
		return err
	}
	at, err := r.looked.place(placeSweep)
	if err != nil {
		return err
	}
	now := r.o.World.Era()
	if now == was && (at != 0 || r.o.Now().Sub(lite.UnpackTime(swept)) < sweepDue) {
		return nil
	}
	return r.looked.do(func(c *zs.Conn) error {
		return errors.Join(setPlace(c, wordEra, now), setPlace(c, placeSweep, 1), setPlace(c, wordSweep, ""))
	})
}

// sweep does one step of looking at everything anew: first at all that is in the store, then at all that stands in the tables, and then at all that was reported.
func (r *Room) sweep(ctx context.Context) (more bool, err error) {
	at, err := r.looked.place(placeSweep)
	if err != nil {
		return false, err
	}
	if at == 0 {
		return r.expire()
	}
	if at > 0 {
		page, err := r.o.World.All(ctx, r.types(), record.Seq(at), lines)
		if err != nil {
			return false, err
		}
		ids := map[string]bool{}
		for i := range page.Items {
			ids[page.Items[i].Record.ID] = true
		}
		if err := r.judge(ctx, sorted(ids)); err != nil {
			return false, err
		}
		next := int64(page.Next)
		if !page.More {
			next = -1
		}
		return true, r.looked.do(func(c *zs.Conn) error {
			for i := range page.Items {
				if err := note(c, page.Items[i].Rec, page.Items[i].Record.ID); err != nil {
					return err
				}
			}
			return setPlace(c, placeSweep, next)
		})
	}
	after, err := r.looked.word(wordSweep)
	if err != nil {
		return false, err
	}
	if at < -1 {
		last, err := r.forgetGone(ctx, after)
		if err != nil {
			return false, err
		}
		return last != "", r.looked.do(func(c *zs.Conn) error {
			if last == "" {
				return errors.Join(setPlace(c, placeSweep, 0), setPlace(c, placeSwept, lite.PackTime(r.o.Now())))
			}
			return setPlace(c, wordSweep, last)
		})
	}
	more, place, err := r.sweepTables(ctx, after)
	if err != nil {
		return false, err
	}
	return true, r.looked.do(func(c *zs.Conn) error {
		if !more {
			return errors.Join(setPlace(c, placeSweep, -2), setPlace(c, wordSweep, ""))
		}
		return setPlace(c, wordSweep, place)
	})
}

// sweepTables looks at some of what stands in the tables after a place, and gives the next. All that is in the store was looked at already: what is judged is what the store does not have any more.
func (r *Room) sweepTables(ctx context.Context, after string) (more bool, place string, err error) {
	at, source, _ := strings.Cut(after, " ")
	party, _ := strconv.ParseInt(at, 10, 64)
	var ids []string
	err = r.looked.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT party, source FROM look WHERE (party, source) > (?, ?) ORDER BY party, source LIMIT ?", func(st *zs.Stmt) error {
			more = true
			if id := st.ColumnInt64(0); id != party && len(ids) > 0 {
				return nil // those of the next table are for the next step
			} else if id != party {
				party = id
			}
			ids = append(ids, sourceAt(st, 1))
			return nil
		}, party, packSource(source), lines)
	})
	if err != nil || !more {
		return false, "", err
	}
	there, err := r.o.World.Held(ctx, ids)
	if err != nil {
		return false, "", err
	}
	last := ids[len(ids)-1]
	ids = slices.DeleteFunc(ids, func(id string) bool { return there[id] })
	return true, number(party) + " " + last, r.judge(ctx, ids)
}

// step is how much is taken out of the tables in one transaction.
const step = 2000

// expire takes out what time has ended, and forgets what went long ago. It tells whether there is more.
func (r *Room) expire() (more bool, err error) {
	now := r.o.Now()
	changed := 0
	err = r.looked.do(func(c *zs.Conn) error {
		over := map[int64][]row{}
		n := 0
		err := lite.Exec(c, "SELECT party, source FROM look WHERE until > 0 AND until <= ? LIMIT ?", func(st *zs.Stmt) error {
			party := st.ColumnInt64(0)
			over[party], n = append(over[party], row{source: sourceAt(st, 1)}), n+1
			return nil
		}, lite.PackTime(now), step)
		if err != nil {
			return err
		}
		type place struct{ party, seq int64 }
		var gone []place
		floors := map[int64]int64{}
		err = lite.Exec(c, "SELECT party, seq FROM look INDEXED BY look_gone WHERE change IS NULL AND rule IS NULL AND at < ? ORDER BY at LIMIT ?", func(st *zs.Stmt) error {
			p := place{st.ColumnInt64(0), st.ColumnInt64(1)}
			gone, floors[p.party] = append(gone, p), max(floors[p.party], p.seq)
			return nil
		}, lite.PackTime(now.Add(-goneKept)), step)
		if err != nil {
			return err
		}
		more = n == step || len(gone) == step
		tables, err := tablesIn(c, "")
		for i := 0; err == nil && i < len(tables); i++ {
			t := &tables[i]
			if n, err = r.looked.put(c, t, over[t.id], lite.PackTime(now)); err == nil && floors[t.id] > t.floor {
				err = lite.Exec(c, "UPDATE party SET floor = ? WHERE id = ?", nil, floors[t.id], t.id)
			}
			changed += n
		}
		for _, p := range gone {
			err = errors.Join(err, lite.Exec(c, "DELETE FROM look WHERE party = ? AND seq = ?", nil, p.party, p.seq))
		}
		return err
	})
	if changed > 0 {
		r.stir()
	}
	if err != nil {
		return false, err
	}
	rest, err := r.looked.clear()
	return more || rest, err
}

// forget destroys what is known of objects that were purged: no file holds a byte of what they said.
func (r *Room) forget(ids []string, recs []record.Seq) error {
	if len(ids) == 0 {
		return nil
	}
	var gone []string
	err := r.looked.do(func(c *zs.Conn) error {
		for _, id := range ids {
			source, n := packSource(id), 0
			ended := map[int64]int64{} // places in tables that were taken away, and are not destroyed yet
			err := lite.Exec(c, "SELECT ended, party, look.seq, change FROM party JOIN look ON look.party = party.id WHERE source = ? AND (change IS NOT NULL OR rule IS NOT NULL)", func(st *zs.Stmt) error {
				if st.ColumnInt64(0) == 0 {
					n++
					return nil
				}
				ended[st.ColumnInt64(1)] = st.ColumnInt64(2)
				return r.looked.words.count(lite.Blob(st, 3), -1)
			}, source)
			for party, seq := range ended {
				err = errors.Join(err, lite.Exec(c, "DELETE FROM look WHERE party = ? AND seq = ?", nil, party, seq))
			}
			if err = errors.Join(err, r.looked.words.flush(c)); err != nil {
				return err
			}
			if n == 0 { // else it was one version of several
				gone = append(gone, id)
			}
		}
		for _, rec := range recs {
			if err := lite.Exec(c, "DELETE FROM rec WHERE rec = ?", nil, int64(rec)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = r.scrub()
	}
	if err == nil {
		err = r.told.forget(gone)
	}
	return err
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// short is a text of one line for a list.
func short(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return s
}
