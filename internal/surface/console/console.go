// Package console is what a browser is shown: the application that npm builds in web, and the pages with which a node is set up.
package console

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"entente/internal/fault"
	"entente/internal/surface"
)

//go:embed pages/*.html pages/*.css
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Setup redeems the link with which the first administrator chooses a password.
type Setup interface {
	// CheckSetup tells whether a link's code is good.
	CheckSetup(ctx context.Context, code string) error
	// RedeemSetup makes the account of the first administrator, once.
	RedeemSetup(ctx context.Context, code, name, password string) error
}

type screen struct {
	Title, Org, Code, Name, Problem string
}

// Routes lists the pages, as http.ServeMux has their patterns.
func Routes() []string {
	var list []string
	for _, p := range routes("", nil, app{}) {
		list = append(list, p.pattern)
	}
	return list
}

type route struct {
	pattern string
	handle  http.HandlerFunc
}

// New serves the application from its files and the first-run page.
func New(org string, s Setup, files fs.FS) http.Handler {
	mux := http.NewServeMux()
	for _, p := range routes(org, s, newApp(files)) {
		mux.HandleFunc(p.pattern, p.handle)
	}
	return mux
}

func routes(org string, s Setup, a app) []route {
	return []route{
		{"GET /{$}", a.page},
		{"GET /app/", a.page},
		{"GET /assets/{file}", a.asset},
		{"GET /NOTICES.txt", a.notices},
		{"GET /style.css", func(w http.ResponseWriter, r *http.Request) {
			head(w)
			http.ServeFileFS(w, r, files, "pages/style.css")
		}},
		{"GET /setup/{code}", func(w http.ResponseWriter, r *http.Request) {
			code := r.PathValue("code")
			if err := s.CheckSetup(r.Context(), code); err != nil {
				show(w, http.StatusNotFound, "spent.html", screen{Title: "This link is spent", Org: org})
				return
			}
			show(w, http.StatusOK, "setup.html", screen{Title: "First administrator", Org: org, Code: code})
		}},
		{"POST /setup/{code}", func(w http.ResponseWriter, r *http.Request) {
			code := r.PathValue("code")
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			if origin := r.Header.Get("Sec-Fetch-Site"); origin != "" && origin != "same-origin" && origin != "none" {
				show(w, http.StatusForbidden, "spent.html", screen{Title: "This request came from another site", Org: org})
				return
			}
			if err := s.CheckSetup(r.Context(), code); err != nil {
				show(w, http.StatusNotFound, "spent.html", screen{Title: "This link is spent", Org: org})
				return
			}
			password := r.PostFormValue("password")
			if password != r.PostFormValue("again") {
				show(w, http.StatusUnprocessableEntity, "setup.html", screen{Title: "First administrator", Org: org, Code: code, Name: r.PostFormValue("name"), Problem: "The two passwords differ."})
				return
			}
			name := r.PostFormValue("name")
			if err := s.RedeemSetup(r.Context(), code, name, password); err != nil {
				e := fault.As(err)
				show(w, surface.Status(e.Kind), "setup.html", screen{Title: "First administrator", Org: org, Code: code, Name: name, Problem: e.Error()})
				return
			}
			show(w, http.StatusOK, "ready.html", screen{Title: "Ready", Org: org, Name: name})
		}},
		{"/", func(w http.ResponseWriter, r *http.Request) {
			show(w, http.StatusNotFound, "missing.html", screen{Title: "No such page", Org: org})
		}},
	}
}

// Render writes a refusal of the hall as a page.
func Render(w http.ResponseWriter, r *http.Request, e *fault.Error, id string) {
	show(w, surface.Status(e.Kind), "missing.html", screen{Title: e.Message})
}

func head(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

func show(w http.ResponseWriter, status int, page string, s screen) {
	head(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	pages.ExecuteTemplate(w, page, s)
}
