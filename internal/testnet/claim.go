package testnet

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"entente/dsse"
	"entente/internal/ledger"
	"entente/keylog"
	"entente/peer"
)

// Leaf is one of a log that a nation writes as it likes.
type Leaf struct {
	At      time.Time      // as it says
	What    peer.Rendition // signed by Signer
	Signer  keylog.Role    // RoleOriginate where it is honest
	Realm   string
	Tampers func(envelope []byte) []byte // after it was signed; nil: not at all
}

// Claim lets the nation push a log of its own with leaves of its making, one after the other, and gives what the other did with each: what, and by which code.
func (n *Nation) Claim(to *Nation, leaves ...Leaf) (did [][2]string) {
	t, ctx := n.net.t, context.Background()
	t.Helper()
	l, err := ledger.Open(ctx, ledger.Config{Dir: t.TempDir()})
	must(t, err)
	defer l.Close()
	g, err := l.OpenLog(ctx, ledger.Identity{Org: Org(n.Code), Accord: "claims", Parties: []string{"org:" + to.Code + "/" + Org(to.Code)}})
	must(t, err)
	k, err := n.ring.Signer(keylog.RoleNode)
	must(t, err)
	for i, leaf := range leaves {
		payload, err := leaf.What.Payload()
		must(t, err)
		s, err := n.ring.Signer(leaf.Signer)
		must(t, err)
		signed, err := peer.SignRenditions(leaf.Realm, [][]byte{payload}, s)
		must(t, err)
		if leaf.Tampers != nil {
			signed[0] = leaf.Tampers(signed[0])
		}
		_, err = l.Append(ctx, ledger.Cursor{}, ledger.Entry{Origin: g.Origin, Envelope: signed[0], Leaf: peer.Leaf{Kind: peer.Put, Accord: leaf.What.Accord, Order: 1, Time: leaf.At}})
		must(t, err)
		_, err = l.Sign(ctx, g.Origin, n.net.o.Now(), k.(dsse.Notary))
		must(t, err)
		b, err := l.Frames(ctx, g.Origin, peer.Pull{From: uint64(i), Known: uint64(i)})
		must(t, err)
		r := httptest.NewRequest(http.MethodPost, "https://node/fed/v1/push", bytes.NewReader(b.Append(nil)))
		r.Header.Set("Content-Type", peer.BatchMedia)
		to.Handler(n.Code).ServeHTTP(httptest.NewRecorder(), r)
		h, err := to.Ledger.Held(ctx, g.Origin, uint64(i))
		must(t, err)
		did = append(did, [2]string{h.Did, h.Code})
	}
	return did
}
