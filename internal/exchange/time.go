package exchange

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

// tick is how often embargoes and retention are looked at. Between two ticks the gate itself keeps early and late records back.
const tick = 30 * time.Second

// keepTime gives records whose embargo has ended a new place, so that pollers meet them, and removes those whose retention is over.
func (x *Exchange) keepTime(ctx context.Context) {
	defer x.workers.Done()
	if err := x.rejudge(ctx, ""); err != nil && ctx.Err() == nil {
		x.cfg.Log.Warn("judging held records again", "error", err)
	}
	for {
		if err := x.KeepTime(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Log.Warn("keeping embargoes and retention", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tick):
		}
	}
}

// KeepTime does once what time has made due.
func (x *Exchange) KeepTime(ctx context.Context) error {
	for {
		due, err := x.store.Due(ctx, x.own(), x.cfg.Now(), 500)
		if err != nil || len(due.Lifted)+len(due.Expired) == 0 {
			return err
		}
		for _, it := range due.Lifted {
			l := it.Record.Label
			l.NotBefore = time.Time{}
			_, err := x.store.Relabel(ctx, x.own(), store.Relabelling{Rec: it.Rec, Label: l, Was: &it.Record.Label,
				Act: store.Act{Actor: "node", Verb: "embargo.end", Target: fmt.Sprint(int64(it.Rec))}})
			if err != nil && fault.Of(err) != fault.Conflict { // of another label: looked at again
				return err
			}
		}
		for _, it := range due.Expired {
			if err := x.erase(ctx, it, store.Act{Actor: "node", Verb: "retention.end", Target: fmt.Sprint(int64(it.Rec))}); err != nil {
				return err
			}
		}
	}
}

// erase takes one record out of the whole store.
func (x *Exchange) erase(ctx context.Context, it store.Item, act store.Act) error {
	if _, err := x.store.Remove(ctx, x.own(), store.Removal{Rec: it.Rec, ID: it.Record.ID, Act: act}); err != nil {
		return fmt.Errorf("erasing a record: %w", err)
	}
	x.markings.forget()
	return nil
}

// each calls fn for 0 to n-1 on every processor.
func each(n int, fn func(int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+63)/64)
	if workers <= 1 {
		for i := range n {
			fn(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				const stride = 32
				from := int(next.Add(stride)) - stride
				if from >= n {
					return
				}
				for i := from; i < min(n, from+stride); i++ {
					fn(i)
				}
			}
		})
	}
	wg.Wait()
}
