package mispapi

import (
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/misp"
)

// Rules refuse events as a whole, in both directions, besides what labels withhold: for what a community does not want to hold or hand on.
type Rules struct {
	Tags          []string            `toml:"refuse_tags"`          // of the event, an attribute or a report
	Distributions []string            `toml:"refuse_distributions"` // 0 to 4
	SharingGroups []string            `toml:"refuse_sharing_groups"`
	Types         []string            `toml:"refuse_attribute_types"`
	Categories    []string            `toml:"refuse_categories"`
	Objects       []string            `toml:"refuse_objects"`     // names of templates
	Require       []string            `toml:"require_taxonomies"` // an event needs a tag of each
	Allow         map[string][]string `toml:"allow_tags"`         // by taxonomy: the only tags that count for it
}

func (r *Rules) validate() error {
	for _, d := range r.Distributions {
		if len(d) != 1 || d[0] < '0' || d[0] > '4' {
			return fault.New(fault.Invalid, "config.value", "%q is no distribution from 0 to 4", d).At("misp.rules.refuse_distributions")
		}
	}
	for _, id := range r.SharingGroups {
		if misp.UUID(id) == "" {
			return fault.New(fault.Invalid, "config.value", "%q is no uuid of a sharing group", id).At("misp.rules.refuse_sharing_groups")
		}
	}
	return nil
}

func (r *Rules) empty() bool {
	return len(r.Tags)+len(r.Distributions)+len(r.SharingGroups)+len(r.Types)+len(r.Categories)+len(r.Objects)+len(r.Require) == 0
}

func ruled(format string, args ...any) error {
	return refusal("misp.rule", format, args...).By("misp.rules")
}

// head judges what an event says of itself.
func (r *Rules) head(e *misp.Event) error {
	for _, taxonomy := range r.Require {
		allowed := r.Allow[taxonomy]
		if !slices.ContainsFunc(e.Tags, func(t misp.Tag) bool {
			of, _, ok := strings.Cut(t.Name, ":")
			return ok && strings.EqualFold(of, taxonomy) && (len(allowed) == 0 || hasFold(allowed, t.Name) || hasFold(r.Tags, t.Name))
		}) {
			return ruled("event is missing required taxonomy: %s", taxonomy)
		}
	}
	if t := r.tag(e.Tags); t != "" {
		return ruled("event has blocked tag: %s", t)
	}
	if err := r.reach("event has blocked", e.Distribution, e.SharingGroup, e.SharingGroupID); err != nil {
		return err
	}
	if err := r.analyst(e.Unknown); err != nil {
		return err
	}
	return r.shadows(e.Shadows)
}

func (r *Rules) reach(what, distribution string, g *misp.SharingGroup, id string) error {
	if slices.Contains(r.Distributions, distribution) {
		return ruled("%s distribution level: %s", what, distribution)
	}
	if g != nil && slices.ContainsFunc(r.SharingGroups, func(s string) bool { return strings.EqualFold(s, g.UUID) }) {
		return ruled("%s sharing group uuid: %s", what, g.UUID)
	}
	return nil
}

func (r *Rules) tag(tags []misp.Tag) string {
	for i := range tags {
		if hasFold(r.Tags, tags[i].Name) {
			return tags[i].Name
		}
	}
	return ""
}

func (r *Rules) shadows(list []misp.ShadowAttribute) error {
	for i := range list {
		a := misp.Attribute{Type: list[i].Type, Category: list[i].Category, Unknown: list[i].Unknown}
		if err := r.attribute(&a); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) attribute(a *misp.Attribute) error {
	switch {
	case slices.Contains(r.Types, a.Type):
		return ruled("attribute with a blocked type: %s", a.Type)
	case slices.Contains(r.Categories, a.Category):
		return ruled("attribute with a blocked category: %s", a.Category)
	}
	if t := r.tag(a.Tags); t != "" {
		return ruled("attribute with a blocked tag: %s", t)
	}
	if err := r.reach("attribute with a blocked", a.Distribution, a.SharingGroup, a.SharingGroupID); err != nil {
		return err
	}
	if err := r.analyst(a.Unknown); err != nil {
		return err
	}
	return r.shadows(a.Shadows)
}

func (r *Rules) object(o *misp.Object) error {
	if slices.Contains(r.Objects, o.Name) {
		return ruled("object with a blocked type: %s", o.Name)
	}
	if err := r.reach("object with a blocked", o.Distribution, o.SharingGroup, o.SharingGroupID); err != nil {
		return err
	}
	if err := r.analyst(o.Unknown); err != nil {
		return err
	}
	for i := range o.Attributes {
		if err := r.attribute(&o.Attributes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) report(x *misp.EventReport) error {
	if t := r.tag(x.Tags); t != "" {
		return ruled("event report has blocked tag: %s", t)
	}
	if err := r.reach("event report has blocked", x.Distribution, x.SharingGroup, x.SharingGroupID); err != nil {
		return err
	}
	return r.analyst(x.Unknown)
}

func (r *Rules) cluster(k *misp.Cluster) error {
	return r.reach("galaxy cluster has blocked", k.Distribution, k.SharingGroup, k.SharingGroupID)
}

// analyst judges the notes, opinions and relationships that stand in an element.
func (r *Rules) analyst(unknown []byte) error {
	if len(unknown) == 0 || len(r.Distributions)+len(r.SharingGroups) == 0 {
		return nil
	}
	for _, d := range analystIn(unknown) {
		if err := r.reach("analyst data has blocked", d.Distribution, d.SharingGroup, ""); err != nil {
			return err
		}
	}
	return nil
}

// event judges a whole event.
func (r *Rules) event(e *misp.Event) error {
	if r.empty() {
		return nil
	}
	if err := r.head(e); err != nil {
		return err
	}
	for i := range e.Attributes {
		if err := r.attribute(&e.Attributes[i]); err != nil {
			return err
		}
	}
	for i := range e.Objects {
		if err := r.object(&e.Objects[i]); err != nil {
			return err
		}
	}
	for i := range e.Reports {
		if err := r.report(&e.Reports[i]); err != nil {
			return err
		}
	}
	return nil
}

func hasFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}
