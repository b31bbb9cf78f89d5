package api

import (
	"io"
	"mime"
	"net/http"
	"strconv"

	"entente/bundle"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/seal"
)

// BundleWords say that a bundle arrived.
type BundleWords struct {
	Nation string `json:"nation,omitempty"` // empty: any
	Words  string `json:"words"`            // the 24 words that are shown where it was imported, or the first four letters of each
}

// sealedType is the media type of a bundle.
const sealedType = bytesType

var bundleRoutes = []Route{
	{get, "/bundles", "Bundles: those that were made for partners, the last that was taken of each, those that wait for what is missing before them, and those that were refused.", gate.AccordRead, nil,
		gives(federation.BundleBook{}), (*API).bundles},
	{post, "/bundles", "Make a bundle: all that a nation may have and has not acknowledged, sealed to its node. With dry_run it is only counted.", gate.Share, nil,
		makes(federation.Bundle{}).of(federation.BundleRequest{}, "nation"), (*API).makeBundle},
	{get, "/bundles/key", "The statement of the key to which partners seal what is for this node. It is no secret.", gate.AccordRead, nil, copies(bytesType), (*API).bundleKey},
	{post, "/bundles/key", "Take the statement of the key of a partner's node, which its key log must vouch for.", gate.PeerManage, nil, gives(federation.SealKey{}).upload(bytesType), (*API).addBundleKey},
	{post, "/bundles/verify", "Verify a bundle to its end and say what is in it. Nothing is changed.", gate.PeerManage, nil, gives(federation.Imported{}).upload(sealedType), (*API).verifyBundle},
	{post, "/bundles/import", "Verify a bundle whole, and then take what is in it. One before which something is missing waits for it; one that does not hold is refused and listed.", gate.PeerManage, nil,
		gives(federation.Imported{}).upload(sealedType), (*API).importBundle},
	{post, "/bundles/ack", "Note that a bundle arrived, by the words that are shown where it was imported: the next one begins where it ended.", gate.Share, nil,
		gives(federation.Bundle{}).of(BundleWords{}, "words"), (*API).ackBundle},
	{get, "/bundles/{nation}/file", "The last bundle that was made for a nation, until it is acknowledged.", gate.Share, nil, copies(sealedType), (*API).bundleFile},
}

func (a *API) bundles(c *call) error {
	b, err := a.ops.Federation().Bundles(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(b)
}

func (a *API) makeBundle(c *call) error {
	var q federation.BundleRequest
	if err := c.body(&q); err != nil {
		return err
	}
	b, err := a.ops.Federation().MakeBundle(c.ctx(), actor(c.v), q)
	if err != nil {
		return err
	}
	return c.answerStatus(http.StatusCreated, b)
}

func (a *API) bundleFile(c *call) error {
	file, b, err := a.ops.Federation().OpenBundle(c.ctx(), c.path("nation"))
	if err != nil {
		return err
	}
	defer file.Close()
	headers(c.w, sealedType)
	h := c.w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": b.Nation + "-" + strconv.FormatUint(b.Number, 10) + bundle.Extension}))
	h.Set("Content-Length", strconv.FormatInt(b.Bytes, 10))
	_, err = io.CopyBuffer(struct{ io.Writer }{c.w}, struct{ io.Reader }{file}, make([]byte, 256<<10))
	return started(err)
}

func (a *API) bundleKey(c *call) error {
	b, err := a.ops.Federation().OwnSealKey()
	if err != nil {
		return err
	}
	return c.bytes("entente.sealkey", b)
}

func (a *API) addBundleKey(c *call) error {
	b, err := c.file(seal.MaxStatement)
	if err != nil {
		return err
	}
	k, err := a.ops.Federation().LearnSealKey(c.ctx(), actor(c.v), b)
	if err != nil {
		return err
	}
	return c.answer(k)
}

func (a *API) verifyBundle(c *call) error {
	in, err := a.ops.Federation().VerifyBundle(c.ctx(), c.r.Body)
	if err != nil {
		return err
	}
	return c.answer(in)
}

func (a *API) importBundle(c *call) error {
	in, err := a.ops.Federation().ImportBundle(c.ctx(), actor(c.v), c.r.Body)
	if err != nil {
		return err
	}
	return c.answer(in)
}

func (a *API) ackBundle(c *call) error {
	var in BundleWords
	if err := c.body(&in); err != nil {
		return err
	}
	digest, err := bundle.ParseWords(in.Words)
	if err != nil {
		return fault.New(fault.Invalid, "bundle.words", "%v", err).At("words")
	}
	b, err := a.ops.Federation().AckBundle(c.ctx(), actor(c.v), in.Nation, digest)
	if err != nil {
		return err
	}
	return c.answer(b)
}
