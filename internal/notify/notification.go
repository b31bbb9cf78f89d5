package notify

import (
	"time"

	"entente/internal/record"
	"entente/label"
)

// State is where a notification is on its way.
type State string

const (
	Draft     State = "draft"
	Withheld  State = "withheld" // nothing may be said; Reason says why
	Approved  State = "approved" // waits for its channel, or for the contact's duty hours
	Sent      State = "sent"
	Failed    State = "failed"
	Discarded State = "discarded"
)

// finished tells whether nothing happens to it any more by itself.
func (s State) finished() bool { return s == Sent || s == Failed || s == Discarded }

// Kind is what a notification is.
type Kind string

const (
	Single    Kind = "alert"     // of one alert
	Digest    Kind = "digest"    // of many
	Hint      Kind = "hint"      // asks the constituent to get in touch, and says nothing else
	Withdrawn Kind = "withdrawn" // takes an earlier one back
)

// Notification is one message to one contact of a constituent.
type Notification struct {
	ID          string    `json:"id"`
	Kind        Kind      `json:"kind"`
	State       State     `json:"state"`
	Reason      string    `json:"reason,omitempty"` // why it is withheld, failed, was discarded or has to be looked at again
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"`
	Constituent string    `json:"constituent"`
	Name        string    `json:"name"`    // of the constituent
	Contact     string    `json:"contact"` // name of the contact
	Route       Route     `json:"route"`
	Address     string    `json:"address"` // an e-mail address, or the name of a webhook
	Sealed      string    `json:"sealed,omitempty"`
	Language    string    `json:"language"`
	Direction   string    `json:"direction"` // of writing: "ltr" or "rtl"
	Severity    Severity  `json:"severity"`
	Urgent      bool      `json:"urgent"` // it does not wait for duty hours
	TLP         string    `json:"tlp"`
	PAP         string    `json:"pap,omitempty"`
	Subject     string    `json:"subject"`
	Text        string    `json:"text"`
	Handling    string    `json:"handling"` // stands below the text and is not edited
	Alerts      []string  `json:"alerts"`
	More        int       `json:"more,omitzero"` // findings beyond those that it lists
	Edition     int       `json:"edition"`       // grows with every change; a send names it
	Editor      string    `json:"editor,omitempty"`
	Sender      string    `json:"sender,omitempty"` // who approved it
	Channel     string    `json:"channel,omitempty"`
	Attempts    int       `json:"attempts,omitzero"`
	Next        time.Time `json:"next,omitzero"` // of the next attempt
	Error       string    `json:"error,omitempty"`
	Approved    time.Time `json:"approved,omitzero"`
	Sent        time.Time `json:"sent,omitzero"`
	History     []Step    `json:"history"`
}

// Step is one thing that happened to a notification.
type Step struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What string    `json:"what"`
}

// notification is what is kept of a Notification.
type notification struct {
	Notification
	Objects []string     `json:"objects"` // ids that it tells of: a purge of one takes the document with it
	Recs    []record.Seq `json:"recs"`
	Mark    mark         `json:"mark"`
	Items   []Item       `json:"items"`
	Level   label.TLP    `json:"level"`
	Of      string       `json:"of,omitempty"` // of a withdrawal: the notification that it takes back
	OfTime  time.Time    `json:"of_time,omitzero"`
	Hour    time.Time    `json:"hour"` // that it counts for
	Trouble trouble      `json:"trouble,omitzero"`
	version int64
	at      group // under which it is kept in memory
}

// Bounds of one notification.
const (
	maxSubject = 300
	maxText    = 64 << 10
	maxItems   = 50
	maxHistory = 200
)

func (n *notification) step(at time.Time, by, what string) {
	if len(n.History) < maxHistory {
		n.History = append(n.History, Step{at, by, what})
	}
	n.Changed = at
}

// open tells whether the node may still write into it: nobody else has, and nobody has let it go.
func (n *notification) open() bool {
	return (n.State == Draft || n.State == Withheld) && n.Editor == ""
}
