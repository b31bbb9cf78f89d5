package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/dsse"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/stix"
)

// listen takes what a partner's logs bring, as it comes.
func (f *Federation) listen(ctx context.Context, c *peer.Client, p Partner, l *link) error {
	if err := f.obey(ctx, l); err != nil { // what waited when the node stopped
		return err
	}
	if err := f.retire(ctx, c, p.Nation); err != nil {
		return err
	}
	at, err := f.positions(ctx, p.Nation)
	if err != nil {
		return err
	}
	return c.Stream(ctx, at, func(b *peer.Batch) error {
		if b == nil { // the partner is there, and has nothing to say
			return nil
		}
		n, err := f.take(ctx, p.Nation, b)
		if err != nil {
			return err
		}
		f.mu.Lock()
		l.health.Received = f.cfg.Now()
		l.health.Got += int64(n)
		f.mu.Unlock()
		if err := f.obey(ctx, l); err != nil {
			return err
		}
		l.nudge() // receipts are owed
		return nil
	})
}

// retire ends the mirrors of logs that the partner has no more: after a restore its logs begin anew.
func (f *Federation) retire(ctx context.Context, c *peer.Client, nation string) error {
	heads, _, _, err := c.Logs(ctx, "")
	if err != nil {
		return err
	}
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: nation})
	if err != nil {
		return err
	}
	for _, g := range logs {
		if !g.Retired && !slices.ContainsFunc(heads, func(h peer.Head) bool { return h.Origin == g.Origin }) {
			if err := f.cfg.Ledger.Retire(ctx, g.Origin); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes a batch from a partner, pulled, streamed or pushed: verified first, then each frame by what it is. It is durable when it returns, or nothing
// of it was taken.
func (f *Federation) take(ctx context.Context, nation string, b *peer.Batch) (stored int, err error) {
	p, ok := f.partner(nation)
	if !ok {
		return 0, fault.New(fault.NotFound, "", "no such partner")
	}
	v, err := f.cfg.Ledger.Mirror(ctx, b.Origin, nation, ledger.Identity{})
	if err != nil {
		return 0, err
	}
	from := v.Size()
	var keys []*dsse.Key
	for _, k := range p.Keys.Keys(p.Org, keylog.RoleNode, f.cfg.Now()) {
		keys = append(keys, k.Key)
	}
	frames, err := v.Extend(b, keys...)
	if err != nil {
		return 0, err
	}
	t := taking{f: f, partner: p, origin: b.Origin, from: from, taken: make([]ledger.Taken, len(frames)), now: f.stamp()}
	t.opener = peer.Opener{Realm: f.cfg.Realm, Limits: f.cfg.Limits, Keys: func(id string) *dsse.Key {
		k, _ := p.Keys.Find(id)
		return k.Key
	}}
	for i := range frames {
		if err := t.frame(ctx, i, &frames[i]); err != nil {
			return 0, err
		}
	}
	if err := t.accept(ctx); err != nil {
		return 0, err
	}
	receipts, err := t.receipts()
	if err != nil {
		return 0, err
	}
	return t.stored, f.cfg.Ledger.Extend(ctx, v, from, t.taken, receipts...)
}

// taking is one batch on its way in.
type taking struct {
	f       *Federation
	partner Partner
	origin  string
	from    uint64
	opener  peer.Opener
	now     time.Time
	taken   []ledger.Taken
	puts    []arrival
	stored  int
}

// arrival is a rendition that may be kept.
type arrival struct {
	at      int // in taken
	r       *peer.Rendition
	suspect string // why it goes to quarantine; empty: it does not
}

func (t *taking) refuse(i int, code string) { t.taken[i].Did, t.taken[i].Code = peer.DidRefuse, code }

// frame looks at one frame. An error means that the whole batch cannot be taken now; what is wrong with the frame itself is written down and told.
func (t *taking) frame(ctx context.Context, i int, fr *peer.Frame) error {
	t.taken[i] = ledger.Taken{Frame: *fr, Did: peer.DidStore}
	if fr.Gone() || fr.Leaf.Kind == peer.Heartbeat {
		return nil
	}
	switch kind := fr.Leaf.Kind; kind {
	case peer.Put:
		t.put(i, fr)
	case peer.Accord:
		if err := t.f.cfg.Accords.Offer(ctx, t.partner.Nation, fr.Envelope); err != nil {
			return t.judged(i, err)
		}
	case peer.State:
		if err := t.f.cfg.Accords.Hear(ctx, t.partner.Nation, fr.Envelope); err != nil {
			return t.judged(i, err)
		}
	case peer.Retract, peer.Relabel, peer.Purge:
		o, signers, err := t.opener.Order(fr.Envelope)
		switch {
		case err != nil:
			t.refuse(i, codeOf(err))
		case !t.originates(signers, fr.Leaf.Time) || o.Do != kind.String():
			t.refuse(i, "accept.signature")
		default:
			t.taken[i].Wait = true
		}
	}
	return nil
}

// judged writes down a refusal by a room; that a room does not work now is for the batch as a whole.
func (t *taking) judged(i int, err error) error {
	switch fault.Of(err) {
	case fault.Unavailable, fault.Full, fault.Internal:
		return err
	}
	t.refuse(i, fault.As(err).MachineCode())
	return nil
}

func codeOf(err error) string {
	var e *peer.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "accept.form"
}

// originates tells whether one of the keys speaks for the partner's organisation as originator at the time.
func (t *taking) originates(signers []*dsse.Key, at time.Time) bool {
	for _, k := range signers {
		if known, ok := t.partner.Keys.Find(k.ID()); ok && known.Org == t.partner.Org && t.partner.Keys.Valid(k.ID(), keylog.RoleOriginate, at) == nil {
			return true
		}
	}
	return false
}

// put judges a rendition by the same rule that its originator must have kept.
func (t *taking) put(i int, fr *peer.Frame) {
	r, signers, err := t.opener.Rendition(fr.Envelope)
	if err != nil {
		t.refuse(i, codeOf(err))
		return
	}
	if r.Nation != t.partner.Nation || r.Org != t.partner.Org || r.Accord != fr.Leaf.Accord {
		t.refuse(i, "accept.origin")
		return
	}
	a := arrival{at: i, r: r}
	signed := t.originates(signers, fr.Leaf.Time)
	if !signed {
		for _, k := range signers {
			if since, ok := t.partner.Keys.Compromised(k.ID()); ok && !fr.Leaf.Time.Before(since) {
				a.suspect, signed = "the key that signed it was in other hands since "+since.UTC().Format(time.RFC3339), true
			}
		}
	}
	audience, err := label.NewAudience(r.Audience...)
	if err != nil {
		t.refuse(i, "accept.envelope")
		return
	}
	kind, id := "", ""
	if o, err := stix.Parse(r.Object); err == nil {
		kind, id = o.Type(), o.ID()
	}
	standing := t.f.standingOf(r.Accord)
	verdict := standing.Accept(t.f.self, &gate.Parcel{Label: r.Label, Origin: gate.Party{Nation: r.Nation, Org: r.Org}, Signed: signed, Accord: r.Accord, Audience: audience, Kind: kind,
		Realm: t.f.mode(), Size: int64(len(r.Object))}, t.now)
	if !verdict.OK() && !verdict.Held() {
		code := "accept.accord"
		if codes := verdict.Codes(); len(codes) > 0 {
			code = codes[0]
		}
		t.refuse(i, code)
		return
	}
	t.taken[i].Object = id
	t.puts = append(t.puts, a)
}

// standingOf is the accord that stands with a version of that digest, or nil.
func (f *Federation) standingOf(digest [32]byte) *gate.Standing {
	for _, s := range f.cfg.Accords.Standings() {
		for _, t := range s.Versions {
			if t.Digest == digest {
				return s.Standing
			}
		}
	}
	return nil
}

// accept hands what may be kept to the door, all of it in one transaction.
func (t *taking) accept(ctx context.Context) error {
	if len(t.puts) == 0 {
		return nil
	}
	s := exchange.Submission{Via: "peer:" + t.partner.Nation, Labels: make([]label.Label, len(t.puts)), Look: func(i int, _ *record.Record) *store.Reason {
		if why := t.puts[i].suspect; why != "" {
			return &store.Reason{Code: "key.compromised", Message: why}
		}
		return nil
	}}
	for i, a := range t.puts {
		s.Objects = append(s.Objects, a.r.Object)
		s.Envelopes = append(s.Envelopes, t.taken[a.at].Frame.Envelope)
		s.Labels[i] = a.r.Label
	}
	viewer := gate.Viewer{Nation: t.partner.Nation, Org: t.partner.Org, Person: "node", Roles: []string{gate.RolePublisher}, Realm: t.f.cfg.Realm}
	outcomes, err := t.f.cfg.Door.Accept(ctx, viewer, s)
	if err != nil {
		return fmt.Errorf("storing what %s gives: %w", t.partner.Nation, err)
	}
	for i, o := range outcomes {
		taken := &t.taken[t.puts[i].at]
		switch o.State {
		case exchange.Added:
			taken.Did = peer.DidStore
			t.stored++
		case exchange.Present:
			taken.Did = peer.DidKnow
		case exchange.Held:
			taken.Did, taken.Code = peer.DidQuarantine, o.Code
		default:
			taken.Did, taken.Code, taken.Object = peer.DidRefuse, o.Code, ""
		}
	}
	return nil
}

// receipts say what was done with every record and order that is done with.
func (t *taking) receipts() ([][]byte, error) {
	var acts []peer.Act
	for i := range t.taken {
		k := &t.taken[i]
		if k.Wait || k.Frame.Leaf.Kind == peer.Heartbeat {
			continue
		}
		acts = append(acts, peer.Act{Index: t.from + uint64(i), Commit: peer.Digest(k.Frame.Leaf.Commit), Did: k.Did, Code: k.Code, At: t.now})
	}
	return t.f.receipt(t.origin, acts)
}

// receipt signs what was done.
func (f *Federation) receipt(origin string, acts []peer.Act) (out [][]byte, err error) {
	k, err := f.cfg.Node()
	if err != nil {
		return nil, err
	}
	for len(acts) > 0 {
		n := min(len(acts), peer.MaxActs)
		b, err := peer.SignReceipt(f.cfg.Realm, peer.Receipt{Origin: origin, Party: f.cfg.Nation, Acts: acts[:n], Time: f.stamp()}, k)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		acts = acts[n:]
	}
	return out, nil
}

// obey carries out the orders that wait.
func (f *Federation) obey(ctx context.Context, l *link) error {
	for {
		orders, err := f.cfg.Ledger.Orders(ctx, 0)
		if err != nil || len(orders) == 0 {
			return err
		}
		for i := range orders {
			if err := f.carryOut(ctx, &orders[i]); err != nil {
				return err
			}
		}
		l.nudge()
	}
}

// carryOut does what one order says, and owes the receipt. What is held by another leaf of the originator's logs too stays.
func (f *Federation) carryOut(ctx context.Context, w *ledger.Waiting) error {
	did, code := "", ""
	p, ok := f.partner(w.Nation)
	o, err := peer.Order{}, error(nil)
	if ok {
		opener := peer.Opener{Realm: f.cfg.Realm, Limits: f.cfg.Limits, Keys: func(id string) *dsse.Key { k, _ := p.Keys.Find(id); return k.Key }}
		o, _, err = opener.Order(w.Envelope)
	}
	target, notFound := f.cfg.Ledger.Held(ctx, w.Origin, w.Leaf.Target-1)
	switch {
	case !ok || err != nil:
		did, code = peer.DidRefuse, "accept.signature"
	case notFound != nil:
		if fault.Of(notFound) != fault.NotFound {
			return notFound
		}
		did, code = peer.DidRefuse, "order.target"
	case peer.Digest(target.Leaf.Commit) != o.Target || target.Leaf.Kind != peer.Put:
		did, code = peer.DidRefuse, "order.target"
	default:
		if did, err = f.apply(ctx, p, w, &o, &target); err != nil {
			return err
		}
	}
	k, err := f.receipt(w.Origin, []peer.Act{{Index: w.Index, Commit: peer.Digest(w.Leaf.Commit), Did: did, Code: code, At: f.stamp()}})
	if err != nil {
		return err
	}
	return f.cfg.Ledger.Done(ctx, w.Origin, w.Index, did, code, k...)
}

func (f *Federation) apply(ctx context.Context, p Partner, w *ledger.Waiting, o *peer.Order, target *ledger.Held) (did string, err error) {
	order := exchange.Order{Origin: gate.Party{Nation: p.Nation, Org: p.Org}, ID: target.Object, Actor: "peer:" + p.Nation, Detail: o.Reason}
	others := 0
	if target.Object != "" {
		held, err := f.cfg.Ledger.HeldOf(ctx, target.Object)
		if err != nil {
			return "", err
		}
		logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: p.Nation})
		if err != nil {
			return "", err
		}
		for _, h := range held {
			if slices.ContainsFunc(logs, func(g ledger.Log) bool { return g.Origin == h.Origin && g.Retired }) {
				continue
			}
			same := h.Origin == target.Origin && h.Index == target.Index
			if !same && h.Nation == p.Nation && h.Leaf.Kind == peer.Put && (h.Did == peer.DidStore || h.Did == peer.DidKnow || h.Did == peer.DidRelabel || h.Did == peer.DidQuarantine) {
				others++
			}
		}
	}
	kept := target.Object == "" || others > 0 // nothing is here, or it is here by another leaf
	switch w.Leaf.Kind {
	case peer.Retract:
		if !kept {
			_, err = f.cfg.Door.Withdraw(ctx, order)
		}
		return peer.DidRetract, err
	case peer.Relabel:
		if o.Label == nil {
			return peer.DidRefuse, nil
		}
		_, err = f.cfg.Door.Mark(ctx, order, *o.Label)
		return peer.DidRelabel, err
	}
	if !kept {
		if _, err = f.cfg.Door.Destroy(ctx, order); err == nil {
			_, err = f.cfg.Ledger.Purge(ctx, target.Object)
		}
	}
	return peer.DidPurge, err
}
