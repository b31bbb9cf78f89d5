package lite

import (
	"context"
	"errors"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
)

// Room is what a room is called in its faults: "ledger" for codes that begin so and for "the ledger".
type Room string

// retryFull is when a caller that met a full disk may come back.
const retryFull = 30 * time.Second

// Wrap turns what SQLite says into a fault. What is one already stays.
func (r Room) Wrap(doing string, err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.As(err)
	}
	switch zs.ErrCode(err).ToPrimary() {
	case zs.ResultFull, zs.ResultIOErr:
		return fault.New(fault.Full, string(r)+".full", "the %s has no room or its disk fails: nothing of this was kept", r).
			Try("make room on the disk, or raise the limit where one is set").After(retryFull).Because(err)
	case zs.ResultBusy, zs.ResultInterrupt:
		return fault.New(fault.Unavailable, string(r)+".busy", "the %s is busy", r).After(time.Second).Because(err)
	}
	return fault.New(fault.Internal, string(r), "%s failed", doing).Because(err)
}

// Closed is what a room says while it closes.
func (r Room) Closed() error {
	return fault.New(fault.Unavailable, string(r)+".closing", "the %s is closing", r).After(5 * time.Second)
}
