package taxii

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Select is what a client asks of a list.
type Select struct {
	Filter
	Limit int // objects per page; 0: the server's choice
}

func (s Select) values(next string) url.Values {
	v := url.Values{}
	set := func(name string, list []string) {
		if len(list) > 0 {
			v.Set(name, strings.Join(list, ","))
		}
	}
	if !s.AddedAfter.IsZero() {
		v.Set("added_after", formatPrecise(s.AddedAfter))
	}
	set("match[id]", s.IDs)
	set("match[type]", s.Types)
	set("match[spec_version]", s.Specs)
	set("match[version]", s.Versions.words())
	if s.Limit > 0 {
		v.Set("limit", strconv.Itoa(s.Limit))
	}
	if next != "" {
		v.Set("next", next)
	}
	return v
}

// formatPrecise writes the six digits that section 2 asks for, and more only where the time has them: versions may.
func formatPrecise(t time.Time) string {
	if t.Nanosecond()%1000 == 0 {
		return FormatTime(t)
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func (v Versions) words() []string {
	var out []string
	for _, w := range []struct {
		on   bool
		word string
	}{{v.All, "all"}, {v.First, "first"}, {v.Last, "last"}} {
		if w.on {
			out = append(out, w.word)
		}
	}
	for _, t := range v.At {
		out = append(out, formatPrecise(t))
	}
	return out
}

// PageInfo is what a page of any list says about itself.
type PageInfo struct {
	First, Last time.Time // dates added of the first and last item; zero: the server does not say
	Tolerated   []string  // what the server did against the standard and could be read anyway
}

// ObjectsPage is one page of objects, each with its exact bytes.
type ObjectsPage struct {
	PageInfo
	Objects [][]byte
}

// ManifestPage is one page of a manifest.
type ManifestPage struct {
	PageInfo
	Records []ManifestRecord
}

// VersionsPage is one page of the versions of an object.
type VersionsPage struct {
	PageInfo
	Versions []string
}

// Objects yields the pages of a collection's objects. Paging follows next with the same filters, or, where a server gives none, asks
// again after the last date added. An error ends the sequence.
func (c *Client) Objects(ctx context.Context, root, collection string, s Select) iter.Seq2[ObjectsPage, error] {
	return pages(ctx, c, s, readObjectsPage, root, "collections", collection, "objects")
}

// Object yields the pages of one object's versions that s selects; IDs and Types of s have no meaning here.
func (c *Client) Object(ctx context.Context, root, collection, object string, s Select) iter.Seq2[ObjectsPage, error] {
	s.IDs, s.Types = nil, nil
	return pages(ctx, c, s, readObjectsPage, root, "collections", collection, "objects", object)
}

// Manifest yields the pages of a collection's manifest.
func (c *Client) Manifest(ctx context.Context, root, collection string, s Select) iter.Seq2[ManifestPage, error] {
	return pages(ctx, c, s, readManifestPage, root, "collections", collection, "manifest")
}

// Versions yields the pages of the list of an object's versions; of s only AddedAfter, Specs and Limit have a meaning here.
func (c *Client) Versions(ctx context.Context, root, collection, object string, s Select) iter.Seq2[VersionsPage, error] {
	s.IDs, s.Types, s.Versions = nil, nil, Versions{}
	return pages(ctx, c, s, readVersionsPage, root, "collections", collection, "objects", object, "versions")
}

// turn is how a page leads to the following one.
type turn struct {
	more  bool
	next  string
	last  time.Time
	count int
}

// maxEmpty bounds how many pages without an item are taken one after another.
const maxEmpty = 1000

func pages[P any](ctx context.Context, c *Client, s Select, read func(*answer) (P, turn, error), root string, segments ...string) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		var none P
		u, err := c.at(root, segments...)
		if err != nil {
			yield(none, err)
			return
		}
		s, next, empty := s, "", 0
		// A token is remembered at every power of two: a ring of any length comes back to it.
		landmark, page, mark := "", 0, 1
		for {
			u.RawQuery = s.values(next).Encode()
			a, err := c.send(ctx, http.MethodGet, u, nil)
			if err != nil {
				yield(none, err)
				return
			}
			p, t, err := read(a)
			if err != nil {
				yield(none, fmt.Errorf("%w: %s (%s): %w", ErrProtocol, bare(u), a.header.Get("Content-Type"), err))
				return
			}
			if !yield(p, nil) || !t.more {
				return
			}
			if empty++; t.count > 0 {
				empty = 0
			}
			switch {
			case t.next != "":
				if t.next == next || t.next == landmark || empty > maxEmpty {
					yield(none, fmt.Errorf("%w: %s repeats its position", ErrStalled, bare(u)))
					return
				}
				// added_after stays what the token was made with.
				next = t.next
				if page++; page == mark {
					landmark, mark = next, mark*2
				}
			case t.last.After(s.AddedAfter):
				s.AddedAfter, next = t.last, ""
			default:
				yield(none, fmt.Errorf("%w: %s gives neither next nor a later X-TAXII-Date-Added-Last; a greater limit may help", ErrStalled, bare(u)))
				return
			}
		}
	}
}

