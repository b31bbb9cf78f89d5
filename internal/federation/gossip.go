package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"entente/accord"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/keylog"
	"entente/peer"
	"entente/proof"
)

// together are the nations that are bound with a party by one accord or another, this node's own and the party's among them.
func (f *Federation) together(nation string) []string {
	var out []string
	for _, s := range f.cfg.Accords.Standings() {
		var all []string
		for _, t := range s.Versions {
			for _, p := range t.Parties {
				all = append(all, p.Nation)
			}
			for _, p := range f.cfg.Partners.Partners() { // a relay is held to its word by those who use it
				if slices.ContainsFunc(t.Relays, func(r accord.Relay) bool { return r.Name == p.Org }) {
					all = append(all, p.Nation)
				}
			}
		}
		if slices.Contains(all, nation) {
			out = append(out, all...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// seen is what this node has seen of logs that the partner has part in, as far as fresh says that the partner does not know it yet.
func (f *Federation) seen(ctx context.Context, p Partner, fresh func(head peer.Head) bool) (h peer.Heads, err error) {
	bound := f.together(p.Nation)
	for _, other := range f.cfg.Partners.Partners() {
		if other.Nation == p.Nation || !slices.Contains(bound, other.Nation) {
			continue
		}
		head := peer.Head{Origin: peer.KeyLogPrefix + other.Nation, Size: uint64(other.Keys.Head.Size), Root: other.Keys.Head.Hash}
		if fresh(head) {
			h.KeyLogs = append(h.KeyLogs, head)
		}
	}
	if h.Custody, err = f.receiptsFor(ctx, p, fresh); err != nil {
		return h, err
	}
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Party: "org:" + p.Nation + "/" + p.Org})
	for _, g := range logs {
		if g.Nation == p.Nation || g.Own || g.Retired || g.Note == nil || len(h.Logs) >= f.cfg.Limits.Logs {
			continue
		}
		if head := (peer.Head{Origin: g.Origin, Size: g.Signed.Size, Root: g.Signed.Root}); fresh(head) {
			h.Logs = append(h.Logs, g.Note)
		}
		// Beside it, and not instead of it: where the two contradict each other, only who was shown the larger can prove it by the smaller.
		if m, more := f.lacks(g.Origin); more && m.size > g.Signed.Size && len(h.Logs) < f.cfg.Limits.Logs && fresh(peer.Head{Origin: g.Origin + beyond, Size: m.size, Root: m.root}) {
			h.Logs = append(h.Logs, m.note)
		}
	}
	h.Witnessed = f.passed(p.Nation)
	return h, err
}

// beyond marks, in what was told, what others have more of a log; no origin has a space.
const beyond = " beyond"

// headOf is a head as it is remembered: a checkpoint that only says the time anew is no news.
func headOf(h peer.Head) string { return fmt.Sprintf("%d %x", h.Size, h.Root[:8]) }

// Compare exchanges heads with every partner that can be reached now.
func (f *Federation) Compare(ctx context.Context) (err error) {
	for _, p := range f.cfg.Partners.Partners() {
		if p.Address != "" {
			url, doer := f.cfg.Dial(p)
			err = errors.Join(err, f.compare(ctx, &peer.Client{URL: url, Doer: doer, Limits: f.cfg.Limits}, p, map[string]string{}))
		}
	}
	return err
}

// compare tells a partner what is new here of others' logs, and looks whether somebody showed the two of them different things. Told is what the partner knows,
// by origin.
func (f *Federation) compare(ctx context.Context, c *peer.Client, p Partner, told map[string]string) error {
	news := map[string]string{}
	mine, err := f.seen(ctx, p, func(h peer.Head) bool {
		news[h.Origin] = headOf(h)
		return told[h.Origin] != news[h.Origin]
	})
	if err != nil || len(mine.KeyLogs)+len(mine.Logs)+len(mine.Custody)+len(mine.Witnessed) == 0 {
		return err
	}
	theirs, err := c.Heads(ctx, mine)
	if err != nil {
		return err
	}
	maps.Copy(told, news)
	for _, k := range theirs.KeyLogs {
		if err := f.compareKeys(ctx, c, strings.TrimPrefix(k.Origin, peer.KeyLogPrefix), k); err != nil {
			return err
		}
	}
	if err := f.custodies(ctx, theirs.Custody); err != nil {
		return err
	}
	return errors.Join(f.compareLogs(ctx, theirs.Logs), f.attested(ctx, theirs.Witnessed))
}

// compareKeys takes from a partner what it has of a third nation's key log: what the nation's root signed counts, whoever shows it.
func (f *Federation) compareKeys(ctx context.Context, c *peer.Client, nation string, theirs peer.Head) error {
	i := slices.IndexFunc(f.cfg.Partners.Partners(), func(o Partner) bool { return o.Nation == nation })
	if i < 0 {
		return nil
	}
	mine := f.cfg.Partners.Partners()[i].Keys.Head
	switch {
	case theirs.Size < uint64(mine.Size), theirs.Size == uint64(mine.Size) && theirs.Root == mine.Hash:
		return nil
	case theirs.Size > uint64(mine.Size):
		if err := f.learnFrom(ctx, c, nation, uint64(mine.Size)); fault.As(err).MachineCode() != "keylog.order" {
			return err
		}
	}
	return f.learnFrom(ctx, c, nation, 0) // they went separate ways before: all of it, for the proof
}

// learnFrom takes statements of a nation's key log, from an index on, from whoever shows them.
func (f *Federation) learnFrom(ctx context.Context, c *peer.Client, nation string, from uint64) error {
	for {
		k, err := c.KeyLog(ctx, nation, from)
		if err != nil || len(k.Statements) == 0 {
			return err
		}
		if err := f.cfg.Partners.Learn(ctx, nation, int64(from), k.Statements); err != nil {
			return err
		}
		from += uint64(len(k.Statements))
		if !k.More {
			return nil
		}
	}
}

// compareLogs looks whether checkpoints that somebody else was shown agree with what came here.
func (f *Federation) compareLogs(ctx context.Context, notes [][]byte) error {
	for _, n := range notes {
		if err := f.compareLog(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (f *Federation) compareLog(ctx context.Context, note []byte) error {
	c, err := peer.PeekCheckpoint(note)
	if err != nil || !peer.IsOrigin(c.Origin) {
		return nil // it proves nothing
	}
	if f.familiar(&c) {
		return nil
	}
	g, err := f.cfg.Ledger.Log(ctx, c.Origin)
	if fault.Of(err) == fault.NotFound {
		f.unshown(note, &c)
		return nil
	}
	if err != nil || g.Own || g.Note == nil {
		return err
	}
	if f.agrees(&c, &g) {
		f.behind(c, &g, note)
		return nil
	}
	p, ok := f.partner(g.Nation)
	if !ok {
		return nil
	}
	keys := f.nodeKeys(&p, c.Time)
	if _, err := peer.OpenCheckpoint(note, c.Origin, keys...); err != nil {
		return nil // not signed by whose log it is: whoever shows it lies, or an old key signed it
	}
	f.behind(c, &g, note)
	var e *peer.Equivocation
	switch {
	case c.Size == g.Signed.Size:
		e = &peer.Equivocation{First: g.Note, Second: note}
	case c.Size > 0 && c.Size < g.Signed.Size && g.Signed.Size == g.Size: // what is here reaches as far as what is signed
		root, proof, err := f.cfg.Ledger.Past(ctx, c.Origin, c.Size)
		if err != nil || root == c.Root {
			return err
		}
		e = &peer.Equivocation{First: note, Second: g.Note, Prefix: root, Proof: proof}
	default:
		return nil
	}
	return f.caught(ctx, p, e)
}

// agrees tells whether a checkpoint says of a log what one said that was verified here: then nothing can be learned from it, whoever signed it.
func (f *Federation) agrees(c *peer.Checkpoint, g *ledger.Log) bool {
	if c.Size == g.Signed.Size && c.Root == g.Signed.Root {
		return true
	}
	root, ok := f.marked(c.Origin, c.Size)
	return ok && root == c.Root
}

// familiar tells, without asking the ledger, whether a checkpoint says what one said that was verified here, and nothing of the log is missed.
func (f *Federation) familiar(c *peer.Checkpoint) bool {
	f.mu.Lock()
	_, misses := f.missing[c.Origin]
	f.mu.Unlock()
	root, ok := f.marked(c.Origin, c.Size)
	return ok && !misses && root == c.Root
}

// pasts is how many checkpoints of each log are remembered, so that what others were shown is compared without reading the log.
const pasts = 64

// mark remembers a checkpoint that was verified.
func (f *Federation) mark(c peer.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.marks[c.Origin]
	if n := len(all); n > 0 && all[n-1].Size == c.Size {
		return
	}
	if all = append(all, c); len(all) > pasts {
		all = slices.Clone(all[len(all)-pasts/2:])
	}
	f.marks[c.Origin] = all
}

// freshen has what came of a log compared with those of its recipients that are met.
func (f *Federation) freshen(parties []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nation, l := range f.links {
		if slices.Contains(parties, "org:"+nation+"/"+l.health.Org) {
			l.fresh = true
			l.nudge()
		}
	}
}

func (f *Federation) marked(origin string, size uint64) (root tlog.Hash, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.marks[origin] {
		if c.Size == size {
			return c.Root, true
		}
	}
	return root, false
}

func ignoreMissing(err error) error {
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	return err
}

// nodeKeys are the keys that may sign checkpoints of a partner's logs at a time.
func (f *Federation) nodeKeys(p *Partner, at time.Time) (out []*dsse.Key) {
	for _, k := range p.Keys.Keys(p.Org, keylog.RoleNode, at.Add(time.Second-1)) { // a checkpoint tells whole seconds
		out = append(out, k.Key)
	}
	return out
}

// caught keeps the proof that a partner signed two pasts of a log, and tells those who are bound with it.
func (f *Federation) caught(ctx context.Context, p Partner, e *peer.Equivocation) error {
	if c, err := peer.PeekCheckpoint(e.First); err == nil && f.knows(proof.Matter{Kind: proof.LogFork, Nation: p.Nation, About: c.Origin}) {
		return nil
	}
	l, err := f.cfg.Partners.Log(p.Nation)
	if err != nil {
		return err
	}
	made, err := proof.OfLog(l, e)
	if err != nil {
		return err
	}
	return f.accuse(ctx, made)
}

// docProof is the kind of the documents of proofs; their key is Accusation.ID.
const docProof = "proof"

// Bounds of the proofs that are kept: of all, and of those against one nation that are not settled.
const (
	maxProofs  = 1000
	maxAgainst = 20
)

// against counts the proofs against a nation that are not settled.
func against(all []accusationDoc, nation string) (n int) {
	for i := range all {
		if all[i].Found.Nation == nation && all[i].Settled == "" {
			n++
		}
	}
	return n
}

// Accusation is a proof as it is kept.
type Accusation struct {
	ID      string        `json:"id"`
	Found   proof.Finding `json:"found"`
	At      time.Time     `json:"at"`
	From    string        `json:"from"`              // the nation that showed it; this node's own: it was found here
	Settled string        `json:"settled,omitempty"` // by whom
	Reason  string        `json:"reason,omitempty"`  // why it does not weigh any more
	Gone    bool          `json:"gone,omitempty"`    // the object was purged or has expired, and the file with it
	File    []byte        `json:"-"`
}

type accusationDoc struct {
	Accusation
	About   string    `json:"about,omitempty"` // of its proof.Matter
	File    []byte    `json:"file,omitempty"`
	Until   time.Time `json:"until,omitzero"` // until when the file may be kept, by the labels of what it holds; zero: always
	Version int64     `json:"-"`              // of the document
}

// weighs tells whether nothing is taken from the accused. One that contradicts itself about one object is taken from: that object is in quarantine.
func (a *Accusation) weighs() bool { return a.Settled == "" && a.Found.Kind != proof.Conflict }

func decodeProof(d store.Doc) (a accusationDoc, err error) {
	if err := json.Unmarshal(d.Value, &a); err != nil {
		return a, fault.New(fault.Internal, "proof.damaged", "the stored proof %s cannot be read", d.Key).Because(err)
	}
	a.Version = d.Version
	return a, nil
}

// accuse keeps a proof that was found here or shown by a partner, once, and tells the others. Nothing more is taken from the accused until a person has settled it.
func (f *Federation) accuse(ctx context.Context, p *proof.Proof) error {
	b, err := p.Bytes()
	if err != nil {
		return err
	}
	return f.accused(ctx, f.cfg.Nation, b, time.Time{})
}

// logOf is what is known of a nation's key log, the own one too.
func (f *Federation) logOf(nation string) (*keylog.Log, error) {
	if nation == f.cfg.Nation {
		return f.cfg.Partners.KeyLog(), nil
	}
	return f.cfg.Partners.Log(nation)
}

// knows tells whether a proof of the same is kept that is not settled: what shows it once more is not even verified.
func (f *Federation) knows(m proof.Matter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.proved, func(a accusationDoc) bool {
		return a.Settled == "" && a.Found.Kind == m.Kind && a.Found.Nation == m.Nation && a.About == m.About
	})
}

// accused keeps a proof that a nation showed, which may be kept until a time; zero: always.
func (f *Federation) accused(ctx context.Context, from string, file []byte, until time.Time) error {
	parsed, err := proof.Parse(file)
	if err != nil {
		return fault.New(fault.Invalid, "proof.invalid", "%v", err)
	}
	matter, one := parsed.Matter()
	f.verifying.Lock() // partners tell of the same at the same time
	defer f.verifying.Unlock()
	if one && f.knows(matter) {
		return nil
	}
	found, err := proof.Verify(file)
	if err != nil {
		return fault.New(fault.Invalid, "proof.invalid", "%v", err)
	}
	l, err := f.logOf(found.Nation)
	// A conflict holds objects: only their originator is shown it.
	if err != nil || found.Realm != f.cfg.Realm || l.Fingerprint() != found.Fingerprint || found.Kind == proof.Conflict && from != f.cfg.Nation && found.Nation != f.cfg.Nation {
		return fault.New(fault.NotFound, "proof.unknown", "the proof is about a nation that this node does not know")
	}
	a := accusationDoc{Accusation: Accusation{ID: proofID(&found), Found: found, At: f.stamp(), From: from}, About: matter.About, File: file, Until: until}
	f.judging.Lock()
	defer f.judging.Unlock()
	known, err := f.proofs(ctx)
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(known, func(k accusationDoc) bool { return k.ID == a.ID }):
		return nil
	case against(known, found.Nation) >= maxAgainst:
		f.cfg.Log.Warn("one more proof against a nation is not kept: there are enough", "partner", found.Nation, "proofs", maxAgainst)
		return nil
	case len(known) >= maxProofs:
		return fault.New(fault.Full, "proof.full", "this node keeps %d proofs, and no more", maxProofs)
	}
	if found.Kind == proof.KeyLogFork && found.Nation != f.cfg.Nation {
		if err := f.cfg.Partners.Fork(ctx, parsed.Evidence); err != nil {
			return err
		}
	}
	act := store.Act{Actor: "node", Verb: "proof.found", Target: a.ID, Detail: "nation=" + found.Nation + " kind=" + string(found.Kind) + " from=" + from}
	if err := f.putProof(ctx, act, &a); err != nil {
		return err
	}
	f.cfg.Log.Warn("a nation signed what contradicts itself", "partner", found.Nation, "proof", a.ID, "kind", string(found.Kind), "cut off", a.weighs() && found.Nation != f.cfg.Nation)
	f.nudgeAll()
	return nil
}

// proofID names what a proof shows: two proofs of the same two signatures are one.
func proofID(f *proof.Finding) string {
	h := sha256.New()
	for _, s := range append([]string{string(f.Kind), f.Realm, f.Nation, f.Org, f.Text}, f.Keys...) {
		h.Write([]byte(s + "\x00"))
	}
	for _, t := range f.Times {
		h.Write([]byte(t.UTC().Format(time.RFC3339) + "\x00"))
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:10]))
}

// weighProofs says of which nations nothing is taken. The caller holds mu, or is alone.
func (f *Federation) weighProofs(all []accusationDoc) {
	bad := map[string]string{}
	for _, a := range all {
		if a.weighs() && a.Found.Nation != f.cfg.Nation {
			bad[a.Found.Nation] = a.ID
		}
	}
	f.guilty = bad
	for nation, l := range f.links {
		l.health.Proof = bad[nation]
	}
}

// trusted tells whether anything is taken from a nation.
func (f *Federation) trusted(nation string) error {
	f.mu.Lock()
	id := f.guilty[nation]
	f.mu.Unlock()
	if id == "" {
		return nil
	}
	return &peer.Error{Code: peer.CodeFork, Message: "nothing is taken from " + nation + " until the proof " + id + " is settled"}
}

func (f *Federation) nudgeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.links {
		l.nudge()
	}
}

