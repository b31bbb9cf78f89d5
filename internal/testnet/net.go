// Package testnet is an alliance of nations in one process, for tests: each with keys, a store, a ledger, its accords and its federation, over the real rooms and
// the real wire, and with lines between them that can be cut.
package testnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/mldsa"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/decisions"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/peer"
)

// Realm is that of an alliance which says no other.
const Realm = "operational"

// Options say how an alliance is. The zero value is one as it would be, in real time.
type Options struct {
	Realm  string                   // of every node; empty: Realm
	Now    func() time.Time         // clock of every node
	Skew   map[string]time.Duration // by nation: how far its clock is ahead
	Tick   time.Duration            // how often a node looks at what time calls for; 200 ms
	Rand   func() io.Reader         // of salts and of the names of logs, made anew for each nation
	Deaf   bool                     // the nations do not call each other: partners are played by the test
	Leaves int                      // of one nation that another takes in a day; 0: as it is otherwise

	// Known are nations that the others know by their keys, and that have no node here.
	Known []string

	// Relays are nations whose nodes carry for everybody.
	Relays []string

	Docs    func(n *Nation, d decisions.Docs) decisions.Docs // what stands between the decisions and their documents
	Execute map[string]decisions.Executor                    // what carries out decisions, by the type of the action

	// What stands in the place of a part of a nation, for tests that put a leak into it. Nil leaves it as it is.
	Backend func(n *Nation, b peer.Backend) peer.Backend
	Carrier func(n *Nation, c peer.Carrier) peer.Carrier
	Door    func(n *Nation, d federation.Door) federation.Door
	House   func(n *Nation, h federation.House) federation.House
}

// Net is an alliance.
type Net struct {
	t     testing.TB
	o     Options
	codes []string
	nodes map[string]*Nation
	began time.Time

	mu    sync.Mutex
	waits string          // what Settle waited for
	cut   map[string]bool // "from>to"
	on    map[string]map[*call]bool
}

// New stands up nations that know each other.
func New(t testing.TB, o Options, codes ...string) *Net {
	t.Helper()
	if o.Realm == "" {
		o.Realm = Realm
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tick <= 0 {
		o.Tick = 200 * time.Millisecond
	}
	net := &Net{t: t, o: o, codes: codes, nodes: map[string]*Nation{}, cut: map[string]bool{}, on: map[string]map[*call]bool{}}
	for _, code := range codes {
		net.nodes[code] = &Nation{Code: code, net: net, dir: t.TempDir(), ring: ring(t, o.Realm, code)}
	}
	t.Cleanup(net.Close)
	for _, n := range net.nodes {
		n.open()
	}
	for _, a := range net.nodes {
		for _, b := range net.nodes {
			if a != b {
				a.meet(b.ring)
			}
		}
	}
	for _, n := range net.nodes {
		for _, code := range o.Known {
			n.meet(ring(t, o.Realm, code))
		}
		n.start()
	}
	net.began = o.Now() // all keys count by then
	t.Cleanup(net.Close)
	return net
}

// Close stops every nation. So does the end of the test.
func (net *Net) Close() {
	for _, n := range net.nodes {
		n.Stop()
	}
}

// Began is when the keys of all nations of this process were made, whatever the time is in a test.
var Began = time.Now().UTC().Truncate(time.Second)

// rings are the keys of nations, made once in a process: they cost more than all else.
var (
	ringsMu sync.Mutex
	rings   = map[string]*keyring.Ring{}
	ringsAt = map[string]string{} // their folders, which go with the test that made them
	unused  int
)

// Unused is the code of a nation that no other alliance has, for a test that changes its keys.
func Unused() string {
	ringsMu.Lock()
	defer ringsMu.Unlock()
	unused++
	return fmt.Sprintf("Q%c%c", 'A'+unused/26%26, 'A'+unused%26)
}

// ring is a nation's keys. Every alliance of a process has the same for the same code.
func ring(t testing.TB, realm, code string) *keyring.Ring {
	t.Helper()
	ringsMu.Lock()
	defer ringsMu.Unlock()
	key := code
	if realm != Realm {
		key += " " + realm
	}
	if r := rings[key]; r != nil {
		return r
	}
	ringsAt[key] = t.TempDir()
	r, err := keyring.Create(ringsAt[key], keyring.Names{Nation: code, Org: Org(code), Realm: realm}, func() time.Time { return Began })
	must(t, err)
	rings[key] = r
	return r
}

// Signer is the key with which a nation signs accords.
func Signer(t testing.TB, code string) dsse.Signer {
	return signer(t, Realm, code)
}

func signer(t testing.TB, realm, code string) dsse.Signer {
	s, err := ring(t, realm, code).Signer(keylog.RoleAccord)
	must(t, err)
	return s
}

// Voter is the key with which a nation votes from its node.
func Voter(t testing.TB, code string) dsse.Signer {
	s, err := ring(t, Realm, code).Signer(keylog.RoleVote)
	must(t, err)
	return s
}

// As is the nation of a code.
func (net *Net) As(code string) *Nation {
	n := net.nodes[code]
	if n == nil {
		net.t.Helper()
		net.t.Fatalf("%s is no nation of this alliance", code)
	}
	return n
}

// Part cuts the line between two nations both ways.
func (net *Net) Part(x, y string) {
	net.mu.Lock()
	defer net.mu.Unlock()
	for _, way := range []string{x + ">" + y, y + ">" + x} {
		net.cut[way] = true
		for c := range net.on[way] {
			c.end()
		}
	}
}

// Heal mends the line between two nations.
func (net *Net) Heal(x, y string) {
	net.mu.Lock()
	defer net.mu.Unlock()
	delete(net.cut, x+">"+y)
	delete(net.cut, y+">"+x)
}

// signed are accords with all signatures, by their text: each text is signed once in a process, so that it is the same bytes wherever it stands.
var (
	signedMu sync.Mutex
	signed   = map[[32]byte]*accord.Bundle{}
)

// Bundle is a text with the signatures of nations.
func Bundle(t testing.TB, text string, codes ...string) *accord.Bundle {
	t.Helper()
	return bundle(t, Realm, text, codes...)
}

func bundle(t testing.TB, realm, text string, codes ...string) *accord.Bundle {
	t.Helper()
	signedMu.Lock()
	defer signedMu.Unlock()
	key := sha256.Sum256(fmt.Appendf([]byte(text), "\x00%q", codes))
	if b := signed[key]; b != nil {
		return b
	}
	b, err := accord.NewBundle([]byte(text), realm)
	must(t, err)
	for _, code := range codes {
		must(t, b.Sign(signer(t, realm, code)))
	}
	if len(signed) > 10_000 {
		clear(signed)
	}
	signed[key] = b
	return b
}

// Agree has an accord signed by nations, so that it binds at each that is here.
func (net *Net) Agree(text string, codes ...string) {
	net.t.Helper()
	ctx, b := context.Background(), bundle(net.t, net.o.Realm, text, codes...).Bytes()
	for _, code := range codes {
		if n := net.nodes[code]; n != nil {
			v, err := n.Accords.Add(ctx, n.Viewer(gate.RoleAnalyst), b)
			must(net.t, err)
			for _, other := range codes {
				must(net.t, n.Accords.Held(ctx, v.Digest, other))
			}
			if v.Phase != accords.Active {
				net.t.Fatalf("the accord is %s at %s", v.Phase, code)
			}
		}
	}
}

// Eventually waits until something holds.
func (net *Net) Eventually(what string, holds func() bool) {
	net.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, n := range net.nodes {
				links, _ := n.Federation.Links(context.Background())
				net.t.Logf("%s: %+v", n.Code, links)
			}
			net.t.Fatalf("this did not come about: %s (%s)", what, net.waits)
		}
	}
}

