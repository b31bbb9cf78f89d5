package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/emersion/go-smtp"
	"github.com/smallstep/pkcs7"

	"entente/internal/fault"
	"entente/label"
	"entente/outside"
	"entente/register"
)

// told makes one draft and lets it go.
func (w *world) told(object string) Notification {
	w.t.Helper()
	w.serve(water())
	w.give(local, "tlp:green", object)
	w.catchUp()
	n := w.one(Draft)
	must(w.t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	return n
}

// TestMailServerThatFails says for each way in which a mail server fails whether the message is tried again.
func TestMailServerThatFails(t *testing.T) {
	for _, c := range []struct {
		name, how, server string
		prepare           func(m *mailServer, c *SMTPConfig)
		want              State
		says              string
	}{
		{"sender deferred", "starttls", "starttls", func(m *mailServer, _ *SMTPConfig) { m.refuse("mail", &smtp.SMTPError{Code: 451, Message: "later"}) }, Approved, "451"},
		{"recipient deferred", "starttls", "starttls", func(m *mailServer, _ *SMTPConfig) {
			m.refuse("rcpt", &smtp.SMTPError{Code: 450, Message: "greylisted"})
		}, Approved, "greylisted"},
		{"recipient refused", "starttls", "starttls", func(m *mailServer, _ *SMTPConfig) {
			m.refuse("rcpt", &smtp.SMTPError{Code: 550, Message: "no such user"})
		}, Failed, "no such user"},
		{"message refused", "starttls", "starttls", func(m *mailServer, _ *SMTPConfig) { m.refuse("data", &smtp.SMTPError{Code: 554, Message: "spam"}) }, Failed, "554"},
		{"slow", "starttls", "starttls", func(m *mailServer, c *SMTPConfig) { m.slow = time.Minute; c.Timeout = "5s" }, Approved, "not through after 5s"},
		{"no STARTTLS", "starttls", "none", nil, Approved, "does not offer STARTTLS"},
		{"unknown authority", "starttls", "starttls", func(_ *mailServer, c *SMTPConfig) { c.CA = "" }, Approved, "TLS failed"},
		{"another name", "starttls", "starttls", func(_ *mailServer, c *SMTPConfig) { c.Host = "127.0.0.2" }, Approved, ""},
		{"nobody there", "starttls", "starttls", func(_ *mailServer, c *SMTPConfig) { c.Port = 1 }, Approved, "failed"},
		{"wrong password", "starttls", "starttls", func(_ *mailServer, c *SMTPConfig) { c.User, c.PasswordFile = "node", "wrong" }, Approved, "535"},
		{"signed in", "starttls", "starttls", func(_ *mailServer, c *SMTPConfig) { c.User, c.PasswordFile = "node", "right" }, Sent, ""},
		{"TLS from the first byte", "implicit", "implicit", func(_ *mailServer, c *SMTPConfig) { c.User, c.PasswordFile = "node", "right" }, Sent, ""},
		{"without TLS on this machine", "none", "none", func(_ *mailServer, c *SMTPConfig) { c.Host = "127.0.0.1" }, Sent, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			must(t, os.WriteFile(filepath.Join(w.dir, "wrong"), []byte("another\n"), 0o600))
			must(t, os.WriteFile(filepath.Join(w.dir, "right"), []byte("a password\n"), 0o600))
			m := newMailServer(t, w.dir, c.server)
			conf := m.config(c.how)
			if c.prepare != nil {
				c.prepare(m, &conf)
			}
			w.use(conf)
			n := w.told(indicator(1, 0, address("203.0.113.9"), ""))
			w.deliver()
			got, err := w.d.Notification(context.Background(), ada, n.ID)
			must(t, err)
			if got.State != c.want || got.Attempts != 1 {
				t.Fatalf("%+v", got)
			}
			has(t, got.Error, c.says)
			if c.want == Sent {
				return
			}
			if c.want == Approved && !got.Next.After(w.now) {
				t.Errorf("it is tried again at once: %+v", got)
			}
			if got := w.channel().State; (got == "failing") != (c.want == Approved) {
				t.Errorf("the channel is %s", got)
			}
			if c.want == Approved && len(w.d.due()) != 0 {
				t.Error("it is due already")
			}
			if c.want == Approved {
				w.now = w.now.Add(49 * time.Hour)
				w.deliver()
				if got, _ := w.d.Notification(context.Background(), ada, n.ID); got.State != Failed {
					t.Errorf("it is tried for ever: %+v", got)
				}
			}
		})
	}
}

