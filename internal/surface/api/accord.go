package api

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
)

// AccordPage is one version of an accord with what people read of it.
type AccordPage struct {
	accords.View
	Sentences []accord.Sentence `json:"sentences"`
	Changes   []accord.Change   `json:"changes,omitempty"` // against the version before, where that is here
}

// AccordReview says of a text whether it can be signed, and what it means. Nothing is stored.
type AccordReview struct {
	Text      string              `json:"text,omitempty"`    // in its canonical form
	Parties   []accords.PartyView `json:"parties,omitempty"` // of a file with signatures: who signed
	Digest    string              `json:"digest,omitempty"`
	Errors    []AccordError       `json:"errors,omitempty"`
	Warnings  []accord.Warning    `json:"warnings,omitempty"`
	Sentences []accord.Sentence   `json:"sentences,omitempty"`
	Changes   []accord.Change     `json:"changes,omitempty"` // against the highest version of that name that is here
}

// AccordTemplate says what a new accord is made from.
type AccordTemplate struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Title    string   `json:"title,omitempty"`
	Parties  []string `json:"parties,omitempty"`
	Register string   `json:"register,omitempty"`
	Gives    []string `json:"gives,omitempty"`
	From     string   `json:"from,omitempty"`
	Until    string   `json:"until,omitempty"`
}

// AccordText is the text of an accord that nobody has kept yet.
type AccordText struct {
	Text string `json:"text"`
}

// AccordError is what is wrong with a text, and where.
type AccordError struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// AccordNotice asks to suspend, resume or terminate an accord, to withdraw from it, or to decline to sign it.
type AccordNotice struct {
	Verb   accord.Verb `json:"verb"`
	Reason string      `json:"reason,omitempty"`
}

// SharingRequest asks to share an object of the own organisation with the parties of an accord, or no longer.
type SharingRequest struct {
	Accord string   `json:"accord,omitempty"` // all its other parties, unless With says which
	With   []string `json:"with,omitempty"`   // nations
	Not    bool     `json:"not,omitempty"`    // no longer
	Reason string   `json:"reason,omitempty"`
	DryRun bool     `json:"dry_run,omitempty"`
}

// Retraction says why an object was wrong.
type Retraction struct {
	Reason string `json:"reason,omitempty"`
}

// Orders says how many orders went out.
type Orders struct {
	Orders int `json:"orders"`
}

// ReleaseAsk asks to look at a release before signing it.
type ReleaseAsk struct {
	Key   string `json:"key"`
	Hours int    `json:"hours,omitempty"`
}

// ReleaseDecision signs or refuses a release.
type ReleaseDecision struct {
	Key    string `json:"key"`
	Sign   bool   `json:"sign"`
	Reason string `json:"reason,omitempty"`

	Envelope []byte `json:"envelope,omitempty"` // the statement that a review gave, signed with the officer's own key
}

const accordBytes = accord.MaxBundle

