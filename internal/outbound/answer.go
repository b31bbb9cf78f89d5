package outbound

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"time"

	"entente/internal/fault"
)

// answer is the body of a response, bounded in size and time.
type answer struct {
	body     io.ReadCloser
	rules    Rules
	n, limit int64
	patience time.Duration
	timer    *time.Timer
	end      func(why error)
	ctx      context.Context
}

func (b *answer) stalled() {
	b.end(b.rules.fault(fault.Unavailable, "stalled", "the server sent nothing for %s in the middle of its answer", b.patience))
}

func (b *answer) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.timer.Reset(b.patience)
	}
	if b.n += int64(n); b.n > b.limit {
		return 0, b.rules.TooLarge(b.limit)
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	var f *fault.Error
	switch {
	case errors.As(context.Cause(b.ctx), &f):
		err = f
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = b.rules.Truncated(err)
	}
	return n, err
}

func (b *answer) Close() error {
	b.timer.Stop()
	b.end(nil)
	return b.body.Close()
}

// unpacked is a gzip stream that ends with an error where it becomes too large.
type unpacked struct {
	packed   io.ReadCloser
	rules    Rules
	zip      *gzip.Reader
	n, limit int64
	failed   error
}

// Unpack reads a gzip stream of which no more than limit bytes come out.
func (r Rules) Unpack(packed io.ReadCloser, limit int64) io.ReadCloser {
	return &unpacked{packed: packed, rules: r, limit: limit}
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.zip == nil && u.failed == nil {
		if u.zip, u.failed = gzip.NewReader(u.packed); u.failed != nil {
			u.failed = u.rules.zipped(u.failed)
		}
	}
	if u.failed != nil {
		return 0, u.failed
	}
	n, err := u.zip.Read(p)
	if u.n += int64(n); u.n > u.limit {
		return 0, u.rules.TooLarge(u.limit)
	}
	if err != nil && err != io.EOF {
		err = u.rules.zipped(err)
	}
	return n, err
}

func (u *unpacked) Close() error { return u.packed.Close() }
