package block

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/store/sqlite"
	"entente/label"
)

// post is a room over a real store and exchange, with a clock of its own.
type post struct {
	t     testing.TB
	dir   string
	ring  *keyring.Ring
	x     *exchange.Exchange
	guard *wardens
	room  *Room
	o     Options

	mu  sync.Mutex
	now time.Time
}

// wardens say what must not be blocked.
type wardens struct {
	warned, owned map[string]string
	names, hosts  []string
	generation    string
}

func (g *wardens) Warned(v string) string                            { return g.warned[v] }
func (g *wardens) Owner(_ context.Context, v string) (string, error) { return g.owned[v], nil }
func (g *wardens) Names(context.Context) ([]string, error)           { return g.names, nil }
func (g *wardens) Hosts(context.Context) ([]string, error)           { return g.hosts, nil }
func (g *wardens) Generation() string                                { return g.generation }

var (
	analyst = gate.Viewer{Nation: "UTO", Org: "uto.cert", Person: "ann", Roles: []string{gate.RoleAnalyst, gate.RoleOfficer}, Realm: keyring.Operational}
	ally    = gate.Viewer{Nation: "XER", Org: "xer.cert", Person: "eve", Roles: []string{gate.RoleAnalyst}, Realm: keyring.Operational}
)

func newPost(t testing.TB, change func(*Options)) *post {
	t.Helper()
	p := &post{t: t, dir: t.TempDir(), guard: &wardens{}, now: now}
	var err error
	p.ring, err = keyring.Create(p.dir, keyring.Names{Nation: "UTO", Org: "uto.cert"}, p.clock)
	p.must(err)
	p.must(os.Mkdir(filepath.Join(p.dir, "store"), 0o700))
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(p.dir, "store"), Now: p.clock})
	p.must(err)
	t.Cleanup(func() { db.Close() })
	g := gate.New(gate.Rules{Nation: "UTO", Org: "uto.cert", Realm: keyring.Operational, Community: "all", Communities: map[string][]gate.Party{"all": {{Nation: "UTO"}, {Nation: "XER"}}}})
	p.x, err = exchange.New(t.Context(), exchange.Config{Nation: "UTO", Org: "uto.cert", Realm: keyring.Operational, Gate: func() *gate.Gate { return g }, Now: p.clock}, db)
	p.must(err)
	t.Cleanup(p.x.Close)
	p.o = Options{Nation: "UTO", Org: "uto.cert", Realm: keyring.Operational, Config: DefaultConfig(), Door: p.x, Guard: p.guard, Signer: p.ring, Watched: "x-entente-constituent",
		State: filepath.Join(p.dir, "block.json"), Now: p.clock}
	if change != nil {
		change(&p.o)
	}
	p.room = New(p.o)
	return p
}

func (p *post) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// pass lets time pass.
func (p *post) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// id is the id of the indicator of a number.
func id(n int) string { return fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", n) }

// indicate hands in an indicator. more are members of it, in pairs.
func (p *post) indicate(v gate.Viewer, n int, words, pattern string, more ...any) {
	p.t.Helper()
	o := map[string]any{"type": "indicator", "spec_version": "2.1", "id": id(n), "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "valid_from": "2026-11-01T00:00:00Z",
		"pattern_type": "stix", "pattern": pattern, "indicator_types": []string{"malicious-activity"}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == nil {
			delete(o, more[i].(string))
		} else {
			o[more[i].(string)] = more[i+1]
		}
	}
	b, err := json.Marshal(o)
	p.must(err)
	l, _, err := label.ParseWords(words)
	p.must(err)
	out, err := p.x.Accept(p.t.Context(), v, exchange.Submission{Objects: [][]byte{b}, Via: "test", Restrict: &l, Default: &l})
	p.must(err)
	if out[0].State != exchange.Added {
		p.t.Fatalf("%s: %+v", pattern, out[0])
	}
}

// blocked is what is blocked now.
func (p *post) blocked() []string {
	p.t.Helper()
	e, err := p.room.Edition(p.t.Context())
	p.must(err)
	out := []string{}
	for i := range e.Entries {
		out = append(out, e.Entries[i].Value)
	}
	return out
}

// reasons are the codes of what is not blocked, by object and value.
func (p *post) reasons() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	p.must(p.room.Left(p.t.Context(), nil, LeftFilter{}, "", func(_ string, l Spared) bool {
		if l.Reason == "" {
			p.t.Errorf("%+v has no reason", l)
		}
		out[strings.TrimSpace(l.ID[len(l.ID)-2:]+" "+l.Value)] = l.Code
		return true
	}))
	return out
}

