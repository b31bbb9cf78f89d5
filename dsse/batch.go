package dsse

import (
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxBatch is how many payloads one batch has at most.
const MaxBatch = 1 << 16

// batchType is the payload type under which the root of a batch is signed: no payload of another type can be taken for it.
const batchType = "application/vnd.entente.batch"

// SignBatch gives an envelope for each payload, all under one signature: that of the root of a Merkle tree (RFC 6962 section 2.1) over their
// pre-authentication encodings. A signature then holds the root's signature, the payload's index and the batch's length (32 bits each, big
// endian) and the hashes beside its way to the root. Verify takes such an envelope as any other.
func SignBatch(payloadType string, payloads [][]byte, s Signer) ([]Envelope, error) {
	if len(payloads) == 0 || len(payloads) > MaxBatch {
		return nil, refuse("envelope.form", "a batch has 1 to 65536 payloads")
	}
	level := make([]tlog.Hash, len(payloads))
	for i, p := range payloads {
		level[i] = tlog.RecordHash(PAE(payloadType, p))
	}
	paths := make([][]byte, len(payloads))
	at := make([]int, len(payloads)) // where each payload's ancestor stands in the level
	for i := range at {
		at[i] = i
	}
	for len(level) > 1 {
		for i, a := range at {
			if sibling := a ^ 1; sibling < len(level) {
				paths[i] = append(paths[i], level[sibling][:]...)
			}
			at[i] = a / 2
		}
		up := level[:0:0]
		for i := 0; i < len(level); i += 2 {
			if i+1 < len(level) {
				up = append(up, tlog.NodeHash(level[i], level[i+1]))
			} else {
				up = append(up, level[i])
			}
		}
		level = up
	}
	sig, err := s.Sign(rootMessage(level[0], len(payloads)))
	if err != nil {
		return nil, err
	}
	out := make([]Envelope, len(payloads))
	for i := range out {
		whole := append(append(append(append([]byte(nil), sig...), be32(i)...), be32(len(payloads))...), paths[i]...)
		out[i] = Envelope{payloadType, payloads[i], []Signature{{s.Key().ID(), whole}}}
	}
	return out, nil
}

// Verifier checks signatures and remembers the roots of batches that held. Its zero value is ready. It is for one goroutine at a time.
type Verifier struct {
	roots map[root]struct{}
}

type root struct {
	key   string
	hash  tlog.Hash
	count int
}

const maxRoots = 1024

func (v *Verifier) holds(k *Key, message, sig []byte) bool {
	plain := k.size()
	if len(sig) <= plain {
		return k.verify(message, sig)
	}
	rest := sig[plain:]
	if len(rest) < 8 {
		return false
	}
	index, count := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
	if count == 0 || count > MaxBatch || index >= count {
		return false
	}
	hash, ok := climb(tlog.RecordHash(message), int(index), int(count), rest[8:])
	if !ok {
		return false
	}
	r := root{k.ID(), hash, int(count)}
	if _, known := v.roots[r]; known {
		return true
	}
	if !k.verify(rootMessage(hash, int(count)), sig[:plain]) {
		return false
	}
	if v.roots == nil || len(v.roots) >= maxRoots {
		v.roots = map[root]struct{}{}
	}
	v.roots[r] = struct{}{}
	return true
}

// climb goes from a leaf to the root by the hashes beside its way.
func climb(h tlog.Hash, index, count int, path []byte) (tlog.Hash, bool) {
	for n := count; n > 1; n = (n + 1) / 2 {
		if sibling := index ^ 1; sibling < n {
			if len(path) < 32 {
				return h, false
			}
			beside := tlog.Hash(path[:32])
			path = path[32:]
			if index&1 == 0 {
				h = tlog.NodeHash(h, beside)
			} else {
				h = tlog.NodeHash(beside, h)
			}
		}
		index /= 2
	}
	return h, len(path) == 0
}

func rootMessage(h tlog.Hash, count int) []byte {
	return PAE(batchType, append(h[:], be32(count)...))
}
