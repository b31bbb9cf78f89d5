package decision

import (
	"bytes"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"entente/peer"
)

// Silence is a party's own log from its ack to a checkpoint of its own that it signed when the deadline had passed at it: whatever it said about the proposal in
// between is there, and if nothing is there it was silent. Of other decisions it shows the leaves alone, which tell nothing but that they are there.
type Silence struct {
	Nation     string `json:"nation"`
	Origin     string `json:"origin"`         // of the log
	Index      uint64 `json:"index"`          // of the leaf of the ack
	Edge       []byte `json:"edge,omitempty"` // the roots of the complete subtrees before it (peer.Edge), 32 bytes each, the largest first
	Leaves     []byte `json:"leaves"`         // from the ack to the end of the checkpoint, 128 bytes each
	Said       []Said `json:"said"`           // what those leaves commit to that have the proposal's topic; the ack is the first
	Checkpoint string `json:"checkpoint"`     // the signed note
}

// Said is an envelope in the log.
type Said struct {
	At       uint64   `json:"at"`   // after the ack: 0 is the ack itself
	Salt     [16]byte `json:"salt"` // of the leaf's commitment
	Envelope value    `json:"envelope"`
}

// NewSilence makes the proof from a party's log: the edge before its ack, every frame from there to the checkpoint, and the checkpoint. That it holds is for
// Case.Silence to say.
func NewSilence(nation string, topic [16]byte, before peer.Edge, frames []peer.Frame, checkpoint []byte) (*Silence, error) {
	c, err := peer.PeekCheckpoint(checkpoint)
	if err != nil {
		return nil, refuse(CodeSilence, "the checkpoint of %s: %v", nation, err)
	}
	if len(frames) == 0 || len(frames) > MaxLeaves || before.Size+uint64(len(frames)) != c.Size || len(before.Nodes) != bits.OnesCount64(before.Size) {
		return nil, refuse(CodeSilence, "a proof of silence has the 1 to %d leaves from the ack to the end of the checkpoint", MaxLeaves)
	}
	s := &Silence{Nation: nation, Origin: c.Origin, Index: before.Size, Checkpoint: string(checkpoint), Leaves: make([]byte, 0, len(frames)*peer.LeafSize)}
	for _, h := range before.Nodes {
		s.Edge = append(s.Edge, h[:]...)
	}
	for i := range frames {
		f := &frames[i]
		s.Leaves = f.Leaf.Append(s.Leaves)
		if f.Leaf.Topic != topic {
			continue
		}
		if f.Gone() {
			return nil, refuse(CodeSilence, "what leaf %d of the log of %s says about the proposal is gone: its silence cannot be shown any more", s.Index+uint64(i), nation)
		}
		s.Said = append(s.Said, Said{uint64(i), f.Salt, bytes.Clone(f.Envelope)})
	}
	return s, nil
}

// shown is what a party's own log shows.
type shown struct {
	nation    string
	noticed   bool        // it had the proposal in time
	positions []*Position // in time
}

// Silence judges a proof, and tells what it shows about its party: whether it had notice in time, and the positions that it took before the deadline.
func (c *Case) Silence(s *Silence) (noticed bool, positions []*Position, err error) {
	got, err := c.silence(s)
	if err != nil {
		return false, nil, err
	}
	return got.noticed, got.positions, nil
}

func (c *Case) silence(s *Silence) (*shown, error) {
	v := c.voter(s.Nation)
	if v == nil || v.org == "" {
		return nil, refuse(CodeRule, "%s has no right to vote on this", s.Nation)
	}
	out := &shown{nation: s.Nation}
	if c.o.seeded.inbox && s.Checkpoint == "" {
		out.noticed = true
		return out, nil
	}
	leaves, err := c.leaves(s, v)
	if err != nil {
		return nil, err
	}
	said := s.Said
	for i := range leaves {
		l := &leaves[i]
		if l.Topic != c.Topic {
			if i == 0 {
				return nil, refuse(CodeSilence, "the proof of %s does not begin with its ack", s.Nation)
			}
			continue
		}
		if len(said) == 0 || said[0].At != uint64(i) {
			return nil, refuse(CodeSilence, "what leaf %d of the log of %s says about the proposal is not there", s.Index+uint64(i), s.Nation)
		}
		f := peer.Frame{Leaf: *l, Salt: said[0].Salt, Envelope: said[0].Envelope}
		if err := f.Check(); err != nil || f.Gone() {
			return nil, refuse(CodeSilence, "what is said to be in leaf %d of the log of %s is not what it commits to", s.Index+uint64(i), s.Nation)
		}
		if err := c.said(out, v, &f, i == 0); err != nil {
			return nil, err
		}
		said = said[1:]
	}
	if len(said) > 0 {
		return nil, refuse(CodeSilence, "the log of %s has not said all that the proof says it did", s.Nation)
	}
	return out, nil
}

