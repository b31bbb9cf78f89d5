package peer

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// Verifier follows one log of another node. It keeps what it needs to verify growth and nothing else: the size, the roots of the complete trees at
// the right edge, and the last checkpoint. Its zero value with Origin set has seen nothing. It is for one goroutine at a time.
type Verifier struct {
	Origin string
	Limits Limits

	edge Edge
	last Checkpoint
	note []byte // last, signed
}

// Size is how many leaves are verified.
func (v *Verifier) Size() uint64 { return v.edge.Size }

// Last is the newest checkpoint that was verified, and its signed note. Its size is the log's, and may be beyond what was read of it.
func (v *Verifier) Last() (Checkpoint, []byte) { return v.last, v.note }

// Memory is what a verifier remembers, to be kept with what was verified by it.
type Memory struct {
	Edge Edge
	Note []byte
}

// Memory gives what Resume takes.
func (v *Verifier) Memory() Memory {
	return Memory{v.edge, v.note}
}

// Resume gives a verifier as it was. What is remembered is one's own: only its form is checked.
func Resume(origin string, s Memory, limits Limits) (*Verifier, error) {
	v := &Verifier{Origin: origin, Limits: limits, edge: s.Edge, note: s.Note}
	if len(s.Edge.Nodes) != bits.OnesCount64(s.Edge.Size) {
		return nil, refuse(CodeForm, "the remembered edge is not that of %d leaves", s.Edge.Size)
	}
	if len(s.Note) > 0 {
		var err error
		if v.last, err = PeekCheckpoint(s.Note); err != nil {
			return nil, err
		}
	}
	if v.last.Size < v.edge.Size || len(s.Note) > 0 && v.last.Origin != origin {
		return nil, refuse(CodeForm, "the remembered checkpoint is not that of the remembered leaves")
	}
	return v, nil
}

// Extend takes the next frames of the log, all of them or none. It verifies, in this order: bounds; the checkpoint's signatures, by one of the keys; that it
// does not contradict the last one; that the frames follow what is known, without a gap (frames that are known already are passed over, and must be
// where the known ones are); that the log did not become smaller; that each envelope is the one its leaf commits to; that the leaves lead to the signed
// root; and that the last checkpoint leads there too. It gives the frames that are new. Their envelopes' own signatures are the next thing to verify: Open.
//
// A checkpoint that contradicts the last one is an *Equivocation, which proves to anyone that the originator signed two pasts.
func (v *Verifier) Extend(b *Batch, keys ...*dsse.Key) ([]Frame, error) {
	limits := v.Limits.Values()
	var buf [LeafSize]byte
	skip, err := v.extend(part{b.Origin, b.From, len(b.Frames), b.Checkpoint, b.Leads, b.Grows}, func(i int, index uint64) (tlog.Hash, error) {
		f := &b.Frames[i]
		if len(f.Envelope) > limits.Envelope {
			return tlog.Hash{}, refuse(CodeSize, "an envelope has %d bytes, more than %d", len(f.Envelope), limits.Envelope)
		}
		if err := f.Check(); err != nil {
			return tlog.Hash{}, err
		}
		if f.Leaf.Target > index {
			return tlog.Hash{}, refuse(CodeForm, "an order is about a later leaf")
		}
		return leafHash(f.Leaf.Append(buf[:0])), nil
	}, keys)
	if err != nil {
		return nil, err
	}
	return b.Frames[skip:], nil
}

// part is a part of a log without what its leaves are about.
type part struct {
	origin       string
	from         uint64
	count        int
	checkpoint   []byte
	leads, grows []tlog.Hash
}

