package block

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/label"
)

// Format is one form in which enforcement points load what is blocked.
type Format struct {
	Name  string
	Doc   string
	Media string
	Kinds []indicator.Kind

	// Takes says why an entry has no place in the format; empty: it has. nil: every entry of the kinds has.
	Takes func(x *Entry) string
	// Timed says that what is written depends on the time: it is made anew every step.
	Timed bool
	begin func(p *page)
	entry func(p *page, x *Entry)
	end   func(p *page)
	// covers says that an entry within a broader one is left out, because the program refuses both.
	covers bool
}

// Traced tells whether the format itself says of each entry where it comes from.
func (f *Format) Traced() bool { return f.begin != nil }

// step is how long what depends on the time stays as it is. Times in it are rounded so that an entry ends early by this at most, and never late.
const step = 10 * time.Minute

var (
	addresses = []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR}
	names     = []indicator.Kind{indicator.Domain}
	places    = []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain}
)

const textType = "text/plain; charset=utf-8"

// formats are all of them, in the order of the documentation.
var formats = []*Format{
	{Name: "rpz", Doc: "a response policy zone for DNS servers (BIND, Unbound, PowerDNS, Knot)", Media: "text/dns", Kinds: places, Takes: zoneTakes, begin: zoneBegin, entry: zoneEntry},
	{Name: "hosts", Doc: "a hosts file", Media: textType, Kinds: names, begin: remarks("#"), entry: hostsEntry},
	{Name: "nft", Doc: "sets of nftables with timeouts, filled in one transaction", Media: textType, Kinds: addresses, Timed: true, covers: true, begin: nftBegin, entry: nftEntry},
	{Name: "suricata", Doc: "rules of Suricata", Media: textType, Kinds: []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.JA3, indicator.JA3S}, Takes: plainHTTP,
		begin: remarks("#"), entry: suricataEntry},
	{Name: "suricata-domains", Doc: "a dataset of Suricata of type string: names", Media: textType, Kinds: names, entry: stringEntry},
	{Name: "suricata-ip", Doc: "a dataset of Suricata of type ip: addresses", Media: textType, Kinds: addresses[:2], entry: valueEntry},
	{Name: "suricata-md5", Doc: "a dataset of Suricata of type md5, and a list for filemd5", Media: textType, Kinds: []indicator.Kind{indicator.MD5}, entry: valueEntry},
	{Name: "suricata-sha256", Doc: "a dataset of Suricata of type sha256, and a list for filesha256", Media: textType, Kinds: []indicator.Kind{indicator.SHA256}, entry: valueEntry},
	{Name: "snort", Doc: "rules of Snort 3", Media: textType, Kinds: places, begin: remarks("#"), entry: snortEntry},
	{Name: "zeek", Doc: "a file of Zeek's intelligence framework", Media: textType, Kinds: []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.Email, indicator.MD5, indicator.SHA1,
		indicator.SHA256}, begin: zeekBegin, entry: zeekEntry},
	{Name: "squid", Doc: "names for an ACL of squid of type dstdomain", Media: textType, Kinds: names, covers: true, begin: remarks("#"), entry: squidName},
	{Name: "squid-addresses", Doc: "addresses for an ACL of squid of type dst", Media: textType, Kinds: addresses, covers: true, begin: remarks("#"), entry: squidAddress},
	{Name: "squid-urls", Doc: "addresses of pages for an ACL of squid of type url_regex", Media: textType, Kinds: []indicator.Kind{indicator.URL}, Takes: plainHTTP, begin: remarks("#"), entry: squidURL},
	{Name: "list", Doc: "values, one on each line, for external lists of firewalls", Media: textType, Kinds: places, Takes: printable, entry: valueEntry},
	{Name: "json", Doc: "entries with everything that is known of them", Media: "application/json", Kinds: Kinds, begin: jsonBegin, entry: jsonEntry, end: jsonEnd},
	{Name: "csv", Doc: "a table", Media: "text/csv; charset=utf-8", Kinds: Kinds, Takes: noFormula, begin: csvBegin, entry: csvEntry},
	{Name: "sigma", Doc: "rules of Sigma with lists of values", Media: "application/yaml", Kinds: []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.MD5, indicator.SHA1,
		indicator.SHA256}, Takes: printable, begin: remarks("#"), entry: sigmaEntry},
}

