package federation

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/bundle"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/keylog"
	"entente/peer"
)

// Where a bundle begins.
const (
	SinceAcknowledged = "acknowledged" // where the last one ended of which it is known that it arrived
	SinceMade         = "made"         // where the last one ended that was made
	SinceNothing      = "nothing"      // at the beginning of everything
)

// BundleRequest asks for a bundle.
type BundleRequest struct {
	Nation string `json:"nation"`
	Since  string `json:"since,omitempty"`   // acknowledged, made or nothing; empty: acknowledged
	DryRun bool   `json:"dry_run,omitempty"` // only say what it would hold
}

// Bundle is one that was made, or would be.
type Bundle struct {
	Nation       string    `json:"nation"`
	Org          string    `json:"org"`
	Number       uint64    `json:"number"`
	Since        string    `json:"since"`
	Made         time.Time `json:"made"`
	By           string    `json:"by,omitempty"`
	Bytes        int64     `json:"bytes,omitempty"` // of the file; 0: it was not written
	Logs         int       `json:"logs"`
	Leaves       uint64    `json:"leaves"`
	Statements   uint64    `json:"statements"` // of key logs
	Accords      int       `json:"accords"`
	Receipts     int       `json:"receipts"`
	Acknowledged bool      `json:"acknowledged,omitempty"`
	Here         bool      `json:"here,omitempty"` // the file can still be fetched
}

// Kinds of documents: of what was made for a nation, and of each bundle that is remembered, whose key is the nation and the number.
const (
	docSender = "bundle.sender"
	docSent   = "bundle.sent"
)

// Bounds of what is remembered and of what one bundle takes along.
const (
	maxSent     = 64  // bundles that were made and not acknowledged
	maxReceipts = 500 // in one bundle
	batchBytes  = 2 << 20
	partBytes   = 2 << 20 // of key statements, receipts and proofs, before they are written as JSON
)

type senderDoc struct {
	Number  uint64      `json:"number"` // of the last
	Digest  peer.Digest `json:"digest"`
	Acked   uint64      `json:"acked,omitzero"`
	Version int64       `json:"-"`
}

// sentDoc is a bundle, and how far the receiver is once it has it.
type sentDoc struct {
	Bundle
	Digest  peer.Digest       `json:"digest"`
	KeyLogs map[string]uint64 `json:"keylogs"` // sizes, by nation
	Ends    map[string]uint64 `json:"ends"`    // of logs, by origin
	Told    []string          `json:"told"`    // accords, notices and proofs
	Whole   []string          `json:"whole"`   // digests of accords with all signatures
	Owed    []int64           `json:"owed"`    // receipts
	Version int64             `json:"-"`
}

func sentKey(nation string, number uint64) string { return fmt.Sprintf("%s/%020d", nation, number) }

// docOf reads a document into v; a missing one leaves it as it is.
func (f *Federation) docOf(ctx context.Context, kind, key string, v any) (version int64, err error) {
	d, err := f.cfg.House.Doc(ctx, kind, key)
	if err != nil {
		return 0, ignoreMissing(err)
	}
	if err := json.Unmarshal(d.Value, v); err != nil {
		return 0, fault.New(fault.Internal, "bundle.damaged", "what is remembered of bundles (%s, %s) cannot be read", kind, key).Because(err)
	}
	return d.Version, nil
}

func (f *Federation) sender(ctx context.Context, nation string) (s senderDoc, err error) {
	s.Version, err = f.docOf(ctx, docSender, nation, &s)
	return s, err
}

// sentTo are the bundles to a nation that are remembered, by number.
func (f *Federation) sentTo(ctx context.Context, nation string) (out []sentDoc, err error) {
	for after := nation + "/"; ; {
		docs, err := f.cfg.House.Docs(ctx, docSent, after, maxSent)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if !strings.HasPrefix(d.Key, nation+"/") {
				return out, nil
			}
			s := sentDoc{Version: d.Version}
			if err := json.Unmarshal(d.Value, &s); err != nil {
				return nil, fault.New(fault.Internal, "bundle.damaged", "what is remembered of bundle %s cannot be read", d.Key).Because(err)
			}
			out = append(out, s)
			after = d.Key
		}
		if len(docs) < maxSent {
			return out, nil
		}
	}
}

