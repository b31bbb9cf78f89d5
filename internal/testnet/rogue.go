package testnet

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"

	"entente/dsse"
	"entente/internal/ledger"
	"entente/keylog"
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
	r := httptest.NewRequest(http.MethodPost, "https://node/fed/v1/push", bytes.NewReader(b.Append(nil)))
	r.Header.Set("Content-Type", peer.BatchMedia)
	a := httptest.NewRecorder()
	to.Handler(n.Code).ServeHTTP(a, r)
	return a.Code
}