func (p *post) want(values ...string) {
	p.t.Helper()
	if got := p.blocked(); !slices.Equal(got, values) {
		p.t.Errorf("blocked: %q\nwanted:  %q\nleft: %v", got, values, p.reasons())
	}
}

func TestWhatMayBeBlocked(t *testing.T) {
	p := newPost(t, func(o *Options) {
		o.Config.Allow = []string{"203.0.113.0/24", "no-ip.biz", "185.0.0.0/12"}
		o.Config.Never = []string{"mine.bad-zone.com", "185.240.0.0/16"}
	})
	p.guard.warned = map[string]string{"185.1.1.1": "a list", "known-site.net": "another", "d41d8cd98f00b204e9800998ecf8427e": "empty"}
	p.guard.owned = map[string]string{"185.2.2.2": "Ministry"}
	p.guard.names = []string{"mail.ministry-zone.org"}
	p.guard.hosts = []string{"185.3.3.3", "node.partner-zone.net", "localhost"}
	for n, x := range []struct {
		words, pattern, code string // code: why not; empty: it is blocked
		more                 []any
	}{
		{words: "tlp:green", pattern: "[domain-name:value='bad-zone.com']", code: "own"}, // block.never names one beneath
		{words: "tlp:green", pattern: "[domain-name:value='a.mine.bad-zone.com']", code: "own"},
		{words: "tlp:green", pattern: "[domain-name:value='evil.bad-zone.com']"},
		{words: "tlp:red", pattern: "[ipv4-addr:value='185.9.9.9']"}, // TLP alone forbids no own use
		{words: "tlp:green,pap:clear", pattern: "[ipv4-addr:value='185.9.9.10']"},
		{words: "tlp:green,pap:green", pattern: "[ipv4-addr:value='185.9.9.11']"},
		{words: "tlp:green,pap:amber", pattern: "[ipv4-addr:value='185.9.9.12']", code: "pap"},
		{words: "tlp:green,pap:red", pattern: "[ipv4-addr:value='185.9.9.13']", code: "pap"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.14']", code: "confidence", more: []any{"confidence", 49}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.15']", more: []any{"confidence", 50}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.16']", code: "types", more: []any{"indicator_types", []string{"anomalous-activity"}}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.17']", more: []any{"indicator_types", nil}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.18']", code: "revoked", more: []any{"revoked", true}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.19']", code: "expired", more: []any{"valid_until", "2026-11-21T00:00:00Z"}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.20']", code: "early", more: []any{"valid_from", "2026-12-01T00:00:00Z"}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.21']", code: "expired", more: []any{"valid_from", "2026-01-01T00:00:00Z", "created", "2026-01-01T00:00:00.000Z", "modified", "2026-01-01T00:00:00.000Z"}},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.1.1.1']", code: "warninglist"},
		{words: "tlp:clear", pattern: "[domain-name:value='known-site.net']", code: "warninglist"},
		{words: "tlp:clear", pattern: "[file:hashes.MD5='d41d8cd98f00b204e9800998ecf8427e']", code: "warninglist"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.2.2.2']", code: "own"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.3.0.0/16']", code: "own"}, // a partner's node is in it
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.240.7.7']", code: "own"},
		{words: "tlp:clear", pattern: "[domain-name:value='ministry-zone.org']", code: "own"}, // above a constituent's
		{words: "tlp:clear", pattern: "[domain-name:value='www.ministry-zone.org']"},
		{words: "tlp:clear", pattern: "[url:value='http://node.partner-zone.net/x']", code: "own"},
		{words: "tlp:clear", pattern: "[url:value='http://partner-zone.net/x']"},
		{words: "tlp:clear", pattern: "[domain-name:value='node.partner-zone.net']", code: "own"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='10.1.2.3']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='100.64.1.1']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='198.51.100.1']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='203.0.113.9']"}, // named in block.allow
		{words: "tlp:clear", pattern: "[ipv6-addr:value='fe80::1']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv6-addr:value='::ffff:127.0.0.1']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv6-addr:value='2a01:4f8::1']"},
		{words: "tlp:clear", pattern: "[url:value='http://192.168.1.1/setup']", code: "reserved"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='186.0.0.0/15']", code: "broad"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='186.0.0.0/16']"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.4.0.0/14']"}, // within what block.allow names
		{words: "tlp:clear", pattern: "[ipv6-addr:value='2a00::/31']", code: "broad"},
		{words: "tlp:clear", pattern: "[domain-name:value='co.uk']", code: "suffix"},
		{words: "tlp:clear", pattern: "[domain-name:value='github.io']", code: "suffix"},
		{words: "tlp:clear", pattern: "[domain-name:value='no-ip.biz']"},
		{words: "tlp:clear", pattern: "[domain-name:value='printer.local']", code: "reserved"},
		{words: "tlp:clear", pattern: "[process:command_line='x']", code: "pattern"},
		{words: "tlp:clear", pattern: "[file:name='evil.exe']", code: "kind"},
		{words: "tlp:clear", pattern: "[ipv4-addr:value='185.9.9.22' AND ipv4-addr:value='185.9.9.23']", code: "pattern"},
	} {
		t.Run(x.pattern+" "+x.words, func(t *testing.T) {
			p.t = t
			before := p.blocked()
			p.indicate(analyst, 10+n, x.words, x.pattern, x.more...)
			after := p.blocked()
			if x.code == "" && len(after) != len(before)+1 || x.code != "" && !slices.Equal(before, after) {
				t.Errorf("%d were blocked and %d are; %v", len(before), len(after), p.reasons())
			}
			found := ""
			for value, code := range p.reasons() {
				if strings.HasPrefix(value, fmt.Sprintf("%02d", 10+n)) {
					found = code
				}
			}
			if found != x.code {
				t.Errorf("the reason is %q and not %q", found, x.code)
			}
		})
	}
}

