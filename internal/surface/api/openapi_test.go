package api

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/internal/gate"
)

// TestEveryRouteSucceedsAsDocumented asks every route for something it answers; the world holds each answer to the document.
func TestEveryRouteSucceedsAsDocumented(t *testing.T) {
	w := newWorld(t)
	met := map[string]bool{}
	var last string
	do := func(route, path, body string) {
		t.Helper()
		method, template, _ := strings.Cut(route, " ")
		status, answer := w.ask(admin, method, path, body)
		last = answer
		for _, r := range Routes() {
			if r.Method == method && r.Path == template {
				met[route] = true
				if status != r.Status && status != r.Again {
					t.Errorf("%s: %d %s", route, status, answer)
				}
			}
		}
	}
	text := func(name string) string {
		t.Helper()
		var v map[string]any
		if err := json.Unmarshal([]byte(last), &v); err != nil {
			t.Fatalf("%v: %s", err, last)
		}
		if inner, ok := v["blob"].(map[string]any); ok {
			v = inner
		}
		if inner, ok := v["token"].(map[string]any); ok {
			v = inner
		}
		if inner, ok := v["certificate"].(map[string]any); ok {
			v = inner
		}
		s, _ := v[name].(string)
		return s
	}
	do("POST /objects", "/objects", object("5c7b5b88-8ff7-4a4d-aa9d-feb398cd0061", "to relabel", ""))
	do("POST /objects/{id}/label", "/objects/identity--5c7b5b88-8ff7-4a4d-aa9d-feb398cd0061/label", `{"label":"tlp:green","reason":"for all"}`)
	do("POST /review", "/review", "see evil[.]example")
	for _, path := range []string{"/me", "/version", "/openapi.json", "/stats", "/config", "/backup"} {
		do("GET "+path, path, "")
	}
	do("POST /collections", "/collections", `{"title":"Open","alias":"open","read":[],"write":["admin"],"policy":"flag"}`)
	do("PUT /collections/{name}", "/collections/open", `{"title":"Opened","alias":"open"}`)
	do("GET /collections/{name}", "/collections/open", "")
	do("GET /collections", "/collections?all=true&root=api", "")
	do("POST /roots", "/roots", `{"path":"second","title":"Second","party":"XER/Erewhon CERT"}`)
	do("GET /roots", "/roots?all=1", "")

	do("POST /objects", "/objects?collection=open&label=tlp:amber&default=tlp:green&via=feed:x", object(uuidOf(1), "one", green)+object(uuidOf(1), "another", green)+`{"type":"identity"}`+object(uuidOf(2), "held", unknownMark))
	if !strings.Contains(last, `"outcome"`) || !strings.Contains(last, `"held"`) {
		t.Errorf("the import says too little to be looked at: %s", last)
	}
	w.importAll(admin, nil, object(heldUUID, "held", unknownMark))
	id := "/objects/identity--" + uuidOf(1)
	do("GET /objects", "/objects?collection=open&type=identity,malware&id=identity--"+uuidOf(1)+"&name=one&tlp=amber&version=all,first&spec=2.1&added_after=2020-01-01&headers=false&limit=1", "")
	do("GET /objects", "/objects?limit=1&added_after=2020-01-01T00:00:00Z", "")
	do("GET /objects/{id}", id+"?collection=open&version=last", "")
	do("GET /objects/{id}/raw", id+"/raw", "")
	do("GET /objects/{id}/versions", id+"/versions?limit=1000", "")
	do("GET /objects/{id}/why", id+"/why?org=Erewhon+CERT&nation=XER&person=eve&role=reader&purpose=research", "")
	do("GET /objects/{id}/holders", id+"/holders", "")
	do("GET /export", "/export?format=bundle&value=198.51.100.7&ref=x&external=a:b", "")
	do("GET /export", "/export?format=ndjson", "")
	do("GET /export", "/export?format=misp&collection=open", "")

	askFinding(w, do)
	askSensors(w, do, func() string { return last })

	do("POST /blobs", "/blobs?name=a.html&media_type=text/html&label=tlp:amber&sample=false", "<p>a file</p>")
	do("POST /blobs", "/blobs?name=a.html&media_type=text/html&label=tlp:amber&sample=false", "<p>a file</p>")
	file := "/blobs/" + text("id")
	do("GET /blobs", "/blobs?limit=1", "")
	do("GET /blobs/{id}", file, "")
	do("GET /blobs/{id}/content", file+"/content", "")
	do("GET /blobs/{id}/content", file+"/content?zip=true", "")
	do("GET /objects/{id}/blobs", "/objects/"+importArtifact(w, "<p>a file</p>")+"/blobs?version=last", "")
	w.must(errOf(w.client(admin).AddBlob(t.Context(), strings.NewReader("open"), url.Values{"label": {"tlp:clear"}})))
	w.must(w.client(outsider).Blobs(t.Context(), func(b Blob) error {
		return errOf(w.client(outsider).BlobContent(t.Context(), b.ID, false, io.Discard))
	}))
	w.must(w.client(admin).Blobs(t.Context(), func(b Blob) error {
		do("GET /blobs/{id}/holders", "/blobs/"+b.ID+"/holders", "")
		return nil
	}))
	do("POST /blobs/{id}/purge", file+"/purge", "")
	do("POST /blobs", "/blobs?sample=true", "MZ")
	do("DELETE /blobs/{id}", "/blobs/"+text("id"), "")

	registerRows(do, &last)
	accordRows(w, do, &last)
	bundleRows(w, do, &last)
	proofRows(w, do, &last)
	decisionRows(w, do, &last)
	keyRows(w, do)
	blockRows(w, do)

	do("GET /feeds", "/feeds", "")
	do("POST /feeds/{name}/run", "/feeds/secret/run?dry_run=true", "")
	do("POST /feeds/{name}/run", "/feeds/secret/run", "")
	do("GET /feeds/{name}", "/feeds/secret", "")
	w.must(os.Remove(filepath.Join(w.dir, "list.txt")))
	do("POST /feeds/{name}/run", "/feeds/secret/run", "")
	if !strings.Contains(last, `"error"`) {
		t.Errorf("a feed without its source: %s", last)
	}
	do("GET /feeds", "/feeds", "")

	do("GET /lists", "/lists", "")
	do("POST /lists/reload", "/lists/reload", "")
	do("GET /lists/check", "/lists/check?value=192.0.2.1&type=ip-dst", "")
	do("GET /lists/taxonomies", "/lists/taxonomies?q=red&limit=1", "")
	do("GET /lists/taxonomies", "/lists/taxonomies", "")
	do("GET /lists/galaxies", "/lists/galaxies?q=sand", "")
	do("GET /lists/galaxies", "/lists/galaxies?tag=misp-galaxy:threat-actor%3D%22Sandman%22", "")
	do("GET /objects/{id}/warnings", id+"/warnings?version=last", "")

	do("GET /quarantine", "/quarantine?limit=1", "")
	do("GET /quarantine/{id}", "/quarantine/identity--"+heldUUID, "")
	do("POST /quarantine/{id}/release", "/quarantine/identity--"+heldUUID+"/release", "")
	do("POST /quarantine/{id}/refuse", "/quarantine/identity--"+uuidOf(2)+"/refuse", "")
	do("POST /objects/{id}/purge", "/objects/identity--"+heldUUID+"/purge?dry_run=true", "")
	do("DELETE /objects/{id}", id+"?collection=open&version=all", "")
	do("POST /collections", "/collections", `{"title":"Empty","alias":"empty"}`)
	do("DELETE /collections/{name}", "/collections/empty", "")

	do("POST /orgs", "/orgs", `{"name":"Sylvania CERT","nation":"SYL","sectors":["energy"]}`)
	do("PUT /orgs/{name}", "/orgs/Sylvania%20CERT", `{"nation":"SYL","client":true,"purposes":["research"]}`)
	do("GET /orgs", "/orgs", "")
	do("PUT /communities/{name}", "/communities/allies", `{"members":["Sylvania CERT"]}`)
	do("GET /communities", "/communities", "")
	do("DELETE /communities/{name}", "/communities/allies", "")
	do("POST /users", "/users", `{"name":"ann","org":"Sylvania CERT","roles":["reader"],"password":"a long enough phrase","must_change":true}`)
	do("PATCH /users/{name}", "/users/ann", `{"roles":["analyst"],"disabled":true}`)
	do("GET /users", "/users?limit=1", "")
	do("DELETE /users/{name}", "/users/ann", "")
	do("POST /tokens", "/tokens", `{"name":"t","roles":["reader"],"seconds":3600}`)
	token := text("id")
	do("GET /tokens", "/tokens", "")
	do("DELETE /tokens/{id}", "/tokens/"+token, "")
	do("GET /tokens", "/tokens", "")
	do("POST /certificates", "/certificates", `{"name":"c","roles":["reader"]}`)
	certificate := text("id")
	do("GET /certificates", "/certificates", "")
	do("DELETE /certificates/{id}", "/certificates/"+certificate, "")
	do("DELETE /orgs/{name}", "/orgs/Sylvania%20CERT", "")
	do("GET /journal", "/journal?limit=3", "")
	do("GET /journal", "/journal?sort=newest&limit=3&actor=local&verb=object,user&since=2020-01-01&until=2999-01-01", "")
	personSucceeds(w, met)
	askStream(w, do)
	askAlerts(w, do)

	for _, r := range Routes() {
		key := r.Method + " " + r.Path
		if !met[key] {
			t.Errorf("%s: nobody looks whether its success is as the document has it", key)
		}
		for _, status := range []int{r.Status, r.Again} {
			if status != 0 && !slices.Contains(documented.Statuses(key), status) {
				t.Errorf("%s: no answer with %d was held to the document", key, status)
			}
		}
	}
}