// passing holds a gate that lets one at a time through.
func passing(ctx context.Context, gate chan struct{}) (release func(), err error) {
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *Federation) carries() error {
	if f.cfg.Bundles == "" {
		return fault.New(fault.Unsupported, "bundle.none", "this node makes and takes no bundles")
	}
	return nil
}

// MakeBundle writes all that a nation may have, and is not known to have, into a sealed file, which OpenBundle gives. With DryRun it only says what that is.
func (f *Federation) MakeBundle(ctx context.Context, by string, q BundleRequest) (Bundle, error) {
	if err := f.carries(); err != nil {
		return Bundle{}, err
	}
	p, ok := f.partner(q.Nation)
	if !ok {
		return Bundle{}, fault.New(fault.NotFound, "peer.unknown", "the nation %.16q is not known here", q.Nation).Try("first take its card: entente peer add FILE")
	}
	release, err := passing(ctx, f.packing)
	if err != nil {
		return Bundle{}, err
	}
	defer release()
	if err := f.Settle(ctx); err != nil {
		return Bundle{}, err
	}
	s, err := f.sender(ctx, p.Nation)
	if err != nil {
		return Bundle{}, err
	}
	all, err := f.sentTo(ctx, p.Nation)
	if err != nil {
		return Bundle{}, err
	}
	base, err := since(q.Since, &s, all)
	if err != nil {
		return Bundle{}, err
	}
	c, err := f.load(ctx, p, base)
	if err != nil {
		return Bundle{}, err
	}
	c.manifest.Number, c.manifest.Previous = s.Number+1, s.Digest
	c.sent.Bundle = Bundle{Nation: p.Nation, Org: p.Org, Number: s.Number + 1, Since: q.Since, Made: c.manifest.Created, By: by, Logs: len(c.manifest.Logs), Accords: len(c.accords), Receipts: len(c.sent.Owed)}
	for _, l := range c.manifest.Logs {
		c.sent.Leaves += l.To - l.From
	}
	for _, k := range c.manifest.KeyLogs {
		c.sent.Statements += k.To - k.From
	}
	if q.DryRun {
		return c.sent.Bundle, nil
	}
	return f.pack(ctx, c, &s, all)
}

// since is the bundle after which another goes on.
func since(word string, s *senderDoc, all []sentDoc) (sentDoc, error) {
	number := s.Acked
	switch word {
	case SinceAcknowledged, "":
	case SinceMade:
		number = s.Number
	case SinceNothing:
		return sentDoc{}, nil
	default:
		return sentDoc{}, fault.New(fault.Invalid, "bundle.since", "a bundle does not begin at %.32q", word).At("since").By("acknowledged, made or nothing")
	}
	if i := slices.IndexFunc(all, func(b sentDoc) bool { return b.Number == number }); i >= 0 {
		return all[i], nil
	}
	return sentDoc{}, nil
}

// cargo is what a bundle is to hold.
type cargo struct {
	manifest bundle.Manifest
	keyLogs  []*keylog.Log // as in the manifest
	accords  []accords.Outgoing
	still    map[string]*peer.Batch // of logs without anything new: their newest checkpoint
	said     [][]byte               // items of what is said besides
	sent     sentDoc
}

