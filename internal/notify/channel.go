package notify

import (
	"context"
	"errors"
	"time"

	"entente/internal/fault"
	"entente/label"
)

// Channel is a way on which notifications leave the node. The node lists the channels that it has.
type Channel interface {
	// Name is the channel's name in the configuration.
	Name() string
	// Kind is the kind of address that it delivers to.
	Kind() Route
	// Reaches tells whether it delivers to an address.
	Reaches(address string) bool
	// Compose is exactly what Send would hand over, except for what encryption draws at random.
	Compose(m *Message) (Parcel, error)
	// Send hands a message over once. A failure that another attempt may mend is Unavailable or Throttled; every other one is final.
	Send(ctx context.Context, m *Message) error
	// Check tells whether the other side is there and takes what is needed to sign in; nothing is sent.
	Check(ctx context.Context) error
}

// Route is a kind of address.
type Route string

const (
	Email   Route = "email"
	Webhook Route = "webhook"
)

// Message is one notification on its way.
type Message struct {
	ID       string // stable: who gets a message twice knows it by this
	At       time.Time
	To       string // an e-mail address or a URL
	Name     string // whom it is for
	Subject  string
	Text     string
	Language string // BCP 47
	TLP      label.TLP
	Content  bool   // it says something of a record: TLP and the rule on encryption apply
	PGP      string // the recipient's armored OpenPGP key
	SMIME    string // the recipient's certificate, PEM
	Data     *Data  // for machines
}

// Parcel is what goes over a channel.
type Parcel struct {
	Encrypted string            `json:"encrypted,omitempty"` // "openpgp", "smime" or "tls"; empty: not
	Headers   map[string]string `json:"headers,omitempty"`   // of a webhook
	Body      string            `json:"body"`                // the message as it leaves
}

// Data is a notification for machines.
type Data struct {
	ID          string    `json:"id"`
	At          time.Time `json:"at"`
	From        string    `json:"from"` // NATION/organisation
	Realm       string    `json:"realm"`
	Constituent string    `json:"constituent"`
	TLP         string    `json:"tlp"`
	PAP         string    `json:"pap,omitempty"`
	Language    string    `json:"language"`
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
	Items       []Item    `json:"items"`
}

// Item is one thing that a notification tells.
type Item struct {
	Severity Severity `json:"severity"`
	Object   string   `json:"object"`
	Type     string   `json:"type"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Matches  []Match  `json:"matches"`
	Source   string   `json:"source,omitempty"`
}

// Temporary tells whether another attempt may mend a failure to send.
func Temporary(err error) bool {
	switch fault.Of(err) {
	case fault.Unavailable, fault.Throttled:
		return true
	}
	var f *fault.Error
	return !errors.As(err, &f)
}

func temporary(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Unavailable, "notify."+code, format, args...)
}

func final(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Unprocessable, "notify."+code, format, args...)
}

// sealed decides how the content of a message is protected: by encryption for its recipient where there is a key, and without one only where
// its label is at most openTo.
func (m *Message) sealed(openTo label.TLP) (how string, err error) {
	switch {
	case m.PGP != "":
		return "openpgp", nil
	case m.SMIME != "":
		return "smime", nil
	case m.Content && m.TLP < openTo:
		return "", final("unencrypted", "%s goes by e-mail only encrypted, and the contact has no OpenPGP key and no S/MIME certificate", m.TLP).
			By("notify.unencrypted").Try("enter a key for the contact, or tell it on another way")
	}
	return "", nil
}