// Formats lists every format.
func Formats() []*Format { return slices.Clone(formats) }

// Names are the names of the formats.
func Names() (out []string) {
	for _, f := range formats {
		out = append(out, f.Name)
	}
	return out
}

// Selection is a format and the kinds of values that are asked for.
type Selection struct {
	*Format
	Kinds []indicator.Kind // of the format's, in its order
}

// Select is the format of a name, with some of its kinds; none: all of them.
func Select(format string, types []string) (Selection, error) {
	i := slices.IndexFunc(formats, func(f *Format) bool { return f.Name == format })
	if i < 0 {
		return Selection{}, noFormat(format)
	}
	s := Selection{Format: formats[i], Kinds: formats[i].Kinds}
	if len(types) == 0 {
		return s, nil
	}
	s.Kinds = nil
	for _, t := range types {
		k, ok := indicator.KindNamed(t)
		if !ok || !slices.Contains(s.Format.Kinds, k) {
			return s, fault.New(fault.Invalid, "block.type", "%q is no type of values that %s has", t[:min(len(t), 64)], format).At("type").Try("use some of " + kindNames(s.Format.Kinds))
		}
		if !slices.Contains(s.Kinds, k) {
			s.Kinds = append(s.Kinds, k)
		}
	}
	slices.Sort(s.Kinds)
	return s, nil
}

func kindNames(kinds []indicator.Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.String())
	}
	return strings.Join(out, ", ")
}

func (s Selection) takes(x *Entry) bool {
	return slices.Contains(s.Kinds, x.Kind) && (s.Format.Takes == nil || s.Format.Takes(x) == "")
}

// page is a file that is written.
type page struct {
	*bufio.Writer
	e     *Edition
	at    time.Time // from when on times count
	sids  map[uint32]bool
	kind  indicator.Kind
	count int // of what is open: a rule, a set
	part  int
}

