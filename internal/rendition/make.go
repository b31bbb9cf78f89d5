package rendition

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/label"
	"entente/stix"
)

// ID is the id of the reduced copy of an object for the audience of a key: type--UUID, its bits the first of HMAC-SHA-256(K_aud, id). STIX 2.1 knows
// the UUIDs of RFC 4122 only (2.9), so that it has the form of version 4: to whoever has not the key, the bits are random.
func ID(key []byte, id string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id))
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	x := hex.EncodeToString(u)
	typ, _, _ := strings.Cut(id, "--")
	return typ + "--" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// making is one rendition in the making.
type making struct {
	plan    *Plan
	object  *stix.Object
	root    *node
	removed []string
	hidden  []string // texts that were taken out by a marking or a strip
	changed bool
	why     Why
}

// Make is what the audience of a plan may have of an object. The error tells of a plan that cannot be followed or of bytes that are no STIX object;
// everything else is a result. The bytes given must not be changed afterwards.
func Make(body []byte, p Plan) (Result, error) {
	if len(p.Key) < MinKey {
		return Result{}, fmt.Errorf("the key of an audience has at least %d bytes, this has %d", MinKey, len(p.Key))
	}
	o, err := stix.Parse(body)
	if err != nil {
		return Result{}, err
	}
	if o.Spec() == "2.0" {
		return makeOld(o, body, p)
	}
	root, err := grow(body)
	if err != nil {
		return Result{}, err
	}
	m := &making{plan: &p, object: o, root: root}
	m.cut()
	if m.why.Code == "" {
		m.scan()
	}
	if m.why.Code != "" {
		return Result{Class: Withheld, Removed: m.removed, Why: m.why}, nil
	}
	if !m.changed {
		return Result{Class: Full, ID: o.ID(), Body: body}, nil
	}
	return m.reduce()
}

// makeOld is Make for an object of STIX 2.0, which goes as it is or not at all: a reduced copy would be a new object, and what is made here is STIX 2.1.
// It is judged as the object of STIX 2.1 that it would be with a spec_version: that has every property that STIX 2.0 had.
func makeOld(o *stix.Object, body []byte, p Plan) (Result, error) {
	spec := Why{Code: "rendition.spec", Pointer: "/spec_version", Sentence: "an object of STIX 2.0 goes as it is or not at all, and this could not go as it is: upgrade it to STIX 2.1 first"}
	at := bytes.IndexByte(body, '{') + 1
	as, err := stix.Parse(slices.Concat(body[:at], []byte(`"spec_version":"2.1",`), body[at:]))
	if err != nil { // it has a spec_version, and not one that there is
		return Result{Class: Withheld, Why: spec}, nil
	}
	r, err := Make(as.Raw(), p)
	switch {
	case err != nil || r.Class == Withheld:
		return r, err
	case r.Class == Reduced:
		return Result{Class: Withheld, Removed: r.Removed, Why: spec}, nil
	}
	return Result{Class: Full, ID: o.ID(), Body: body}, nil
}

// cut takes out what the plan does not let the audience have, and mends what is left.
func (m *making) cut() {
	switch seen := m.sees(m.object.ID()); {
	case m.isStripped(m.object.Type()):
		m.withhold("rendition.stripped", "/type", "objects of its type are taken out")
	case seen == Withheld:
		m.withhold("rendition.hidden", "/id", "the audience may not have the object")
	default:
		m.changed = seen == Reduced
		m.cutStripped()
		m.cutGranular()
		m.cutUnknown()
		m.cutInternal()
		m.cutReferences()
		m.anonymise()
		m.cutBroken()
		m.root.prune()
		m.reindex()
	}
}

func (m *making) withhold(code, pointer, sentence string) {
	if m.why.Code == "" {
		m.why = Why{Code: code, Pointer: pointer, Sentence: sentence}
	}
}

func (m *making) sees(id string) Class {
	if _, ok := label.ByID(id); ok {
		return Full // the markings of TLP are everybody's
	}
	if m.plan.Sees == nil || m.isStripped(typeOf(id)) {
		return Withheld
	}
	return m.plan.Sees(id)
}

func typeOf(id string) string {
	typ, _, _ := strings.Cut(id, "--")
	return typ
}

// remove takes a value out.
func (m *making) remove(v *node, pointer string) {
	if !v.gone {
		v.gone, m.changed = true, true
		m.removed = append(m.removed, pointer)
	}
}

// hide takes a value out that is hidden for what it says: none of its texts may stand anywhere else.
func (m *making) hide(v *node, pointer string) {
	v.walk("", "", func(n *node, _, _ string) {
		if n.kind == 's' && len(n.text) >= minHidden {
			m.hidden = append(m.hidden, n.text)
		}
	})
	m.remove(v, pointer)
}

// minHidden is the length from which a hidden text is looked for elsewhere: shorter ones are words of vocabularies.
const minHidden = 8

