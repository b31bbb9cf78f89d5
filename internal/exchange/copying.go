package exchange

import (
	"sync"
	"time"

	"entente/internal/fault"
)

// turns keeps copies and purges apart: many of one kind at a time, and never both.
type turns struct {
	mu     sync.Mutex
	copies int
	purges int
}

// Copying keeps everything from being purged until done is called, so that what is copied piece by piece is of one mind about what is gone. While a purge is at work it is refused.
func (x *Exchange) Copying() (done func(), err error) {
	return x.turns.take(&x.turns.copies, &x.turns.purges, "a purge is at work", "begin the backup when it has ended")
}

// purging keeps copies from beginning until done is called. While one is made it is refused.
func (x *Exchange) purging() (done func(), err error) {
	return x.turns.take(&x.turns.purges, &x.turns.copies, "a backup reads what the purge would destroy", "purge again when the backup has ended")
}

func (t *turns) take(mine, others *int, why, try string) (func(), error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *others > 0 {
		return nil, fault.New(fault.Unavailable, "store.busy", "%s", why).After(time.Minute).Try(try)
	}
	*mine++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		*mine--
	}, nil
}