// load gathers what a partner may have and does not have after a bundle.
func (f *Federation) load(ctx context.Context, p Partner, base sentDoc) (*cargo, error) {
	c := &cargo{manifest: bundle.Manifest{From: bundle.Party{Nation: f.cfg.Nation, Org: f.cfg.Org}, To: bundle.Party{Nation: p.Nation, Org: p.Org}, Created: f.stamp()}, still: map[string]*peer.Batch{},
		sent: sentDoc{KeyLogs: map[string]uint64{}, Ends: map[string]uint64{}, Told: slices.Clone(base.Told), Whole: slices.Clone(base.Whole)}}
	keyLog := func(l *keylog.Log) {
		from, to := min(base.KeyLogs[l.Nation()], uint64(l.Size())), uint64(l.Size())
		c.sent.KeyLogs[l.Nation()] = to
		if from < to {
			c.manifest.KeyLogs = append(c.manifest.KeyLogs, bundle.KeyRange{Nation: l.Nation(), From: from, To: to})
			c.keyLogs = append(c.keyLogs, l)
		}
	}
	keyLog(f.cfg.Partners.KeyLog())
	bound := f.together(p.Nation)
	for _, o := range f.cfg.Partners.Partners() {
		if o.Nation == p.Nation || !slices.Contains(bound, o.Nation) {
			continue
		}
		l, err := f.cfg.Partners.Log(o.Nation)
		if err != nil {
			return nil, err
		}
		keyLog(l)
	}
	for _, o := range f.cfg.Accords.Outgoing() {
		if o.Bundle == nil || !slices.Contains(o.Parties, p.Nation) {
			continue
		}
		if key := short(o.Bundle); !slices.Contains(c.sent.Told, key) {
			c.accords, c.sent.Told = append(c.accords, o), append(c.sent.Told, key)
			if o.Complete {
				c.sent.Whole = append(c.sent.Whole, o.Digest)
			}
		}
	}
	c.manifest.Accords = len(c.accords)
	if err := f.loadLogs(ctx, p, base, c); err != nil {
		return nil, err
	}
	return c, f.loadSaid(ctx, p, c)
}

// loadLogs signs the own logs that a partner has part in as they are, so that it knows how things stand, and says from where on it is given them.
func (f *Federation) loadLogs(ctx context.Context, p Partner, base sentDoc, c *cargo) error {
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Own: true, Party: "org:" + p.Nation + "/" + p.Org})
	if err != nil {
		return err
	}
	k, err := f.cfg.Node()
	if err != nil {
		return err
	}
	for _, g := range logs {
		if g.Retired {
			continue
		}
		signed, err := f.cfg.Ledger.Sign(ctx, g.Origin, f.cfg.Now(), k)
		if err != nil {
			return err
		}
		from, to := min(base.Ends[g.Origin], signed.Size), signed.Size
		if from == to {
			b, err := f.cfg.Ledger.Frames(ctx, g.Origin, peer.Pull{From: from, Bytes: batchBytes})
			if err != nil {
				return err
			}
			if to = b.End(); from == to { // else it grew in this moment
				c.still[g.Origin] = b
			}
		}
		c.manifest.Logs = append(c.manifest.Logs, bundle.LogRange{Origin: g.Origin, From: from, To: to})
		c.sent.Ends[g.Origin] = to
	}
	return nil
}

// pack writes the file, and then remembers it.
func (f *Federation) pack(ctx context.Context, c *cargo, s *senderDoc, all []sentDoc) (Bundle, error) {
	to, _, _, err := f.sealKey(ctx, c.manifest.To.Nation)
	if err != nil {
		return Bundle{}, err
	}
	if to == nil || to.Org != c.manifest.To.Org {
		return Bundle{}, fault.New(fault.Conflict, "bundle.nokey", "no key is known to which one seals for %s", c.manifest.To).Try("have its node write one, bring it here and add it: entente bundle key > FILE, entente bundle key --add FILE")
	}
	name := f.made(c.manifest.To.Nation, c.manifest.Number)
	file, err := f.bundleFile("new-*")
	if err != nil {
		return Bundle{}, err
	}
	defer os.Remove(file.Name()) // fails harmlessly once it was renamed
	defer file.Close()
	out := bufio.NewWriterSize(file, 1<<20)
	if c.sent.Digest, err = f.fillBundle(ctx, out, c, func(w io.Writer) (*bundle.Writer, error) {
		k, err := f.cfg.Node()
		if err != nil {
			return nil, err
		}
		return bundle.Create(w, f.cfg.Realm, c.manifest, to, k)
	}); err != nil {
		return Bundle{}, unpacked(err)
	}
	err = out.Flush()
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		c.sent.Bytes, err = file.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return Bundle{}, filed(err)
	}
	if err := f.noteSent(ctx, c, s, all); err != nil {
		os.Remove(name)
		return Bundle{}, err
	}
	f.discard(c.manifest.To.Nation, name)
	c.sent.Here = true
	return c.sent.Bundle, nil
}