// TestDocumentIsSound looks for what tools stumble over: references to nothing, names twice, things without a description.
func TestDocumentIsSound(t *testing.T) {
	var d map[string]any
	if err := json.Unmarshal(Document(), &d); err != nil {
		t.Fatal(err)
	}
	ids, used := map[string]bool{}, map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for _, v := range v {
				walk(at, v)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				to := any(d)
				for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					to, _ = to.(map[string]any)[name]
				}
				if to == nil {
					t.Errorf("%s refers to nothing: %s", at, ref)
				}
			}
			if id, ok := v["operationId"].(string); ok {
				if ids[id] || id == "" {
					t.Errorf("%s: the id %q is there already", at, id)
				}
				ids[id] = true
			}
			if v["in"] != nil && v["description"] == "" {
				t.Errorf("%s: the parameter %v has no description", at, v["name"])
			}
			if description, ok := v["description"]; ok && description == "" {
				t.Errorf("%s: an empty description", at)
			}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				walk(at+"/"+name, v[name])
			}
		}
	}
	walk("", d)
	components := d["components"].(map[string]any)
	for _, kind := range []string{"schemas", "responses"} {
		for name := range components[kind].(map[string]any) {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("nothing refers to %s %s", kind, name)
			}
		}
	}
	if len(ids) != len(routes) {
		t.Errorf("%d operations, %d routes", len(ids), len(routes))
	}
	for _, r := range routes {
		if r.Needs != 0 && right(r.Needs) == "" {
			t.Errorf("%s %s needs a right without a name", r.Method, r.Path)
		}
		if r.Once != (r.Method == post && r.Status == 201 && r.Again == 0) {
			t.Errorf("%s %s: what makes something that could be made twice observes idempotency keys, and nothing else", r.Method, r.Path)
		}
		if r.Body == nil {
			continue
		}
		for _, name := range r.Required {
			if _, ok := jsonFields(reflect.TypeOf(r.Body))[name]; !ok {
				t.Errorf("%s %s requires %s, which is no member of its body", r.Method, r.Path, name)
			}
		}
	}
	text := string(Document())
	for key, doc := range words {
		if b, _ := json.Marshal(doc); !strings.Contains(text, string(b)) {
			t.Errorf("words: %s stands nowhere in the document", key)
		}
	}
	for _, key := range append(slices.Collect(maps.Keys(stands)), readOnly...) {
		typ, member, _ := strings.Cut(key, ".")
		s, _ := components["schemas"].(map[string]any)[typ].(map[string]any)
		if p, _ := s["properties"].(map[string]any); p[member] == nil {
			t.Errorf("%s is no member in the document", key)
		}
	}
}

