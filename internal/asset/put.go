package asset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/register"
	"entente/stix"
)

// Add takes a new constituent in. What the register itself sets is set here, whatever the draft says.
func (r *Register) Add(ctx context.Context, v gate.Viewer, draft *register.Constituent) (View, error) {
	r.write.Lock()
	defer r.write.Unlock()
	c := *draft
	c.ID, c.Created, c.Previous, c.Revoked = newID(), "", "", false
	if err := r.fresh(ctx, v, &c); err != nil {
		return View{}, err
	}
	return r.putOne(ctx, v, &c, nil)
}

// fresh refuses a name that a constituent has already: two entries of one constituent would be told twice.
func (r *Register) fresh(ctx context.Context, v gate.Viewer, c *register.Constituent) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	id := r.named(c.Name)
	if id == "" || id == c.ID {
		return nil
	}
	there, err := r.there(ctx, v, []string{id})
	if err != nil || there[id] == "" {
		return err
	}
	return fault.New(fault.Conflict, "constituent.name", "there is a constituent of that name: %s", id).At("/name").Try("change that one, or give this one another name")
}

// each calls fn with the current version of every constituent.
func (r *Register) each(ctx context.Context, v gate.Viewer, fn func(View)) error {
	q := store.Query{Types: []string{register.Type}}
	for {
		page, err := r.cfg.Door.Read(ctx, v, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if view, ok := r.view(&page.Items[i]); ok {
				fn(view)
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}

// Put makes another version of a constituent. expected is the version that it was made from; if another is there by now, it is a
// Conflict.
func (r *Register) Put(ctx context.Context, v gate.Viewer, id, expected string, draft *register.Constituent) (View, error) {
	r.write.Lock()
	defer r.write.Unlock()
	prior, err := r.current(ctx, v, id, expected)
	if err != nil {
		return View{}, err
	}
	c := *draft
	c.ID, c.Revoked = id, false
	if err := r.fresh(ctx, v, &c); err != nil {
		return View{}, err
	}
	if c.MarkingRefs == nil {
		c.MarkingRefs = prior.Constituent.MarkingRefs
	}
	return r.putOne(ctx, v, &c, &prior)
}

// Remove ends a constituent with a last, revoked version. Its earlier versions stay, for who has to know what was in force; to destroy
// them, purge the object.
func (r *Register) Remove(ctx context.Context, v gate.Viewer, id, expected string) error {
	r.write.Lock()
	defer r.write.Unlock()
	prior, err := r.current(ctx, v, id, expected)
	if err != nil {
		return err
	}
	c := *prior.Constituent
	c.Revoked = true
	_, err = r.putOne(ctx, v, &c, &prior)
	return err
}

func (r *Register) current(ctx context.Context, v gate.Viewer, id, expected string) (View, error) {
	prior, err := r.Get(ctx, v, id)
	switch {
	case err != nil:
		return prior, err
	case prior.Constituent.Revoked:
		return prior, missing()
	case expected != "" && expected != prior.Version:
		return prior, fault.New(fault.Conflict, "version.changed", "the constituent was changed since: version %s is there", prior.Version).At("If-Match").
			By("RFC 9110 section 13.1.1").Try("read it again, and make the change in what is there now")
	}
	return prior, nil
}

func (r *Register) putOne(ctx context.Context, v gate.Viewer, c *register.Constituent, prior *View) (View, error) {
	s, err := r.seal(c, prior)
	if err != nil {
		return View{}, err
	}
	outcomes, err := r.hand(ctx, v, []sealed{s})
	if err != nil {
		return View{}, err
	}
	if e := refusal(outcomes[0]); e != nil {
		return View{}, e
	}
	return View{Constituent: s.c, Version: s.c.Modified, Digest: digest(s.body), Verified: true, By: v.Org + "/" + v.Person, Assets: s.c.Assets()}, nil
}

// sealed is a version, ready to be handed in.
type sealed struct {
	c              *register.Constituent
	body, envelope []byte
}

// seal completes a version, checks it, and signs its exact bytes. It takes c over.
func (r *Register) seal(c *register.Constituent, prior *View) (sealed, error) {
	now := r.cfg.Now().UTC().Truncate(time.Millisecond)
	if prior != nil {
		if was, err := time.Parse(time.RFC3339Nano, prior.Version); err == nil && !now.After(was) {
			now = was.UTC().Truncate(time.Millisecond).Add(time.Millisecond)
		}
		c.Created, c.CreatedByRef, c.Previous = prior.Constituent.Created, prior.Constituent.CreatedByRef, prior.Digest
	}
	c.Type, c.SpecVersion = register.Type, "2.1"
	c.Modified = now.Format("2006-01-02T15:04:05.000Z")
	if prior == nil {
		c.Created = c.Modified
	}
	c.Extensions = map[string]register.Extension{register.DefinitionID: {Type: "new-sdo"}}
	if !slices.ContainsFunc(c.MarkingRefs, statesTLP) {
		c.MarkingRefs = append(slices.Clip(c.MarkingRefs), marking)
	}
	c.Normalise()
	if err := c.Check(); err != nil {
		return sealed{}, invalid(err)
	}
	if err := checkZones(c); err != nil {
		return sealed{}, err
	}
	body, err := c.Canonical()
	if err != nil {
		return sealed{}, invalid(err)
	}
	envelope, err := r.cfg.Signer.SignEnvelope(PayloadType, body)
	return sealed{c, body, envelope}, err
}

func statesTLP(id string) bool { _, ok := label.ByID(id); return ok }

// checkZones looks the time zones up: only here is a table of them at hand.
func checkZones(c *register.Constituent) error {
	for i, contact := range c.Contacts {
		if h := contact.Hours; h != nil && h.Zone != "" {
			if _, err := time.LoadLocation(h.Zone); err != nil {
				return fault.New(fault.Invalid, "constituent.hours", "there is no time zone %q", h.Zone).At(fmt.Sprintf("/contacts/%d/hours/zone", i)).Try("write one of the IANA database, as Europe/Berlin is")
			}
		}
	}
	return nil
}

// hand gives versions to the exchange, with the definition of their type, and takes what was stored into the index.
func (r *Register) hand(ctx context.Context, v gate.Viewer, list []sealed) ([]exchange.Outcome, error) {
	definition := register.Definition()
	s := exchange.Submission{Via: "register", Restrict: &r.label, Needs: gate.RegisterWrite}
	for _, raw := range definition {
		s.Objects, s.Envelopes = append(s.Objects, raw), append(s.Envelopes, nil)
	}
	for _, one := range list {
		s.Objects, s.Envelopes = append(s.Objects, one.body), append(s.Envelopes, one.envelope)
	}
	outcomes, err := r.cfg.Door.Accept(ctx, v, s)
	if err != nil {
		return nil, err
	}
	outcomes = outcomes[len(definition):]
	for i, o := range outcomes {
		if refusal(o) == nil {
			r.note(list[i].c)
		}
	}
	return outcomes, nil
}

// refusal is why a version did not become the current one; nil where it did.
func refusal(o exchange.Outcome) error {
	switch o.State {
	case exchange.Added, exchange.Present:
		return nil
	case exchange.Held:
		return fault.New(fault.Unprocessable, o.Code, "the constituent is in quarantine: %s", o.Message)
	}
	return fault.New(fault.Unprocessable, o.Code, "the constituent was not taken: %s", o.Message)
}

// invalid renders an error of the language.
func invalid(err error) error {
	var e *register.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := fault.Invalid
	if e.Code == "constituent.size" || e.Code == "constituent.many" {
		kind = fault.TooLarge
	}
	out := fault.New(kind, e.Code, "%s", e.Message).At(e.Pointer).By(e.Rule)
	if e.Offset > 0 {
		out.Message += fmt.Sprintf(" (byte %d)", e.Offset)
	}
	return out
}

// Read reads a draft as a person hands it in.
func Read(raw []byte) (*register.Constituent, error) {
	c, err := register.ParseDraft(raw)
	if err != nil {
		return nil, invalid(err)
	}
	return c, nil
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// matches tells whether a constituent has a text and a sector.
func matches(c *register.Constituent, text, sector string) bool {
	if sector != "" && !slices.Contains(c.Sectors, sector) {
		return false
	}
	if text == "" || strings.Contains(fold(c.Name), text) || strings.Contains(c.ID, text) {
		return true
	}
	for _, a := range c.Aliases {
		if strings.Contains(fold(a), text) {
			return true
		}
	}
	for _, d := range c.Domains {
		if strings.Contains(d.Name, text) {
			return true
		}
	}
	return false
}

// inOrder sorts versions, the oldest first.
func inOrder(list []View) []View {
	slices.SortFunc(list, func(a, b View) int { return strings.Compare(order(a.Version), order(b.Version)) })
	return list
}

func order(version string) string {
	o, err := stix.Order(version)
	if err != nil {
		return version
	}
	return o
}