// dates reads the two headers of a page of n items.
func (i *PageInfo) dates(h http.Header, n int) {
	for _, d := range []struct {
		name string
		into *time.Time
	}{{headerFirst, &i.First}, {headerLast, &i.Last}} {
		v := h.Get(d.name)
		if v == "" {
			if n > 0 {
				i.tolerate("no " + d.name)
			}
			continue
		}
		t, err := parseLoose(v)
		switch {
		case err != nil:
			if n > 0 {
				i.tolerate(d.name + " is not a timestamp")
			}
		case FormatTime(t) != v:
			i.tolerate(d.name + " is not in the form of section 2")
			fallthrough
		default:
			*d.into = t
		}
	}
}

func (i *PageInfo) tolerate(what string) { i.Tolerated = append(i.Tolerated, what) }

// turn settles how a list goes on. A next without more is followed: to stop could lose objects.
func (i *PageInfo) turn(more, saysMore bool, next string, count int) turn {
	if next != "" && !saysMore {
		i.tolerate("next without more")
		more = true
	}
	if more && next == "" {
		i.tolerate("more without next")
	}
	return turn{more: more, next: next, last: i.Last, count: count}
}

const clientDepth = 512

var errItems = errors.New(`"items" stands where "objects" is expected`)

func readObjectsPage(a *answer) (ObjectsPage, turn, error) {
	env, fault := parseEnvelope(a.body, bounds{objects: math.MaxInt, depth: clientDepth, nulls: true})
	switch {
	case fault != nil:
		return ObjectsPage{}, turn{}, fault
	case env.Items && env.Objects == nil:
		return ObjectsPage{}, turn{}, errItems
	}
	p := ObjectsPage{Objects: env.Objects}
	p.dates(a.header, len(p.Objects))
	return p, p.turn(env.More, env.SaysMore, env.Next, len(p.Objects)), nil
}

// pageFrame is what manifest and versions pages share.
type pageFrame struct {
	More *bool   `json:"more"`
	Next *string `json:"next"`
}

func (f pageFrame) turn(i *PageInfo, count int) turn {
	return i.turn(f.More != nil && *f.More, f.More != nil, deref(f.Next), count)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func readManifestPage(a *answer) (ManifestPage, turn, error) {
	var m struct {
		pageFrame
		Objects []ManifestRecord `json:"objects"`
	}
	if err := json.Unmarshal(a.body, &m); err != nil {
		return ManifestPage{}, turn{}, err
	}
	p := ManifestPage{Records: m.Objects}
	p.dates(a.header, len(p.Records))
	if n := len(p.Records); n > 0 && p.Last.IsZero() {
		// The record of the last object says what the header should have said.
		p.Last = p.Records[n-1].DateAdded.Time
	}
	return p, m.turn(&p.PageInfo, len(p.Records)), nil
}

func readVersionsPage(a *answer) (VersionsPage, turn, error) {
	var v struct {
		pageFrame
		Versions []string `json:"versions"`
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		return VersionsPage{}, turn{}, err
	}
	p := VersionsPage{Versions: v.Versions}
	p.dates(a.header, len(p.Versions))
	return p, v.turn(&p.PageInfo, len(p.Versions)), nil
}
