package api

import (
	"io"
	"net/http"
	"strings"

	"entente/internal/asset"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/register"
)

const csvType = "text/csv"

// registerRoutes are the own network and its constituents.
var registerRoutes = []Route{
	{get, "/constituents", "Constituents, by their last change.", gate.RegisterRead, append([]Param{
		{Name: "q", Doc: "A text in a name, an alias, a domain or an id, in any case."},
		{Name: "sector", Doc: "A sector of industry-sector-ov, or one of the register's own that begins with x-."},
		{Name: "value", Doc: "Only those that a value concerns: an address, a range, a domain, a URL, a CPE name."},
		{Name: "all", Doc: "Also those that were removed.", Kind: Flag, Default: false},
	}, paging...), pages[asset.View](), (*API).constituents},
	{post, "/constituents", "Take a constituent in.", gate.RegisterWrite, nil, makes(asset.View{}).of(register.Constituent{}, "name"), (*API).addConstituent},
	{get, "/constituents/match", "Whom values concern, and which asset of theirs.", gate.RegisterRead,
		[]Param{{Name: "value", Doc: "An address, a range, a domain, a URL, an e-mail address, a hash, a CPE name, a package URL, an AS number; up to 100.", Kind: Texts}}, pages[asset.Match](), (*API).matchConstituents},
	{get, "/constituents/verify", "Check the signature of every version, and that each names the one before it.", gate.RegisterRead, nil, gives(asset.Verification{}), (*API).verifyConstituents},
	{get, "/constituents/export", "Every constituent, as a list of objects or as the table that an import reads.", gate.RegisterRead,
		[]Param{{Name: "format", Doc: "Objects, or a table.", Enum: []string{"json", "csv"}, Default: "json"}}, copies(jsonType, csvType), (*API).exportConstituents},
	{post, "/constituents/import", "Take in what a file says. The answer is what changes, and which rows were refused and why.", gate.RegisterWrite, []Param{
		{Name: "format", Doc: "The table of docs/register.md, constituents as JSON, or exports of NetBox.", Enum: asset.Formats(), Default: "csv"},
		{Name: "dry_run", Doc: "Store nothing, and say what would change.", Kind: Flag, Default: false},
		{Name: "replace", Doc: "Of the constituents that a table names, the kinds of things that it names are what it says: others are taken away.", Kind: Flag, Default: false},
		{Name: "constituent", Doc: "Of NetBox: whose the things without a tenant are."},
	}, gives(asset.Review{}).upload(bytesType), (*API).importConstituents},
	{get, "/constituents/{id}", "One constituent. Its version is the ETag.", gate.RegisterRead, nil, gives(asset.View{}), (*API).constituent},
	{put, "/constituents/{id}", "Make another version of a constituent. If-Match, or modified in the body, names the version that it was made from.", gate.RegisterWrite, nil,
		gives(asset.View{}).of(register.Constituent{}, "name"), (*API).putConstituent},
	{remove, "/constituents/{id}", "Remove a constituent; its versions stay. If-Match may name the version that is meant.", gate.RegisterWrite, nil, ends(), (*API).removeConstituent},
	{get, "/constituents/{id}/versions", "Every version of a constituent, the oldest first.", gate.RegisterRead, nil, pages[asset.View](), (*API).constituentVersions},
}

func (a *API) constituents(c *call) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	after, err := a.after(c)
	if err != nil {
		return err
	}
	all, err := c.q.flag("all")
	if err != nil {
		return err
	}
	views, at, err := a.ops.Register().List(c.ctx(), c.v, asset.Query{Text: c.q.get("q"), Sector: c.q.get("sector"), Value: c.q.get("value"), Revoked: all, After: after, Limit: limit})
	if err != nil {
		return err
	}
	next := ""
	if at != 0 {
		next = a.next(c, at)
	}
	return c.answer(list(views, next))
}

// draft is a constituent in the body, with what the language says of it.
func (c *call) draft() (*register.Constituent, error) {
	b, err := c.read, error(nil)
	if b == nil {
		b, err = readBody(c)
	}
	if err != nil {
		return nil, err
	}
	return asset.Read(b)
}

func (a *API) addConstituent(c *call) error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	view, err := a.ops.Register().Add(c.ctx(), c.v, d)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", etag(view.Version))
	return c.answerStatus(http.StatusCreated, view)
}

func (a *API) constituent(c *call) error {
	view, err := a.ops.Register().Get(c.ctx(), c.v, c.path("id"))
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", etag(view.Version))
	return c.answer(view)
}

