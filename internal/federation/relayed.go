package federation

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/ledger"
	"entente/peer"
	"entente/seal"
)

func random() (b [32]byte) {
	_, _ = rand.Read(b[:]) // it does not fail
	return b
}

// take looks at what the relay carries for this node, holds it to its word, and takes what does not come straight.
func (v *relayVisit) take(ctx context.Context) error {
	f := v.f
	logs, err := v.client.Carried(ctx, "")
	if err != nil {
		return err
	}
	bound := v.bound()
	opener := v.opener()
	shown, owner := map[string]bool{}, map[string]string{}
	var behind time.Time
	var bad error // what of it is not taken: others' logs need not wait for that
	for _, l := range logs {
		h, by, err := opener.RelayHead(l.Head)
		if err != nil {
			return err
		}
		if h.Nation != v.relay.Nation || h.Org != v.relay.Org || h.Of != l.Nation || !v.speaks(by, h.Time) {
			return &peer.Error{Code: peer.CodeSignature, Message: "the relay's head is not about what it carries"}
		}
		if !slices.Contains(bound, h.Of) {
			continue
		}
		word := said{peer.Carried(h), l.Head}
		shown[word.place()] = true
		if _, twice := owner[h.Origin]; !twice { // as the relay's stream has it
			owner[h.Origin] = h.Of
		}
		if err := v.held(ctx, word); err != nil {
			return err
		}
		if err := v.takeLog(ctx, &h); err != nil {
			if !isRefusal(err) {
				return err
			}
			bad = fmt.Errorf("what it carries of %s is not taken: %w", h.Of, err)
			continue
		}
		f.over.mu.Lock()
		delete(v.live.deaf, h.Origin)
		f.over.mu.Unlock()
	}
	f.over.mu.Lock()
	v.live.owner = owner
	f.over.mu.Unlock()
	if behind, err = v.lags(ctx, bound, shown); err != nil {
		return err
	}
	f.over.mu.Lock()
	defer f.over.mu.Unlock()
	if s := f.over.states[v.relay.Nation]; s != nil {
		s.Behind = behind
	}
	return bad
}

// held remembers a head, and compares it with what the relay said to the originator.
func (v *relayVisit) held(ctx context.Context, word said) error {
	f := v.f
	f.over.mu.Lock()
	f.over.heads[word.place()] = word
	custody := f.over.custody[word.place()]
	f.over.mu.Unlock()
	return f.accuseRelay(ctx, custody, word)
}

// patience is how long what is known to be there may come straight before it is taken from a relay.
const patience = 10 * time.Second

// takeLog takes what is new of one log, unless it comes straight or over the stream.
func (v *relayVisit) takeLog(ctx context.Context, h *peer.RelayHead) error {
	f := v.f
	for {
		g, err := f.cfg.Ledger.Log(ctx, h.Origin)
		if ignoreMissing(err) != nil {
			return err
		}
		if err == nil && (g.Own || g.Nation != h.Of || g.Retired) {
			return nil
		}
		if h.Size < g.Size || h.Size == g.Size && f.cfg.Now().Sub(g.Signed.Time) < 2*idle || (f.meets(h.Of) || v.streams(h.Of, h.Origin)) && f.cfg.Now().Sub(g.Signed.Time) < idle+patience {
			return nil
		}
		before := g.Signed.Time
		n, err := v.takeBatch(ctx, h, peer.Position{Origin: h.Origin, Size: g.Size, Known: g.Signed.Size})
		if err != nil || n == 0 {
			return err
		}
		if g, err = f.cfg.Ledger.Log(ctx, h.Origin); err != nil || g.Size >= h.Size || g.Size == 0 && !g.Signed.Time.After(before) {
			return err
		}
	}
}

// meets tells whether there is a connection to a partner.
func (f *Federation) meets(nation string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.links[nation]
	return l != nil && l.health.Up
}

// takeBatch takes the next items of a log, and says how many.
func (v *relayVisit) takeBatch(ctx context.Context, h *peer.RelayHead, at peer.Position) (int, error) {
	f := v.f
	if at.Known > h.Size { // what was seen straight goes beyond what the relay has
		at.Known = 0
	}
	s, err := v.client.Sealed(ctx, h.Of, at)
	if err != nil {
		return 0, err
	}
	if c, err := peer.PeekCheckpoint(s.Checkpoint); err != nil || c.Size == h.Size && c.Root != h.Root {
		return 0, &peer.Error{Code: peer.CodeProof, Message: "the relay's head is not of the log that it gives"}
	}
	return len(s.Items), f.takeSealed(ctx, &v.relay, h.Of, s)
}

