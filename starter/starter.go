// Package starter holds a small set of invented STIX 2.1 objects, for a first look at a node.
package starter

import "embed"

// Files are the bundles. Their names sort in the order in which they are meant to be imported.
//
//go:embed *.json
var Files embed.FS
