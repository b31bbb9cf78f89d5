package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// Limits are the bounds of what is read and served. A zero field is its default.
type Limits struct {
	Envelope   int   // bytes of one envelope; 1 MiB
	Frames     int   // frames of one batch; 1000
	BatchBytes int64 // bytes of one batch; 64 MiB
	Logs       int   // logs that one party has part in, and positions in a request; 4096
	Body       int64 // bytes of a JSON body; 4 MiB
}

// Values gives the limits with defaults where nothing is set.
func (l Limits) Values() Limits {
	set(&l.Envelope, 1<<20)
	set(&l.Frames, 1000)
	set(&l.BatchBytes, 64<<20)
	set(&l.Logs, 4096)
	set(&l.Body, 4<<20)
	return l
}

func set[T int | int64](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Frame is a leaf with what it commits to.
type Frame struct {
	Leaf     Leaf
	Salt     [16]byte
	Envelope []byte // exact bytes; nil for a heartbeat, and where Gone
}

const frameHead = LeafSize + 16 + 4

// Gone tells whether envelope and salt were destroyed, or are held back: the leaf alone is there.
func (f *Frame) Gone() bool { return len(f.Envelope) == 0 && f.Salt == [16]byte{} }

// Bare is the frame without what a purge destroys.
func (f *Frame) Bare() Frame { return Frame{Leaf: f.Leaf} }

// Check tells whether the envelope is the one that the leaf commits to. A frame that is Gone commits to nothing that can be checked.
func (f *Frame) Check() error {
	if f.Gone() {
		return nil
	}
	switch {
	case (f.Leaf.Kind == Heartbeat) != (len(f.Envelope) == 0):
		return refuse(CodeCommitment, "a leaf of kind %s has an envelope of %d bytes", f.Leaf.Kind, len(f.Envelope))
	case f.Leaf.Bucket != Padme(uint64(len(f.Envelope))):
		return refuse(CodeCommitment, "the leaf gives %d for the length of an envelope of %d bytes", f.Leaf.Bucket, len(f.Envelope))
	case f.Leaf.Commit != Commit(f.Salt, f.Envelope):
		return refuse(CodeCommitment, "the envelope is not the one that the leaf commits to")
	}
	return nil
}

// Append adds the frame's bytes: leaf, salt, the envelope's length in 4 bytes, big endian, and the envelope.
func (f *Frame) Append(b []byte) []byte {
	b = append(f.Leaf.Append(b), f.Salt[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Envelope)))
	return append(b, f.Envelope...)
}

// ParseFrame reads one frame and gives what follows it. The envelope is a part of b.
func ParseFrame(b []byte, maxEnvelope int) (f Frame, rest []byte, err error) {
	if len(b) < frameHead {
		return f, nil, refuse(CodeForm, "a frame is cut short")
	}
	if f.Leaf, err = ParseLeaf(b[:LeafSize]); err != nil {
		return f, nil, err
	}
	f.Salt = [16]byte(b[LeafSize:])
	n := binary.BigEndian.Uint32(b[LeafSize+16:])
	b = b[frameHead:]
	if uint64(n) > uint64(maxEnvelope) {
		return f, nil, refuse(CodeSize, "an envelope has %d bytes, more than %d", n, maxEnvelope)
	}
	if uint64(len(b)) < uint64(n) {
		return f, nil, refuse(CodeForm, "a frame is cut short")
	}
	if n > 0 {
		f.Envelope = b[:n:n]
	}
	return f, b[n:], nil
}

// Batch is a part of a log as it travels: the frames from an index on, and a signed checkpoint with proofs that they belong to it. It is the
// body of a pull, of a push, and the unit of a stream.
type Batch struct {
	Origin     string
	From       uint64 // index of the first frame
	Frames     []Frame
	Checkpoint []byte      // signed note, of a size that is at least From + len(Frames)
	Leads      []tlog.Hash // consistency proof from the size after these frames to the checkpoint's; empty when they are equal
	Grows      []tlog.Hash // consistency proof from the last checkpoint that the reader said it knows to this one; empty when the frames show it
}

// Bounds of a batch that nothing sets.
const (
	maxOrigin     = 64
	maxCheckpoint = 64 << 10 // a log's signature and those of its cosigners
	maxProof      = 64
)

// End is the size of the log after the frames.
func (b *Batch) End() uint64 { return b.From + uint64(len(b.Frames)) }

// Items of a stream.
const (
	itemBatch  = 'B'
	itemPing   = 'P'
	itemSealed = 'S'
)

