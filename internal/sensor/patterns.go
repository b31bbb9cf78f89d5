package sensor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"entente/internal/watch"
)

// patterns finds STIX patterns that ask for several events, over all inputs. What it has seen is in memory alone.
//
// An event is called by its block and its place in that, which are the same whoever reads it. What a pattern is met by makes the identity of the report: it is told once, also when
// the block is read again.
type patterns struct {
	s *Sensor

	mu     sync.Mutex
	stream *watch.Stream
	taken  map[string]uint64 // by block that is not marked as read: how many of its lines, up to the last that was part of something
}

// maxTaken bounds the blocks that are known to have been taken from.
const maxTaken = 100_000

// part is an event that is part of what patterns ask for, and its place in its block.
type part struct {
	line  uint64
	parts *watch.Parts
}

// adopt takes the patterns of what is looked for from now on. What those that stay have seen stays.
func (p *patterns) adopt(l *look) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		p.stream = l.set.Stream()
	} else {
		p.stream = p.stream.Move(l.set)
	}
}

// add takes the parts of a batch.
func (p *patterns) add(block string, parts []part) {
	if len(parts) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil || len(p.taken) >= maxTaken {
		p.taken = map[string]uint64{}
	}
	for _, x := range parts {
		if x.line < p.taken[block] {
			continue // it is read again
		}
		p.taken[block] = x.line + 1
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", block, x.line))
		x.parts.Call(binary.BigEndian.Uint64(sum[:]))
		p.stream.Take(x.parts, p.found)
	}
}

// found takes what the stream found. The caller holds mu.
func (p *patterns) found(f *watch.Finding) {
	var origin strings.Builder
	origin.WriteString("pattern")
	for _, event := range f.Events {
		fmt.Fprintf(&origin, "\x00%x", event)
	}
	p.s.combined(origin.String(), f.Pattern.Meta.Source, f.First, f.Last, f.Fields)
}

// read forgets a block that is marked as read: it does not come again.
func (p *patterns) read(block string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, block)
}

// missed says which events may have been missed, by why.
func (p *patterns) missed() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]uint64{}
	if p.stream == nil {
		return out
	}
	st := p.stream.Stats()
	for why, n := range map[string]uint64{"late": st.Late, "untimed": st.Untimed, "evicted": st.Evicted, "given_up": st.GivenUp} {
		if n > 0 {
			out[why] = n
		}
	}
	return out
}
