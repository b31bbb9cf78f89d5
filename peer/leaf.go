// Package peer is what nodes of nations say to each other: logs that only grow, of fixed-width leaves that commit to signed envelopes; checkpoints
// over them; a verifier that takes nothing which does not lead to a signed root; what the envelopes hold; and the requests that carry all this. One format
// and one verifier serve pulling, live streams, pushing and bundles. docs/wire.md is its specification. It is pure: a client asks through a given
// Doer, a server answers from a given Backend, and neither has a clock.
package peer

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LeafSize is the bytes of every leaf, so that a leaf's size tells nothing.
const LeafSize = 128

// Kind says what a leaf records.
type Kind uint8

// Kinds of leaves.
const (
	Put       Kind = 1 // a rendition
	Retract   Kind = 2 // the target was wrong
	Relabel   Kind = 3 // the target has another label from now on
	Purge     Kind = 4 // the target is to be destroyed, and a receipt given
	Accord    Kind = 5 // a version of the accord under which the log stands, before everything that it permits
	Heartbeat Kind = 6 // nothing but the time
	State     Kind = 7 // the accord was suspended, resumed or terminated
	Decision  Kind = 8 // what its party says in a joint decision
)

var kindNames = [...]string{Put: "put", Retract: "retract", Relabel: "relabel", Purge: "purge", Accord: "accord", Heartbeat: "heartbeat", State: "state", Decision: "decision"}

func (k Kind) String() string {
	if k.valid() {
		return kindNames[k]
	}
	return "unknown"
}

func (k Kind) valid() bool { return k >= Put && k <= Decision }

// order tells whether the kind is about an earlier leaf.
func (k Kind) order() bool { return k == Retract || k == Relabel || k == Purge }

// Leaf is one entry of a log. It names nothing: what it is about is in the envelope that it commits to, and without the envelope's salt the
// commitment tells nothing either.
type Leaf struct {
	Kind     Kind
	Commit   [32]byte  // Commit of salt and envelope
	Accord   [32]byte  // digest of the accord's version
	Order    uint64    // which version of its object in this log it is, from 1; 0 where there is no object
	Time     time.Time // by the originator's clock; microseconds
	NotAfter time.Time // it may not be held after; zero: no end
	Bucket   uint64    // Padme of the envelope's length
	Target   uint64    // of an order: 1 + the index of the leaf that it is about; else 0
	Topic    [16]byte  // of a decision: which one, so that a log proves what was not said in it without showing the rest; else zero
}

// Commit is what a leaf holds of an envelope: SHA-256 of the salt and the envelope's bytes.
func Commit(salt [16]byte, envelope []byte) (sum [32]byte) {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(envelope)
	h.Sum(sum[:0])
	return sum
}

// Padme rounds a length up so that it tells O(log log n) bits (Nikitin and others, "Reducing Metadata Leakage from Encrypted Files and
// Communication with PURBs", section 4).
func Padme(n uint64) uint64 {
	if n < 2 || n > 1<<62 {
		return n
	}
	e := bits.Len64(n) - 1
	low := e - bits.Len64(uint64(e)) // bits that become zero
	mask := uint64(1)<<max(low, 0) - 1
	return (n + mask) &^ mask
}

// Append adds the leaf's bytes: kind, flags and 6 reserved, commit, accord, then order, time, notAfter, bucket and target in 8 bytes each, big endian,
// and the topic in 16. Flags and what is reserved is zero.
func (l *Leaf) Append(b []byte) []byte {
	b = append(b, byte(l.Kind), 0, 0, 0, 0, 0, 0, 0)
	b = append(append(b, l.Commit[:]...), l.Accord[:]...)
	for _, n := range [...]uint64{l.Order, micros(l.Time), micros(l.NotAfter), l.Bucket, l.Target} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return append(b, l.Topic[:]...)
}

// Hash is the leaf's hash in the tree (RFC 6962, section 2.1).
func (l *Leaf) Hash() tlog.Hash {
	var b [LeafSize]byte
	return leafHash(l.Append(b[:0]))
}

func leafHash(leaf []byte) tlog.Hash {
	var b [1 + LeafSize]byte
	copy(b[1:], leaf)
	return sha256.Sum256(b[:])
}

// ParseLeaf reads what Append wrote, and nothing else.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) != LeafSize {
		return Leaf{}, refuse(CodeForm, "a leaf has %d bytes, this has %d", LeafSize, len(b))
	}
	l := Leaf{Kind: Kind(b[0]), Commit: [32]byte(b[8:40]), Accord: [32]byte(b[40:72]), Topic: [16]byte(b[112:])}
	var n [5]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(b[72+8*i:])
	}
	switch {
	case !l.Kind.valid():
		return Leaf{}, refuse(CodeForm, "a leaf of kind %d is not known", b[0])
	case [7]byte(b[1:8]) != [7]byte{}:
		return Leaf{}, refuse(CodeForm, "the reserved bytes of a leaf are zero")
	case (l.Kind == Decision) != (l.Topic != [16]byte{}):
		return Leaf{}, refuse(CodeForm, "what is said in decisions, and nothing else, has a topic")
	case n[1] == 0 || n[1] > maxMicros || n[2] > maxMicros:
		return Leaf{}, refuse(CodeForm, "a leaf's time is not between 1970 and 9999")
	case l.Kind.order() != (n[4] != 0):
		return Leaf{}, refuse(CodeForm, "orders, and only orders, name a target")
	}
	l.Order, l.Time, l.NotAfter, l.Bucket, l.Target = n[0], fromMicros(n[1]), fromMicros(n[2]), n[3], n[4]
	return l, nil
}

const (
	maxSeconds = 253402300799 // the end of the year 9999
	maxMicros  = maxSeconds*1_000_000 + 999_999
)

func micros(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMicro())
}

func fromMicros(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n)).UTC()
}
