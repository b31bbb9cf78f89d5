package bundle

import (
	"crypto/sha256"
	"hash"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/peer"
	"entente/seal"
)

// Writer writes a bundle. What the manifest names must be given to it, in the manifest's order: key statements, accords, logs, and last heads, where there are
// any, in one part or several. It is for one goroutine at a time.
type Writer struct {
	sealed *seal.Writer
	realm  string
	node   dsse.Signer
	hash   hash.Hash
	bytes  uint64
	state  content
	buf    []byte
	err    error
}

// Create begins a bundle to the receiver who made the statement. The sender's node signs it: the hybrid key, under which its checkpoints stand.
func Create(w io.Writer, realm string, m Manifest, to *seal.Statement, node dsse.Signer) (*Writer, error) {
	m.V, m.To, m.Created = 1, Receiver(to), m.Created.UTC().Truncate(time.Second)
	if err := m.check(); err != nil {
		return nil, err
	}
	envelope, err := sign(realm, ManifestType, &m, node)
	if err != nil {
		return nil, err
	}
	if len(envelope) > MaxManifest {
		return nil, refuse("bundle.size", "the manifest has %d bytes, more than %d: write two bundles", len(envelope), MaxManifest)
	}
	sealed, err := seal.Seal(w, realm, Purpose, []*seal.Statement{to}, m.Created)
	if err != nil {
		return nil, &Error{"bundle.receiver", "it cannot be sealed to " + m.To.String(), err}
	}
	out := &Writer{sealed: sealed, realm: realm, node: node, hash: sha256.New(), state: content{manifest: m, limits: Limits{}.values()}}
	out.write([]byte(magic))
	out.item(kindManifest, envelope)
	out.state.items++
	return out, out.err
}

// KeyLog adds the next statements of a key log; its parts follow each other.
func (w *Writer) KeyLog(nation string, from uint64, statements [][]byte) error {
	k := &peer.KeyLog{Nation: nation, From: from, Statements: statements}
	b, err := json.Marshal(k)
	if err != nil {
		return refuse("bundle.form", "the statements cannot be written: %v", err)
	}
	return w.add(kindKeys, b, func() error { return w.state.takeKeys(k, len(b)) })
}

// Accord adds an accord with its signatures.
func (w *Writer) Accord(b []byte) error {
	return w.add(kindAccord, b, func() error { return w.state.takeAccord(len(b)) })
}

// Batch adds the next part of a log, of MaxBatch bytes at most.
func (w *Writer) Batch(b *peer.Batch) error {
	w.buf = b.Append(w.buf[:0])
	return w.add(kindBatch, w.buf, func() error { return w.state.takeBatch(b, len(w.buf)) })
}

// Heads adds what the sender has to say besides, of which the heads of others' logs are a part: docs/bundles.md has its form.
func (w *Writer) Heads(b []byte) error {
	return w.add(kindHeads, b, func() error { return w.state.takeHeads(len(b)) })
}

// Close signs the end and gives the bundle's digest, which the next one names. It does not close what it writes to.
func (w *Writer) Close() (peer.Digest, error) {
	if w.err == nil {
		w.err = w.state.whole()
	}
	if w.err != nil {
		return peer.Digest{}, w.err
	}
	t := trailer{V: 1, Digest: peer.Digest(w.hash.Sum(nil)), Items: w.state.items, Frames: w.state.frames, Bytes: w.bytes}
	envelope, err := sign(w.realm, TrailerType, &t, w.node)
	if err != nil {
		w.err = err
		return peer.Digest{}, err
	}
	if w.item(kindTrailer, envelope); w.err == nil {
		w.err = w.sealed.Close()
	}
	if w.err != nil {
		return peer.Digest{}, w.err
	}
	w.err = refuse("bundle.form", "the bundle is closed")
	return t.Digest, nil
}

func (w *Writer) add(kind byte, b []byte, take func() error) error {
	if w.err != nil {
		return w.err
	}
	if uint64(len(b)) > largest(kind) {
		w.err = refuse("bundle.size", "an item of kind %c has %d bytes, more than %d: give it in parts", kind, len(b), largest(kind))
	} else if w.err = take(); w.err == nil {
		w.item(kind, b)
	}
	return w.err
}

func (w *Writer) item(kind byte, b []byte) {
	w.write(appendHead(nil, kind, len(b)))
	w.write(b)
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	w.hash.Write(b)
	w.bytes += uint64(len(b))
	if w.bytes > uint64(w.state.limits.Bytes) {
		w.err = refuse("bundle.size", "a bundle has at most %d bytes: write several", w.state.limits.Bytes)
		return
	}
	_, w.err = w.sealed.Write(b)
}
