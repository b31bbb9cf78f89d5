package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"entente/internal/fault"
)

// Sensors of a group share a stream of JetStream by claims: ten blocks in a row each. A claim is a message in a stream of the group's own, a work queue, whose consumer gives each to one
// sensor, and to another when that one does not say within its time that it is at work (AckWait, and acknowledgements of progress). The messages of a claim are read by an ordered consumer,
// which asks for no acknowledgement of each. Claims are made for what the stream has, in order and each once: the number of a claim is its sequence in its stream, and publishing
// asks the server to refuse another one of that sequence.
const (
	claimSize  = 10 * blockSize
	claimsOpen = 64 // claims that are made before earlier ones are done with
	claimsHeld = 64 // claims that one sensor has read and is not done with
	tries      = 5  // failures in a row after which the connection is made anew
	waitClaim  = 500 * time.Millisecond
	lookAgain  = time.Second // how often is looked whether a claim can have more messages, when none come
	apiTime    = 5 * time.Second
	startKey   = "entente.start" // metadata of the claims' stream: the first sequence that is read
)

// claim is one that this sensor holds.
type claim struct {
	msg      jetstream.Msg
	from, to uint64 // sequences; to is the first that is not in it
	last     uint64 // serial of the last block that was given before it ended
	ended    bool   // all of it was given
}

// natsSession is one connection.
type natsSession struct {
	*NATSSource
	give     giver
	progress bool
	nc       *nats.Conn
	stream   jetstream.Stream
	work     jetstream.Stream // of claims
	subject  string
	consumer jetstream.Consumer // of claims
	name     string             // beginning of the blocks' names
	start    uint64
	reader   *reader
	block    int64 // that is open; negative: none

	mu      sync.Mutex
	held    []*claim
	serial  uint64 // of blocks that were given
	done    uint64 // blocks up to this serial are done with
	settled chan struct{}
}

func (j *natsSession) run(ctx context.Context) (err error) {
	if j.nc, err = j.connect(ctx); err != nil {
		return err
	}
	defer j.nc.Close()
	if err := j.prepare(ctx); err != nil {
		return err
	}
	beat, stop := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() { j.beat(beat) })
	err = j.share(ctx)
	stop()
	beating.Wait()
	j.reader.stop()
	j.giveBack()
	var r *refusal
	if errors.As(err, &r) {
		return err
	}
	if j.block >= 0 { // it is not done with: somebody reads it from its beginning
		j.block = -1
		err = errors.Join(err, j.give.end(nil))
	}
	return err
}

// prepare finds the stream, and finds or makes the one of the claims.
func (j *natsSession) prepare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 2*apiTime)
	defer stop()
	js, err := jetstream.New(j.nc)
	if err != nil {
		return fmt.Errorf("using JetStream: %w", err)
	}
	if j.stream, err = js.Stream(ctx, j.cfg.Stream); err != nil {
		return fmt.Errorf("finding the stream %s: %w", j.cfg.Stream, err)
	}
	info := j.stream.CachedInfo()
	if err := usable(info); err != nil {
		return err
	}
	j.name, j.block = j.prefix(info), -1
	name, subject := j.claims(j.name)
	j.subject = subject
	if j.work, err = js.Stream(ctx, name); errors.Is(err, jetstream.ErrStreamNotFound) {
		start := info.State.FirstSeq
		if j.cfg.From == "newest" {
			start = info.State.LastSeq + 1
		}
		start -= start % blockSize
		j.work, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			Replicas: info.Config.Replicas, Description: "which part of " + j.cfg.Stream + " a sensor of the group " + j.cfg.Group + " reads",
			Metadata: map[string]string{startKey: strconv.FormatUint(start, 10)}})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another sensor was first
			j.work, err = js.Stream(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("finding the stream %s of the group's claims: %w", name, err)
	}
	if j.start, err = strconv.ParseUint(j.work.CachedInfo().Config.Metadata[startKey], 10, 64); err != nil {
		return fault.New(fault.Unprocessable, "stream.claims", "the stream %s does not say where the group %s begins", name, j.cfg.Group).
			Try("remove that stream: the group begins anew")
	}
	if j.consumer, err = j.work.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "sensors", AckPolicy: jetstream.AckExplicitPolicy, AckWait: j.cfg.lease, MaxDeliver: -1,
		MaxAckPending: 10_000}); err != nil {
		return fmt.Errorf("finding the consumer of the group's claims: %w", err)
	}
	return nil
}

// share claims and reads until the context ends or too much fails.
func (j *natsSession) share(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		c, err := j.next(ctx)
		if err == nil && c != nil {
			err = j.read(ctx, c)
		}
		var r *refusal
		switch {
		case errors.As(err, &r):
			return err
		case ctx.Err() != nil:
		case err == nil:
			failures = 0
		case failures == tries, errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, nats.ErrConnectionClosed):
			return err
		default:
			j.failed(err)
			select {
			case <-ctx.Done():
			case <-time.After(pause(failures)):
			}
			failures++
		}
	}
	return ctx.Err()
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
	ctx, stop := context.WithTimeout(ctx, apiTime)
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

// over says whether nothing of a claim can come any more, when nothing comes: the stream is beyond it, and has nothing in the rest of it, whose messages were removed or are of other subjects.
func (j *natsSession) over(ctx context.Context, c *claim, pos uint64) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, apiTime)
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
	ctx, stop := context.WithTimeout(ctx, apiTime)
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
