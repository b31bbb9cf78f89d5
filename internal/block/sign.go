package block

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// PayloadType is what the envelopes beside the files hold.
const PayloadType = "application/vnd.entente.block+json"

// Statement is what the node's organisation signs of a file: its exact bytes, what they are, and how long they may be loaded.
type Statement struct {
	Format  string    `json:"format"`
	Types   []string  `json:"types"`
	SHA256  string    `json:"sha256"` // of the bytes, in hex
	Size    int64     `json:"size"`
	Entries int       `json:"entries"`
	Serial  uint32    `json:"serial"`
	Nation  string    `json:"nation"`
	Org     string    `json:"org"`
	Realm   string    `json:"realm"`
	Signed  time.Time `json:"signed"`
	Until   time.Time `json:"until"` // after it the file is stale: somebody holds back a newer one
}

// Sign gives the envelope beside a file.
func (r *Room) Sign(x *Rendering) ([]byte, error) {
	now := r.o.Now().UTC().Truncate(time.Second)
	s := Statement{Format: x.Format.Name, SHA256: hex.EncodeToString(x.Digest[:]), Size: x.Size, Entries: x.Entries, Serial: x.Edition.Serial, Nation: r.o.Nation, Org: r.o.Org, Realm: r.o.Realm, Signed: now,
		Until: now.Add(time.Duration(r.o.Config.FreshHours) * time.Hour)}
	for _, k := range x.Format.Kinds {
		s.Types = append(s.Types, k.String())
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "a statement cannot be written").Because(err)
	}
	return r.o.Signer.SignEnvelope(PayloadType, payload)
}

// RenderSigned is Render with the envelope beside the file, both of one moment.
func (r *Room) RenderSigned(ctx context.Context, s Selection) (Rendering, []byte, error) {
	x, err := r.Render(ctx, s)
	if err != nil {
		return x, nil, err
	}
	envelope, err := r.Sign(&x)
	return x, envelope, err
}

// maxFile bounds a file that is verified.
const maxFile = 4 << 30

// Verify checks that an organisation of a nation signed exactly these bytes, in the realm of its key log, with a key that counted when it did, and
// that they may be loaded at a time still. No node is needed. Its error says what is wrong.
func Verify(file io.Reader, envelope []byte, log *keylog.Log, now time.Time) (s Statement, err error) {
	bad := func(code, format string, args ...any) (Statement, error) {
		return s, fault.New(fault.Invalid, code, format, args...)
	}
	e, err := dsse.Parse(envelope)
	if err != nil {
		return bad("block.envelope", "the envelope cannot be read: %v", err)
	}
	state := log.State()
	keys, err := e.Verify(dsse.InRealm(PayloadType, log.Realm()), func(id string) *dsse.Key {
		if k, ok := state.Find(id); ok {
			return k.Key
		}
		return nil
	})
	if err != nil {
		return bad("block.signature", "the signature does not hold: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(e.Payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return bad("block.statement", "what is signed is no statement about a file")
	}
	if s.Nation != log.Nation() || s.Realm != log.Realm() {
		return bad("block.nation", "the statement is about %s in %s, and the key log of %s in %s", s.Nation, s.Realm, log.Nation(), log.Realm())
	}
	counts := false
	for _, k := range keys {
		named, _ := state.Find(k.ID())
		counts = counts || named.Org == s.Org && state.Valid(k.ID(), keylog.RoleOriginate, later(s.Signed, named.Since)) == nil
	}
	if !counts {
		return bad("block.key", "no key that counted for %s/%s at %s signed it", s.Nation, s.Org, s.Signed.Format(time.RFC3339))
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return bad("block.read", "the file cannot be read: %v", err)
	case n != s.Size || hex.EncodeToString(h.Sum(nil)) != s.SHA256:
		return bad("block.bytes", "these are not the bytes that were signed: they are %d, and %d with another digest were", n, s.Size)
	case now.Before(s.Signed.Add(-skew)):
		return bad("block.early", "it was signed at %s, which is still to come", s.Signed.Format(time.RFC3339))
	case !now.Before(s.Until):
		return bad("block.stale", "it was to be loaded until %s; fetch a newer one", s.Until.Format(time.RFC3339))
	}
	return s, nil
}

// later is the later of two times: what a key signed in the second before the key log began to name it counts too.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// skew is how far clocks may be apart.
const skew = 5 * time.Minute
