// Package starter holds a small set of invented STIX 2.1 objects, and what surrounds them on a node, for a first look.
package starter

import "embed"

// Files are the bundles. Their names sort in the order in which they are meant to be imported.
//
//go:embed *.json
var Files embed.FS

// Day is the morning after: in the folder day, a register of constituents, feeds with their files, a campaign that concerns some of the
// constituents, an object that ends up in quarantine, and the configuration that reads the feeds.
//
//go:embed day
var Day embed.FS
