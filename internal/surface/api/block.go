package api

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"entente/internal/block"
	"entente/internal/fault"
	"entente/internal/gate"
)

// blockRoutes are what enforcement points fetch.
var blockRoutes = []Route{
	{get, "/block", "The formats of what is blocked, and how much there is of it.", gate.BlockRead, nil, gives(Blocking{}), (*API).blocking},
	{get, "/block/{format}", "What is blocked, as an enforcement point loads it; with since, what changed since a cursor, in JSON.", gate.BlockRead, []Param{blockTypes,
		{Name: "since", Doc: "The cursor of an earlier answer: the answer is what was added and removed since then. An empty cursor is everything."},
	}, copies("text/plain; charset=utf-8", "text/dns", "text/csv; charset=utf-8", "application/yaml", jsonType), (*API).block},
	{get, "/block/{format}/signature", "The signature over the exact bytes of what is blocked: a DSSE envelope.", gate.BlockRead, []Param{blockTypes}, copies(jsonType), (*API).blockSignature},
	{get, "/block/{format}/left", "What the node knows and does not block in this format, and why.", gate.BlockRead, append([]Param{
		{Name: "value", Doc: "Only this value, in any of its forms."}, {Name: "code", Doc: "Only what is left out for the reason of this code."}}, paging...), pages[block.Spared](), (*API).blockLeft},
}

var blockTypes = Param{Name: "type", Doc: "Types of values, some of those that the format has; without it all of them.", Kind: Words}

// Blocking is what is blocked now, in numbers, and in which formats it can be had.
type Blocking struct {
	Serial  uint32        `json:"serial"` // grows with every change
	Cursor  string        `json:"cursor"` // for since
	Time    string        `json:"time"`
	Entries int           `json:"entries"`
	Types   []BlockCount  `json:"types"`
	Formats []BlockFormat `json:"formats"`
}

// BlockCount is how many values of a type are blocked.
type BlockCount struct {
	Type    string `json:"type"`
	Entries int    `json:"entries"`
}

// BlockFormat is one format.
type BlockFormat struct {
	Name  string   `json:"name"`
	Doc   string   `json:"doc"`
	Media string   `json:"media"`
	Types []string `json:"types"`
}

func (a *API) blocking(c *call) error {
	e, err := a.ops.Block().Edition(c.ctx())
	if err != nil {
		return err
	}
	out := Blocking{Serial: e.Serial, Cursor: e.Cursor(), Time: e.Time.Format(timeForm), Entries: len(e.Entries), Types: []BlockCount{}}
	for i := range e.Entries {
		kind := e.Entries[i].Kind.String()
		if n := len(out.Types); n == 0 || out.Types[n-1].Type != kind {
			out.Types = append(out.Types, BlockCount{Type: kind})
		}
		out.Types[len(out.Types)-1].Entries++
	}
	for _, f := range block.Formats() {
		x := BlockFormat{Name: f.Name, Doc: f.Doc, Media: f.Media}
		for _, k := range f.Kinds {
			x.Types = append(x.Types, k.String())
		}
		out.Formats = append(out.Formats, x)
	}
	return c.answer(out)
}

const timeForm = "2006-01-02T15:04:05.000Z"

// Headers of an answer with what is blocked.
const (
	BlockCursor    = "Entente-Cursor"    // for since
	BlockSignature = "Entente-Signature" // the envelope over the bytes, in base64
)

func (a *API) selection(c *call) (block.Selection, error) {
	return block.Select(c.path("format"), c.q.words("type"))
}

// block writes the file. It is a strong validator's business whether anything is sent.
func (a *API) block(c *call) error {
	s, err := a.selection(c)
	if err != nil {
		return err
	}
	if since := c.q.all("since"); len(since) > 0 {
		if len(since) != 1 || len(since[0]) > 20 || strings.Trim(since[0], "0123456789") != "" {
			return fault.New(fault.Invalid, "block.cursor", "a cursor is the number that an earlier answer gave").At("since").Try("leave it empty to have everything")
		}
		d, err := a.ops.Block().Delta(c.ctx(), s, since[0])
		if err != nil {
			return err
		}
		return c.answer(d)
	}
	x, envelope, err := a.ops.Block().RenderSigned(c.ctx(), s)
	if err != nil {
		return err
	}
	headers(c.w, s.Media)
	h := c.w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", x.ETag())
	h.Set(BlockCursor, x.Edition.Cursor())
	h.Set(BlockSignature, base64.StdEncoding.EncodeToString(envelope))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if noneMatch(c.r.Header.Values("If-None-Match"), x.ETag()) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.FormatInt(x.Size, 10))
	if c.r.Method == http.MethodHead {
		return nil
	}
	_, err = x.WriteTo(c.w)
	return started(err)
}

// noneMatch tells whether a validator is one of those that the caller has (RFC 9110, section 13.1.2).
func noneMatch(values []string, etag string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == etag {
				return true
			}
		}
	}
	return false
}

func (a *API) blockSignature(c *call) error {
	s, err := a.selection(c)
	if err != nil {
		return err
	}
	x, envelope, err := a.ops.Block().RenderSigned(c.ctx(), s)
	if err != nil {
		return err
	}
	headers(c.w, jsonType)
	c.w.Header().Set("ETag", x.ETag()) // of the bytes that it is about
	_, err = c.w.Write(append(envelope, '\n'))
	return started(err)
}

func (a *API) blockLeft(c *call) error {
	s, err := block.Select(c.path("format"), nil)
	if err != nil {
		return err
	}
	after, err := a.afterKey(c)
	if err != nil {
		return err
	}
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	only := block.LeftFilter{Value: c.q.get("value"), Code: c.q.get("code")}
	items, last, next := []block.Spared{}, "", ""
	err = a.ops.Block().Left(c.ctx(), s.Format, only, after, func(key string, l block.Spared) bool {
		if len(items) == limit {
			next = a.nextKey(c, last)
			return false
		}
		items, last = append(items, l), key
		return true
	})
	if err != nil {
		return err
	}
	return c.answer(list(items, next))
}