// TestServerThatSpeaksOddly meets servers that are no mail servers: nothing hangs, and nothing is taken without end.
func TestServerThatSpeaksOddly(t *testing.T) {
	for name, say := range map[string]func(net.Conn){
		"silent":   func(c net.Conn) { time.Sleep(3 * time.Second) },
		"cut":      func(c net.Conn) { io.WriteString(c, "220 hello\r\n") },
		"nonsense": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") },
		"endless": func(c net.Conn) {
			for range 1 << 20 {
				if _, err := io.WriteString(c, "220-"+strings.Repeat("x", 1000)+"\r\n"); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					say(c)
					c.Close()
				}
			}()
			ch, err := NewSMTP(SMTPConfig{Name: "odd", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: tlsNone, From: "a@b.example", Timeout: "1s"},
				Setting{Config: DefaultConfig(), Now: time.Now})
			must(t, err)
			err = ch.Send(context.Background(), &Message{ID: "notice-x", At: time.Now(), To: "soc@water.example", Subject: "s", Text: "t", Language: "en"})
			if err == nil || !Temporary(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRetryKeepsItsName sends again what was deferred, under the same id.
func TestRetryKeepsItsName(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	m.refuse("data", &smtp.SMTPError{Code: 451, Message: "later"})
	w.mailBy(m, tlsStart)
	n := w.told(indicator(1, 0, address("203.0.113.9"), ""))
	w.deliver()
	m.refuse("none", nil)
	w.now = w.now.Add(2 * time.Minute)
	w.deliver()
	w.deliver()
	mails := m.mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	msg, _ := readMail(t, mails[0].body)
	if id := msg.Header.Get("Message-ID"); id != "<"+n.ID+"@utopia.example>" {
		t.Errorf("%s", id)
	}
}

// TestEncryption encrypts for contacts with keys, and refuses to send in the open what must not go so.
func TestEncryption(t *testing.T) {
	pgpKey, pgp := newPGP(t)
	certPEM, cert, key := newSMIME(t)
	for _, c := range []struct {
		name, label, pgp, smime string
		want                    string // "", "openpgp", "smime" or "refused"
	}{
		{"green in the open", "tlp:green", "", "", ""},
		{"amber in the open", "tlp:amber", "", "", "refused"},
		{"amber with OpenPGP", "tlp:amber", pgpKey, "", "openpgp"},
		{"amber with S/MIME", "tlp:amber", "", certPEM, "smime"},
		{"green with OpenPGP", "tlp:green", pgpKey, "", "openpgp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			m := newMailServer(t, w.dir, "starttls")
			w.mailBy(m, tlsStart)
			one := water()
			one.Contacts[0].PGPKey, one.Contacts[0].SMIME = c.pgp, c.smime
			w.serve(one)
			w.give(local, c.label, indicator(1, 0, address("203.0.113.9"), ""))
			w.catchUp()
			n := w.one(Draft)
			_, err := w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})
			if c.want == "refused" {
				wantKind(t, err, fault.Unprocessable)
				has(t, err.Error(), "only encrypted")
				return
			}
			must(t, err)
			w.deliver()
			mails := m.mails()
			if len(mails) != 1 {
				t.Fatalf("%+v", w.notes(ada))
			}
			body := mails[0].body
			msg, err := netmail.ReadMessage(strings.NewReader(body))
			must(t, err)
			var inner string
			switch c.want {
			case "openpgp":
				outside.Run(func() { inner = openPGP(t, msg, pgp) })
			case "smime":
				if got := msg.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/pkcs7-mime; smime-type=enveloped-data") {
					t.Errorf("%s", got)
				}
				der, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, msg.Body))
				must(t, err)
				p, err := pkcs7.Parse(der)
				must(t, err)
				var plain []byte
				outside.Run(func() { plain, err = p.Decrypt(cert, key) })
				must(t, err)
				inner = string(plain)
			default:
				return
			}
			if strings.Contains(body, "203.0.113") || strings.Contains(body, "Beacon") || strings.Contains(msg.Header.Get("Subject"), "Water") {
				t.Errorf("the encrypted mail tells in the open:\n%s", body)
			}
			if s := msg.Header.Get("Subject"); s != "["+strings.ToUpper(c.label)+"] "+n.ID {
				t.Errorf("subject %q", s)
			}
			part, err := netmail.ReadMessage(strings.NewReader(inner))
			must(t, err)
			text, err := io.ReadAll(quotedprintable.NewReader(part.Body))
			must(t, err)
			has(t, string(text), "203.0.113[.]9", "Beacon 1", strings.ToUpper(c.label))
			has(t, part.Header.Get("Subject"), "Security notice for Utopia Water")
		})
	}
}

