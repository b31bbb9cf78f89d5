package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"entente/internal/fault"
	"entente/internal/outbound"
	"entente/label"
)

const smtpRules = outbound.Rules("notify.smtp")

// smtpAnswers bounds what a mail server may say in one conversation.
const smtpAnswers = 256 << 10

// SMTP delivers by e-mail over one mail server (RFC 5321), with TLS (RFC 3207, RFC 8314) unless it stands on the same machine.
type SMTP struct {
	c      SMTPConfig
	from   *mail.Address
	openTo label.TLP
	line   *outbound.Line
	tls    *tls.Config
	now    func() time.Time
}

// Setting is what channels need to know of their node.
type Setting struct {
	Org    string
	Config Config
	Base   string // relative file names begin here
	Agent  string // User-Agent
	Now    func() time.Time
}

// NewSMTP makes the channel of a configuration.
func NewSMTP(c SMTPConfig, o Setting) (*SMTP, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.base = o.Base
	openTo, err := label.ParseTLP(o.Config.Unencrypted)
	if err != nil {
		return nil, bad("notify.unencrypted", "%q is no TLP label", o.Config.Unencrypted)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, bad("smtp.from", "%q is no e-mail address", c.From)
	}
	if from.Name == "" {
		from.Name = o.Org
	}
	s := &SMTP{c: c, from: from, openTo: openTo, now: o.Now}
	origin := &url.URL{Scheme: "smtp", Host: net.JoinHostPort(c.Host, c.port())}
	if s.line, err = outbound.New(outbound.Config{Rules: smtpRules, Origins: []*url.URL{origin}, Networks: c.nets, Bytes: smtpAnswers, Timeout: c.timeout}); err != nil {
		return nil, err
	}
	ca := c.CA
	if ca != "" {
		ca = below(o.Base, ca)
	}
	if s.tls, err = outbound.TLS(smtpRules, ca, "", ""); err != nil {
		return nil, err
	}
	s.tls.ServerName = c.Host
	return s, nil
}

// Name implements Channel.
func (s *SMTP) Name() string { return s.c.Name }

// Kind implements Channel.
func (s *SMTP) Kind() Route { return Email }

// Reaches implements Channel.
func (s *SMTP) Reaches(address string) bool {
	a, err := mail.ParseAddress(address)
	return err == nil && plainAddress(a.Address)
}

// Compose implements Channel.
func (s *SMTP) Compose(m *Message) (Parcel, error) {
	return composeMail(m, s.from, s.openTo, s.now())
}

// Send implements Channel. A server that refuses with a 4yz reply, is not there, does not speak TLS or does not let us sign in is tried again;
// a 5yz reply to the message or its recipient is final (RFC 5321 section 4.2.1).
func (s *SMTP) Send(ctx context.Context, m *Message) error {
	p, err := s.Compose(m)
	if err != nil {
		return err
	}
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return final("address", "%q is no e-mail address", clip(m.To, 100))
	}
	c.SkipSMTPUTF8(true)
	if err := c.Mail("<" + s.from.Address + ">"); err != nil {
		return s.refused("the sender", err)
	}
	if err := c.Rcpt("<" + to.Address + ">"); err != nil {
		return s.refused("the recipient", err)
	}
	w, err := c.Data()
	if err != nil {
		return s.refused("a message", err)
	}
	if _, err := io.WriteString(w, p.Body); err != nil {
		return s.cut(err)
	}
	if err := w.Close(); err != nil {
		return s.refused("the message", err)
	}
	_ = c.Quit() // the message is theirs already
	return nil
}

// Check implements Channel.
func (s *SMTP) Check(ctx context.Context) error {
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Noop(); err != nil {
		return s.refused("a NOOP", err)
	}
	_ = c.Quit()
	return nil
}

// open connects, with TLS, and signs in.
func (s *SMTP) open(ctx context.Context) (_ *smtp.Client, err error) {
	password, err := s.c.password()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.timeout)
	defer cancel()
	conn, err := s.line.Dial(ctx, "tcp", net.JoinHostPort(s.c.Host, s.c.port()))
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return nil, temporary("smtp.connect", "%s: %s", s.c.Name, f.Message).Because(err)
		}
		return nil, s.cut(err)
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	// One deadline for the whole conversation: a server that answers a byte now and then holds nothing up.
	if err := conn.SetDeadline(time.Now().Add(s.c.timeout)); err != nil {
		return nil, s.cut(err)
	}
	conn = &terse{Conn: conn, left: smtpAnswers}
	if s.c.TLS == tlsImplicit {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, temporary("smtp.tls", "%s: the mail server's TLS failed: %v", s.c.Name, err)
		}
		conn = secure
	}
	c, err := smtp.NewClient(conn, s.c.Host)
	if err != nil {
		return nil, s.waiting("the connection", err)
	}
	if err := c.Hello(s.c.hello()); err != nil {
		return nil, s.waiting("the greeting", err)
	}
	if s.c.TLS == tlsStart {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return nil, temporary("smtp.starttls", "%s: the mail server does not offer STARTTLS, and nothing is sent in the open", s.c.Name).By("RFC 3207")
		}
		if err := c.StartTLS(s.tls); err != nil {
			return nil, temporary("smtp.tls", "%s: the mail server's TLS failed: %v", s.c.Name, err)
		}
	}
	if s.c.User != "" {
		if err := s.signIn(c, password); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (s *SMTP) signIn(c *smtp.Client, password string) error {
	_, offered := c.Extension("AUTH")
	methods := strings.Fields(strings.ToUpper(offered))
	var auth smtp.Auth
	for _, m := range methods {
		switch {
		case m == "SCRAM-SHA-256":
			auth = smtp.ScramSHA256Auth(s.c.User, password)
		case m == "PLAIN" && auth == nil:
			auth = smtp.PlainAuth("", s.c.User, password, s.c.Host, s.c.TLS == tlsNone)
		}
	}
	if auth == nil {
		return temporary("smtp.auth", "%s: the mail server lets nobody sign in with SCRAM-SHA-256 or PLAIN", s.c.Name)
	}
	if err := c.Auth(auth); err != nil {
		return s.waiting("the sign-in", err)
	}
	return nil
}

// refused is what a reply to a step of the delivery means.
func (s *SMTP) refused(what string, err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 {
		return final("smtp.refused", "%s: the mail server refuses %s for good: %d %s", s.c.Name, what, reply.Code, clip(reply.Msg, 300))
	}
	return s.waiting(what, err)
}

// waiting is a refusal that may pass.
func (s *SMTP) waiting(what string, err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return temporary("smtp.deferred", "%s: the mail server does not take %s: %d %s", s.c.Name, what, reply.Code, clip(reply.Msg, 300))
	}
	return s.cut(err)
}

func (s *SMTP) cut(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return temporary("smtp.timeout", "%s: the mail server was not through after %s", s.c.Name, s.c.timeout).Because(err)
	}
	return temporary("smtp.connection", "%s: the connection to the mail server failed", s.c.Name).Because(err)
}

// terse is a connection that ends when too much comes in.
type terse struct {
	net.Conn
	left int
}

func (t *terse) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, errors.New("the server says too much")
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}