func (m *making) isStripped(typ string) bool { return slices.Contains(m.plan.Strip, typ) }

func (m *making) cutStripped() {
	typ := m.object.Type()
	pattern := m.root.string("pattern")
	for _, s := range m.plan.Strip {
		of, property, _ := strings.Cut(s, ".")
		if of == typ {
			if way, found := m.root.find(property); found {
				m.hide(way[len(way)-1], "/"+strings.ReplaceAll(property, ".", "/"))
			}
			continue
		}
		if typ == "indicator" && strings.Contains(pattern, of+":"+property) {
			m.withhold("rendition.stripped", "/pattern", "the pattern is about what is taken out")
		}
		// The objects of the old container refer to each other: where one is touched, all of them go.
		if container := m.root.get("objects"); container != nil {
			for _, item := range container.kids {
				if item.string("type") == of {
					m.hide(container, "/objects")
					break
				}
			}
		}
	}
}

// cutGranular takes out what granular markings cover that the audience may not have.
func (m *making) cutGranular() {
	if m.tooManySelectors() {
		m.withhold("rendition.selector", "/granular_markings", "more selectors than can be followed in an object of this size")
		return
	}
	for i, g := range m.root.items("granular_markings") {
		ref := g.string("marking_ref")
		if ref == "" || m.sees(ref) != Withheld && m.plan.May != nil && m.plan.May(ref) {
			continue
		}
		m.remove(g, fmt.Sprintf("/granular_markings/%d", i))
		for _, s := range g.items("selectors") {
			way, found := m.root.find(s.text)
			if !found {
				m.withhold("rendition.selector", fmt.Sprintf("/granular_markings/%d", i), "a marking that the audience may not have chooses nothing that is there, so that what it hides is not known")
				return
			}
			m.hide(way[len(way)-1], "/"+strings.NewReplacer(".", "/", "[", "", "]", "").Replace(s.text))
		}
	}
}

// maxSteps bounds the work on one object: selectors are followed through its values, and hidden words looked for in its texts.
const maxSteps = 1 << 26

func (m *making) tooManySelectors() bool {
	values, selectors := 0, 0
	for _, g := range m.root.items("granular_markings") {
		selectors += len(g.items("selectors"))
	}
	if selectors > 0 {
		m.root.walk("", "", func(*node, string, string) { values++ })
	}
	return selectors*values > maxSteps
}

// cutUnknown takes out the extensions and properties that neither the standard nor the plan knows.
func (m *making) cutUnknown() {
	if extensions := m.root.get("extensions"); extensions != nil {
		for i, name := range extensions.keys {
			if !strings.HasSuffix(name, "-ext") && !m.mayLeave(name) || strings.HasPrefix(name, "x-") && !m.mayLeave(name) {
				m.remove(extensions.kids[i], "/extensions/"+escape(name))
			}
		}
	}
	findings := stix.Validate(m.object, stix.Options{KnownProperties: true, Only: []string{"property.unknown", "property.reserved", "property.forbidden"}})
	for _, f := range findings {
		switch f.Code {
		case "property.unknown", "property.reserved", "property.forbidden":
			if name := unescape(f.Pointer[strings.LastIndexByte(f.Pointer, '/')+1:]); m.mayLeave(name) || strings.HasPrefix(f.Pointer, "/extensions/") {
				continue
			}
			pointer := f.Pointer
			if strings.HasPrefix(pointer, "/objects/") && strings.Count(pointer, "/") == 2 { // a whole object of the old container: the others may refer to it
				pointer = "/objects"
			}
			if v := m.root.at(pointer); v != nil {
				m.remove(v, pointer)
			}
		}
	}
	if len(findings) >= manyFindings {
		m.withhold("rendition.invalid", "", "more is wrong with the object than can be told")
	}
}

// manyFindings is less than what the checks of STIX stop at: beyond it something may not have been found.
const manyFindings = 900

func (m *making) mayLeave(name string) bool {
	return slices.ContainsFunc(m.plan.Extensions, func(e string) bool {
		if prefix, any := strings.CutSuffix(e, "*"); any {
			return strings.HasPrefix(name, prefix)
		}
		return e == name
	})
}

// cutBroken takes out whole the items of lists that lost what they cannot be without: nobody need lose the object for that.
func (m *making) cutBroken() {
	for i, r := range m.root.items("external_references") {
		if r.isHurt() && (r.get("source_name") == nil || r.get("description") == nil && r.get("url") == nil && r.get("external_id") == nil) {
			m.remove(r, fmt.Sprintf("/external_references/%d", i))
		}
	}
	for i, r := range m.root.items("kill_chain_phases") {
		if r.isHurt() && (r.get("kill_chain_name") == nil || r.get("phase_name") == nil) {
			m.remove(r, fmt.Sprintf("/kill_chain_phases/%d", i))
		}
	}
}

