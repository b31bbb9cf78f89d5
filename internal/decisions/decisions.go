// Package decisions keeps the joint decisions of one node: what was proposed, who said what about it, and what came of it. Everything stands in documents of the
// store, and every change is an act in the journal. What this node says about a decision stands in its own log first, where everybody can see that it was said and
// that nothing else was.
package decisions

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/peer"
)

// Docs is the part of the store that the room needs.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Log is the logs in which decisions are taken: the own one, and those of others as they were read.
type Log interface {
	// Say adds a statement to the node's own log of decisions under an accord, durably, and only once for the same bytes.
	Say(ctx context.Context, accord [32]byte, topic [16]byte, about string, envelope []byte) (Place, error)
	// Spoken gives what stands in the node's own logs of decisions, each from an index on, in order.
	Spoken(ctx context.Context, from func(origin string) uint64, take func(at Place, envelope []byte) error) error
	// Stretch gives a log from an index to its newest checkpoint, as far as it was read: the edge before it, the leaves, and the signed note.
	Stretch(ctx context.Context, origin string, from uint64) (before peer.Edge, leaves []peer.Leaf, note []byte, err error)
}

// Place is where a statement stands.
type Place struct {
	Origin string
	Index  uint64
	Leaf   peer.Leaf
	Salt   [16]byte
}

// Accord is one that a node knows, with the signatures that bind every party.
type Accord struct {
	Bundle *accord.Bundle
	Text   *accord.Accord
	Active bool // it binds now: something can be proposed under it
	GoesOn bool // it binds now, or a later version does: what was proposed under it can be decided
}

// Executor carries out what was decided, and says in a sentence what it did. An error that is a fault of another kind than unavailable is a refusal.
type Executor func(ctx context.Context, r *decision.Result, certificate []byte) (string, error)

// Config is what the room needs of its node.
type Config struct {
	Nation  string
	Org     string
	Realm   string
	Docs    Docs
	Log     Log
	Gate    func() *gate.Gate
	Keys    decision.Keys
	Accord  func(digest peer.Digest) (Accord, bool)
	Named   func(name string) (peer.Digest, bool) // the version of an accord by whose rules is decided now
	Voter   func() (dsse.Signer, error)           // the key that votes for the organisation from this node; an error where persons vote with their own
	Node    func() (dsse.Signer, error)           // signs acknowledgements and reports
	Execute map[string]Executor                   // by the type of the action
	// Accuse is told of two positions of one party that contradict each other, with the text of the accord and the payload of the proposal.
	Accuse func(ctx context.Context, nation, accord string, proposal, first, second []byte) error
	Now    func() time.Time
	Tick   time.Duration // how often deadlines are looked at; 5 s
	Slog   *slog.Logger
}

