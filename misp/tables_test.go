package misp

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix"
	"entente/stix/pattern"
)

// row is one entry of a published mapping table: what MISP has, and the STIX it becomes.
type row struct {
	MISP json.RawMessage
	STIX json.RawMessage
}

func table(t *testing.T, name string) map[string]row {
	t.Helper()
	raw := load(t, filepath.Join(shareddata.Dir(t, "misp", "misp-stix", "documentation", "mapping"), name))
	var rows map[string]row
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// stixOf is every STIX object below a value of a table.
func stixOf(raw json.RawMessage) []map[string]any {
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return nil
	}
	var out []map[string]any
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if v["type"] != nil && v["id"] != nil {
				out = append(out, v)
				return
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(tree)
	return out
}

// compared is what a pattern compares, each as path and value.
func compared(t *testing.T, source string) []string {
	t.Helper()
	p, err := pattern.Parse(source)
	if err != nil {
		return []string{"unreadable"}
	}
	var out []string
	for _, c := range p.Equalities() {
		out = append(out, c.Type+":"+c.Path+"="+c.Value)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Where we depart from the tables, and why.
var departures = map[string]string{
	"attachment":          "the payload travels in the extension, not in the pattern",
	"malware-sample":      "the payload travels in the extension, not in the pattern",
	"regkey|value":        "the table escapes the value for another language",
	"email-reply-to":      "the key of a header field is its name",
	"email-x-mailer":      "the key of a header field is its name",
	"hostname|port":       "both values are those of one connection",
	"email-header":        "received_lines is a list",
	"sha512/224":          "the table takes it for SHA-224",
	"sha512/256":          "the table takes it for SHA-256",
	"filename|sha512/224": "the table takes it for SHA-224",
	"filename|sha512/256": "the table takes it for SHA-256",
}

func TestAttributesFollowTheTables(t *testing.T) {
	m := mappings()
	seen := 0
	for name, row := range table(t, "misp_attributes_to_stix21.json") {
		var a struct {
			Type, Value, Category string
		}
		if err := json.Unmarshal(row.MISP, &a); err != nil || a.Type == "" {
			t.Errorf("%s: the table has no attribute: %v", name, err)
			continue
		}
		seen++
		e := &Event{UUID: orgA, Info: "t", Date: "2020-10-25", Timestamp: "1603642920", Attributes: List[Attribute]{{UUID: orgB, Type: a.Type, Value: a.Value, ToIDs: True, Timestamp: "1603642920"}}}
		mine := "none"
		items, _ := ToSTIX(e, Options{})
		objects := parseItems(t, items)
		for _, o := range objects {
			if strings.HasSuffix(o.ID(), orgB) {
				mine = o.Type()
				if o.Type() == "indicator" {
					mine = "indicator " + o.Text("/pattern_type") + " " + strings.Join(compared(t, o.Text("/pattern")), " ")
				}
			}
		}
		theirs := ""
		for _, o := range stixOf(row.STIX) {
			switch typ := o["type"]; {
			case typ == "indicator":
				language := cmp.Or(textOf(o["pattern_type"]), "stix")
				theirs = "indicator " + language + " " + strings.Join(compared(t, textOf(o["pattern"])), " ")
			case theirs == "" && (typ == "vulnerability" || typ == "campaign"):
				theirs = textOf(typ)
			}
		}
		if m.languages[a.Type] != "" {
			theirs, _, _ = strings.Cut(theirs, "unreadable")
			mine, _, _ = strings.Cut(mine, "unreadable")
		}
		// a table of another age writes numbers in quotes
		if strings.ReplaceAll(mine, "'", "") != strings.ReplaceAll(theirs, "'", "") && departures[name] == "" {
			t.Errorf("%s:\n  %s\n  %s (table)", name, mine, theirs)
		}
	}
	if seen < 75 {
		t.Errorf("only %d rows", seen)
	}
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// Every object template of the tables becomes the type of object that they name, as an indicator or as what was observed.
func TestObjectsFollowTheTables(t *testing.T) {
	seen := 0
	for name, row := range table(t, "misp_objects_to_stix21.json") {
		var list []Object
		if row.MISP[0] != '[' {
			row.MISP = append(append([]byte{'['}, row.MISP...), ']')
		}
		events, err := Parse([]byte(`{"Event":{"uuid":"` + orgA + `","info":"t","date":"2020-10-25","timestamp":"1603642920","Object":` + string(row.MISP) + `}}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list = events[0].Objects
		seen++
		theirs := map[string]bool{}
		for _, o := range stixOf(row.STIX) {
			theirs[textOf(o["type"])] = true
		}
		for _, toIDs := range []bool{true, false} {
			for i := range list {
				for j := range list[i].Attributes {
					list[i].Attributes[j].ToIDs = FlagOf(toIDs)
				}
			}
			items, _ := ToSTIX(events[0], Options{})
			o := objectOf(parseItems(t, items), list[0].UUID)
			if o == nil || o.Type() == "x-misp-object" || !theirs[o.Type()] {
				got := "nothing"
				if o != nil {
					got = o.Type()
				}
				if why := objectDepartures[name]; why == "" || toIDs {
					t.Errorf("%s, to_ids %v: %s, where the table has %v", name, toIDs, got, theirs)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d rows", seen)
	}
}

// Templates of which nothing sound can be observed.
var objectDepartures = map[string]string{"artifact": "its payload travels in the extension, and an artifact is none without"}

func objectOf(objects []*stix.Object, uuid string) *stix.Object {
	for _, o := range objects {
		if kind, _ := ours(o); kind == kindObject && strings.HasSuffix(o.ID(), uuid) {
			return o
		}
	}
	return nil
}
