package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/peer"
	"entente/proof"
)

// keeping does what time, key logs and the ends of accords call for.
func (f *Federation) keeping(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Tick)
	defer tick.Stop()
	for due := true; ctx.Err() == nil; {
		keys, changed := f.cfg.Partners.Changed(), f.cfg.Accords.Changed()
		err := f.tidy(ctx)
		if due { // and not whenever something changes: partners see when logs are signed, and what changed may not be for them to know
			err = errors.Join(err, f.signIdle(ctx))
		}
		if err != nil && ctx.Err() == nil {
			f.cfg.Log.Warn("keeping what partners gave and were given; it will be tried again", "error", err)
			if !pause(ctx, 2*time.Second) {
				return
			}
			continue
		}
		due = false
		select {
		case <-ctx.Done():
		case <-keys:
		case <-changed:
		case <-tick.C:
			due = true
		}
	}
}

// Keep does once what is due: idle logs are signed anew, what has expired goes, what a compromised key signed is put into quarantine, what came under an
// accord that ended is destroyed, and what comes back is counted.
func (f *Federation) Keep(ctx context.Context) error {
	return errors.Join(f.tidy(ctx), f.signIdle(ctx))
}

func (f *Federation) tidy(ctx context.Context) error {
	err := f.suspect(ctx)
	for _, p := range f.cfg.Partners.Forked() {
		made, e := proof.OfKeyLog(p.Fork)
		if e == nil {
			e = f.accuse(ctx, made)
		}
		err = errors.Join(err, e)
	}
	err = errors.Join(err, f.end(ctx), f.forgetProofs(ctx, func(a *accusationDoc) bool { return !a.Until.IsZero() && !f.cfg.Now().Before(a.Until) }))
	err = errors.Join(err, f.weigh(ctx))
	for err == nil {
		n, e := f.cfg.Ledger.Expire(ctx, f.cfg.Now(), 0)
		if err = e; n == 0 {
			break
		}
	}
	if f.cfg.Relay != nil {
		_, e := f.cfg.Relay.Expire(ctx)
		err = errors.Join(err, e)
	}
	return errors.Join(err, f.keepBundles(ctx))
}

// signIdle signs logs to which nothing is added anew, so that their readers know that nothing is kept from them.
func (f *Federation) signIdle(ctx context.Context) error {
	k, err := f.cfg.Node()
	if err == nil {
		_, err = f.cfg.Ledger.SignIdle(ctx, f.cfg.Now().Add(-idle), ledger.Seal{Now: f.cfg.Now(), Key: k})
	}
	return err
}

// idle is how old the checkpoint of a log to which nothing is added becomes: 30 s, less the time between two looks and the work of one.
const idle = 18 * time.Second

// quarantined is the reason for which what a compromised key signed is held.
func quarantined(since time.Time) store.Reason {
	return store.Reason{Code: "key.compromised", Message: "the key that signed it was in other hands since " + since.UTC().Format(time.RFC3339)}
}

