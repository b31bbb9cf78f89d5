// Package docs holds the documents that the binary carries.
package docs

import _ "embed"

// Changelog is CHANGELOG.md.
//
//go:embed CHANGELOG.md
var Changelog string