func (a *API) putConstituent(c *call) error {
	d, err := c.draft()
	if err != nil {
		return err
	}
	expected, err := c.ifMatch()
	if err != nil {
		return err
	}
	switch {
	case expected == "" && d.Modified == "":
		return fault.New(fault.Invalid, "version.missing", "a change must name the version that it was made from").At("If-Match").By("RFC 9110 section 13.1.1").
			Try("send the ETag of what you have read as If-Match, or leave modified in the body as it was")
	case expected == "":
		expected = d.Modified
	}
	view, err := a.ops.Register().Put(c.ctx(), c.v, c.path("id"), expected, d)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", etag(view.Version))
	return c.answer(view)
}

func (a *API) removeConstituent(c *call) error {
	expected, err := c.ifMatch()
	if err != nil {
		return err
	}
	if err := a.ops.Register().Remove(c.ctx(), c.v, c.path("id"), expected); err != nil {
		return err
	}
	return c.done()
}

func etag(version string) string { return `"` + version + `"` }

// ifMatch is the version that the request expects; "" where it expects none.
func (c *call) ifMatch() (string, error) {
	h := c.r.Header.Values("If-Match")
	if len(h) == 0 || len(h) == 1 && strings.TrimSpace(h[0]) == "*" {
		return "", nil
	}
	s := strings.TrimSpace(h[0])
	if len(h) > 1 || len(s) < 3 || len(s) > 64 || s[0] != '"' || s[len(s)-1] != '"' || strings.Contains(s[1:len(s)-1], `"`) {
		return "", fault.New(fault.Invalid, "version.form", "If-Match must name one version in quotation marks").At("If-Match").By("RFC 9110 section 13.1.1")
	}
	return s[1 : len(s)-1], nil
}

// maxMatched bounds the values of one question.
const maxMatched = 100

func (a *API) matchConstituents(c *call) error {
	asked := c.q.all("value")
	if len(asked) == 0 || len(asked) > maxMatched {
		return fault.New(fault.Invalid, "match.value", "name 1 to %d values", maxMatched).At("value")
	}
	var out []asset.Match
	for _, value := range asked {
		found, err := a.ops.Register().Match(c.ctx(), c.v, value)
		if err != nil {
			return err
		}
		out = append(out, found...)
	}
	return c.answer(list(out, ""))
}

func (a *API) verifyConstituents(c *call) error {
	v, err := a.ops.Register().Verify(c.ctx(), c.v)
	if err != nil {
		return err
	}
	return c.answer(v)
}

func (a *API) constituentVersions(c *call) error {
	views, err := a.ops.Register().Versions(c.ctx(), c.v, c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(list(views, ""))
}

func (a *API) importConstituents(c *call) error {
	in := asset.Import{Format: c.q.get("format"), Default: c.q.get("constituent")}
	if in.Format == "" {
		in.Format = "csv"
	}
	var err error
	if in.DryRun, err = c.q.flag("dry_run"); err != nil {
		return err
	}
	if in.Replace, err = c.q.flag("replace"); err != nil {
		return err
	}
	review, err := a.ops.Register().Import(c.ctx(), c.v, in, c.r.Body)
	if err != nil {
		return err
	}
	return c.answer(review)
}

func (a *API) exportConstituents(c *call) error {
	write, media := a.ops.Register().ExportJSON, jsonType
	switch format := c.q.get("format"); format {
	case "", "json":
	case "csv":
		write, media = a.ops.Register().ExportCSV, csvType+"; charset=utf-8"
	default:
		return fault.New(fault.Invalid, "export.format", "%q is no format", clip(format)).At("format").Try("use json or csv")
	}
	out := &lazy{begin: func() io.Writer {
		headers(c.w, media)
		c.w.Header().Set("Content-Disposition", `attachment; filename="`+c.fileName("constituents"+map[bool]string{true: ".csv", false: ".json"}[media != jsonType])+`"`)
		return c.w
	}}
	if err := write(c.ctx(), c.v, out); err != nil {
		if out.w != nil {
			return started(err)
		}
		return err
	}
	return nil
}

// lazy begins an answer with its first byte, so that a failure before it is still told as one.
type lazy struct {
	begin func() io.Writer
	w     io.Writer
}

func (l *lazy) Write(b []byte) (int, error) {
	if l.w == nil {
		l.w = l.begin()
	}
	return l.w.Write(b)
}