// takeSealed opens what a relay carried, and takes it as what comes straight.
func (f *Federation) takeSealed(ctx context.Context, relay *Partner, of string, s *peer.SealedBatch) (err error) {
	b := &peer.Batch{Origin: s.Origin, From: s.From, Checkpoint: s.Checkpoint, Leads: s.Leads, Grows: s.Grows}
	if len(s.Items) > 0 {
		key, err := f.epochKey(of, s)
		if err != nil {
			return err
		}
		if b, err = s.Open(key, f.cfg.Limits); err != nil {
			return err
		}
	}
	one := f.turn(of)
	one.Lock()
	n, err := f.takeVia(withWay(ctx, wayRelay+relay.Org), of, "peer:"+of+" relay:"+relay.Org, b, false)
	one.Unlock()
	if err != nil {
		return err
	}
	f.over.mu.Lock()
	if st := f.over.states[relay.Nation]; st != nil {
		st.Got += int64(n)
	}
	f.over.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.links[of]; l != nil {
		l.health.Relay = relay.Org
		l.health.Received = f.cfg.Now()
		l.health.Got += int64(n)
	}
	return nil
}

// maxEpochs is how many keys of others' epochs are remembered.
const maxEpochs = 10_000

// epochKey is the key of a batch's boxes: as it was wrapped for this node, in this batch or an earlier one.
func (f *Federation) epochKey(of string, s *peer.SealedBatch) (key [32]byte, err error) {
	name := of + " " + peer.EpochPurpose(s.Origin, s.Epoch)
	f.over.mu.Lock()
	key, ok := f.over.keys[name]
	f.over.mu.Unlock()
	if ok {
		return key, nil
	}
	own, err := f.cfg.Seals.SealKeys(f.cfg.Now())
	if err != nil {
		return key, err
	}
	for _, w := range s.Wraps {
		i := slices.IndexFunc(own, func(p *seal.Private) bool { return p.ID() == seal.KeyID(w.Key) })
		if i < 0 {
			continue
		}
		if key, err = own[i].Unwrap(w.Data, f.cfg.Realm, peer.EpochPurpose(s.Origin, s.Epoch)); err != nil {
			continue // somebody wrapped something else for this key
		}
		f.over.mu.Lock()
		if len(f.over.keys) >= maxEpochs {
			clear(f.over.keys)
		}
		f.over.keys[name] = key
		f.over.mu.Unlock()
		return key, nil
	}
	return key, &peer.Error{Code: peer.CodeSealed, Message: "the batch has no key that is wrapped for this node"}
}

// lags says since when the relay is behind: it shows less than it said it has, or partners whose logs come over it have not been heard for too long.
func (v *relayVisit) lags(ctx context.Context, bound []string, shown map[string]bool) (since time.Time, err error) {
	f := v.f
	now := f.cfg.Now()
	earliest := func(t time.Time) {
		if since.IsZero() || t.Before(since) {
			since = t
		}
	}
	f.over.mu.Lock()
	for place, c := range f.over.custody {
		if c.Nation != v.relay.Nation || c.Of == f.cfg.Nation {
			continue
		}
		size := uint64(0)
		if shown[place] {
			size = f.over.heads[place].Size
		}
		owes, waits := f.over.owes[place]
		switch {
		case waits && size >= owes.size:
			delete(f.over.owes, place)
		case !waits && size < c.Size:
			f.over.owes[place] = missing{c.Of, c.Size, now}
		case waits && now.Sub(owes.since) > late:
			earliest(owes.since)
		}
	}
	f.over.mu.Unlock()
	for _, nation := range bound {
		if f.meets(nation) {
			continue
		}
		logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: nation})
		if err != nil {
			return since, err
		}
		for _, g := range logs {
			if shown[v.relay.Nation+"/"+nation+"/"+g.Origin] && !g.Retired && now.Sub(g.Signed.Time) > stale {
				earliest(g.Signed.Time)
			}
		}
	}
	return since, nil
}

