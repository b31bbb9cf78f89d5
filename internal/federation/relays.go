package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/dsse"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/peer"
	"entente/proof"
	"entente/seal"
)

// relaying is what this node remembers of the relays that its accords name. All of it can be asked for again.
type relaying struct {
	mu      sync.Mutex
	states  map[string]*RelayHealth  // by nation of the relay
	epochs  map[string]*epoch        // of own logs, by origin
	keys    map[string][32]byte      // of others' epochs, by nation, origin and epoch
	heads   map[string]said          // newest of each relay, by place
	custody map[string]said          // the first of the largest size, of each relay, by place
	owes    map[string]missing       // what it took and does not show, by place
	sooner  map[string]chan struct{} // visits, by nation of the relay
}

func newRelaying() relaying {
	return relaying{states: map[string]*RelayHealth{}, epochs: map[string]*epoch{}, keys: map[string][32]byte{}, heads: map[string]said{}, custody: map[string]said{}, owes: map[string]missing{}, sooner: map[string]chan struct{}{}}
}

// said is what a relay signed.
type said struct {
	peer.Carried
	envelope []byte
}

// place names a log at a relay.
func (s *said) place() string { return s.Nation + "/" + s.Of + "/" + s.Origin }

// RelayHealth is how a relay is, as this node sees it.
type RelayHealth struct {
	Nation string    `json:"nation"`
	Org    string    `json:"org"`
	Up     bool      `json:"up"`
	Since  time.Time `json:"since,omitzero"`  // of Up or not
	Error  string    `json:"error,omitempty"` // of the last visit
	Behind time.Time `json:"behind,omitzero"` // since when it shows less than it took, or nothing newer than a partner must have signed
	Given  int64     `json:"given"`           // bytes that were handed over since the node started
	Got    int64     `json:"got"`             // records that came over it
	Proof  string    `json:"proof,omitempty"`
}

// epoch is a key of an own log. It is nowhere but here: after a start another one begins, and what was sealed is opened by those who have its wraps.
type epoch struct {
	number uint32
	key    [32]byte
	began  time.Time
	boxes  int
	wraps  map[string]peer.Wrap // by reader and id of his key
	told   map[string]bool      // by relay and id: which relay has which wrap
}

// When a log's epoch ends.
const (
	epochLife  = 24 * time.Hour
	epochBoxes = 1 << 20
)

// relaysOf says which partners are named as relays, by which accords in force: "relay NAME" is the partner whose organisation has that name, and whose
// key log names its node as one.
func (f *Federation) relaysOf() map[string][]string {
	out := map[string][]string{}
	now := f.cfg.Now()
	partners := f.cfg.Partners.Partners()
	for _, s := range f.cfg.Accords.Standings() {
		for _, r := range s.Versions[len(s.Versions)-1].Relays {
			for _, p := range partners {
				if p.Org == r.Name && len(p.Keys.Keys(p.Org, keylog.RoleRelay, now)) > 0 && !slices.Contains(out[p.Nation], s.Name) {
					out[p.Nation] = append(out[p.Nation], s.Name)
				}
			}
		}
	}
	return out
}