// behind remembers that somebody was shown more of a log than came here.
func (f *Federation) behind(c peer.Checkpoint, g *ledger.Log, note []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch b, ok := f.missing[c.Origin]; {
	case c.Size <= g.Size && b.size <= g.Size:
		delete(f.missing, c.Origin)
	case !ok && len(f.missing) < maxMissing:
		f.missing[c.Origin] = unread{missing{g.Nation, c.Size, f.cfg.Now()}, c.Root, note}
	case !ok:
	case c.Size > b.size:
		b.size, b.root, b.note = c.Size, c.Root, note
		f.missing[c.Origin] = b
	}
}

// unshown remembers that somebody was shown a log of a partner of which nothing came here: who shows it says that this nation has part in it.
func (f *Federation) unshown(note []byte, c *peer.Checkpoint) {
	f.mu.Lock()
	known := f.missing[c.Origin].size >= c.Size
	f.mu.Unlock()
	if known {
		return
	}
	for _, p := range f.cfg.Partners.Partners() {
		if _, err := peer.OpenCheckpoint(note, c.Origin, f.nodeKeys(&p, c.Time)...); err == nil {
			f.behind(*c, &ledger.Log{Nation: p.Nation}, note)
			return
		}
	}
}

// caughtUp forgets that others were shown more of a log than came here, once it came.
func (f *Federation) caughtUp(origin string, size uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.missing[origin]; ok && b.size <= size {
		delete(f.missing, origin)
	}
}

