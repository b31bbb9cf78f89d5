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
	maxRule  = 256 << 10          // bytes of one rule
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
	tables, err := r.looked.tables()
	if err != nil || len(tables) > 0 {
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
				if id != "" {
					touched[id] = true
					purged = append(purged, id)
				}
			}
		}
	}
	if err := r.judge(ctx, sorted(touched)); err != nil {
		return err
	}
	if err := r.forget(ctx, purged); err != nil {
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
			changed, err = put(c, &now, rows, lite.PackTime(r.o.Now()))
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
	has, err := lite.Number(c, "SELECT sum(length(rule)) FROM look WHERE party = ? AND rule IS NOT NULL", t.id)
	if err != nil {
		return err
	}
	for i := range rows {
		w := &rows[i]
		if w.rule == nil {
			continue
		}
		was, err := lite.Number(c, "SELECT length(rule) FROM look WHERE party = ? AND source = ?", t.id, w.source)
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
			if len(pattern) > maxRule {
				return leave("rule.size", "the rule is longer than "+strconv.Itoa(maxRule)+" bytes")
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
	if err != nil || at == 0 {
		return false, errors.Join(err, r.expire())
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
	var ids []string
	err = r.looked.read(func(c *zs.Conn) error {
		return lite.Exec(c, "SELECT DISTINCT source FROM look WHERE source > ? AND (change IS NOT NULL OR rule IS NOT NULL) ORDER BY source LIMIT ?", func(st *zs.Stmt) error {
			ids = append(ids, st.ColumnText(0))
			return nil
		}, after, lines)
	})
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		return true, r.looked.do(func(c *zs.Conn) error { return errors.Join(setPlace(c, placeSweep, -2), setPlace(c, wordSweep, "")) })
	}
	if err := r.judge(ctx, ids); err != nil {
		return false, err
	}
	return true, r.looked.do(func(c *zs.Conn) error { return setPlace(c, wordSweep, ids[len(ids)-1]) })
}

// expire takes out what time has ended, and forgets what went long ago.
func (r *Room) expire() error {
	now := r.o.Now()
	changed := 0
	err := r.looked.do(func(c *zs.Conn) error {
		var over []row
		var parties []int64
		err := lite.Exec(c, "SELECT party, source FROM look WHERE until > 0 AND until <= ? LIMIT 1000", func(st *zs.Stmt) error {
			parties, over = append(parties, st.ColumnInt64(0)), append(over, row{source: st.ColumnText(1)})
			return nil
		}, lite.PackTime(now))
		if err != nil {
			return err
		}
		tables, err := tablesIn(c, "")
		if err != nil {
			return err
		}
		for i := range tables {
			t := &tables[i]
			for j := range over {
				if parties[j] != t.id {
					continue
				}
				n, err := put(c, t, over[j:j+1], lite.PackTime(now))
				if err != nil {
					return err
				}
				changed += n
			}
			old := lite.PackTime(now.Add(-goneKept))
			floor, err := lite.Number(c, "SELECT max(seq) FROM look WHERE party = ? AND change IS NULL AND rule IS NULL AND at < ?", t.id, old)
			if err != nil || floor <= t.floor {
				if err != nil {
					return err
				}
				continue
			}
			if err := errors.Join(lite.Exec(c, "DELETE FROM look WHERE party = ? AND change IS NULL AND rule IS NULL AND seq <= ?", nil, t.id, floor),
				lite.Exec(c, "UPDATE party SET floor = ? WHERE id = ?", nil, floor, t.id)); err != nil {
				return err
			}
		}
		return nil
	})
	if changed > 0 {
		r.stir()
	}
	return err
}

// forget destroys what is known of objects that were purged: no file holds a byte of what they said.
func (r *Room) forget(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var gone []string
	err := r.looked.do(func(c *zs.Conn) error {
		for _, id := range ids {
			n, err := lite.Number(c, "SELECT count(*) FROM look WHERE source = ? AND (change IS NOT NULL OR rule IS NOT NULL)", id)
			if err != nil {
				return err
			}
			if n > 0 {
				continue // it was one version of several
			}
			gone = append(gone, id)
			if err := lite.Exec(c, "DELETE FROM rec WHERE source = ?", nil, id); err != nil {
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
