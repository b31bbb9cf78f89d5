package federation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// Recover says how a node gets back, after it was restored from a backup, what it had given since.
type Recover struct {
	Wait    time.Duration // for how long nothing is given as long as a partner was not asked; 15 min
	Trusted bool          // what comes back is taken as it is; else a person looks at it first
}

const (
	recoverWait   = 15 * time.Minute
	recoveredName = "recovered/" // and a restore, and / and a nation that was asked, or nothing: all were, or were waited for
	docRecovery   = "recovery"   // what a partner had, by restore and nation
	maxRecovered  = 1 << 20      // leaves that a partner has and this node has not
)

// Recovery is what a partner had of this node's logs that its backup had not.
type Recovery struct {
	Nation    string    `json:"nation"`
	At        time.Time `json:"at"`
	Leaves    int       `json:"leaves"`    // that were lost
	Recovered int       `json:"recovered"` // records that were lost and are here again
	Present   int       `json:"present"`   // records that were here
	Ordered   int       `json:"ordered"`   // records that were taken back since the backup, and wait for a person
	Reduced   int       `json:"reduced"`   // copies with parts left out: what they were made of does not come back by them
	Lost      int       `json:"lost"`      // records and orders of which nobody can say any more what they were about
	Unproven  int       `json:"unproven"`  // what the partner says and this node did not sign
}

// awaiting finds out whether nothing may be given yet: the node was restored from a backup, and a partner that is bound with it was not asked what it has.
// What was taken back since the backup would be given again. What is to be taken back is, all the same.
func (f *Federation) awaiting(ctx context.Context) error {
	restored := f.cfg.Ledger.Restored()
	if restored == "" || f.whole {
		return nil
	}
	done, err := f.cfg.Ledger.Cursor(ctx, recoveredName+restored)
	if err != nil {
		return err
	}
	if done == nil {
		var waits []string
		bound := f.together(f.cfg.Nation)
		for _, p := range f.cfg.Partners.Partners() {
			if !slices.Contains(bound, p.Nation) {
				continue
			}
			asked, err := f.cfg.Ledger.Cursor(ctx, recoveredName+restored+"/"+p.Nation)
			if err != nil {
				return err
			}
			if asked == nil {
				waits = append(waits, p.Nation)
			}
		}
		if len(waits) > 0 {
			if f.cfg.Now().Sub(f.began) < f.cfg.Recover.Wait {
				f.asking.Store(true)
				return nil
			}
			f.cfg.Log.Warn("after the restore, partners could not be asked what they have; what was taken back since the backup may be given to them again", "partners", strings.Join(waits, " "))
		}
		if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: recoveredName + restored, Value: []byte("done")}); err != nil {
			return err
		}
	}
	f.whole = true
	f.asking.Store(false)
	return nil
}

