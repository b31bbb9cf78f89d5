package notify

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// What people do with alerts and notifications. Every act is in the journal, by name and not by content.

// ChangeAlert is what a person changes of an alert. Members that are left out stay.
type ChangeAlert struct {
	State    AlertState `json:"state,omitempty"`
	Reason   string     `json:"reason,omitempty"` // why it is closed
	Assignee *string    `json:"assignee,omitempty"`
	Note     string     `json:"note,omitempty"`   // is added to the notes
	Edition  int        `json:"edition,omitzero"` // the one that was looked at; 0: any
}

// EditNotification is what a person writes into a draft.
type EditNotification struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Edition int    `json:"edition"` // the one that was looked at
}

// SendNotification lets a notification go.
type SendNotification struct {
	Edition int    `json:"edition"`           // the one that was looked at
	Channel string `json:"channel,omitempty"` // empty: the first that reaches the address
}

// DiscardNotification ends a notification.
type DiscardNotification struct {
	Reason string `json:"reason"`
}

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }

// ChangeAlert changes what is known of an alert's handling.
func (d *Desk) ChangeAlert(ctx context.Context, v gate.Viewer, id string, in ChangeAlert) (Alert, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.alertOf(ctx, v, id)
	if err != nil {
		return Alert{}, err
	}
	if in.Edition != 0 && in.Edition != a.Edition {
		return Alert{}, changedMeanwhile("alert")
	}
	now := d.now()
	for at, text := range map[string]*string{"reason": &in.Reason, "note": &in.Note, "assignee": in.Assignee} {
		if text != nil {
			if err := written(at, *text, maxNote, at == "note"); err != nil {
				return Alert{}, err
			}
		}
	}
	if in.Assignee != nil && len(*in.Assignee) > maxAssignee {
		return Alert{}, fault.New(fault.Invalid, "alert.assignee", "an assignee has at most %d bytes", maxAssignee).At("assignee")
	}
	switch in.State {
	case "":
		if in.Reason != "" {
			return Alert{}, fault.New(fault.Invalid, "alert.reason", "a reason goes with the state closed").At("reason")
		}
	case AlertNew:
		a.State, a.Reason, a.Assignee = AlertNew, "", ""
	case AlertTaken:
		a.State, a.Reason = AlertTaken, ""
		if in.Assignee == nil && a.Assignee == "" {
			a.Assignee = v.Person
		}
	case AlertClosed:
		if strings.TrimSpace(in.Reason) == "" {
			return Alert{}, fault.New(fault.Invalid, "alert.reason", "a closed alert says why it is closed").At("reason").Try("give a reason")
		}
		a.State, a.Reason = AlertClosed, in.Reason
	default:
		return Alert{}, fault.New(fault.Invalid, "alert.state", "%q is not new, taken or closed", clip(string(in.State), 40)).At("state")
	}
	if in.Assignee != nil {
		a.Assignee = *in.Assignee
	}
	if in.Note != "" {
		if len(a.Notes) >= maxNotes {
			return Alert{}, d.undo(ctx, fault.New(fault.Conflict, "alert.notes", "the alert has %d notes already", maxNotes).At("note"))
		}
		a.Notes = append(a.Notes, Note{now, actor(v), in.Note})
	}
	a.Changed = now
	a.Edition++
	d.dirtyAlert[a.ID] = true
	if err := d.commit(ctx, store.Act{Actor: actor(v), Verb: "alert.change", Target: a.ID, Detail: string(in.State)}); err != nil {
		return Alert{}, err
	}
	return d.alerts[id].view(), nil
}

// Edit writes into a draft. Who did so last does not send it.
func (d *Desk) Edit(ctx context.Context, v gate.Viewer, id string, in EditNotification) (Notification, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.noteOf(ctx, v, id)
	if err != nil {
		return Notification{}, err
	}
	switch {
	case n.State != Draft && n.State != Failed:
		return Notification{}, wrongState(n, "edited")
	case in.Edition != n.Edition:
		return Notification{}, changedMeanwhile("notification")
	case strings.TrimSpace(in.Subject) == "" || strings.TrimSpace(in.Text) == "":
		return Notification{}, fault.New(fault.Invalid, "notification.empty", "a notification has a subject and a text")
	}
	if err := written("subject", in.Subject, maxSubject, false); err != nil {
		return Notification{}, err
	}
	if err := written("text", in.Text, maxText, true); err != nil {
		return Notification{}, err
	}
	n.Subject, n.Text, n.Editor, n.State, n.Reason = in.Subject, in.Text, actor(v), Draft, ""
	n.Edition++
	n.step(d.now(), actor(v), "edited")
	return d.settle(ctx, v, n, "notification.edit", "")
}

