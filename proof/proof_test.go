package proof

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

const realm = "operational"

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func after(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// utopia is a nation with a root of one key, a node and an originator.
type utopia struct {
	root, node, voice *dsse.Private
	log               *keylog.Log
}

func stand(t testing.TB) *utopia {
	t.Helper()
	u := &utopia{log: keylog.New("UTO", realm)}
	for _, k := range []struct {
		p      **dsse.Private
		hybrid bool
	}{{&u.root, true}, {&u.node, true}, {&u.voice, false}} {
		*k.p = must[*dsse.Private](t)(dsse.Generate(k.hybrid))
	}
	u.say(t, u.log, keylog.Statement{Kind: keylog.KindRoot, Time: start, Root: &keylog.Root{Need: 1, Keys: []*dsse.Key{u.root.Key()}}})
	u.say(t, u.log, keylog.Statement{Kind: keylog.KindAdd, Time: start, Entry: u.entry(t, u.node, keylog.RoleNode)})
	u.say(t, u.log, keylog.Statement{Kind: keylog.KindAdd, Time: start, Entry: u.entry(t, u.voice, keylog.RoleOriginate)})
	return u
}

func (u *utopia) entry(t testing.TB, p *dsse.Private, role keylog.Role) *keylog.Entry {
	t.Helper()
	e := keylog.Entry{Org: "uto.cert", Roles: []keylog.Role{role}}
	e.Key = p.Key()
	if role == keylog.RoleNode {
		e.Node, e.Address = "one", "node.uto.example:7443"
	}
	r := must[keylog.Request](t)(keylog.Request{Nation: "UTO", Realm: realm, Entry: e}.Sign(p))
	return &r.Entry
}

func (u *utopia) say(t testing.TB, l *keylog.Log, s keylog.Statement) []byte {
	t.Helper()
	e := must[dsse.Envelope](t)(l.Draft(s))
	if err := errors.Join(e.Add(u.root), l.Append(e.Bytes())); err != nil {
		t.Fatal(err)
	}
	return e.Bytes()
}

const origin = "fed/v1/aaaaaaaaaaaaaaaaaaaa"

// sign is a checkpoint over hashes.
func (u *utopia) sign(t testing.TB, at time.Time, hashes ...byte) []byte {
	t.Helper()
	var e peer.Edge
	for _, h := range hashes {
		e.Add(tlog.Hash{h}, nil)
	}
	return must[[]byte](t)(peer.SignCheckpoint(peer.Checkpoint{Origin: origin, Size: e.Size, Root: e.Root(), Time: at}, u.node))
}

func (u *utopia) give(t testing.TB, object string) []byte {
	t.Helper()
	r := peer.Rendition{Accord: [32]byte{1}, Audience: []string{"org:ARC/arc.cert"}, Class: peer.Full, Label: label.Label{}, Nation: "UTO", Org: "uto.cert", Object: []byte(object)}
	payload := must[[]byte](t)(r.Payload())
	return must[[][]byte](t)(peer.SignRenditions(realm, [][]byte{payload}, u.voice))[0]
}

func object(name string) string {
	return `{"type":"identity","spec_version":"2.1","id":"identity--733c5838-34d9-4fbf-949c-62aba761184c","created":"2026-03-01T08:00:00.000Z","modified":"2026-03-01T08:00:00.000Z","name":"` + name + `","identity_class":"organization"}`
}

func TestWhatIsProved(t *testing.T) {
	u := stand(t)
	fork := func() []byte {
		one, other := u.log.Clone(), u.log.Clone()
		u.say(t, one, keylog.Statement{Kind: keylog.KindRevoke, Time: after(1), Key: u.voice.Key().ID(), From: after(1), Reason: "a"})
		lie := u.say(t, other, keylog.Statement{Kind: keylog.KindRevoke, Time: after(1), Key: u.voice.Key().ID(), From: after(1), Reason: "b"})
		var f *keylog.Fork
		if _, err := one.Extend(one.Size()-1, [][]byte{lie}); !errors.As(err, &f) {
			t.Fatal(err)
		}
		return must[[]byte](t)(must[*Proof](t)(OfKeyLog(f)).Bytes())
	}
	logs := func(e *peer.Equivocation) []byte {
		return must[[]byte](t)(must[*Proof](t)(OfLog(u.log, e)).Bytes())
	}
	objects := func(a, b string) []byte {
		return must[[]byte](t)(must[*Proof](t)(OfObjects(u.log, u.give(t, a), u.give(t, b))).Bytes())
	}
	grown := func(hashes ...byte) *peer.Equivocation {
		return &peer.Equivocation{First: u.sign(t, after(1), 1, 2), Second: u.sign(t, after(2), hashes...)}
	}
	prefix := &peer.Equivocation{First: u.sign(t, after(1), 1, 2), Second: u.sign(t, after(2), 1, 9, 3), Proof: []tlog.Hash{{3}}}
	var e peer.Edge
	e.Add(tlog.Hash{1}, nil)
	e.Add(tlog.Hash{9}, nil)
	prefix.Prefix = e.Root()
	prefix.Proof = must[[]tlog.Hash](t)(peer.Prove(2, 3, reader(t, 1, 9, 3)))

	for name, c := range map[string]struct {
		file []byte
		kind Kind
		code string
	}{
		"two roots of one size":                   {logs(grown(1, 9)), LogFork, ""},
		"another past":                            {logs(prefix), LogFork, ""},
		"a log that became smaller":               {logs(grown(1)), LogFork, ""},
		"the same twice proves nothing":           {logs(grown(1, 2)), "", "proof.evidence"},
		"growth proves nothing":                   {logs(grown(1, 2, 3)), "", "proof.evidence"},
		"an older one that is smaller":            {logs(&peer.Equivocation{First: u.sign(t, after(2), 1, 2), Second: u.sign(t, after(1), 1)}), "", "proof.evidence"},
		"another's signature":                     {logs(&peer.Equivocation{First: u.sign(t, after(1), 1), Second: stand(t).sign(t, after(1), 2)}), "", "proof.evidence"},
		"a checkpoint before the key":             {logs(&peer.Equivocation{First: u.sign(t, after(-1), 1), Second: u.sign(t, after(1), 2)}), "", "proof.evidence"},
		"two key logs":                            {fork(), KeyLogFork, ""},
		"two objects of one version":              {objects(object("A"), object("B")), Conflict, ""},
		"one object written in two ways":          {objects(object("A"), strings.Replace(object("A"), `"name":"A","identity_class":"organization"`, `"identity_class":"organization","name":"A"`, 1)), "", "proof.evidence"},
		"two objects under two ids":               {objects(object("A"), `{"type":"identity","spec_version":"2.1","id":"identity--11111111-34d9-4fbf-949c-62aba761184c","created":"2026-03-01T08:00:00.000Z","modified":"2026-03-01T08:00:00.000Z","name":"A"}`), "", "proof.evidence"},
		"no file":                                 {nil, "", "proof.form"},
		"another version of the format":           {bytes.Replace(fork(), []byte(`"v":1`), []byte(`"v":2`), 1), "", "proof.form"},
		"a kind that is not known":                {bytes.Replace(fork(), []byte(`keylog-fork`), []byte(`keylog-spoon`), 1), "", "proof.kind"},
		"a proof that is said to be of another":   {bytes.Replace(fork(), []byte(`"nation":"UTO"`), []byte(`"nation":"ARC"`), 1), "", "proof.evidence"},
		"a proof that is said to be of a fork":    {bytes.Replace(objects(object("A"), object("B")), []byte(`"conflict"`), []byte(`"log-fork"`), 1), "", "proof.evidence"},
		"a proof that is moved to another realm":  {bytes.Replace(objects(object("A"), object("B")), []byte(`"operational"`), []byte(`"exercise:x"`), 1), "", "proof.keys"},
		"a proof with a member that is not known": {bytes.Replace(fork(), []byte(`{"v":1`), []byte(`{"x":1,"v":1`), 1), "", "proof.form"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Verify(c.file)
			if c.code != "" {
				if e := (*Error)(nil); !errors.As(err, &e) || e.Code != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind != c.kind || f.Nation != "UTO" || f.Realm != realm || f.Fingerprint != u.log.Fingerprint() || f.Text == "" || c.kind != KeyLogFork && f.Org != "uto.cert" {
				t.Fatalf("%+v", f)
			}
		})
	}
}

// What a thief signed with a stolen key accuses nobody once the nation has said so.
func TestAStolenKeyAccusesNobody(t *testing.T) {
	u := stand(t)
	for _, k := range []*dsse.Private{u.voice, u.node} {
		u.say(t, u.log, keylog.Statement{Kind: keylog.KindCompromise, Time: after(5), Key: k.Key().ID(), From: start, Reason: "stolen"})
	}
	one := must[*Proof](t)(OfObjects(u.log, u.give(t, object("A")), u.give(t, object("B"))))
	two := must[*Proof](t)(OfLog(u.log, &peer.Equivocation{First: u.sign(t, after(1), 1), Second: u.sign(t, after(1), 2)}))
	for _, p := range []*Proof{one, two} {
		if f, err := Verify(must[[]byte](t)(p.Bytes())); err == nil {
			t.Errorf("accused: %+v", f)
		}
	}
}

// mutations is how many changed files are tried.
func mutations() int {
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_MUTATIONS")); err == nil {
		return n
	}
	return 2000
}

