package accord

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/dsse"
)

// Bounds of a bundle.
const (
	MaxBundle     = 8 << 20 // bytes
	maxSignatures = 1024
)

// Bundle is what parties exchange and keep: the canonical text of one accord and the signatures over exactly its bytes. Realm keeps signatures of one
// world (an exercise, a test) apart from those of another.
type Bundle struct {
	Text       string           `json:"accord"`
	Realm      string           `json:"realm"`
	Signatures []dsse.Signature `json:"signatures,omitempty"`

	read *reading // nil: not read yet
}

// reading is what a text said when it was read.
type reading struct {
	text   string
	accord *Accord
}

// Misfit says why a bundle or a notice is refused. Code is stable.
type Misfit struct {
	Code    string // "bundle.form", "bundle.size", "bundle.canonical", "bundle.draft", "bundle.other", "notice.form", "notice.right", "notice.signature"
	Message string
}

func (e *Misfit) Error() string { return e.Message }

func misfit(code, message string) error { return &Misfit{code, message} }

// NewBundle is the accord of a text, brought into its canonical form, still without a signature.
func NewBundle(text []byte, realm string) (*Bundle, error) {
	canonical, err := Format(text)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Text: string(canonical), Realm: realm}
	return b, b.understand()
}

// understand reads the text, once for all who ask for it.
func (b *Bundle) understand() error {
	a, err := b.Accord()
	if err == nil {
		b.read = &reading{b.Text, a}
	}
	return err
}

// Accord is what the text says, for reading: others have the same. A text that cannot be signed as it stands is an error.
func (b *Bundle) Accord() (*Accord, error) {
	if b.read != nil && b.read.text == b.Text {
		return b.read.accord, nil
	}
	a, err := Parse("accord", []byte(b.Text))
	switch {
	case err != nil:
		return nil, err
	case string(a.Bytes()) != b.Text:
		return nil, misfit("bundle.canonical", "the text of accord "+a.Name+" is not in its canonical form: format it, and sign what came out")
	case a.Draft():
		return nil, misfit("bundle.draft", "accord "+a.Name+" is a draft: fill in each "+strconv.Quote(Unfilled))
	case len(a.Parties) == 0:
		return nil, misfit("bundle.draft", "accord "+a.Name+" leaves its parties to register "+a.Register+": write them out before it is signed")
	}
	return a, nil
}

// Digest names the text.
func (b *Bundle) Digest() string { return Digest([]byte(b.Text)) }