// Room holds the decisions. Its methods are safe for concurrent use.
type Room struct {
	cfg Config

	saying sync.Mutex // held by who says something: an acknowledgement stands before every position
	behind bool       // something may stand in the own log and in no document; of who holds saying
	mu     sync.Mutex
	known  map[peer.Digest]*matter
	tables map[peer.Digest][]byte // of weights
	spoken map[string]int         // statements of a nation about what was not proposed here yet
	news   chan struct{}
	change chan struct{} // closed when something changes

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// matter is one decision.
type matter struct {
	digest   peer.Digest
	proposal []byte // envelope; nil: it was spoken of, and is not here yet
	what     *decision.Proposal
	weights  []byte
	from     string
	at       time.Time
	version  int64 // of its document
	said     []said
	end      *end
	tried    int              // how many statements there were when it was last counted
	result   *decision.Result // of the last count
	why      string           // it cannot be counted
	accused  map[string]bool  // nations whose contradiction was told
}

// said is a statement as it stands in its party's log.
type said struct {
	Kind     string         `json:"kind"` // "proposal", "position", "ack", "report"
	Nation   string         `json:"nation"`
	Origin   string         `json:"origin"`
	Index    uint64         `json:"index"`
	Salt     []byte         `json:"salt"`
	Envelope jsontext.Value `json:"envelope"`
	At       time.Time      `json:"at"` // by the leaf
}

// end is what came of a decision.
type end struct {
	Outcome     decision.Outcome `json:"outcome"`
	Certificate jsontext.Value   `json:"certificate"`
	At          time.Time        `json:"at"`
	State       State            `json:"state"`
	Did         decision.Did     `json:"did,omitempty"` // what is to be reported
	Text        string           `json:"text,omitempty"`
	By          string           `json:"by,omitempty"`
	version     int64
}

// State is where a decision is on its way.
type State string

// States.
const (
	Seeking  State = "seeking"  // not enough parties propose it yet
	Open     State = "open"     // positions are taken
	Counting State = "counting" // the deadline has passed, and what shows what the others said is still to come
	Decided  State = "decided"  // yes, and nobody has carried it out here yet
	Started  State = "started"  // it is being carried out; after a crash a person says whether it was
	Executed State = "executed"
	Refused  State = "refused" // this node did not carry it out
	Rejected State = "rejected"
	Expired  State = "expired"  // neither yes nor no was reached
	Replaced State = "replaced" // a later round has begun
	Unusable State = "unusable" // it cannot be counted here; the reason says why
)

// Kinds of documents. The keys begin with the digest of the proposal in hex.
const (
	docMatter = "decision"
	docSaid   = "decision.said"
	docEnd    = "decision.end"
)

// Bounds.
const (
	maxMatters = 4096
	maxSaid    = 64                 // statements of one nation about one decision
	maxUnheard = 1000               // statements of one nation about what was not proposed here
	linger     = 7 * 24 * time.Hour // after a deadline, for what was said before it to arrive
)

type matterDoc struct {
	Proposal jsontext.Value `json:"proposal"`
	Weights  string         `json:"weights,omitempty"`
	From     string         `json:"from"`
	At       time.Time      `json:"at"`
}

// New reads the decisions of a node.
func New(ctx context.Context, cfg Config) (*Room, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 5 * time.Second
	}
	if cfg.Slog == nil {
		cfg.Slog = slog.New(slog.DiscardHandler)
	}
	r := &Room{cfg: cfg, behind: true, known: map[peer.Digest]*matter{}, tables: map[peer.Digest][]byte{}, spoken: map[string]int{}, news: make(chan struct{}, 1), change: make(chan struct{})}
	for _, read := range []struct {
		kind string
		take func(m *matter, d store.Doc) error
	}{{docMatter, r.load}, {docSaid, loadSaid}, {docEnd, loadEnd}} {
		for after := ""; ; {
			docs, err := cfg.Docs.Docs(ctx, read.kind, after, 1000)
			if err != nil {
				return nil, err
			}
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				after = d.Key
				name, _, _ := strings.Cut(d.Key, "/")
				b, err := hex.DecodeString(name)
				if err != nil || len(b) != 32 {
					return nil, damaged(d, err)
				}
				if err := read.take(r.matter(peer.Digest(b)), d); err != nil {
					return nil, damaged(d, err)
				}
			}
		}
	}
	return r, r.loadTables(ctx)
}

func damaged(d store.Doc, err error) error {
	return fault.New(fault.Internal, "decision.damaged", "the stored document %s %s cannot be read", d.Kind, d.Key).Because(err)
}

// matter is what is known of a proposal, made when it is new. The caller holds mu, or is alone.
func (r *Room) matter(d peer.Digest) *matter {
	m := r.known[d]
	if m == nil {
		m = &matter{digest: d, accused: map[string]bool{}}
		r.known[d] = m
	}
	return m
}

func (r *Room) load(m *matter, d store.Doc) error {
	var doc matterDoc
	if err := json.Unmarshal(d.Value, &doc); err != nil {
		return err
	}
	p, err := r.peek(doc.Proposal)
	if err != nil {
		return err
	}
	m.proposal, m.what, m.weights, m.from, m.at, m.version = doc.Proposal, p, []byte(doc.Weights), doc.From, doc.At, d.Version
	return nil
}