// lacks is what somebody else was shown of a log and did not come here, if there is something.
func (f *Federation) lacks(origin string) (unread, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.missing[origin]
	return m, ok
}

// maxMissing bounds the logs of which others were shown more.
const maxMissing = 4096

// missing is what somebody else was shown of a log.
type missing struct {
	nation string
	size   uint64
	since  time.Time
}

// unread is a checkpoint beyond what came here of a log: others are told of it too.
type unread struct {
	missing
	root tlog.Hash
	note []byte
}

// behindOf is since when others have more of a nation's logs, once it is longer than it may take.
func (f *Federation) behindOf(nation string) (since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.missing {
		if m.nation == nation && f.cfg.Now().Sub(m.since) > late && (since.IsZero() || m.since.Before(since)) {
			since = m.since
		}
	}
	return since
}

// late is how long it may take until what others have seen of a log comes here too.
const late = time.Minute

// Proofs lists what was proved, the latest first.
func (f *Federation) Proofs(ctx context.Context) ([]Accusation, error) {
	all, err := f.readProofs(ctx)
	out := make([]Accusation, len(all))
	for i, a := range all {
		out[i] = a.Accusation
		out[i].File = a.File
	}
	slices.SortFunc(out, func(a, b Accusation) int { return b.At.Compare(a.At) })
	return out, err
}

