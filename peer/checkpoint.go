package peer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// Checkpoint is the state of a log at one moment. It is signed as a note (C2SP signed-note and tlog-checkpoint): the origin, the size, the root in
// base64, and the line "time N" of seconds since 1970.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
	Time   time.Time // whole seconds
}

// Types of signature lines (C2SP signed-note).
const (
	algEd25519  = 0x01 // over the note's text
	algCosigned = 0x04 // Ed25519 over the text with a time before it (C2SP tlog-cosignature)
	algMLDSA44  = 0x06 // ML-DSA-44 over origin, size, root and time (C2SP tlog-cosignature)
)

// Text is the note's text: what the log's signature of Ed25519 is over.
func (c *Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\ntime " + strconv.FormatInt(c.Time.Unix(), 10) + "\n"
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	bad := refuse(CodeCheckpoint, "the text of a checkpoint is origin, size, root and time, each on its line")
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return c, bad
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, bad
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || size > maxSize {
		return c, bad
	}
	seconds, err := strconv.ParseInt(strings.TrimPrefix(lines[3], "time "), 10, 64)
	if err != nil || seconds <= 0 || seconds > maxSeconds {
		return c, bad
	}
	c = Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root), Time: time.Unix(seconds, 0).UTC()}
	if c.Text() != text { // one text for one checkpoint
		return c, bad
	}
	return c, nil
}

// SignCheckpoint signs as the log itself: with both halves of a node's hybrid key, in the name of the origin.
func SignCheckpoint(c Checkpoint, s dsse.Notary) ([]byte, error) {
	c.Time = c.Time.Truncate(time.Second)
	b, err := note.Sign(&note.Note{Text: c.Text()}, line{c.Origin, algEd25519, s, c}, line{c.Origin, algMLDSA44, s, c})
	if err != nil {
		return nil, refuse(CodeCheckpoint, "the checkpoint cannot be signed: %v", err)
	}
	return b, nil
}

// OpenCheckpoint verifies a checkpoint: both halves of one of the keys must hold. Lines of others, cosignatures among them, are not looked at.
func OpenCheckpoint(b []byte, origin string, keys ...*dsse.Key) (Checkpoint, error) {
	n, c, err := openNote(b)
	if err != nil {
		return c, err
	}
	if c.Origin != origin {
		return c, refuse(CodeOrigin, "the checkpoint is of another log")
	}
	for _, k := range keys {
		if holds(n, origin, k, algEd25519, c, c.Time) && holds(n, origin, k, algMLDSA44, c, c.Time) {
			return c, nil
		}
	}
	return c, refuse(CodeCheckpoint, "the checkpoint is not signed by both halves of a node key in force")
}

// PeekCheckpoint reads what a checkpoint says, and no signature: to find the keys to verify it with, or where it was verified before.
func PeekCheckpoint(b []byte) (Checkpoint, error) {
	if len(b) > maxCheckpoint {
		return Checkpoint{}, refuse(CodeSize, "a checkpoint has %d bytes, more than %d", len(b), maxCheckpoint)
	}
	text, _, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return Checkpoint{}, refuse(CodeCheckpoint, "this is not a signed note")
	}
	return parseCheckpoint(string(text) + "\n")
}

// Cosign is a recipient's word that it saw the checkpoint at a time: the signed note with its two lines added, under its name. The name is
// chosen by it, without spaces and plus signs; CosignerName gives one that tells nothing but the key.
func Cosign(checkpoint []byte, name string, at time.Time, s dsse.Notary) ([]byte, error) {
	n, c, err := openNote(checkpoint)
	if err != nil {
		return nil, err
	}
	c.Time = at.Truncate(time.Second)
	b, err := note.Sign(n, line{name, algCosigned, s, c}, line{name, algMLDSA44, s, c})
	if err != nil {
		return nil, refuse(CodeCheckpoint, "the checkpoint cannot be cosigned: %v", err)
	}
	if len(b) > maxCheckpoint {
		return nil, refuse(CodeSize, "the checkpoint has too many signatures")
	}
	return b, nil
}

// CosignerName names a cosigner by its key alone.
func CosignerName(k *dsse.Key) string { return "fed/v1/node/" + k.ID() }