// ParseBundle reads a bundle. Its text is canonical and complete; whose signatures hold is for Signed to say.
func ParseBundle(src []byte) (*Bundle, error) {
	if len(src) > MaxBundle {
		return nil, misfit("bundle.size", "a bundle has at most "+strconv.Itoa(MaxBundle)+" bytes")
	}
	var b Bundle
	if err := json.Unmarshal(src, &b, json.RejectUnknownMembers(true)); err != nil {
		return nil, misfit("bundle.form", "this is no bundle of an accord: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(b.Signatures) > maxSignatures {
		return nil, misfit("bundle.form", "a bundle has at most "+strconv.Itoa(maxSignatures)+" signatures")
	}
	if err := b.understand(); err != nil {
		return nil, err
	}
	return &b, nil
}

// Bytes is the bundle as JSON; the same bundle gives the same bytes.
func (b *Bundle) Bytes() []byte {
	out, err := json.Marshal(b)
	if err != nil {
		return nil // only for text that is not UTF-8, which is no accord
	}
	return out
}

const (
	bundleType = "application/vnd.entente.accord;v=1"
	noticeType = "application/vnd.entente.accord-notice;v=1"
)

// Sign puts signatures beside those that are there, each in place of an earlier one by the same key.
func (b *Bundle) Sign(signers ...dsse.Signer) error {
	if _, err := b.Accord(); err != nil {
		return err
	}
	for _, s := range signers {
		e, err := dsse.Sign(dsse.InRealm(bundleType, b.Realm), []byte(b.Text), s)
		if err != nil {
			return err
		}
		own := e.Signatures[0]
		b.Signatures = slices.DeleteFunc(b.Signatures, func(s dsse.Signature) bool { return s.KeyID == own.KeyID })
		if len(b.Signatures) >= maxSignatures {
			return misfit("bundle.form", "a bundle has at most "+strconv.Itoa(maxSignatures)+" signatures")
		}
		b.Signatures = append(b.Signatures, own)
	}
	b.sort()
	return nil
}

// Merge takes over the signatures of another bundle of the same text and realm. Of two signatures under one key both stay, since one may not hold.
func (b *Bundle) Merge(other *Bundle) error {
	if other.Text != b.Text || other.Realm != b.Realm {
		return misfit("bundle.other", "the other bundle is of another text ("+other.Digest()+") or realm: signatures belong to one text alone")
	}
	b.Signatures = slices.Concat(b.Signatures, other.Signatures)
	b.sort()
	if len(b.Signatures) > maxSignatures {
		return misfit("bundle.form", "together the bundles have more than "+strconv.Itoa(maxSignatures)+" signatures")
	}
	return nil
}

func (b *Bundle) sort() {
	order := func(x, y dsse.Signature) int {
		return cmp.Or(strings.Compare(x.KeyID, y.KeyID), bytes.Compare(x.Sig, y.Sig))
	}
	slices.SortFunc(b.Signatures, order)
	b.Signatures = slices.CompactFunc(b.Signatures, func(x, y dsse.Signature) bool { return order(x, y) == 0 })
}

// Standing is how far a party is bound.
type Standing struct {
	Nation string
	Have   int
	Need   int
	Who    []string // organisations whose signatures hold
}

// Bound tells whether enough organisations of the party signed.
func (s Standing) Bound() bool { return s.Have >= s.Need }

// Complete tells whether every party is bound.
func Complete(all []Standing) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(s Standing) bool { return !s.Bound() })
}

// Keys gives the keys with which an organisation may sign; org is empty for the one whose node the nation's key log names.
type Keys func(nation, org string) []*dsse.Key

// Signed tells for each party of the text who signed it. An organisation counts once, and so does a key.
func (b *Bundle) Signed(keys Keys) ([]Standing, error) {
	a, err := b.Accord()
	if err != nil {
		return nil, err
	}
	payloadType := dsse.InRealm(bundleType, b.Realm)
	out := make([]Standing, len(a.Parties))
	for i := range a.Parties {
		out[i] = a.Parties[i].standing(payloadType, []byte(b.Text), b.Signatures, keys)
	}
	return out, nil
}

func (p *Party) standing(payloadType string, payload []byte, signatures []dsse.Signature, keys Keys) Standing {
	s := Standing{Nation: p.Nation, Need: max(p.Need, 1)}
	orgs := p.Signers
	if len(orgs) == 0 {
		orgs = []string{p.Org}
	}
	counted := map[string]bool{}
	for _, org := range orgs {
		for _, k := range keys(p.Nation, org) {
			if k == nil || counted[k.ID()] {
				continue
			}
			if holds(payloadType, payload, signatures, k) {
				counted[k.ID()] = true
				s.Have++
				s.Who = append(s.Who, org)
				break
			}
		}
	}
	return s
}

// holds tells whether one of the signatures is the key's and holds.
func holds(payloadType string, payload []byte, signatures []dsse.Signature, k *dsse.Key) bool {
	e := dsse.Envelope{PayloadType: payloadType, Payload: payload}
	for _, s := range signatures {
		if s.KeyID == k.ID() && len(e.Signatures) < dsse.MaxSignatures {
			e.Signatures = append(e.Signatures, s)
		}
	}
	_, err := e.Verify(payloadType, func(string) *dsse.Key { return k })
	return err == nil
}
