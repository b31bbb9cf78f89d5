package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
)

// Alarm is something in the alliance that a person must look at. A message says of it what stands here, and nothing of any record, log or proof.
type Alarm struct {
	Nation string    `json:"nation"`
	Kind   string    `json:"kind"`
	Ref    string    `json:"ref,omitempty"` // tells alarms of one kind apart; it is not told
	Since  time.Time `json:"since,omitzero"`
}

func (a *Alarm) key() string { return a.Nation + "/" + a.Kind + "/" + a.Ref }

// toldAlarm is what is kept of an alarm.
type toldAlarm struct {
	Alarm
	Begun   time.Time            `json:"begun"`
	Ended   time.Time            `json:"ended,omitzero"`
	Told    map[string]time.Time `json:"told,omitempty"` // by address
	version int64
}

const docAlarm = "notify.alarm" // key: nation/kind/ref

const (
	alarmStands = time.Minute // before it is told: what comes and goes is not, and what comes together is told together
	alarmQuiet  = time.Hour   // one that begins again so soon after it ended is the same
	alarmLines  = 50          // of one message
	maxAlarms   = 2000        // that are kept; what is beyond them is not told
)

// alarms is what the desk knows of alarms. It is empty where nobody is told of any.
type alarms struct {
	known map[string]*toldAlarm // nil: not read yet
	next  map[string]time.Time  // by address: the next message
	tries map[string]int        // by address: in vain since the last that left
}

// Alarmed takes the alarms that stand now. Each that is new is told once to every address of the configuration's alarms, together with others of the minute.
func (d *Desk) Alarmed(ctx context.Context, now []Alarm) error {
	if len(d.c.Alarms) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.loadAlarms(ctx); err != nil {
		return err
	}
	at, stand := d.o.Now().UTC(), map[string]bool{}
	changed := map[string]*toldAlarm{}
	for _, a := range now {
		key := a.key()
		stand[key] = true
		k, known := d.alarm.known[key]
		switch {
		case known && k.Ended.IsZero(), !known && len(d.alarm.known)+len(changed) >= maxAlarms:
		case known && at.Sub(k.Ended) < alarmQuiet:
			again := *k
			again.Ended = time.Time{}
			changed[key] = &again
		case known:
			changed[key] = &toldAlarm{Alarm: a, Begun: at, version: k.version}
		default:
			changed[key] = &toldAlarm{Alarm: a, Begun: at}
		}
	}
	for key, k := range d.alarm.known {
		switch {
		case stand[key]:
		case k.Ended.IsZero():
			over := *k
			over.Ended = at
			changed[key] = &over
		case at.Sub(k.Ended) >= alarmQuiet:
			changed[key] = nil
		}
	}
	return d.keepAlarms(ctx, store.Act{}, changed)
}

func (d *Desk) loadAlarms(ctx context.Context) error {
	if d.alarm.known != nil {
		return nil
	}
	known := map[string]*toldAlarm{}
	err := each(ctx, d.o.Docs, docAlarm, func(doc *store.Doc) error {
		k := &toldAlarm{version: doc.Version}
		if err := json.Unmarshal(doc.Value, k); err != nil {
			return damaged(doc, err)
		}
		known[doc.Key] = k
		return nil
	})
	if err == nil {
		d.alarm = alarms{known: known, next: map[string]time.Time{}, tries: map[string]int{}}
	}
	return err
}

// keepAlarms writes changed alarms, nil ones away, and takes them into memory. What is in memory is read anew after a failure.
func (d *Desk) keepAlarms(ctx context.Context, act store.Act, changed map[string]*toldAlarm) error {
	if len(changed) == 0 {
		return nil
	}
	var docs []store.Doc
	for key, k := range changed {
		if k == nil {
			docs = append(docs, store.Doc{Kind: docAlarm, Key: key, Version: -1})
			continue
		}
		b, err := json.Marshal(k)
		if err != nil {
			return fault.New(fault.Internal, "", "an alarm cannot be written down").Because(err)
		}
		docs = append(docs, store.Doc{Kind: docAlarm, Key: key, Value: b, Version: k.version})
	}
	if err := d.o.Docs.PutDocs(ctx, act, docs...); err != nil {
		d.alarm.known = nil
		return err
	}
	for key, k := range changed {
		if k == nil {
			delete(d.alarm.known, key)
			continue
		}
		k.version++
		d.alarm.known[key] = k
	}
	return nil
}

