package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"slices"

	"entente/dsse"
	"entente/peer"
	"entente/seal"
)

// Options say who reads a bundle, and what is known of senders.
type Options struct {
	Realm string
	To    Party                                // who reads: a bundle to another is refused
	Open  func(seal.KeyID) *seal.Private       // the own key of an id, or nil
	Keys  func(nation, org string) []*dsse.Key // node keys of an organisation that are in force; asked when the bundle's key statements were given
	Limits
}

// Item is what a bundle holds. One field is set. Bytes are good until the next one is read.
type Item struct {
	KeyLog *peer.KeyLog // statements, which prove themselves by the root that signed them
	Accord []byte       // with its signatures
	Batch  *peer.Batch  // for a peer.Verifier
	Heads  []byte
}

// Reader reads a bundle, item by item. Until Next gave io.EOF nothing of it is whole: an import first reads it to its end, and takes it in a second reading.
// It is for one goroutine at a time.
type Reader struct {
	r      io.Reader
	o      Options
	hash   hash.Hash
	bytes  int64
	state  content
	first  dsse.Envelope // of the manifest
	signer *dsse.Key     // of the manifest, once its signature held
	digest peer.Digest
	buf    []byte
	err    error
}

// Open opens a bundle and reads its manifest, whose signature is verified as soon as the key statements behind it were given.
func Open(r io.Reader, o Options) (*Reader, error) {
	plain, _, err := seal.Open(r, o.Realm, Purpose, o.Open)
	if err != nil {
		return nil, broken(err)
	}
	return open(plain, o)
}

func open(plain io.Reader, o Options) (*Reader, error) {
	o.Limits = o.Limits.values()
	b := &Reader{r: plain, o: o, hash: sha256.New()}
	b.state.limits = o.Limits
	head := make([]byte, len(magic))
	if err := b.read(head); err != nil {
		return nil, err
	}
	if string(head) != magic {
		return nil, refuse("bundle.form", "this is no bundle of version 1")
	}
	b.hash.Write(head)
	kind, envelope, err := b.item()
	if err != nil {
		return nil, err
	}
	if kind != kindManifest {
		return nil, refuse("bundle.order", "a bundle begins with its manifest")
	}
	m := &b.state.manifest
	if b.first, err = parse(envelope, m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.To != o.To {
		return nil, refuse("bundle.receiver", "the bundle is to %s, and here is %s", m.To, o.To)
	}
	b.state.items++
	if len(m.KeyLogs) == 0 {
		return b, b.vouch()
	}
	return b, nil
}

// Manifest says what is in the bundle. It is false until the sender's signature was verified: before the first item that is no key statement.
func (b *Reader) Manifest() (Manifest, bool) { return b.state.manifest, b.signer != nil }

// Digest names the bundle once Next gave io.EOF: the next one names it, and Words of it tell the sender that it arrived.
func (b *Reader) Digest() peer.Digest { return b.digest }

// vouch verifies who made the bundle.
func (b *Reader) vouch() error {
	m := &b.state.manifest
	keys := b.o.Keys(m.From.Nation, m.From.Org)
	signers, err := b.first.Verify(dsse.InRealm(ManifestType, b.o.Realm), func(id string) *dsse.Key {
		if i := slices.IndexFunc(keys, func(k *dsse.Key) bool { return k.ID() == id }); i >= 0 {
			return keys[i]
		}
		return nil
	})
	if err != nil {
		return &Error{"bundle.signature", "no node key of " + m.From.String() + " that is in force here signed the bundle", err}
	}
	b.signer = signers[0]
	b.first = dsse.Envelope{}
	return nil
}

// Next gives the next item, and io.EOF at the end of a bundle that is whole.
func (b *Reader) Next() (*Item, error) {
	if b.err != nil {
		return nil, b.err
	}
	it, err := b.next()
	if err != nil {
		b.err = err
		return nil, err
	}
	return it, nil
}

func (b *Reader) next() (*Item, error) {
	if b.signer == nil && b.state.keyLog == len(b.state.manifest.KeyLogs) {
		if err := b.vouch(); err != nil {
			return nil, err
		}
	}
	sum, count := b.hash.Sum(nil), b.bytes // before the trailer, if this is it
	kind, body, err := b.item()
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindKeys:
		k, err := parseKeys(body)
		if err != nil {
			return nil, err
		}
		return &Item{KeyLog: k}, b.state.takeKeys(k, len(body))
	case kindAccord:
		return &Item{Accord: body}, b.state.takeAccord(len(body))
	case kindBatch:
		batch, err := peer.ParseBatch(body, b.o.Limits.Peer)
		if err != nil {
			return nil, &Error{"bundle.content", "a part of a log is not one", err}
		}
		return &Item{Batch: batch}, b.state.takeBatch(batch, len(body))
	case kindHeads:
		return &Item{Heads: body}, b.state.takeHeads(len(body))
	case kindTrailer:
		return nil, b.end(body, peer.Digest(sum), count)
	}
	return nil, refuse("bundle.order", "the manifest comes twice")
}