var accordRoutes = []Route{
	{get, "/accords", "The accords of the node: every version, without texts.", gate.AccordRead, nil, pages[accords.View](), (*API).accordList},
	{post, "/accords", "Keep an accord: a text, or the file of one with signatures, which join those that are here.", gate.AccordWrite, nil, makes(accords.View{}).upload(bytesType), (*API).addAccord},
	{post, "/accords/review", "Check a text, or the file of one with signatures, and say in sentences what it means, and whose signatures hold. Nothing is stored.", gate.AccordRead, []Param{langParam}, gives(AccordReview{}).upload(bytesType), (*API).reviewAccord},
	{post, "/accords/new", "The text of a new accord, to be edited: complete, in its canonical form, and stricter than most will want it. Nothing is stored.", gate.AccordRead, nil,
		gives(AccordText{}).of(AccordTemplate{}, "kind", "name"), (*API).newAccord},
	{get, "/accords/{name}", "One version of an accord with its text and its sentences.", gate.AccordRead, []Param{accordVersion, langParam}, gives(AccordPage{}), (*API).accordPage},
	{get, "/accords/{name}/file", "The file of one version: its text and the signatures that are here, for the other parties.", gate.AccordRead, []Param{accordVersion}, copies(bytesType), (*API).accordFile},
	{post, "/accords/{name}/sign", "Sign a version for the own organisation. It cannot be taken back.", gate.AccordSign, []Param{accordVersion}, gives(accords.View{}), (*API).signAccord},
	{post, "/accords/{name}/notice", "State that the own nation suspends, resumes or terminates an accord, withdraws from it, or declines to sign one.", gate.AccordSuspend, nil,
		gives(accords.View{}).of(AccordNotice{}, "verb"), (*API).accordNotice},
	{get, "/objects/{id}/simulation", "What each party of an accord, or of every accord, is or would be given of an own object now, byte for byte, and why. Of an accord that is not in force, or of a version that is named, it says what it would be if that were in force now, and what it is.", gate.AccordRead, []Param{
		{Name: "accord", Doc: "Only under the accord of this name, or the version of this digest."},
		{Name: "version", Doc: "As if this version were in force now. Without it what is in force counts, and of an accord that is not in force its highest version."},
		langParam,
	}, pages[federation.Judged](), (*API).simulate},
	{post, "/objects/{id}/simulation", "What each party of an accord would be given of an own object if this text, or the file of one with signatures, were in force now. Nothing is stored.", gate.AccordRead, []Param{langParam},
		pages[federation.Judged]().upload(bytesType), (*API).supposeText},
	{post, "/objects/{id}/share", "Name organisations of an accord in the audience of an own object, or name them no more.", gate.Share, nil, pages[exchange.Relabelled]().of(SharingRequest{}), (*API).share},
	{post, "/objects/{id}/retract", "Tell everybody who was given an own object that it was wrong: they take it out. It stays here.", gate.Share, nil, gives(Orders{}).of(Retraction{}), (*API).retract},
	{get, "/objects/{id}/given", "Where an own object went in audience logs, and what its receivers say they did with it. Who may purge is told it of what was purged, too.", gate.AccordRead, nil, pages[federation.Given](), (*API).given},
	{get, "/releases", "Releases that wait for a release officer, or were decided, the oldest first.", gate.AccordRead, nil, pages[federation.Release](), (*API).releases},
	{post, "/releases/review", "What would go out if a release officer signed now, to the byte, and the statement that the officer signs with a key of its own. Nothing is stored.", gate.ReleaseSign, nil,
		gives(federation.ReleaseReview{}).of(ReleaseAsk{}, "key"), (*API).reviewRelease},
	{get, "/releases/file", "A release that an officer signed with a key of its own, with the nation's key log: entente release verify reads it without a node.", gate.AccordRead, []Param{releaseKey},
		copies(bytesType), (*API).releaseFile},
	{post, "/releases/decide", "Sign or refuse a release.", gate.ReleaseSign, nil, gives(federation.Release{}).of(ReleaseDecision{}, "key", "sign"), (*API).decideRelease},
	{get, "/links", "How the connections to partners' nodes are.", gate.AccordRead, nil, pages[federation.Health](), (*API).links},
	{post, "/links/{nation}/retry", "Try now to reach a partner's node that cannot be reached, and not only when it is due.", gate.PeerManage, nil, ends(), (*API).retryLink},
}

var (
	accordVersion = Param{Name: "version", Doc: "The version; without it the highest. The name may be the digest of a version, too."}
	releaseKey    = Param{Name: "key", Doc: "The key of the release."}
)

func (a *API) accordList(c *call) error {
	all, err := a.ops.Accords().List(c.v)
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (c *call) accordText() ([]byte, error) {
	if c.read != nil {
		return c.read, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, accordBytes))
	if err != nil {
		return nil, fault.New(fault.TooLarge, "body.size", "an accord has at most %d bytes", accordBytes).Because(err)
	}
	return b, nil
}

