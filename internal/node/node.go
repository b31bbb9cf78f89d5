// Package node puts the rooms together: it is the only place that knows them all. A node is a value: tests start several in one
// process.
package node
