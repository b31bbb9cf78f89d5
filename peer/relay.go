package peer

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/label"
)

// Types of what a relay signs.
const (
	CustodyType   = "application/vnd.entente.custody+json;v=1"
	RelayHeadType = "application/vnd.entente.relayhead+json;v=1"
)

// Media types of bodies to and from a relay.
const (
	SealedMedia       = "application/vnd.entente.sealed;v=1"
	SealedStreamMedia = "application/vnd.entente.sealed-stream;v=1"
)

// Carried is what a relay says of a log that it carries, under its node key: up to which size it took the log, and the root there. To the originator it is a
// receipt of custody, to a reader the head of what there is to read. The size counts what was ever taken, also where boxes were destroyed since.
type Carried struct {
	V      int       `json:"v"` // 1
	Origin string    `json:"origin"`
	Of     string    `json:"of"`     // the nation whose log it is: another may hand over one of the same name
	Nation string    `json:"nation"` // of the relay
	Org    string    `json:"org"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	Time   time.Time `json:"time"` // by the relay's clock
}

// Custody is what a relay gives the originator.
type Custody Carried

// RelayHead is what a relay gives a reader.
type RelayHead Carried

// SignCustody gives the envelope of a receipt of custody.
func SignCustody(realm string, c Custody, signers ...dsse.Signer) ([]byte, error) {
	c.V, c.Time = 1, c.Time.UTC()
	return sign(realm, CustodyType, (*Carried)(&c), signers)
}

// SignRelayHead gives the envelope of a head.
func SignRelayHead(realm string, h RelayHead, signers ...dsse.Signer) ([]byte, error) {
	h.V, h.Time = 1, h.Time.UTC()
	return sign(realm, RelayHeadType, (*Carried)(&h), signers)
}

// Custody opens the envelope of a receipt of custody.
func (o *Opener) Custody(envelope []byte) (Custody, []*dsse.Key, error) {
	var v Carried
	signers, err := o.read(envelope, CustodyType, &v)
	return Custody(v), signers, err
}

// RelayHead opens the envelope of a head.
func (o *Opener) RelayHead(envelope []byte) (RelayHead, []*dsse.Key, error) {
	var v Carried
	signers, err := o.read(envelope, RelayHeadType, &v)
	return RelayHead(v), signers, err
}

// Contradicts tells whether the two cannot both be true: after the relay had taken the log up to a size, it told a reader that there is less; or it has two
// roots for one size. Both envelopes together are the proof that it withheld what it had, or that it lied to one of them.
func (h RelayHead) Contradicts(c Custody) bool {
	if h.Origin != c.Origin || h.Of != c.Of || h.Nation != c.Nation || h.Org != c.Org {
		return false
	}
	return h.Size < c.Size && h.Time.After(c.Time) || h.Size == c.Size && h.Root != c.Root
}

func (c *Carried) check() error {
	switch {
	case c.V != 1:
		return refuse(CodeRendition, "another version than 1")
	case !IsOrigin(c.Origin) || c.Size > maxSize || c.Size == 0 && c.Root != emptyRoot:
		return refuse(CodeRendition, "a relay speaks of a log, its size and its root")
	case !label.IsNation(c.Of):
		return refuse(CodeRendition, "a log is of a nation")
	case !label.IsNation(c.Nation) || c.Org == "" || len(c.Org) > maxName:
		return refuse(CodeRendition, "a relay is an organisation of a nation")
	case c.Time.IsZero() || c.Time.Unix() > maxSeconds:
		return refuse(CodeRendition, "a relay says when it spoke")
	}
	return nil
}
