package api

import (
	"context"
	"net/url"

	"entente/internal/detect"
)

// Sensors lists the sensors of the node; with all, those too that were revoked.
func (c *Client) Sensors(ctx context.Context, all bool) ([]detect.SensorView, error) {
	q := url.Values{}
	if all {
		q.Set("all", "true")
	}
	l, err := ask[List[detect.SensorView]](ctx, c, get, "/sensors", q, nil)
	return l.Items, err
}

// AddSensor makes a code with which a sensor enrols.
func (c *Client) AddSensor(ctx context.Context, in AddSensor) (detect.NewCode, error) {
	return ask[detect.NewCode](ctx, c, post, "/sensors", nil, in)
}

// Sensor is one sensor by its id or name.
func (c *Client) Sensor(ctx context.Context, name string) (detect.SensorView, error) {
	return ask[detect.SensorView](ctx, c, get, "/sensors/"+seg(name), nil, nil)
}

// RevokeSensor ends a sensor for good.
func (c *Client) RevokeSensor(ctx context.Context, name string) error {
	_, err := ask[nothing](ctx, c, remove, "/sensors/"+seg(name), nil, nil)
	return err
}

// Detections calls f with every detection of a query, the newest first.
func (c *Client) Detections(ctx context.Context, q url.Values, f func(detect.Detection) error) error {
	return each(ctx, c, "/detections", q, f)
}

// DetectionDays says how much sensors met on each day of a query.
func (c *Client) DetectionDays(ctx context.Context, q url.Values) ([]detect.DayCount, error) {
	l, err := ask[List[detect.DayCount]](ctx, c, get, "/detections/days", q, nil)
	return l.Items, err
}

// DetectionTables says how much sensors look for.
func (c *Client) DetectionTables(ctx context.Context) ([]detect.Table, error) {
	l, err := ask[List[detect.Table]](ctx, c, get, "/detections/tables", nil, nil)
	return l.Items, err
}

// DetectionLeft calls f with everything of a query that sensors do not look for.
func (c *Client) DetectionLeft(ctx context.Context, q url.Values, f func(detect.LeftOut) error) error {
	return each(ctx, c, "/detections/left", q, f)
}

// Mutes lists the sources that sensors do not report.
func (c *Client) Mutes(ctx context.Context) ([]detect.Mute, error) {
	l, err := ask[List[detect.Mute]](ctx, c, get, "/detections/mutes", nil, nil)
	return l.Items, err
}

// Mute has sensors not report a source any more.
func (c *Client) Mute(ctx context.Context, in detect.PutMute) (detect.Opined, error) {
	return ask[detect.Opined](ctx, c, post, "/detections/mutes", nil, in)
}

// Unmute has sensors report a source again.
func (c *Client) Unmute(ctx context.Context, source string) error {
	_, err := ask[nothing](ctx, c, remove, "/detections/mutes/"+seg(source), nil, nil)
	return err
}