// message is what nodes leave for each other at a relay.
type message struct {
	Ack     peer.Ack `json:"ack,omitzero"`
	Custody [][]byte `json:"custody,omitempty"` // of logs of the sender that the recipient reads
}

const messagePurpose = "relay message"

// read takes the messages that wait.
func (v *relayVisit) read(ctx context.Context) error {
	f := v.f
	for {
		all, err := v.client.Mail(ctx, v.mail)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, m := range all {
			if m.ID <= v.mail {
				return &peer.Error{Code: peer.CodeForm, Message: "the relay's messages are not in order"}
			}
			if err := v.message(ctx, &m); err != nil {
				if !isRefusal(err) {
					return err
				}
				f.cfg.Log.Info("a message from a relay is not taken", "relay", v.relay.Nation, "from", m.From, "error", err)
			}
			v.mail = m.ID
		}
	}
}

// message opens one. What it says is signed by who says it: that it came over the relay proves nothing.
func (v *relayVisit) message(ctx context.Context, m *peer.Message) error {
	f := v.f
	refuse := func(why string) error { return &peer.Error{Code: peer.CodeSealed, Message: why} }
	p, ok := f.partner(m.From)
	if !ok || len(m.Body) > peer.MaxMessage {
		return refuse("it is of nobody who is known")
	}
	own, err := f.cfg.Seals.SealKeys(f.cfg.Now())
	if err != nil {
		return err
	}
	in, _, err := seal.Open(bytes.NewReader(m.Body), f.cfg.Realm, messagePurpose, func(id seal.KeyID) *seal.Private {
		if i := slices.IndexFunc(own, func(p *seal.Private) bool { return p.ID() == id }); i >= 0 {
			return own[i]
		}
		return nil
	})
	if err != nil {
		return refuse(err.Error())
	}
	b, err := io.ReadAll(io.LimitReader(in, peer.MaxMessage))
	if err != nil {
		return refuse(err.Error())
	}
	var said message
	if err := json.Unmarshal(b, &said, json.RejectUnknownMembers(true)); err != nil {
		return refuse("it is no message")
	}
	if err := f.custodies(ctx, said.Custody); err != nil {
		return err
	}
	who := "org:" + p.Nation + "/" + p.Org
	for i := range said.Ack.Logs {
		l := &said.Ack.Logs[i]
		g, err := f.cfg.Ledger.Log(ctx, l.Origin)
		if err != nil || !g.Own || !slices.Contains(g.Parties, who) {
			return refuse("it is about a log that its sender has no part in")
		}
		if err := (backend{f}).acked(ctx, p, &g, l); err != nil {
			return err
		}
	}
	return nil
}

// custodies takes what relays said to others that they have.
func (f *Federation) custodies(ctx context.Context, envelopes [][]byte) error {
	for _, e := range envelopes {
		for nation := range f.relaysOf() {
			p, ok := f.partner(nation)
			if !ok {
				continue
			}
			v := relayVisit{f: f, relay: p}
			opener := v.opener()
			c, by, err := opener.Custody(e)
			if err != nil || c.Nation != p.Nation || c.Org != p.Org || !v.speaks(by, c.Time) {
				continue
			}
			word := said{peer.Carried(c), e}
			f.over.mu.Lock()
			if old := f.over.custody[word.place()]; word.Size > old.Size && len(f.over.custody) < maxEpochs {
				f.over.custody[word.place()] = word
			}
			head := f.over.heads[word.place()]
			f.over.mu.Unlock()
			if err := f.accuseRelay(ctx, word, head); err != nil {
				return err
			}
		}
	}
	return nil
}

// custodyPrefix begins what stands for a relay's word among heads.
const custodyPrefix = "custody "

// receiptsFor is what relays said that they have of logs that a partner reads, to their originators or to others of their readers.
func (f *Federation) receiptsFor(ctx context.Context, p Partner, fresh func(peer.Head) bool) (out [][]byte, err error) {
	f.over.mu.Lock()
	words := slices.Collect(maps.Values(f.over.custody))
	f.over.mu.Unlock()
	party := "org:" + p.Nation + "/" + p.Org
	for _, c := range words {
		g, err := f.cfg.Ledger.Log(ctx, c.Origin)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		if err == nil && c.Of != p.Nation && (g.Own && c.Of == f.cfg.Nation || !g.Own && c.Of == g.Nation) && slices.Contains(g.Parties, party) && len(out) < f.cfg.Limits.Logs && fresh(peer.Head{Origin: custodyPrefix + c.place(), Size: c.Size, Root: c.Root}) {
			out = append(out, c.envelope)
		}
	}
	return out, nil
}

