package federation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"entente/accord"
	"entente/bundle"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/internal/store"
	"entente/keylog"
	"entente/peer"
	"entente/seal"
)

// Bounds of bundles that come in.
const (
	maxWaiting    = 32       // of one sender, until what is missing comes
	waitingBytes  = 64 << 30 // of their files
	fileBytes     = 65 << 30 // of one file: 64 GiB of content, sealed
	maxRefused    = 200      // refusals that are listed
	refusedLife   = 90 * 24 * time.Hour
	maxReasons    = 20 // things of one bundle that are refused by name
	rememberTaken = 64 // digests of bundles that were taken, for each sender
)

// States of a bundle that came in.
const (
	BundleTaken   = "taken"
	BundleKnown   = "known"   // it was taken before: nothing changed
	BundleWaiting = "waiting" // until what is missing comes
	BundleHolds   = "holds"   // it was only verified, and can be taken
)

// Imported is what a bundle is found to be, and what became of it.
type Imported struct {
	State        string    `json:"state"`
	Nation       string    `json:"nation"`
	Org          string    `json:"org"`
	Number       uint64    `json:"number"`
	Created      time.Time `json:"created,omitzero"`
	Words        string    `json:"words,omitempty"`        // by which the sender knows that it arrived; only of one that was taken
	Leaves       uint64    `json:"leaves"`                 // that it holds
	New          uint64    `json:"new"`                    // of them, those that were not here
	Stored       int       `json:"stored"`                 // records
	Receipts     int       `json:"receipts"`               // of the partner, for what it was given
	Acknowledged uint64    `json:"acknowledged,omitempty"` // own bundle that arrived there
	Missing      []string  `json:"missing,omitempty"`      // in words
	Refused      []string  `json:"refused,omitempty"`      // parts that are not taken, with the reason; the first twenty
	Others       int       `json:"others,omitempty"`       // that are refused besides
	After        []uint64  `json:"after,omitempty"`        // bundles that had waited, and were taken with it
}

func (in *Imported) refuse(what string) {
	if len(in.Refused) < maxReasons {
		in.Refused = append(in.Refused, what)
	} else {
		in.Others++
	}
}

