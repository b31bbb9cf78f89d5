package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Bounds of a poll: what is in flight when partitions go to another consumer.
const (
	pollRecords   = 4000
	fetchesAtOnce = 2
	maxUnpacked   = 256 << 20 // bytes that a compressed set of records may unpack to
	commitEvery   = time.Second
	leaveTime     = 10 * time.Second
)

// partition is one that this consumer has.
type partition struct {
	topic  string
	number int32
	source string // topic/number
	name   string // the beginning of its blocks' names
	start  int64  // where a group begins that had no place: kept as its place when the first message came; 0: it had one
	block  int64  // that is open; negative: none
	begun  bool   // something of it was given
	next   int64  // the offset after the last that came
	end    int64  // of the partition
}

// kafkaSession is one membership in the group.
type kafkaSession struct {
	*KafkaSource
	cl       *kgo.Client
	give     giver
	now      *partition // whose block the giver has; nil: none
	progress bool

	stop context.CancelCauseFunc

	mu    sync.Mutex
	owned map[string]map[int32]*partition
	left  []*partition // were taken away: their open blocks are given up
}

func (k *kafkaSession) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.cfg.Brokers...), kgo.Dialer(k.dialer.dial), kgo.ClientID("entente"), kgo.DisableClientMetrics(), kgo.WithHooks(k),
		kgo.ConsumeTopics(k.cfg.Topics...), kgo.ConsumerGroup(k.cfg.Group), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AdjustFetchOffsetsFn(k.begin), kgo.BlockRebalanceOnPoll(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery), kgo.AutoCommitCallback(k.committed), kgo.OnPartitionsAssigned(k.assigned),
		kgo.OnPartitionsRevoked(k.revoked), kgo.OnPartitionsLost(k.lost), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes / 4),
		kgo.MaxConcurrentFetches(fetchesAtOnce), kgo.MaxDecompressBatchBytes(maxUnpacked), kgo.RetryBackoffFn(pause), kgo.MetadataMaxAge(time.Minute),
	}
	if k.cfg.SASL != "" {
		password, err := secret("password_file", k.cfg.Password)
		if err != nil {
			return nil, err
		}
		switch k.cfg.SASL {
		case "plain":
			opts = append(opts, kgo.SASL(plain.Auth{User: k.cfg.User, Pass: password}.AsMechanism()))
		case "scram-sha-256":
			opts = append(opts, kgo.SASL(scram.Auth{User: k.cfg.User, Pass: password}.AsSha256Mechanism()))
		case "scram-sha-512":
			opts = append(opts, kgo.SASL(scram.Auth{User: k.cfg.User, Pass: password}.AsSha512Mechanism()))
		}
	}
	return append(opts, k.cfg.more...), nil
}

func (k *kafkaSession) run(ctx context.Context) error {
	opts, err := k.options()
	if err != nil {
		return err
	}
	if k.cl, err = kgo.NewClient(opts...); err != nil {
		return invalid("kafka", "the client cannot be made").Because(err)
	}
	ctx, k.stop = context.WithCancelCause(ctx)
	defer k.stop(nil)
	err = k.poll(ctx)
	k.cl.CloseAllowingRebalance() // commits what is done with, and leaves the group
	k.mu.Lock()
	for _, parts := range k.owned {
		for _, p := range parts {
			k.left = append(k.left, p)
		}
	}
	k.owned = nil
	k.mu.Unlock()
	var r *refusal
	if errors.As(err, &r) {
		return err
	}
	return errors.Join(err, k.giveUp())
}

// poll takes what comes until the context ends, or something fails for good.
func (k *kafkaSession) poll(ctx context.Context) error {
	for {
		fetches := k.cl.PollRecords(ctx, pollRecords)
		if err := k.giveUp(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if err == nil {
				err = k.fetched(ctx, f)
			}
		})
		if err == nil {
			err = k.suspend()
		}
		if err != nil {
			return err
		}
		k.lag()
		k.cl.AllowRebalance()
	}
}

