package api

import (
	"entente/internal/exchange"
	"entente/internal/gate"
)

// PutLabel asks to put an object under another label.
type PutLabel struct {
	Label   string `json:"label"`             // tlp:amber,pap:green, or a label in JSON as a text; with its TLP
	Version string `json:"version,omitempty"` // empty: every version
	Reason  string `json:"reason,omitempty"`  // for the journal
}

var labelRoutes = []Route{
	{post, "/objects/{id}/label", "Put an object of the caller's organisation under another label. Making it looser is for officers.", gate.ObjectWrite,
		[]Param{{Name: "dry_run", Doc: "Only say what would change.", Kind: Flag, Default: false}}, pages[exchange.Relabelled]().of(PutLabel{}, "label"), (*API).relabel},
}

func (a *API) relabel(c *call) error {
	dry, err := c.q.flag("dry_run")
	if err != nil {
		return err
	}
	var in PutLabel
	if err := c.body(&in); err != nil {
		return err
	}
	l, err := ParseLabel(in.Label, true)
	if err != nil {
		return at(err, "label")
	}
	if l == nil {
		_, err := ParseLabel("pap:clear", true) // says what is missing
		return at(err, "label")
	}
	done, err := a.x.Relabel(c.ctx(), c.v, exchange.Relabelling{ID: c.path("id"), Version: in.Version, Label: *l, Reason: in.Reason, DryRun: dry})
	if err != nil {
		return err
	}
	return c.answer(list(done, ""))
}