func (m *making) cutInternal() {
	for i, r := range m.root.items("external_references") {
		source := r.string("source_name")
		if slices.ContainsFunc(m.plan.Internal, func(s string) bool { return strings.EqualFold(s, source) }) {
			m.hide(r, fmt.Sprintf("/external_references/%d", i))
		}
	}
}

// cutReferences takes out what leads to objects that the audience has not, and leads to the copies where it has those.
func (m *making) cutReferences() {
	anonymous := len(m.plan.Anonymise) > 0
	m.root.walk("", "", func(v *node, name, pointer string) {
		if v.kind != 's' || !isRef(name) || !isID(v.text) {
			return
		}
		author := pointer == "/created_by_ref"
		switch seen := m.sees(v.text); {
		case seen == Withheld, author && !m.plan.Author, anonymous && !author && typeOf(v.text) == "identity":
			m.remove(v, pointer)
		case seen == Reduced:
			v.set(ID(m.plan.Key, v.text))
			m.changed = true
		}
	})
}

// anonymise rounds the times by which somebody who knows of an event would know whose it was.
func (m *making) anonymise() {
	if len(m.plan.Anonymise) == 0 {
		return
	}
	if m.object.Type() == "identity" {
		m.withhold("rendition.anonymous", "/type", "identities are taken out")
	}
	for _, name := range []string{"created", "first_seen", "last_seen", "first_observed", "last_observed"} {
		v := m.root.get(name)
		if v == nil {
			continue
		}
		t, err := time.Parse(time.RFC3339, v.text)
		if err != nil {
			m.withhold("rendition.invalid", "/"+name, "this is not a time")
			continue
		}
		if hour := t.Truncate(time.Hour); !hour.Equal(t) {
			v.set(hour.Format("2006-01-02T15:04:05.000Z"))
			m.changed = true
		}
	}
}

// reindex mends the granular markings that are left: they choose what they chose before, wherever it stands now.
func (m *making) reindex() {
	if !m.changed {
		return
	}
	for _, g := range m.root.items("granular_markings") {
		if g.gone {
			continue
		}
		for _, s := range g.items("selectors") {
			if now, ok := m.root.selector(s.text); !ok {
				s.gone = true
			} else if now != s.text {
				s.set(now)
			}
		}
		selectors := g.get("selectors")
		g.gone = selectors == nil || !selectors.prune()
	}
	if all := m.root.get("granular_markings"); all != nil {
		all.prune()
	}
}

// reduce writes the copy, and withholds it where it is no STIX any more.
func (m *making) reduce() (Result, error) {
	r := Result{Class: Reduced, ID: ID(m.plan.Key, m.object.ID()), Removed: m.removed}
	id := m.root.get("id")
	if id == nil || m.root.get("type") == nil {
		return Result{Class: Withheld, Removed: m.removed, Why: Why{Code: "rendition.required", Sentence: "no object is without an id and a type"}}, nil
	}
	id.set(r.ID)
	m.root.walk("", "", func(v *node, name, _ string) {
		if v.kind == 's' && isRef(name) && v.text == m.object.ID() {
			v.set(r.ID)
		}
	})
	r.Body = m.root.append(make([]byte, 0, len(m.object.Raw())))
	o, err := stix.Parse(r.Body)
	if err != nil {
		return Result{}, fmt.Errorf("a rendition cannot be read: %w", err)
	}
	for _, f := range stix.Validate(o, stix.Options{Only: []string{"property.required"}}) {
		if f.Level == stix.LevelError {
			return Result{Class: Withheld, Removed: m.removed, Why: whyInvalid(o.Type(), f)}, nil
		}
	}
	if body, same := m.asBefore(); same {
		r.Body, r.Same = body, true
	}
	return r, nil
}

func whyInvalid(typ string, f stix.Finding) Why {
	w := Why{Code: "rendition.invalid", Pointer: f.Pointer, Sentence: "what is left is no valid STIX: " + f.Message}
	if f.Code == "property.required" {
		w.Code = "rendition.required"
		switch typ {
		case "relationship", "sighting":
			w.Code = "rendition.end"
		case "report", "grouping", "observed-data", "note", "opinion":
			w.Code = "rendition.empty"
		}
	}
	return w
}

// asBefore tells whether the audience has the same already, but for the time of the change that it does not see.
func (m *making) asBefore() ([]byte, bool) {
	if m.plan.Previous == nil {
		return nil, false
	}
	previous := m.plan.Previous(m.object.ID())
	before, err := stix.Parse(previous)
	modified := m.root.get("modified")
	if err != nil || modified == nil || before.Modified() == "" {
		return nil, false
	}
	now := *modified
	modified.set(before.Modified())
	again, err := stix.Parse(m.root.append(nil))
	*modified = now
	if err != nil || again.Digest() != before.Digest() {
		return nil, false
	}
	return previous, true
}
