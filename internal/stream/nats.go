package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"entente/internal/fault"
	"entente/internal/input"
)

// NATSConfig is an input from a stream of NATS JetStream.
type NATSConfig struct {
	Servers  []string `toml:"servers"` // host:port
	Stream   string   `toml:"stream"`  // its retention is by limits: what a queue removes cannot be read again
	Subjects []string `toml:"subjects"`
	Group    string   `toml:"group"`
	From     string   `toml:"from"` // where a group begins that has no place yet: oldest, the default, or newest
	TLS
	Credentials string `toml:"credentials_file"` // a user's JWT and seed
	NKey        string `toml:"nkey_file"`        // a user's seed
	User        string `toml:"user"`
	Password    string `toml:"password_file"`
	Token       string `toml:"token_file"`

	lease, patience time.Duration // of tests: how long a claim is held without a word, and what an answer may take
}

var (
	streamName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)
	groupName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// Validate says what is wrong with it.
func (c *NATSConfig) Validate() error {
	if err := addresses("servers", c.Servers); err != nil {
		return err
	}
	switch {
	case !streamName.MatchString(c.Stream):
		return invalid("stream", "%q is no name of a stream", c.Stream)
	case !groupName.MatchString(c.Group):
		return invalid("group", "sensors that share a stream need the name of a group, of at most 64 letters, digits, _ and -")
	case len(c.Subjects) > maxSubjects:
		return invalid("subjects", "at most %d subjects can be chosen", maxSubjects)
	}
	for _, s := range c.Subjects {
		if s == "" || len(s) > 255 || strings.ContainsAny(s, " \t\r\n") {
			return invalid("subjects", "%q is no subject", s)
		}
	}
	if err := errors.Join(from(c.From), c.TLS.validate()); err != nil {
		return err
	}
	ways := 0
	for _, w := range []string{c.Credentials, c.NKey, c.User, c.Token} {
		if w != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		return invalid("user", "one of credentials_file, nkey_file, user and token_file is enough")
	case (c.User == "") != (c.Password == ""):
		return invalid("user", "a user needs user and password_file")
	case (c.User != "" || c.Token != "") && !c.TLS.on():
		return invalid("tls", "a password or token would be given to whoever listens: it needs TLS")
	}
	return nil
}

// NATSSource reads a stream as one of a group.
type NATSSource struct {
	counter
	cfg    NATSConfig
	secure []nats.Option
}

// NATS makes a source; it connects when it runs.
func NATS(cfg NATSConfig) (*NATSSource, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.lease == 0 {
		cfg.lease = 30 * time.Second
	}
	if cfg.patience == 0 {
		cfg.patience = apiTime
	}
	s := &NATSSource{cfg: cfg}
	s.c.Lag = -1
	conf, err := cfg.TLS.config()
	if err != nil {
		return nil, err
	}
	if conf != nil {
		s.secure = append(s.secure, nats.Secure(conf))
	}
	auth, err := s.auth()
	if err != nil {
		return nil, err
	}
	s.secure = append(s.secure, auth...)
	return s, nil
}

// auth is how the source says who it is. Files are read again at each connection, where the library does so.
func (s *NATSSource) auth() ([]nats.Option, error) {
	switch {
	case s.cfg.Credentials != "":
		if _, err := secret("credentials_file", s.cfg.Credentials); err != nil {
			return nil, err
		}
		return []nats.Option{nats.UserCredentials(s.cfg.Credentials)}, nil
	case s.cfg.NKey != "":
		opt, err := nats.NkeyOptionFromSeed(s.cfg.NKey)
		if err != nil {
			return nil, invalid("nkey_file", "the file of nkey_file holds no seed of a user").Because(err)
		}
		return []nats.Option{opt}, nil
	case s.cfg.User != "":
		password, err := secret("password_file", s.cfg.Password)
		if err != nil {
			return nil, err
		}
		return []nats.Option{nats.UserInfo(s.cfg.User, password)}, nil
	case s.cfg.Token != "":
		token, err := secret("token_file", s.cfg.Token)
		if err != nil {
			return nil, err
		}
		return []nats.Option{nats.Token(token)}, nil
	}
	return nil, nil
}

// Run implements input.Source.
func (s *NATSSource) Run(ctx context.Context, take func(*input.Batch) error) error {
	return s.keepOn(ctx, func(ctx context.Context) (bool, error) {
		j := &natsSession{NATSSource: s, give: giver{take: take, count: s.count}, settled: make(chan struct{}, 1)}
		err := j.run(ctx)
		return j.progress, err
	})
}

// dialing carries the end of a session to the library's dialer.
type dialing struct {
	ctx context.Context
	dialer
}

func (d *dialing) Dial(network, address string) (net.Conn, error) {
	return d.dial(d.ctx, network, address)
}

func (s *NATSSource) connect(ctx context.Context) (*nats.Conn, error) {
	scheme := "nats://"
	if s.cfg.TLS.on() {
		scheme = "tls://"
	}
	urls := make([]string, len(s.cfg.Servers))
	for i, a := range s.cfg.Servers {
		urls[i] = scheme + a
	}
	opts := append([]nats.Option{
		nats.Name("entente"), nats.SetCustomDialer(&dialing{ctx, dialer{allowed: s.cfg.Servers}}), nats.IgnoreDiscoveredServers(), nats.Timeout(dialTime), nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(pause), nats.PingInterval(20 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.failed(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { s.failed(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.failed(err) }),
	}, s.secure...)
	nc, err := nats.Connect(strings.Join(urls, ","), opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to NATS: %w", err)
	}
	return nc, nil
}

// prefix names a stream so that another stream of that name, before or after, is another; and which of its messages are read.
func (s *NATSSource) prefix(info *jetstream.StreamInfo) string {
	name := fmt.Sprintf("jetstream:%s@%d", s.cfg.Stream, info.Created.UnixNano())
	if len(s.cfg.Subjects) > 0 {
		subjects := slices.Clone(s.cfg.Subjects)
		slices.Sort(subjects)
		name += fmt.Sprint(slices.Compact(subjects))
	}
	return name
}

// claims is the stream by which a group shares out the work, and its subject.
func (s *NATSSource) claims(prefix string) (name, subject string) {
	sum := sha256.Sum256([]byte(prefix))
	id := s.cfg.Group + "_" + hex.EncodeToString(sum[:6])
	return "ENTENTE_" + id, "entente.claims." + id
}

// usable says why a stream cannot be read as it is here.
func usable(info *jetstream.StreamInfo) error {
	if info.Config.Retention != jetstream.LimitsPolicy {
		return fault.New(fault.Unsupported, "stream.retention", "the stream %s removes what somebody read (retention %s), and a sensor that dies could not be replaced by another", info.Config.Name,
			info.Config.Retention).Try("give the sensors a stream with retention by limits, for example one that sources from it")
	}
	return nil
}
