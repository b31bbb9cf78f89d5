package block

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/gate"
)

// reader is an enforcement point that follows deltas.
type reader struct {
	p      *post
	s      Selection
	has    map[string]bool
	cursor string
}

func newReader(p *post) *reader {
	p.t.Helper()
	s, err := Select("list", nil)
	p.must(err)
	return &reader{p: p, s: s, has: map[string]bool{}}
}

// asks takes what changed, holds what it has then to what is blocked, and tells whether it had to begin anew.
func (r *reader) asks() (reset bool) {
	r.p.t.Helper()
	d, err := r.p.room.Delta(r.p.t.Context(), r.s, r.cursor)
	r.p.must(err)
	if d.Reset {
		clear(r.has)
	}
	for _, v := range d.Added {
		r.has[v.Value] = true
	}
	for _, g := range d.Removed {
		if !r.has[g.Value] {
			r.p.t.Errorf("%s is removed and was not there", g.Value)
		}
		delete(r.has, g.Value)
	}
	is := map[string]bool{}
	for _, v := range r.p.blocked() {
		is[v] = true
	}
	if !maps.Equal(r.has, is) {
		r.p.t.Errorf("from %s: it has %v, and blocked is %v", r.cursor, r.has, is)
	}
	r.cursor = d.Cursor
	return d.Reset
}

func (p *post) restart() { p.room = New(p.o) }

func (p *post) address(n int, more ...any) {
	p.t.Helper()
	p.indicate(analyst, n, "tlp:green", fmt.Sprintf("[ipv4-addr:value='185.9.%d.%d']", n>>8, n&255), more...)
}

