package api

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/internal/accords"
	"entente/internal/asset"
	"entente/internal/blob"
	"entente/internal/decisions"
	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/feed"
	"entente/internal/index"
	"entente/internal/lists"
	"entente/label"
	"entente/peer"
	"entente/register"
)

// schema is a JSON object of the document.
type schema = map[string]any

// schemas makes JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of Go types by their json tags. Structs become components.
type schemas struct {
	made  schema
	names map[component]string
}

// component is a Go type as it is given, or as it is taken with certain members required.
type component struct {
	t     reflect.Type
	taken string
}

func newSchemas() *schemas { return &schemas{made: schema{}, names: map[component]string{}} }

// alarmKind stands for the kind of an alarm, whoever raises it.
type alarmKind string

// Types whose words are known.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[exchange.Policy](): {string(exchange.Reject), string(exchange.Quarantine), string(exchange.Flag)},
	reflect.TypeFor[accord.Severity](): accord.Severities,
	reflect.TypeFor[accord.Way]():      accord.Ways,
	reflect.TypeFor[accord.Verb]():     {string(accord.Suspend), string(accord.Resume), string(accord.Terminate), string(accord.Withdraw), string(accord.Decline)},
	reflect.TypeFor[accords.Phase](): {string(accords.Draft), string(accords.Proposed), string(accords.Signed), string(accords.Active), string(accords.Suspended), string(accords.Superseded),
		string(accords.Ended)},
	reflect.TypeFor[decisions.State](): {string(decisions.Seeking), string(decisions.Open), string(decisions.Counting), string(decisions.Decided), string(decisions.Started), string(decisions.Executed),
		string(decisions.Refused), string(decisions.Rejected), string(decisions.Expired), string(decisions.Replaced), string(decisions.Unusable)},
	reflect.TypeFor[decision.Choice](): {string(decision.Consent), string(decision.Veto), string(decision.Abstain), string(decision.Reservation)},
	reflect.TypeFor[decision.Did]():    {string(decision.Executed), string(decision.Refused), string(decision.Aborted)},
	reflect.TypeFor[alarmKind]():       append(slices.Clone(federation.AlarmKinds), detect.AlarmSilent),
	reflect.TypeFor[feed.Result]():     {string(feed.Done), string(feed.Unchanged), string(feed.Failed)},
	reflect.TypeFor[exchange.State]():  {string(exchange.Added), string(exchange.Present), string(exchange.Held), string(exchange.Refused), string(exchange.Different)},
}

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[peer.Digest]():
		return schema{"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
	case t == reflect.TypeFor[json.RawMessage]():
		return schema{"type": "object"}
	case t == reflect.TypeFor[label.Label]():
		return s.ref(component{t: t}, "Label", labelSchema)
	case enums[t] != nil:
		return schema{"type": "string", "enum": enums[t]}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return schema{"type": "integer"}
	case reflect.Int64, reflect.Uint, reflect.Uint64:
		return schema{"type": "integer", "format": "int64"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "contentEncoding": "base64"}
		}
		return schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		out := schema{"type": "object"}
		if t.Elem().Kind() != reflect.Interface {
			out["additionalProperties"] = s.of(t.Elem())
		}
		return out
	case reflect.Struct:
		return s.ref(component{t: t}, typeName(t), func() schema {
			properties, required := schema{}, []string{}
			s.members(t, properties, &required)
			if next, ok := properties["next"].(schema); ok && strings.HasPrefix(t.Name(), "List[") { // of a page
				next["description"] = "Where the next page starts, for this caller and this query only; without it this was the last page."
			}
			return closed(t, properties, required)
		})
	}
	return schema{}
}

// taken is the schema of a body: members that are not named, it must not have. A type that is also given has another name here.
func (s *schemas) taken(t reflect.Type, method string, required []string) schema {
	name := typeName(t)
	if t.PkgPath() != reflect.TypeFor[Route]().PkgPath() {
		name = map[string]string{post: "Add", put: "Put", patch: "Change"}[method] + name
	}
	return s.ref(component{t, strings.Join(append([]string{name}, required...), " ")}, name, func() schema {
		properties := schema{}
		s.members(t, properties, new([]string))
		out := closed(t, properties, required)
		out["additionalProperties"] = false
		return out
	})
}

func closed(t reflect.Type, properties schema, required []string) schema {
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if doc := words[typeName(t)]; doc != "" {
		out["description"] = doc
	}
	return out
}

// ref makes a component once and refers to it.
func (s *schemas) ref(c component, name string, build func() schema) schema {
	if s.names[c] == "" {
		if s.made[name] != nil { // another type of this name
			name = title(path.Base(c.t.PkgPath())) + name
		}
		s.names[c] = name
		s.made[name] = schema{} // a type may name itself
		s.made[name] = build()
	}
	return schema{"$ref": "#/components/schemas/" + s.names[c]}
}

// members are the fields of a struct as encoding/json writes them, those of embedded structs among them.
func (s *schemas) members(t reflect.Type, properties schema, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !tagged:
			s.members(f.Type, properties, required)
			continue
		case !f.IsExported() || tag == "-":
			continue
		case name == "":
			name = f.Name
		}
		key := typeName(t) + "." + name
		p := s.of(f.Type)
		if is, ok := stands[key]; ok {
			p = s.of(is)
		}
		if doc := words[key]; doc != "" {
			p["description"] = doc
		}
		if slices.Contains(readOnly, key) {
			p["readOnly"] = true
		}
		properties[name] = p
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}

