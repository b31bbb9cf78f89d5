package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
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
	if err := f.retire(ctx, c, p.Nation); err != nil {
		return err
	}
	at, err := f.positions(ctx, p.Nation)
	if err != nil {
		return err
	}
	parked := map[string]bool{} // logs of which nothing more is taken today
	return c.Stream(ctx, at, func(b *peer.Batch) error {
		if b == nil || parked[b.Origin] { // the partner is there, and has nothing to say
			return nil
		}
		one := f.turn(p.Nation)
		one.Lock()
		n, err := f.takeVia(withWay(ctx, wayStream), p.Nation, "peer:"+p.Nation, b, true)
		one.Unlock()
		if errors.Is(err, errStrange) { // the stream was faster than the key log
			if known, ok := f.partner(p.Nation); ok {
				if err := f.learnFrom(ctx, c, p.Nation, uint64(known.Keys.Head.Size)); err != nil {
					return err
				}
			}
			one.Lock()
			n, err = f.take(withWay(ctx, wayStream), p.Nation, b)
			one.Unlock()
		}
		var own *peer.Error
		if errors.As(err, &own) && own.Code == peer.CodeThrottled {
			f.cfg.Log.Warn("a partner floods: of this log nothing more is taken on this line", "partner", p.Nation, "log", b.Origin)
			parked[b.Origin] = true
			return nil
		}
		if err != nil {
			return err
		}
		if c, err := peer.PeekCheckpoint(b.Checkpoint); err == nil { // what comes on other ways comes late
			f.clocked(p.Nation, c.Time)
		}
		f.mu.Lock()
		l.health.Received = f.cfg.Now()
		l.health.Got += int64(n)
		f.mu.Unlock()
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
// of it was taken. The caller has the nation's turn.
func (f *Federation) take(ctx context.Context, nation string, b *peer.Batch) (stored int, err error) {
	return f.takeVia(ctx, nation, "peer:"+nation, b, false)
}

// errStrange says that a key signed something in a batch that the partner's key log, as it is here, does not name.
var errStrange = errors.New("a key that is not known here signed something")

// takeVia is take with the way on which the batch came, for the record. Who can ask for the key log is told errStrange, and nothing is taken; otherwise what such a
// key signed is refused, for good.
func (f *Federation) takeVia(ctx context.Context, nation, via string, b *peer.Batch, asks bool) (stored int, err error) {
	p, ok := f.partner(nation)
	if !ok {
		return 0, fault.New(fault.NotFound, "", "no such partner")
	}
	if err := f.trusted(nation); err != nil {
		return 0, err
	}
	v, err := f.cfg.Ledger.Mirror(ctx, b.Origin, nation, ledger.Identity{})
	if err != nil {
		return 0, err
	}
	if err := f.throttled(ctx, nation, b.Origin, len(b.Frames)); err != nil {
		return 0, err
	}
	from := v.Size()
	last, _ := v.Last()
	var keys []*dsse.Key
	for _, k := range p.Keys.Keys(p.Org, keylog.RoleNode, f.cfg.Now()) {
		keys = append(keys, k.Key)
	}
	frames, err := v.Extend(b, keys...)
	if err != nil {
		return 0, f.caughtLive(ctx, nation, err)
	}
	t := taking{f: f, partner: p, via: via, origin: b.Origin, from: from, taken: make([]ledger.Taken, len(frames)), came: map[day]int{}, now: f.stamp()}
	if last.Size == from {
		t.after = last.Time.Add(-gate.Skew)
	}
	t.opener = peer.Opener{Realm: f.cfg.Realm, Limits: f.cfg.Limits, Keys: func(id string) *dsse.Key {
		k, known := p.Keys.Find(id)
		t.strange = t.strange || !known
		return k.Key
	}}
	for i := range frames {
		if err := t.frame(ctx, i, &frames[i]); err != nil {
			return 0, err
		}
		if t.strange && asks {
			return 0, errStrange
		}
	}
	if err := t.accept(ctx); err != nil {
		return 0, err
	}
	receipts, err := t.receipts()
	if err != nil {
		return 0, err
	}
	if err = f.cfg.Ledger.Extend(ctx, v, from, t.taken, receipts...); err == nil {
		c, _ := v.Last()
		f.mark(c)
		f.caughtUp(b.Origin, v.Size())
		f.refusing(nation, t.taken)
		if t.about.Accord != "" {
			_, err = f.cfg.Ledger.Mirror(ctx, b.Origin, nation, t.about)
			f.freshen(t.about.Parties)
		}
		f.arrived(t.came)
	}
	if t.orders {
		signal(f.orders)
	}
	return t.stored, err
}

// turn lets one thing of a nation happen at a time, a batch or an order: what it sends beyond that waits at its own cost.
func (f *Federation) turn(nation string) *sync.Mutex {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taking[nation] == nil {
		f.taking[nation] = new(sync.Mutex)
	}
	return f.taking[nation]
}

// taking is one batch on its way in.
type taking struct {
	f       *Federation
	partner Partner
	via     string
	origin  string
	from    uint64
	opener  peer.Opener
	now     time.Time
	taken   []ledger.Taken
	puts    []arrival
	came    map[day]int // puts that are looked at, under accords that limit them
	stored  int
	orders  bool
	strange bool            // a key that is not known here signed something
	about   ledger.Identity // whose log it is, as its renditions tell
	after   time.Time       // of the last checkpoint, as far as clocks differ: what was added since is not older
}

// arrival is a rendition that may be kept.
type arrival struct {
	at      int // in taken
	r       *peer.Rendition
	suspect time.Time // since when the key that signed it is in other hands: it goes to quarantine; zero: it is not
}

func (t *taking) refuse(i int, code string) { t.taken[i].Did, t.taken[i].Code = peer.DidRefuse, code }

// frame looks at one frame. An error means that the whole batch cannot be taken now; what is wrong with the frame itself is written down and told.
func (t *taking) frame(ctx context.Context, i int, fr *peer.Frame) error {
	t.taken[i] = ledger.Taken{Frame: *fr, Did: peer.DidStore, Way: wayOf(ctx), At: t.now}
	if fr.Leaf.Kind == peer.Heartbeat {
		return nil
	}
	if fr.Gone() { // it was destroyed before it came here
		t.taken[i].Did = peer.DidPurge
		return nil
	}
	if fr.Leaf.Time.Before(t.after) || fr.Leaf.Time.After(t.now.Add(gate.Skew)) { // or a key in other hands would sign as of before
		t.refuse(i, "accept.time")
		return nil
	}
	switch kind := fr.Leaf.Kind; kind {
	case peer.Put:
		full, err := t.full(ctx, fr)
		if err != nil {
			return err
		}
		if full {
			t.refuse(i, codeQuota)
			t.taken[i].Bare = true
			return nil
		}
		t.put(i, fr)
	case peer.Accord:
		if err := t.f.cfg.Accords.Offer(ctx, t.partner.Nation, fr.Envelope); err != nil {
			return t.judged(i, err)
		}
	case peer.State:
		if err := t.f.cfg.Accords.Hear(ctx, t.partner.Nation, fr.Envelope); err != nil {
			return t.judged(i, err)
		}
	case peer.Decision:
		return t.say(ctx, i, fr)
	case peer.Retract, peer.Relabel, peer.Purge:
		o, signers, err := t.opener.Order(fr.Envelope)
		switch {
		case err != nil:
			t.refuse(i, codeOf(err))
		case !t.originates(signers, fr.Leaf.Time) || o.Do != kind.String():
			t.refuse(i, "accept.signature")
		default:
			t.taken[i].Wait, t.orders = true, true
		}
	}
	return nil
}

// judged writes down a refusal by a room; that a room does not work now is for the batch as a whole.
func (t *taking) judged(i int, err error) error {
	if err == nil {
		return nil
	}
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
				a.suspect, signed = since, true
			}
		}
	}
	audience, err := label.NewAudience(r.Audience...)
	if err != nil {
		t.refuse(i, "accept.envelope")
		return
	}
	kind, id, version := "", "", ""
	if o, err := stix.Parse(r.Object); err == nil {
		kind, id, version = o.Type(), o.ID(), o.Version()
	}
	if s := t.f.accordOf(r.Accord); signed && s != nil {
		t.about = ledger.Identity{Org: r.Org, Accord: s.Name, Parties: r.Audience}
	}
	verdict := t.f.standingOf(r.Accord).Accept(t.f.self, &gate.Parcel{Label: r.Label, Origin: gate.Party{Nation: r.Nation, Org: r.Org}, Signed: signed, Accord: r.Accord, Audience: audience, Kind: kind,
		Realm: t.f.mode(), Size: int64(len(r.Object))}, t.now)
	if !verdict.OK() && !verdict.Held() {
		code := "accept.accord"
		if codes := verdict.Codes(); len(codes) > 0 {
			code = codes[0]
		}
		t.refuse(i, code)
		return
	}
	t.taken[i].Object, t.taken[i].Version = id, version
	t.puts = append(t.puts, a)
}

