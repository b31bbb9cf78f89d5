package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/observable"
	"entente/outside"
)

// KEV is the catalogue of known exploited vulnerabilities in the JSON form of CISA.
type KEV struct{}

func (KEV) Kind() string { return "kev" }

func (KEV) Check(c *Config) error {
	if c.Gone == "expire" || c.Expire != "" {
		return bad("gone", "a vulnerability has no end: say keep or revoke, and no expire")
	}
	return nil
}

type catalogue struct {
	Version         *string `json:"catalogVersion"`
	Count           *int    `json:"count"`
	Vulnerabilities *[]struct {
		CVE         string   `json:"cveID"`
		Vendor      string   `json:"vendorProject"`
		Product     string   `json:"product"`
		Name        string   `json:"vulnerabilityName"`
		Added       string   `json:"dateAdded"`
		Description string   `json:"shortDescription"`
		Action      string   `json:"requiredAction"`
		Due         string   `json:"dueDate"`
		Ransomware  string   `json:"knownRansomwareCampaignUse"`
		Notes       string   `json:"notes"`
		CWEs        []string `json:"cwes"`
	} `json:"vulnerabilities"`
}

var (
	cveForm = regexp.MustCompile(`^CVE-\d{4}-\d{4,19}$`)
	urlForm = regexp.MustCompile(`https?://[^\s;,<>"]+`)
)

func (KEV) Pull(ctx context.Context, r *Run) error {
	d, err := r.Document(ctx)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	var k catalogue
	if err := json.NewDecoder(d).Decode(&k); err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "this is no JSON of a catalogue: %v; nothing of it was taken", err)
	}
	if k.Vulnerabilities == nil {
		return fault.New(fault.Unprocessable, "feed.format", "the catalogue has no list of vulnerabilities; nothing of it was taken").At("/vulnerabilities")
	}
	list := *k.Vulnerabilities
	if k.Count != nil && *k.Count != len(list) {
		return fault.New(fault.Unprocessable, "feed.truncated", "the catalogue says that it has %d entries, and has %d; nothing of it was taken", *k.Count, len(list)).At("/count")
	}
	if len(list) > r.c.Limits.Entries {
		return fault.New(fault.TooLarge, "feed.entries", "the catalogue has more than %d entries; nothing of it was taken", r.c.Limits.Entries)
	}
	extension := r.extension()
	var entries []Entry
	bad := 0
	for i := range list {
		v := &list[i]
		if !cveForm.MatchString(v.CVE) {
			bad++
			r.Drop("kev.cve", "the entry's cveID is no CVE number", v.CVE)
			continue
		}
		refs := []map[string]string{{"source_name": "cve", "external_id": v.CVE}, {"source_name": "cisa-kev", "description": "in the catalogue since " + v.Added}}
		for _, u := range urlForm.FindAllString(v.Notes, 50) {
			if u, ok := observable.URL(strings.TrimRight(u, ".)")); ok && !slices.ContainsFunc(refs, func(m map[string]string) bool { return m["url"] == u }) {
				refs = append(refs, map[string]string{"source_name": "reference", "url": u})
			}
		}
		extra := map[string]any{"extension_type": "property-extension"}
		for name, text := range map[string]string{"vendor_project": v.Vendor, "product": v.Product, "date_added": v.Added, "due_date": v.Due, "required_action": v.Action,
			"known_ransomware_campaign_use": v.Ransomware, "notes": v.Notes} {
			if text != "" {
				extra[name] = text
			}
		}
		if len(v.CWEs) > 0 {
			extra["cwes"] = v.CWEs
		}
		members, err := json.Marshal(struct {
			Name        string              `json:"name"`
			Description string              `json:"description,omitempty"`
			Confidence  int                 `json:"confidence,omitempty"`
			Refs        []map[string]string `json:"external_references"`
			Extensions  map[string]any      `json:"extensions"`
		}{v.CVE, strings.TrimPrefix(v.Name+": "+v.Description, ": "), r.c.Confidence, refs, map[string]any{extension: extra}})
		if err != nil {
			return err
		}
		body := append([]byte{','}, bytes.TrimSuffix(members[1:], []byte("}"))...)
		entries = append(entries, Entry{ID: r.Name("vulnerability", v.CVE), Details: &Details{Body: body}})
	}
	if bad > 10 && bad*100 > len(list)*r.c.Limits.Dropped {
		return fault.New(fault.Unprocessable, "feed.format", "%d of %d entries have no CVE number; nothing of the catalogue was taken", bad, len(list))
	}
	return r.Entries(ctx, "vulnerability", entries, r.definition, d)
}

// extension is the id of the extension in which a vulnerability carries what the catalogue says of it.
func (r *Run) extension() string {
	return "extension-definition--" + uuid.UUID(outside.UUID5(r.space, []byte("extension"))).String()
}

// definition is the definition of the extension. It has the versions of its author.
func (r *Run) definition(author string) []byte {
	b := head(nil, "extension-definition", r.extension(), author, r.state.Identity.Created, r.state.Identity.Modified)
	b = append(b, `,"name":"Known exploited vulnerabilities","description":`...)
	b = quote(b, "What the catalogue says of an entry: vendor_project, product, date_added, due_date, required_action, known_ransomware_campaign_use, notes and cwes.")
	b = append(b, `,"schema":"https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json","version":"1.0.0","extension_types":["property-extension"]`...)
	return r.tail(b)
}
