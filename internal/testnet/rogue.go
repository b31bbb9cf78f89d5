package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"entente/decision"
	"entente/dsse"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

// Smuggle lets the nation push, in a log of its own that it signs as it signs all others, what another signed for others, and a rendition that it signs in that
// other's name. It gives the status of the answer.
func (n *Nation) Smuggle(to *Nation, envelope []byte, forged peer.Rendition) int {
	t, ctx := n.net.t, context.Background()
	t.Helper()
	l, err := ledger.Open(ctx, ledger.Config{Dir: t.TempDir()})
	must(t, err)
	defer l.Close()
	g, err := l.OpenLog(ctx, ledger.Identity{Org: Org(n.Code), Accord: "smuggled", Parties: []string{"org:" + to.Code + "/" + Org(to.Code)}})
	must(t, err)
	payload, err := forged.Payload()
	must(t, err)
	s, err := n.ring.Signer(keylog.RoleOriginate)
	must(t, err)
	signed, err := peer.SignRenditions(Realm, [][]byte{payload}, s)
	must(t, err)
	for _, e := range [][]byte{envelope, signed[0]} {
		_, err := l.Append(ctx, ledger.Cursor{}, ledger.Entry{Origin: g.Origin, Envelope: e, Leaf: peer.Leaf{Kind: peer.Put, Accord: forged.Accord, Order: 1, Time: n.net.o.Now()}})
		must(t, err)
	}
	k, err := n.ring.Signer(keylog.RoleNode)
	must(t, err)
	_, err = l.Sign(ctx, g.Origin, n.net.o.Now(), k.(dsse.Notary))
	must(t, err)
	b, err := l.Frames(ctx, g.Origin, peer.Pull{})
	must(t, err)
	return n.push(to, b)
}

// Tell makes a log of the nation that holds objects under an accord, for some, and tells it to one: a log of the same name and the same start with each call,
// whatever it is to hold. It gives the status of the answer.
func (n *Nation) Tell(to *Nation, accord [32]byte, l label.Label, parties []string, objects ...string) int {
	n.net.t.Helper()
	return n.TellIn("told", to, accord, l, parties, objects...)
}

// Retraction stands among the objects of Tell for an order to take the first of them out.
const Retraction = "retract the first"

// TellIn is Tell in a log that stands for itself under a name of its own.
func (n *Nation) TellIn(name string, to *Nation, accord [32]byte, l label.Label, parties []string, objects ...string) int {
	t, ctx := n.net.t, context.Background()
	t.Helper()
	book, err := ledger.Open(ctx, ledger.Config{Dir: t.TempDir(), Rand: rand.NewChaCha8([32]byte{})})
	must(t, err)
	defer book.Close()
	g, err := book.OpenLog(ctx, ledger.Identity{Org: Org(n.Code), Accord: name, Parties: parties})
	must(t, err)
	s, err := n.ring.Signer(keylog.RoleOriginate)
	must(t, err)
	var first peer.Leaf
	for i, o := range objects {
		at := n.net.began.Add(time.Duration(i))
		if o == Retraction {
			order, err := peer.SignOrder(Realm, peer.Order{Do: peer.Retract.String(), Accord: accord, Target: peer.Digest(first.Commit), Time: at}, s)
			must(t, err)
			_, err = book.Append(ctx, ledger.Cursor{}, ledger.Entry{Origin: g.Origin, Envelope: order, Leaf: peer.Leaf{Kind: peer.Retract, Accord: accord, Time: at, Target: 1}})
			must(t, err)
			continue
		}
		payload, err := (&peer.Rendition{Accord: accord, Audience: parties, Class: peer.Full, Label: l, Nation: n.Code, Org: Org(n.Code), Object: []byte(o)}).Payload()
		must(t, err)
		signed, err := peer.SignRenditions(Realm, [][]byte{payload}, s)
		must(t, err)
		places, err := book.Append(ctx, ledger.Cursor{}, ledger.Entry{Origin: g.Origin, Envelope: signed[0], Leaf: peer.Leaf{Kind: peer.Put, Accord: accord, Order: 1, Time: at}})
		must(t, err)
		if i == 0 {
			first = places[0].Leaf
		}
	}
	k, err := n.ring.Signer(keylog.RoleNode)
	must(t, err)
	_, err = book.Sign(ctx, g.Origin, n.net.o.Now(), k.(dsse.Notary))
	must(t, err)
	b, err := book.Frames(ctx, g.Origin, peer.Pull{})
	must(t, err)
	return n.push(to, b)
}

// push hands a batch over as the nation's node does.
func (n *Nation) push(to *Nation, b *peer.Batch) int {
	r := httptest.NewRequest(http.MethodPost, "https://node/fed/v1/push", bytes.NewReader(b.Append(nil)))
	r.Header.Set("Content-Type", peer.BatchMedia)
	a := httptest.NewRecorder()
	to.Handler(n.Code).ServeHTTP(a, r)
	return a.Code
}

// Twice has the nation say two different things at one place of its key log, and show one to each. Its code is one that is Unused elsewhere.
func (n *Nation) Twice(one, other *Nation) {
	t := n.net.t
	t.Helper()
	size := n.ring.KeyLog().Size()
	dir := t.TempDir() // the same keys in other hands
	must(t, os.CopyFS(dir, os.DirFS(ringsAt[n.Code])))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		mode := os.FileMode(0o600)
		if err == nil && d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode))
	}))
	second, err := keyring.Open(dir, Realm, time.Now)
	must(t, err)
	for i, r := range []*keyring.Ring{n.ring, second} {
		node := r.KeyState().Keys(Org(n.Code), keylog.RoleNode, n.net.o.Now())[0].Key.ID()
		must(t, r.MoveNode(node, fmt.Sprintf("node%d.example:7443", i)))
		_, err := []*Nation{one, other}[i].peers.Extend(context.Background(), n.Code, size, r.KeyLog().Since(size))
		must(t, err)
	}
}

// Sway lets the nation say several things of one proposal, in the log in which it decides with others, and tell them to one. It gives the status of the answer.
func (n *Nation) Sway(to *Nation, accord string, p *decision.Proposal, parties []string, choices ...decision.Choice) int {
	t, ctx := n.net.t, context.Background()
	t.Helper()
	book, err := ledger.Open(ctx, ledger.Config{Dir: t.TempDir(), Rand: rand.NewChaCha8([32]byte{})})
	must(t, err)
	defer book.Close()
	g, err := book.OpenLog(ctx, ledger.Identity{Org: Org(n.Code), Accord: accord + "/decisions", Parties: parties})
	must(t, err)
	voter, err := n.ring.Signer(keylog.RoleVote)
	must(t, err)
	at := n.net.o.Now().UTC().Truncate(time.Microsecond)
	for _, c := range choices {
		said, err := decision.SignPosition(Realm, decision.Position{Proposal: p.Digest(), Round: p.Round, Accord: p.Accord, Choice: c, Nation: n.Code, Org: Org(n.Code), Time: at}, voter)
		must(t, err)
		_, err = book.Append(ctx, ledger.Cursor{}, ledger.Entry{Origin: g.Origin, Envelope: said, Leaf: peer.Leaf{Kind: peer.Decision, Accord: p.Accord, Time: at, Topic: p.Topic()}})
		must(t, err)
	}
	k, err := n.ring.Signer(keylog.RoleNode)
	must(t, err)
	_, err = book.Sign(ctx, g.Origin, n.net.o.Now(), k.(dsse.Notary))
	must(t, err)
	b, err := book.Frames(ctx, g.Origin, peer.Pull{})
	must(t, err)
	return n.push(to, b)
}
