package sqlite

import (
	"context"
	"errors"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
)

// retryFull is when a caller that met a full disk may come back.
const retryFull = 30 * time.Second

// wrap turns what SQLite says into a fault.
func wrap(doing string, err error) error {
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
		return fault.New(fault.Full, "store.full", "the store has no room or its disk fails: nothing of this was stored").
			Try("make room on the disk or raise the store's limit").After(retryFull).Because(err)
	case zs.ResultBusy, zs.ResultInterrupt:
		return fault.New(fault.Unavailable, "store.busy", "the store is busy").After(time.Second).Because(err)
	}
	return fault.New(fault.Internal, "store", "%s failed", doing).Because(err)
}

func errClosed() error {
	return fault.New(fault.Unavailable, "store.closing", "the store is closing").After(5 * time.Second)
}
