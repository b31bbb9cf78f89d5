// Package federation joins the node to those of its partners: what the accords permit goes out in audience logs, as signed renditions; what partners give comes
// in by the one door; and what an originator takes back is taken back wherever it went. It is a worker: it follows the journal, and knows partners by
// their key logs.
package federation

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/record"
	"entente/internal/relay"
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/seal"
)

// House is the node's store, under the node's own scope.
type House interface {
	Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error)
	Page(ctx context.Context, q store.Query) (store.Page, error)
	Newest() (record.Seq, <-chan struct{})
	Release(ctx context.Context, r store.Release) error
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Door is what comes in and what is taken back.
type Door interface {
	Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error)
	Withdraw(ctx context.Context, o exchange.Order) (int, error)
	Mark(ctx context.Context, o exchange.Order, to label.Label) (int, error)
	Suspect(ctx context.Context, o exchange.Order, why store.Reason, test func(envelope []byte) bool) (int, error)
	Destroy(ctx context.Context, o exchange.Order) (store.PurgeReport, error)
}

// Partner is a node of another nation that this one meets.
type Partner struct {
	Nation  string
	Org     string
	Node    string
	Address string        // host:port; empty: it calls
	Keys    *keylog.State // of its nation's key log, as it is mirrored here
	Fork    *keylog.Fork  // of one of Forked: the proof
}

// Partners are those that this node knows.
type Partners interface {
	Partners() []Partner
	// Forked are those that showed two key logs: only their nation and organisation count.
	Forked() []Partner
	// Learn takes further statements of a nation's key log.
	Learn(ctx context.Context, nation string, from int64, statements [][]byte) error
	// Log is what is mirrored of a nation's key log, also when it showed two.
	Log(nation string) (*keylog.Log, error)
	// Fork takes the proof that a nation showed two key logs: a keylog.Fork, as JSON.
	Fork(ctx context.Context, evidence []byte) error
	// KeyLog is that of the own nation.
	KeyLog() *keylog.Log
	Changed() <-chan struct{}
}

// Decisions are the joint decisions of this node.
type Decisions interface {
	// Hear takes a statement that stands in a partner's log.
	Hear(ctx context.Context, nation string, at decisions.Place, envelope []byte) error
	// Heard is the statement of a nation that stands at a place of its log; nil: it is not here.
	Heard(nation, origin string, index uint64) []byte
	// Remember takes a statement of this node that it had lost, and tells whether it was new.
	Remember(ctx context.Context, at decisions.Place, envelope []byte) (bool, error)
}

// Seals are the keys that others seal to.
type Seals interface {
	SealKeys(now time.Time) ([]*seal.Private, error)
	SealStatement(now time.Time) ([]byte, error)
}

// NodeKey signs receipts as an envelope, and checkpoints as a note.
type NodeKey interface {
	dsse.Signer
	dsse.Notary
}

// Config is what the room needs of its node.
type Config struct {
	Nation     string
	Org        string
	Realm      string
	House      House
	Door       Door
	Ledger     *ledger.Ledger
	Accords    *accords.Accords
	Partners   Partners
	Decisions  Decisions                   // nil: this node decides nothing
	Relay      *relay.Room                 // what this node carries for others; nil: nothing
	Carries    func(nation string) bool    // for whom
	Seals      Seals                       // keys that others seal to; nil: nothing comes over relays
	Shelves    []Shelf                     // of parties that run no node
	Originate  func() (dsse.Signer, error) // the key that signs renditions and orders
	Node       func() (NodeKey, error)     // the key that signs checkpoints and receipts
	Officer    func() (dsse.Signer, error) // the key that signs releases for a release officer
	Gate       func() *gate.Gate
	Extensions []string                    // of STIX objects that may leave: ids of extensions, names of properties; a trailing * stands for any ending
	Secret     []byte                      // ids of reduced copies are made from it
	Bases      func() map[string]time.Time // legal bases in force
	Dial       func(p Partner) (url string, d peer.Doer)
	Bundles    string                                            // directory of bundles that were made, or wait; empty: this node makes and takes none
	SealKeys   func(now time.Time) ([]*seal.Private, error)      // that open what was sealed to this node
	SealKey    func(now time.Time) (statement []byte, err error) // to which one seals now, in an envelope of the node's key
	Limits     peer.Limits
	Now        func() time.Time
	Leaves     int                                  // of one nation that are taken in a day, decisions aside; 1,000,000
	After      func(time.Duration) <-chan time.Time // between two attempts to reach a partner; time.After
	Tick       time.Duration                        // how often time itself is looked at; 30 s
	Recover    Recover
	Alarmed    func(ctx context.Context, stand []Alarm) error // is told at every tick which alarms stand; nil: nobody is
	Log        *slog.Logger
}