// tellAlarms tells what is due until the context ends.
func (d *Desk) tellAlarms(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		for _, to := range d.c.Alarms {
			if err := d.tellAlarm(ctx, to); err != nil && ctx.Err() == nil {
				d.o.Log.Warn("alarms were not told", "to", to, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// tellAlarm sends one message with everything that an address was not told of and that has stood for a while.
func (d *Desk) tellAlarm(ctx context.Context, to string) error {
	d.mu.Lock()
	now := d.o.Now().UTC()
	var due []string
	if !d.alarm.next[to].After(now) {
		for key, k := range d.alarm.known {
			if k.Ended.IsZero() && k.Told[to].IsZero() && now.Sub(k.Begun) >= alarmStands {
				due = append(due, key)
			}
		}
	}
	slices.Sort(due)
	if len(due) == 0 {
		d.mu.Unlock()
		return nil
	}
	m := d.alarmMessage(to, now, due)
	ch := d.alarmChannel(to)
	d.mu.Unlock()

	err := error(final("channel", "no channel of this node reaches %s", to))
	name := ""
	if ch != nil {
		name = ch.Name()
		try, cancel := context.WithTimeout(ctx, maxSend)
		err = ch.Send(try, m)
		cancel()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return d.toldOf(context.WithoutCancel(ctx), to, name, m.ID, due, err)
}

// toldOf writes down how telling went. What was refused for good is not said again.
func (d *Desk) toldOf(ctx context.Context, to, channel, id string, due []string, failed error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now().UTC()
	if failed != nil && Temporary(failed) {
		d.alarm.tries[to]++
		d.alarm.next[to] = now.Add(min(time.Minute<<min(d.alarm.tries[to]-1, 20), maxBackoff))
		return failed
	}
	d.alarm.tries[to], d.alarm.next[to] = 0, now.Add(alarmStands)
	changed := map[string]*toldAlarm{}
	for _, key := range due {
		if k := d.alarm.known[key]; k != nil {
			told := *k
			if told.Told = maps.Clone(k.Told); told.Told == nil {
				told.Told = map[string]time.Time{}
			}
			told.Told[to] = now
			changed[key] = &told
		}
	}
	act := store.Act{Actor: "node", Verb: "alarm.told", Target: id, Detail: fmt.Sprintf("%s: %d", channel, len(due))}
	if failed != nil {
		act.Verb = "alarm.failed"
	}
	if err := d.keepAlarms(ctx, act, changed); err != nil {
		return err
	}
	return failed
}

func (d *Desk) alarmChannel(to string) Channel {
	kind := alarmRoute(to)
	for _, ch := range d.o.Channels {
		if ch.Kind() == kind && ch.Reaches(to) {
			return ch
		}
	}
	return nil
}

func alarmRoute(to string) Route {
	if strings.Contains(to, "@") {
		return Email
	}
	return Webhook
}

// alarmMessage says how many alarms there are and of whom. It stays in the own organisation, and says nothing of any record.
func (d *Desk) alarmMessage(to string, now time.Time, due []string) *Message {
	w, tlp := languages[d.c.Language], label.AmberStrict
	subject, top := w.say("subject.alarms", "n", fmt.Sprint(len(due))), ""
	if name, ok := label.Mode(d.o.Realm).Exercise(); ok { // nobody must take it for real
		top = "EXERCISE: " + name
		subject = "[" + top + "] " + subject
		top += "\n\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s%s\n\n", tlp, top, w.say("alarms", "org", d.o.Org))
	for i, key := range due {
		if i == alarmLines {
			fmt.Fprintf(&b, "  … +%d\n", len(due)-i)
			break
		}
		k := d.alarm.known[key]
		since := k.Since
		if since.IsZero() {
			since = k.Begun
		}
		fmt.Fprintf(&b, "  %s  %s  %s\n", k.Nation, k.Kind, w.at(since, d.c.zone))
	}
	id := newID("alarm")
	fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", w["alarms.look"], w.say("reference", "id", id), tlp)
	m := &Message{ID: id, At: now, To: to, Name: d.o.Org, Language: d.c.Language, TLP: tlp, Subject: "[" + tlp.String() + "] " + subject, Text: b.String()}
	m.Data = &Data{ID: id, At: now, From: d.o.Nation + "/" + d.o.Org, Realm: d.o.Realm, Constituent: d.o.Org, TLP: tlp.String(), Language: m.Language, Subject: m.Subject, Text: m.Text, Items: []Item{}}
	return m
}
