package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sensors of a group share a stream of JetStream by claims: ten blocks in a row each. A claim is a message in a stream of the group's own, a work queue, whose consumer gives each to one
// sensor, and to another when that one does not say within its time that it is at work (AckWait, and acknowledgements of progress). The messages of a claim are read by an ordered consumer,
// which asks for no acknowledgement of each. Claims are made for what the stream has, in order and each once: the number of a claim is its sequence in its stream, and publishing
// asks the server to refuse another one of that sequence.
const (
	claimSize  = 10 * blockSize
	claimsOpen = 64 // claims that are made before earlier ones are done with
	claimsHeld = 64 // claims that one sensor has read and is not done with
	waitClaim  = 500 * time.Millisecond
)

// claim is one that this sensor holds.
type claim struct {
	msg      jetstream.Msg
	from, to uint64 // sequences; to is the first that is not in it
	last     uint64 // serial of the last block that was given before it ended
	ended    bool   // all of it was given
}

// next makes claims for what the stream has, and takes one; nil: there is none now.
func (j *natsSession) next(ctx context.Context) (*claim, error) {
	for { // what was read must be done with some time
		j.mu.Lock()
		n := len(j.held)
		j.mu.Unlock()
		if n < claimsHeld {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-j.settled:
		}
	}
	info, err := j.claimable(ctx)
	if err != nil {
		return nil, err
	}
	got, err := j.consumer.Fetch(1, jetstream.FetchMaxWait(waitClaim))
	if err != nil {
		return nil, fmt.Errorf("taking a claim: %w", err)
	}
	msg := <-got.Messages()
	if err := got.Error(); msg == nil {
		if err != nil && !errors.Is(err, nats.ErrTimeout) {
			return nil, fmt.Errorf("taking a claim: %w", err)
		}
		j.count(func(c *Counts) { c.Lag = 0; c.Error = "" })
		return nil, nil
	}
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("taking a claim: %w", err)
	}
	number := j.start/claimSize + meta.Sequence.Stream - 1
	c := &claim{msg: msg, from: max(number*claimSize, j.start, 1), to: (number + 1) * claimSize}
	if meta.NumDelivered > 1 {
		j.count(func(c *Counts) { c.Redelivered++ })
	}
	if first := min(info.State.FirstSeq, c.to); first > c.from && c.from > j.start {
		j.count(func(k *Counts) { k.Gone += first - c.from })
	}
	j.mu.Lock()
	j.held = append(j.held, c)
	j.mu.Unlock()
	return c, nil
}

// claimable makes claims for what the stream has, as far as they may be open at once.
func (j *natsSession) claimable(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, stop := context.WithTimeout(ctx, j.cfg.patience)
	defer stop()
	info, err := j.info(ctx)
	if err != nil {
		return nil, err
	}
	want := uint64(0)
	if info.State.LastSeq >= j.start && info.State.LastSeq > 0 {
		want = info.State.LastSeq/claimSize - j.start/claimSize + 1
	}
	work, err := j.work.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the group's claims: %w", err)
	}
	js, err := jetstream.New(j.nc)
	if err != nil {
		return nil, fmt.Errorf("using JetStream: %w", err)
	}
	open := work.State.Msgs
	for n := work.State.LastSeq; n < want && open < claimsOpen; n, open = n+1, open+1 {
		_, err := js.Publish(ctx, j.subject, strconv.AppendUint(nil, j.start/claimSize+n, 10), jetstream.WithExpectLastSequence(n))
		var refused *jetstream.APIError
		if errors.As(err, &refused) && (refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
			break // another sensor makes them
		}
		if err != nil {
			return nil, fmt.Errorf("making a claim: %w", err)
		}
	}
	return info, nil
}

// info says how far the stream is, if it is still the one that it was.
func (j *natsSession) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking how far the stream is: %w", err)
	}
	if j.prefix(info) != j.name {
		return nil, fmt.Errorf("the stream %s is another than before: %w", j.cfg.Stream, jetstream.ErrStreamNotFound)
	}
	return info, nil
}

// end ends a claim: all of it was given.
func (j *natsSession) end(c *claim) error {
	if err := j.finish(); err != nil {
		return err
	}
	j.reader.next = c.to
	j.mu.Lock()
	c.ended, c.last = true, j.serial
	j.mu.Unlock()
	j.settle()
	return nil
}

// settle acknowledges the claims that are done with. A lost acknowledgement has the claim read again, and counted once.
func (j *natsSession) settle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = slices.DeleteFunc(j.held, func(c *claim) bool {
		over := c.ended && c.last <= j.done
		if over {
			j.failed(c.msg.Ack())
		}
		return over
	})
	select {
	case j.settled <- struct{}{}:
	default:
	}
}

// abandon gives a claim up, and what was read of its open block.
func (j *natsSession) abandon(c *claim, why error) error {
	j.leave(c)
	j.reader.stop()
	j.reader = nil
	if j.block < 0 {
		return why
	}
	j.block = -1
	return errors.Join(why, j.give.end(nil))
}

// leave gives a claim back: another sensor may take it at once.
func (j *natsSession) leave(c *claim) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = slices.DeleteFunc(j.held, func(h *claim) bool { return h == c })
	j.failed(c.msg.Nak())
}

// giveBack gives back what is not done with: another sensor may read it at once.
func (j *natsSession) giveBack() {
	j.mu.Lock()
	held := slices.Clone(j.held)
	j.mu.Unlock()
	for _, c := range held {
		j.leave(c)
	}
	if !j.nc.IsClosed() && j.nc.IsConnected() {
		j.failed(j.nc.FlushTimeout(time.Second))
	}
}

// beat says that the claims which are held are being worked at.
func (j *natsSession) beat(ctx context.Context) {
	tick := time.NewTicker(j.cfg.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		for _, c := range j.held {
			j.failed(c.msg.InProgress())
		}
		j.mu.Unlock()
	}
}