// onDisk is what the files of the history hold.
func (p *post) onDisk() (all []byte) {
	p.t.Helper()
	for _, ending := range []string{"base", "log"} {
		b, err := os.ReadFile(filepath.Join(p.dir, "block."+ending))
		if err != nil && !os.IsNotExist(err) {
			p.t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// An enforcement point that polls gets what changed over restarts of the node, also what came, went, or ended while the node was away.
func TestDeltasOverARestart(t *testing.T) {
	p := newPost(t, nil)
	r, early := newReader(p), newReader(p)
	p.address(1)
	if !r.asks() || !early.asks() {
		t.Error("who has nothing begins anew")
	}
	p.restart()
	if r.asks() {
		t.Error("nothing changed, and it begins anew")
	}
	p.address(2, "valid_until", "2026-11-22T13:00:00Z")
	p.address(1, "modified", "2026-11-02T00:00:00.000Z", "confidence", 99)
	if r.asks() {
		t.Error("it begins anew while the node goes on")
	}
	p.restart()
	p.address(3)
	p.address(1, "modified", "2026-11-03T00:00:00.000Z", "revoked", true)
	p.pass(2 * time.Hour)
	if r.asks() || early.asks() {
		t.Error("after a restart it begins anew")
	}
	if len(r.has) != 1 {
		t.Errorf("it has %v", r.has)
	}
	p.restart()
	p.restart()
	if r.asks() || early.asks() {
		t.Error("after two restarts it begins anew")
	}
}

// What is kept has bounds: of age, and nothing that is not of one piece counts.
func TestTheHistoryHasBounds(t *testing.T) {
	p := newPost(t, nil)
	r, early := newReader(p), newReader(p)
	p.address(1)
	early.asks()
	p.address(2)
	r.asks()
	p.pass(historyAge + time.Hour)
	p.address(3)
	r.asks()
	p.restart()
	if r.asks() {
		t.Error("what it has is not old")
	}
	if !early.asks() {
		t.Error("what is older than a week is kept")
	}
	size := len(p.onDisk())
	for range 3 {
		p.restart()
		r.asks()
	}
	if got := len(p.onDisk()); got > size {
		t.Errorf("%d octets became %d while nothing changed", size, got)
	}
	for i, spoil := range []func(b []byte) []byte{
		func(b []byte) []byte { return b[:len(b)-5] },
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"from":`), []byte(`"from":1`), 1) },
		func(b []byte) []byte { return []byte("what is this?\n") },
	} {
		p.address(10 + 2*i)
		r.asks()
		path := filepath.Join(p.dir, "block.log")
		b, err := os.ReadFile(path)
		p.must(err)
		p.must(os.WriteFile(path, spoil(b), 0o600))
		p.restart()
		p.address(11 + 2*i)
		if !r.asks() {
			t.Errorf("%d: it goes on from what is not of one piece", i)
		}
		p.restart()
		p.address(20 + i)
		if r.asks() {
			t.Errorf("%d: what began anew is not kept", i)
		}
	}
}

// A log that is full makes room by giving its oldest changes up, and stays of one piece.
func TestAFullLogGivesUpItsOldest(t *testing.T) {
	p := newPost(t, nil)
	r, early := newReader(p), newReader(p)
	p.address(1)
	early.asks()
	for n := 2; n < 10; n++ {
		p.address(n)
		r.asks()
	}
	p.room.history.size = historyBytes // as if there were as many
	p.address(10)
	r.asks()
	p.restart()
	if r.asks() {
		t.Error("it begins anew")
	}
	if !early.asks() {
		t.Error("nothing was given up")
	}
}

// Nothing of what was purged is left in the files, whoever asks, and whether somebody asks or not.
func TestAPurgeTakesTheHistory(t *testing.T) {
	officer := analyst
	officer.Roles = append(officer.Roles, gate.RoleOfficer)
	for name, told := range map[string]bool{"told at once": true, "seen in the journal": false} {
		p := newPost(t, nil)
		r := newReader(p)
		p.address(1)
		p.address(2)
		r.asks()
		if !bytes.Contains(p.onDisk(), []byte("185.9.0.2")) {
			t.Fatalf("%s: nothing is kept: %s", name, p.onDisk())
		}
		_, err := p.x.Purge(t.Context(), officer, id(2), false)
		p.must(err)
		if told {
			p.room.Purged()
			if b := p.onDisk(); len(b) > 0 {
				t.Errorf("%s: %s", name, b)
			}
		}
		if r.asks() {
			t.Errorf("%s: in the life of the node it begins anew", name)
		}
		if b := p.onDisk(); strings.Contains(string(b), "185.9.0.2") || !strings.Contains(string(b), "185.9.0.1") {
			t.Errorf("%s: the files hold %s", name, b)
		}
		p.restart()
		if r.asks() {
			t.Errorf("%s: after it, what changed is not kept", name)
		}
		// One that the room did not see, since the node ended at once.
		p.address(3)
		r.asks()
		_, err = p.x.Purge(t.Context(), officer, id(3), false)
		p.must(err)
		p.restart()
		r.asks()
		if b := p.onDisk(); strings.Contains(string(b), "185.9.0.3") {
			t.Errorf("%s: after a restart the files hold %s", name, b)
		}
	}
}

// What is not blocked is found by its value, in any form, and by the reason.
func TestWhatIsLeftIsFound(t *testing.T) {
	p := newPost(t, nil)
	p.indicate(analyst, 1, "tlp:green", "[domain-name:value='evil.example.com']", "confidence", 5)
	p.indicate(analyst, 2, "tlp:green", "[ipv4-addr:value='10.0.0.1'] OR [domain-name:value='bad.example.com']")
	p.indicate(analyst, 3, "tlp:green,pap:red", "[domain-name:value='bad.example.com']")
	find := func(only LeftFilter) (out []string) {
		p.must(p.room.Left(t.Context(), nil, only, "", func(_ string, l Spared) bool {
			out = append(out, l.ID[len(l.ID)-1:]+" "+l.Value+" "+l.Code)
			return true
		}))
		return out
	}
	for _, c := range []struct {
		only LeftFilter
		want string
	}{
		{LeftFilter{}, "1  confidence, 2 10.0.0.1 reserved, 3  pap"},
		{LeftFilter{Value: "BAD.example.com."}, "3 bad.example.com pap"},
		{LeftFilter{Value: "evil.example.com", Code: "confidence"}, "1 evil.example.com confidence"},
		{LeftFilter{Value: "10.0.0.1"}, "2 10.0.0.1 reserved"},
		{LeftFilter{Code: "confidence"}, "1  confidence"},
		{LeftFilter{Value: "10.0.0.1", Code: "pap"}, ""},
		{LeftFilter{Value: "185.9.9.9"}, ""},
	} {
		if got := strings.Join(find(c.only), ", "); got != c.want {
			t.Errorf("%+v: %s\nwant %s", c.only, got, c.want)
		}
	}
}
