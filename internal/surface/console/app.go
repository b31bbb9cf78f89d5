package console

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// policy is what a browser may do with what this node shows: nothing leaves the origin, no script and no style stands in a page, and markup is
// made by the framework's own policy alone (Trusted Types).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

// app serves the built console, or the page that stands in for it.
type app struct {
	files fs.FS
	front string // the page that every address of the application shows
}

func newApp(files fs.FS) app {
	for _, name := range []string{"index.html", "placeholder.html"} {
		if _, err := fs.Stat(files, name); err == nil {
			return app{files, name}
		}
	}
	return app{files: files}
}

// page shows the application: it finds out by its address what to show.
func (a app) page(w http.ResponseWriter, r *http.Request) {
	if a.front == "" {
		show(w, http.StatusNotFound, "missing.html", screen{Title: "No such page"})
		return
	}
	head(w)
	w.Header().Set("Cache-Control", "no-cache")
	a.serve(w, r, a.front)
}

// asset serves a file whose name changes with its content, so that nobody need ask twice.
func (a app) asset(w http.ResponseWriter, r *http.Request) {
	name := "assets/" + r.PathValue("file")
	if _, err := fs.Stat(a.files, name); err != nil || strings.HasSuffix(name, ".gz") {
		show(w, http.StatusNotFound, "missing.html", screen{Title: "No such page"})
		return
	}
	head(w)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	a.serve(w, r, name)
}

// notices serves the licences of what the console is made of.
func (a app) notices(w http.ResponseWriter, r *http.Request) {
	if _, err := fs.Stat(a.files, "NOTICES.txt"); err != nil {
		show(w, http.StatusNotFound, "missing.html", screen{Title: "No such page"})
		return
	}
	head(w)
	w.Header().Set("Cache-Control", "no-cache")
	a.serve(w, r, "NOTICES.txt")
}

var types = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".woff2": "font/woff2"}

// serve writes a file, compressed where there is such a copy and the browser takes it.
func (a app) serve(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	if t, ok := types[path.Ext(name)]; ok {
		h.Set("Content-Type", t)
	} else {
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if _, err := fs.Stat(a.files, name+".gz"); err == nil {
			h.Set("Content-Encoding", "gzip")
			name += ".gz"
		}
	}
	http.ServeFileFS(w, r, a.files, strings.TrimPrefix(name, "/"))
}