// recover asks a partner, once after each restore, what it has of this node that the backup had not.
func (f *Federation) recover(ctx context.Context, c *peer.Client, p Partner) error {
	restored := f.cfg.Ledger.Restored()
	if restored == "" {
		return nil
	}
	name := recoveredName + restored + "/" + p.Nation
	if asked, err := f.cfg.Ledger.Cursor(ctx, name); err != nil || asked != nil {
		return err
	}
	items, err := f.cfg.Ledger.Items(ctx, ledger.Filter{Own: true, Party: label.Org(p.Nation, p.Org)}, "")
	if err != nil {
		return err
	}
	d, err := c.Differences(ctx, "", peer.NewSet(items), maxRecovered)
	if err != nil {
		if !isRefusal(err) {
			return err
		}
		f.cfg.Log.Warn("after the restore, a partner does not say what it has", "partner", p.Nation, "error", err)
		d = &peer.Comparison{}
	}
	r := recovery{f: f, Recovery: Recovery{Nation: p.Nation, At: f.stamp(), Leaves: len(d.Need)}, own: Partner{Nation: f.cfg.Nation, Org: f.cfg.Org, Keys: f.cfg.Partners.KeyLog().State()}}
	for need := d.Need; len(need) > 0; {
		want := need[:min(len(need), 200)]
		got, err := c.Reconcile(ctx, peer.Reconcile{Want: want})
		if err != nil {
			return err
		}
		told := map[peer.Item]bool{}
		if err := r.take(ctx, want, got.Held, told); err != nil {
			return err
		}
		rest := slices.DeleteFunc(slices.Clone(need), func(it peer.Item) bool { return told[it] })
		if len(rest) == len(need) { // it has them no more
			rest = need[len(want):]
			r.Unproven += len(want)
		}
		need = rest
	}
	value, err := json.Marshal(r.Recovery)
	if err != nil {
		return fault.New(fault.Internal, "", "a recovery cannot be written down").Because(err)
	}
	act := store.Act{Actor: "node", Verb: "recovered", Target: p.Nation,
		Detail: fmt.Sprintf("leaves=%d recovered=%d present=%d ordered=%d reduced=%d lost=%d unproven=%d", r.Leaves, r.Recovered, r.Present, r.Ordered, r.Reduced, r.Lost, r.Unproven)}
	if err := f.cfg.House.PutDocs(ctx, act, store.Doc{Kind: docRecovery, Key: restored + "/" + p.Nation, Value: value, Version: -1}); err != nil {
		return err
	}
	if err := f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: name, Value: value}); err != nil {
		return err
	}
	select {
	case f.recovered <- struct{}{}:
	default:
	}
	return nil
}

// recovery is what a partner tells, on its way in.
type recovery struct {
	Recovery
	f   *Federation
	own Partner // this node as its partners know it
}

// take looks at leaves that a partner has. What this node did not sign counts for nothing.
func (r *recovery) take(ctx context.Context, want []peer.Item, held []peer.Known, told map[peer.Item]bool) error {
	var puts []*peer.Rendition
	for i := range held {
		k := &held[i]
		leaf, err := peer.ParseLeaf(k.Leaf)
		if err != nil || told[peer.ItemOf(&leaf)] || !slices.Contains(want, peer.ItemOf(&leaf)) {
			continue
		}
		told[peer.ItemOf(&leaf)] = true
		proven := r.proven(k, &leaf)
		switch leaf.Kind {
		case peer.Put:
			o := r.put(k, &leaf, proven)
			if o != nil {
				puts = append(puts, o)
			}
		case peer.Retract, peer.Relabel, peer.Purge:
			if !proven {
				r.Unproven++
			} else if err := r.order(ctx, k, &leaf); err != nil {
				return err
			}
		}
	}
	return r.accept(ctx, puts)
}

// proven tells whether this node's own checkpoint says that the leaf stood there.
func (r *recovery) proven(k *peer.Known, leaf *peer.Leaf) bool {
	c, err := peer.PeekCheckpoint(k.Checkpoint)
	if err != nil {
		return false
	}
	c, err = peer.OpenCheckpoint(k.Checkpoint, k.Origin, r.f.nodeKeys(&r.own, c.Time)...)
	return err == nil && peer.Included(c, k.Index, leaf, k.Proof)
}

// put gives a lost record that this node's originator signed; nil: it is none.
func (r *recovery) put(k *peer.Known, leaf *peer.Leaf, proven bool) *peer.Rendition {
	if k.Envelope == nil {
		r.Lost++
		return nil
	}
	opener := peer.Opener{Realm: r.f.cfg.Realm, Limits: r.f.cfg.Limits, Keys: func(id string) *dsse.Key { k, _ := r.own.Keys.Find(id); return k.Key }}
	o, signers, err := opener.Rendition(k.Envelope)
	at := r.f.cfg.Now()
	if proven { // a key that is used no more may have signed it
		at = leaf.Time
	}
	signed := slices.ContainsFunc(signers, func(s *dsse.Key) bool {
		key, ok := r.own.Keys.Find(s.ID())
		return ok && key.Org == r.f.cfg.Org && r.own.Keys.Valid(s.ID(), keylog.RoleOriginate, at) == nil
	})
	switch {
	case err != nil || !signed || o.Nation != r.f.cfg.Nation || o.Org != r.f.cfg.Org:
		r.Unproven++
		return nil
	case string(o.Class) != rendition.Full.String():
		r.Reduced++
		return nil
	}
	return o
}

