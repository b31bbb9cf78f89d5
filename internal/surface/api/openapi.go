package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/surface"
)

// Document is the OpenAPI 3.1 document of the interface, made from the table of routes and the types it names. It is the same for
// everybody.
func Document() []byte {
	b, err := json.MarshalIndent(describe(Routes()), "", " ")
	if err != nil { // maps of texts, numbers and truth values only
		return nil
	}
	return append(b, '\n')
}

func (a *API) openAPI(c *call) error {
	headers(c.w, jsonType)
	_, err := c.w.Write(a.doc)
	return started(err)
}

// describe makes the document of routes.
func describe(routes []Route) schema {
	s := newSchemas()
	problem := s.of(reflect.TypeFor[Problem]())
	paths, failures := schema{}, schema{}
	for _, r := range routes {
		at, _ := paths[r.Path].(schema)
		if at == nil {
			at = schema{}
			paths[r.Path] = at
		}
		at[strings.ToLower(r.Method)] = operation(r, s, failures)
	}
	for k := fault.Internal; k <= fault.Full; k++ {
		if failures[k.String()] == nil {
			continue
		}
		f := schema{"description": http.StatusText(surface.Status(k)) + ".", "content": schema{problemType: schema{"schema": problem}}}
		switch k {
		case fault.Throttled, fault.Unavailable, fault.Full:
			f["headers"] = schema{"Retry-After": schema{"description": "Seconds to wait.", "schema": schema{"type": "integer"}}}
		}
		failures[k.String()] = f
	}
	return schema{
		"openapi": "3.1.0",
		"info": schema{"title": "Entente native API", "version": "1",
			"description": "Threat intelligence under enforced labels. What the caller may not have looks as if it were not there. docs/api.md has the conventions."},
		"servers":  []schema{{"url": Prefix}},
		"security": []schema{{"basic": []string{}}, {"token": []string{}}, {"certificate": []string{}}},
		"paths":    paths,
		"components": schema{"schemas": s.made, "responses": failures, "securitySchemes": schema{
			"basic":       schema{"type": "http", "scheme": "basic"},
			"token":       schema{"type": "http", "scheme": "bearer"},
			"certificate": schema{"type": "mutualTLS"},
		}},
	}
}

func operation(r Route, s *schemas, failures schema) schema {
	op := schema{"operationId": operationID(r), "summary": strings.TrimSuffix(r.Doc, "."), "tags": []string{tag(r.Path)}}
	if r.Needs != 0 {
		op["x-right"] = right(r.Needs)
	}
	if p := parameters(r); len(p) > 0 {
		op["parameters"] = p
	}
	switch {
	case r.Body != nil:
		op["requestBody"] = schema{"required": !r.Optional, "content": schema{jsonType: schema{"schema": s.taken(reflect.TypeOf(r.Body), r.Method, r.Required)}}}
	case r.Takes != "":
		op["requestBody"] = schema{"required": true, "content": schema{r.Takes: schema{}}}
	}
	success := schema{"description": "Done."}
	content := schema{}
	for _, media := range r.Media {
		content[media] = schema{}
		if r.Answer != nil {
			content[media] = schema{"schema": s.of(reflect.TypeOf(r.Answer))}
		}
		if media == linesType {
			success["description"] = "One value per line; the schema is that of a line."
		}
		if media == eventsType {
			success["description"] = "Server-sent events without end; the schema is that of their data."
		}
	}
	if len(content) > 0 {
		success["content"] = content
	}
	responses := schema{strconv.Itoa(r.Status): success}
	if r.Again != 0 {
		again := maps.Clone(success)
		again["description"] = "It is here already."
		responses[strconv.Itoa(r.Again)] = again
	}
	for _, k := range r.fails() {
		responses[strconv.Itoa(surface.Status(k))] = schema{"$ref": "#/components/responses/" + k.String()}
		failures[k.String()] = schema{}
	}
	op["responses"] = responses
	return op
}

var wildcard = regexp.MustCompile(`\{([a-z]+)\}`)

func parameters(r Route) (out []schema) {
	for _, m := range wildcard.FindAllStringSubmatchIndex(r.Path, -1) {
		out = append(out, schema{"name": r.Path[m[2]:m[3]], "in": "path", "required": true, "description": words[r.Path[:m[1]]], "schema": schema{"type": "string"}})
	}
	for _, p := range r.Query {
		out = append(out, p.describe())
	}
	if r.Once {
		out = append(out, schema{"name": onceHeader, "in": "header", "description": "Asking again with the same key and the same body within 24 hours gives the same answer and makes nothing more.",
			"schema": schema{"type": "string", "minLength": 1, "maxLength": maxOnceKey, "pattern": "^[!-~]+$"}})
	}
	return out
}

func (p Param) describe() schema {
	is := schema{"type": "string"}
	switch p.Kind {
	case Flag:
		is["type"] = "boolean"
	case Limit:
		is = schema{"type": "integer", "minimum": 1, "maximum": maxLimit}
	case Time:
		is["anyOf"] = []schema{{"format": "date-time"}, {"format": "date"}}
	}
	if p.Enum != nil {
		is["enum"] = p.Enum
	}
	if p.Default != nil {
		is["default"] = p.Default
	}
	out := schema{"name": p.Name, "in": "query", "description": p.Doc}
	switch p.Kind {
	case Words:
		is = schema{"type": "array", "items": is}
		out["style"], out["explode"] = "form", false
	case Texts:
		is = schema{"type": "array", "items": is}
		out["style"], out["explode"] = "form", true
	}
	out["schema"] = is
	return out
}

// right is the name of what a route needs, as /me lists it.
func right(needs gate.Action) string {
	for _, x := range actions {
		if x.action == needs {
			return x.name
		}
	}
	return ""
}

func tag(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.TrimSuffix(first, ".json")
}

// operationID is the method and the words of the path: getObjectsIdRaw.
func operationID(r Route) string {
	id := strings.ToLower(r.Method)
	for word := range strings.FieldsFuncSeq(r.Path, func(c rune) bool { return strings.ContainsRune("/{}.", c) }) {
		id += title(word)
	}
	return id
}