func (a *API) addAccord(c *call) error {
	b, err := c.accordText()
	if err != nil {
		return err
	}
	v, err := a.ops.Accords().Add(c.ctx(), c.v, b)
	if err != nil {
		return err
	}
	return c.answerStatus(http.StatusCreated, v)
}

func (c *call) number() (int, error) {
	s := c.q.get("version")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "accord.version", "a version is a number from 1").At("version")
	}
	return n, nil
}

func (a *API) newAccord(c *call) error {
	var q AccordTemplate
	if err := c.body(&q); err != nil {
		return err
	}
	t := accord.Template{Kind: q.Kind, Name: q.Name, Title: q.Title, Nations: q.Parties, Register: q.Register, Gives: q.Gives, Effective: time.Now()}
	for _, d := range []struct {
		at, text string
		into     *time.Time
	}{{"from", q.From, &t.Effective}, {"until", q.Until, &t.Expires}} {
		if d.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return fault.New(fault.Invalid, "accord.day", "%s is not a day such as 2026-01-31", clip(d.text)).At(d.at)
		}
		*d.into = day
	}
	t.Orgs = map[string]string{a.us.Nation: a.us.Org}
	for _, p := range a.ops.Peers().List() {
		t.Orgs[p.Nation] = p.Org
	}
	text, err := accord.New(t)
	if err != nil {
		return fault.New(fault.Invalid, "accord.template", "%v", err)
	}
	return c.answer(AccordText{string(text)})
}

func (a *API) reviewAccord(c *call) error {
	b, err := c.accordText()
	if err != nil {
		return err
	}
	return c.answer(a.reviewOf(c, b))
}

// reviewOf is what can be said of a text without keeping it.
func (a *API) reviewOf(c *call, src []byte) AccordReview {
	var r AccordReview
	if bytes.HasPrefix(src, []byte("{")) {
		b, parties, err := a.ops.Accords().Review(c.v, src)
		if err != nil {
			r.Errors = []AccordError{{Message: err.Error()}}
			return r
		}
		src, r.Parties = []byte(b.Text), parties
	}
	text, err := accord.Parse("accord", src)
	if err != nil {
		r.Errors = accordErrors(err)
		return r
	}
	r.Text = string(text.Bytes())
	r.Digest = accord.Digest(text.Bytes())
	lang := c.lang()
	ctx := accord.Context{Now: time.Now(), Language: lang}
	if before, err := a.ops.Accords().Get(c.v, text.Name, 0); err == nil && before.Digest != r.Digest {
		if old, err := accord.Parse("accord", []byte(before.Text)); err == nil {
			ctx.Before, ctx.BeforeDigest = old, before.Digest
			r.Changes = accord.ChangesIn(lang, accord.Diff(old, text))
		}
	}
	r.Warnings, r.Sentences = text.Check(ctx), text.Explain(lang)
	return r
}

func accordErrors(err error) []AccordError {
	several, ok := err.(accord.Errors)
	if !ok {
		return []AccordError{{Message: err.Error()}}
	}
	var out []AccordError
	for _, e := range several {
		out = append(out, AccordError{e.Line, e.Column, e.Message})
	}
	return out
}

func (a *API) accordPage(c *call) error {
	n, err := c.number()
	if err != nil {
		return err
	}
	v, err := a.ops.Accords().Get(c.v, c.path("name"), n)
	if err != nil {
		return err
	}
	page, err := a.pageOf(c, v)
	return c.answered(page, err)
}

