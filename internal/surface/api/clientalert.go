package api

import (
	"context"
	"net/url"

	"entente/internal/notify"
)

// Alerts calls f with every alert of a query that the caller may see, newest first.
func (c *Client) Alerts(ctx context.Context, q url.Values, f func(notify.Alert) error) error {
	return each(ctx, c, "/alerts", q, f)
}

// Alert is one alert.
func (c *Client) Alert(ctx context.Context, id string) (notify.Alert, error) {
	return ask[notify.Alert](ctx, c, get, "/alerts/"+seg(id), nil, nil)
}

// ChangeAlert takes, closes or annotates an alert.
func (c *Client) ChangeAlert(ctx context.Context, id string, in notify.ChangeAlert) (notify.Alert, error) {
	return ask[notify.Alert](ctx, c, patch, "/alerts/"+seg(id), nil, in)
}

// Notifications calls f with every notification of a query that the caller may see, newest first.
func (c *Client) Notifications(ctx context.Context, q url.Values, f func(notify.Notification) error) error {
	return each(ctx, c, "/notifications", q, f)
}

// Notification is one notification.
func (c *Client) Notification(ctx context.Context, id string) (notify.Notification, error) {
	return ask[notify.Notification](ctx, c, get, "/notifications/"+seg(id), nil, nil)
}

// EditNotification writes into a draft.
func (c *Client) EditNotification(ctx context.Context, id string, in notify.EditNotification) (notify.Notification, error) {
	return ask[notify.Notification](ctx, c, put, "/notifications/"+seg(id), nil, in)
}

// SendNotification lets a notification go.
func (c *Client) SendNotification(ctx context.Context, id string, in notify.SendNotification) (notify.Notification, error) {
	return ask[notify.Notification](ctx, c, post, "/notifications/"+seg(id)+"/send", nil, in)
}

// PreviewNotification is exactly what would leave.
func (c *Client) PreviewNotification(ctx context.Context, id string, in notify.SendNotification) (notify.Parcel, error) {
	return ask[notify.Parcel](ctx, c, post, "/notifications/"+seg(id)+"/preview", nil, in)
}

// DiscardNotification ends a notification that has not left.
func (c *Client) DiscardNotification(ctx context.Context, id, reason string) (notify.Notification, error) {
	return ask[notify.Notification](ctx, c, post, "/notifications/"+seg(id)+"/discard", nil, notify.DiscardNotification{Reason: reason})
}

// Channels are the ways on which notifications leave. With check each is asked now whether it is there.
func (c *Client) Channels(ctx context.Context, check bool) ([]notify.ChannelView, error) {
	q := url.Values{}
	if check {
		q.Set("check", "true")
	}
	l, err := ask[List[notify.ChannelView]](ctx, c, get, "/channels", q, nil)
	return l.Items, err
}
