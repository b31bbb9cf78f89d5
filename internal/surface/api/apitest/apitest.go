// Package apitest holds exchanges over the native interface to its OpenAPI document: what was asked must be in it where it was
// answered, and what was answered must be in it always.
package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Document is an OpenAPI document to hold exchanges to. Its methods are safe for concurrent use.
type Document struct {
	root   map[string]any
	prefix string
	mu     sync.Mutex
	seen   map[string]map[int]bool // statuses by operation
}

// Exchange is one request with its answer.
type Exchange struct {
	Method string
	URL    *url.URL
	Body   []byte
	Status int
	Header http.Header // of the answer
	Answer []byte
}

// Read reads a document.
func Read(b []byte) (*Document, error) {
	d := &Document{seen: map[string]map[int]bool{}}
	if err := json.Unmarshal(b, &d.root); err != nil {
		return nil, err
	}
	servers, _ := d.root["servers"].([]any)
	if len(servers) != 1 {
		return nil, fmt.Errorf("the document has %d servers", len(servers))
	}
	d.prefix, _ = object(servers[0])["url"].(string)
	return d, nil
}

// Statuses are those that Check has met at an operation, for example "GET /objects".
func (d *Document) Statuses(operation string) (out []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for status := range d.seen[operation] {
		out = append(out, status)
	}
	slices.Sort(out)
	return out
}

// Check says what of an exchange is not as the document has it.
func (d *Document) Check(x Exchange) error {
	template, path := d.path(x.URL.EscapedPath())
	method := strings.ToLower(x.Method)
	if method == "head" {
		method = "get"
	}
	op := object(path[method])
	if op == nil {
		if x.Status/100 == 2 {
			return fmt.Errorf("%s %s is answered with %d and is not in the document", x.Method, x.URL.Path, x.Status)
		}
		return nil
	}
	d.note(strings.ToUpper(method)+" "+template, x.Status)
	if x.Status/100 == 2 {
		if err := d.checkQuery(op, x.URL.Query()); err != nil {
			return fmt.Errorf("%s %s: %w", x.Method, x.URL, err)
		}
		if err := d.checkBody(op, x.Body); err != nil {
			return fmt.Errorf("%s %s: the body %.200s: %w", x.Method, x.URL, x.Body, err)
		}
	}
	if err := d.checkAnswer(op, x); err != nil {
		return fmt.Errorf("%s %s: the answer %d %.500s: %w", x.Method, x.URL, x.Status, x.Answer, err)
	}
	return nil
}

func (d *Document) note(operation string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[operation] == nil {
		d.seen[operation] = map[int]bool{}
	}
	d.seen[operation][status] = true
}

// path finds the path item of a request: of several, the one that says most of the path itself (OpenAPI 3.1 section 4.8.8.2).
func (d *Document) path(path string) (template string, item map[string]any) {
	rest, ok := strings.CutPrefix(path, d.prefix)
	if !ok {
		return "", nil
	}
	segments := strings.Split(rest, "/")
	for other, found := range object(d.root["paths"]) {
		want := strings.Split(other, "/")
		if len(want) == len(segments) && !slices.ContainsFunc(seq(len(want)), func(i int) bool {
			return want[i] != segments[i] && (!strings.HasPrefix(want[i], "{") || segments[i] == "")
		}) && (template == "" || strings.Count(other, "{") < strings.Count(template, "{")) {
			template, item = other, object(found)
		}
	}
	return template, item
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// checkQuery holds the parameters of a query that was answered to the document.
func (d *Document) checkQuery(op map[string]any, q url.Values) error {
	known := map[string]map[string]any{}
	for _, p := range list(op["parameters"]) {
		if p := object(p); p["in"] == "query" {
			known[fmt.Sprint(p["name"])] = p
		}
	}
	for name, values := range q {
		p := known[name]
		if p == nil {
			return fmt.Errorf("the parameter %s is read and not in the document", name)
		}
		schema := object(p["schema"])
		if schema["type"] == "array" {
			var items []any
			for _, v := range values {
				parts := []string{v}
				if p["explode"] == false {
					parts = strings.Split(v, ",")
				}
				for _, part := range parts {
					items = append(items, part)
				}
			}
			if err := d.valid(schema, items, name); err != nil {
				return err
			}
			continue
		}
		if len(values) != 1 {
			return fmt.Errorf("the parameter %s stands %d times", name, len(values))
		}
		if err := d.valid(schema, typed(schema, values[0]), name); err != nil {
			return err
		}
	}
	return nil
}

// typed reads the text of a parameter as its schema's type.
func typed(schema map[string]any, text string) any {
	switch schema["type"] {
	case "integer", "number":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

func (d *Document) checkBody(op map[string]any, body []byte) error {
	request := object(op["requestBody"])
	schema := object(object(object(request["content"])["application/json"])["schema"])
	switch {
	case request == nil:
		if len(body) > 0 {
			return fmt.Errorf("none is in the document")
		}
		return nil
	case schema == nil, len(body) == 0 && request["required"] != true:
		return nil
	}
	return d.validJSON(schema, body)
}

func (d *Document) checkAnswer(op map[string]any, x Exchange) error {
	response := d.resolve(object(object(op["responses"])[strconv.Itoa(x.Status)]))
	if response == nil {
		return fmt.Errorf("the status is not in the document")
	}
	if x.Method == http.MethodHead {
		return nil // a server of net/http leaves the answer out, a recorder of httptest keeps it
	}
	content := object(response["content"])
	media := x.Header.Get("Content-Type")
	if content == nil {
		if len(x.Answer) > 0 {
			return fmt.Errorf("it should be empty")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(media)
	if err != nil {
		return fmt.Errorf("%q: %w", media, err)
	}
	of := object(content[media])
	if of == nil {
		of = object(content[kind])
	}
	if of == nil {
		return fmt.Errorf("%s is not in the document", media)
	}
	schema := object(of["schema"])
	if schema == nil {
		return nil
	}
	lines := bytes.Lines
	switch kind {
	case "text/event-stream":
		lines = data
	case "application/x-ndjson":
	default:
		return d.validJSON(schema, x.Answer)
	}
	for line := range lines(x.Answer) {
		if err := d.validJSON(schema, line); err != nil {
			return err
		}
	}
	return nil
}

// data are the data of server-sent events, where each has one line of them.
func data(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(stream) {
			if text, ok := bytes.CutPrefix(line, []byte("data: ")); ok && !yield(text) {
				return
			}
		}
	}
}

func (d *Document) validJSON(schema map[string]any, b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	return d.valid(schema, v, "")
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