// TestBadKeys refuses keys that cannot be encrypted to, and never sends in the open instead.
func TestBadKeys(t *testing.T) {
	key, _ := newPGP(t)
	cert, _, _ := newSMIME(t)
	now := time.Now()
	for name, err := range map[string]error{
		"nonsense":              errOf(sealPGP([]byte("x"), "nonsense", now)),
		"a cut key":             errOf(sealPGP([]byte("x"), key[:len(key)/2], now)),
		"a huge key":            errOf(sealPGP([]byte("x"), strings.Repeat("x", maxKey+1), now)),
		"a key before its time": errOf(sealPGP([]byte("x"), key, now.Add(-48*time.Hour))),
		"an expired key":        errOf(sealPGP([]byte("x"), key, now.Add(400*day))),
		"no certificate":        errOf(sealSMIME([]byte("x"), key, now)),
		"an expired one":        errOf(sealSMIME([]byte("x"), cert, now.Add(400*day))),
		"a cut certificate":     errOf(sealSMIME([]byte("x"), strings.Replace(cert, "MII", "MIX", 1), now)),
	} {
		if fault.Of(err) != fault.Unprocessable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errOf(composeMail(&Message{ID: "x", To: "a@b.example", PGP: "nonsense"}, &netmail.Address{Address: "c@d.example"}, label.Red, now)); err == nil {
		t.Error("a message with a broken key is composed")
	}
}

func newPGP(t testing.TB) (public string, e *openpgp.Entity) {
	t.Helper()
	outside.Run(func() { public, e = makePGP(t) })
	return public, e
}

func makePGP(t testing.TB) (public string, e *openpgp.Entity) {
	t.Helper()
	created := time.Now().Add(-time.Hour)
	e, err := openpgp.NewEntity("Water", "", "soc@water.example", &packet.Config{Time: func() time.Time { return created }, Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true, KeyLifetimeSecs: uint32(365 * day / time.Second)})
	must(t, err)
	var b bytes.Buffer
	a, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	must(t, err)
	must(t, e.Serialize(a))
	must(t, a.Close())
	return b.String(), e
}

// openPGP reads what a mail of RFC 3156 says.
func openPGP(t testing.TB, msg *netmail.Message, e *openpgp.Entity) string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	must(t, err)
	if kind != "multipart/encrypted" || params["protocol"] != "application/pgp-encrypted" {
		t.Fatalf("%s %v", kind, params)
	}
	r := multipart.NewReader(msg.Body, params["boundary"])
	control, err := r.NextPart()
	must(t, err)
	if b, _ := io.ReadAll(control); strings.TrimSpace(string(b)) != "Version: 1" || control.Header.Get("Content-Type") != "application/pgp-encrypted" {
		t.Errorf("the control part: %q", b)
	}
	data, err := r.NextPart()
	must(t, err)
	block, err := armor.Decode(data)
	must(t, err)
	md, err := openpgp.ReadMessage(block.Body, openpgp.EntityList{e}, nil, nil)
	must(t, err)
	plain, err := io.ReadAll(md.UnverifiedBody)
	must(t, err)
	return string(plain)
}

func newSMIME(t testing.TB) (string, *x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Water"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * day), KeyUsage: x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	c, err = x509.ParseCertificate(der)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), c, key
}

