package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/outside"
	"entente/sensor"
	"entente/sigma"
	"entente/stix"
)

// ruleSpace is the namespace of the ids of indicators that are Sigma rules (RFC 9562, version 5): the same rule is the same object wherever it is imported by the same organisation.
var ruleSpace = uuid.MustParse("9d1f7f0c-9c3f-5a5e-8a38-0d9a2b0f4c11")

const sigmaBytes = 32 << 20 // of one file

// ruleObject is a STIX indicator whose pattern is a Sigma rule (STIX 2.1, sections 4.7 and 10.10).
type ruleObject struct {
	Type        string     `json:"type"`
	Spec        string     `json:"spec_version"`
	ID          string     `json:"id"`
	Created     string     `json:"created"`
	Modified    string     `json:"modified"`
	Name        string     `json:"name,omitempty"`
	Description string     `json:"description,omitempty"`
	Types       []string   `json:"indicator_types"`
	PatternType string     `json:"pattern_type"`
	Pattern     string     `json:"pattern"`
	From        string     `json:"valid_from"`
	References  []external `json:"external_references,omitempty"`
}

type external struct {
	Source      string `json:"source_name"`
	Description string `json:"description,omitempty"`
	ID          string `json:"external_id,omitempty"`
	URL         string `json:"url,omitempty"`
}

// fillRules reads a file of Sigma rules into the spool: each is an indicator. Rules that others of the file name, correlations and filters, stay together in one.
func (a *API) fillRules(sp *spool, c *call) (sum Summary, losses []Loss, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, sigmaBytes))
	if err != nil {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return sum, nil, fault.New(fault.TooLarge, "import.size", "a file of Sigma rules has at most %d bytes", sigmaBytes)
		}
		return sum, nil, fault.New(fault.Invalid, "body.read", "the body could not be read to its end; nothing was imported").Because(err)
	}
	sum.Kind = "sigma"
	whole, problem := sigma.Parse("", raw)
	if whole == nil || len(whole.Rules)+len(whole.Correlations)+len(whole.Filters) == 0 {
		return sum, nil, fault.New(fault.Invalid, "import.sigma", "there is no Sigma rule in it; nothing was imported").Because(problem)
	}
	parts := [][]byte{raw}
	if len(whole.Correlations)+len(whole.Filters) == 0 {
		parts = documents(raw)
	}
	lose := func(id, code, where, message string) {
		if sum.Losses++; len(losses) < maxOutcomes {
			losses = append(losses, Loss{ID: id, Code: code, Pointer: where, Message: message})
		}
	}
	for _, p := range sigma.Check("", raw) {
		if p.Level == sigma.LevelError {
			lose(p.Rule, p.Code, fmt.Sprintf("line %d", p.Line), p.Message)
		}
	}
	for _, part := range parts {
		of, _ := sigma.Parse("", part) // what is wrong stands among what was lost
		if of == nil || len(of.Rules)+len(of.Correlations) == 0 {
			continue
		}
		var m *sigma.Meta
		if len(of.Correlations) > 0 {
			m = &of.Correlations[0].Meta
		} else {
			m = &of.Rules[0].Meta
		}
		if len(part) > sensor.MaxRule {
			sum.Refused++
			lose(m.ID, "sigma.size", "", fmt.Sprintf("the rule is longer than %d bytes", sensor.MaxRule))
			continue
		}
		object, err := a.rule(c, m, strings.TrimSpace(string(part))+"\n")
		if err != nil {
			return sum, nil, err
		}
		sum.Objects++
		if err := sp.add(kindObject, object); err != nil {
			return sum, nil, err
		}
	}
	return sum, losses, nil
}

// documents are the documents of a YAML stream (YAML 1.2, section 9.1).
func documents(raw []byte) (out [][]byte) {
	from := 0
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n') + 1
		if end == 0 {
			end = len(raw) - at
		}
		if line := raw[at : at+end]; bytes.HasPrefix(line, []byte("---")) && len(bytes.TrimSpace(line)) == 3 {
			out = append(out, raw[from:at])
			from = at + end
		}
		at += end
	}
	return append(out, raw[from:])
}

// rule is the indicator of a rule: the object that is here already where the rule is the same, else a new version of it.
func (a *API) rule(c *call, m *sigma.Meta, pattern string) ([]byte, error) {
	key := m.ID
	if key == "" {
		key = pattern
	}
	id := "indicator--" + uuid.UUID(outside.UUID5(ruleSpace, []byte(c.v.Nation+"/"+c.v.Org+"/"+key))).String()
	now := time.Now().UTC().Truncate(time.Millisecond)
	o := ruleObject{Type: "indicator", Spec: "2.1", ID: id, Name: m.Title, Description: m.Description, Types: []string{"malicious-activity"}, PatternType: "sigma", Pattern: pattern}
	created := ruleDate(m.Date, now)
	was, err := a.x.Get(c.ctx(), c.v, "", id, store.Versions{})
	switch {
	case err == nil:
		before, err := stix.Parse(was.Record.Body)
		if err == nil && before.Text("/pattern") == pattern && !before.Revoked() {
			return was.Record.Body, nil
		}
		if at, err := time.Parse(time.RFC3339Nano, was.Record.Version); err == nil && !now.After(at) {
			now = at.Add(time.Millisecond)
		}
		if err == nil {
			created = ruleDate(before.Created(), created)
		}
	case fault.Of(err) != fault.NotFound:
		return nil, err
	}
	const form = "2006-01-02T15:04:05.000Z"
	o.Created, o.Modified, o.From = created.Format(form), now.Format(form), created.Format(form)
	if m.ID != "" {
		o.References = append(o.References, external{Source: "sigma", ID: m.ID})
	}
	for _, link := range m.References {
		switch link = strings.TrimSpace(link); {
		case link == "":
		case stix.IsURI(link):
			o.References = append(o.References, external{Source: "sigma", URL: link})
		default: // a title, or a link with a remark after it
			o.References = append(o.References, external{Source: "sigma", Description: link})
		}
	}
	return json.Marshal(&o, json.Deterministic(true))
}

// ruleDate is a date of a rule, or of STIX; otherwise where it is none, or in the future.
func ruleDate(s string, otherwise time.Time) time.Time {
	for _, form := range []string{time.DateOnly, "2006/01/02", time.RFC3339Nano} {
		if t, err := time.Parse(form, s); err == nil && t.Before(otherwise) && t.Year() >= 1970 {
			return t.UTC()
		}
	}
	return otherwise
}
