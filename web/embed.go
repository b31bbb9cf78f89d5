// Package web carries the console: what npm builds from this directory, or a page that says it was not built.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built console: index.html, assets whose names change with their content, and NOTICES.txt; text has a copy with .gz beside it.
// Where the console was not built there is placeholder.html alone.
func Dist() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil { // the name is a constant and good
		return files
	}
	return sub
}