// receiver is a real receiver of webhooks, which looks at signatures.
type receiver struct {
	mu     sync.Mutex
	secret []byte
	status []int // one for each request; after the last, 204
	ids    []string
	got    []Data
	bad    int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(q.Body)
	at, sum, _ := strings.Cut(strings.TrimPrefix(q.Header.Get(SignatureHeader), "t="), ",v1=")
	var d Data
	if sum != Sign(r.secret, at, body) || json.Unmarshal(body, &d) != nil {
		r.bad++
	}
	r.ids = append(r.ids, q.Header.Get("Idempotency-Key"))
	if len(r.status) > 0 {
		s := r.status[0]
		r.status = r.status[1:]
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(s)
		return
	}
	r.got = append(r.got, d)
	w.WriteHeader(http.StatusNoContent)
}

func TestWebhook(t *testing.T) {
	for _, c := range []struct {
		name     string
		status   []int
		want     State
		attempts int
	}{
		{"taken", nil, Sent, 1},
		{"deferred, then taken", []int{503, 429, 408}, Sent, 4},
		{"refused", []int{400}, Failed, 1},
		{"gone", []int{410}, Failed, 1},
		{"led elsewhere", []int{302}, Failed, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			r := &receiver{secret: []byte("a secret of enough bytes"), status: c.status}
			s := httptest.NewServer(r)
			defer s.Close()
			must(t, os.WriteFile(filepath.Join(w.dir, "hook.secret"), []byte("a secret of enough bytes\n"), 0o600))
			ch, err := NewHook(WebhookConfig{Name: "water-hook", URL: s.URL + "/in?key=1", SecretFile: "hook.secret"}, Setting{Config: w.cfg, Base: w.dir, Agent: "entente/test", Now: w.clock})
			must(t, err)
			w.channels = []Channel{ch}
			w.open()
			one := water()
			one.Contacts[0].Email, one.Contacts[0].Webhook = "", "water-hook"
			w.serve(one)
			w.give(local, "tlp:amber", indicator(1, 0, address("203.0.113.9"), ""))
			w.catchUp()
			n := w.one(Draft)
			dry, err := w.d.Preview(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})
			must(t, err)
			if dry.Headers["Idempotency-Key"] != n.ID || dry.Encrypted != "tls" {
				t.Errorf("%+v", dry)
			}
			must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
			for range c.attempts {
				w.deliver()
				w.now = w.now.Add(10 * time.Minute)
			}
			got, err := w.d.Notification(context.Background(), ada, n.ID)
			must(t, err)
			if got.State != c.want || got.Attempts != c.attempts || r.bad != 0 {
				t.Fatalf("%d bad signatures, %+v", r.bad, got)
			}
			for _, id := range r.ids {
				if id != n.ID {
					t.Errorf("an attempt is named %s", id)
				}
			}
			if c.want == Sent {
				if len(r.got) != 1 || r.got[0].TLP != "TLP:AMBER" || len(r.got[0].Items) != 1 || r.got[0].Items[0].Matches[0].Value != "203.0.113.9" || !strings.HasPrefix(r.got[0].Text, "TLP:AMBER\n") {
					t.Errorf("%+v", r.got)
				}
			}
		})
	}
}

// TestWebhookLeadsNowhereElse refuses addresses that are not configured.
func TestWebhookLeadsNowhereElse(t *testing.T) {
	w := newWorld(t, "")
	one := water()
	one.Contacts[0].Email, one.Contacts[0].Webhook = "", "unknown"
	w.serve(one)
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	n := w.one(Draft)
	err := errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition}))
	wantKind(t, err, fault.Unprocessable)
	for url, ok := range map[string]bool{"https://hooks.example/x": true, "http://hooks.example/x": false, "http://127.0.0.1:9/": true, "https://user@hooks.example/": false, "ftp://hooks.example": false, "": false} {
		c := WebhookConfig{Name: "h", URL: url, SecretFile: "s"}
		if err := c.check(); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
	// A name that leads into the node's own network is not followed.
	must(t, os.WriteFile(filepath.Join(w.dir, "s"), []byte("a secret of enough bytes\n"), 0o600))
	ch, err := NewHook(WebhookConfig{Name: "h", URL: "https://10.0.0.1.nip.invalid/", SecretFile: "s"}, Setting{Config: w.cfg, Base: w.dir, Now: w.clock})
	must(t, err)
	if err := ch.Send(context.Background(), &Message{ID: "x", Data: &Data{}}); err == nil {
		t.Error("a name without an address was reached")
	}
}

