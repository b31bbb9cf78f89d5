package peer

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
	"entente/label"
)

// Class says what a rendition is of its object.
type Class string

// Classes of renditions.
const (
	Full    Class = "full"    // the object, byte for byte
	Reduced Class = "reduced" // a copy under another id, with parts left out
)

// Rendition is what an originator gives to an audience: one object, exactly as it is to be kept, with its label and the accord under which it is given.
type Rendition struct {
	Accord   [32]byte // digest of the accord's version
	Audience []string // "org:NATION/ORG" of every recipient, sorted
	Class    Class
	Label    label.Label // canonical when it travels
	Nation   string      // of the originator
	Org      string
	Of       *[32]byte // salted commitment of what it was made from; nil: not said
	Object   []byte    // STIX bytes, verbatim
}

// Bounds of a rendition besides its envelope's.
const (
	maxAudience = 64
	maxName     = 256
)

const maxHeads = 256

// Payload writes the rendition's canonical bytes, in which the object stands verbatim.
func (r *Rendition) Payload() ([]byte, error) {
	text, err := r.Label.MarshalJSON()
	if err != nil {
		return nil, refuse(CodeRendition, "the label cannot be written: %v", err)
	}
	b := r.append(nil, text)
	if !shallow(b, MaxDepth+1) {
		return nil, refuse(CodeRendition, "the object is nested deeper than %d", MaxDepth)
	}
	var o Opener
	if _, err := o.parse(b); err != nil { // what is signed here must be readable there
		return nil, err
	}
	return b, nil
}

func (r *Rendition) append(b, label []byte) []byte {
	b = slices.Grow(b, len(r.Object)+len(label)+512)
	b = append(b, `{"accord":"sha256:`...)
	b = hex.AppendEncode(b, r.Accord[:])
	b = append(b, `","audience":[`...)
	for i, a := range r.Audience {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, a)
	}
	b = append(quote(append(b, `],"class":`...), string(r.Class)), `,"label":`...)
	b = quote(append(append(b, label...), `,"origin":{"nation":`...), r.Nation)
	b = append(quote(append(b, `,"org":`...), r.Org), '}')
	if r.Of != nil {
		b = append(hex.AppendEncode(append(b, `,"of":"`...), r.Of[:]), '"')
	}
	return append(append(append(b, `,"v":1,"object":`...), r.Object...), '}')
}

func quote(b []byte, s string) []byte {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil { // not UTF-8: the parser refuses what stands in its place
		return append(b, `""`...)
	}
	return out
}

// SignRenditions signs payloads that Payload gave, all under one signature when there are several, and gives the bytes of their envelopes.
func SignRenditions(realm string, payloads [][]byte, s dsse.Signer) ([][]byte, error) {
	full := dsse.InRealm(RenditionType, realm)
	var es []dsse.Envelope
	var err error
	if len(payloads) == 1 {
		es = make([]dsse.Envelope, 1)
		es[0], err = dsse.Sign(full, payloads[0], s)
	} else {
		es, err = dsse.SignBatch(full, payloads, s)
	}
	if err != nil {
		return nil, refuse(CodeSignature, "%v", err)
	}
	out := make([][]byte, len(es))
	for i := range es {
		out[i] = es[i].Bytes()
	}
	return out, nil
}

// Rendition opens an envelope: the signature first, then the payload, strictly. Signers are the known keys whose signatures hold; which of them
// speaks for the originator that the rendition names is for the caller to judge.
func (o *Opener) Rendition(envelope []byte) (*Rendition, []*dsse.Key, error) {
	payload, signers, err := o.open(envelope, RenditionType)
	if err != nil {
		return nil, nil, err
	}
	r, err := o.parse(payload)
	if err != nil {
		return nil, nil, err
	}
	return r, signers, nil
}

// objectMark stands between the head of a payload and its object. It has quotes that no string holds unescaped, so its first place is that one.
var objectMark = []byte(`,"v":1,"object":`)

// parse reads a payload. Heads repeat, so those that were read are remembered: of a payload that begins as one did, only the object is new.
func (o *Opener) parse(b []byte) (*Rendition, error) {
	at := bytes.Index(b, objectMark)
	if at < 0 {
		return o.parseWhole(b)
	}
	if head, ok := o.heads[string(b[:at])]; ok {
		object := bytes.TrimSuffix(b[at+len(objectMark):], []byte("}"))
		o.decoder.Reset(bytes.NewBuffer(object))
		if v, err := o.decoder.ReadValue(); err == nil && v.Kind() == '{' && len(v) == len(object) && len(object)+at+len(objectMark)+1 == len(b) {
			r := head
			r.Audience, r.Object = slices.Clone(head.Audience), object
			return &r, nil
		}
		return o.parseWhole(b) // to say what is wrong
	}
	r, err := o.parseWhole(b)
	if err == nil && r.Of == nil {
		if o.heads == nil || len(o.heads) >= maxHeads {
			o.heads = map[string]Rendition{}
		}
		head := *r
		head.Audience, head.Object = slices.Clone(r.Audience), nil
		o.heads[string(b[:at])] = head
	}
	return r, err
}

