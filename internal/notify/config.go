package notify

import (
	"cmp"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // contacts have zones, wherever the node runs

	"entente/internal/fault"
	"entente/label"
)

// Config is the [notify] table of the configuration file.
type Config struct {
	Contact     string `toml:"contact"`      // how recipients reach the node's organisation: the last line of every notification
	Language    string `toml:"language"`     // of contacts whose languages are unknown or not spoken here
	Zone        string `toml:"zone"`         // IANA time zone of contacts that state none
	Unencrypted string `toml:"unencrypted"`  // the strictest TLP that goes by e-mail without encryption for its recipient
	Hints       bool   `toml:"hints"`        // what TLP:AMBER+STRICT keeps from a constituent becomes a draft that only asks it to get in touch
	DigestAfter int    `toml:"digest_after"` // drafts of one constituent, contact and label in an hour; what follows is told in one
	LookBack    string `toml:"look_back"`    // how far back new constituents and assets are matched with what is here already, "30d"
	Keep        string `toml:"keep"`         // how long closed alerts and finished notifications are kept, "365d"

	Alarms []string `toml:"alarms"` // addresses of the own organisation that are told of alarms of the alliance: e-mail, or names of webhooks

	SMTP     []SMTPConfig    `toml:"smtp"`
	Webhooks []WebhookConfig `toml:"webhook"`

	base     string
	openTo   label.TLP
	zone     *time.Location
	lookBack time.Duration
	keep     time.Duration
}

// How SMTP is protected.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// SMTPConfig is one [[notify.smtp]] table: a mail server that sends.
type SMTPConfig struct {
	Name         string   `toml:"name"`
	Host         string   `toml:"host"`
	Port         int      `toml:"port"`          // 0: 587 with STARTTLS, 465 with implicit TLS, 25 without
	TLS          string   `toml:"tls"`           // "starttls", "implicit", or on a loopback address "none"
	CA           string   `toml:"ca"`            // PEM file of the authorities that vouch for the server, instead of the system's
	Addresses    []string `toml:"addresses"`     // networks that the host may be in, besides public ones
	User         string   `toml:"user"`          // empty: without sign-in
	PasswordFile string   `toml:"password_file"` // of User
	From         string   `toml:"from"`          // the sender: address, or "Name <address>"
	Hello        string   `toml:"hello"`         // the name this node gives itself; empty: the domain of From
	Timeout      string   `toml:"timeout"`       // of one whole delivery; empty: 1 min

	base    string
	nets    []netip.Prefix
	timeout time.Duration
}

// WebhookConfig is one [[notify.webhook]] table: an address that constituents name as a contact's webhook.
type WebhookConfig struct {
	Name       string   `toml:"name"`
	URL        string   `toml:"url"`         // https, or http on a loopback address
	SecretFile string   `toml:"secret_file"` // of the signature, 16 bytes or more
	CA         string   `toml:"ca"`
	Addresses  []string `toml:"addresses"`
	Timeout    string   `toml:"timeout"` // until the answer is complete; empty: 30 s

	base    string
	url     *url.URL
	nets    []netip.Prefix
	timeout time.Duration
}

const (
	maxChannels = 64
	day         = 24 * time.Hour
)

// DefaultConfig has no channels: notifications are drafted and not sent.
func DefaultConfig() Config {
	return Config{Language: "en", Zone: "UTC", Unencrypted: "tlp:green", Hints: true, DigestAfter: 5, LookBack: "30d", Keep: "365d"}
}

var channelName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func bad(at, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "config.value", format, args...).At(at).Try("see docs/notifications.md")
}

// Validate says what cannot be.
func (c Config) Validate() error { _, err := c.read(""); return err }

