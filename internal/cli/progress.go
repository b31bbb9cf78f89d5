package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// bar shows how far long work is: as a bar on a terminal, as a line now and then elsewhere.
type bar struct {
	a        *app
	what     string
	terminal bool
	silent   bool
	mu       sync.Mutex
	last     time.Time
	drawn    bool
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

func (a *app) progress(what string, silent bool) *bar {
	return &bar{a: a, what: what, terminal: isTerminal(a.err), silent: silent, last: time.Now()}
}

// set says how much is done; total 0 is unknown.
func (b *bar) set(stage string, done, total int64, unit string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	every := lineEvery
	if b.terminal {
		every = barEvery
	}
	if b.silent && !b.terminal || time.Since(b.last) < every {
		return
	}
	b.last = time.Now()
	amount := count(done)
	if unit == "bytes" {
		amount = size(done)
	} else {
		amount += " " + unit
	}
	switch {
	case !b.terminal:
		b.a.say("%s: %s, %s", clean(b.what), stage, amount)
	case total > 0:
		full := int(min(done, total) * barWidth / total)
		fmt.Fprintf(b.a.err, "\r\x1b[K%s %s [%s%s] %3d%% %s", clean(short(b.what, 40)), stage, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), min(done, total)*100/total, amount)
		b.drawn = true
	default:
		fmt.Fprintf(b.a.err, "\r\x1b[K%s %s %s", clean(short(b.what, 40)), stage, amount)
		b.drawn = true
	}
}

func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn {
		fmt.Fprint(b.a.err, "\r\x1b[K")
		b.drawn = false
	}
}

// end takes the bar off the screen.
func (b *bar) end() { b.clear() }
