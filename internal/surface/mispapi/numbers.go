package mispapi

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"

	"entente/misp"
)

// numbers gives the things of this instance the numbers that MISP wants besides uuids. A number is made of the uuid alone: it is the same after
// a restart and on every node, and tells nothing of when something came. Back from a number leads what was given out since the start.
type numbers struct {
	mu   sync.RWMutex
	back map[uint64]string
	old  map[uint64]string // the generation before; together they hold the latest maxNumbers at least
}

const maxNumbers = 200_000

func (n *numbers) init() { n.back = map[uint64]string{} }

// numberOf is a number of 52 bits: every JSON reader keeps it exactly.
func numberOf(kind, id string) uint64 {
	var room [64]byte
	sum := sha256.Sum256(append(append(append(room[:0], kind...), '\n'), strings.ToLower(id)...))
	return binary.BigEndian.Uint64(sum[:])>>12 | 1<<20 // never small: small numbers stand for roles and the like
}

// give is the number of something as text, which leads back to its uuid from then on.
func (n *numbers) give(kind, id string) string {
	if id == "" {
		return "0"
	}
	num := numberOf(kind, id)
	n.mu.RLock()
	_, known := n.back[num]
	n.mu.RUnlock()
	if !known {
		n.mu.Lock()
		if len(n.back) >= maxNumbers {
			n.old, n.back = n.back, map[uint64]string{}
		}
		n.back[num] = id
		n.mu.Unlock()
	}
	return strconv.FormatUint(num, 10)
}

// uuid is what a uuid or number in a request means; empty where it means nothing here.
func (n *numbers) uuid(text string) string {
	if u := misp.UUID(text); u != "" {
		return u
	}
	num, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return ""
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if id, ok := n.back[num]; ok {
		return id
	}
	return n.old[num]
}