// What leaves the sight of the own organisation leaves the lists with the next question, and what time ends goes without one.
func TestChangesAreFollowed(t *testing.T) {
	p := newPost(t, nil)
	p.indicate(analyst, 1, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "valid_until", "2026-11-22T13:00:00Z")
	p.indicate(ally, 2, "tlp:green", "[ipv4-addr:value='185.9.9.2']")
	p.indicate(ally, 3, "tlp:red", "[ipv4-addr:value='185.9.9.3']") // of others, and not for us
	p.indicate(analyst, 4, "tlp:green", "[ipv4-addr:value='185.9.9.4']", "valid_from", "2026-11-22T12:30:00Z")
	p.want("185.9.9.1", "185.9.9.2")
	p.pass(45 * time.Minute)
	p.want("185.9.9.1", "185.9.9.2", "185.9.9.4")
	p.pass(45 * time.Minute)
	p.want("185.9.9.2", "185.9.9.4")
	p.indicate(ally, 2, "tlp:green", "[ipv4-addr:value='185.9.9.5']", "modified", "2026-11-02T00:00:00.000Z")
	p.want("185.9.9.4", "185.9.9.5")
	p.indicate(ally, 2, "tlp:green", "[ipv4-addr:value='185.9.9.5']", "modified", "2026-11-03T00:00:00.000Z", "revoked", true)
	p.want("185.9.9.4")
	p.indicate(analyst, 5, "tlp:green", "[ipv4-addr:value='185.9.9.6']")
	_, err := p.x.Relabel(t.Context(), analyst, exchange.Relabelling{ID: id(5), Label: func() label.Label { l, _, _ := label.ParseWords("tlp:green,pap:red"); return l }()})
	p.must(err)
	p.want("185.9.9.4")
	_, err = p.x.Purge(t.Context(), analyst, id(4), false)
	p.must(err)
	p.want()
	p.guard.generation, p.guard.warned = "2", map[string]string{}
	p.indicate(analyst, 6, "tlp:green", "[ipv4-addr:value='185.9.9.7']")
	p.want("185.9.9.7")
	p.guard.generation, p.guard.warned = "3", map[string]string{"185.9.9.7": "a list"} // read anew
	p.want()
}