// leaves gives the leaves, when they lead to a checkpoint that the party's node signed when the deadline had passed.
func (c *Case) leaves(s *Silence, v *voter) ([]peer.Leaf, error) {
	n := len(s.Leaves) / peer.LeafSize
	if n == 0 || n > MaxLeaves || n*peer.LeafSize != len(s.Leaves) || s.Index > 1<<48 || len(s.Edge) != bits.OnesCount64(s.Index)*tlog.HashSize || !peer.IsOrigin(s.Origin) {
		return nil, refuse(CodeForm, "the proof of silence of %s has 1 to %d leaves, and the edge before them", s.Nation, MaxLeaves)
	}
	note, err := c.o.checkpoint([]byte(s.Checkpoint), s.Origin, v.nation, v.org)
	if err != nil {
		return nil, err
	}
	if note.Time.Before(c.Proposal.Deadline) && !c.o.seeded.early {
		return nil, refuse(CodeTime, "the checkpoint of %s is of %s, before the deadline %s: it can still say something", s.Nation, stamp(note.Time), stamp(c.Proposal.Deadline))
	}
	if note.Size != s.Index+uint64(n) {
		return nil, refuse(CodeSilence, "the proof of %s ends at %d leaves, and the checkpoint is of %d", s.Nation, s.Index+uint64(n), note.Size)
	}
	edge := peer.Edge{Size: s.Index}
	for b := s.Edge; len(b) > 0; b = b[tlog.HashSize:] {
		edge.Nodes = append(edge.Nodes, tlog.Hash(b))
	}
	out := make([]peer.Leaf, n)
	for i := range out {
		if out[i], err = peer.ParseLeaf(s.Leaves[i*peer.LeafSize : (i+1)*peer.LeafSize]); err != nil {
			return nil, refuse(CodeForm, "leaf %d of the log of %s: %v", s.Index+uint64(i), s.Nation, err)
		}
		edge.Add(out[i].Hash(), nil)
	}
	if edge.Root() != note.Root {
		return nil, refuse(CodeSilence, "the leaves of %s do not lead to the root of its checkpoint", s.Nation)
	}
	return out, nil
}

// said takes what one leaf says.
func (c *Case) said(out *shown, v *voter, f *peer.Frame, first bool) error {
	e, err := parseEnvelope(f.Envelope)
	if err != nil {
		return err
	}
	kind := payloadType(&e, c.o.Realm)
	if kind == "" || first && kind != AckType {
		return refuse(CodeSilence, "the proof of %s does not begin with its ack, or its log holds what is no part of a decision", v.nation)
	}
	switch kind {
	case AckType:
		a, err := c.o.Ack(f.Envelope)
		if err != nil {
			return err
		}
		if a.Proposal != c.Digest || a.Round != c.Proposal.Round || a.Nation != v.nation || a.Org != v.org {
			return refuse(CodeBinding, "the ack in the log of %s is of another proposal or party", v.nation)
		}
		if first {
			out.noticed = !f.Leaf.Time.After(c.Notice())
		}
	case PositionType:
		p, err := c.Position(f.Envelope)
		switch {
		case p == nil:
			return err
		case p.Nation != v.nation:
			return refuse(CodeSilence, "the log of %s holds a position of %s", v.nation, p.Nation)
		case !p.Time.Before(c.Proposal.Deadline) || !f.Leaf.Time.Before(c.Proposal.Deadline):
			return nil // too late to count
		}
		out.positions = append(out.positions, p)
		return err
	}
	return nil
}