// noteSent keeps the number and what the receiver has once the bundle has arrived.
func (f *Federation) noteSent(ctx context.Context, c *cargo, s *senderDoc, all []sentDoc) error {
	nation := c.manifest.To.Nation
	value, err := json.Marshal(c.sent)
	if err != nil {
		return fault.New(fault.Internal, "", "a bundle cannot be written down").Because(err)
	}
	state, err := json.Marshal(senderDoc{Number: c.manifest.Number, Digest: c.sent.Digest, Acked: s.Acked})
	if err != nil {
		return fault.New(fault.Internal, "", "a bundle cannot be written down").Because(err)
	}
	docs := []store.Doc{{Kind: docSender, Key: nation, Value: state, Version: s.Version}, {Kind: docSent, Key: sentKey(nation, c.manifest.Number), Value: value, Version: -1}}
	open := slices.DeleteFunc(all, func(b sentDoc) bool { return b.Number <= s.Acked })
	for _, b := range open[:max(0, len(open)+1-maxSent)] {
		docs = append(docs, store.Doc{Kind: docSent, Key: sentKey(nation, b.Number), Version: -1})
	}
	return f.cfg.House.PutDocs(ctx, store.Act{Actor: c.sent.By, Verb: "bundle.make", Target: nation, Detail: fmt.Sprintf("number=%d leaves=%d bytes=%d", c.manifest.Number, c.sent.Leaves, c.sent.Bytes)}, docs...)
}

// fillBundle writes a bundle's items.
func (f *Federation) fillBundle(ctx context.Context, to io.Writer, c *cargo, create func(io.Writer) (*bundle.Writer, error)) (peer.Digest, error) {
	w, err := create(to)
	if err != nil {
		return peer.Digest{}, err
	}
	for i, r := range c.manifest.KeyLogs {
		all := c.keyLogs[i].Since(int64(r.From))
		for from := r.From; len(all) > 0; {
			n, bytes := 0, 0
			for n < len(all) && (n == 0 || bytes+len(all[n]) <= partBytes) {
				bytes += len(all[n])
				n++
			}
			if err := w.KeyLog(r.Nation, from, all[:n]); err != nil {
				return peer.Digest{}, err
			}
			all, from = all[n:], from+uint64(n)
		}
	}
	for _, o := range c.accords {
		if err := w.Accord(o.Bundle); err != nil {
			return peer.Digest{}, err
		}
	}
	for _, l := range c.manifest.Logs {
		for from, first := l.From, true; first || from < l.To; first = false {
			b, err := c.still[l.Origin], error(nil)
			if b == nil {
				b, err = f.cfg.Ledger.Frames(ctx, l.Origin, peer.Pull{From: from, Frames: int(min(l.To-from, uint64(f.cfg.Limits.Frames))), Bytes: batchBytes})
			}
			if err != nil {
				return peer.Digest{}, err
			}
			if err := w.Batch(b); err != nil {
				return peer.Digest{}, err
			}
			from = b.End()
		}
	}
	for _, part := range c.said {
		if err := w.Heads(part); err != nil {
			return peer.Digest{}, err
		}
	}
	return w.Close()
}