// TestDutyHours keeps what is not urgent for the contact's hours.
func TestDutyHours(t *testing.T) {
	w := newWorld(t, "")
	w.now = time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC) // a Saturday
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	one := water()
	one.Contacts[0].Hours = hoursOf("Europe/Berlin", "08:00-17:00")
	w.serve(one)
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.give(local, "tlp:green", kev(2, "CVE-2026-0001", "Microsoft", "Windows", ""))
	w.catchUp()
	for _, n := range w.notes(ada, "draft") {
		has(t, n.Text, "UTC+01:00")
		must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	}
	w.deliver()
	if n := w.one(Sent); n.Severity != Critical || !n.Urgent {
		t.Errorf("%+v", n)
	}
	w.now = time.Date(2026, 11, 23, 6, 59, 0, 0, time.UTC)
	w.deliver()
	if len(m.mails()) != 1 {
		t.Error("it was sent before the hours began")
	}
	w.now = time.Date(2026, 11, 23, 7, 1, 0, 0, time.UTC)
	w.deliver()
	if len(m.mails()) != 2 {
		t.Error("it was not sent when the hours began")
	}
}

// TestNoChannelWaitsForAnother runs the desk as a node does, with a channel that does not come to an end.
func TestNoChannelWaitsForAnother(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	stuck := &stuckHook{entered: make(chan struct{}, 1)}
	w.channels = []Channel{stuck}
	w.mailBy(m, tlsStart)
	c := water()
	c.Contacts = append(c.Contacts, register.Contact{Name: "Hook", Webhook: "stuck"})
	w.serve(c)
	w.give(local, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	notes := w.notes(ada, "draft")
	slices.SortFunc(notes, func(a, b Notification) int { return strings.Compare(string(b.Route), string(a.Route)) }) // the one that is stuck first
	w.d.Start()
	defer w.d.Close()
	for i, n := range notes {
		must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
		if i == 0 {
			<-stuck.entered
		}
	}
	for end := time.Now().Add(2 * time.Minute); len(m.mails()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the mail waits for the webhook")
		}
	}
	if n, err := w.d.Notification(context.Background(), ada, notes[0].ID); err != nil || n.State != Approved {
		t.Errorf("%v %+v", err, n)
	}
	wantKind(t, errOf(w.d.Discard(context.Background(), ada, notes[0].ID, "too late")), fault.Conflict)
}

// stuckHook is a webhook whose Send ends with the node.
type stuckHook struct{ entered chan struct{} }

func (*stuckHook) Name() string                     { return "stuck" }
func (*stuckHook) Kind() Route                      { return Webhook }
func (*stuckHook) Reaches(string) bool              { return true }
func (*stuckHook) Compose(*Message) (Parcel, error) { return Parcel{}, nil }
func (*stuckHook) Check(ctx context.Context) error  { return nil }
func (s *stuckHook) Send(ctx context.Context, _ *Message) error {
	s.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// TestExerciseIsMarked marks what an exercise tells, so that nobody takes it for real.
func TestExerciseIsMarked(t *testing.T) {
	d := &Desk{o: Options{Realm: "exercise:Blue Sky", Now: time.Now}, index: register.NewIndex()}
	m := d.message(&notification{Notification: Notification{ID: "notice-1", TLP: "TLP:GREEN", Subject: "s", Text: "t"}})
	if m.Subject != "[TLP:GREEN] [EXERCISE: Blue Sky] s" || !strings.HasPrefix(m.Text, "TLP:GREEN\n\nEXERCISE: Blue Sky\n\nt\n") {
		t.Errorf("%q %q", m.Subject, m.Text)
	}
}

// SHA-256 is what the store and the signatures stand on: the OpenPGP module must not slow it down, before or after it was used.
func BenchmarkSHA256(b *testing.B) {
	block := make([]byte, 64<<10)
	run := func(b *testing.B) {
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			sha256.Sum256(block)
		}
	}
	b.Run("before", run)
	key, _ := newPGP(b)
	if _, err := sealPGP(block, key, time.Now()); err != nil {
		b.Fatal(err)
	}
	b.Run("after", run)
}