// order keeps from going out again what this node took back after the backup: a person says whether it is to be destroyed here too, or shared anew.
func (r *recovery) order(ctx context.Context, k *peer.Known, leaf *peer.Leaf) error {
	object := ""
	if g, err := r.f.cfg.Ledger.Log(ctx, k.Origin); err == nil && g.Own && leaf.Target > 0 {
		if object, err = r.f.cfg.Ledger.Object(ctx, k.Origin, leaf.Target-1); err != nil {
			return err
		}
	} else if ignoreMissing(err) != nil {
		return err
	}
	if !strings.Contains(object, "--") { // it was lost itself, or purged before
		r.Lost++
		return nil
	}
	why := store.Reason{Code: "restore.order", Message: "After the backup that the node was restored from, the order to " + leaf.Kind.String() + " it went to " + r.Nation + ", which showed it under the node's own signature. Release it to share it again, or purge it."}
	n, err := r.f.cfg.Door.Suspect(ctx, exchange.Order{Origin: r.f.self, ID: object, Actor: "node", Detail: "recovered from " + r.Nation}, why, func([]byte) bool { return true })
	r.Ordered += n
	return err
}

// unnamed suspects, once after each restore, what is here of an originator and stands in no leaf that this ledger knows, where the node was restored from a backup whose store was ahead of its
// ledger and the originator has taken something back since: its leaf comes without content, so that nobody can say any more which record it was.
func (f *Federation) unnamed(ctx context.Context, of gate.Party) error {
	restored := f.cfg.Ledger.Restored()
	if restored == "" {
		return nil
	}
	name := recoveredName + restored + "/" + of.Nation + "/unnamed"
	if looked, err := f.cfg.Ledger.Cursor(ctx, name); err != nil || looked != nil {
		return err
	}
	why := store.Reason{Code: "restore.unnamed", Message: "After the backup that the node was restored from, " + of.Nation + " took back or destroyed a record which no log here names any more. This one stands in no log that is known here: it may be that one. Refuse it, or ask " + of.Nation + " and release it."}
	for q := (store.Query{Nation: of.Nation, Versions: store.Versions{All: true}, Specs: specs}); ; {
		page, err := f.cfg.House.Page(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			r := &page.Items[i].Record
			if r.Envelope == nil || r.Origin.Nation != of.Nation || r.Origin.Org != of.Org {
				continue
			}
			held, err := f.cfg.Ledger.HeldOf(ctx, r.ID)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(held, func(h ledger.Held) bool { return h.Nation == of.Nation && h.Version == r.Version }) {
				continue
			}
			if _, err := f.cfg.Door.Suspect(ctx, exchange.Order{Origin: of, ID: r.ID, Version: r.Version, Actor: "node"}, why, func([]byte) bool { return true }); err != nil {
				return err
			}
		}
		if !page.More {
			return f.cfg.Ledger.SetCursor(ctx, ledger.Cursor{Name: name, Value: []byte("looked")})
		}
		q.After = page.Next
	}
}

// accept takes lost records in.
func (r *recovery) accept(ctx context.Context, puts []*peer.Rendition) error {
	if len(puts) == 0 {
		return nil
	}
	s := exchange.Submission{Via: "recovered:" + r.Nation}
	for _, o := range puts {
		s.Objects, s.Labels = append(s.Objects, o.Object), append(s.Labels, o.Label)
	}
	if !r.f.cfg.Recover.Trusted {
		s.Look = func(int, *record.Record) *store.Reason {
			return &store.Reason{Code: "restore.recovered", Message: "It was lost with what followed the backup. " + r.Nation + " had it, signed by this node's originator, under the label that it was given with: the label that it had here may have been wider."}
		}
	}
	viewer := gate.Viewer{Nation: r.f.cfg.Nation, Org: r.f.cfg.Org, Person: "node", Roles: []string{gate.RolePublisher}, Realm: r.f.cfg.Realm}
	outcomes, err := r.f.cfg.Door.Accept(ctx, viewer, s)
	if err != nil {
		return fmt.Errorf("taking back what %s has: %w", r.Nation, err)
	}
	for _, o := range outcomes {
		switch o.State {
		case exchange.Added, exchange.Held:
			r.Recovered++
		default:
			r.Present++
		}
	}
	return nil
}