// OpenCosignature tells when the holder of the key saw the checkpoint.
func OpenCosignature(checkpoint []byte, name string, key *dsse.Key) (Checkpoint, time.Time, error) {
	n, c, err := openNote(checkpoint)
	if err != nil {
		return c, time.Time{}, err
	}
	if sig := signature(n, name, algCosigned, key); len(sig) > 8 {
		if at, ok := stamp(sig); ok && holds(n, name, key, algCosigned, c, at) && holds(n, name, key, algMLDSA44, c, at) {
			return c, at, nil
		}
	}
	return c, time.Time{}, refuse(CodeCheckpoint, "the checkpoint is not cosigned by both halves of the key")
}

// openNote reads a signed note whose signatures nobody has looked at yet.
func openNote(b []byte) (*note.Note, Checkpoint, error) {
	if len(b) > maxCheckpoint {
		return nil, Checkpoint{}, refuse(CodeSize, "a checkpoint has %d bytes, more than %d", len(b), maxCheckpoint)
	}
	_, err := note.Open(b, note.VerifierList())
	unverified, ok := err.(*note.UnverifiedNoteError)
	if !ok {
		return nil, Checkpoint{}, refuse(CodeCheckpoint, "this is not a signed note")
	}
	c, err := parseCheckpoint(unverified.Note.Text)
	return unverified.Note, c, err
}

// line signs one line of a note.
type line struct {
	name string
	alg  byte
	s    dsse.Notary
	c    Checkpoint // with the time to sign
}

func (l line) Name() string    { return l.name }
func (l line) KeyHash() uint32 { return keyHash(l.name, l.alg, l.s.Key()) }

func (l line) Sign(text []byte) ([]byte, error) {
	at := binary.BigEndian.AppendUint64(nil, uint64(l.c.Time.Unix()))
	switch l.alg {
	case algEd25519:
		return l.s.Ed25519(text)
	case algCosigned:
		sig, err := l.s.Ed25519(stamped(text, l.c.Time))
		return append(at, sig...), err
	}
	sig, err := l.s.MLDSA44(tree(l.name, l.c, l.c.Time))
	return append(at, sig...), err
}

func holds(n *note.Note, name string, k *dsse.Key, alg byte, c Checkpoint, at time.Time) bool {
	sig := signature(n, name, alg, k)
	if alg == algEd25519 {
		return k.HoldsEd25519([]byte(n.Text), sig)
	}
	t, ok := stamp(sig)
	switch {
	case !ok || !t.Equal(at):
		return false
	case alg == algCosigned:
		return k.HoldsEd25519(stamped([]byte(n.Text), at), sig[8:])
	}
	return k.HoldsMLDSA44(tree(name, c, at), sig[8:])
}

// signature finds the line of that name and key.
func signature(n *note.Note, name string, alg byte, k *dsse.Key) []byte {
	hash := keyHash(name, alg, k)
	for _, s := range n.UnverifiedSigs {
		if s.Name == name && s.Hash == hash {
			if b, err := base64.StdEncoding.DecodeString(s.Base64); err == nil && len(b) > 4 {
				return b[4:]
			}
		}
	}
	return nil
}

func stamp(sig []byte) (time.Time, bool) {
	if len(sig) < 8 {
		return time.Time{}, false
	}
	n := binary.BigEndian.Uint64(sig)
	return time.Unix(int64(n), 0), n <= maxSeconds
}

// stamped is what a cosignature of Ed25519 is over.
func stamped(text []byte, at time.Time) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatInt(at.Unix(), 10)+"\n"), text...)
}

// tree is what a cosignature of ML-DSA-44 is over: the whole tree, from 0 to the size.
func tree(name string, c Checkpoint, at time.Time) []byte {
	var b bytes.Buffer
	b.WriteString("subtree/v1\n\x00")
	b.WriteByte(byte(len(name)))
	b.WriteString(name)
	u := func(n uint64) { b.Write(binary.BigEndian.AppendUint64(nil, n)) }
	u(uint64(at.Unix()))
	b.WriteByte(byte(len(c.Origin)))
	b.WriteString(c.Origin)
	u(0)
	u(c.Size)
	b.Write(c.Root[:])
	return b.Bytes()
}

// keyHash finds a line: the first four bytes of SHA-256 of the name, a line feed, the type and the half of the key.
func keyHash(name string, alg byte, k *dsse.Key) uint32 {
	half := k.Bytes()
	switch {
	case alg != algMLDSA44:
		half = half[:32]
	case len(half) > 32:
		half = half[32:]
	}
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{alg})
	h.Write(half)
	return binary.BigEndian.Uint32(h.Sum(nil))
}
