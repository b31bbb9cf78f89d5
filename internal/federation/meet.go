package federation

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/peer"
)

// link is the connection to one partner.
type link struct {
	wake     chan struct{} // something is to be told
	sooner   chan struct{} // the partner may be reached now
	health   Health
	told     map[string]bool      // notices that the partner has
	attested map[string]time.Time // by origin: the newest checkpoint that was cosigned for the partner; of who tells it
	fresh    bool                 // something came of a log that the partner has part in, and was not compared with it yet
}

// Health is how the connection to a partner is.
type Health struct {
	Nation   string    `json:"nation"`
	Org      string    `json:"org"`
	Address  string    `json:"address,omitempty"`
	Up       bool      `json:"up"`
	Since    time.Time `json:"since,omitzero"`    // of Up or not
	Received time.Time `json:"received,omitzero"` // something last came
	Error    string    `json:"error,omitempty"`
	Code     string    `json:"code,omitempty"`
	Fork     bool      `json:"fork,omitempty"`   // it signed two pasts of a log
	Proof    string    `json:"proof,omitempty"`  // the proof that weighs against it: nothing is taken from it
	Behind   time.Time `json:"behind,omitzero"`  // since when others have more of a log of it than came here: it, or who carries it, keeps something back
	Stale    time.Time `json:"stale,omitzero"`   // since when a log of it stands still unsigned: something may be kept from us
	Relay    string    `json:"relay,omitempty"`  // the relay over which something last came
	Owed     int       `json:"owed"`             // receipts that are not sent yet
	Got      int64     `json:"got"`              // records taken since the node started
	Ahead    int       `json:"ahead,omitempty"`  // seconds by which its clock is ahead of this node's, as its signatures tell; negative: behind
	Overdue  time.Time `json:"overdue,omitzero"` // since when a leaf of a log for it waits to be cosigned by it
	// Unreceipted says since when it owes a receipt for an order to take back or destroy that it has received.
	Unreceipted time.Time `json:"unreceipted,omitzero"`
	Refused     int64     `json:"refused,omitempty"` // of what it gave since the node started
	Alarms      []Alarm   `json:"alarms,omitempty"`  // what a person must look at
}

// meet holds a link to each partner that has an address.
func (f *Federation) meet(ctx context.Context) {
	known := map[string]string{} // by nation: where it is, and the keys of its node
	running := map[string]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	for {
		changed := f.cfg.Partners.Changed()
		now := map[string]Partner{}
		for _, p := range f.cfg.Partners.Partners() {
			now[p.Nation] = p
		}
		for nation, stop := range running {
			if p, ok := now[nation]; !ok || f.node(&p) != known[nation] { // what a revoked key holds open ends now
				stop()
				delete(running, nation)
				f.mu.Lock()
				delete(f.links, nation)
				f.mu.Unlock()
			}
		}
		for nation, p := range now {
			if running[nation] != nil {
				continue
			}
			c, stop := context.WithCancel(ctx)
			running[nation], known[nation] = stop, f.node(&p)
			l := &link{wake: make(chan struct{}, 1), sooner: make(chan struct{}, 1), health: Health{Nation: nation, Org: p.Org, Address: p.Address}, told: map[string]bool{}, attested: map[string]time.Time{}}
			f.mu.Lock()
			f.links[nation] = l
			f.mu.Unlock()
			if p.Address != "" {
				f.workers.Go(func() { f.hold(c, nation, l) })
			}
		}
		accord := f.cfg.Accords.Changed()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-accord:
		}
		f.mu.Lock()
		for _, l := range f.links {
			l.fresh = true // a key log may have grown
			l.nudge()
		}
		f.mu.Unlock()
	}
}

// node is what a link to a partner depends on.
func (f *Federation) node(p *Partner) string {
	at := p.Address
	for _, k := range p.Keys.Keys(p.Org, keylog.RoleNode, f.cfg.Now()) {
		at += " " + k.Key.ID()
	}
	return at
}

func (l *link) nudge() { signal(l.wake) }