// One source's word is enough, and another's prohibition binds that source's own word alone; the own organisation's word that a value is harmless
// counts against all.
func TestSourcesOfOneValue(t *testing.T) {
	p := newPost(t, nil)
	p.indicate(analyst, 1, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "confidence", 90, "valid_until", "2026-11-30T00:00:00Z")
	p.indicate(ally, 2, "tlp:green,pap:red", "[ipv4-addr:value='185.9.9.1']")
	p.indicate(ally, 3, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "valid_until", "2026-12-30T00:00:00Z")
	e, err := p.room.Edition(t.Context())
	p.must(err)
	if len(e.Entries) != 1 || len(e.Entries[0].Sources) != 2 {
		t.Fatalf("%+v", e.Entries)
	}
	x := e.Entries[0]
	if x.Sources[0].ID != id(3) || x.Sources[0].Origin != "XER/xer.cert" || x.Sources[1].ID != id(1) || x.Sources[1].Confidence != 90 || !x.Until.Equal(time.Date(2026, 12, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", x)
	}
	for _, f := range Formats() {
		if text := written(t, f.Name, e); strings.Contains(text, id(2)) {
			t.Errorf("%s names a source that forbids it:\n%s", f.Name, text)
		}
	}
	p.indicate(ally, 4, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "indicator_types", []string{"benign"})
	p.want("185.9.9.1") // an ally's word does not clear
	p.indicate(analyst, 5, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "indicator_types", []string{"benign"})
	p.want()
	if code := p.reasons()["01 185.9.9.1"]; code != "benign" {
		t.Errorf("the reason is %q", code)
	}
}

// A delta leads from one edition to the next, whatever happened between them; a cursor that is not known gives everything.
func TestDeltas(t *testing.T) {
	p := newPost(t, nil)
	s, err := Select("list", nil)
	p.must(err)
	have, cursor := map[string]bool{}, ""
	step := func(wantReset bool, wantAdded, wantRemoved int) {
		t.Helper()
		d, err := p.room.Delta(t.Context(), s, cursor)
		p.must(err)
		if d.Reset {
			clear(have)
		}
		for _, v := range d.Added {
			have[v.Value] = true
		}
		for _, g := range d.Removed {
			if !have[g.Value] {
				t.Errorf("%s is removed and was not had", g.Value)
			}
			delete(have, g.Value)
		}
		if d.Reset != wantReset || len(d.Added) != wantAdded || len(d.Removed) != wantRemoved {
			t.Errorf("delta from %q: %+v", cursor, d)
		}
		if cursor != "" && d.Cursor < cursor {
			t.Errorf("the cursor went from %s to %s", cursor, d.Cursor)
		}
		cursor = d.Cursor
		is := slices.DeleteFunc(p.blocked(), func(v string) bool { return !strings.Contains(v, ".") }) // hashes have no place in a list
		if len(is) != len(have) {
			t.Errorf("had %v, blocked %v", have, is)
		}
	}
	step(true, 0, 0)
	p.indicate(analyst, 1, "tlp:green", "[ipv4-addr:value='185.9.9.1']")
	p.indicate(analyst, 2, "tlp:green", "[ipv4-addr:value='185.9.9.2']", "valid_until", "2026-11-22T13:00:00Z")
	step(false, 2, 0)
	step(false, 0, 0)
	p.indicate(analyst, 3, "tlp:green", "[ipv4-addr:value='185.9.9.3']", "valid_until", "2026-11-22T12:30:00Z")
	p.want("185.9.9.1", "185.9.9.2", "185.9.9.3")
	p.pass(2 * time.Hour) // what came and went between two questions is told of to nobody
	step(false, 0, 1)
	p.indicate(analyst, 1, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "modified", "2026-11-02T00:00:00.000Z", "confidence", 99)
	step(false, 1, 0) // changed
	p.indicate(analyst, 4, "tlp:green", "[file:hashes.MD5='0cc175b9c0f1b6a831c399e269772661']")
	step(false, 0, 0) // nothing for this format, and another cursor
	cursor = "17"
	step(true, 1, 0)
}

// The serial number grows with every change and only then, over restarts too.
func TestSerial(t *testing.T) {
	p := newPost(t, nil)
	serial := func() uint32 {
		t.Helper()
		e, err := p.room.Edition(t.Context())
		p.must(err)
		return e.Serial
	}
	render := func() Rendering {
		t.Helper()
		s, err := Select("rpz", nil)
		p.must(err)
		x, err := p.room.Render(t.Context(), s)
		p.must(err)
		return x
	}
	first, file := serial(), render()
	p.pass(time.Second)
	if again := render(); serial() != first || again.ETag() != file.ETag() {
		t.Error("nothing changed, and the zone did")
	}
	for n := range 3 { // in one second
		p.indicate(analyst, 1+n, "tlp:green", fmt.Sprintf("[ipv4-addr:value='185.9.9.%d']", n))
		if next := serial(); int32(next-first) <= 0 {
			t.Errorf("%d follows %d", next, first)
		} else {
			first = next
		}
	}
	file = render()
	p.room = New(p.o)
	if again := render(); again.ETag() != file.ETag() || serial() != first {
		t.Errorf("after a restart the zone is another: %d, %d", serial(), first)
	}
	p.room = New(p.o)
	p.indicate(analyst, 9, "tlp:green", "[ipv4-addr:value='185.9.9.99']")
	p.pass(-time.Hour) // a clock that goes back
	if next := serial(); int32(next-first) <= 0 {
		t.Errorf("%d follows %d", next, first)
	}
}

func TestSignatures(t *testing.T) {
	p := newPost(t, nil)
	p.indicate(analyst, 1, "tlp:green", "[domain-name:value='evil.bad-zone.com']")
	s, err := Select("hosts", nil)
	p.must(err)
	x, envelope, err := p.room.RenderSigned(t.Context(), s)
	p.must(err)
	var b strings.Builder
	n, err := x.WriteTo(&b)
	p.must(err)
	if n != x.Size || int(n) != b.Len() {
		t.Errorf("%d bytes were written and %d said", n, x.Size)
	}
	log := p.ring.KeyLog()
	got, err := Verify(strings.NewReader(b.String()), envelope, log, p.clock())
	p.must(err)
	if got.Format != "hosts" || got.Entries != 1 || got.Org != "uto.cert" || got.Serial != x.Edition.Serial {
		t.Errorf("%+v", got)
	}
	other, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "UTO", Org: "uto.cert"}, p.clock)
	p.must(err)
	for name, x := range map[string]struct {
		file     string
		envelope []byte
		at       time.Duration
		code     string
	}{
		"another byte": {b.String() + "\n", envelope, 0, "block.bytes"},
		"less":         {b.String()[1:], envelope, 0, "block.bytes"},
		"no envelope":  {b.String(), []byte("{}"), 0, "block.envelope"},
		"stale":        {b.String(), envelope, 25 * time.Hour, "block.stale"},
		"early":        {b.String(), envelope, -time.Hour, "block.early"},
	} {
		if _, err := Verify(strings.NewReader(x.file), x.envelope, log, p.clock().Add(x.at)); err == nil || !strings.Contains(fmt.Sprintf("%+v %#v", err, err), x.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(strings.NewReader(b.String()), envelope, other.KeyLog(), p.clock()); err == nil {
		t.Error("the key of another node's log counts")
	}
	mislabelled, err := p.ring.SignEnvelope("application/json", []byte(`{}`))
	p.must(err)
	if _, err := Verify(strings.NewReader(b.String()), mislabelled, log, p.clock()); err == nil {
		t.Error("what was signed for something else counts")
	}
}

// nft's elements end on time: never late, and early by a step at most, while the file itself changes only once in a step.
func TestTimesOfNFT(t *testing.T) {
	p := newPost(t, nil)
	p.indicate(analyst, 1, "tlp:green", "[ipv4-addr:value='185.9.9.1']", "valid_until", "2026-11-22T13:05:00Z")
	s, err := Select("nft", nil)
	p.must(err)
	last := ""
	for range 70 {
		x, err := p.room.Render(t.Context(), s)
		p.must(err)
		var b strings.Builder
		_, err = x.WriteTo(&b)
		p.must(err)
		_, rest, ok := strings.Cut(b.String(), "185.9.9.1 timeout ")
		if ok {
			var seconds int
			fmt.Sscanf(rest, "%ds", &seconds)
			end := p.clock().Add(time.Duration(seconds) * time.Second)
			until := time.Date(2026, 11, 22, 13, 5, 0, 0, time.UTC)
			if end.After(until) || end.Before(until.Add(-step)) {
				t.Errorf("at %s it ends at %s", p.clock().Format(time.TimeOnly), end.Format(time.TimeOnly))
			}
		} else if left := time.Date(2026, 11, 22, 13, 5, 0, 0, time.UTC).Sub(p.clock()); left > step {
			t.Errorf("it is gone %s early", left)
		}
		if changed := last != "" && last != x.ETag(); changed && !p.clock().Equal(p.clock().Truncate(step)) && p.clock().Before(time.Date(2026, 11, 22, 13, 5, 0, 0, time.UTC)) {
			t.Errorf("the file changed at %s", p.clock().Format(time.TimeOnly))
		}
		last = x.ETag()
		p.pass(time.Minute)
	}
}

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"min_confidence": func(c *Config) { c.MinConfidence = 101 }, "action": func(c *Config) { c.Action = "pass" }, "allow": func(c *Config) { c.Allow = []string{"x y"} },
		"never": func(c *Config) { c.Never = []string{""} }, "first_rule": func(c *Config) { c.FirstRule = 1<<32 - 1 }, "ttl": func(c *Config) { c.TTL = 0 }, "fresh_hours": func(c *Config) { c.FreshHours = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(fmt.Sprintf("%#v", err), "block."+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
