package dsse

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func private(t testing.TB, hybrid bool) *Private {
	t.Helper()
	p, err := Generate(hybrid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func finder(keys ...*Key) func(string) *Key {
	return func(id string) *Key {
		for _, k := range keys {
			if k.ID() == id {
				return k
			}
		}
		return nil
	}
}

// The example of the DSSE specification (protocol.md) fixes the encoding.
func TestPAEIsThatOfTheSpecification(t *testing.T) {
	if got := string(PAE("http://example.com/HelloWorld", []byte("hello world"))); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Error(got)
	}
}

func TestSignatures(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		t.Run(fmt.Sprintf("hybrid=%t", hybrid), func(t *testing.T) {
			a, b, c := private(t, hybrid), private(t, true), private(t, hybrid)
			e, err := Sign("text/x", []byte("payload"), a, b)
			if err != nil {
				t.Fatal(err)
			}
			e, err = Parse(e.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := e.Verify("text/x", finder(a.Key(), b.Key())); err != nil || len(keys) != 2 {
				t.Errorf("%v %v", keys, err)
			}
			if keys, err := e.Verify("text/x", finder(b.Key(), c.Key())); err != nil || len(keys) != 1 || keys[0].ID() != b.Key().ID() {
				t.Errorf("%v %v", keys, err)
			}
			for name, tc := range map[string]struct {
				change func(*Envelope)
				code   string
			}{
				"another payload":             {func(e *Envelope) { e.Payload = []byte("payloae") }, "signature.invalid"},
				"another type":                {func(e *Envelope) { e.PayloadType = "text/y" }, "envelope.type"},
				"no signature of a known key": {func(e *Envelope) { e.Signatures = e.Signatures[1:] }, "signature.missing"},
				"another's signature under the name": {func(e *Envelope) {
					other, _ := c.Sign(PAE("text/x", e.Payload))
					e.Signatures[0].Sig = other
				}, "signature.invalid"},
				"cut short": {func(e *Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:63] }, "signature.invalid"},
				"empty":     {func(e *Envelope) { e.Signatures[0].Sig = nil }, "signature.invalid"},
				"longer":    {func(e *Envelope) { e.Signatures[0].Sig = append(e.Signatures[0].Sig, 0, 0, 0, 0, 0, 0, 0, 0) }, "signature.invalid"},
			} {
				changed, _ := Parse(e.Bytes())
				tc.change(&changed)
				_, err := changed.Verify("text/x", finder(a.Key()))
				if refused := (*Error)(nil); !errors.As(err, &refused) || refused.Code != tc.code {
					t.Errorf("%s: %v, want %s", name, err, tc.code)
				}
			}
		})
	}
}

// Of a hybrid key neither half alone is enough.
func TestBothHalvesMustHold(t *testing.T) {
	p := private(t, true)
	e, _ := Sign("t", []byte("x"), p)
	for _, i := range []int{0, edSig - 1, edSig, edSig + pqSig - 1} {
		changed := Envelope{e.PayloadType, e.Payload, []Signature{{p.Key().ID(), bytes.Clone(e.Signatures[0].Sig)}}}
		changed.Signatures[0].Sig[i] ^= 1
		if _, err := changed.Verify("t", finder(p.Key())); err == nil {
			t.Errorf("byte %d was changed, and the signature holds", i)
		}
	}
	half, _ := ParseKey(p.Key().Bytes()[:edKey])
	e.Signatures[0] = Signature{half.ID(), e.Signatures[0].Sig[:edSig]}
	if _, err := e.Verify("t", finder(p.Key())); err == nil {
		t.Error("a signature by half of the key was taken")
	}
}

func TestBatches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := private(t, rapid.Bool().Draw(rt, "hybrid"))
		payloads := make([][]byte, rapid.IntRange(1, 40).Draw(rt, "n"))
		for i := range payloads {
			payloads[i] = fmt.Appendf(nil, "payload %d", i)
		}
		es, err := SignBatch("t", payloads, p)
		if err != nil {
			t.Fatal(err)
		}
		var v Verifier
		for i := range es {
			e, err := Parse(es[i].Bytes())
			if err != nil {
				rt.Fatal(err)
			}
			if keys, err := v.Verify(&e, "t", finder(p.Key())); err != nil || len(keys) != 1 || !bytes.Equal(e.Payload, payloads[i]) {
				rt.Fatalf("%d of %d: %v", i, len(es), err)
			}
		}
		i := rapid.IntRange(0, len(es)-1).Draw(rt, "i")
		sig := es[i].Signatures[0].Sig
		at := rapid.IntRange(0, len(sig)-1).Draw(rt, "at")
		sig[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if _, err := v.Verify(&es[i], "t", finder(p.Key())); err == nil && at >= p.Key().size() {
			rt.Fatalf("byte %d was changed, and the envelope holds", at)
		}
		if _, err := es[i].Verify("t", finder(p.Key())); err == nil {
			rt.Fatalf("byte %d was changed, and the envelope holds for a new verifier", at)
		}
	})
}

func TestKeys(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		p := private(t, hybrid)
		again, err := FromSeed(p.Seed())
		if err != nil || again.Key().ID() != p.Key().ID() {
			t.Fatalf("%v", err)
		}
		text, _ := p.Key().MarshalText()
		var k Key
		if err := k.UnmarshalText(text); err != nil || k.ID() != p.Key().ID() || k.Hybrid() != hybrid {
			t.Errorf("%v %v", k.Hybrid(), err)
		}
	}
	for _, n := range []int{0, 31, 33, 1343, 1345} {
		if _, err := ParseKey(make([]byte, n)); err == nil {
			t.Errorf("%d bytes were taken for a key", n)
		}
	}
}

func FuzzParse(f *testing.F) {
	p := private(f, false)
	e, _ := Sign("t", []byte("x"), p)
	f.Add(e.Bytes())
	f.Add([]byte(`{"payloadType":"t","payload":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Parse(b); err == nil {
			_, _ = e.Verify(e.PayloadType, finder(p.Key()))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, hybrid := range []bool{false, true} {
		p := private(b, hybrid)
		e, _ := Sign("t", make([]byte, 1200), p)
		raw := e.Bytes()
		b.Run(fmt.Sprintf("hybrid=%t", hybrid), func(b *testing.B) {
			for b.Loop() {
				e, _ := Parse(raw)
				if _, err := e.Verify("t", finder(p.Key())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyBatch(b *testing.B) {
	p := private(b, false)
	payloads := make([][]byte, 1000)
	for i := range payloads {
		payloads[i] = append(make([]byte, 1200), fmt.Sprint(i)...)
	}
	es, _ := SignBatch("t", payloads, p)
	raw := make([][]byte, len(es))
	for i := range es {
		raw[i] = es[i].Bytes()
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		var v Verifier
		for _, r := range raw {
			e, _ := Parse(r)
			if _, err := v.Verify(&e, "t", finder(p.Key())); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(es))/b.Elapsed().Seconds(), "payloads/s")
}