// signal leaves a word for who reads c, unless one is there.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// partner finds a partner as it is known now.
func (f *Federation) partner(nation string) (Partner, bool) {
	all := f.cfg.Partners.Partners()
	i := slices.IndexFunc(all, func(p Partner) bool { return p.Nation == nation })
	if i < 0 {
		return Partner{}, false
	}
	return all[i], true
}

// Waits between two attempts to reach a partner: never shorter than the first, whatever happens, and never longer than the last.
const (
	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
)

// hold keeps the link to one partner: it tells what is new, and takes what comes, again and again.
func (f *Federation) hold(ctx context.Context, nation string, l *link) {
	wait := firstWait
	for ctx.Err() == nil {
		p, ok := f.partner(nation)
		if !ok {
			return
		}
		began := f.cfg.Now()
		err := f.visit(ctx, p, l)
		if ctx.Err() != nil {
			return
		}
		f.down(l, err)
		if f.cfg.Now().Sub(began) > lastWait {
			wait = firstWait
		}
		if wait = f.rest(ctx, l, wait); wait == 0 {
			return
		}
	}
}

// rest waits until a partner is to be tried again, half of the time at least, and gives the wait after that: twice as long. Where the partner itself came
// to the door, or a person says so, it waits no longer, and begins anew. 0: the work ends.
func (f *Federation) rest(ctx context.Context, l *link, wait time.Duration) time.Duration {
	select {
	case <-ctx.Done():
		return 0
	case <-f.cfg.After(firstWait):
	}
	select {
	case <-ctx.Done():
		return 0
	case <-l.sooner:
		return firstWait
	case <-f.cfg.After(wait/2 + rand.N(wait/2) - firstWait):
		return min(2*wait, lastWait)
	}
}

// Retry has a partner that cannot be reached be tried now.
func (f *Federation) Retry(nation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.links[nation]
	switch {
	case l == nil:
		return fault.New(fault.NotFound, "link.none", "there is no link to this nation").At("nation")
	case l.health.Address == "":
		return fault.New(fault.Conflict, "link.address", "%s has no address here: it calls by itself", nation).At("nation")
	case !l.health.Up:
		signal(l.sooner)
	}
	return nil
}

// heard notes that a partner came to the door: then it can be reached, most likely.
func (f *Federation) heard(nation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.links[nation]; l != nil && !l.health.Up {
		signal(l.sooner)
	}
}

func (f *Federation) up(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !l.health.Up {
		l.health.Up, l.health.Since, l.health.Error, l.health.Code = true, f.cfg.Now(), "", ""
		select {
		case <-l.sooner: // of the time before
		default:
		}
	}
}

func (f *Federation) down(l *link, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.health.Up || l.health.Since.IsZero() {
		l.health.Up, l.health.Since = false, f.cfg.Now()
	}
	if err != nil {
		l.health.Error = err.Error()
		var e *peer.Error
		var fork *peer.Equivocation
		switch {
		case errors.As(err, &fork):
			l.health.Fork, l.health.Code = true, peer.CodeFork
		case errors.As(err, &e):
			l.health.Code = e.Code
		}
	}
}

// visit is one connection: what is to be told, then the stream of what comes, until it ends.
func (f *Federation) visit(ctx context.Context, p Partner, l *link) error {
	url, doer := f.cfg.Dial(p)
	c := &peer.Client{URL: url, Doer: doer, Limits: f.cfg.Limits}
	if idle, ok := doer.(interface{ CloseIdleConnections() }); ok {
		defer idle.CloseIdleConnections() // the next visit proves the keys anew
	}
	f.mu.Lock()
	clear(l.told) // it may have been restored since
	f.mu.Unlock()
	if err := f.tellPartner(ctx, c, p, l); err != nil {
		return err
	}
	heads := map[string]string{}
	if err := f.compare(ctx, c, p, heads); err != nil && !isRefusal(err) {
		return err
	}
	if err := f.recover(ctx, c, p); err != nil {
		return err
	}
	f.up(l)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- f.telling(ctx, c, p.Nation, l, heads) }()
	err := f.listen(ctx, c, p, l)
	stop()
	if e := <-failed; e != nil && ctx.Err() == nil {
		err = errors.Join(err, e)
	}
	return err
}