// Settle waits until everybody gave what it may, took what came and told what it did.
func (net *Net) Settle() {
	net.t.Helper()
	net.Eventually("everybody has what it is to have", func() bool {
		for _, n := range net.nodes {
			if why := n.unsettled(); why != "" {
				net.mu.Lock()
				net.waits = n.Code + ": " + why
				net.mu.Unlock()
				return false
			}
		}
		return true
	})
}

// unsettled says what the nation still has to do: its journal is followed to its end, and its partners have all of its logs; empty: nothing.
func (n *Nation) unsettled() string {
	if err := n.Federation.Settle(context.Background()); err != nil {
		return err.Error()
	}
	if n.net.o.Deaf {
		return ""
	}
	for _, o := range n.net.nodes {
		if o != n && !n.net.isCut(n.Code, o.Code) {
			if why := o.lacks(n); why != "" {
				return why
			}
		}
	}
	return ""
}

// lacks says what of another's logs is not here, or not receipted; empty: nothing.
func (n *Nation) lacks(o *Nation) string {
	ctx := context.Background()
	heads, err := o.Federation.Backend().Logs(federation.WithCaller(ctx, n.caller()))
	if err != nil {
		return err.Error()
	}
	for _, h := range heads {
		if g, err := n.Ledger.Log(ctx, h.Origin); err != nil || g.Size != h.Size {
			return fmt.Sprintf("%s has %d of %d", n.Code, g.Size, h.Size)
		}
	}
	if waiting, err := n.Ledger.Orders(ctx, "", 0); err != nil || len(waiting) > 0 {
		return fmt.Sprintf("%s has %d orders waiting", n.Code, len(waiting))
	}
	owed, err := n.Ledger.Outbox(ctx, o.Code, 10)
	if err != nil || len(owed) > 0 {
		return fmt.Sprintf("%s owes %s %d receipts", n.Code, o.Code, len(owed))
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Org is the organisation of a nation.
func Org(code string) string { return strings.ToLower(code) + ".cert" }

// steady signs the same message with the same bytes, so that what two runs show can be compared.
type steady struct {
	federation.NodeKey
	unchecked bool // nobody verifies the half of a signature that costs most
}

var (
	steadyMu sync.Mutex
	said     = map[string][]byte{}
)

func once(what string, k *dsse.Key, message []byte, sign func([]byte) ([]byte, error)) ([]byte, error) {
	steadyMu.Lock()
	defer steadyMu.Unlock()
	key := what + k.ID() + "\x00" + string(message)
	if sig, ok := said[key]; ok {
		return sig, nil
	}
	sig, err := sign(message)
	if err == nil {
		if len(said) > 100_000 {
			clear(said)
		}
		said[key] = sig
	}
	return sig, err
}

func (s steady) Sign(m []byte) ([]byte, error) { return once("both", s.Key(), m, s.NodeKey.Sign) }
func (s steady) MLDSA44(m []byte) ([]byte, error) {
	if s.unchecked {
		sum := sha256.Sum256(m)
		return bytes.Repeat(sum[:], mldsa.MLDSA44SignatureSize/len(sum)+1)[:mldsa.MLDSA44SignatureSize], nil
	}
	return once("half", s.Key(), m, s.NodeKey.MLDSA44)
}
