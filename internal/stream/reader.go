package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const lookAgain = time.Second // how often is looked whether a claim can have more messages, when none come

// read gives the messages of a claim until all of it is there.
func (j *natsSession) read(ctx context.Context, c *claim) error {
	if j.reader == nil || j.reader.next != c.from || j.reader.failed() {
		j.reader.stop()
		var err error
		if j.reader, err = j.newReader(ctx, c.from); err != nil {
			j.reader = nil
			j.leave(c)
			return err
		}
	}
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	pos := c.from
	for failures := 0; ; {
		m := j.reader.get()
		if m == nil {
			if err := j.give.flush(); err != nil {
				return err
			}
			select {
			case m = <-j.reader.msgs:
			case <-ctx.Done():
				return ctx.Err()
			case <-look.C:
				over, err := j.over(ctx, c, pos)
				if err != nil {
					if failures++; failures > tries || errors.Is(err, jetstream.ErrStreamNotFound) {
						return j.abandon(c, err)
					}
					j.failed(err)
					continue
				}
				if failures = 0; !over {
					continue
				}
				return j.end(c)
			}
		}
		meta, err := m.Metadata()
		if err != nil {
			return j.abandon(c, fmt.Errorf("reading the stream: %w", err))
		}
		seq := meta.Sequence.Stream
		if seq >= c.to {
			j.reader.held = m
			return j.end(c)
		}
		if seq < pos {
			continue
		}
		pos = seq + 1
		if err := j.message(int64(seq), m.Data()); err != nil {
			return err
		}
		if seq%100 == 0 || meta.NumPending == 0 {
			j.count(func(c *Counts) { c.Lag = int64(meta.NumPending) })
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if pos == c.to {
			return j.end(c)
		}
	}
}

// message gives one.
func (j *natsSession) message(seq int64, data []byte) error {
	j.progress = true
	if block := seq / blockSize; block != j.block {
		if err := j.finish(); err != nil {
			return err
		}
		j.block = block
		j.give.open(j.cfg.Stream, fmt.Sprintf("%s/%d", j.name, block))
	}
	if err := j.give.message(data); err != nil {
		return err
	}
	if seq%blockSize == blockSize-1 {
		return j.finish()
	}
	return nil
}

// finish ends the open block, if there is one.
func (j *natsSession) finish() error {
	if j.block < 0 {
		return nil
	}
	j.block = -1
	j.mu.Lock()
	j.serial++
	serial := j.serial
	j.mu.Unlock()
	return j.give.end(func() error {
		j.mu.Lock()
		j.done = max(j.done, serial)
		j.mu.Unlock()
		j.settle()
		return nil
	})
}

// over says whether nothing of a claim can come any more, when nothing comes: the stream is beyond it, and has nothing in the rest of it, whose messages were removed or are of other subjects.
func (j *natsSession) over(ctx context.Context, c *claim, pos uint64) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, j.cfg.patience)
	defer stop()
	info, err := j.info(ctx)
	if err != nil {
		return false, err
	}
	if info.State.LastSeq+1 < c.to {
		return false, nil
	}
	subjects := j.cfg.Subjects
	if len(subjects) == 0 {
		subjects = []string{">"}
	}
	for _, s := range subjects {
		m, err := j.stream.GetMsg(ctx, pos, jetstream.WithGetMsgSubject(s))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("asking for the rest of a claim: %w", err)
		}
		if m.Sequence < c.to {
			return false, nil
		}
	}
	return true, nil
}

// reader reads the stream in order.
type reader struct {
	msgs chan jetstream.Msg
	held jetstream.Msg // came, and belongs to a later claim
	next uint64        // where the next claim must begin for it to go on with it
	quit chan struct{}
	cons jetstream.ConsumeContext
}

func (j *natsSession) newReader(ctx context.Context, from uint64) (*reader, error) {
	ctx, stop := context.WithTimeout(ctx, j.cfg.patience)
	defer stop()
	ordered, err := j.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: j.cfg.Subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		InactiveThreshold: time.Minute})
	if err != nil {
		return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
	}
	r := &reader{msgs: make(chan jetstream.Msg, blockSize), next: from, quit: make(chan struct{})}
	r.cons, err = ordered.Consume(func(m jetstream.Msg) {
		select {
		case r.msgs <- m:
		case <-r.quit:
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(blockSize, max(fetchBytes, 2*int(j.nc.MaxPayload()))), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { j.failed(err) }))
	if err != nil {
		return nil, fmt.Errorf("reading the stream from %d: %w", from, err)
	}
	return r, nil
}

// get is a message that is here already, or nil.
func (r *reader) get() jetstream.Msg {
	if m := r.held; m != nil {
		r.held = nil
		return m
	}
	select {
	case m := <-r.msgs:
		return m
	default:
		return nil
	}
}

func (r *reader) failed() bool {
	select {
	case <-r.cons.Closed():
		return true
	default:
		return false
	}
}

func (r *reader) stop() {
	if r != nil {
		close(r.quit)
		r.cons.Stop()
	}
}
