package feed

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/label"
	"entente/observable"
)

// Config is one [[feed]] table of the configuration file.
type Config struct {
	Name     string `toml:"name"`     // 1 to 64 of a-z, 0-9, '.', '_', '-'
	Kind     string `toml:"kind"`     // a Source's
	Disabled bool   `toml:"disabled"` // it runs only when somebody asks
	Schedule string `toml:"schedule"` // "15m", "daily 03:00", "weekly mon 03:00" (UTC) or "manual"
	Jitter   string `toml:"jitter"`   // at most this is added by chance; empty: a tenth of the interval, 5 min at most

	URL       string   `toml:"url"`
	File      string   `toml:"file"`
	Remote    string   `toml:"remote"`    // taxii, push: the collection on the server
	Addresses []string `toml:"addresses"` // networks that the URL's host may be in, besides public ones
	Plaintext bool     `toml:"plaintext"` // http: is taken too
	CA        string   `toml:"ca"`        // PEM file of the authorities that vouch for the server, instead of the system's

	User         string `toml:"user"`          // HTTP Basic
	PasswordFile string `toml:"password_file"` // of User
	TokenFile    string `toml:"token_file"`    // bearer token, or the value of Header
	Header       string `toml:"header"`        // name of a request header that carries the token
	CertFile     string `toml:"cert_file"`     // client certificate and its key, PEM
	KeyFile      string `toml:"key_file"`

	Collection string `toml:"collection"` // of this node, by id or alias: where objects go; push: where they come from
	Label      string `toml:"label"`      // joined to what every object says, and the default of those that say nothing
	Source     string `toml:"source"`     // name of the identity that made lists are attributed to; empty: the feed's name
	Confidence int    `toml:"confidence"` // 1 to 100, of what lists say; 0: not stated
	Expire     string `toml:"expire"`     // how long what lists say is valid, "30d"; it is prolonged while the entry stays
	Gone       string `toml:"gone"`       // what becomes of an entry that has left: "keep", "expire" or "revoke"

	Type   string `toml:"type"`   // list, csv: the kind of value; empty: found for each
	Scheme string `toml:"scheme"` // put before URLs that have none
	CSV    CSV    `toml:"csv"`

	To           string `toml:"to"`           // push: the party, "NATION/organisation", as which the node's own records are judged
	Distribution string `toml:"distribution"` // misp: "event": the distribution of an event restricts it; "feed": the feed's label alone does
	Window       string `toml:"window"`       // taxii: how far before the last date added a poll starts
	MISP         Rules  `toml:"misp"`

	Warninglists string `toml:"warninglists"` // what becomes of objects with values on warning lists: "note" them, "hold" them in quarantine, or "ignore"

	Limits Limits `toml:"limits"`

	base  string
	times times
	label *label.Label
	url   *url.URL
	nets  []netip.Prefix
	party gate.Party

	principals map[string]string // of organisations, by their MISP uuid
}

// CSV says how a table is read. Columns are named by their title, or by their number from 1.
type CSV struct {
	Separator string            `toml:"separator"` // one character, or "tab"; empty: a comma
	Comment   string            `toml:"comment"`   // lines that begin with this character are passed over
	Header    bool              `toml:"header"`    // the first line has titles; a comment line right before the rows may be it
	Columns   map[string]string `toml:"columns"`   // of value, type, name, description, confidence, valid_from, valid_until, labels, link
	Types     map[string]string `toml:"types"`     // words of the type column to kinds of value; "-" passes over
	Time      string            `toml:"time"`      // form of times, as Go writes it; empty: the usual ones are tried
}

// Limits bound what a feed may take.
type Limits struct {
	Bytes   int64  `toml:"bytes"`   // of one answer, as sent and decompressed; 0: 256 MiB
	Entries int    `toml:"entries"` // of one list; 0: 500,000
	Dropped int    `toml:"dropped"` // percent of a list that may be unusable before nothing of it is taken; 0: 50
	Gone    int    `toml:"gone"`    // percent of a list that may leave at once before nothing of it is taken; 0: 50
	Timeout string `toml:"timeout"` // of one answer, from the request to its last byte; empty: 5 min
}

// times are the durations of a Config, read.
type times struct {
	schedule schedule
	jitter   time.Duration
	expire   time.Duration
	window   time.Duration
	timeout  time.Duration
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func bad(at, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "config.value", format, args...).At(at)
}