// renamed are types, by package and name, whose own name says too little beside all others.
var renamed = map[string]string{
	qualified[feed.View]():    "Feed",
	qualified[feed.Report]():  "FeedRun",
	qualified[feed.Counts]():  "FeedCounts",
	qualified[feed.Problem](): "FeedProblem",
	qualified[feed.Failure](): "FeedFailure",
	qualified[blob.Holding](): "BlobHolding",

	qualified[asset.View]():           "KeptConstituent",
	qualified[asset.Match]():          "ConstituentMatch",
	qualified[asset.Verification]():   "RegisterVerification",
	qualified[asset.Problem]():        "RegisterProblem",
	qualified[asset.Review]():         "RegisterReview",
	qualified[asset.ReviewItem]():     "RegisterReviewItem",
	qualified[asset.ReviewRefusal]():  "RegisterRefusal",
	qualified[register.Source]():      "ConstituentSource",
	qualified[register.Extension]():   "ConstituentExtension",
	qualified[register.Contact]():     "ConstituentContact",
	qualified[register.Hours]():       "DutyHours",
	qualified[register.Network]():     "ConstituentNetwork",
	qualified[register.Domain]():      "ConstituentDomain",
	qualified[register.Certificate](): "ConstituentCertificate",
	qualified[register.Software]():    "ConstituentSoftware",
	qualified[index.State]():          "IndexState",

	qualified[lists.Summary](): "Lists",
	qualified[lists.List]():    "WarningList",
	qualified[lists.Fault]():   "ListFault",
	qualified[lists.Hit]():     "WarningHit",
	qualified[lists.Term]():    "Term",
	qualified[lists.Cluster](): "Cluster",
}

func qualified[T any]() string {
	t := reflect.TypeFor[T]()
	return t.PkgPath() + "." + t.Name()
}

func publicName(qualified string) string {
	if name, ok := renamed[qualified]; ok {
		return name
	}
	return qualified[strings.LastIndexAny(qualified, "./")+1:]
}

// typeName is the type's name in the document: a List[pkg.T] is a TList.
func typeName(t reflect.Type) string {
	outer, inner, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return publicName(t.PkgPath() + "." + outer)
	}
	return publicName(strings.TrimSuffix(inner, "]")) + outer
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// labelSchema is the label's one JSON form, which the label writes itself.
func labelSchema() schema {
	chain := func(doc string, words ...string) schema {
		return schema{"type": "string", "enum": words, "description": doc}
	}
	set := func(doc string, items schema) schema {
		return schema{"description": doc, "anyOf": []schema{{"type": "string", "enum": []string{"all"}}, {"type": "array", "items": items}}}
	}
	text := schema{"type": "string"}
	properties := schema{
		"tlp":       chain("Traffic Light Protocol 2.0.", label.Red.String(), label.AmberStrict.String(), label.Amber.String(), label.Green.String(), label.Clear.String()),
		"pap":       chain("Permissible Actions Protocol: what a holder may do with it.", label.PAPAsk.String(), label.PAPRed.String(), label.PAPAmber.String(), label.PAPGreen.String(), label.PAPClear.String()),
		"class":     schema{"type": "string", "description": "The national classification."},
		"onward":    chain("To whom a holder may pass it.", label.OnwardNone.String(), label.OnwardConsent.String(), label.OnwardAudience.String(), label.OnwardCommunity.String(), label.OnwardFree.String()),
		"attrib":    chain("Whether its source may be named.", label.Withhold.String(), label.MustNot.String(), label.Must.String(), label.May.String()),
		"purge":     chain("When copies must be destroyed.", label.PurgeBoth.String(), label.PurgeOnTermination.String(), label.PurgeOnRequest.String(), label.PurgeNone.String()),
		"mode":      schema{"type": "string", "description": "The realm it belongs to: operational, an exercise, or any."},
		"access":    chain("Whether a holder may keep a copy.", label.View.String(), label.Copy.String()),
		"purpose":   set("What it may be used for.", schema{"type": "string", "enum": purposeWords()}),
		"aud":       set("Who may have it: NATION, NATION/organisation, or a community.", text),
		"sector":    set("Sectors that may have it.", text),
		"authority": set("Authorities that may have it.", text),
		"caveat":    set("Further caveats.", text),
		"named":     schema{"type": "boolean", "description": "The audience is stated, not derived from the TLP."},
		"notbefore": schema{"type": "string", "format": "date-time", "description": "Under embargo until then."},
		"notafter":  schema{"type": "string", "format": "date-time", "description": "To be used until then."},
	}
	return schema{"type": "object", "description": words["Label"], "properties": properties, "additionalProperties": false,
		"required": []string{"tlp", "class", "pap", "onward", "attrib", "purge", "mode", "access", "purpose", "aud", "sector", "authority", "caveat", "named"}}
}

// purposeWords is the vocabulary of purposes.
func purposeWords() (out []string) {
	for p := label.Purposes(1); p <= label.EveryPurpose; p <<= 1 {
		out = append(out, p.List()...)
	}
	return out
}