// fetched takes what came of one partition.
func (k *kafkaSession) fetched(ctx context.Context, f kgo.FetchTopicPartition) error {
	if f.Err != nil {
		return fmt.Errorf("reading %s/%d: %w", f.Topic, f.Partition, f.Err)
	}
	k.mu.Lock()
	p := k.owned[f.Topic][f.Partition]
	k.mu.Unlock()
	if p == nil {
		return nil // it was taken away meanwhile: who has it now reads it
	}
	if p.end = f.HighWatermark; p.start > 0 { // marks only commit what is beyond where a partition began
		k.cl.CommitOffsets(ctx, map[string]map[int32]kgo.EpochOffset{p.topic: {p.number: {Epoch: -1, Offset: p.start}}}, k.committed)
		p.start = 0
	}
	for _, r := range f.Records {
		if err := k.record(p, r, f.LogStartOffset); err != nil {
			return err
		}
	}
	return nil
}

func (k *kafkaSession) record(p *partition, r *kgo.Record, oldest int64) error {
	k.progress = true
	if p.next >= 0 && oldest > p.next {
		k.count(func(c *Counts) { c.Gone += uint64(oldest - p.next) })
	}
	p.next = r.Offset + 1
	if block := r.Offset / blockSize; block != p.block {
		if err := k.finish(p); err != nil {
			return err
		}
		p.block, p.begun = block, false
	}
	if err := k.resume(p); err != nil {
		return err
	}
	if err := k.give.message(r.Value); err != nil {
		return err
	}
	if p.next%blockSize == 0 {
		return k.finish(p)
	}
	return nil
}

func (p *partition) blockName() string { return fmt.Sprintf("%s/%d", p.name, p.block) }

// resume makes the open block of a partition the giver's.
func (k *kafkaSession) resume(p *partition) error {
	if k.now == p {
		return nil
	}
	if err := k.suspend(); err != nil {
		return err
	}
	k.now = p
	k.give.open(p.source, p.blockName())
	k.give.batch.First = !p.begun
	return nil
}

// suspend gives what the giver has of a block that stays open.
func (k *kafkaSession) suspend() error {
	p := k.now
	if p == nil {
		return nil
	}
	k.now = nil
	err := k.give.flush()
	p.begun = !k.give.batch.First
	return err
}

// finish ends the open block of a partition, if there is one.
func (k *kafkaSession) finish(p *partition) error {
	if p.block < 0 {
		return nil
	}
	if err := k.resume(p); err != nil {
		return err
	}
	after := (p.block + 1) * blockSize
	k.now, p.block = nil, -1
	return k.give.end(func() error { k.mark(p, after); return nil })
}

// mark lets the offset be committed, if the partition is still here.
func (k *kafkaSession) mark(p *partition, offset int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owned[p.topic][p.number] == p {
		k.cl.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{p.topic: {p.number: {Epoch: -1, Offset: offset}}})
	}
}

// giveUp ends the blocks of partitions that were taken away: somebody else reads them from their beginnings.
func (k *kafkaSession) giveUp() error {
	k.mu.Lock()
	left := k.left
	k.left = nil
	k.mu.Unlock()
	for _, p := range left {
		if p.block < 0 {
			continue
		}
		if err := k.resume(p); err != nil {
			return err
		}
		k.now, p.block = nil, -1
		if err := k.give.end(nil); err != nil {
			return err
		}
	}
	return nil
}

func (k *kafkaSession) lag() {
	k.mu.Lock()
	lag := int64(0)
	for _, parts := range k.owned {
		for _, p := range parts {
			if p.next >= 0 {
				lag += max(0, p.end-p.next)
			}
		}
	}
	k.mu.Unlock()
	k.count(func(c *Counts) { c.Lag = lag })
}

// committed implements kgo.AutoCommitCallback.
func (k *kafkaSession) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	k.failed(err)
	if resp == nil {
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			k.failed(kerr.ErrorForCode(p.ErrorCode))
		}
	}
}

// OnBrokerConnect implements kgo.HookBrokerConnect: brokers that cannot be reached are tried again and again, and that is to be seen.
func (k *kafkaSession) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	k.failed(err)
}
