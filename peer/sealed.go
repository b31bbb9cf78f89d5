package peer

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// SealedBatch is a batch as a relay carries it: of every frame the hash of its leaf in clear and the frame itself in a box, under a key of the log's epoch
// that the relay does not have. With the hashes and the checkpoint the relay verifies the log as a reader does, so that it is a witness of it; it learns the log's
// name, padded sizes and times, and nothing else.
type SealedBatch struct {
	Origin     string
	From       uint64 // index of the first item
	Items      []SealedItem
	Checkpoint []byte
	Leads      []tlog.Hash // as of a Batch
	Grows      []tlog.Hash
	Epoch      uint32 // of the boxes' key; one for all of them
	Wraps      []Wrap // the key, for each reader; empty where readers have it
}

// SealedItem is a frame in its box.
type SealedItem struct {
	Leaf tlog.Hash
	Box  []byte
}

// Wrap is the key of an epoch, sealed to one reader.
type Wrap struct {
	Key  [32]byte // id of the reader's key
	Data []byte   // what package seal made of it, for purpose EpochPurpose
}

// Bounds of a sealed batch.
const (
	MaxWraps = 64
	MaxWrap  = 2048 // bytes

	boxOverhead = 12 + 16 // AES-256-GCM: nonce and tag
)

// EpochPurpose is what the key of a log's epoch is wrapped for.
func EpochPurpose(origin string, epoch uint32) string {
	return fmt.Sprintf("%s epoch %d", origin, epoch)
}

// End is the size of the log after the items.
func (b *SealedBatch) End() uint64 { return b.From + uint64(len(b.Items)) }

// Seal puts the batch's frames into boxes under the key of an epoch. A key serves one log for 2³² boxes at most.
func (b *Batch) Seal(epoch uint32, key [32]byte, wraps []Wrap) (*SealedBatch, error) {
	aead, err := boxCipher(key)
	if err != nil {
		return nil, err
	}
	s := &SealedBatch{Origin: b.Origin, From: b.From, Checkpoint: b.Checkpoint, Leads: b.Leads, Grows: b.Grows, Epoch: epoch, Wraps: wraps, Items: make([]SealedItem, len(b.Frames))}
	var plain []byte
	for i := range b.Frames {
		leaf := b.Frames[i].Leaf.Hash()
		plain = b.Frames[i].Append(plain[:0])
		plain = append(plain, make([]byte, int(Padme(uint64(len(plain))))-len(plain))...)
		s.Items[i] = SealedItem{leaf, aead.Seal(nil, nil, plain, boxData(b.Origin, b.From+uint64(i), leaf, epoch))}
	}
	return s, s.check(Limits{}.Values())
}

// Open takes the frames out of their boxes. Each is the one whose leaf the relay was shown at that place; that the leaves belong to the log is for the
// Verifier to see, as with any other batch.
func (b *SealedBatch) Open(key [32]byte, limits Limits) (*Batch, error) {
	limits = limits.Values()
	if err := b.check(limits); err != nil {
		return nil, err
	}
	aead, err := boxCipher(key)
	if err != nil {
		return nil, err
	}
	out := &Batch{Origin: b.Origin, From: b.From, Checkpoint: b.Checkpoint, Leads: b.Leads, Grows: b.Grows, Frames: make([]Frame, len(b.Items))}
	for i := range b.Items {
		item, index := &b.Items[i], b.From+uint64(i)
		plain, err := aead.Open(nil, nil, item.Box, boxData(b.Origin, index, item.Leaf, b.Epoch))
		if err != nil {
			return nil, refuse(CodeSealed, "the box at %d is not what was sealed there under this key", index)
		}
		f, rest, err := ParseFrame(plain, limits.Envelope)
		switch {
		case err != nil:
			return nil, err
		case uint64(len(plain)) != Padme(uint64(len(plain)-len(rest))):
			return nil, refuse(CodeForm, "the box at %d is not padded by the rule", index)
		case f.Leaf.Hash() != item.Leaf:
			return nil, refuse(CodeProof, "the box at %d holds another leaf than the one that stands there", index)
		}
		for _, pad := range rest {
			if pad != 0 {
				return nil, refuse(CodeForm, "the padding of the box at %d is not zero", index)
			}
		}
		out.Frames[i] = f
	}
	return out, nil
}

func boxCipher(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, refuse(CodeInternal, "no cipher can be made: %v", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, refuse(CodeInternal, "no cipher can be made: %v", err)
	}
	return aead, nil
}

// boxData is what a box is sealed with: it opens at one place of one log alone.
func boxData(origin string, index uint64, leaf tlog.Hash, epoch uint32) []byte {
	b := append(append([]byte("entente box/1\x00"), byte(len(origin))), origin...)
	b = binary.BigEndian.AppendUint64(b, index)
	b = append(b, leaf[:]...)
	return binary.BigEndian.AppendUint32(b, epoch)
}

