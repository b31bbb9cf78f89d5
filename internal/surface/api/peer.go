package api

import (
	"net/http"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/peers"
)

// cardBytes bounds a card that is handed in.
const cardBytes = 16 << 20

var peerRoutes = []Route{
	{get, "/peers", "The nations that this node knows.", gate.AccordRead, nil, pages[peers.Peer](), (*API).peers},
	{post, "/peers", "Take a nation's card, after two people have compared its fingerprint.", gate.PeerManage, []Param{
		{Name: "nation", Doc: "The nation that is meant: the card must be its."},
		{Name: "fingerprint", Doc: "What the other side read out: 24 words, the text of a QR code, or 64 digits in hex."},
	}, keeps(peers.Peer{}).upload(bytesType), (*API).addPeer},
	{post, "/peers/review", "Verify a card and say whose it is. Nothing is stored.", gate.PeerManage, nil, gives(peers.Peer{}).upload(bytesType), (*API).reviewPeer},
	{get, "/peers/{nation}", "One nation that this node knows.", gate.AccordRead, nil, gives(peers.Peer{}), (*API).peer},
	{remove, "/peers/{nation}", "Forget a nation: none of its keys counts any more.", gate.PeerManage, nil, ends(), (*API).removePeer},
}

func (a *API) peers(c *call) error { return c.answer(list(a.ops.Peers().List(), "")) }

func (a *API) peer(c *call) error {
	p, err := a.ops.Peers().Find(c.path("nation"))
	if err != nil {
		return err
	}
	return c.answer(p)
}

func (a *API) addPeer(c *call) error {
	nation := c.q.get("nation")
	compared, err := peers.ParseFingerprint(nation, c.q.get("fingerprint"))
	if err != nil {
		return err
	}
	b, err := c.file(cardBytes)
	if err != nil {
		return err
	}
	p, err := a.ops.Peers().Look(b)
	if err != nil {
		return err
	}
	if p.Nation != nation {
		return fault.New(fault.Conflict, "peer.nation", "the card is that of %s", p.Nation).At("nation")
	}
	status := http.StatusCreated
	if _, err := a.ops.Peers().Find(nation); err == nil {
		status = http.StatusOK
	}
	if p, err = a.ops.Peers().Add(c.ctx(), actor(c.v), b, compared); err != nil {
		return err
	}
	return c.answerStatus(status, p)
}

func (a *API) reviewPeer(c *call) error {
	b, err := c.file(cardBytes)
	if err != nil {
		return err
	}
	p, err := a.ops.Peers().Look(b)
	if err != nil {
		return err
	}
	return c.answer(p)
}

func (a *API) removePeer(c *call) error {
	if err := a.ops.Peers().Remove(c.ctx(), actor(c.v), c.path("nation")); err != nil {
		return err
	}
	return c.done()
}