// unpacked gives what kept a bundle from being written as a fault of the house.
func unpacked(err error) error {
	var b *bundle.Error
	if errors.As(err, &b) {
		e := fault.New(fault.Unprocessable, b.Code, "%s", b.Message).Because(err)
		if b.Code == "bundle.receiver" {
			return e.Try("ask for the statement of its key of today, and add it: entente bundle key --add FILE")
		}
		return e
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	return filed(err)
}

// OpenBundle gives the last bundle that was made for a nation, until it is acknowledged.
func (f *Federation) OpenBundle(ctx context.Context, nation string) (*os.File, Bundle, error) {
	s, err := f.sender(ctx, nation)
	if err != nil {
		return nil, Bundle{}, err
	}
	none := fault.New(fault.NotFound, "bundle.gone", "no bundle for %.16q is kept here", nation).Try("make one: entente bundle make")
	var b sentDoc
	if _, err = f.docOf(ctx, docSent, sentKey(nation, s.Number), &b); err != nil {
		return nil, Bundle{}, err
	}
	if s.Number == 0 || b.Number == 0 {
		return nil, Bundle{}, none
	}
	file, err := os.Open(f.made(nation, s.Number))
	if err != nil {
		return nil, Bundle{}, none
	}
	return file, b.Bundle, nil
}

func (f *Federation) made(nation string, number uint64) string {
	return filepath.Join(f.cfg.Bundles, fmt.Sprintf("to-%s-%d%s", nation, number, bundle.Extension))
}

// discard removes the files of bundles to a nation, but for one.
func (f *Federation) discard(nation, keep string) {
	all, err := filepath.Glob(filepath.Join(f.cfg.Bundles, "to-"+nation+"-*"+bundle.Extension))
	if err != nil {
		return
	}
	for _, name := range all {
		if name != keep {
			os.Remove(name)
		}
	}
}

// AckBundle hears that the bundle of a digest arrived: the next one begins where it ended. An empty nation is any.
func (f *Federation) AckBundle(ctx context.Context, by, nation string, digest peer.Digest) (Bundle, error) {
	release, err := passing(ctx, f.packing)
	if err != nil {
		return Bundle{}, err
	}
	defer release()
	for _, p := range f.cfg.Partners.Partners() {
		if nation != "" && nation != p.Nation {
			continue
		}
		all, err := f.sentTo(ctx, p.Nation)
		if err != nil {
			return Bundle{}, err
		}
		if i := slices.IndexFunc(all, func(b sentDoc) bool { return b.Digest == digest }); i >= 0 {
			return f.noteArrival(ctx, by, p.Nation, &all[i], all)
		}
	}
	return Bundle{}, fault.New(fault.Unprocessable, "bundle.ack", "no bundle that was made here, and waits for this, has these words").Try("compare the words once more with those where it was imported; a bundle before the last that arrived needs none")
}

// noteArrival notes it. The caller holds packing.
func (f *Federation) noteArrival(ctx context.Context, by, nation string, b *sentDoc, all []sentDoc) (Bundle, error) {
	s, err := f.sender(ctx, nation)
	if err != nil {
		return Bundle{}, err
	}
	b.Acknowledged = true
	if b.Number <= s.Acked {
		return b.Bundle, nil
	}
	if err := f.cfg.Ledger.Sent(ctx, b.Owed...); err != nil {
		return Bundle{}, err
	}
	for _, digest := range b.Whole {
		if err := f.cfg.Accords.Held(ctx, digest, nation); err != nil && fault.Of(err) != fault.NotFound {
			return Bundle{}, err
		}
	}
	s.Acked = b.Number
	state, err := json.Marshal(s)
	if err != nil {
		return Bundle{}, fault.New(fault.Internal, "", "a bundle cannot be written down").Because(err)
	}
	value, err := json.Marshal(b)
	if err != nil {
		return Bundle{}, fault.New(fault.Internal, "", "a bundle cannot be written down").Because(err)
	}
	docs := []store.Doc{{Kind: docSender, Key: nation, Value: state, Version: s.Version}, {Kind: docSent, Key: sentKey(nation, b.Number), Value: value, Version: b.Version}}
	for _, old := range all {
		if old.Number < b.Number {
			docs = append(docs, store.Doc{Kind: docSent, Key: sentKey(nation, old.Number), Version: -1})
		}
	}
	if err := f.cfg.House.PutDocs(ctx, store.Act{Actor: by, Verb: "bundle.ack", Target: nation, Detail: fmt.Sprintf("number=%d", b.Number)}, docs...); err != nil {
		return Bundle{}, err
	}
	if b.Number == s.Number {
		f.discard(nation, "")
	}
	return b.Bundle, nil
}

// bundleFile makes a file of one's own in the directory of bundles.
func (f *Federation) bundleFile(pattern string) (*os.File, error) {
	if err := os.MkdirAll(f.cfg.Bundles, 0o700); err != nil {
		return nil, filed(err)
	}
	file, err := os.CreateTemp(f.cfg.Bundles, pattern) // 0600
	return file, filed(err)
}