// Discard ends a notification that has not left.
func (d *Desk) Discard(ctx context.Context, v gate.Viewer, id, reason string) (Notification, error) {
	if g := d.o.Door.Gate(); !g.Can(v, gate.AlertWrite) && !g.Can(v, gate.NotifySend) {
		return Notification{}, fault.New(fault.Forbidden, "role.missing", "your roles do not allow this").Try("ask the node's administrators for a role that does")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.noteOf(ctx, v, id)
	if err != nil {
		return Notification{}, err
	}
	if n.State == Sent || n.State == Discarded || d.sending[id] {
		return Notification{}, wrongState(n, "discarded")
	}
	if strings.TrimSpace(reason) == "" {
		return Notification{}, fault.New(fault.Invalid, "notification.reason", "a discarded notification says why").At("reason").Try("give a reason")
	}
	if err := written("reason", reason, maxNote, false); err != nil {
		return Notification{}, err
	}
	d.discard(n, actor(v), reason, d.now())
	return d.settle(ctx, v, n, "notification.discard", "")
}

// Preview is exactly what a send would hand over, and whether it may.
func (d *Desk) Preview(ctx context.Context, v gate.Viewer, id string, in SendNotification) (Parcel, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.noteOf(ctx, v, id)
	if err != nil {
		return Parcel{}, err
	}
	_, p, err := d.sendable(ctx, v, n, in)
	return p, err
}

// Send lets a notification go: it is durable that it is to be sent when this returns.
func (d *Desk) Send(ctx context.Context, v gate.Viewer, id string, in SendNotification) (Notification, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.noteOf(ctx, v, id)
	if err != nil {
		return Notification{}, err
	}
	ch, _, err := d.sendable(ctx, v, n, in)
	if err != nil {
		return Notification{}, err
	}
	now := d.now()
	n.State, n.Sender, n.Channel, n.Attempts, n.Next, n.Error, n.Reason, n.Approved = Approved, actor(v), ch.Name(), 0, now, "", "", now
	n.Edition++
	n.step(now, actor(v), "approved")
	out, err := d.settle(ctx, v, n, "notification.send", ch.Name())
	if err == nil {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return out, err
}

// sendable says whether a person may let a notification go as it is now, and what would leave.
func (d *Desk) sendable(ctx context.Context, v gate.Viewer, n *notification, in SendNotification) (Channel, Parcel, error) {
	switch {
	case n.State == Withheld:
		return nil, Parcel{}, fault.New(fault.Conflict, "notification.withheld", "nothing may be said to this constituent: %s", n.Reason).By("the label of the object")
	case n.State != Draft && n.State != Failed:
		return nil, Parcel{}, wrongState(n, "sent")
	case in.Edition != n.Edition:
		return nil, Parcel{}, changedMeanwhile("notification")
	case n.Editor == actor(v):
		return nil, Parcel{}, fault.New(fault.Forbidden, "notification.duties", "you wrote into this notification last, and who writes does not send").Try("ask somebody else to look at it and send it")
	}
	if _, err := d.cleared(ctx, n); err != nil {
		return nil, Parcel{}, err
	}
	ch, err := d.channel(n, in.Channel)
	if err != nil {
		return nil, Parcel{}, err
	}
	p, err := ch.Compose(d.message(n))
	return ch, p, err
}

// cleared finds the records that a notification tells of, when its constituent may still be told of all of them.
func (d *Desk) cleared(ctx context.Context, n *notification) ([]store.Item, error) {
	c := d.index.Get(n.Constituent)
	if c == nil {
		return nil, final("constituent", "the constituent is no longer in the register")
	}
	if n.Kind != Single && n.Kind != Digest {
		return nil, nil // it says nothing of a record
	}
	var items []store.Item
	for i, rec := range n.Recs {
		it, err := d.record(ctx, n.Objects[i], rec)
		if err != nil {
			return nil, err
		}
		if it == nil {
			return nil, final("object", "an object that it tells of is no more").Try("discard it; a new draft is made where one is due")
		}
		was := markOf(&it.Record)
		v, err := d.judge(ctx, c, it)
		if err != nil {
			return nil, err
		}
		if v.kind != Single || !was.equal(&n.Mark) {
			return nil, final("label", "the constituent may no longer be told of this: %s", clip(v.reason, 500)).Try("discard it; a new draft is made where one is due")
		}
		items = append(items, *it)
	}
	return items, nil
}

// channel is the one that a notification goes by.
func (d *Desk) channel(n *notification, name string) (Channel, error) {
	for _, ch := range d.o.Channels {
		if (name == "" || ch.Name() == name) && ch.Kind() == n.Route && ch.Reaches(n.Address) {
			return ch, nil
		}
	}
	return nil, final("channel", "no channel of this node reaches the address").Try("configure one in [notify], or tell it on another way and discard the draft; see docs/notifications.md")
}

// settle writes a notification and the act that changed it.
func (d *Desk) settle(ctx context.Context, v gate.Viewer, n *notification, verb, detail string) (Notification, error) {
	d.dirtyNote[n.ID] = true
	if err := d.commit(ctx, store.Act{Actor: actor(v), Verb: verb, Target: n.ID, Detail: detail}); err != nil {
		return Notification{}, err
	}
	return d.viewNote(d.notes[n.ID]), nil
}

func wrongState(n *notification, what string) *fault.Error {
	return fault.New(fault.Conflict, "notification.state", "the notification is %s and cannot be %s", n.State, what)
}

func changedMeanwhile(what string) *fault.Error {
	return fault.New(fault.Conflict, what+".changed", "the %s has been changed since you looked at it", what).At("edition").Try("look at it again")
}

// written refuses what is no text of a person: too long, not UTF-8, control characters, characters that turn the direction of writing.
func written(at, text string, limit int, several bool) error {
	bad := func(r rune) bool {
		return r < ' ' && !(several && (r == '\n' || r == '\t')) || r == 0x7f || r >= '\u202a' && r <= '\u202e'
	}
	switch {
	case len(text) > limit:
		return fault.New(fault.Invalid, "text.long", "at most %d bytes", limit).At(at)
	case !utf8.ValidString(text), slices.ContainsFunc([]rune(text), bad):
		return fault.New(fault.Invalid, "text.form", "the text has characters that do not belong into one").At(at)
	}
	return nil
}
