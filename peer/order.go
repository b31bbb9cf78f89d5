package peer

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/label"
)

// Order is the payload of a leaf that is about an earlier one: retract, relabel or purge. It names its target by commitment and never by the
// object's id, which would outlive a purge.
type Order struct {
	V      int          `json:"v"`                // 1
	Do     string       `json:"do"`               // "retract", "relabel" or "purge", as the leaf's kind
	Accord Digest       `json:"accord,omitzero"`  // as in the leaf
	Target Digest       `json:"target"`           // Commit of the leaf that it is about
	Label  *label.Label `json:"label,omitempty"`  // of a relabelling: the label from now on
	Reason string       `json:"reason,omitempty"` // a code, or a word of the originator to the audience
	Log    string       `json:"log,omitempty"`    // where the target is in an earlier log for the same recipients: its origin. The leaf names the first of its own log then
	Index  uint64       `json:"index,omitzero"`   // and the target's place there
	Time   time.Time    `json:"time"`
}

// Receipt is a recipient's signed word of what it did with leaves of a log. It names nothing but places in the log.
type Receipt struct {
	V      int       `json:"v"`      // 1
	Origin string    `json:"origin"` // of the log
	Party  string    `json:"party"`  // nation that gives it
	Acts   []Act     `json:"acts"`   // 1 to 1000, by index
	Time   time.Time `json:"time"`
}

// Act is what was done about one leaf.
type Act struct {
	Index      uint64    `json:"index"`
	Commit     Digest    `json:"commit"`         // of that leaf: the receipt is about these bytes and no others
	Did        string    `json:"did"`            // "stored", "duplicate", "retracted", "relabelled", "purged", "refused", "quarantined"
	Code       string    `json:"code,omitempty"` // of a refusal or quarantine
	At         time.Time `json:"at"`
	Exceptions []string  `json:"exceptions,omitempty"` // of a purge: declared holds that keep a copy
}

// What a recipient did.
const (
	DidStore      = "stored"
	DidKnow       = "duplicate"
	DidRetract    = "retracted"
	DidRelabel    = "relabelled"
	DidPurge      = "purged"
	DidRefuse     = "refused"
	DidQuarantine = "quarantined"
)

// MaxActs bounds one receipt.
const MaxActs = 1000

// Digest is 32 bytes that are written "sha256:" and hex.
type Digest [32]byte

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) {
	return hex.AppendEncode([]byte("sha256:"), d[:]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), "sha256:")
	b, err := hex.DecodeString(rest)
	if !ok || err != nil || len(b) != len(d) || strings.ToLower(rest) != rest {
		return refuse(CodeRendition, "a digest is written sha256: and 64 digits of hex")
	}
	copy(d[:], b)
	return nil
}

// SignOrder gives the envelope of an order.
func SignOrder(realm string, o Order, signers ...dsse.Signer) ([]byte, error) {
	o.V = 1
	return sign(realm, OrderType, &o, signers)
}

// SignReceipt gives the envelope of a receipt.
func SignReceipt(realm string, r Receipt, signers ...dsse.Signer) ([]byte, error) {
	r.V = 1
	return sign(realm, ReceiptType, &r, signers)
}

type payload interface{ check() error }

func sign(realm, payloadType string, p payload, signers []dsse.Signer) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, badPayload(err)
	}
	e, err := dsse.Sign(dsse.InRealm(payloadType, realm), b, signers...)
	if err != nil {
		return nil, refuse(CodeSignature, "%v", err)
	}
	return e.Bytes(), nil
}

// Order opens the envelope of an order.
func (o *Opener) Order(envelope []byte) (Order, []*dsse.Key, error) {
	var v Order
	signers, err := o.read(envelope, OrderType, &v)
	return v, signers, err
}

// Receipt opens the envelope of a receipt.
func (o *Opener) Receipt(envelope []byte) (Receipt, []*dsse.Key, error) {
	var v Receipt
	signers, err := o.read(envelope, ReceiptType, &v)
	return v, signers, err
}

func (o *Opener) read(envelope []byte, payloadType string, v payload) ([]*dsse.Key, error) {
	b, signers, err := o.open(envelope, payloadType)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return nil, badPayload(err)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	return signers, nil
}

const maxReason = 1000 // bytes

func (o *Order) check() error {
	switch {
	case o.V != 1:
		return refuse(CodeRendition, "another version than 1")
	case o.Do != Retract.String() && o.Do != Relabel.String() && o.Do != Purge.String():
		return refuse(CodeRendition, "an order is to retract, to relabel or to purge")
	case (o.Do == Relabel.String()) != (o.Label != nil):
		return refuse(CodeRendition, "a relabelling, and nothing else, has a label")
	case len(o.Log) > maxOrigin || o.Index > maxSize || o.Log == "" && o.Index > 0:
		return refuse(CodeRendition, "a target in another log is named by the log and a place in it")
	case o.Target == Digest{} || o.Time.IsZero() || len(o.Reason) > maxReason:
		return refuse(CodeRendition, "an order has a target, a time, and a reason of at most %d bytes", maxReason)
	}
	return nil
}

func (r *Receipt) check() error {
	switch {
	case r.V != 1:
		return refuse(CodeRendition, "another version than 1")
	case r.Origin == "" || len(r.Origin) > maxOrigin || !label.IsNation(r.Party) || r.Time.IsZero():
		return refuse(CodeRendition, "a receipt has a log, a party and a time")
	case len(r.Acts) == 0 || len(r.Acts) > MaxActs:
		return refuse(CodeRendition, "a receipt has 1 to %d acts", MaxActs)
	}
	for i, a := range r.Acts {
		switch {
		case i > 0 && a.Index <= r.Acts[i-1].Index:
			return refuse(CodeRendition, "acts are sorted by index, and each is there once")
		case a.Index > maxSize || len(a.Code) > maxName || a.At.IsZero() || len(a.Exceptions) > 16:
			return refuse(CodeRendition, "an act of the receipt breaks its bounds")
		}
		switch a.Did {
		case DidStore, DidKnow, DidRetract, DidRelabel, DidPurge, DidRefuse, DidQuarantine:
		default:
			return refuse(CodeRendition, "what an act did is not known")
		}
		for _, e := range a.Exceptions {
			if a.Did != DidPurge || e == "" || len(e) > maxReason {
				return refuse(CodeRendition, "exceptions are of a purge, and have 1 to %d bytes", maxReason)
			}
		}
	}
	return nil
}
