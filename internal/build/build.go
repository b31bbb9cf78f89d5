// Package build says which build of Entente this is.
package build

import (
	"runtime"
	"runtime/debug"
	"strings"

	"entente/docs"
)

// Info is what a build says of itself.
type Info struct {
	Version  string `json:"version"`            // of the newest chapter of the changelog
	Revision string `json:"revision,omitempty"` // of the source
	Modified bool   `json:"modified,omitempty"` // the source differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Version is the release that this build belongs to.
func Version() string {
	for line := range strings.Lines(docs.Changelog) {
		if v, ok := strings.CutPrefix(line, "## "); ok {
			return strings.TrimSpace(v)
		}
	}
	return "0.0.0"
}

// Read collects what is known of the build.
func Read() Info {
	i := Info{Version: Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				i.Revision = s.Value
			case "vcs.modified":
				i.Modified = s.Value == "true"
			}
		}
	}
	return i
}