// answer leaves receipts for those whom this node does not meet.
func (v *relayVisit) answer(ctx context.Context) error {
	f := v.f
	for _, nation := range v.bound() {
		p, ok := f.partner(nation)
		if !ok || f.meets(nation) {
			continue
		}
		owed, err := f.cfg.Ledger.Outbox(ctx, nation, 50)
		if err != nil {
			return err
		}
		custody, err := f.receiptsFor(ctx, p, func(peer.Head) bool { return true })
		if err != nil {
			return err
		}
		now := f.cfg.Now()
		if len(owed) == 0 && (len(custody) == 0 || now.Sub(v.wrote[nation]).Abs() < late/2) {
			continue
		}
		to, err := v.readersKeys(ctx, nation)
		if err != nil || len(to) == 0 {
			return err
		}
		a, ids, err := f.ackOf(ctx, owed)
		if err != nil {
			return err
		}
		if err := v.send(ctx, nation, to, message{Ack: a, Custody: custody}); err != nil {
			return err
		}
		v.wrote[nation] = now
		if err := f.cfg.Ledger.Sent(ctx, ids...); err != nil {
			return err
		}
	}
	return nil
}

func (v *relayVisit) send(ctx context.Context, nation string, to []*seal.Statement, m message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := seal.Seal(&out, v.f.cfg.Realm, messagePurpose, to, v.f.cfg.Now())
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return v.client.Send(ctx, nation, out.Bytes())
}

// bareName is where is kept which leaves of an own log are to be replaced at relays.
func bareName(origin string) string { return "bare/" + origin }

// unbox has the boxes replaced in which relays keep what was purged here.
func (f *Federation) unbox(ctx context.Context, places []ledger.Place) error {
	if f.cfg.Seals == nil {
		return nil
	}
	by := map[string][]uint64{}
	for _, p := range places {
		if p.Leaf.Kind == peer.Put { // orders name nothing, and stay
			by[p.Origin] = append(by[p.Origin], p.Index)
		}
	}
	for origin, indexes := range by {
		for nation := range f.relaysOf() {
			name := bareName(nation + "/" + origin)
			var all []uint64
			b, err := f.cfg.Ledger.Cursor(ctx, name)
			if err == nil && len(b) > 0 {
				err = json.Unmarshal(b, &all)
			}
			if err != nil {
				return err
			}
			all = append(all, indexes...)
			slices.Sort(all)
			value, err := json.Marshal(slices.Compact(all))
			if err == nil {
				err = f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: name, Value: value})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// bare puts boxes without what was purged in the place of those that the relay has.
func (v *relayVisit) bare(ctx context.Context, g *ledger.Log) error {
	f := v.f
	name := bareName(v.relay.Nation + "/" + g.Origin)
	b, err := f.cfg.Ledger.Cursor(ctx, name)
	if err != nil || len(b) == 0 {
		return err
	}
	var all []uint64
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	to := map[string]*seal.Statement{}
	for _, party := range g.Parties {
		nation, _, _ := strings.Cut(strings.TrimPrefix(party, "org:"), "/")
		keys, err := v.readersKeys(ctx, nation)
		if err != nil {
			return err
		}
		for _, s := range keys {
			to[party+" "+s.ID().String()] = s
		}
	}
	var left []uint64
	for _, index := range all {
		one, err := f.cfg.Ledger.Frames(ctx, g.Origin, peer.Pull{From: index, Frames: 1})
		if err != nil {
			return err
		}
		if len(one.Frames) == 0 || !one.Frames[0].Gone() { // it is about to be purged
			left = append(left, index)
			continue
		}
		sealed, ids, err := v.sealed(one, to)
		if err != nil {
			return err
		}
		if _, err := v.carry(ctx, g.Parties, sealed, ids); err != nil {
			return err
		}
	}
	value := []byte{}
	if len(left) > 0 {
		if value, err = json.Marshal(left); err != nil {
			return err
		}
	}
	return f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: name, Value: value})
}