// check holds the bounds that Append and a reader of it need.
func (b *SealedBatch) check(limits Limits) error {
	switch {
	case !IsOrigin(b.Origin) || b.From > maxSize || b.Epoch == 0:
		return refuse(CodeForm, "the head of a sealed batch is not one: it has a log, a place in it, and an epoch from 1")
	case len(b.Items) > limits.Frames:
		return refuse(CodeSize, "a sealed batch has %d items, more than %d", len(b.Items), limits.Frames)
	case len(b.Wraps) > MaxWraps:
		return refuse(CodeSize, "a sealed batch has %d wraps, more than %d", len(b.Wraps), MaxWraps)
	case len(b.Leads) > maxProof || len(b.Grows) > maxProof || len(b.Checkpoint) > maxCheckpoint:
		return refuse(CodeSize, "a proof or the checkpoint of a sealed batch is too long")
	}
	largest := int(Padme(uint64(limits.Envelope+frameHead))) + boxOverhead
	for i := range b.Items {
		if n := len(b.Items[i].Box); n < frameHead+boxOverhead || n > largest || uint64(n-boxOverhead) != Padme(uint64(n-boxOverhead)) {
			return refuse(CodeSize, "a box has %d bytes: no padded frame has, of %d bytes at most", n, largest)
		}
	}
	for i := range b.Wraps {
		if n := len(b.Wraps[i].Data); n == 0 || n > MaxWrap {
			return refuse(CodeSize, "a wrap has %d bytes, not 1 to %d", n, MaxWrap)
		}
	}
	return nil
}

// Append adds the sealed batch's bytes, as docs/wire.md has them.
func (b *SealedBatch) Append(to []byte) []byte {
	to = append(to, itemSealed)
	head := len(to)
	to = append(to, 0, 0, 0, 0)
	to = append(append(to, byte(len(b.Origin))), b.Origin...)
	to = binary.BigEndian.AppendUint64(to, b.From)
	to = binary.BigEndian.AppendUint32(to, uint32(len(b.Items)))
	for i := range b.Items {
		to = append(to, b.Items[i].Leaf[:]...)
		to = appendSized(to, b.Items[i].Box)
	}
	to = appendProofs(to, b.Leads, b.Grows)
	to = binary.BigEndian.AppendUint32(to, b.Epoch)
	to = append(to, byte(len(b.Wraps)))
	for i := range b.Wraps {
		to = append(to, b.Wraps[i].Key[:]...)
		to = appendSized(to, b.Wraps[i].Data)
	}
	to = appendSized(to, b.Checkpoint)
	binary.BigEndian.PutUint32(to[head:], uint32(len(to)-head-4))
	return to
}

// ParseSealed reads one sealed batch that stands alone. Boxes are parts of b.
func ParseSealed(b []byte, limits Limits) (*SealedBatch, error) {
	if len(b) < 5 || b[0] != itemSealed || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) {
		return nil, refuse(CodeForm, "this is not one sealed batch")
	}
	return parseSealed(b[5:], limits.Values())
}

// ReadSealed reads the next sealed batch of a stream, as ReadBatch does.
func ReadSealed(r *bufio.Reader, limits Limits) (*SealedBatch, error) {
	limits = limits.Values()
	body, err := readItem(r, itemSealed, limits)
	if body == nil || err != nil {
		return nil, err
	}
	return parseSealed(body, limits)
}

func parseSealed(b []byte, limits Limits) (*SealedBatch, error) {
	c := cutter{b: b}
	out := &SealedBatch{Origin: string(c.take(int(c.byte())))}
	out.From = c.uint64()
	count := c.uint32()
	if uint64(count) > uint64(limits.Frames) {
		return nil, refuse(CodeSize, "a sealed batch has %d items, more than %d", count, limits.Frames)
	}
	const least = tlog.HashSize + 4 + frameHead + boxOverhead
	out.Items = make([]SealedItem, 0, min(int(count), len(c.b)/least))
	for range count {
		leaf := c.take(tlog.HashSize)
		box := c.take(int(c.uint32()))
		if c.bad {
			return nil, refuse(CodeForm, "a sealed batch is cut short")
		}
		out.Items = append(out.Items, SealedItem{tlog.Hash(leaf), box})
	}
	if err := c.proofs(&out.Leads, &out.Grows); err != nil {
		return nil, err
	}
	out.Epoch = c.uint32()
	for range c.byte() {
		id := c.take(32)
		data := c.take(int(c.uint32()))
		if c.bad {
			return nil, refuse(CodeForm, "a sealed batch is cut short")
		}
		out.Wraps = append(out.Wraps, Wrap{[32]byte(id), data})
	}
	out.Checkpoint = c.take(int(c.uint32()))
	if c.bad || len(c.b) > 0 {
		return nil, refuse(CodeForm, "the end of a sealed batch is not where its lengths say")
	}
	return out, out.check(limits)
}

// Witness takes the next items of the log without opening them, all of them or none: what Extend verifies but for what is in the boxes. So a relay follows a log
// that it cannot read, and a fork, a rollback or a gap is the same error as for a reader. It gives the items that are new.
func (v *Verifier) Witness(b *SealedBatch, keys ...*dsse.Key) ([]SealedItem, error) {
	if err := b.check(v.Limits.Values()); err != nil {
		return nil, err
	}
	skip, err := v.extend(part{b.Origin, b.From, len(b.Items), b.Checkpoint, b.Leads, b.Grows}, func(i int, _ uint64) (tlog.Hash, error) { return b.Items[i].Leaf, nil }, keys)
	if err != nil {
		return nil, err
	}
	return b.Items[skip:], nil
}