// read is the configuration with its words understood. Relative file names begin at base.
func (c Config) read(base string) (Config, error) {
	var err error
	c.base = base
	if len(c.Contact) > 500 || strings.ContainsAny(c.Contact, "\r\n") {
		return c, bad("notify.contact", "the contact is one line of at most 500 bytes")
	}
	if _, ok := languages[c.Language]; !ok {
		return c, bad("notify.language", "%q is not spoken here; there are %s", c.Language, strings.Join(Languages(), ", "))
	}
	if c.zone, err = location(c.Zone); err != nil {
		return c, bad("notify.zone", "%q is no IANA time zone", c.Zone)
	}
	if c.openTo, err = label.ParseTLP(c.Unencrypted); err != nil {
		return c, bad("notify.unencrypted", "%q is no TLP label", c.Unencrypted)
	}
	if c.DigestAfter < 0 || c.DigestAfter > 1000 {
		return c, bad("notify.digest_after", "%d is outside 0 to 1000", c.DigestAfter)
	}
	if c.lookBack, err = span(c.LookBack, 0, 3650*day); err != nil {
		return c, bad("notify.look_back", "%v", err)
	}
	if c.keep, err = span(c.Keep, day, 3650*day); err != nil {
		return c, bad("notify.keep", "%v", err)
	}
	if len(c.SMTP)+len(c.Webhooks) > maxChannels {
		return c, bad("notify", "there are %d channels, the limit is %d", len(c.SMTP)+len(c.Webhooks), maxChannels)
	}
	if len(c.Alarms) > maxContacts {
		return c, bad("notify.alarms", "there are %d addresses, the limit is %d", len(c.Alarms), maxContacts)
	}
	for i, to := range c.Alarms {
		switch alarmRoute(to) {
		case Email:
			if !plainAddress(to) || len(c.SMTP) == 0 {
				return c, bad("notify.alarms", "%q is no e-mail address that a channel reaches", clip(to, 100))
			}
		default:
			if !slices.ContainsFunc(c.Webhooks, func(w WebhookConfig) bool { return w.Name == to }) {
				return c, bad("notify.alarms", "%q is neither an e-mail address nor the name of a webhook", clip(to, 100))
			}
		}
		if slices.Contains(c.Alarms[:i], to) {
			return c, bad("notify.alarms", "%q stands twice", to)
		}
	}
	c.SMTP, c.Webhooks = slices.Clone(c.SMTP), slices.Clone(c.Webhooks)
	seen := map[string]bool{}
	for i := range c.SMTP {
		s := &c.SMTP[i]
		s.base = base
		if e := s.check(); e != nil {
			return c, e.At(fmt.Sprintf("notify.smtp[%s].%s", cmp.Or(s.Name, strconv.Itoa(i+1)), e.Pointer))
		}
		if seen[s.Name] {
			return c, bad("notify.smtp", "two channels are named %q", s.Name)
		}
		seen[s.Name] = true
	}
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		w.base = base
		if e := w.check(); e != nil {
			return c, e.At(fmt.Sprintf("notify.webhook[%s].%s", cmp.Or(w.Name, strconv.Itoa(i+1)), e.Pointer))
		}
		if seen[w.Name] {
			return c, bad("notify.webhook", "two channels are named %q", w.Name)
		}
		seen[w.Name] = true
	}
	return c, nil
}

func (s *SMTPConfig) check() *fault.Error {
	if !channelName.MatchString(s.Name) {
		return bad("name", "a channel's name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and %q is not", s.Name)
	}
	s.TLS = cmp.Or(s.TLS, tlsStart)
	switch s.TLS {
	case tlsStart, tlsImplicit:
	case tlsNone:
		if !loopback(s.Host) {
			return bad("tls", "mail goes without TLS to a loopback address only, and %q is none", s.Host)
		}
	default:
		return bad("tls", "%q is not starttls, implicit or none", s.TLS)
	}
	if s.Host == "" || strings.ContainsAny(s.Host, "/@ ") {
		return bad("host", "%q is no name of a host", s.Host)
	}
	if s.Port < 0 || s.Port > 65535 {
		return bad("port", "%d is no port", s.Port)
	}
	if a, err := mail.ParseAddress(s.From); err != nil || !plainAddress(a.Address) {
		return bad("from", "%q is no e-mail address", s.From)
	}
	if strings.ContainsAny(s.Hello, " \r\n") {
		return bad("hello", "%q is no name of a host", s.Hello)
	}
	if (s.User == "") != (s.PasswordFile == "") {
		return bad("password_file", "user and password_file stand together")
	}
	var err *fault.Error
	if s.nets, err = networks(s.Addresses); err != nil {
		return err
	}
	var e error
	if s.timeout, e = span(cmp.Or(s.Timeout, "1m"), time.Second, 10*time.Minute); e != nil {
		return bad("timeout", "%v", e)
	}
	return nil
}