// suspect puts into quarantine what came under signatures of keys that are said to be in other hands, from then on, by the time of the log. What comes later
// is held when it comes.
func (f *Federation) suspect(ctx context.Context) error {
	for _, p := range f.cfg.Partners.Partners() {
		for _, k := range p.Keys.All() {
			if k.Compromised.IsZero() || k.Org != p.Org {
				continue
			}
			name, since := "compromised/"+p.Nation+"/"+k.Key.ID(), k.Compromised.UTC().Format(time.RFC3339Nano)
			known, err := f.cfg.Ledger.Cursor(ctx, name)
			if err != nil {
				return err
			}
			if string(known) == since {
				continue
			}
			if err := f.suspectKey(ctx, p, k.Key.ID(), k.Compromised); err != nil {
				return err
			}
			if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: name, Value: []byte(since)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Federation) suspectKey(ctx context.Context, p Partner, id string, since time.Time) error {
	by := func(envelope []byte) bool {
		e, err := dsse.Parse(envelope)
		return err == nil && slices.ContainsFunc(e.Signatures, func(s dsse.Signature) bool { return s.KeyID == id })
	}
	held := 0
	for after := int64(0); ; {
		leaves, next, err := f.cfg.Ledger.HeldAfter(ctx, p.Nation, after, 1000)
		if err != nil {
			return err
		}
		for i := range leaves {
			h := &leaves[i]
			if h.Leaf.Kind != peer.Put || h.Leaf.Time.Before(since) || !isHere(h.Did) {
				continue
			}
			n, err := f.cfg.Door.Suspect(ctx, exchange.Order{Origin: gate.Party{Nation: p.Nation, Org: p.Org}, ID: h.Object, Version: h.Version, Actor: "node", Detail: "key=" + id}, quarantined(since), by)
			if err != nil {
				return err
			}
			held += n
		}
		if after = next; next == 0 {
			break
		}
	}
	f.cfg.Log.Warn("a partner's key is compromised: what it signed since then is in quarantine", "partner", p.Nation, "key", id, "since", since, "records", held)
	return nil
}

// end destroys what came under accords that ended, once the time for it has come, and closes the own logs under them.
func (f *Federation) end(ctx context.Context) error {
	now := f.cfg.Now()
	var due []accords.Ending
	for _, e := range f.cfg.Accords.Endings() {
		if now.Before(e.Purge) {
			continue
		}
		due = append(due, e)
	}
	if len(due) == 0 {
		return nil
	}
	// over tells whether a leaf came under what ended, with its originator, or this nation, among those that left.
	over := func(h *ledger.Held) bool {
		return slices.ContainsFunc(due, func(e accords.Ending) bool {
			return slices.Contains(e.Digests, h.Leaf.Accord) && (e.Of == "" || e.Of == h.Nation || e.Of == f.cfg.Nation)
		})
	}
	for after := int64(0); ; {
		leaves, next, err := f.cfg.Ledger.HeldAfter(ctx, "", after, 1000)
		if err != nil {
			return err
		}
		for i := range leaves {
			h := &leaves[i]
			if h.Leaf.Kind != peer.Put || !isHere(h.Did) || !over(h) {
				continue
			}
			if err := f.letGo(ctx, h, over); err != nil {
				return err
			}
		}
		if after = next; next == 0 {
			break
		}
	}
	return f.shut(ctx, due)
}

// letGo destroys what one leaf brought, unless a leaf under another accord brought it too, and owes the receipt.
func (f *Federation) letGo(ctx context.Context, h *ledger.Held, over func(*ledger.Held) bool) error {
	p, ok := f.partner(h.Nation)
	if !ok {
		return nil // of a nation that is not known any more nothing counts, its accords neither
	}
	one := f.turn(h.Nation)
	one.Lock()
	defer one.Unlock()
	version, object, err := f.elsewhere(ctx, h, over)
	if err != nil {
		return err
	}
	order := exchange.Order{Origin: gate.Party{Nation: p.Nation, Org: p.Org}, ID: h.Object, Version: h.Version, Actor: "node", Detail: "accord.ended"}
	if !version {
		if !object {
			order.Version = ""
		}
		if _, err := f.cfg.Door.Destroy(ctx, order); err != nil {
			return err
		}
		if err := f.forgetProofs(ctx, func(a *accusationDoc) bool { return a.Found.Object == h.Object }); err != nil {
			return err
		}
	}
	k, err := f.receipt(h.Origin, []peer.Act{{Index: h.Index, Commit: peer.Digest(h.Leaf.Commit), Did: peer.DidPurge, Code: "accord.ended", At: f.stamp()}})
	if err != nil {
		return err
	}
	if err := f.cfg.Ledger.Dropped(ctx, h.Origin, h.Index, peer.DidPurge, "accord.ended", k...); err != nil {
		return err
	}
	f.nudge(h.Nation)
	return nil
}

// shut ends the own logs under accords that ended: what is in them is with nobody any more.
func (f *Federation) shut(ctx context.Context, due []accords.Ending) error {
	f.out.Lock()
	defer f.out.Unlock()
	for origin, l := range f.logs {
		for i := range due {
			if !leaves(&due[i], &l, f.cfg.Nation) {
				continue
			}
			if err := f.cfg.Ledger.Retire(ctx, origin); err != nil {
				return err
			}
			delete(f.logs, origin)
			delete(f.ids, identity(l.accord, l.parties))
			break
		}
	}
	return nil
}

// leaves tells whether an ending is of the accord for all of a log's parties, for one of them, or for the own nation.
func leaves(e *accords.Ending, l *openLog, own string) bool {
	return e.Accord == l.accord && (e.Of == "" || e.Of == own || slices.ContainsFunc(l.parties, func(p string) bool { return strings.HasPrefix(p, "org:"+e.Of+"/") }))
}

// weigh counts what comes back under accords that ask for it.
func (f *Federation) weigh(ctx context.Context) error {
	now := f.cfg.Now()
	for _, s := range f.cfg.Accords.Standings() {
		t := s.Versions[len(s.Versions)-1]
		if t.Reciprocity == nil {
			continue
		}
		for _, party := range t.Parties {
			if party.Nation == f.cfg.Nation {
				continue
			}
			short, err := f.gavesTooLittle(ctx, &s, t, gate.Party{Nation: party.Nation, Org: party.Org}, now)
			if err != nil {
				return err
			}
			if err := f.noteShortage(ctx, s.Name, party.Nation, short, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// gavesTooLittle compares what a party gave within the accord's time with what it was given. Before that time has passed nothing is owed.
func (f *Federation) gavesTooLittle(ctx context.Context, s *accords.Standing, t *accord.Terms, p gate.Party, now time.Time) (bool, error) {
	r := t.Reciprocity
	from := now.Add(-r.Within)
	if from.Before(t.Effective) {
		return false, nil
	}
	of := func(object string, kinds []string) bool {
		kind, _, _ := strings.Cut(object, "--")
		return slices.Contains(kinds, kind)
	}
	given, err := f.cfg.Ledger.Given(ctx, s.Name, orgOf(p), from, func(object string) bool { return of(object, r.For) })
	if err != nil || given == 0 {
		return false, err
	}
	back, err := f.cfg.Ledger.Taken(ctx, p.Nation, from, func(leaf *peer.Leaf, object string) bool {
		return of(object, r.GiveBack) && slices.ContainsFunc(s.Versions, func(v *accord.Terms) bool { return v.Digest == leaf.Accord })
	})
	return err == nil && back*100 < given*r.Minimum, err
}

func shortageKey(accord, nation string) string {
	return fmt.Sprintf("%s/%s/%s", shortageName, accord, nation)
}

// noteShortage keeps since when a party gives back too little.
func (f *Federation) noteShortage(ctx context.Context, accord, nation string, short bool, now time.Time) error {
	key := shortageKey(accord, nation)
	b, err := f.cfg.Ledger.Cursor(ctx, key)
	if err != nil {
		return err
	}
	since, _ := time.Parse(time.RFC3339, string(b))
	value := []byte(nil)
	switch {
	case short && since.IsZero():
		since = now
		value = now.UTC().AppendFormat(nil, time.RFC3339)
		f.cfg.Log.Info("a partner gives back less than the accord asks for", "accord", accord, "partner", nation)
	case !short && !since.IsZero():
		since, value = time.Time{}, []byte{}
	}
	if value != nil {
		if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: key, Value: value}); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.short[key] = since
	return nil
}

// shortSince is since when a party gives back too little; zero: it does not.
func (f *Federation) shortSince(accord, nation string) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.short[shortageKey(accord, nation)]
}
