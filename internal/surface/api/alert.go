package api

import (
	"slices"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/notify"
)

// alertRoutes are alerts and notifications.
var alertRoutes = []Route{
	{get, "/alerts", "Alerts about constituents: those about objects that the caller may have.", gate.AlertRead, append([]Param{
		{Name: "state", Doc: "States, any of them.", Kind: Words, Enum: alertStates}, aboutConstituent, fromSeverity, bySeverity}, paging...), pages[notify.Alert](), (*API).alerts},
	{get, "/alerts/{id}", "One alert.", gate.AlertRead, nil, gives(notify.Alert{}), (*API).alert},
	{patch, "/alerts/{id}", "Take an alert, close it, give it to somebody, or add a note.", gate.AlertWrite, nil, gives(notify.Alert{}).of(notify.ChangeAlert{}), (*API).changeAlert},
	{get, "/notifications", "Notifications to constituents: those that tell of objects that the caller may have.", gate.AlertRead, append([]Param{
		{Name: "state", Doc: "States, any of them.", Kind: Words, Enum: noteStates}, aboutConstituent, fromSeverity, bySeverity}, paging...),
		pages[notify.Notification](), (*API).notifications},
	{get, "/notifications/{id}", "One notification.", gate.AlertRead, nil, gives(notify.Notification{}), (*API).notification},
	{put, "/notifications/{id}", "Write into a draft. Who did so last does not send it.", gate.AlertWrite, nil, gives(notify.Notification{}).of(notify.EditNotification{}, "subject", "text", "edition"), (*API).editNotification},
	{post, "/notifications/{id}/send", "Let a notification go. It is durable that it will be sent when the answer comes, and it is sent as soon as its channel and its contact's hours allow.", gate.NotifySend, nil,
		gives(notify.Notification{}).of(notify.SendNotification{}, "edition"), (*API).sendNotification},
	{post, "/notifications/{id}/preview", "Exactly what would leave, and whether it may. Nothing is sent.", gate.NotifySend, nil, gives(notify.Parcel{}).of(notify.SendNotification{}, "edition"), (*API).previewNotification},
	{post, "/notifications/{id}/discard", "End a notification that has not left.", gate.AlertRead, nil, gives(notify.Notification{}).of(notify.DiscardNotification{}, "reason"), (*API).discardNotification},
	{get, "/channels", "The ways on which notifications leave, and how they are: by the notifications that the caller may have, and by what a check found.", gate.AlertRead,
		[]Param{{Name: "check", Doc: "Ask each whether it is there, now.", Kind: Flag, Default: false}}, pages[notify.ChannelView](), (*API).channels},
}

var (
	alertStates      = []string{"new", "taken", "closed"}
	noteStates       = []string{"draft", "withheld", "approved", "sent", "failed", "discarded"}
	aboutConstituent = Param{Name: "constituent", Doc: "The id of a constituent."}
	fromSeverity     = Param{Name: "severity", Doc: "This severity and those above it.", Enum: []string{"low", "medium", "high", "critical"}}
	bySeverity       = Param{Name: "sort", Doc: "The newest first, or the most severe and of those the newest.", Enum: []string{"newest", "severity"}, Default: "newest"}
)

// filter reads what a list of alerts or notifications is asked for.
func (c *call) filter(states []string) (f notify.Filter, err error) {
	f.States, f.Constituent, f.Severity = c.q.words("state"), c.q.get("constituent"), notify.Severity(c.q.get("severity"))
	if f.Pressing, err = c.q.sort("newest", "severity"); err != nil {
		return f, err
	}
	for _, s := range f.States {
		if !slices.Contains(states, s) {
			return f, fault.New(fault.Invalid, "query.state", "there is no state %q here", clip(s)).At("state")
		}
	}
	if f.Severity != "" && f.Severity.Rank() == 0 {
		return f, fault.New(fault.Invalid, "query.severity", "%q is not low, medium, high or critical", clip(string(f.Severity))).At("severity")
	}
	return f, nil
}

// newest answers a page of a list, in the order that is asked for, that goes on behind its last item.
func newest[T any](a *API, c *call, states []string, read func(f notify.Filter, after string, limit int) ([]T, bool, error), place func(*T, *notify.Filter) string) error {
	f, err := c.filter(states)
	if err != nil {
		return err
	}
	return goOn(a, c, func(after string, limit int) ([]T, bool, error) { return read(f, after, limit) }, func(t *T) string { return place(t, &f) })
}

func (a *API) alerts(c *call) error {
	return newest(a, c, alertStates, func(f notify.Filter, after string, limit int) ([]notify.Alert, bool, error) {
		return a.ops.Desk().Alerts(c.ctx(), c.v, f, after, limit)
	}, (*notify.Alert).After)
}

func (a *API) notifications(c *call) error {
	return newest(a, c, noteStates, func(f notify.Filter, after string, limit int) ([]notify.Notification, bool, error) {
		return a.ops.Desk().Notifications(c.ctx(), c.v, f, after, limit)
	}, (*notify.Notification).After)
}

func (a *API) alert(c *call) error {
	out, err := a.ops.Desk().Alert(c.ctx(), c.v, c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) changeAlert(c *call) error {
	var in notify.ChangeAlert
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Desk().ChangeAlert(c.ctx(), c.v, c.path("id"), in)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) notification(c *call) error {
	out, err := a.ops.Desk().Notification(c.ctx(), c.v, c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) editNotification(c *call) error {
	var in notify.EditNotification
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Desk().Edit(c.ctx(), c.v, c.path("id"), in)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) sendNotification(c *call) error {
	var in notify.SendNotification
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Desk().Send(c.ctx(), c.v, c.path("id"), in)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) previewNotification(c *call) error {
	var in notify.SendNotification
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Desk().Preview(c.ctx(), c.v, c.path("id"), in)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) discardNotification(c *call) error {
	var in notify.DiscardNotification
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Desk().Discard(c.ctx(), c.v, c.path("id"), in.Reason)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) channels(c *call) error {
	check, err := c.q.flag("check")
	if err != nil {
		return err
	}
	out, err := a.ops.Desk().Channels(c.ctx(), c.v, check)
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}
