package notify

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"entente/label"
)

// maxMail bounds a composed message, encrypted and encoded.
const maxMail = 1 << 20

// composeMail writes a message as RFC 5322 has it, for its recipient alone where it has a key: OpenPGP/MIME (RFC 3156) or S/MIME (RFC 8551).
// The subject of an encrypted message stands inside it (RFC 9788); outside is its label and its id.
func composeMail(m *Message, from *mail.Address, openTo label.TLP, now time.Time) (Parcel, error) {
	how, err := m.sealed(openTo)
	if err != nil {
		return Parcel{}, err
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil || !plainAddress(to.Address) {
		return Parcel{}, final("address", "%q is no e-mail address that mail can be sent to", clip(m.To, 100))
	}
	var part bytes.Buffer
	content, encoding := "text/plain; charset=utf-8", "quoted-printable"
	body := encodeQuoted
	if !mostlyASCII(m.Text) {
		encoding, body = "base64", func(out *bytes.Buffer, text string) { encodeBase64(out, lines(text)) }
	}
	if how != "" {
		content += `; hp="cipher"`
	}
	fmt.Fprintf(&part, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\nContent-Language: %s\r\n", content, encoding, m.Language)
	subject := m.Subject
	if how != "" {
		fmt.Fprintf(&part, "Subject: %s\r\n", headerText(subject))
		if subject = m.ID; m.Content {
			subject = "[" + m.TLP.String() + "] " + m.ID
		}
	}
	part.WriteString("\r\n")
	body(&part, m.Text)

	var out bytes.Buffer
	fmt.Fprintf(&out, "Date: %s\r\nFrom: %s\r\nTo: %s\r\nMessage-ID: %s\r\nSubject: %s\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n",
		m.At.Format(time.RFC1123Z), mailbox(from.Name, from.Address), mailbox(m.Name, to.Address), messageID(m.ID, from), headerText(subject))
	switch how {
	case "openpgp":
		cipher, err := sealPGP(part.Bytes(), m.PGP, now)
		if err != nil {
			return Parcel{}, err
		}
		boundary := newBoundary()
		fmt.Fprintf(&out, "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"%s\"\r\n\r\n", boundary)
		fmt.Fprintf(&out, "--%s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--%[1]s\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n", boundary)
		out.Write(bytes.ReplaceAll(cipher, []byte("\n"), []byte("\r\n")))
		fmt.Fprintf(&out, "\r\n--%s--\r\n", boundary)
	case "smime":
		cipher, err := sealSMIME(part.Bytes(), m.SMIME, now)
		if err != nil {
			return Parcel{}, err
		}
		out.WriteString("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\r\nContent-Transfer-Encoding: base64\r\n" +
			"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n")
		encodeBase64(&out, string(cipher))
	default:
		out.Write(part.Bytes())
	}
	if out.Len() > maxMail {
		return Parcel{}, final("size", "the message has %d bytes, and %d are the most", out.Len(), maxMail).Try("shorten its text")
	}
	return Parcel{Encrypted: how, Body: out.String()}, nil
}

// mailbox is a name and an address as a header has them. A name that is not ASCII is one encoded word (RFC 2047), of which nothing is taken for syntax.
func mailbox(name, address string) string {
	name = plain(name, maxTitle)
	for i := range len(name) {
		if name[i] >= 0x80 {
			return headerText(name) + " <" + address + ">"
		}
	}
	return (&mail.Address{Name: name, Address: address}).String()
}

// messageID is the same for every attempt to send a notification.
func messageID(id string, from *mail.Address) string {
	_, domain, _ := strings.Cut(from.Address, "@")
	return "<" + id + "@" + domain + ">"
}

// plainAddress tells whether every mail server can take an address: ASCII, no spaces or brackets (RFC 5321 section 4.1.2).
func plainAddress(a string) bool {
	at := strings.LastIndexByte(a, '@')
	return at > 0 && at < len(a)-1 && len(a) <= 254 && !strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>(),;:\\\"", r) })
}

func newBoundary() string {
	b := make([]byte, 16)
	rand.Read(b)
	return "=_" + hex.EncodeToString(b)
}

// headerText is a text as a header has it: in ASCII, folded, without line breaks of its own.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	words := mime.BEncoding.Encode("utf-8", s)
	return strings.ReplaceAll(words, "?= =?", "?=\r\n =?")
}

func mostlyASCII(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] >= 0x80 {
			n++
		}
	}
	return n*6 < len(s)
}

func encodeQuoted(out *bytes.Buffer, text string) {
	w := quotedprintable.NewWriter(out)
	w.Write([]byte(lines(text))) // into memory: it cannot fail
	w.Close()
}

// lines ends every line as mail does.
func lines(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(strings.TrimRight(text, "\n")+"\n", "\n", "\r\n")
}

// encodeBase64 writes lines of 76 (RFC 2045 section 6.8).
func encodeBase64(out *bytes.Buffer, content string) {
	const width = 57
	for len(content) > 0 {
		n := min(width, len(content))
		out.WriteString(base64.StdEncoding.EncodeToString([]byte(content[:n])))
		out.WriteString("\r\n")
		content = content[n:]
	}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