// Proof gives one of them.
func (f *Federation) Proof(ctx context.Context, id string) (Accusation, error) {
	a, err := f.proof(ctx, id)
	a.Accusation.File = a.File
	return a.Accusation, err
}

func (f *Federation) proof(ctx context.Context, id string) (accusationDoc, error) {
	d, err := f.cfg.House.Doc(ctx, docProof, id)
	if err != nil {
		if fault.Of(err) == fault.NotFound {
			err = fault.New(fault.NotFound, "proof.none", "there is no proof %q", id).Try("entente proof list names those that are kept")
		}
		return accusationDoc{}, err
	}
	return decodeProof(d)
}

// SettleProof says that a proof does not weigh any more: the nation has explained itself, and what it gives is taken again.
func (f *Federation) SettleProof(ctx context.Context, id, who, reason string) error {
	f.judging.Lock()
	defer f.judging.Unlock()
	a, err := f.proof(ctx, id)
	if err != nil {
		return err
	}
	if a.Settled != "" {
		return fault.New(fault.Conflict, "proof.settled", "the proof was settled by %s", a.Settled)
	}
	if a.Found.Kind == proof.KeyLogFork {
		return fault.New(fault.Conflict, "proof.keylog", "two key logs are not settled by word").Try("remove the nation and add it anew by a first contact: entente peer remove " + a.Found.Nation)
	}
	a.Settled, a.Reason = who, reason
	if err := f.putProof(ctx, store.Act{Actor: who, Verb: "proof.settle", Target: id, Detail: "nation=" + a.Found.Nation + " " + reason}, &a); err != nil {
		return err
	}
	f.nudgeAll()
	return nil
}

