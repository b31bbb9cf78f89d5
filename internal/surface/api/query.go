package api

import (
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/label"
)

const (
	maxQuery  = 16 << 10 // bytes
	maxValues = 1000     // of all parameters together
	maxLimit  = 1000
	limitNone = 100 // of a query without a limit
)

// query is a request's parameters. A list may repeat a parameter or separate values by commas where they cannot hold any.
type query url.Values

func readQuery(raw string, known []string) (query, error) {
	if len(raw) > maxQuery {
		return nil, fault.New(fault.TooLarge, "query.size", "the query has more than %d bytes", maxQuery)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fault.New(fault.Invalid, "query.form", "the query cannot be read").By("RFC 3986, section 3.4")
	}
	n := 0
	for name, values := range q {
		if !slices.Contains(known, name) {
			e := fault.New(fault.Invalid, "query.unknown", "there is no such parameter here").At(clip(name))
			if len(known) > 0 {
				e.Do = "use one of " + strings.Join(known, ", ")
			}
			return nil, e
		}
		n += len(values)
	}
	if n > maxValues {
		return nil, fault.New(fault.TooLarge, "query.values", "the query has more than %d values", maxValues)
	}
	return query(q), nil
}

func (q query) get(name string) string { return url.Values(q).Get(name) }

// all are the values of a parameter, as they are.
func (q query) all(name string) []string { return q[name] }

// words are the values of a parameter, separated by commas or repeated.
func (q query) words(name string) []string {
	var out []string
	for _, v := range q[name] {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

func (q query) flag(name string) (bool, error) {
	switch v := q.get(name); v {
	case "":
		return len(q[name]) > 0, nil // ?name alone is yes
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fault.New(fault.Invalid, "query.flag", "write true or false").At(name)
}

func (q query) limit() (int, error) {
	v := q.get("limit")
	if v == "" {
		return limitNone, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "query.limit", "a limit is a number from 1 to %d", maxLimit).At("limit")
	}
	return min(n, maxLimit), nil
}

// sort tells whether a list is wanted in its other order.
func (q query) sort(usual, other string) (bool, error) {
	switch q.get("sort") {
	case "", usual:
		return false, nil
	case other:
		return true, nil
	}
	return false, fault.New(fault.Invalid, "sort.unknown", "there is no such order").At("sort").Try("use " + usual + " or " + other)
}

func (q query) time(name string) (time.Time, error) {
	v := q.get(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, v); err != nil {
			return t, fault.New(fault.Invalid, "query.time", "write a time like 2026-01-31T12:00:00Z").At(name).By("RFC 3339")
		}
	}
	return t.UTC(), nil
}

// after is the place that the parameter next names; 0 without one.
func (a *API) after(c *call) (record.Seq, error) {
	token := c.q.get("next")
	if token == "" {
		return 0, nil
	}
	b, err := a.ring.Open(a.place(c), token)
	if err != nil || len(b) != 8 {
		return 0, fault.New(fault.Invalid, "next.invalid", "this next was not given to you for this query").At("next").Try("start again without it")
	}
	return record.Seq(binary.BigEndian.Uint64(b)), nil
}

// next hides a place of the journal in a token that is good for this viewer and this query only.
func (a *API) next(c *call, at record.Seq) string {
	return a.ring.Seal(a.place(c), binary.BigEndian.AppendUint64(nil, uint64(at)))
}

// afterKey and nextKey do the same for lists in the order of a name.
func (a *API) afterKey(c *call) (string, error) {
	token := c.q.get("next")
	if token == "" {
		return "", nil
	}
	b, err := a.ring.Open(a.place(c), token)
	if err != nil {
		return "", fault.New(fault.Invalid, "next.invalid", "this next was not given to you for this query").At("next").Try("start again without it")
	}
	return string(b), nil
}

func (a *API) nextKey(c *call, key string) string { return a.ring.Seal(a.place(c), []byte(key)) }

// place is the context that a next token is bound to: who asks, what, and where.
func (a *API) place(c *call) string {
	q := url.Values{}
	for name, values := range c.q {
		if name != "next" && name != "limit" {
			q[name] = values
		}
	}
	sum := sha256.Sum256([]byte(c.r.URL.Path + "?" + q.Encode()))
	return "api/next\x00" + who(c.v) + "\x00" + string(sum[:])
}

func who(v gate.Viewer) string {
	return v.Realm + "\x00" + v.Nation + "\x00" + v.Org + "\x00" + v.Person
}

// decode reads JSON strictly: no unknown member, no member twice.
func decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into, json.RejectUnknownMembers(true)); err != nil {
		return fault.New(fault.Invalid, "body.form", "the body is not what is expected here: %v", err)
	}
	return nil
}

// ParseLabel reads a label as people write it, "tlp:green" or "tlp:amber,pap:green,org:UTO/cert", or in its JSON form. An empty text is
// no label. A label that another one is replaced by must say its TLP; one that only restricts need not.
func ParseLabel(s string, needsTLP bool) (*label.Label, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	bad := func(err error) error {
		return fault.New(fault.Invalid, "label.invalid", "%q is no label", clip(s)).Because(err).Try("write tlp:green, or tlp:amber,pap:green, or a label in JSON")
	}
	if strings.HasPrefix(s, "{") {
		l := new(label.Label)
		if err := l.UnmarshalJSON([]byte(s)); err != nil {
			return nil, bad(err)
		}
		return l, nil
	}
	l, tlp, err := label.ParseWords(s)
	if err != nil {
		return nil, bad(err)
	}
	if needsTLP && !tlp {
		return nil, fault.New(fault.Invalid, "label.tlp", "this label must say its TLP").Try("begin it with tlp:red, tlp:amber+strict, tlp:amber, tlp:green or tlp:clear")
	}
	return &l, nil
}