// RefusedBundle is one that was not taken.
type RefusedBundle struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Nation string    `json:"nation,omitempty"` // as it says of itself
	Number uint64    `json:"number,omitempty"`
	Bytes  int64     `json:"bytes"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
}

// WaitingBundle is one that is kept until what is missing before it comes.
type WaitingBundle struct {
	Nation  string    `json:"nation"`
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Bytes   int64     `json:"bytes"`
	Missing []string  `json:"missing"`
}

// BundleBook is what the node knows of bundles.
type BundleBook struct {
	Keys    []SealKey       `json:"keys"` // to which one seals
	Made    []Bundle        `json:"made"`
	Taken   []TakenBundle   `json:"taken"` // the last of each sender
	Waiting []WaitingBundle `json:"waiting"`
	Refused []RefusedBundle `json:"refused"` // the latest first
}

// TakenBundle is the last that was taken of a sender.
type TakenBundle struct {
	Nation string    `json:"nation"`
	Number uint64    `json:"number"`
	Words  string    `json:"words"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`
}

// Kinds of documents: of bundles that came from a nation, and of refusals.
const (
	docTaken   = "bundle.taken"
	docRefused = "bundle.refused"
)

type takenDoc struct {
	bundle.Chain
	At      time.Time      `json:"at,omitzero"`
	By      string         `json:"by,omitempty"`
	Before  []bundle.Chain `json:"before,omitempty"` // those that were taken, the last too
	Waiting []waitingDoc   `json:"waiting,omitempty"`
	Version int64          `json:"-"`
}

type waitingDoc struct {
	WaitingBundle
	File string       `json:"file"`
	Gaps []bundle.Gap `json:"gaps"`
}

func (f *Federation) taken(ctx context.Context, nation string) (t takenDoc, err error) {
	t.Version, err = f.docOf(ctx, docTaken, nation, &t)
	return t, err
}

func (f *Federation) putTaken(ctx context.Context, nation string, t *takenDoc, act store.Act) error {
	value, err := json.Marshal(t)
	if err != nil {
		return fault.New(fault.Internal, "", "a bundle cannot be written down").Because(err)
	}
	return f.cfg.House.PutDocs(ctx, act, store.Doc{Kind: docTaken, Key: nation, Value: value, Version: t.Version})
}

// VerifyBundle says what a bundle is and whether it could be taken now, and changes nothing.
func (f *Federation) VerifyBundle(ctx context.Context, r io.Reader) (Imported, error) {
	if err := f.carries(); err != nil {
		return Imported{}, err
	}
	file, _, err := f.receive(r)
	if err != nil {
		return Imported{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	l, err := f.inspect(ctx, file)
	if err != nil {
		return Imported{}, unreadable(err)
	}
	switch err := l.chain(); {
	case err != nil:
		return Imported{}, unreadable(err)
	case l.in.State == BundleKnown:
	case !l.report.Takes():
		l.in.State = BundleWaiting
	default:
		l.in.State = BundleHolds
	}
	l.in.Words = ""
	return l.in, nil
}

// ImportBundle verifies a bundle whole, and then takes what is in it, as if it came over the wire. One that follows on something that is missing waits; one that
// does not hold is refused and listed.
func (f *Federation) ImportBundle(ctx context.Context, by string, r io.Reader) (Imported, error) {
	if err := f.carries(); err != nil {
		return Imported{}, err
	}
	release, err := passing(ctx, f.filing)
	if err != nil {
		return Imported{}, err
	}
	defer release()
	file, bytes, err := f.receive(r)
	if err != nil {
		return Imported{}, err
	}
	defer os.Remove(file.Name()) // fails harmlessly where it waits under another name
	defer file.Close()
	in, err := f.importFile(ctx, by, file, bytes)
	if err != nil {
		return Imported{}, err
	}
	if in.State == BundleTaken {
		in.After, err = f.takeWaiting(ctx, in.Nation)
	}
	return in, err
}

// receive writes what comes into a file.
func (f *Federation) receive(r io.Reader) (*os.File, int64, error) {
	file, err := f.bundleFile("new-*")
	if err != nil {
		return nil, 0, err
	}
	n, err := io.Copy(file, io.LimitReader(r, fileBytes+1))
	switch {
	case err != nil && !isPathError(err):
		err = fault.New(fault.Invalid, "bundle.read", "the bundle could not be read").Because(err)
	case err != nil:
		err = filed(err)
	case n > fileBytes:
		err = fault.New(fault.TooLarge, "bundle.size", "a bundle has at most %d bytes", int64(fileBytes))
	}
	if err != nil {
		file.Close()
		os.Remove(file.Name())
		return nil, 0, err
	}
	return file, n, nil
}

func isPathError(err error) bool { var p *os.PathError; return errors.As(err, &p) }

// filed gives what a file system refuses as a fault.
func filed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Full, "bundle.disk", "there is no room for the bundle").Because(err)
	}
	return fault.New(fault.Internal, "bundle.disk", "the bundle cannot be kept").Because(err)
}

// asFault gives an error of the languages as one of the house.
func asFault(err error) *fault.Error {
	var own *fault.Error
	var b *bundle.Error
	var p *peer.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &b):
		return fault.New(fault.Unprocessable, b.Code, "%s", b.Error()).Because(err)
	case errors.As(err, &p):
		return fault.New(fault.Unprocessable, p.Code, "%s", p.Message).Because(err)
	}
	return fault.As(err)
}

// unreadable gives why a bundle is refused as a fault.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	e := asFault(err)
	if e.Do == "" && strings.HasPrefix(e.Code, "bundle.") {
		switch e.Code {
		case "bundle.changed", "bundle.short", "bundle.form":
			return e.Try("copy the file once more; if that does not help, ask the sender for another bundle")
		case "bundle.receiver":
			return e.Try("it is for another node, or the key that it was sealed to has been destroyed: give the sender the key of today, entente bundle key")
		case "bundle.signature":
			return e.Try("take the card of the sender's nation first: entente peer add FILE")
		}
	}
	return e
}

// importFile does what is to be done with one file. The caller holds filing.
func (f *Federation) importFile(ctx context.Context, by string, file *os.File, bytes int64) (Imported, error) {
	l, err := f.inspect(ctx, file)
	if err == nil {
		err = l.chain()
	}
	var b *bundle.Error
	switch {
	case errors.As(err, &b) && b.Code == "bundle.gap":
		return f.wait(ctx, by, file, bytes, l)
	case err != nil:
		if e := asFault(err).Kind; e == fault.Internal || e == fault.Unavailable || e == fault.Full {
			return Imported{}, err
		}
		return Imported{}, f.turnedDown(ctx, by, bytes, l, err)
	case l.in.State == BundleKnown:
		return l.in, nil
	case !l.report.Takes():
		return f.wait(ctx, by, file, bytes, l)
	}
	return l.in, f.takeBundle(ctx, by, file, l)
}

// looked is what a first reading found.
type looked struct {
	from   bundle.Party // as the bundle says, before it is verified
	number uint64
	taken  takenDoc
	report *bundle.Report
	in     Imported
}

// chain says whether the bundle follows those that were taken: one that was taken before is known, and one of a number of another is refused.
func (l *looked) chain() error {
	at := func(c bundle.Chain) bool { return c.Number == l.report.Manifest.Number }
	if i := slices.IndexFunc(l.taken.Before, at); i >= 0 && l.taken.Before[i].Digest == l.report.Digest {
		l.in.State, l.in.Words = BundleKnown, bundle.Words(l.report.Digest)
		return nil
	} else if i >= 0 {
		return &bundle.Error{Code: "bundle.fork", Message: fmt.Sprintf("%s made another bundle %d than the one that was taken here", l.from, l.number)}
	}
	var b *bundle.Error
	if errors.As(l.report.Chain, &b) && b.Code == "bundle.gap" { // a number that is missing hinders nothing where nothing else is
		return nil
	}
	return l.report.Chain
}

// options are how bundles are read here. Copies of key logs that grew by the bundle's own statements stand in for those that are kept.
func (f *Federation) bundleOptions(copies map[string]*keylog.Log) (bundle.Options, error) {
	keys, err := f.cfg.SealKeys(f.stamp())
	if err != nil {
		return bundle.Options{}, err
	}
	return bundle.Options{Realm: f.cfg.Realm, To: bundle.Party{Nation: f.cfg.Nation, Org: f.cfg.Org},
		Open: func(id seal.KeyID) *seal.Private {
			if i := slices.IndexFunc(keys, func(k *seal.Private) bool { return k.ID() == id }); i >= 0 {
				return keys[i]
			}
			return nil
		},
		Keys: func(nation, org string) []*dsse.Key {
			p, ok := f.partner(nation)
			if !ok || p.Org != org {
				return nil
			}
			if l := copies[nation]; l != nil {
				p.Keys = l.State()
			}
			return f.nodeKeys(&p, f.cfg.Now())
		}, Limits: bundle.Limits{Peer: f.cfg.Limits}}, nil
}

// inspect reads a bundle to its end and changes nothing.
func (f *Federation) inspect(ctx context.Context, file io.ReadSeeker) (*looked, error) {
	l := &looked{}
	copies := map[string]*keylog.Log{}
	o, err := f.bundleOptions(copies)
	if err != nil {
		return l, err
	}
	begin := func() error { _, err := file.Seek(0, io.SeekStart); return filed(err) }
	if err := begin(); err != nil {
		return l, err
	}
	first, err := bundle.Open(file, o)
	if err != nil {
		return l, err
	}
	m, _ := first.Manifest()
	l.from, l.number = m.From, m.Number
	p, ok := f.partner(m.From.Nation)
	if !ok || p.Org != m.From.Org {
		return l, fault.New(fault.Unprocessable, "bundle.signature", "the bundle says that it is of %s, which is not known here", m.From).Try("take the card of the sender's nation first: entente peer add FILE")
	}
	if err := f.trusted(p.Nation); err != nil {
		return l, err
	}
	if l.taken, err = f.taken(ctx, p.Nation); err != nil {
		return l, err
	}
	l.in = Imported{Nation: m.From.Nation, Org: m.From.Org, Number: m.Number, Created: m.Created}
	if err := begin(); err != nil {
		return l, err
	}
	l.report, err = bundle.Verify(during{ctx, file}, o, f.ofBundle(ctx, p, copies, l))
	if err != nil {
		return l, err
	}
	l.in.Leaves, l.in.New, l.in.Words = l.report.Frames, l.report.New, bundle.Words(l.report.Digest)
	for _, g := range l.report.Gaps {
		l.in.Missing = append(l.in.Missing, g.String()+" is missing")
	}
	return l, nil
}

// during is a reader that ends with its context.
type during struct {
	ctx context.Context
	r   io.Reader
}

func (d during) Read(b []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.r.Read(b)
}

// known is what is held here of a sender.
func (f *Federation) ofBundle(ctx context.Context, p Partner, copies map[string]*keylog.Log, l *looked) bundle.Known {
	opener := peer.Opener{Realm: f.cfg.Realm, Limits: f.cfg.Limits, Keys: func(id string) *dsse.Key {
		keys := p.Keys
		if c := copies[p.Nation]; c != nil {
			keys = c.State()
		}
		k, _ := keys.Find(id)
		return k.Key
	}}
	return bundle.Known{Chain: l.taken.Chain,
		KeyLog: func(k *peer.KeyLog) (uint64, error) {
			end := k.From + uint64(len(k.Statements))
			c := copies[k.Nation]
			if c == nil {
				var err error
				if c, err = f.cfg.Partners.Log(k.Nation); err != nil { // a nation that is not known here
					return end, nil
				}
				copies[k.Nation] = c
			}
			have := uint64(c.Size())
			if have < k.From {
				return have, nil
			}
			_, err := c.Extend(int64(k.From), k.Statements)
			return have, err
		},
		Accord: func(b []byte) error { _, err := accord.ParseBundle(b); return err },
		Log: func(origin string) (*peer.Verifier, error) {
			g, err := f.cfg.Ledger.Log(ctx, origin)
			switch {
			case fault.Of(err) == fault.NotFound && peer.IsOrigin(origin):
				return &peer.Verifier{Origin: origin, Limits: f.cfg.Limits}, nil
			case err != nil:
				return nil, err
			case g.Own || g.Nation != p.Nation:
				return nil, fault.New(fault.Conflict, "ledger.log", "this log is another's").At(origin)
			}
			return f.cfg.Ledger.Mirror(ctx, origin, p.Nation, ledger.Identity{})
		},
		Frame: func(origin string, index uint64, fr *peer.Frame) error { // as over the wire, the log goes on; what is wrong with one leaf is told
			var err error
			switch {
			case fr.Gone():
			case fr.Leaf.Kind == peer.Put:
				_, _, err = opener.Rendition(fr.Envelope)
			case fr.Leaf.Kind == peer.Retract, fr.Leaf.Kind == peer.Relabel, fr.Leaf.Kind == peer.Purge:
				_, _, err = opener.Order(fr.Envelope)
			}
			if err != nil {
				l.in.refuse(fmt.Sprintf("leaf %d of log %s: %v", index, origin, err))
			}
			return nil
		},
		Heads: func(b []byte) error { _, err := readSaid(b); return err },
	}
}

// takeBundle is the second reading, which takes. What it took before it was interrupted is taken already when it is begun anew.
func (f *Federation) takeBundle(ctx context.Context, by string, file io.ReadSeeker, l *looked) error {
	in := &l.in
	in.Refused, in.Others = nil, 0
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return filed(err)
	}
	o, err := f.bundleOptions(nil)
	if err != nil {
		return err
	}
	r, err := bundle.Open(during{ctx, file}, o)
	if err != nil {
		return err
	}
	for {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := f.takeItem(ctx, it, in); err != nil {
			return err
		}
	}
	if r.Digest() != l.report.Digest {
		return &bundle.Error{Code: "bundle.changed", Message: "the file changed while it was read"}
	}
	if err := f.endLogs(ctx, &l.report.Manifest); err != nil {
		return err
	}
	c := bundle.Chain{Number: l.report.Manifest.Number, Digest: r.Digest()}
	t := &l.taken
	t.Chain, t.At, t.By = c, f.stamp(), by
	if t.Before = append(t.Before, c); len(t.Before) > rememberTaken {
		t.Before = slices.Delete(t.Before, 0, len(t.Before)-rememberTaken)
	}
	in.State = BundleTaken
	f.nudge(in.Nation)
	return f.putTaken(ctx, in.Nation, t, store.Act{Actor: by, Verb: "bundle.import", Target: in.Nation, Detail: fmt.Sprintf("number=%d leaves=%d new=%d stored=%d", in.Number, in.Leaves, in.New, in.Stored)})
}

func (f *Federation) takeItem(ctx context.Context, it *bundle.Item, in *Imported) error {
	switch {
	case it.KeyLog != nil:
		k := it.KeyLog
		if _, err := f.cfg.Partners.Log(k.Nation); err != nil {
			return nil
		}
		return f.cfg.Partners.Learn(ctx, k.Nation, int64(k.From), k.Statements)
	case it.Accord != nil:
		err := f.cfg.Accords.Offer(ctx, in.Nation, slices.Clone(it.Accord))
		switch fault.Of(err) {
		case fault.Unavailable, fault.Full, fault.Internal:
			return err
		}
		if err != nil {
			in.refuse("an accord: " + err.Error())
		}
	case it.Batch != nil:
		return f.takeBatch(ctx, it.Batch, in)
	case it.Heads != nil:
		p, ok := f.partner(in.Nation)
		if !ok {
			return fault.New(fault.NotFound, "", "no such partner")
		}
		return f.hearSaid(ctx, p, it.Heads, in)
	}
	return nil
}

// takeBatch takes a part of a log as from the wire, unless the log was read further on another way.
func (f *Federation) takeBatch(ctx context.Context, b *peer.Batch, in *Imported) error {
	one := f.turn(in.Nation)
	one.Lock()
	defer one.Unlock()
	g, err := f.cfg.Ledger.Log(ctx, b.Origin)
	switch {
	case err != nil && fault.Of(err) != fault.NotFound:
		return err
	case err == nil && (b.End() < g.Size || b.End() == g.Size && len(b.Frames) > 0):
		return nil
	}
	for i := range b.Frames { // the ledger keeps them; the bytes are the reader's
		b.Frames[i].Envelope = slices.Clone(b.Frames[i].Envelope)
	}
	n, err := f.take(withWay(ctx, wayBundle), in.Nation, b)
	in.Stored += n
	var old *peer.Error
	if errors.As(err, &old) && old.Code == peer.CodeRollback && b.End() <= g.Size {
		return nil
	}
	return err
}

// endLogs ends the mirrors of logs that the sender has no more: it names all that it has, and those which it had before and does not name are over.
func (f *Federation) endLogs(ctx context.Context, m *bundle.Manifest) error {
	logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: m.From.Nation})
	for _, g := range logs {
		if err == nil && !g.Retired && g.Note != nil && g.Signed.Time.Before(m.Created) && !slices.ContainsFunc(m.Logs, func(r bundle.LogRange) bool { return r.Origin == g.Origin }) {
			err = f.cfg.Ledger.Retire(ctx, g.Origin)
		}
	}
	return err
}

// wait keeps a bundle until what is missing before it comes.
func (f *Federation) wait(ctx context.Context, by string, file *os.File, bytes int64, l *looked) (Imported, error) {
	in, t := l.in, &l.taken
	in.State, in.Words = BundleWaiting, ""
	var gaps []bundle.Gap
	if l.report != nil {
		gaps = l.report.Gaps
	} else { // the sender signs with a key that is not known yet
		k, err := f.cfg.Partners.Log(in.Nation)
		if err != nil {
			return Imported{}, err
		}
		gaps = []bundle.Gap{{What: "keylog", Name: in.Nation, From: uint64(k.Size()), To: uint64(k.Size()) + 1}}
		in.Missing = []string{gaps[0].String() + " is missing"}
	}
	name := fmt.Sprintf("from-%s-%d%s", in.Nation, in.Number, bundle.Extension)
	all := slices.DeleteFunc(slices.Clone(t.Waiting), func(w waitingDoc) bool { return w.Number == in.Number })
	kept := bytes
	for _, w := range all {
		kept += w.Bytes
	}
	if len(all) >= maxWaiting || kept > waitingBytes {
		return Imported{}, f.turnedDown(ctx, by, bytes, l, fault.New(fault.Full, "bundle.waiting", "too many bundles of %s wait for what is missing before them: %s", in.Nation, strings.Join(in.Missing, "; ")).
			Try("bring what is missing first, or ask the sender for a bundle that begins earlier"))
	}
	if err := file.Sync(); err != nil {
		return Imported{}, filed(err)
	}
	if path := filepath.Join(f.cfg.Bundles, name); path != file.Name() {
		if err := os.Rename(file.Name(), path); err != nil {
			return Imported{}, filed(err)
		}
	}
	t.Waiting = append(all, waitingDoc{WaitingBundle{in.Nation, in.Number, f.stamp(), by, bytes, in.Missing}, name, gaps})
	slices.SortFunc(t.Waiting, func(a, b waitingDoc) int { return cmp.Compare(a.Number, b.Number) })
	return in, f.putTaken(ctx, in.Nation, t, store.Act{Actor: by, Verb: "bundle.wait", Target: in.Nation, Detail: fmt.Sprintf("number=%d", in.Number)})
}

// takeWaiting takes the bundles of a nation that waited for what has come, one after another. The caller holds filing.
func (f *Federation) takeWaiting(ctx context.Context, nation string) (done []uint64, err error) {
	for {
		t, err := f.taken(ctx, nation)
		if err != nil {
			return done, err
		}
		i := slices.IndexFunc(t.Waiting, func(w waitingDoc) bool { return f.filled(ctx, &w) })
		if i < 0 {
			return done, nil
		}
		w := t.Waiting[i]
		t.Waiting = slices.Delete(t.Waiting, i, i+1)
		if err := f.putTaken(ctx, nation, &t, store.Act{Actor: w.By, Verb: "bundle.wait", Target: nation, Detail: fmt.Sprintf("number=%d over", w.Number)}); err != nil {
			return done, err
		}
		path := filepath.Join(f.cfg.Bundles, w.File)
		file, err := os.Open(path)
		if err != nil { // somebody removed it
			continue
		}
		in, err := f.importFile(ctx, w.By, file, w.Bytes)
		file.Close()
		if err == nil && in.State != BundleWaiting {
			os.Remove(path)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return done, err
		case err != nil: // it is listed
			os.Remove(path)
			f.cfg.Log.Warn("a bundle that had waited is not taken", "partner", nation, "number", w.Number, "error", err)
		case in.State == BundleTaken:
			done = append(done, w.Number)
		}
	}
}

// filled tells whether what a bundle waits for is here.
func (f *Federation) filled(ctx context.Context, w *waitingDoc) bool {
	for _, g := range w.Gaps {
		switch g.What {
		case "log":
			if l, err := f.cfg.Ledger.Log(ctx, g.Name); err != nil || l.Size < g.To {
				return false
			}
		case "keylog":
			if l, err := f.cfg.Partners.Log(g.Name); err != nil || uint64(l.Size()) < g.To {
				return false
			}
		}
	}
	return true
}

// turnedDown lists a bundle that is not taken, and keeps the proof where the sender's own signatures contradict each other. Its bytes are not kept: who brought
// them still has them.
func (f *Federation) turnedDown(ctx context.Context, by string, bytes int64, l *looked, why error) error {
	var fork *keylog.Fork
	if errors.As(why, &fork) {
		if b, err := json.Marshal(fork); err == nil {
			if err := f.cfg.Partners.Fork(ctx, b); err != nil {
				f.cfg.Log.Warn("keeping the proof of two key logs", "error", err)
			}
		}
	}
	why = unreadable(f.caughtLive(ctx, l.from.Nation, why))
	e := fault.As(why)
	docs, err := f.cfg.House.Docs(ctx, docRefused, "", 2*maxRefused)
	if err != nil {
		return errors.Join(why, err)
	}
	r := RefusedBundle{At: f.stamp(), By: by, Nation: l.from.Nation, Number: l.number, Bytes: bytes, Code: e.MachineCode(), Reason: e.Message}
	value, err := json.Marshal(r)
	if err != nil {
		return fault.New(fault.Internal, "", "a refusal cannot be written down").Because(err)
	}
	put := []store.Doc{{Kind: docRefused, Key: r.At.Format("20060102T150405.000000Z ") + rand.Text(), Value: value, Version: -1, Expires: r.At.Add(refusedLife)}}
	for _, d := range docs[:max(0, len(docs)+1-maxRefused)] {
		put = append(put, store.Doc{Kind: docRefused, Key: d.Key, Version: -1})
	}
	if err := f.cfg.House.PutDocs(ctx, store.Act{Actor: by, Verb: "bundle.refuse", Target: r.Nation, Detail: fmt.Sprintf("number=%d code=%s", r.Number, r.Code)}, put...); err != nil {
		return errors.Join(why, err)
	}
	return why
}

// Bundles says what the node knows of bundles.
func (f *Federation) Bundles(ctx context.Context) (b BundleBook, err error) {
	b = BundleBook{[]SealKey{}, []Bundle{}, []TakenBundle{}, []WaitingBundle{}, []RefusedBundle{}}
	for _, p := range f.cfg.Partners.Partners() {
		if s, k, _, err := f.sealKey(ctx, p.Nation); err == nil && s != nil {
			b.Keys = append(b.Keys, SealKey{s.Nation, s.Org, s.Epoch, s.ID().String(), s.NotBefore, s.NotAfter, k.Added, k.By})
		}
		s, err := f.sender(ctx, p.Nation)
		if err != nil {
			return b, err
		}
		sent, err := f.sentTo(ctx, p.Nation)
		if err != nil {
			return b, err
		}
		for _, m := range sent {
			m.Acknowledged = m.Number <= s.Acked
			_, err := os.Stat(f.made(p.Nation, m.Number))
			m.Here = err == nil
			b.Made = append(b.Made, m.Bundle)
		}
		t, err := f.taken(ctx, p.Nation)
		if err != nil {
			return b, err
		}
		if t.Number > 0 {
			b.Taken = append(b.Taken, TakenBundle{p.Nation, t.Number, bundle.Words(t.Digest), t.At, t.By})
		}
		for _, w := range t.Waiting {
			b.Waiting = append(b.Waiting, w.WaitingBundle)
		}
	}
	docs, err := f.cfg.House.Docs(ctx, docRefused, "", 2*maxRefused)
	for _, d := range slices.Backward(docs) {
		var r RefusedBundle
		if err := json.Unmarshal(d.Value, &r); err != nil {
			return b, fault.New(fault.Internal, "bundle.damaged", "what is remembered of a refused bundle cannot be read").Because(err)
		}
		b.Refused = append(b.Refused, r)
	}
	return b, err
}

// clearBundles removes the files that nothing remembers: of what was cut off when the node stopped.
func (f *Federation) clearBundles(ctx context.Context) error {
	keep := map[string]bool{}
	for _, p := range f.cfg.Partners.Partners() {
		t, err := f.taken(ctx, p.Nation)
		if err != nil {
			return err
		}
		for _, w := range t.Waiting {
			keep[filepath.Join(f.cfg.Bundles, w.File)] = true
		}
	}
	for _, pattern := range []string{"new-*", "from-*"} {
		all, err := filepath.Glob(filepath.Join(f.cfg.Bundles, pattern))
		if err != nil {
			return filed(err)
		}
		for _, name := range all {
			if !keep[name] {
				os.Remove(name)
			}
		}
	}
	return nil
}

// keepBundles takes what waited for something that came on another way.
func (f *Federation) keepBundles(ctx context.Context) error {
	if f.cfg.Bundles == "" {
		return nil
	}
	select {
	case f.filing <- struct{}{}:
		defer func() { <-f.filing }()
	default: // a bundle is being taken, and then those that waited for it
		return nil
	}
	var err error
	for _, p := range f.cfg.Partners.Partners() {
		_, e := f.takeWaiting(ctx, p.Nation)
		err = errors.Join(err, e)
	}
	return err
}
