package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"entente/internal/fault"
)

const (
	tries    = 5 // failures in a row after which the connection is made anew
	apiTime  = 5 * time.Second
	startKey = "entente.start" // metadata of the claims' stream: the first sequence that is read
)

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
	ctx, stop := context.WithTimeout(ctx, 2*j.cfg.patience)
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