// Append adds the batch's bytes, as docs/wire.md has them.
func (b *Batch) Append(to []byte) []byte {
	to = append(to, itemBatch)
	head := len(to)
	to = append(to, 0, 0, 0, 0)
	to = append(append(to, byte(len(b.Origin))), b.Origin...)
	to = binary.BigEndian.AppendUint64(to, b.From)
	to = binary.BigEndian.AppendUint32(to, uint32(len(b.Frames)))
	for i := range b.Frames {
		to = b.Frames[i].Append(to)
	}
	to = appendProofs(to, b.Leads, b.Grows)
	to = appendSized(to, b.Checkpoint)
	binary.BigEndian.PutUint32(to[head:], uint32(len(to)-head-4))
	return to
}

func appendProofs(to []byte, proofs ...[]tlog.Hash) []byte {
	for _, proof := range proofs {
		to = append(to, byte(len(proof)))
		for _, h := range proof {
			to = append(to, h[:]...)
		}
	}
	return to
}

func appendSized(to, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(b))), b...)
}

// ReadBatch reads the next batch of a stream, or nil for a ping. At the end of the stream it is io.EOF; io.ErrUnexpectedEOF within an item.
func ReadBatch(r *bufio.Reader, limits Limits) (*Batch, error) {
	limits = limits.Values()
	body, err := readItem(r, itemBatch, limits)
	if body == nil || err != nil {
		return nil, err
	}
	return parseBatch(body, limits)
}

// readItem gives what follows the head of the next item, which must be of that kind, or nil for a ping.
func readItem(r *bufio.Reader, kind byte, limits Limits) ([]byte, error) {
	switch item, err := r.ReadByte(); {
	case err != nil:
		return nil, err
	case item == itemPing:
		return nil, nil
	case item != kind:
		return nil, refuse(CodeForm, "this stream has no item %q", item)
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, short(err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > limits.BatchBytes {
		return nil, refuse(CodeSize, "a batch has %d bytes, more than %d", n, limits.BatchBytes)
	}
	body, err := readExactly(r, n)
	if err != nil {
		return nil, short(err)
	}
	return body, nil
}

// readExactly takes memory as the bytes arrive, not as they were announced.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(n, step))
	for int64(len(b)) < n {
		take := min(n-int64(len(b)), max(step, int64(len(b))))
		b = append(b, make([]byte, take)...)
		if _, err := io.ReadFull(r, b[int64(len(b))-take:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ParseBatch reads one batch that stands alone.
func ParseBatch(b []byte, limits Limits) (*Batch, error) {
	if len(b) < 5 || b[0] != itemBatch || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) {
		return nil, refuse(CodeForm, "this is not one batch")
	}
	return parseBatch(b[5:], limits.Values())
}

func parseBatch(b []byte, limits Limits) (*Batch, error) {
	c := cutter{b: b}
	out := &Batch{Origin: string(c.take(int(c.byte())))}
	out.From = c.uint64()
	count := c.uint32()
	if c.bad || !IsOrigin(out.Origin) || out.From > maxSize {
		return nil, refuse(CodeForm, "the head of a batch is not one")
	}
	if uint64(count) > uint64(limits.Frames) {
		return nil, refuse(CodeSize, "a batch has %d frames, more than %d", count, limits.Frames)
	}
	out.Frames = make([]Frame, 0, min(int(count), len(c.b)/frameHead))
	for range count {
		f, rest, err := ParseFrame(c.b, limits.Envelope)
		if err != nil {
			return nil, err
		}
		out.Frames, c.b = append(out.Frames, f), rest
	}
	if err := c.proofs(&out.Leads, &out.Grows); err != nil {
		return nil, err
	}
	n := c.uint32()
	if n > maxCheckpoint {
		return nil, refuse(CodeSize, "a checkpoint has %d bytes, more than %d", n, maxCheckpoint)
	}
	out.Checkpoint = c.take(int(n))
	if c.bad || len(c.b) > 0 {
		return nil, refuse(CodeForm, "the end of a batch is not where its lengths say")
	}
	return out, nil
}

// maxSize bounds the leaves of a log.
const maxSize = 1 << 48

// cutter takes bytes from the front and remembers when there were too few.
type cutter struct {
	b   []byte
	bad bool
}

func (c *cutter) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad = true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cutter) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cutter) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cutter) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// proofs takes proofs, each a number of hashes in one byte and the hashes.
func (c *cutter) proofs(out ...*[]tlog.Hash) error {
	for _, proof := range out {
		n := int(c.byte())
		if n > maxProof {
			return refuse(CodeSize, "a proof has %d hashes, more than %d", n, maxProof)
		}
		for range n {
			if h := c.take(tlog.HashSize); h != nil {
				*proof = append(*proof, tlog.Hash(h))
			}
		}
	}
	return nil
}