// parseWhole reads the members in their one order and form. Names within the object must be unique and strings UTF-8 throughout (RFC 8259 section
// 4, RFC 7493).
func (o *Opener) parseWhole(b []byte) (*Rendition, error) {
	o.decoder.Reset(bytes.NewBuffer(b))
	c := &strict{d: &o.decoder}
	r := &Rendition{}
	c.open()
	r.Accord = c.digest("accord")
	c.name("audience")
	c.token('[')
	for c.err == nil && c.d.PeekKind() != ']' && len(r.Audience) <= maxAudience {
		r.Audience = append(r.Audience, c.text())
	}
	c.token(']')
	c.name("class")
	r.Class = Class(c.text())
	c.name("label")
	text := c.value()
	c.name("origin")
	c.open()
	c.name("nation")
	r.Nation = c.text()
	c.name("org")
	r.Org = c.text()
	c.token('}')
	next := c.member()
	if next == "of" {
		of := c.hash(c.text())
		r.Of = &of
		next = c.member()
	}
	c.is(next, "v")
	if v := c.value(); c.err == nil && string(v) != "1" {
		c.fail("another version than 1")
	}
	c.name("object")
	if c.err == nil && c.d.PeekKind() != '{' {
		c.fail("the object is none")
	}
	r.Object = c.value()
	c.token('}')
	if c.err != nil {
		return nil, badPayload(c.err)
	}
	if o.again = r.append(o.again[:0], text); !bytes.Equal(o.again, b) {
		return nil, refuse(CodeRendition, "the payload is not in its one form: other spaces or escapes, or something after it")
	}
	l, err := readLabel(text)
	if err != nil {
		return nil, err
	}
	r.Label = l
	switch {
	case r.Class != Full && r.Class != Reduced:
		return nil, refuse(CodeRendition, "a rendition is full or reduced")
	case len(r.Audience) == 0 || len(r.Audience) > maxAudience:
		return nil, refuse(CodeRendition, "a rendition names 1 to %d recipients", maxAudience)
	case !label.IsNation(r.Nation) || r.Org == "" || len(r.Org) > maxName:
		return nil, refuse(CodeRendition, "a rendition names the originator's nation and organisation")
	}
	for i, a := range r.Audience {
		if !strings.HasPrefix(a, "org:") || label.CheckPrincipal(a) != nil {
			return nil, refuse(CodeRendition, "a recipient is written org:NATION/ORG")
		}
		if i > 0 && r.Audience[i-1] >= a {
			return nil, refuse(CodeRendition, "recipients are sorted, and each is there once")
		}
	}
	return r, nil
}

// readLabel reads a label in its canonical form.
func readLabel(text []byte) (label.Label, error) {
	var l label.Label
	if err := l.UnmarshalJSON(text); err != nil {
		return l, refuse(CodeRendition, "the label is none: %v", err)
	}
	if again, err := l.MarshalJSON(); err != nil || !bytes.Equal(again, text) {
		return l, refuse(CodeRendition, "the label is not in its canonical form")
	}
	return l, nil
}

// strict reads JSON whose members have one order. After a failure it reads nothing more.
type strict struct {
	d   *jsontext.Decoder
	err error
}

func (c *strict) fail(message string) {
	if c.err == nil {
		c.err = refuse(CodeRendition, "the payload breaks its form: %s", message)
	}
}

func (c *strict) token(kind jsontext.Kind) {
	if c.err != nil {
		return
	}
	t, err := c.d.ReadToken()
	if err != nil {
		c.err = err
	} else if t.Kind() != kind {
		c.fail("expected " + kind.String())
	}
}

func (c *strict) open() { c.token('{') }

func (c *strict) text() string {
	if c.err != nil {
		return ""
	}
	t, err := c.d.ReadToken()
	if err != nil {
		c.err = err
		return ""
	}
	if t.Kind() != '"' {
		c.fail("expected a string")
		return ""
	}
	s := t.String()
	if len(s) > maxName {
		c.fail("a name is too long")
	}
	return s
}

// member reads the next member's name, or nothing at the end of the object.
func (c *strict) member() string {
	if c.err == nil && c.d.PeekKind() == '}' {
		return ""
	}
	return c.text()
}

func (c *strict) is(got, want string) {
	if got != want {
		c.fail("expected " + want)
	}
}

func (c *strict) name(want string) { c.is(c.member(), want) }

// value reads a value as it stands. It is a part of what is read: the decoder reads a bytes.Buffer in place.
func (c *strict) value() []byte {
	if c.err != nil {
		return nil
	}
	v, err := c.d.ReadValue()
	if err != nil {
		c.err = err
		return nil
	}
	return v
}

func (c *strict) digest(name string) [32]byte {
	c.name(name)
	s := c.text()
	rest, ok := strings.CutPrefix(s, "sha256:")
	if !ok {
		c.fail("a digest begins with sha256:")
	}
	return c.hash(rest)
}

func (c *strict) hash(s string) (h [32]byte) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(h) && strings.ToLower(s) == s {
		copy(h[:], b)
	} else {
		c.fail("a digest has 64 digits of hex")
	}
	return h
}