// pageOf says what a version with its text means.
func (a *API) pageOf(c *call, v accords.View) (AccordPage, error) {
	page := AccordPage{View: v}
	text, err := accord.Parse("accord", []byte(v.Text))
	if err != nil {
		return page, err
	}
	lang := c.lang()
	page.Sentences = text.Explain(lang)
	if v.Version > 1 {
		if before, err := a.ops.Accords().Get(c.v, v.Name, v.Version-1); err == nil {
			if old, err := accord.Parse("accord", []byte(before.Text)); err == nil {
				page.Changes = accord.ChangesIn(lang, accord.Diff(old, text))
			}
		}
	}
	return page, nil
}

func (a *API) accordFile(c *call) error {
	n, err := c.number()
	if err != nil {
		return err
	}
	b, err := a.ops.Accords().Bundle(c.v, c.path("name"), n)
	if err != nil {
		return err
	}
	return c.bytes("accord.json", b)
}

func (a *API) signAccord(c *call) error {
	n, err := c.number()
	if err != nil {
		return err
	}
	v, err := a.ops.Accords().Sign(c.ctx(), c.v, c.path("name"), n)
	if err != nil {
		return err
	}
	return c.answer(v)
}

func (a *API) accordNotice(c *call) error {
	var q AccordNotice
	if err := c.body(&q); err != nil {
		return err
	}
	v, err := a.ops.Accords().Say(c.ctx(), c.v, c.path("name"), q.Verb, q.Reason)
	if err != nil {
		return err
	}
	return c.answer(v)
}

func (a *API) simulate(c *call) error {
	it, err := a.x.Get(c.ctx(), c.v, "", c.path("id"), store.Versions{})
	if err != nil {
		return err
	}
	number, err := c.number()
	if err != nil {
		return err
	}
	name := c.q.get("accord")
	if name == "" && number > 0 {
		return fault.New(fault.Invalid, "accord.version", "a version is one of an accord: name that, too").At("version")
	}
	if number == 0 {
		all, err := a.ops.Federation().Simulate(c.ctx(), c.v, &it, name)
		if err != nil {
			return err
		}
		if name == "" || len(all) > 0 && all[0].Phase != accords.Signed {
			return c.answer(list(judgedIn(c.lang(), all), ""))
		}
	}
	supposed, err := a.ops.Accords().Suppose(c.v, name, number)
	if err != nil {
		return err
	}
	return a.suppose(c, &it, &supposed)
}

func (a *API) supposeText(c *call) error {
	it, err := a.x.Get(c.ctx(), c.v, "", c.path("id"), store.Versions{})
	if err != nil {
		return err
	}
	b, err := c.accordText()
	if err != nil {
		return err
	}
	supposed, err := a.ops.Accords().SupposeText(c.v, b)
	if err != nil {
		return err
	}
	return a.suppose(c, &it, &supposed)
}

func (a *API) suppose(c *call, it *store.Item, s *accords.Supposed) error {
	f := a.ops.Federation()
	var all []federation.Judged
	var err error
	if s.Stands { // there is nothing to suppose
		all, err = f.Simulate(c.ctx(), c.v, it, s.Name)
	} else {
		all, err = f.Suppose(c.ctx(), c.v, it, s)
	}
	if err != nil {
		return err
	}
	return c.answer(list(judgedIn(c.lang(), all), ""))
}

func (a *API) share(c *call) error {
	var q SharingRequest
	if err := c.body(&q); err != nil {
		return err
	}
	with, err := a.orgsOf(c, &q)
	if err != nil {
		return err
	}
	done, err := a.x.Share(c.ctx(), c.v, exchange.Sharing{ID: c.path("id"), With: with, Not: q.Not, Reason: q.Reason, DryRun: q.DryRun})
	if err != nil {
		return err
	}
	return c.answer(list(done, ""))
}