// relays visits each relay that an accord names, again and again.
func (f *Federation) relays(ctx context.Context) {
	if f.cfg.Seals == nil {
		return
	}
	running := map[string]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	for {
		changed, bound := f.cfg.Partners.Changed(), f.cfg.Accords.Changed()
		now := f.relaysOf()
		for nation, stop := range running {
			if now[nation] == nil {
				stop()
				delete(running, nation)
				f.over.mu.Lock()
				delete(f.over.states, nation)
				delete(f.over.sooner, nation)
				f.over.mu.Unlock()
			}
		}
		for nation := range now {
			if p, ok := f.partner(nation); running[nation] == nil && ok && p.Address != "" {
				c, stop := context.WithCancel(ctx)
				running[nation] = stop
				f.over.mu.Lock()
				f.over.states[nation] = &RelayHealth{Nation: nation, Org: p.Org}
				f.over.mu.Unlock()
				f.workers.Go(func() { f.visitRelay(c, nation) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-bound:
		case <-time.After(f.cfg.Tick):
		}
	}
}

// How often a relay has its turn, whatever its stream brings; and how soon after something came, or is to be answered.
const (
	relayEvery = 2 * time.Second
	relaySoon  = 100 * time.Millisecond
)

// turn is how much is done at a relay.
type turn int

const (
	giving    turn = iota // own logs are handed over: as soon as they grew
	answering             // and messages are read and left: soon after something came
	looking               // and what is there is looked at: again and again
)

// visitRelay goes to a relay again and again.
func (f *Federation) visitRelay(ctx context.Context, nation string) {
	v := relayVisit{f: f, life: ctx, keys: map[string]asked{}, wrote: map[string]time.Time{}, sooner: make(chan struct{}, 1), live: newRelayStream()}
	f.over.mu.Lock()
	f.over.sooner[nation] = v.sooner
	f.over.mu.Unlock()
	defer v.live.end()
	wait, next := relayEvery, time.NewTimer(0)
	defer next.Stop()
	for do := looking; ; {
		grown := f.cfg.Ledger.Grown()
		p, ok := f.partner(nation)
		accords := f.relaysOf()[nation]
		if !ok || accords == nil {
			return
		}
		v.relay, v.accords = p, accords
		c, stop := context.WithTimeout(ctx, time.Minute)
		err := v.round(c, do)
		stop()
		if ctx.Err() != nil {
			return
		}
		f.relaySeen(nation, err)
		sooner := v.sooner
		if err != nil { // what is refused now would be refused again
			grown = nil
		}
		failed := err != nil && !isRefusal(err)
		if failed {
			v.told, sooner = time.Time{}, nil
		}
		if do > giving { // the next turn is a whole one
			if wait = min(2*wait, lastWait); !failed {
				wait = min(relayEvery, f.cfg.Tick)
			}
			next.Reset(wait)
		}
		do = looking
		select {
		case <-ctx.Done():
			return
		case <-grown:
			do = giving
		case <-sooner:
			if !pause(ctx, relaySoon) { // whoever rings without end is heard as often
				return
			}
			do = answering
		case <-next.C:
		}
	}
}

func (f *Federation) relaySeen(nation string, err error) {
	f.over.mu.Lock()
	defer f.over.mu.Unlock()
	s := f.over.states[nation]
	if s == nil {
		return
	}
	if up := err == nil || isRefusal(err); up != s.Up || s.Since.IsZero() {
		s.Up, s.Since = up, f.cfg.Now()
	}
	s.Error = ""
	if err != nil {
		s.Error = err.Error()
	}
}

// Relays says how the relays are that accords name.
func (f *Federation) Relays() []RelayHealth {
	f.over.mu.Lock()
	defer f.over.mu.Unlock()
	var out []RelayHealth
	for _, s := range f.over.states {
		h := *s
		f.mu.Lock()
		h.Proof = f.guilty[h.Nation]
		f.mu.Unlock()
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b RelayHealth) int { return strings.Compare(a.Nation, b.Nation) })
	return out
}

// relayVisit is one relay as it is visited.
type relayVisit struct {
	f       *Federation
	relay   Partner
	accords []string
	client  *peer.Client
	told    time.Time            // when the own key was left there last
	mail    int64                // the last message that was read
	keys    map[string]asked     // of readers, by nation
	wrote   map[string]time.Time // when a message was last left, by nation
	life    context.Context      // ends with the visits
	sooner  chan struct{}        // there is something to read or to answer
	live    relayStream
}

// asked is what a relay said of a nation's keys.
type asked struct {
	at time.Time
	to []*seal.Statement
}

// askAgain is how long the keys of others are remembered, and after which the own one is left anew.
const askAgain = 5 * time.Minute

// round leaves what is new at the relay, and takes what is there.
func (v *relayVisit) round(ctx context.Context, do turn) error {
	f := v.f
	if err := f.trusted(v.relay.Nation); err != nil {
		v.live.end()
		return err
	}
	url, doer := f.cfg.Dial(v.relay)
	v.client = &peer.Client{URL: url, Doer: doer, Limits: f.cfg.Limits}
	if err := v.state(ctx); err != nil {
		return err
	}
	var steps []func(context.Context) error
	if do >= answering {
		steps = append(steps, v.read)
	}
	steps = append(steps, v.give)
	if do == looking || v.lacks() {
		steps = append(steps, v.take, v.listen)
	}
	if do >= answering {
		steps = append(steps, v.answer)
	}
	var bad error // refusals: all the rest goes on
	for _, step := range steps {
		if err := step(ctx); err != nil && !isRefusal(err) {
			return err
		} else if err != nil {
			bad = errors.Join(bad, err)
		}
	}
	return bad
}

// bound are the partners for whom the relay is named, with their accords.
func (v *relayVisit) bound() (out []string) {
	for _, s := range v.f.cfg.Accords.Standings() {
		if !slices.Contains(v.accords, s.Name) {
			continue
		}
		for _, p := range s.Versions[len(s.Versions)-1].Parties {
			if p.Nation != v.f.cfg.Nation && p.Nation != v.relay.Nation {
				out = append(out, p.Nation)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// state leaves the own key at the relay, for those who may seal to it.
func (v *relayVisit) state(ctx context.Context) error {
	now, bound := v.f.cfg.Now(), v.bound()
	if now.Sub(v.told).Abs() < askAgain || len(bound) == 0 || len(bound) > peer.MaxReaders {
		return nil
	}
	s, err := v.f.cfg.Seals.SealStatement(now)
	if err != nil {
		return err
	}
	if err := v.client.State(ctx, bound, s); err != nil {
		return err
	}
	v.told = now
	return nil
}

// readersKeys asks the relay for the keys of a nation, which the nation signed.
func (v *relayVisit) readersKeys(ctx context.Context, nation string) ([]*seal.Statement, error) {
	now := v.f.cfg.Now()
	if a, ok := v.keys[nation]; ok && now.Sub(a.at).Abs() < askAgain && len(a.to) > 0 {
		return a.to, nil
	}
	p, ok := v.f.partner(nation)
	if !ok {
		return nil, nil
	}
	all, err := v.client.Statements(ctx, nation)
	if err != nil {
		return nil, err
	}
	var out []*seal.Statement
	for _, b := range all {
		if s, err := v.f.statement(&p, b); err == nil { // what is not signed by it is the relay's own word
			out = append(out, s)
		}
	}
	v.keys[nation] = asked{now, out}
	return out, nil
}

// handed is how far a relay has an own log.
type handed struct {
	Size    uint64    `json:"size"`
	Known   uint64    `json:"known"`
	Time    time.Time `json:"time"`
	Readers []string  `json:"readers"` // who can open it, from its beginning
	Done    uint64    `json:"done"`    // the relay destroyed what is before
	Bytes   int64     `json:"bytes"`   // of envelopes that it keeps
}

func (v *relayVisit) cursor(origin string) string { return "relay/" + v.relay.Nation + "/" + origin }

// give hands the own logs over. Where no more is kept, room is made, of what all readers have: what then still waits for them goes other ways, or later.
func (v *relayVisit) give(ctx context.Context) error {
	all, err := v.handings(ctx)
	if err != nil {
		return err
	}
	var bad error // what is wrong with one log does not hold up the others
	for _, h := range all {
		err := v.giveLog(ctx, h, all)
		if isFull(err) {
			made, e := v.makeRoom(ctx, all)
			if e != nil {
				return e
			}
			if made {
				err = v.giveLog(ctx, h, all)
			}
		}
		if err != nil && !isRefusal(err) {
			return err
		} else if err != nil {
			bad = fmt.Errorf("it does not take a log: %w", err)
		}
	}
	return bad
}

func (v *relayVisit) giveLog(ctx context.Context, h *handing, all []*handing) error {
	f, g, at := v.f, h.Log, h.at
	if at.Size == g.Signed.Size && at.Known == g.Signed.Size && !g.Signed.Time.After(at.Time) {
		return v.bare(ctx, g)
	}
	to := map[string]*seal.Statement{} // by reader and id of the key
	var can []string
	for _, party := range g.Parties {
		nation, _, _ := strings.Cut(strings.TrimPrefix(party, "org:"), "/")
		if nation == f.cfg.Nation || nation == v.relay.Nation {
			continue
		}
		all, err := v.readersKeys(ctx, nation)
		if err != nil {
			return err
		}
		for _, s := range all {
			to[party+" "+s.ID().String()] = s
		}
		if len(all) > 0 {
			can = append(can, party)
		}
	}
	if len(can) == 0 {
		return nil // nobody could open it
	}
	again := len(at.Readers) > 0 && slices.ContainsFunc(can, func(p string) bool { return !slices.Contains(at.Readers, p) })
	if again { // somebody can open it from now on: let it be from the beginning
		at = handed{Known: at.Known}
	}
	at.Readers = can
	for {
		if at.Size >= at.Known && at.Size < g.Signed.Size && h.isFull(all) { // what leads to a checkpoint is handed over whole: nobody could read a part
			return &peer.Error{Code: peer.CodeFull, Message: fmt.Sprintf("the accord %s lets it keep %d bytes, and they wait for their readers", h.accord, h.queue)}
		}
		if err := v.hand(ctx, g, &at, to); err != nil {
			var e *peer.Error
			if errors.As(err, &e) && e.Code == peer.CodeGap && at.Size > 0 { // it has less than it took
				at = handed{Readers: can}
				continue
			}
			return err
		}
		h.at = at
		if err := v.keep(ctx, h); err != nil {
			return err
		}
		if at.Size >= g.Signed.Size {
			return v.bare(ctx, g)
		}
	}
}

// hand hands over the next batch.
func (v *relayVisit) hand(ctx context.Context, g *ledger.Log, at *handed, to map[string]*seal.Statement) error {
	f := v.f
	b, err := f.cfg.Ledger.Frames(ctx, g.Origin, peer.Pull{From: at.Size, Known: at.Known, Bytes: 8 << 20})
	if err != nil {
		return err
	}
	sealed, ids, err := v.sealed(b, to)
	if err != nil {
		return err
	}
	c, err := peer.PeekCheckpoint(b.Checkpoint)
	if err != nil {
		return err
	}
	word, err := v.carry(ctx, at.Readers, sealed, ids)
	if err != nil {
		return err
	}
	for i := range b.Frames {
		at.Bytes += int64(len(b.Frames[i].Envelope))
	}
	if c.Size == b.End() && (word.Size != c.Size || word.Root != c.Root) {
		return &peer.Error{Code: peer.CodeProof, Message: "the relay says that it took another log than it was given"}
	}
	at.Size, at.Known, at.Time = b.End(), max(at.Known, c.Size), c.Time
	return nil
}

// sealed puts a batch into boxes under the key of the log's epoch, with those of the key's wraps that the relay does not have.
func (v *relayVisit) sealed(b *peer.Batch, to map[string]*seal.Statement) (*peer.SealedBatch, []string, error) {
	f := v.f
	f.over.mu.Lock()
	defer f.over.mu.Unlock()
	e, err := f.epochOf(b.Origin, to)
	if err != nil {
		return nil, nil, err
	}
	e.boxes += len(b.Frames)
	var wraps []peer.Wrap
	var ids []string
	for id, w := range e.wraps {
		if name := v.relay.Nation + " " + id; !e.told[name] && len(wraps) < peer.MaxWraps {
			wraps, ids = append(wraps, w), append(ids, name)
		}
	}
	s, err := b.Seal(e.number, e.key, wraps)
	return s, ids, err
}

// epochOf is the epoch of an own log, wrapped for readers. Another one begins when its time is over, or when somebody may not read what comes now. The caller holds over.mu.
func (f *Federation) epochOf(origin string, to map[string]*seal.Statement) (*epoch, error) {
	now, e := f.cfg.Now(), f.over.epochs[origin]
	fresh := e == nil || now.Sub(e.began).Abs() > epochLife || e.boxes > epochBoxes
	if !fresh {
		for id := range e.wraps {
			fresh = fresh || to[id] == nil
		}
	}
	if fresh {
		next := &epoch{number: uint32(now.Unix()), began: now, wraps: map[string]peer.Wrap{}, told: map[string]bool{}}
		if e != nil && next.number <= e.number {
			next.number = e.number + 1
		}
		next.key = random()
		e = next
		f.over.epochs[origin] = e
	}
	for id, s := range to {
		if _, ok := e.wraps[id]; ok {
			continue
		}
		data, err := seal.Wrap(e.key, s, f.cfg.Realm, peer.EpochPurpose(origin, e.number))
		if err != nil {
			return nil, err
		}
		e.wraps[id] = peer.Wrap{Key: s.ID(), Data: data}
	}
	return e, nil
}

// carry hands a batch over, and keeps the relay's word for it.
func (v *relayVisit) carry(ctx context.Context, readers []string, s *peer.SealedBatch, ids []string) (said, error) {
	f := v.f
	receipt, err := v.client.Carry(ctx, readers, s)
	if err != nil {
		return said{}, err
	}
	opener := v.opener()
	c, by, err := opener.Custody(receipt)
	if err != nil {
		return said{}, err
	}
	if c.Nation != v.relay.Nation || c.Org != v.relay.Org || c.Of != f.cfg.Nation || c.Origin != s.Origin || !v.speaks(by, c.Time) {
		return said{}, &peer.Error{Code: peer.CodeSignature, Message: "the relay's receipt is not about what it was given"}
	}
	word := said{peer.Carried(c), receipt}
	f.over.mu.Lock()
	for _, id := range ids {
		if e := f.over.epochs[s.Origin]; e != nil && e.number == s.Epoch {
			e.told[id] = true
		}
	}
	if old := f.over.custody[word.place()]; word.Size > old.Size { // what it said first weighs most
		f.over.custody[word.place()] = word
	}
	if h := f.over.states[v.relay.Nation]; h != nil {
		for i := range s.Items {
			h.Given += int64(len(s.Items[i].Box))
		}
	}
	f.over.mu.Unlock()
	return word, nil
}

func (v *relayVisit) opener() peer.Opener {
	return peer.Opener{Realm: v.f.cfg.Realm, Limits: v.f.cfg.Limits, Keys: func(id string) *dsse.Key { k, _ := v.relay.Keys.Find(id); return k.Key }}
}

// speaks tells whether one of the keys is the relay's at the time that it says.
func (v *relayVisit) speaks(by []*dsse.Key, at time.Time) bool {
	return slices.ContainsFunc(by, func(k *dsse.Key) bool {
		known, ok := v.relay.Keys.Find(k.ID())
		return ok && known.Org == v.relay.Org && v.relay.Keys.Valid(k.ID(), keylog.RoleRelay, at) == nil
	})
}

// accuseRelay keeps the proof that two words of a relay contradict each other, when they do.
func (f *Federation) accuseRelay(ctx context.Context, custody, head said) error {
	if len(custody.envelope) == 0 || len(head.envelope) == 0 || !peer.RelayHead(head.Carried).Contradicts(peer.Custody(custody.Carried)) {
		return nil
	}
	l, err := f.cfg.Partners.Log(custody.Nation)
	if err != nil {
		return err
	}
	p, err := proof.OfRelay(l, custody.envelope, head.envelope)
	if err != nil {
		return err
	}
	return f.accuse(ctx, p)
}
