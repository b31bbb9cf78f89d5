package api

import (
	"net/http"

	"entente/internal/detect"
	"entente/internal/gate"
	"entente/internal/identity"
)

// AddSensor asks for a code with which a sensor enrols.
type AddSensor struct {
	Name string `json:"name"`
	Org  string `json:"org,omitempty"`
}

// sensorRoutes are sensors, and what they met.
var sensorRoutes = []Route{
	{get, "/sensors", "Sensors and how they are, by name.", gate.SensorRead, []Param{{Name: "all", Doc: "Also those that were revoked.", Kind: Flag, Default: false}}, pages[detect.SensorView](), (*API).sensors},
	{post, "/sensors", "Make a code with which a sensor enrols, once and within the hour. It is told once.", gate.SensorManage, nil, makes(detect.NewCode{}).of(AddSensor{}, "name"), (*API).addSensor},
	{get, "/sensors/{id}", "One sensor, by its id or name, with all that it says of itself.", gate.SensorRead, nil, gives(detect.SensorView{}), (*API).sensor},
	{remove, "/sensors/{id}", "Revoke a sensor, at once and for good. What it reported stays.", gate.SensorManage, nil, ends(), (*API).removeSensor},
	{get, "/detections", "What sensors met, by source, sensor and day, the newest first: of the sources that the caller may have.", gate.SensorRead, append([]Param{
		{Name: "source", Doc: "The id of what was looked for."},
		{Name: "value", Doc: "The value that was looked for."},
		{Name: "sensor", Doc: "The id or name of a sensor."},
		{Name: "since", Doc: "Only what was reported at this time or later.", Kind: Time},
		{Name: "day", Doc: "Only what was met on this day (UTC).", Kind: Time},
	}, paging...), pages[detect.Detection](), (*API).detections},
	{get, "/detections/days", "How much sensors met on each day (UTC), the first first, days without any included: of the sources that the caller may have.", gate.SensorRead, []Param{
		{Name: "from", Doc: "The first day; without one there are 30. At most 366 are counted.", Kind: Time},
		{Name: "to", Doc: "The last day; without one today.", Kind: Time},
		{Name: "source", Doc: "The id of what was looked for."},
		{Name: "value", Doc: "The value that was looked for."},
		{Name: "sensor", Doc: "The id or name of a sensor."},
	}, pages[detect.DayCount](), (*API).detectionDays},
	{get, "/detections/tables", "How much the sensors of each organisation look for, and how much they do not.", gate.SensorRead, nil, pages[detect.Table](), (*API).detectionTables},
	{get, "/detections/left", "What sensors do not look for although an indicator has it, and why.", gate.SensorRead, append([]Param{
		{Name: "code", Doc: "Only what is left out for this reason."},
		{Name: "source", Doc: "The id of an indicator."},
	}, paging...), pages[detect.LeftOut](), (*API).detectionLeft},
	{get, "/detections/mutes", "Sources that sensors do not report, by id.", gate.SensorRead, nil, pages[detect.Mute](), (*API).mutes},
	{post, "/detections/mutes", "Have sensors not report a source any more. Of a false positive an opinion is made, which goes to whoever gave it by the accords.", gate.AlertWrite, nil,
		makes(detect.Opined{}).of(detect.PutMute{}, "source", "why"), (*API).mute},
	{remove, "/detections/mutes/{id}", "Have sensors report a source again.", gate.AlertWrite, nil, ends(), (*API).unmute},
}

func (a *API) sensors(c *call) error {
	all, err := c.q.flag("all")
	if err != nil {
		return err
	}
	out, err := a.ops.Detection().Sensors(c.ctx(), all)
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}

func (a *API) addSensor(c *call) error {
	var in AddSensor
	if err := c.body(&in); err != nil {
		return err
	}
	name, err := identity.AccountName(in.Name)
	if err != nil {
		return err
	}
	out, err := a.ops.Detection().Add(c.ctx(), actor(c.v), name, in.Org)
	if err != nil {
		return err
	}
	return c.answerStatus(http.StatusCreated, out)
}

func (a *API) sensor(c *call) error {
	out, err := a.ops.Detection().Sensor(c.ctx(), c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) removeSensor(c *call) error {
	if err := a.ops.Detection().Revoke(c.ctx(), actor(c.v), c.path("id")); err != nil {
		return err
	}
	return c.done()
}

// goOn answers a page of a list that goes on behind its last item.
func goOn[T any](a *API, c *call, read func(after string, limit int) ([]T, bool, error), place func(*T) string) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	after, err := a.afterKey(c)
	if err != nil {
		return err
	}
	items, more, err := read(after, limit)
	if err != nil {
		return err
	}
	next := ""
	if more {
		next = a.nextKey(c, place(&items[len(items)-1]))
	}
	return c.answer(list(items, next))
}

func (a *API) detections(c *call) error {
	f := detect.DetectionFilter{Source: c.q.get("source"), Value: c.q.get("value"), Sensor: c.q.get("sensor")}
	var err error
	if f.Since, err = c.q.time("since"); err != nil {
		return err
	}
	if f.Day, err = c.q.time("day"); err != nil {
		return err
	}
	return goOn(a, c, func(after string, limit int) ([]detect.Detection, bool, error) {
		return a.ops.Detection().Detections(c.ctx(), c.v, f, after, limit)
	}, (*detect.Detection).After)
}

func (a *API) detectionDays(c *call) error {
	from, err := c.q.time("from")
	if err != nil {
		return err
	}
	to, err := c.q.time("to")
	if err != nil {
		return err
	}
	out, err := a.ops.Detection().Days(c.ctx(), c.v, detect.DetectionFilter{Source: c.q.get("source"), Value: c.q.get("value"), Sensor: c.q.get("sensor")}, from, to)
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}

func (a *API) detectionTables(c *call) error {
	out, err := a.ops.Detection().Tables(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}

func (a *API) detectionLeft(c *call) error {
	return goOn(a, c, func(after string, limit int) ([]detect.LeftOut, bool, error) {
		return a.ops.Detection().Lefts(c.ctx(), c.v, c.q.get("code"), c.q.get("source"), after, limit)
	}, (*detect.LeftOut).After)
}

func (a *API) mutes(c *call) error {
	out, err := a.ops.Detection().Mutes(c.ctx(), c.v)
	if err != nil {
		return err
	}
	return c.answer(list(out, ""))
}

func (a *API) mute(c *call) error {
	var in detect.PutMute
	if err := c.body(&in); err != nil {
		return err
	}
	out, err := a.ops.Detection().Mute(c.ctx(), c.v, in)
	if err != nil {
		return err
	}
	return c.answerStatus(http.StatusCreated, out)
}

func (a *API) unmute(c *call) error {
	if err := a.ops.Detection().Unmute(c.ctx(), c.v, c.path("id")); err != nil {
		return err
	}
	return c.done()
}