// compared is a set with what it was made of.
type compared struct {
	key string
	set *peer.Set
}

// Reconcile implements peer.Backend.
func (b backend) Reconcile(ctx context.Context, q peer.Reconcile) (out peer.Reconciled, err error) {
	c, who, err := b.party(ctx)
	if err != nil {
		return out, err
	}
	b.comparing.Lock() // a comparison reads whole logs
	defer b.comparing.Unlock()
	if len(q.Want) > 0 {
		out.Held, err = b.known(ctx, c.Nation, q.Want)
		return out, inWireOrNil(err)
	}
	f := ledger.Filter{Nation: c.Nation}
	if q.Origin != "" {
		g, err := b.cfg.Ledger.Log(ctx, q.Origin)
		if err != nil || g.Own && !slices.Contains(g.Parties, who) || !g.Own && g.Nation != c.Nation {
			return out, inWire(err)
		}
		f = ledger.Filter{Own: g.Own, Nation: g.Nation}
	}
	set, err := b.set(ctx, f, q.Origin)
	if err != nil {
		return out, inWire(err)
	}
	out.Compare, err = set.Answer(q.Compare, peer.CompareBytes)
	return out, err
}

// set is the leaves of logs. The caller holds comparing.
func (f *Federation) set(ctx context.Context, filter ledger.Filter, origin string) (*peer.Set, error) {
	logs, err := f.cfg.Ledger.Logs(ctx, filter)
	if err != nil {
		return nil, err
	}
	key := filter.Nation + " " + origin
	for _, g := range logs {
		if origin == "" || g.Origin == origin {
			key += fmt.Sprintf(" %s:%d", g.Origin, g.Size)
		}
	}
	if f.compared != nil && f.compared.key == key {
		return f.compared.set, nil
	}
	items, err := f.cfg.Ledger.Items(ctx, filter, origin)
	if err != nil {
		return nil, err
	}
	f.compared = &compared{key, peer.NewSet(items)}
	return f.compared.set, nil
}

// known are leaves of a nation's own logs as they are here, as many as an answer holds.
func (f *Federation) known(ctx context.Context, nation string, want []peer.Item) ([]peer.Known, error) {
	held, err := f.cfg.Ledger.HeldItems(ctx, nation, want, len(want))
	if err != nil {
		return nil, err
	}
	out := []peer.Known{}
	room := f.cfg.Limits.Body / 2 // base64 and the rest take a third
	for i := range held {
		h := &held[i]
		k := peer.Known{Origin: h.Origin, Index: h.Index, Leaf: h.Leaf.Append(nil), Did: h.Did, Checkpoint: h.Note, Proof: h.Proof}
		if h.Leaf.Kind == peer.Put && h.Object != "" && isHere(h.Did) {
			if k.Envelope, err = f.envelope(ctx, &h.Held); err != nil {
				return nil, err
			}
		}
		if room -= int64(len(k.Leaf) + len(k.Checkpoint) + len(k.Envelope) + 64*len(k.Proof) + 200); room < 0 && len(out) > 0 {
			break
		}
		out = append(out, k)
	}
	return out, nil
}

// envelope is what the record that a leaf brought came in; nil: it is here no more.
func (f *Federation) envelope(ctx context.Context, h *ledger.Held) ([]byte, error) {
	page, err := f.cfg.House.Page(ctx, store.Query{IDs: []string{h.Object}, Nation: h.Nation, Versions: store.Versions{All: true}, Specs: specs, Held: true})
	for i := range page.Items {
		if r := &page.Items[i].Record; err == nil && (h.Version == "" || r.Version == h.Version) {
			return r.Envelope, nil
		}
	}
	return nil, err
}