// A file that was changed proves what it proved, or nothing: never anything else, and never of anybody else.
func TestAChangedFileProvesNothingElse(t *testing.T) {
	u := stand(t)
	provesNothingElse(t, must[[]byte](t)(must[*Proof](t)(OfObjects(u.log, u.give(t, object("A")), u.give(t, object("B")))).Bytes()))
}

func provesNothingElse(t *testing.T, file []byte) {
	t.Helper()
	want := must[Finding](t)(Verify(file))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range mutations() {
		b := bytes.Clone(file)
		for range 1 + r.IntN(3) {
			if len(b) == 0 {
				break
			}
			switch i := r.IntN(len(b)); r.IntN(4) {
			case 0:
				b[i] ^= 1 << r.IntN(8)
			case 1:
				b = append(b[:i], b[min(len(b), i+1+r.IntN(8)):]...)
			case 2:
				b = append(b[:i:i], append([]byte{b[r.IntN(len(b))]}, b[i:]...)...)
			case 3:
				b = b[:i+1]
			}
		}
		f, err := Verify(b)
		if err == nil && (f.Kind != want.Kind || f.Nation != want.Nation || f.Org != want.Org || f.Text != want.Text || f.Fingerprint != want.Fingerprint) {
			t.Fatalf("seed %d: %+v", seed, f)
		}
	}
}

func reader(t testing.TB, hashes ...byte) tlog.HashReader {
	var stored []tlog.Hash
	for i, h := range hashes {
		stored = append(stored, must[[]tlog.Hash](t)(tlog.StoredHashesForRecordHash(int64(i), tlog.Hash{h}, tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
			for _, n := range at {
				out = append(out, stored[n])
			}
			return out, nil
		})))...)
	}
	return tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, n := range at {
			out = append(out, stored[n])
		}
		return out, nil
	})
}

func FuzzVerify(f *testing.F) {
	u := stand(f)
	f.Add([]byte(`{"v":1,"realm":"operational","kind":"keylog-fork","nation":"UTO","evidence":{}}`))
	f.Add(must[[]byte](f)(must[*Proof](f)(OfLog(u.log, &peer.Equivocation{First: u.sign(f, after(1), 1), Second: u.sign(f, after(1), 2)})).Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if found, err := Verify(b); err == nil && (found.Nation == "" || found.Text == "" || !jsontext.Value(b).IsValid()) {
			t.Errorf("%+v", found)
		}
	})
}
