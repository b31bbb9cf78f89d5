package peer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/label"
)

func opener(w *world) *Opener { return &Opener{Realm: realm, Keys: w.find} }

func TestRenditionsKeepTheObjectsBytes(t *testing.T) {
	w := newWorld(t)
	of := [32]byte{7}
	l := label.Bottom()
	l.TLP = label.Amber
	objects := []string{`{"b":1.0e0, "a" : "\u0041\/é","big":123456789012345678901234567890}`, "{\n}", `{"type":"x","n":[[[[1]]]]}`}
	var payloads [][]byte
	var want []*Rendition
	for i, o := range objects {
		r := &Rendition{Accord: [32]byte{byte(i)}, Audience: []string{"org:KWT/kw.ncsc"}, Class: Reduced, Label: l, Nation: "USA", Org: `us."cisa"\`, Object: []byte(o)}
		if i > 0 {
			r.Class, r.Of = Full, &of
		}
		p, err := r.Payload()
		if err != nil {
			t.Fatal(err)
		}
		payloads, want = append(payloads, p), append(want, r)
	}
	o := opener(w)
	for _, n := range []int{1, len(payloads)} {
		envelopes, err := SignRenditions(realm, payloads[:n], w.author)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range envelopes {
			r, signers, err := o.Rendition(e)
			if err != nil {
				t.Fatal(err)
			}
			if string(r.Object) != objects[i] || r.Accord != want[i].Accord || r.Class != want[i].Class || r.Org != want[i].Org || !label.Equal(r.Label, l) || (r.Of == nil) != (want[i].Of == nil) {
				t.Errorf("%+v became %+v", want[i], r)
			}
			if len(signers) != 1 || signers[0].ID() != w.author.Key().ID() {
				t.Error("another signer")
			}
		}
	}
}

func TestRenditionsAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	good := string(w.rendition(1))
	seen := opener(w)
	if _, err := seen.parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for name, change := range map[string]func(string) string{
		"a name twice":                   func(s string) string { return strings.Replace(s, `"n":1.0e0`, `"n":1,"n":2`, 1) },
		"a name twice in its escapes":    func(s string) string { return strings.Replace(s, `"n":1.0e0`, `"n":1,"\u006e":2`, 1) },
		"a member twice":                 func(s string) string { return strings.Replace(s, `"v":1`, `"v":1,"v":1`, 1) },
		"a member that is not known":     func(s string) string { return strings.Replace(s, `"v":1`, `"v":1,"x":1`, 1) },
		"members in another order":       func(s string) string { return strings.Replace(s, `{"accord"`, `{"v":1,"accord"`, 1) },
		"another version":                func(s string) string { return strings.Replace(s, `"v":1`, `"v":2`, 1) },
		"a space":                        func(s string) string { return strings.Replace(s, `"v":1`, `"v": 1`, 1) },
		"something after it":             func(s string) string { return s + "{}" },
		"cut short":                      func(s string) string { return s[:len(s)-1] },
		"too deep":                       func(s string) string { return strings.Replace(s, `1.0e0`, deep, 1) },
		"not UTF-8":                      func(s string) string { return strings.Replace(s, "indicator", "\xff", 1) },
		"no class of these":              func(s string) string { return strings.Replace(s, `"full"`, `"whole"`, 1) },
		"a label of another form":        func(s string) string { return strings.Replace(s, `"label":{`, `"label":{"named":true,`, 1) },
		"a label that is none":           func(s string) string { return strings.Replace(s, `"tlp":"`, `"tlp":"X`, 1) },
		"a recipient that is a nation":   func(s string) string { return strings.Replace(s, `org:KWT/kw.ncsc`, `nation:KWT`, 1) },
		"recipients that are not sorted": func(s string) string { return strings.Replace(s, `"org:KWT/kw.ncsc",`, `"org:ZAF/za.cert",`, 1) },
		"nobody":                         func(s string) string { return strings.Replace(s, `"org:KWT/kw.ncsc","org:USA/us.cisa"`, ``, 1) },
		"no object":                      func(s string) string { return s[:strings.Index(s, `,"object"`)] + "}" },
		"an object that is a list":       func(s string) string { return s[:strings.Index(s, `"object":`)] + `"object":[]}` },
		"a digest in capitals":           func(s string) string { return strings.Replace(s, "sha256:01", "sha256:0A", 1) },
		"nothing":                        func(string) string { return "" },
	} {
		changed := change(good)
		if changed == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		es, err := SignRenditions(realm, [][]byte{[]byte(changed)}, w.author)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := opener(w).Rendition(es[0]); code(err) != CodeRendition {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := seen.Rendition(es[0]); code(err) != CodeRendition {
			t.Errorf("%s, by one that has read its head: %v", name, err)
		}
	}
	if _, err := (&Rendition{Audience: []string{"org:KWT/k"}, Class: Full, Label: label.Bottom(), Nation: "USA", Org: "o", Object: []byte(deep)}).Payload(); code(err) != CodeRendition {
		t.Errorf("what nobody could read was written: %v", err)
	}
}

// Nothing of an envelope is used, and no cause but the signature is told, before the signature holds (threats 4, 14, 30).
func TestSignatureComesFirst(t *testing.T) {
	w := newWorld(t)
	es, _ := SignRenditions(realm, [][]byte{w.rendition(1)}, w.author)
	broken, _ := SignRenditions(realm, [][]byte{[]byte("{not JSON")}, private(t, false))
	changed, _ := dsse.Parse(es[0])
	changed.Payload = bytes.Replace(changed.Payload, []byte(`"class":"full"`), []byte(`"class":"reduced"`), 1)
	receipt, _ := SignReceipt(realm, Receipt{Origin: w.origin, Party: "KWT", Time: at, Acts: []Act{{Did: DidStore, At: at}}}, w.author)
	for name, tc := range map[string]struct {
		envelope []byte
		o        *Opener
		code     string
	}{
		"by nobody who is known": {broken[0], opener(w), CodeSignature},
		"another class":          {changed.Bytes(), opener(w), CodeSignature},
		"another realm":          {es[0], &Opener{Realm: "exercise", Keys: w.find}, CodeSignature},
		"another type":           {receipt, opener(w), CodeSignature},
		"too large":              {es[0], &Opener{Realm: realm, Keys: w.find, Limits: Limits{Envelope: 100}}, CodeSize},
		"no envelope":            {[]byte("[]"), opener(w), CodeSignature},
	} {
		if _, _, err := tc.o.Rendition(tc.envelope); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
}

func TestOrdersAndReceipts(t *testing.T) {
	w := newWorld(t)
	l := label.Top()
	target := Digest{9}
	for _, o := range []Order{{Do: "retract", Target: target, Time: at, Reason: "wrong"}, {Do: "relabel", Target: target, Time: at, Label: &l}, {Do: "purge", Target: target, Time: at, Accord: Digest{1}}} {
		e, err := SignOrder(realm, o, w.author)
		if err != nil {
			t.Fatal(err)
		}
		got, signers, err := opener(w).Order(e)
		if err != nil || len(signers) != 1 || got.Do != o.Do || got.Target != target || (got.Label == nil) != (o.Label == nil) || !got.Time.Equal(at) {
			t.Errorf("%+v %v", got, err)
		}
		if _, _, err := opener(w).Receipt(e); code(err) != CodeSignature {
			t.Errorf("an order was taken for a receipt: %v", err)
		}
	}
	for name, o := range map[string]Order{
		"nothing to do": {Target: target, Time: at}, "no target": {Do: "purge", Time: at}, "no time": {Do: "purge", Target: target}, "no label": {Do: "relabel", Target: target, Time: at},
		"a label": {Do: "purge", Target: target, Time: at, Label: &l}, "a long reason": {Do: "purge", Target: target, Time: at, Reason: strings.Repeat("x", 1001)},
	} {
		if _, err := SignOrder(realm, o, w.author); code(err) != CodeRendition {
			t.Errorf("order with %s: %v", name, err)
		}
	}
	r := Receipt{Origin: w.origin, Party: "KWT", Time: at, Acts: []Act{{Index: 1, Commit: target, Did: DidStore, At: at}, {Index: 4, Did: DidPurge, At: at, Exceptions: []string{"court order 12"}}}}
	e, err := SignReceipt(realm, r, w.node)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := opener(w).Receipt(e); err != nil || len(got.Acts) != 2 || got.Acts[0].Commit != target || got.Acts[1].Exceptions[0] != "court order 12" {
		t.Errorf("%+v %v", got, err)
	}
	for name, change := range map[string]func(*Receipt){
		"no acts": func(r *Receipt) { r.Acts = nil }, "an act twice": func(r *Receipt) { r.Acts[1].Index = 1 }, "an act of another name": func(r *Receipt) { r.Acts[0].Did = "kept" },
		"no party": func(r *Receipt) { r.Party = "kwt" }, "an exception of what was no purge": func(r *Receipt) { r.Acts[0].Exceptions = []string{"x"} },
	} {
		changed := r
		changed.Acts = append([]Act(nil), r.Acts...)
		change(&changed)
		if _, err := SignReceipt(realm, changed, w.node); code(err) != CodeRendition {
			t.Errorf("receipt with %s: %v", name, err)
		}
		if b, err := json.Marshal(changed); err == nil {
			e, _ := dsse.Sign(dsse.InRealm(ReceiptType, realm), b, w.node)
			if _, _, err := opener(w).Receipt(e.Bytes()); code(err) != CodeRendition {
				t.Errorf("a signed receipt with %s: %v", name, err)
			}
		}
	}
}

// Neither leaves nor receipts let anyone who guesses values find out what they are about (threat 37).
func TestCommitmentsOfKnownValuesTellNothing(t *testing.T) {
	w := newWorld(t)
	known := w.rendition(1)
	es, _ := SignRenditions(realm, [][]byte{known}, w.author)
	a, b := w.add(Put, 0, es[0]), w.add(Put, 0, es[0])
	if a.Leaf.Commit == b.Leaf.Commit {
		t.Error("the same envelope has one commitment")
	}
	guesses := [][32]byte{Commit([16]byte{}, es[0]), Commit([16]byte{}, known)}
	for _, g := range guesses {
		if a.Leaf.Commit == g || b.Leaf.Commit == g {
			t.Error("a guess without the salt finds the leaf")
		}
	}
}

func FuzzRendition(f *testing.F) {
	w := newWorld(f)
	f.Add(w.rendition(1))
	f.Add([]byte(`{"accord":"sha256:`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Opener
		r, err := o.parse(b)
		if err != nil {
			return
		}
		if same, err := o.parse(b); err != nil || !bytes.Equal(same.Object, r.Object) || same.Class != r.Class || !label.Equal(same.Label, r.Label) {
			t.Fatalf("%q is read in another way the second time: %v", b, err)
		}
		again, err := r.Payload()
		if shallow(b, MaxDepth+1) && (err != nil || !bytes.Equal(again, b)) {
			t.Fatalf("%q became %q: %v", b, again, err)
		}
	})
}

func FuzzEnvelopes(f *testing.F) {
	w := newWorld(f)
	for _, p := range []string{`{"v":1,"do":"purge","target":"sha256:0900000000000000000000000000000000000000000000000000000000000000","time":"2026-01-01T00:00:00Z"}`, `{"v":1}`, `{`} {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range []string{OrderType, ReceiptType} {
			e, err := dsse.Sign(dsse.InRealm(typ, realm), b, w.author)
			if err != nil {
				t.Fatal(err)
			}
			o := opener(w)
			switch typ {
			case OrderType:
				_, _, err = o.Order(e.Bytes())
			case ReceiptType:
				_, _, err = o.Receipt(e.Bytes())
			}
			if c := code(err); c != "" && c != CodeRendition {
				t.Fatalf("%s: %v", typ, err)
			}
		}
	})
}