func (p *page) put(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// render writes what a selection takes. An error is the writer's.
func render(w io.Writer, e *Edition, s Selection, at time.Time) (n int, err error) {
	p := &page{Writer: bufio.NewWriterSize(w, 64<<10), e: e, at: at, sids: map[uint32]bool{}}
	if s.begin != nil {
		s.begin(p)
	}
	var within cover
	if s.covers {
		within = newCover(e, s)
	}
	for i := range e.Entries {
		if x := &e.Entries[i]; s.takes(x) && !(s.covers && within.has(x)) {
			s.entry(p, x)
			n++
		}
	}
	if s.end != nil {
		s.end(p)
	}
	return n, p.Flush()
}

// cover is what broader entries take along.
type cover struct {
	nets  map[netip.Prefix]bool
	bits  [2][]int
	names map[string]bool
}

func newCover(e *Edition, s Selection) cover {
	c := cover{nets: map[netip.Prefix]bool{}, names: map[string]bool{}}
	for i := range e.Entries {
		x := &e.Entries[i]
		if !s.takes(x) {
			continue
		}
		switch x.Kind {
		case indicator.CIDR:
			if p, err := netip.ParsePrefix(x.Value); err == nil {
				c.nets[p] = true
				family := &c.bits[p.Addr().BitLen()/128]
				if !slices.Contains(*family, p.Bits()) {
					*family = append(*family, p.Bits())
				}
			}
		case indicator.Domain:
			if x.Beneath {
				c.names[x.Value] = true
			}
		}
	}
	return c
}

func (c *cover) has(x *Entry) bool {
	if x.Kind == indicator.Domain {
		for _, above, ok := strings.Cut(x.Value, "."); ok; _, above, ok = strings.Cut(above, ".") {
			if c.names[above] {
				return true
			}
		}
		return false
	}
	p, _, err := place(x.Value)
	if err != nil {
		return true
	}
	for _, bits := range c.bits[p.Addr().BitLen()/128] {
		if bits < p.Bits() && c.nets[netip.PrefixFrom(p.Addr(), bits).Masked()] {
			return true
		}
	}
	return false
}

// Rendering is a file as it is at a moment.
type Rendering struct {
	Edition *Edition
	Format  Selection
	Entries int
	Size    int64
	Digest  [32]byte // SHA-256 of the bytes
	at      time.Time
}

// ETag is its strong validator (RFC 9110, section 8.8.3).
func (x *Rendering) ETag() string { return `"` + hex.EncodeToString(x.Digest[:16]) + `"` }

// WriteTo writes the bytes.
func (x *Rendering) WriteTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	_, err := render(c, x.Edition, x.Format, x.at)
	return c.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Render makes the file of a selection. Its bytes are written by WriteTo, as often as they are wanted, and are always the same.
func (r *Room) Render(ctx context.Context, s Selection) (Rendering, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.current(ctx)
	if err != nil {
		return Rendering{}, err
	}
	return r.render(e, s), nil
}

// render is called under mu.
func (r *Room) render(e *Edition, s Selection) Rendering {
	at := e.Time
	if s.Timed {
		at = r.o.Now().UTC().Truncate(step).Add(step)
	}
	name := s.Name + "\x00" + kindNames(s.Kinds)
	if x, ok := r.rendered[name]; ok && x.at.Equal(at) {
		return x
	}
	h := sha256.New()
	c := &counter{w: h}
	n, _ := render(c, e, s, at)
	x := Rendering{Edition: e, Format: s, Entries: n, Size: c.n, at: at}
	h.Sum(x.Digest[:0])
	if len(r.rendered) < maxRendered {
		r.rendered[name] = x
	}
	return x
}

// maxRendered bounds how many files are remembered of one edition.
const maxRendered = 256

// Delta is what of a selection has changed since a cursor.
func (r *Room) Delta(ctx context.Context, s Selection, cursor string) (Delta, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.current(ctx)
	if err != nil {
		return Delta{}, err
	}
	return r.delta(e, s, cursor), nil
}

// remarks is a beginning that says what the file is.
func remarks(mark string) func(p *page) {
	return func(p *page) {
		e := p.e
		if name, ok := label.Mode(e.Realm).Exercise(); ok {
			p.put(mark, " EXERCISE ", word(name), ": nothing of this is real\n")
		}
		p.put(mark, " blocked by ", word(e.Nation+"/"+e.Org), ", serial ", fmt.Sprint(e.Serial), " of ", e.Time.Format(time.RFC3339), "\n")
	}
}

// word is a text of others for a remark: whatever could end it stands for an underscore.
func word(s string) string {
	if len(s) > 128 {
		s = s[:128]
	}
	for i := range len(s) {
		if !plain[s[i]] {
			b := []byte(s)
			for k := i; k < len(b); k++ {
				if !plain[b[k]] {
					b[k] = '_'
				}
			}
			return string(b)
		}
	}
	return s
}

// plain are the characters that end nothing in any format.
var plain = func() (t [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/+@") {
		t[c] = true
	}
	return t
}()

// trace says where an entry comes from and how long it counts, on one line without anything that a format could take for its own.
func (x *Entry) trace() string {
	if len(x.Sources) == 0 {
		return ""
	}
	s := &x.Sources[0]
	out := word(s.ID)
	if s.Accord != "" {
		out += " accord " + word(s.Accord)
	}
	if !x.Until.IsZero() {
		out += " until " + x.Until.UTC().Format(time.RFC3339)
	}
	if n := len(x.Sources) - 1; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}

// printable refuses what is not one word of ASCII.
func printable(x *Entry) string {
	for i := range len(x.Value) {
		if c := x.Value[i]; c <= ' ' || c >= 0x7f {
			return "it has a character that does not stand on a line of words"
		}
	}
	return ""
}