// Federation is the worker. Its methods are safe for concurrent use.
type Federation struct {
	cfg  Config
	self gate.Party

	out    sync.Mutex          // held by who adds to own logs
	logs   map[string]openLog  // own ones, by origin
	ids    map[string]string   // origins by identity
	judged map[string]*judging // by accord
	today  map[string]int      // objects that went out today, by accord and party; those of which it was asked
	day    string

	settles chan struct{}   // held by who brings the own logs to where the journal is, and keeps what follows it
	stirred map[string]bool // own objects with another label since the shelves were arranged
	shelves []*shelf

	shelving sync.Mutex // held by who arranges shelves; taken before out

	retired map[string]int     // logs that had ended when the node started, by accord: after a restore all of them begin anew
	earlier map[string]openLog // these, by origin

	// Of who holds settles.
	resumed bool
	whole   bool       // nobody is to be asked: what was given before a restore is known
	at      record.Seq // followed up to here
	saved   record.Seq // as the ledger has it
	savedAt time.Time

	mu      sync.Mutex
	links   map[string]*link             // by nation
	short   map[string]time.Time         // by accord and nation: since when it gives back too little
	orders  chan struct{}                // orders wait
	taking  map[string]*sync.Mutex       // by nation: one batch or order at a time
	came    map[[2]string]map[string]int // objects that came, by nation and accord, and by day: of accords that limit them
	proved  []accusationDoc              // the proofs that are kept, without their files; nil: not read yet
	guilty  map[string]string            // by nation: the proof that weighs against it
	missing map[string]unread            // by origin: what others were shown and did not come here
	marks   map[string][]peer.Checkpoint
	passing map[string]map[string]*passage // by nation: checkpoints that others cosigned, which it is to be told
	clocks  map[string]*offset             // by nation
	refused map[string]int64               // leaves, by nation
	leaves  map[string]leafCount           // by nation
	raised  map[string]bool                // alarms that were told
	early   map[string]*early              // by accord: what came before its receiver had heard that the accord lets it

	over relaying // what goes and comes over relays

	verifying sync.Mutex // held by who verifies a proof; taken before judging
	judging   sync.Mutex // held by who writes proofs

	packing chan struct{} // held by who makes a bundle, or hears that one arrived
	filing  chan struct{} // held by who takes bundles

	began     time.Time
	recovered chan struct{} // a partner was asked what it has
	tooSoon   chan struct{} // a partner refused what came too early
	speaks    atomic.Bool   // what this node had said before a restore was asked for, or need not be
	asking    atomic.Bool   // nothing is given: partners are asked first

	comparing sync.Mutex // held by who compares
	compared  *compared  // the last set that was compared: the next message is about it, too
	stop      context.CancelFunc
	workers   sync.WaitGroup
}

// openLog is an own log.
type openLog struct {
	origin  string
	accord  string
	parties []string // org:NATION/ORG
	digests map[[32]byte]bool
}

// New opens the room. Start sets it to work.
func New(ctx context.Context, cfg Config) (*Federation, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Bases == nil {
		cfg.Bases = func() map[string]time.Time { return nil }
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 30 * time.Second
	}
	if cfg.Recover.Wait <= 0 {
		cfg.Recover.Wait = recoverWait
	}
	if cfg.Leaves <= 0 {
		cfg.Leaves = 1_000_000
	}
	cfg.Limits = cfg.Limits.Values()
	f := &Federation{cfg: cfg, self: gate.Party{Nation: cfg.Nation, Org: cfg.Org}, logs: map[string]openLog{}, ids: map[string]string{}, today: map[string]int{}, judged: map[string]*judging{}, retired: map[string]int{}, earlier: map[string]openLog{},
		links: map[string]*link{}, short: map[string]time.Time{}, orders: make(chan struct{}, 1), taking: map[string]*sync.Mutex{}, came: map[[2]string]map[string]int{}, missing: map[string]unread{}, marks: map[string][]peer.Checkpoint{},
		passing: map[string]map[string]*passage{}, clocks: map[string]*offset{}, refused: map[string]int64{}, raised: map[string]bool{}, leaves: map[string]leafCount{},
		began: cfg.Now(), recovered: make(chan struct{}, 1), early: map[string]*early{}, tooSoon: make(chan struct{}, 1), settles: make(chan struct{}, 1), packing: make(chan struct{}, 1), filing: make(chan struct{}, 1), stirred: map[string]bool{}, shelves: shelves(cfg.Shelves), over: newRelaying()}
	own, err := cfg.Ledger.Logs(ctx, ledger.Filter{Own: true})
	if err != nil {
		return nil, err
	}
	for _, g := range own {
		if g.Retired {
			f.retired[g.Accord]++
			f.earlier[g.Origin] = openLog{origin: g.Origin, accord: g.Accord, parties: g.Parties}
		} else {
			f.remember(g)
		}
	}
	all, err := f.proofs(ctx)
	f.weighProofs(all)
	if err == nil && cfg.Bundles != "" {
		err = f.clearBundles(ctx)
	}
	return f, err
}

func (f *Federation) remember(g ledger.Log) openLog {
	l := openLog{g.Origin, strings.TrimSuffix(g.Accord, decided), g.Parties, map[[32]byte]bool{}}
	f.logs[g.Origin] = l
	f.ids[identity(g.Accord, g.Parties)] = g.Origin
	return l
}

func identity(accord string, parties []string) string {
	return accord + "\x00" + strings.Join(parties, "\n")
}

// Start begins to give and to take.
func (f *Federation) Start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.workers.Go(func() { f.follow(ctx) })
	f.workers.Go(func() { f.meet(ctx) })
	f.workers.Go(func() { f.obeying(ctx) })
	f.workers.Go(func() { f.keeping(ctx) })
	f.workers.Go(func() { f.relays(ctx) })
	f.workers.Go(func() { f.watching(ctx) })
}

// Close ends all work.
func (f *Federation) Close() {
	if f.stop != nil {
		f.stop()
	}
	f.workers.Wait()
}

// audienceKey makes the ids of reduced copies for one log, and only for it.
func (f *Federation) audienceKey(accord string, parties []string) []byte {
	k, err := hkdf.Key(sha256.New, f.cfg.Secret, nil, "entente/audience/1\x00"+f.cfg.Realm+"\x00"+identity(accord, parties), 32)
	if err != nil {
		return nil // only for lengths beyond 255 hashes; no rendition is made with it
	}
	return k
}

// pause waits, unless the work ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
