package api

func (a *API) feeds(c *call) error {
	views, err := a.ops.Feeds().List(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(list(views, ""))
}

func (a *API) feed(c *call) error {
	v, err := a.ops.Feeds().Show(c.ctx(), c.path("name"))
	if err != nil {
		return err
	}
	return c.answer(v)
}

// runFeed answers when the run has ended. A source that fails is no failure of the request: the report says what was wrong.
func (a *API) runFeed(c *call) error {
	dry, err := c.q.flag("dry_run")
	if err != nil {
		return err
	}
	report, err := a.ops.Feeds().Ask(c.ctx(), c.v, c.path("name"), dry)
	if err != nil {
		return err
	}
	return c.answer(report)
}
