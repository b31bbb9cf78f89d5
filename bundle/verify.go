package bundle

import (
	"errors"
	"fmt"
	"io"

	"entente/peer"
)

// Known is what the receiver holds of the sender, and how it judges what comes. Nothing of it is changed by Verify: KeyLog and Log work on copies. A function that
// is nil looks at nothing.
type Known struct {
	Chain  Chain
	KeyLog func(k *peer.KeyLog) (have uint64, err error)          // takes statements into a copy of the nation's key log; have is its size before
	Accord func(b []byte) error                                   // judges an accord with its signatures
	Log    func(origin string) (*peer.Verifier, error)            // a verifier of the log that is at what is held of it: a new one where there is nothing
	Frame  func(origin string, index uint64, f *peer.Frame) error // judges a leaf that is new, and whether its envelope is signed
	Heads  func(b []byte) error
}

// Chain is the last bundle that was taken of a sender. The zero value is none.
type Chain struct {
	Number uint64      `json:"number"`
	Digest peer.Digest `json:"digest"`
}

// Next tells whether the manifest's bundle is the one that follows: else it is an error with code "bundle.known" (it was taken), "bundle.gap" (the message names the
// numbers that are missing) or "bundle.fork" (the sender made another bundle of the last number than the one that was taken).
func (c Chain) Next(m *Manifest) error {
	switch {
	case m.Number <= c.Number:
		return refuse("bundle.known", "bundle %d of %s was taken before: the last was %d", m.Number, m.From, c.Number)
	case m.Number > c.Number+1:
		return refuse("bundle.gap", "bundle %s of %s has not arrived", span(c.Number+1, m.Number), m.From)
	case m.Previous != c.Digest:
		return refuse("bundle.fork", "%s made another bundle %d than the one that was taken here", m.From, c.Number)
	}
	return nil
}

// Gap is what is missing before a bundle can be taken whole.
type Gap struct {
	What     string // "bundle", "keylog" or "log"
	Name     string // the sender, the nation or the origin
	From, To uint64 // of the first that is missing, and of the first that is not
}

func (g Gap) String() string {
	switch g.What {
	case "bundle":
		return fmt.Sprintf("bundle %s of %s", span(g.From, g.To), g.Name)
	case "keylog":
		return fmt.Sprintf("statement %s of the key log of %s", span(g.From, g.To), g.Name)
	}
	return fmt.Sprintf("leaf %s of log %s", span(g.From, g.To), g.Name)
}

// span writes a range whose end is not in it.
func span(from, to uint64) string {
	if to == from+1 {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d to %d", from, to-1)
}

// Report is what a bundle is found to be.
type Report struct {
	Manifest Manifest
	Digest   peer.Digest
	Chain    error  // of Chain.Next: nil where it is the next of its sender
	Frames   uint64 // leaves that it holds
	New      uint64 // of them, those that are not held here and were verified
	Gaps     []Gap  // what is missing: the parts of logs behind a gap could not be verified
}

// Takes tells whether nothing is missing to take what is in the bundle. A number that is missing hinders nothing where later bundles repeat what it held.
func (r *Report) Takes() bool {
	for _, g := range r.Gaps {
		if g.What != "bundle" {
			return false
		}
	}
	return true
}

// Verify reads a bundle to its end and verifies all of it that can be without what is missing, by the verifier of every other way. Nothing is changed. Whatever
// does not hold is an error; what is missing is in the report.
func Verify(r io.Reader, o Options, k Known) (*Report, error) {
	b, err := Open(r, o)
	if err != nil {
		return nil, err
	}
	return verify(b, k)
}

func verify(b *Reader, k Known) (*Report, error) {
	v := verification{reader: b, known: k}
	for {
		it, err := b.Next()
		switch {
		case errors.Is(err, io.EOF):
			return v.report(), nil
		case err != nil && len(v.gaps) > 0: // keys that the sender signs with may stand in what is missing
			return nil, &Error{"bundle.gap", v.gaps[0].String() + " has not arrived", err}
		case err != nil:
			return nil, err
		}
		if err := v.take(it); err != nil {
			return nil, err
		}
	}
}

type verification struct {
	reader *Reader
	known  Known
	gaps   []Gap
	log    *peer.Verifier // of the log that is being read
	behind bool           // a gap stands before it
	fresh  uint64
	keys   string // nation whose key log has a gap
}

func (v *verification) take(it *Item) error {
	switch {
	case it.KeyLog != nil:
		return v.keyLog(it.KeyLog)
	case it.Accord != nil && v.known.Accord != nil:
		if err := v.known.Accord(it.Accord); err != nil {
			return &Error{"bundle.content", "an accord does not hold", err}
		}
	case it.Batch != nil && v.known.Log != nil:
		return v.batch(it.Batch)
	case it.Heads != nil && v.known.Heads != nil:
		if err := v.known.Heads(it.Heads); err != nil {
			return &Error{"bundle.content", "the heads do not hold", err}
		}
	}
	return nil
}

func (v *verification) keyLog(k *peer.KeyLog) error {
	if v.known.KeyLog == nil || v.keys == k.Nation {
		return nil
	}
	have, err := v.known.KeyLog(k)
	if have < k.From {
		v.keys = k.Nation
		v.gaps = append(v.gaps, Gap{"keylog", k.Nation, have, k.From})
		return nil
	}
	if err != nil {
		return &Error{"bundle.content", "the key log of " + k.Nation + " does not hold", err}
	}
	return nil
}

func (v *verification) batch(b *peer.Batch) error {
	if v.log == nil || v.log.Origin != b.Origin {
		var err error
		if v.log, err = v.known.Log(b.Origin); err != nil {
			return &Error{"bundle.content", "log " + b.Origin + " is not taken here", err}
		}
		if v.behind = b.From > v.log.Size(); v.behind {
			v.gaps = append(v.gaps, Gap{"log", b.Origin, v.log.Size(), b.From})
		}
	}
	if v.behind || b.End() < v.log.Size() { // what is held is not judged again
		return nil
	}
	m, _ := v.reader.Manifest()
	frames, err := v.log.Extend(b, v.reader.o.Keys(m.From.Nation, m.From.Org)...)
	var old *peer.Error
	switch {
	case errors.As(err, &old) && old.Code == peer.CodeRollback && b.End() <= v.log.Size(): // the log was read further on another way since the bundle was made
		return nil
	case err != nil:
		return &Error{"bundle.content", "log " + b.Origin + " does not hold", err}
	}
	v.fresh += uint64(len(frames))
	if v.known.Frame == nil {
		return nil
	}
	for i := range frames {
		index := b.End() - uint64(len(frames)-i)
		if err := v.known.Frame(b.Origin, index, &frames[i]); err != nil {
			return &Error{"bundle.content", fmt.Sprintf("leaf %d of log %s does not hold", index, b.Origin), err}
		}
	}
	return nil
}

func (v *verification) report() *Report {
	m := v.reader.state.manifest
	r := &Report{Manifest: m, Digest: v.reader.Digest(), Chain: v.known.Chain.Next(&m), Frames: v.reader.state.frames, New: v.fresh, Gaps: v.gaps}
	if from := v.known.Chain.Number + 1; m.Number > from {
		r.Gaps = append([]Gap{{"bundle", m.From.String(), from, m.Number}}, r.Gaps...)
	}
	return r
}