func (w *WebhookConfig) check() *fault.Error {
	if !channelName.MatchString(w.Name) {
		return bad("name", "a channel's name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and %q is not", w.Name)
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return bad("url", "a webhook is an https URL without credentials; http is taken on a loopback address only")
	}
	w.url = u
	if w.SecretFile == "" {
		return bad("secret_file", "a webhook needs the secret of its signature")
	}
	var e *fault.Error
	if w.nets, e = networks(w.Addresses); e != nil {
		return e
	}
	if w.timeout, err = span(cmp.Or(w.Timeout, "30s"), time.Second, 10*time.Minute); err != nil {
		return bad("timeout", "%v", err)
	}
	return nil
}

func networks(list []string) ([]netip.Prefix, *fault.Error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, bad("addresses", "%q is no network like 10.0.0.0/8", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// span reads a duration as Go writes it, or a number of days as "30d".
func span(s string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, e := strconv.ParseUint(days, 10, 16)
		d, err = time.Duration(n)*day, e
	}
	if err != nil || d < low || d > high {
		return 0, fmt.Errorf("%q is no duration between %s and %s; write 30d, 12h or 90s", s, low, high)
	}
	return d, nil
}

// location finds a time zone by its IANA name. The machine's own is none.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no IANA time zone", name)
	}
	return time.LoadLocation(name)
}

func (s *SMTPConfig) port() string {
	return strconv.Itoa(cmp.Or(s.Port, map[string]int{tlsStart: 587, tlsImplicit: 465, tlsNone: 25}[s.TLS]))
}

func (s *SMTPConfig) hello() string {
	_, domain, _ := strings.Cut(strings.TrimSuffix(s.From, ">"), "@")
	return cmp.Or(s.Hello, domain)
}

// password reads the secret anew for every delivery, so that it can be changed.
func (s *SMTPConfig) password() (string, error) {
	if s.User == "" {
		return "", nil
	}
	return secret(s.base, s.PasswordFile, "password_file", 1)
}

func (w *WebhookConfig) secret() ([]byte, error) {
	s, err := secret(w.base, w.SecretFile, "secret_file", 16)
	return []byte(s), err
}

func secret(base, name, at string, shortest int) (string, error) {
	b, err := os.ReadFile(below(base, name))
	if err != nil {
		return "", temporary("secret", "the file of %s cannot be read", at).At(at).Because(err)
	}
	s := strings.TrimSpace(string(b))
	if len(s) < shortest || len(s) > 16<<10 || strings.ContainsAny(s, "\r\n") {
		return "", temporary("secret", "the file of %s holds no secret of one line and %d bytes or more", at, shortest).At(at)
	}
	return s, nil
}

func below(base, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(base, name)
}

// Settings is the configuration for people. Secrets stand in files of their own.
func (c *Config) Settings() map[string]any {
	smtp, hooks := []any{}, []any{}
	for i := range c.SMTP {
		s := &c.SMTP[i]
		smtp = append(smtp, map[string]any{"name": s.Name, "host": net.JoinHostPort(s.Host, s.port()), "tls": cmp.Or(s.TLS, tlsStart), "ca": s.CA, "addresses": s.Addresses, "user": s.User,
			"password_file": s.PasswordFile, "from": s.From, "hello": s.Hello, "timeout": s.Timeout})
	}
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		address := ""
		if u, err := url.Parse(w.URL); err == nil {
			address = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() // a query may hold a key
		}
		hooks = append(hooks, map[string]any{"name": w.Name, "url": address, "secret_file": w.SecretFile, "ca": w.CA, "addresses": w.Addresses, "timeout": w.Timeout})
	}
	return map[string]any{"contact": c.Contact, "language": c.Language, "zone": c.Zone, "unencrypted": c.Unencrypted, "hints": c.Hints, "digest_after": c.DigestAfter, "alarms": c.Alarms,
		"look_back": c.LookBack, "keep": c.Keep, "smtp": smtp, "webhook": hooks}
}
