package accord

import (
	"errors"
	"strings"
	"testing"
	"time"

	"entente/dsse"
)

// signers are the keys of organisations by nation and name.
type signers map[[2]string]*dsse.Private

func (s signers) keys(nation, org string) []*dsse.Key {
	if p := s[[2]string{nation, org}]; p != nil {
		return []*dsse.Key{p.Key()}
	}
	return nil
}

func newSigners(t testing.TB, names ...[2]string) signers {
	t.Helper()
	s := signers{}
	for _, n := range names {
		p, err := dsse.Generate(true)
		if err != nil {
			t.Fatal(err)
		}
		s[n] = p
	}
	return s
}

var twoOfThree = strings.Replace(least, "keys = \"keylog:us\"\n    need = 1", "keys = \"keylog:us\"\n    need = 2\n    signers = [\"us.a\", \"us.b\", \"us.c\"]", 1)

func code(err error) string {
	var m *Misfit
	if errors.As(err, &m) {
		return m.Code
	}
	return ""
}

func TestSignatures(t *testing.T) {
	s := newSigners(t, [2]string{"USA", "us.a"}, [2]string{"USA", "us.b"}, [2]string{"USA", "us.c"}, [2]string{"KWT", ""}, [2]string{"MEX", ""})
	b, err := NewBundle([]byte(twoOfThree), "")
	if err != nil {
		t.Fatal(err)
	}
	have := func(b *Bundle, keys Keys) (usa, kwt int, complete bool) {
		t.Helper()
		all, err := b.Signed(keys)
		if err != nil || len(all) != 2 || all[0].Need != 2 || all[1].Need != 1 {
			t.Fatalf("%+v %v", all, err)
		}
		return all[0].Have, all[1].Have, Complete(all)
	}
	if u, k, c := have(b, s.keys); u != 0 || k != 0 || c {
		t.Error("nobody signed, and yet", u, k, c)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	there, _ := ParseBundle(b.Bytes())
	must(b.Sign(s[[2]string{"USA", "us.a"}], s[[2]string{"MEX", ""}]))
	must(b.Sign(s[[2]string{"USA", "us.a"}]))
	must(there.Sign(s[[2]string{"KWT", ""}]))
	if u, k, c := have(b, s.keys); u != 1 || k != 0 || c || len(b.Signatures) != 2 {
		t.Error("one organisation signed, and a stranger:", u, k, c, len(b.Signatures))
	}
	must(b.Merge(there))
	must(b.Merge(there))
	if u, k, c := have(b, s.keys); u != 1 || k != 1 || c {
		t.Error(u, k, c)
	}
	must(b.Sign(s[[2]string{"USA", "us.c"}]))
	b, err = ParseBundle(b.Bytes())
	must(err)
	if u, k, c := have(b, s.keys); u != 2 || k != 1 || !c {
		t.Error(u, k, c)
	}
	// One key in two hands counts once.
	shared := signers{{"USA", "us.a"}: s[[2]string{"USA", "us.a"}], {"USA", "us.b"}: s[[2]string{"USA", "us.a"}]}
	if u, _, _ := have(b, shared.keys); u != 1 {
		t.Error("a shared key counts", u)
	}
	// A signature that does not hold beside one that does takes nothing away.
	broken := *b
	broken.Signatures = append([]dsse.Signature{{KeyID: b.Signatures[0].KeyID, Sig: []byte("x")}}, b.Signatures...)
	if _, _, c := have(&broken, s.keys); !c {
		t.Error("a broken signature hides a good one")
	}
	// Signatures belong to one text in one realm.
	other, err := NewBundle([]byte(strings.Replace(twoOfThree, "AMBER", "GREEN", 1)), "")
	must(err)
	if code(b.Merge(other)) != "bundle.other" {
		t.Error("signatures of another text were merged")
	}
	for _, moved := range []*Bundle{{Text: other.Text, Signatures: b.Signatures}, {Text: b.Text, Realm: "exercise", Signatures: b.Signatures}} {
		if u, k, _ := have(moved, s.keys); u+k != 0 {
			t.Error("signatures hold for another text or realm")
		}
	}
}

func TestBundlesThatAreRefused(t *testing.T) {
	good, err := NewBundle([]byte(least), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ src, code string }{
		"no JSON":       {"accord", "bundle.form"},
		"unknown word":  {`{"accord":"","x":1}`, "bundle.form"},
		"not canonical": {strings.Replace(string(good.Bytes()), `  version   = 1`, `  version = 1`, 1), "bundle.canonical"},
		"a comment":     {strings.Replace(string(good.Bytes()), `  version   = 1`, `  version   = 1 # one`, 1), "bundle.canonical"},
		"a draft":       {strings.Replace(string(good.Bytes()), `version   = 1\n  mode      = `, `version    = 2\n  supersedes = \"sha256:...\"\n  mode       = `, 1), ""},
		"too long":      {strings.Repeat(" ", MaxBundle+1), "bundle.size"},
		"no accord":     {`{"accord":"","realm":""}`, ""},
	} {
		if _, err := ParseBundle([]byte(tc.src)); err == nil || code(err) != tc.code && tc.code != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	draft := strings.Replace(least, "version   = 1", "version = 2\n supersedes = \"sha256:...\"", 1)
	if _, err := NewBundle([]byte(draft), ""); code(err) != "bundle.draft" {
		t.Error(err)
	}
	register := strings.Replace(least[:strings.Index(least, "  party \"USA\"")]+least[strings.Index(least, "  purpose"):], "effective", "parties = \"register:r\"\n effective", 1)
	if _, err := NewBundle([]byte(register), ""); code(err) != "bundle.draft" {
		t.Error(err)
	}
}

func TestNotices(t *testing.T) {
	s := newSigners(t, [2]string{"USA", "us.a"}, [2]string{"USA", "us.b"}, [2]string{"KWT", ""})
	a := parsed(t, strings.Replace(twoOfThree, "access      = copy\n  }\n", "access = copy\n }\n suspend { by = any-party }\n terminate {\n notice = \"9d\"\n purge = \"9d\"\n}\n", 1))
	digest := Digest(a.Bytes())
	now := time.Date(2027, 1, 2, 3, 4, 5, 6789, time.UTC)
	ua, ub, kw := s[[2]string{"USA", "us.a"}], s[[2]string{"USA", "us.b"}], s[[2]string{"KWT", ""}]
	for name, tc := range map[string]struct {
		n    Notice
		by   []dsse.Signer
		code string
	}{
		"one of two suspends":          {Notice{digest, Suspend, "USA", now, "a compromise is suspected"}, []dsse.Signer{ua}, ""},
		"one of two resumes":           {Notice{digest, Resume, "USA", now, ""}, []dsse.Signer{ua}, "notice.signature"},
		"two of two resume":            {Notice{digest, Resume, "USA", now, ""}, []dsse.Signer{ua, ub}, ""},
		"one of two terminates":        {Notice{digest, Terminate, "USA", now, ""}, []dsse.Signer{ub}, ""},
		"another speaks for it":        {Notice{digest, Suspend, "USA", now, ""}, []dsse.Signer{kw}, "notice.signature"},
		"nobody may withdraw":          {Notice{digest, Withdraw, "KWT", now, ""}, []dsse.Signer{kw}, "notice.right"},
		"about another text":           {Notice{Digest(nil), Suspend, "KWT", now, ""}, []dsse.Signer{kw}, "notice.right"},
		"of no party":                  {Notice{digest, Suspend, "MEX", now, ""}, []dsse.Signer{kw}, "notice.right"},
		"no verb":                      {Notice{digest, "forget", "KWT", now, ""}, []dsse.Signer{kw}, "notice.form"},
		"no time":                      {Notice{digest, Suspend, "KWT", time.Time{}, ""}, []dsse.Signer{kw}, "notice.form"},
		"a reason of more than a line": {Notice{digest, Suspend, "KWT", now, "a\nb"}, []dsse.Signer{kw}, "notice.form"},
	} {
		e, err := tc.n.Sign("r", tc.by...)
		if err != nil {
			t.Fatal(err)
		}
		n, err := ReadNotice(&e, "r", a, digest, s.keys)
		if code(err) != tc.code || err == nil && (n.Verb != tc.n.Verb || !n.At.Equal(now.Truncate(time.Microsecond)) || n.Reason != tc.n.Reason) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
		if _, err := ReadNotice(&e, "q", a, digest, s.keys); err == nil {
			t.Errorf("%s: it holds in another realm", name)
		}
		e.Payload = append(e.Payload, ' ')
		if _, err := ReadNotice(&e, "r", a, digest, s.keys); err == nil {
			t.Errorf("%s: it holds for other bytes", name)
		}
	}
	if err := (&Notice{digest, Suspend, "KWT", now, ""}).Fits(parsed(t, least), digest); code(err) != "notice.right" {
		t.Error("suspended where nobody may:", err)
	}
}

func FuzzBundle(f *testing.F) {
	b, _ := NewBundle([]byte(least), "r")
	s := newSigners(f, [2]string{"USA", ""})
	if err := b.Sign(s[[2]string{"USA", ""}]); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"accord":"","realm":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := ParseBundle(src)
		if err != nil {
			return
		}
		if _, err := b.Signed(s.keys); err != nil {
			t.Fatal(err)
		}
		again, err := ParseBundle(b.Bytes())
		if err != nil || again.Digest() != b.Digest() || len(again.Signatures) != len(b.Signatures) {
			t.Fatal(err)
		}
	})
}
