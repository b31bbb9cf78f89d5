package notify

import (
	"context"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
)

// TestFromIntelligenceToMail goes the whole way once: an object of the catalogue of exploited vulnerabilities, an alert, a draft, its release
// by a second person, a mail server.
func TestFromIntelligenceToMail(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	w.serve(water())
	w.give(local, "tlp:green", kev(1, "CVE-2026-0001", "Microsoft", "Windows", "2026-12-24"))
	w.catchUp()
	alerts := w.alerts(ada)
	if len(alerts) != 1 || alerts[0].Severity != Critical || alerts[0].Constituent != waterID || alerts[0].Title != "CVE-2026-0001" || len(alerts[0].Matches) != 1 {
		t.Fatalf("%+v", alerts)
	}
	n := w.one(Draft)
	has(t, n.Subject, "Utopia Water", "a product that you use")
	has(t, n.Text, "CVE-2026-0001", "known to be exploited", "2026-12-24", "Microsoft Windows", "Source: test")
	sent, err := w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})
	must(t, err)
	if sent.State != Approved {
		t.Fatalf("%+v", sent)
	}
	w.deliver()
	if got := w.one(Sent); got.Sender != "Utopia CERT/otto" || got.Attempts != 1 {
		t.Errorf("%+v", got)
	}
	mails := m.mails()
	if len(mails) != 1 || mails[0].to != "soc@water.example" || mails[0].from != "soc@utopia.example" {
		t.Fatalf("%+v", mails)
	}
	msg, text := readMail(t, mails[0].body)
	if s := msg.Header.Get("Subject"); !strings.HasPrefix(s, "[TLP:GREEN] Security notice for Utopia Water") {
		t.Errorf("subject %q", s)
	}
	if id := msg.Header.Get("Message-ID"); id != "<"+n.ID+"@utopia.example>" {
		t.Errorf("message id %q", id)
	}
	if !strings.HasPrefix(text, "TLP:GREEN\r\n") || !strings.HasSuffix(text, "TLP:GREEN\r\n") {
		t.Errorf("the text does not begin and end with its label:\n%s", text)
	}
	has(t, text, "soc@utopia.example, +99 1 234", "within your community")
	// What left is written down.
	held, err := w.x.Holders(context.Background(), auditor, alerts[0].Object)
	must(t, err)
	if len(held) != 1 || held[0].Party != "UTO/Utopia Water" || held[0].Clause != "tlp:green client" {
		t.Errorf("%+v", held)
	}
}

var auditor = local

// readMail reads a mail of one part.
func readMail(t testing.TB, body string) (*mail.Message, string) {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(body))
	must(t, err)
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	must(t, err)
	return msg, string(text)
}

var fromAddress = &mail.Address{Name: "Utopia CERT", Address: "soc@utopia.example"}

// readAnyMail reads a mail of one part in any of the two encodings.
func readAnyMail(t testing.TB, body string) (*mail.Message, string) {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(body))
	must(t, err)
	r := io.Reader(quotedprintable.NewReader(msg.Body))
	if msg.Header.Get("Content-Transfer-Encoding") == "base64" {
		r = base64.NewDecoder(base64.StdEncoding, msg.Body)
	}
	text, err := io.ReadAll(r)
	must(t, err)
	return msg, string(text)
}