func loadSaid(m *matter, d store.Doc) error {
	var s said
	err := json.Unmarshal(d.Value, &s)
	m.said = append(m.said, s)
	return err
}

func loadEnd(m *matter, d store.Doc) error {
	m.end = &end{}
	err := json.Unmarshal(d.Value, m.end)
	m.end.version = d.Version
	return err
}

// peek reads a proposal that was verified when it came.
func (r *Room) peek(envelope []byte) (*decision.Proposal, error) {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return nil, err
	}
	return decision.ReadProposal(e.Payload)
}

func key(d peer.Digest) string { return hex.EncodeToString(d[:]) }

// Changed gives a channel that is closed when something changes.
func (r *Room) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.change
}

// touch tells followers that something changed. The caller holds mu.
func (r *Room) touch() {
	close(r.change)
	r.change = make(chan struct{})
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// Start begins to acknowledge, to count and to carry out.
func (r *Room) Start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.workers.Go(func() {
		for {
			if err := r.Work(ctx); err != nil && ctx.Err() == nil {
				r.cfg.Slog.Warn("joint decisions; it will be tried again", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-r.news:
			case <-time.After(r.cfg.Tick):
			}
		}
	})
}

// Close ends the work.
func (r *Room) Close() {
	if r.stop != nil {
		r.stop()
	}
	r.workers.Wait()
}

// opener opens statements of a decision with the keys that are known here.
func (r *Room) opener(nations ...string) *decision.Opener {
	return &decision.Opener{Realm: r.cfg.Realm, Nations: nations, Keys: r.cfg.Keys}
}

// open judges a proposal by its accord. The caller holds mu.
func (r *Room) open(m *matter) (*decision.Case, Accord, error) {
	if m.what == nil {
		return nil, Accord{}, fault.New(fault.NotFound, "decision.none", "no such decision")
	}
	a, ok := r.cfg.Accord(m.what.Accord)
	if !ok {
		return nil, a, fault.New(fault.NotFound, "decision.accord", "the accord of this decision is not known here with the signatures of its parties")
	}
	c, err := r.opener().Case(a.Bundle, m.weights, m.proposal)
	return c, a, err
}

// statements are the envelopes of a kind. The caller holds mu.
func (m *matter) statements(kind, nation string) (out []said) {
	for _, s := range m.said {
		if s.Kind == kind && (nation == "" || s.Nation == nation) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b said) int { return cmp.Or(cmp.Compare(a.Nation, b.Nation), cmp.Compare(a.Index, b.Index)) })
	return out
}

// keep writes a statement down. The caller holds mu; it is let go meanwhile and taken again.
func (r *Room) keep(ctx context.Context, m *matter, s said, act store.Act, more ...store.Doc) error {
	for _, k := range m.said {
		if k.Origin == s.Origin && k.Index == s.Index {
			return nil
		}
	}
	value, err := json.Marshal(s)
	if err != nil {
		return fault.New(fault.Internal, "", "a statement cannot be written down").Because(err)
	}
	name := fmt.Sprintf("%s/%s/%s/%020d", key(m.digest), s.Nation, s.Origin[strings.LastIndexByte(s.Origin, '/')+1:], s.Index)
	if err := r.cfg.Docs.PutDocs(ctx, act, append(more, store.Doc{Kind: docSaid, Key: name, Value: value})...); err != nil {
		return err
	}
	m.said = append(m.said, s)
	r.touch()
	return nil
}

// same tells whether two envelopes are the same bytes, or the same payload under other signatures.
func same(a, b []byte) bool {
	x, err := dsse.Parse(a)
	if err != nil {
		return false
	}
	y, err := dsse.Parse(b)
	return err == nil && x.PayloadType == y.PayloadType && bytes.Equal(x.Payload, y.Payload)
}
