package api

import (
	"entente/internal/fault"
	"entente/internal/identity"
)

func (a *API) orgs(c *call) error { return c.answer(list(a.ids.Register().Orgs, "")) }

func (a *API) addOrg(c *call) error {
	var in identity.Org
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Nation == "" {
		in.Nation = a.us.Nation
	}
	o, err := a.ids.AddOrg(c.ctx(), actor(c.v), in)
	if err != nil {
		return err
	}
	return c.answerStatus(201, o)
}

func (a *API) changeOrg(c *call) error {
	var in identity.Org
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Name != "" && in.Name != c.path("name") {
		return fault.New(fault.Invalid, "org.rename", "an organisation keeps its name").At("name")
	}
	in.Name = c.path("name")
	o, err := a.ids.SetOrg(c.ctx(), actor(c.v), in)
	if err != nil {
		return err
	}
	return c.answer(o)
}

func (a *API) removeOrg(c *call) error {
	if err := a.ids.DeleteOrg(c.ctx(), actor(c.v), c.path("name")); err != nil {
		return err
	}
	return c.done()
}

func (a *API) communities(c *call) error { return c.answer(list(a.ids.Register().Communities, "")) }

func (a *API) putCommunity(c *call) error {
	var in identity.Community
	if err := c.body(&in); err != nil {
		return err
	}
	in.Name = c.path("name")
	out, err := a.ids.SetCommunity(c.ctx(), actor(c.v), in)
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (a *API) removeCommunity(c *call) error {
	if err := a.ids.DeleteCommunity(c.ctx(), actor(c.v), c.path("name")); err != nil {
		return err
	}
	return c.done()
}