// extend takes the next leaves; leaf gives the hash of the one at a place of the part, which will stand at an index of the log, once it is checked. It gives how
// many of the part's leaves were known.
func (v *Verifier) extend(p part, leaf func(i int, index uint64) (tlog.Hash, error), keys []*dsse.Key) (skip int, err error) {
	limits := v.Limits.Values()
	end := p.from + uint64(p.count)
	switch {
	case p.origin != v.Origin:
		return 0, refuse(CodeOrigin, "the batch is of another log")
	case p.count > limits.Frames:
		return 0, refuse(CodeSize, "a batch has %d frames, more than %d", p.count, limits.Frames)
	case len(p.leads) > maxProof || len(p.grows) > maxProof:
		return 0, refuse(CodeSize, "a proof has more than %d hashes", maxProof)
	}
	c, err := OpenCheckpoint(p.checkpoint, v.Origin, keys...)
	if err != nil {
		return 0, err
	}
	switch {
	case c.Size < v.last.Size && c.Time.After(v.last.Time):
		return 0, &Equivocation{First: v.note, Second: p.checkpoint}
	case c.Size == v.last.Size && c.Root != v.last.Root && len(v.note) > 0:
		return 0, &Equivocation{First: v.note, Second: p.checkpoint}
	case p.from > v.edge.Size:
		return 0, refuse(CodeGap, "the frames begin at %d, and %d are known", p.from, v.edge.Size)
	case end < v.edge.Size:
		return 0, refuse(CodeGap, "the frames end at %d, and %d are known", end, v.edge.Size)
	case c.Size < v.last.Size: // it may be an old one that comes late
		return 0, refuse(CodeRollback, "the checkpoint is of %d leaves, one of %d is known", c.Size, v.last.Size)
	case c.Size < end:
		return 0, refuse(CodeProof, "the frames go beyond the checkpoint")
	}
	skip = int(v.edge.Size - p.from)
	next := Edge{v.edge.Size, append(make([]tlog.Hash, 0, 64), v.edge.Nodes...)}
	crossed, prefix := v.last.Size == v.edge.Size, v.last.Root
	for i := skip; i < p.count; i++ {
		h, err := leaf(i, next.Size)
		if err != nil {
			return 0, err
		}
		next.Add(h, nil)
		if next.Size == v.last.Size {
			crossed, prefix = true, next.Root()
		}
	}
	if !leads(p.leads, c, next.Size, next.Root()) {
		return 0, refuse(CodeProof, "the frames do not lead to the signed root")
	}
	if crossed && prefix != v.last.Root && v.last.Size > 0 {
		// The frames' own root was proved to be a part of the new checkpoint, so it is the new past that differs.
		if e := (&Equivocation{First: v.note, Second: p.checkpoint, Prefix: prefix, Proof: p.grows}); e.Verify(v.Origin, keys...) == nil {
			return 0, e
		}
		return 0, refuse(CodeFork, "the frames lead past the last checkpoint on another way")
	}
	if !crossed && c.Size > v.last.Size && !leads(p.grows, c, v.last.Size, v.last.Root) {
		return 0, refuse(CodeFork, "the new checkpoint does not grow out of the last one")
	}
	v.edge = next
	if c.Size > v.last.Size || !c.Time.Before(v.last.Time) { // an older one that comes again is no news
		v.last, v.note = c, append([]byte(nil), p.checkpoint...)
	}
	return skip, nil
}

// leads tells whether the first leaves of the checkpoint's log are those of a log of the given size and root.
func leads(proof []tlog.Hash, c Checkpoint, size uint64, root tlog.Hash) bool {
	switch {
	case size == 0:
		return true
	case size == c.Size:
		return root == c.Root
	}
	return tlog.CheckTree(proof, int64(c.Size), c.Root, int64(size), root) == nil
}

// emptyRoot is SHA-256 of nothing.
var emptyRoot, _ = tlog.TreeHash(0, nil)

// Root is the root of the first size leaves of a log whose hashes the reader gives.
func Root(size uint64, r tlog.HashReader) (tlog.Hash, error) { return tlog.TreeHash(int64(size), r) }

// Prove gives the consistency proof from one size of a log to a larger one. From 0, and between equal sizes, nothing needs to be proved.
func Prove(from, to uint64, r tlog.HashReader) ([]tlog.Hash, error) {
	if from == 0 || from == to {
		return nil, nil
	}
	return tlog.ProveTree(int64(to), int64(from), r)
}

// Equivocation proves that the holder of a log's key signed two pasts: two checkpoints of one size with different roots; or one of a smaller size,
// and a proof that the log of the larger one began with another root; or one of a smaller size that says itself that it is the later one.
type Equivocation struct {
	First  []byte      `json:"first"`
	Second []byte      `json:"second"`
	Prefix tlog.Hash   `json:"prefix,omitzero"`
	Proof  []tlog.Hash `json:"proof,omitempty"`
}

func (e *Equivocation) Error() string { return "peer: the log signed two pasts" }

// Verify tells whether the proof holds. It needs nothing but the keys.
func (e *Equivocation) Verify(origin string, keys ...*dsse.Key) error {
	a, err := OpenCheckpoint(e.First, origin, keys...)
	if err != nil {
		return err
	}
	b, err := OpenCheckpoint(e.Second, origin, keys...)
	switch {
	case err != nil:
		return err
	case a.Size == b.Size && a.Root != b.Root, a.Size > b.Size && b.Time.After(a.Time):
		return nil
	case a.Size < b.Size && a.Size > 0 && len(e.Proof) <= maxProof && e.Prefix != a.Root && leads(e.Proof, b, a.Size, e.Prefix):
		return nil
	}
	return refuse(CodeProof, "the two checkpoints do not contradict each other")
}

// Included tells whether a leaf stands at an index under the checkpoint.
func Included(c Checkpoint, index uint64, l *Leaf, proof []tlog.Hash) bool {
	return index < c.Size && len(proof) <= maxProof && tlog.CheckRecord(proof, int64(c.Size), c.Root, int64(index), l.Hash()) == nil
}