// telling sends what is to be told while the stream is open. Heads is what the partner knows of what was seen of others.
func (f *Federation) telling(ctx context.Context, c *peer.Client, nation string, l *link, heads map[string]string) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	var cosigned time.Time
	for compared := f.cfg.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-tick.C:
		}
		p, ok := f.partner(nation)
		if !ok {
			return nil
		}
		if err := f.tellPartner(ctx, c, p, l); err != nil && ctx.Err() == nil {
			f.cfg.Log.Info("telling a partner; it will be tried again", "partner", nation, "error", err)
		}
		if now := f.cfg.Now(); now.Sub(cosigned) >= attestEvery {
			cosigned = now
			if err := f.attest(ctx, c, p, l); err != nil && ctx.Err() == nil {
				f.cfg.Log.Info("telling a partner what was seen of its logs; it will be tried again", "partner", nation, "error", err)
			}
		}
		if now := f.cfg.Now(); now.Sub(compared) >= compareEvery || l.compares(f) && now.Sub(compared) >= compareSoon {
			compared = now
			f.mu.Lock()
			l.fresh = false
			f.mu.Unlock()
			if err := f.compare(ctx, c, p, heads); err != nil && ctx.Err() == nil {
				f.cfg.Log.Info("comparing with a partner what others showed; it will be tried again", "partner", nation, "error", err)
			}
		}
	}
}

// How long two nodes wait before they compare again what they saw of others: when nothing came, and when something did.
const (
	compareEvery = 15 * time.Second
	compareSoon  = time.Second
)

func (l *link) compares(f *Federation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return l.fresh
}

// tellPartner sends what the partner does not have: statements of key logs, accords, notices, receipts.
func (f *Federation) tellPartner(ctx context.Context, c *peer.Client, p Partner, l *link) error {
	if err := f.learnFrom(ctx, c, p.Nation, uint64(p.Keys.Head.Size)); err != nil {
		return err
	}
	for _, o := range f.cfg.Accords.Outgoing() {
		if !slices.Contains(o.Parties, p.Nation) {
			continue
		}
		if err := f.tellAccord(ctx, c, p, l, o); err != nil {
			return err
		}
	}
	if err := f.tellProofs(ctx, c, p, l); err != nil {
		return err
	}
	return f.settle(ctx, c, p)
}

func (f *Federation) tellAccord(ctx context.Context, c *peer.Client, p Partner, l *link, o accords.Outgoing) error {
	if key := o.Digest + short(o.Bundle); o.Bundle != nil && !l.has(f, key) {
		err := c.Offer(ctx, peer.OfferAccord, o.Bundle)
		if err != nil && !isRefusal(err) {
			return err
		}
		if l.note(f, key); err != nil { // it was told, and is not taken
			return nil
		}
		if o.Complete {
			if err := f.cfg.Accords.Held(ctx, o.Digest, p.Nation); err != nil {
				return err
			}
		}
	}
	for _, n := range o.Notices {
		if key := short(n); !l.has(f, key) {
			if err := c.Offer(ctx, peer.OfferNotice, n); isRefusal(err) {
				return nil // until it has the accord
			} else if err != nil {
				return err
			}
			l.note(f, key)
		}
	}
	return nil
}

// isRefusal tells a partner's answer that it does not take something from what keeps the link from working.
func isRefusal(err error) bool {
	var e *peer.Error
	return errors.As(err, &e) && e.Code != peer.CodeThrottled && e.Code != peer.CodeUnavailable && e.Code != peer.CodeInternal
}

func (l *link) has(f *Federation, key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return l.told[key]
}

func (l *link) note(f *Federation, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.told[key] = true
}

