package peer

import "golang.org/x/mod/sumdb/tlog"

// Edge is the right edge of a log's tree: all that is needed to add to it and to know its root. Its zero value is that of an empty log.
type Edge struct {
	Size  uint64      // leaves
	Nodes []tlog.Hash // roots of the complete subtrees that make up the log, the largest first
}

// Add adds a leaf's hash. Every hash that is complete by it goes to each, which may be nil: the leaf's and those above it, in the order of
// tlog.StoredHashIndex.
func (e *Edge) Add(h tlog.Hash, each func(tlog.Hash)) {
	if each != nil {
		each(h)
	}
	for n := e.Size; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(e.Nodes[len(e.Nodes)-1], h)
		e.Nodes = e.Nodes[:len(e.Nodes)-1]
		if each != nil {
			each(h)
		}
	}
	e.Nodes = append(e.Nodes, h)
	e.Size++
}

// Root is the hash of the log's tree (RFC 6962, section 2.1).
func (e *Edge) Root() tlog.Hash {
	if len(e.Nodes) == 0 {
		return emptyRoot
	}
	h := e.Nodes[len(e.Nodes)-1]
	for i := len(e.Nodes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.Nodes[i], h)
	}
	return h
}