// Validate says what cannot be, in all feeds of a configuration.
func Validate(feeds []Config, sources []Source) error {
	if len(feeds) > maxFeeds {
		return bad("feed", "there are %d feeds, the limit is %d", len(feeds), maxFeeds)
	}
	seen := map[string]bool{}
	for i := range feeds {
		c := feeds[i]
		if err := c.check(sources); err != nil {
			err.Pointer = fmt.Sprintf("feed[%s].%s", cmp.Or(c.Name, strconv.Itoa(i+1)), err.Pointer)
			return err.Try("see docs/feeds.md")
		}
		if seen[c.Name] {
			return bad("feed", "two feeds are named %q", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// check reads the configuration of one feed.
func (c *Config) check(sources []Source) *fault.Error {
	if !nameForm.MatchString(c.Name) {
		return bad("name", "a feed's name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and %q is not", c.Name)
	}
	var source Source
	var words []string
	for _, s := range sources {
		words = append(words, s.Kind())
		if s.Kind() == c.Kind {
			source = s
		}
	}
	if source == nil {
		return bad("kind", "%q is no kind of feed; there are %s", c.Kind, strings.Join(words, ", "))
	}
	for _, step := range []func() *fault.Error{c.checkTimes, c.checkAddress, c.checkSecrets, c.checkContent, c.checkLimits} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := source.Check(c); err != nil {
		return fault.As(err)
	}
	return nil
}

func (c *Config) checkTimes() *fault.Error {
	var ok bool
	if c.times.schedule, ok = parseSchedule(cmp.Or(c.Schedule, "1h")); !ok {
		return bad("schedule", "%q is no schedule: write an interval of a minute or more such as 15m, \"daily 03:00\", \"weekly mon 03:00\" or manual", c.Schedule)
	}
	c.times.jitter = min(c.times.schedule.every/10, 5*time.Minute)
	for _, d := range []struct {
		at, text string
		into     *time.Duration
		fallback time.Duration
		low, top time.Duration
	}{
		{"jitter", c.Jitter, &c.times.jitter, c.times.jitter, 0, 24 * time.Hour},
		{"expire", c.Expire, &c.times.expire, 0, time.Minute, 100 * 365 * 24 * time.Hour},
		{"window", c.Window, &c.times.window, time.Minute, 0, 30 * 24 * time.Hour},
		{"limits.timeout", c.Limits.Timeout, &c.times.timeout, 5 * time.Minute, time.Second, maxRun},
	} {
		if *d.into = d.fallback; d.text == "" {
			continue
		}
		v, ok := parseDuration(d.text)
		if !ok || v < d.low || v > d.top {
			return bad(d.at, "%q is not a time from %s to %s, such as 30m or 30d", d.text, d.low, d.top)
		}
		*d.into = v
	}
	return nil
}

func (c *Config) checkAddress() *fault.Error {
	if (c.URL == "") == (c.File == "") {
		return bad("url", "a feed has a url or a file")
	}
	if c.File != "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return bad("url", "this is no http or https URL")
	case u.User != nil:
		return bad("url", "credentials do not belong in a URL: use user and password_file, or token_file")
	case u.Scheme == "http" && !c.Plaintext && !isLoopback(u.Hostname()):
		return bad("url", "over http anybody on the way can read and change the feed: use https, or say plaintext = true")
	}
	u.Fragment = ""
	c.url = u
	for _, text := range c.Addresses {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return bad("addresses", "%q is no address or network", text)
		}
		c.nets = append(c.nets, p)
	}
	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (c *Config) checkSecrets() *fault.Error {
	switch {
	case (c.User == "") != (c.PasswordFile == ""):
		return bad("user", "user and password_file go together")
	case c.User != "" && c.TokenFile != "" && c.Header == "":
		return bad("token_file", "a feed signs in by user and password_file, or by token_file")
	case c.Header != "" && c.TokenFile == "":
		return bad("header", "the value of the header stands in a file: name it with token_file")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return bad("cert_file", "cert_file and key_file go together")
	case strings.ContainsAny(c.Header, " :\r\n\t") || !utf8.ValidString(c.Header):
		return bad("header", "this is no name of a header")
	}
	return nil
}

func (c *Config) checkContent() *fault.Error {
	if c.Label != "" {
		l, stated, err := label.ParseWords(c.Label)
		if err != nil {
			return bad("label", "%q is no label: %v", c.Label, err)
		}
		if !stated {
			return bad("label", "a feed's label must say its TLP")
		}
		c.label = &l
	}
	if c.Confidence < 0 || c.Confidence > 100 {
		return bad("confidence", "%d is outside 1 to 100", c.Confidence)
	}
	switch c.Gone = cmp.Or(c.Gone, "keep"); c.Gone {
	case "keep", "expire", "revoke":
	default:
		return bad("gone", "%q is not keep, expire or revoke", c.Gone)
	}
	if len(observable.Kinds(c.Type)) == 0 {
		return bad("type", "%q is no kind of value; there are %s", c.Type, observable.Words())
	}
	switch c.Warninglists = cmp.Or(c.Warninglists, "note"); c.Warninglists {
	case "note", "hold", "ignore":
	default:
		return bad("warninglists", "%q is not note, hold or ignore", c.Warninglists)
	}
	if c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https" {
		return bad("scheme", "%q is not http or https", c.Scheme)
	}
	return nil
}

func (c *Config) checkLimits() *fault.Error {
	l := &c.Limits
	l.Bytes = cmp.Or(l.Bytes, 256<<20)
	l.Entries, l.Dropped, l.Gone = cmp.Or(l.Entries, 500_000), cmp.Or(l.Dropped, 50), cmp.Or(l.Gone, 50)
	for _, l := range []struct {
		at          string
		v, low, top int64
	}{
		{"limits.bytes", l.Bytes, 1 << 10, 4 << 30},
		{"limits.entries", int64(l.Entries), 1, 5_000_000},
		{"limits.dropped", int64(l.Dropped), 1, 100},
		{"limits.gone", int64(l.Gone), 1, 100},
	} {
		if l.v < l.low || l.v > l.top {
			return bad(l.at, "%d is outside %d to %d", l.v, l.low, l.top)
		}
	}
	return nil
}

// path is a file of the configuration, which may be relative to the data directory.
func (c *Config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.base, name)
}

// secret reads a secret from its file.
func (c *Config) secret(at, name string) (string, error) {
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		return "", fault.New(fault.Invalid, "feed.secret", "the file of %s cannot be read", at).At(at).Because(err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || len(s) > 16<<10 || strings.ContainsAny(s, "\r\n") {
		return "", fault.New(fault.Invalid, "feed.secret", "the file of %s holds no secret of one line", at).At(at)
	}
	return s, nil
}

// address is the feed's place for people: without query, which may hold a key.
func (c *Config) address() string {
	if c.url == nil {
		return c.File
	}
	return (&url.URL{Scheme: c.url.Scheme, Host: c.url.Host, Path: c.url.Path}).String()
}

// Settings is the feed's configuration for people, without the query of its URL. Secrets stand in files of their own.
func (c *Config) Settings() map[string]any {
	out := map[string]any{"name": c.Name, "kind": c.Kind}
	for name, text := range map[string]string{"schedule": c.Schedule, "jitter": c.Jitter, "file": c.File, "remote": c.Remote, "ca": c.CA, "user": c.User, "password_file": c.PasswordFile,
		"token_file": c.TokenFile, "header": c.Header, "cert_file": c.CertFile, "key_file": c.KeyFile, "collection": c.Collection, "label": c.Label, "source": c.Source, "expire": c.Expire,
		"gone": c.Gone, "type": c.Type, "scheme": c.Scheme, "to": c.To, "window": c.Window, "distribution": c.Distribution, "warninglists": c.Warninglists} {
		if text != "" {
			out[name] = text
		}
	}
	if u, err := url.Parse(c.URL); err == nil && c.URL != "" {
		out["url"] = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	if len(c.Addresses) > 0 {
		out["addresses"] = c.Addresses
	}
	for name, on := range map[string]bool{"disabled": c.Disabled, "plaintext": c.Plaintext} {
		if on {
			out[name] = true
		}
	}
	for name, words := range map[string][]string{"misp.orgs": c.MISP.Orgs, "misp.tags": c.MISP.Tags, "misp.block": c.MISP.Block, "misp.without": c.MISP.Without} {
		if len(words) > 0 {
			out[name] = words
		}
	}
	if c.MISP.Own != "" {
		out["misp.own"] = c.MISP.Own
	}
	if len(c.MISP.Organisations) > 0 {
		out["misp.organisations"] = c.MISP.Organisations
	}
	if c.Confidence > 0 {
		out["confidence"] = c.Confidence
	}
	return out
}