func jsonFields(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = true
	}
	return out
}

// TestHandlersReadWhatTheTableSays reads the code of the handlers: each, with all it calls here, reads exactly the parameters that its
// route has.
func TestHandlersReadWhatTheTableSays(t *testing.T) {
	reads, calls := map[string]map[string]bool{}, map[string]map[string]bool{}
	handlers := map[string]string{} // by "METHOD path"
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasPrefix(e.Name(), "client") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil && len(f.Recv.List[0].Names) == 1 {
				name = f.Recv.List[0].Names[0].Name + "." + name // receivers are a, c and q throughout
			}
			reads[name], calls[name] = map[string]bool{}, map[string]bool{}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					to := called(n.Fun)
					calls[name][to] = true
					if strings.HasPrefix(to, "q.") && len(n.Args) == 1 && literal(n.Args[0]) != "" {
						reads[name][literal(n.Args[0])] = true
					}
				case *ast.CompositeLit: // {"value", record.Value}: a parameter and where it is looked up
					if n.Type == nil && len(n.Elts) == 2 && literal(n.Elts[0]) != "" {
						reads[name][literal(n.Elts[0])] = true
					}
				}
				return true
			})
		}
		ast.Inspect(file, func(n ast.Node) bool {
			row, ok := n.(*ast.CompositeLit)
			if !ok || len(row.Elts) != 7 {
				return true
			}
			method, ok := row.Elts[0].(*ast.Ident)
			handle, isHandle := row.Elts[6].(*ast.SelectorExpr)
			if ok && isHandle {
				handlers[method.Name+" "+literal(row.Elts[1])] = handle.Sel.Name
			}
			return true
		})
	}
	methods := map[string]string{get: "get", post: "post", put: "put", patch: "patch", remove: "remove"}
	for _, r := range routes {
		handler := handlers[methods[r.Method]+" "+r.Path]
		if handler == "" {
			t.Errorf("%s %s: its handler was not found", r.Method, r.Path)
			continue
		}
		got, seen := map[string]bool{}, map[string]bool{}
		var follow func(name string)
		follow = func(name string) {
			if seen[name] || reads[name] == nil {
				return
			}
			seen[name] = true
			maps.Copy(got, reads[name])
			for to := range calls[name] {
				follow(to)
			}
		}
		follow("a." + handler)
		want := slices.Sorted(slices.Values(r.names()))
		if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, want) {
			t.Errorf("%s %s has the parameters %v, and %s reads %v", r.Method, r.Path, want, handler, have)
		}
	}
}

// called is the name of a function that is called: "listed", or "c.versions" of a method.
func called(fun ast.Expr) string {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.IndexExpr:
		return called(fun.X)
	case *ast.SelectorExpr:
		switch on := fun.X.(type) {
		case *ast.Ident:
			return on.Name + "." + fun.Sel.Name
		case *ast.SelectorExpr:
			return on.Sel.Name + "." + fun.Sel.Name // c.q.get
		}
	}
	return ""
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}

// The document is the same for everybody, whatever they may do.
func TestDocumentIsTheSameForEverybody(t *testing.T) {
	w := newWorld(t)
	nobody := admin
	nobody.Roles = nil
	for _, v := range []gate.Viewer{admin, outsider, nobody} {
		if status, body := w.ask(v, get, "/openapi.json", ""); status != 200 || body != string(Document()) {
			t.Errorf("%s: %d, %d bytes", v.Org, status, len(body))
		}
	}
}