// proofs are those that are kept, without their files: they are asked for at every meeting, and for every object that goes. The list is the caller's.
func (f *Federation) proofs(ctx context.Context) ([]accusationDoc, error) {
	f.mu.Lock()
	kept, read := slices.Clone(f.proved), f.proved != nil
	f.mu.Unlock()
	if read {
		return kept, nil
	}
	kept, err := f.readProofs(ctx)
	if err != nil {
		return nil, err
	}
	for i := range kept {
		kept[i].File = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.proved == nil {
		f.proved = append([]accusationDoc{}, kept...)
	}
	return slices.Clone(f.proved), nil
}

func (f *Federation) readProofs(ctx context.Context) (out []accusationDoc, err error) {
	docs, err := f.cfg.House.Docs(ctx, docProof, "", maxProofs)
	for _, d := range docs {
		a, e := decodeProof(d)
		if e != nil {
			return nil, e
		}
		out = append(out, a)
	}
	return out, err
}

// tellProofs shows a partner the proofs about those who are bound with it.
func (f *Federation) tellProofs(ctx context.Context, c *peer.Client, p Partner, l *link) error {
	all, err := f.proofs(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	bound := f.together(p.Nation)
	for _, a := range all {
		if !f.concerns(&a, p.Nation, bound) || l.has(f, a.ID) {
			continue
		}
		if a, err = f.proof(ctx, a.ID); err != nil {
			return err
		}
		if err := c.Offer(ctx, peer.OfferProof, a.File); err != nil && !isRefusal(err) {
			return err
		}
		l.note(f, a.ID)
	}
	return nil
}

// concerns tells whether a nation that is bound with others is to be shown a proof.
func (f *Federation) concerns(a *accusationDoc, nation string, bound []string) bool {
	conflict := a.Found.Kind == proof.Conflict // the originator's own objects, for nobody else
	return (a.Found.Nation == nation) == conflict && a.From != nation && !a.Gone && slices.Contains(bound, a.Found.Nation)
}

// caughtLive is a contradiction that showed while a partner's own batch was read.
func (f *Federation) caughtLive(ctx context.Context, nation string, err error) error {
	var e *peer.Equivocation
	if !errors.As(err, &e) {
		return err
	}
	if p, ok := f.partner(nation); ok {
		if kept := f.caught(ctx, p, e); kept != nil {
			return errors.Join(err, kept)
		}
	}
	return err
}

// Heads implements peer.Backend. What the caller has seen in another way than this node is answered by what is here: the caller may find the lie in it.
func (b backend) Heads(ctx context.Context, h peer.Heads) (peer.Heads, error) {
	c, _, err := b.party(ctx)
	if err != nil {
		return peer.Heads{}, err
	}
	p, ok := b.partner(c.Nation)
	if !ok {
		return peer.Heads{}, errNone
	}
	if err := errors.Join(b.compareLogs(ctx, h.Logs), b.attested(ctx, h.Witnessed)); err != nil {
		return peer.Heads{}, inWire(err)
	}
	if err := b.custodies(ctx, h.Custody); err != nil {
		return peer.Heads{}, inWire(err)
	}
	theirs := map[string]string{}
	for _, k := range h.KeyLogs {
		theirs[k.Origin] = headOf(k)
	}
	for _, n := range h.Logs {
		if c, err := peer.PeekCheckpoint(n); err == nil {
			theirs[c.Origin] = headOf(peer.Head{Size: c.Size, Root: c.Root})
		}
	}
	out, err := b.seen(ctx, p, func(h peer.Head) bool {
		seen, asked := theirs[strings.TrimSuffix(h.Origin, beyond)]
		return asked && seen != headOf(h) || strings.HasPrefix(h.Origin, custodyPrefix)
	})
	return out, inWireOrNil(err)
}