// end gives io.EOF where the bundle is whole.
func (b *Reader) end(envelope []byte, sum peer.Digest, count int64) error {
	if err := b.state.whole(); err != nil {
		return err
	}
	var t trailer
	e, err := parse(envelope, &t)
	if err != nil {
		return err
	}
	if _, err := e.Verify(dsse.InRealm(TrailerType, b.o.Realm), func(id string) *dsse.Key {
		if id == b.signer.ID() {
			return b.signer
		}
		return nil
	}); err != nil {
		return &Error{"bundle.signature", "the end is not signed by the key of the beginning", err}
	}
	if want := (trailer{1, sum, b.state.items, b.state.frames, uint64(count)}); t != want {
		return refuse("bundle.changed", "the bundle holds something else than its sender signed")
	}
	switch n, err := io.ReadFull(b.r, make([]byte, 1)); {
	case n > 0:
		return refuse("bundle.order", "something follows the end")
	case !errors.Is(err, io.EOF):
		return broken(err)
	}
	b.digest = sum
	return io.EOF
}

// item reads the next item into memory that grows as the bytes come.
func (b *Reader) item() (kind byte, body []byte, err error) {
	var head [itemHead]byte
	if err := b.read(head[:]); err != nil {
		return 0, nil, err
	}
	kind = head[0]
	n := binary.BigEndian.Uint64(head[1:])
	switch most := largest(kind); {
	case most == 0:
		return 0, nil, refuse("bundle.form", "items of kind %d are not known", kind)
	case n > most:
		return 0, nil, refuse("bundle.size", "an item of kind %c has %d bytes, more than %d", kind, n, most)
	}
	b.hash.Write(head[:])
	b.buf = b.buf[:0]
	const step = 1 << 20
	for uint64(len(b.buf)) < n {
		have := len(b.buf)
		b.buf = slices.Grow(b.buf, int(min(n-uint64(have), step)))
		b.buf = b.buf[:have+int(min(n-uint64(have), step))]
		if err := b.read(b.buf[have:]); err != nil {
			return 0, nil, err
		}
	}
	b.hash.Write(b.buf)
	return kind, b.buf, nil
}

func (b *Reader) read(to []byte) error {
	if b.bytes += int64(len(to)); b.bytes > b.o.Limits.Bytes {
		return refuse("bundle.size", "the bundle has more than %d bytes", b.o.Limits.Bytes)
	}
	_, err := io.ReadFull(b.r, to)
	if err != nil {
		return broken(err)
	}
	return nil
}

// broken says that a bundle cannot be read on.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse("bundle.short", "the bundle was cut off: fetch it again")
	}
	var sealed *seal.Error
	if !errors.As(err, &sealed) {
		return err // of the medium that it is read from
	}
	switch sealed.Code {
	case "seal.short":
		return &Error{"bundle.short", "the bundle was cut off", err}
	case "seal.recipient":
		return &Error{"bundle.receiver", "the bundle is sealed to another", err}
	}
	return &Error{"bundle.changed", "the bundle cannot be opened", err}
}