// settle sends the receipts that are owed.
func (f *Federation) settle(ctx context.Context, c *peer.Client, p Partner) error {
	for {
		owed, err := f.cfg.Ledger.Outbox(ctx, p.Nation, 50)
		if err != nil || len(owed) == 0 {
			return err
		}
		if err := f.acknowledge(ctx, c, owed); err == nil {
			continue
		} else if !isRefusal(err) {
			return err
		}
		for i := range owed { // one of them is not taken: it must not keep the others
			err := f.acknowledge(ctx, c, owed[i:i+1])
			if err == nil {
				continue
			}
			if !isRefusal(err) {
				return err
			}
			f.cfg.Log.Warn("a partner refuses a receipt, which is given up", "partner", p.Nation, "log", owed[i].Origin, "error", err)
			if err := f.cfg.Ledger.Sent(ctx, owed[i].ID); err != nil {
				return err
			}
		}
	}
}

// acknowledge sends receipts, with a cosigned checkpoint of each log.
func (f *Federation) acknowledge(ctx context.Context, c *peer.Client, owed []ledger.Sending) error {
	a, ids, err := f.ackOf(ctx, owed)
	if err != nil {
		return err
	}
	if err := c.Ack(ctx, a); err != nil {
		return err
	}
	return f.cfg.Ledger.Sent(ctx, ids...)
}

// ackOf is what is said with receipts, and which they are.
func (f *Federation) ackOf(ctx context.Context, owed []ledger.Sending) (a peer.Ack, ids []int64, err error) {
	byLog := map[string]int{}
	for _, s := range owed {
		i, ok := byLog[s.Origin]
		if !ok {
			i = len(a.Logs)
			byLog[s.Origin] = i
			a.Logs = append(a.Logs, peer.LogAck{Origin: s.Origin})
		}
		a.Logs[i].Receipts = append(a.Logs[i].Receipts, s.Receipt)
		ids = append(ids, s.ID)
	}
	for i := range a.Logs {
		if a.Logs[i].Cosigned, err = f.cosign(ctx, a.Logs[i].Origin); err != nil {
			return a, nil, err
		}
	}
	return a, ids, nil
}

// cosign puts this node's signature beside a partner's newest checkpoint that was verified here.
func (f *Federation) cosign(ctx context.Context, origin string) ([]byte, error) {
	g, err := f.cfg.Ledger.Log(ctx, origin)
	if err != nil || g.Note == nil {
		return nil, err
	}
	k, err := f.cfg.Node()
	if err != nil {
		return nil, err
	}
	return peer.Cosign(g.Note, peer.CosignerName(k.Key()), f.cfg.Now(), k)
}

// stale is how old the newest checkpoint of a log may be: its originator signs one every 30 s at least, and it has as long again twice to arrive.
const stale = 90 * time.Second

// Links says how the connections to partners are.
func (f *Federation) Links(ctx context.Context) ([]Health, error) {
	f.mu.Lock()
	out := make([]Health, 0, len(f.links))
	for _, l := range f.links {
		out = append(out, l.health)
	}
	f.mu.Unlock()
	for i := range out {
		owed, err := f.cfg.Ledger.Outbox(ctx, out[i].Nation, 1000)
		if err != nil {
			return nil, err
		}
		out[i].Owed = len(owed)
		out[i].Behind = f.behindOf(out[i].Nation)
		logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: out[i].Nation})
		if err != nil {
			return nil, err
		}
		for _, g := range logs {
			if at := g.Signed.Time; !g.Retired && f.cfg.Now().Sub(at) > stale && (out[i].Stale.IsZero() || at.Before(out[i].Stale)) {
				out[i].Stale = at
			}
		}
		if err := f.observe(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	for _, p := range f.cfg.Partners.Forked() {
		out = append(out, Health{Nation: p.Nation, Org: p.Org, Fork: true, Code: peer.CodeFork, Error: "the nation showed two key logs: nothing of it counts until it is removed and added anew"})
	}
	if err := f.alarm(ctx, out); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Health) int { return strings.Compare(a.Nation, b.Nation) })
	return out, nil
}

// positions are how far the logs of a partner are here.
func (f *Federation) positions(ctx context.Context, nation string) ([]peer.Position, error) {
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: nation})
	var out []peer.Position
	for _, g := range logs {
		if !g.Retired {
			out = append(out, peer.Position{Origin: g.Origin, Size: g.Size, Known: g.Signed.Size})
		}
	}
	return out, err
}