// accordOf is the accord that stands with a version of that digest, or nil.
func (f *Federation) accordOf(digest [32]byte) *accords.Standing {
	standings := f.cfg.Accords.Standings()
	for i := range standings {
		if slices.ContainsFunc(standings[i].Versions, func(t *accord.Terms) bool { return t.Digest == digest }) {
			return &standings[i]
		}
	}
	return nil
}

// standingOf is what permits under it, or nil.
func (f *Federation) standingOf(digest [32]byte) *gate.Standing {
	if a := f.accordOf(digest); a != nil {
		return a.Standing
	}
	return nil
}

// accept hands what may be kept to the door, all of it in one transaction.
func (t *taking) accept(ctx context.Context) error {
	if len(t.puts) == 0 {
		return nil
	}
	s := exchange.Submission{Via: t.via, Labels: make([]label.Label, len(t.puts)), Look: func(i int, _ *record.Record) *store.Reason {
		if since := t.puts[i].suspect; !since.IsZero() {
			why := quarantined(since)
			return &why
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
			if err := t.join(ctx, taken, t.puts[i].r.Label); err != nil {
				return err
			}
		case exchange.Held:
			taken.Did, taken.Code = peer.DidQuarantine, o.Code
		case exchange.Different:
			a := &t.puts[i]
			if err := t.f.conflicted(ctx, t.partner, taken.Object, taken.Version, a, taken.Frame.Envelope); err != nil {
				return err
			}
			taken.Did, taken.Code, taken.Object, taken.Version = peer.DidRefuse, o.Code, "", ""
		default:
			taken.Did, taken.Code, taken.Object, taken.Version = peer.DidRefuse, o.Code, "", ""
		}
	}
	return nil
}

// join puts a record that is here already under the join of its label and the one that it comes with now: what came under two accords, or comes under another since
// its originator narrowed whom it is for, is held to both.
func (t *taking) join(ctx context.Context, k *ledger.Taken, l label.Label) error {
	o := exchange.Order{Origin: gate.Party{Nation: t.partner.Nation, Org: t.partner.Org}, ID: k.Object, Version: k.Version, Actor: "peer:" + t.partner.Nation}
	page, err := t.f.cfg.House.Page(ctx, store.Query{IDs: []string{o.ID}, Versions: store.Versions{All: true}, Specs: specs, Nation: o.Origin.Nation, Org: o.Origin.Org, Headers: true})
	if err != nil {
		return fmt.Errorf("reading the label of what is here: %w", err)
	}
	for _, it := range page.Items {
		if it.Record.Version != o.Version || label.LessEqual(l, it.Record.Label) {
			continue
		}
		if _, err := t.f.cfg.Door.Mark(ctx, o, label.Join(it.Record.Label, l)); err != nil {
			return fmt.Errorf("tightening the label of what is here: %w", err)
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

// obeying carries out orders as they come.
func (f *Federation) obeying(ctx context.Context) {
	for ctx.Err() == nil { // what waited when the node stopped is first
		if err := f.obey(ctx); err != nil {
			if ctx.Err() == nil {
				f.cfg.Log.Warn("carrying out a partner's order; it will be tried again", "error", err)
			}
			pause(ctx, 2*time.Second)
			continue
		}
		select {
		case <-ctx.Done():
		case <-f.orders:
		}
	}
}

// turnOf is how many orders of one nation are carried out before those of the next.
const turnOf = 8

// obey carries out the orders that wait, some of each nation in turn, so that none waits for the many of another. One that cannot be carried out now holds
// up those of its own nation, and no others.
func (f *Federation) obey(ctx context.Context) error {
	stuck := map[string]bool{}
	var failed error
	for {
		did := 0
		for _, p := range f.cfg.Partners.Partners() { // nothing counts of a nation that is not known now
			if stuck[p.Nation] {
				continue
			}
			orders, err := f.cfg.Ledger.Orders(ctx, p.Nation, turnOf)
			if err != nil {
				return err
			}
			for i := range orders {
				if err := f.carryOut(ctx, p, &orders[i]); err != nil {
					stuck[p.Nation], failed = true, errors.Join(failed, err)
					break
				}
				did++
				f.nudge(p.Nation)
			}
		}
		if did == 0 {
			return failed
		}
	}
}

// nudge has the link to a nation tell what is to be told, or the relays.
func (f *Federation) nudge(nation string) {
	f.mu.Lock()
	if l := f.links[nation]; l != nil {
		l.nudge()
	}
	f.mu.Unlock()
	if !f.meets(nation) {
		f.over.mu.Lock()
		defer f.over.mu.Unlock()
		for _, sooner := range f.over.sooner {
			signal(sooner)
		}
	}
}

// carryOut does what one order says, and owes the receipt. It has the nation's turn: what another leaf brings at the same moment is either there when it is asked
// whether anything else does, or comes after, and is stored anew.
func (f *Federation) carryOut(ctx context.Context, p Partner, w *ledger.Waiting) error {
	one := f.turn(p.Nation)
	one.Lock()
	defer one.Unlock()
	did, code := peer.DidRefuse, ""
	opener := peer.Opener{Realm: f.cfg.Realm, Limits: f.cfg.Limits, Keys: func(id string) *dsse.Key { k, _ := p.Keys.Find(id); return k.Key }}
	o, _, err := opener.Order(w.Envelope)
	origin, index := w.Origin, w.Leaf.Target-1
	if o.Log != "" { // of before its originator's ledger was restored
		origin, index = o.Log, o.Index
	}
	target, notFound := f.cfg.Ledger.Held(ctx, origin, index)
	switch {
	case err != nil:
		code = "accept.signature"
	case notFound != nil && fault.Of(notFound) != fault.NotFound:
		return notFound
	case notFound != nil && w.Leaf.Target > 0 && o.Do == w.Leaf.Kind.String(): // of a record that was refused for the quota nothing was kept
		did = done[w.Leaf.Kind]
	case notFound != nil:
		code = "order.target"
	case target.Nation != w.Nation || peer.Digest(target.Leaf.Commit) != o.Target || target.Leaf.Kind != peer.Put:
		code = "order.target"
	default:
		if did, code, err = f.apply(ctx, p, w, &o, &target); err != nil {
			return err
		}
	}
	k, err := f.receipt(w.Origin, []peer.Act{{Index: w.Index, Commit: peer.Digest(w.Leaf.Commit), Did: did, Code: code, At: f.stamp()}})
	if err != nil {
		return err
	}
	var earlier *ledger.Held
	if o.Log != "" && code != "order.target" && code != "accept.signature" {
		earlier = &target
	}
	return f.cfg.Ledger.Done(ctx, w.Origin, w.Index, earlier, did, code, k...)
}

// done is what is said of an order that was carried out.
var done = map[peer.Kind]string{peer.Retract: peer.DidRetract, peer.Relabel: peer.DidRelabel, peer.Purge: peer.DidPurge}

// apply does to the record that a leaf brought what its originator orders, as far as no other leaf of its originator has it here.
func (f *Federation) apply(ctx context.Context, p Partner, w *ledger.Waiting, o *peer.Order, target *ledger.Held) (did, code string, err error) {
	order := exchange.Order{Origin: gate.Party{Nation: p.Nation, Org: p.Org}, ID: target.Object, Version: target.Version, Actor: "peer:" + p.Nation, Detail: o.Reason}
	version, object, err := f.elsewhere(ctx, target, nil)
	if err != nil {
		return "", "", err
	}
	if target.Object == "" && w.Leaf.Kind != peer.Relabel {
		if err := f.unnamed(ctx, order.Origin); err != nil {
			return "", "", err
		}
	}
	switch w.Leaf.Kind {
	case peer.Retract:
		if target.Object != "" && !version {
			_, err = f.cfg.Door.Withdraw(ctx, order)
		}
		return peer.DidRetract, "", err
	case peer.Relabel:
		if o.Label == nil {
			return peer.DidRefuse, "order.label", nil
		}
		if target.Object == "" {
			return peer.DidRelabel, "", nil
		}
		kind, _, _ := strings.Cut(target.Object, "--")
		verdict := f.standingOf(target.Leaf.Accord).Accept(f.self, &gate.Parcel{Label: *o.Label, Origin: order.Origin, Signed: true, Accord: target.Leaf.Accord, Audience: o.Label.Audience, Kind: kind,
			Realm: f.mode()}, f.cfg.Now())
		if codes := verdict.Codes(); !verdict.OK() && !verdict.Held() && len(codes) > 0 {
			return peer.DidRefuse, codes[0], nil
		}
		_, err = f.cfg.Door.Mark(ctx, order, *o.Label)
		return peer.DidRelabel, "", err
	}
	return peer.DidPurge, "", f.destroy(ctx, order, version, object)
}

// destroy leaves nothing of what a leaf brought, but for what other leaves brought too.
func (f *Federation) destroy(ctx context.Context, order exchange.Order, version, object bool) error {
	if order.ID == "" || version {
		return nil
	}
	if !object {
		order.Version = ""
	}
	if _, err := f.cfg.Door.Destroy(ctx, order); err != nil || object {
		return err
	}
	if err := f.forgetProofs(ctx, func(a *accusationDoc) bool { return a.Found.Object == order.ID }); err != nil {
		return err
	}
	_, err := f.cfg.Ledger.Purge(ctx, order.ID)
	return err
}

// elsewhere tells whether another leaf of the originator's logs brought the same version of an object, or another version of it, and it is here. Less says
// which leaves do not count.
func (f *Federation) elsewhere(ctx context.Context, target *ledger.Held, less func(*ledger.Held) bool) (version, object bool, err error) {
	if target.Object == "" {
		return false, false, nil
	}
	held, err := f.cfg.Ledger.HeldOf(ctx, target.Object)
	if err != nil {
		return false, false, err
	}
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: target.Nation})
	if err != nil {
		return false, false, err
	}
	for i := range held {
		h := &held[i]
		switch {
		case h.Nation != target.Nation || h.Leaf.Kind != peer.Put || h.Origin == target.Origin && h.Index == target.Index || !isHere(h.Did) || less != nil && less(h):
		case slices.ContainsFunc(logs, func(g ledger.Log) bool { return g.Origin == h.Origin && g.Retired }):
		case h.Version == target.Version:
			version, object = true, true
		default:
			object = true
		}
	}
	return version, object, nil
}

// isHere tells whether a node that did that with a record has it.
func isHere(did string) bool {
	return did == peer.DidStore || did == peer.DidKnow || did == peer.DidRelabel || did == peer.DidQuarantine
}