// orgsOf are the organisations that a sharing is with.
func (a *API) orgsOf(c *call, q *SharingRequest) ([]string, error) {
	var out []string
	if q.Accord == "" {
		for _, nation := range q.With {
			p, err := a.ops.Peers().Find(nation)
			if err != nil {
				return nil, err
			}
			out = append(out, label.Org(p.Nation, p.Org))
		}
		return out, nil
	}
	v, err := a.ops.Accords().Get(c.v, q.Accord, 0)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, nation := range q.With {
		wanted[nation] = true
	}
	for _, p := range v.Parties {
		if p.Nation != a.us.Nation && (len(wanted) == 0 || wanted[p.Nation]) && p.Org != "" {
			out = append(out, label.Org(p.Nation, p.Org))
			delete(wanted, p.Nation)
		}
	}
	for nation := range wanted {
		return nil, fault.New(fault.Invalid, "share.party", "%s is no other party of %s", clip(nation), v.Name).At("with")
	}
	return out, nil
}

func (a *API) retract(c *call) error {
	var q Retraction
	if err := c.body(&q); err != nil {
		return err
	}
	id := c.path("id")
	it, err := a.x.Get(c.ctx(), c.v, "", id, store.Versions{})
	if err != nil {
		return err
	}
	if o := it.Record.Origin; o.Nation != a.us.Nation || o.Org != a.us.Org {
		return fault.New(fault.Forbidden, "object.origin", "only its originator takes back an object")
	}
	if reason := strings.TrimSpace(q.Reason); len(reason) > 500 {
		return fault.New(fault.Invalid, "retract.reason", "a reason has at most 500 bytes").At("reason")
	}
	n, err := a.ops.Federation().TakeBack(c.ctx(), id, peer.Retract, q.Reason)
	if err != nil {
		return err
	}
	return c.answer(Orders{n})
}

func (a *API) given(c *call) error {
	id := c.path("id")
	_, hidden := a.x.Get(c.ctx(), c.v, "", id, store.Versions{})
	if hidden != nil {
		if fault.Of(hidden) != fault.NotFound || a.may(c.v, gate.Purge) != nil {
			return hidden
		}
		if purged, err := a.ops.Federation().Purged(c.ctx(), id); err != nil || !purged {
			return hidden
		}
	}
	all, err := a.ops.Federation().Given(c.ctx(), c.v, id)
	if err != nil {
		return err
	}
	if hidden != nil && len(all) == 0 { // it never was, as far as the caller is to know
		return hidden
	}
	return c.answer(list(all, ""))
}

func (a *API) releases(c *call) error {
	all, err := a.ops.Federation().Releases(c.ctx(), c.v)
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) reviewRelease(c *call) error {
	var q ReleaseAsk
	if err := c.body(&q); err != nil {
		return err
	}
	if most := int(federation.MaxReleaseLife / time.Hour); q.Hours < 0 || q.Hours > most {
		return fault.New(fault.Invalid, "release.life", "a signature is to be used within 1 to %d hours", most).At("hours")
	}
	r, err := a.ops.Federation().ReviewRelease(c.ctx(), c.v, q.Key, time.Duration(q.Hours)*time.Hour, func(id string) error {
		_, err := a.x.Get(c.ctx(), c.v, "", id, store.Versions{})
		return err
	})
	if err != nil {
		return err
	}
	return c.answer(r)
}

func (a *API) releaseFile(c *call) error {
	b, err := a.ops.Federation().ReleaseBundle(c.ctx(), c.v, c.q.get("key"))
	if err != nil {
		return err
	}
	return c.bytes("release.json", b)
}

func (a *API) decideRelease(c *call) error {
	var q ReleaseDecision
	if err := c.body(&q); err != nil {
		return err
	}
	r, err := a.ops.Federation().Decide(c.ctx(), c.v, federation.Decision{Key: q.Key, Sign: q.Sign, Reason: q.Reason, Envelope: q.Envelope})
	if err != nil {
		return err
	}
	return c.answer(r)
}

func (a *API) links(c *call) error {
	all, err := a.ops.Federation().Links(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) retryLink(c *call) error {
	if err := a.ops.Federation().Retry(c.path("nation")); err != nil {
		return err
	}
	return c.done()
}
