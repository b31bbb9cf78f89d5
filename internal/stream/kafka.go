package stream

import (
	"context"
	"encoding/hex"
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

	"entente/internal/input"
)

// KafkaConfig is an input from Kafka.
type KafkaConfig struct {
	Brokers []string `toml:"brokers"` // host:port, of all brokers that have partitions of the topics
	Topics  []string `toml:"topics"`
	Group   string   `toml:"group"`
	From    string   `toml:"from"` // where a group begins that has no place yet: oldest, the default, or newest
	TLS
	SASL     string `toml:"sasl"` // plain, scram-sha-256 or scram-sha-512
	User     string `toml:"user"`
	Password string `toml:"password_file"`

	more []kgo.Opt // of tests: shorter times
}

// Validate says what is wrong with it.
func (c *KafkaConfig) Validate() error {
	if err := addresses("brokers", c.Brokers); err != nil {
		return err
	}
	if len(c.Topics) == 0 || len(c.Topics) > maxSubjects {
		return invalid("topics", "one to %d topics are needed", maxSubjects)
	}
	for _, t := range c.Topics {
		if t == "" || len(t) > 249 {
			return invalid("topics", "%q is no name of a topic", t)
		}
	}
	if c.Group == "" {
		return invalid("group", "sensors that share the topics need the name of a group")
	}
	if err := from(c.From); err != nil {
		return err
	}
	if err := c.TLS.validate(); err != nil {
		return err
	}
	switch c.SASL {
	case "":
		if c.User != "" || c.Password != "" {
			return invalid("sasl", "a user needs sasl: plain, scram-sha-256 or scram-sha-512")
		}
		return nil
	case "plain":
		if !c.TLS.on() {
			return invalid("sasl", "plain gives the password to whoever listens: it needs TLS")
		}
	case "scram-sha-256", "scram-sha-512":
	default:
		return invalid("sasl", "sasl is plain, scram-sha-256 or scram-sha-512, not %q", c.SASL)
	}
	if c.User == "" || c.Password == "" {
		return invalid("user", "sasl needs user and password_file")
	}
	return nil
}

// KafkaSource reads topics as one of a consumer group.
type KafkaSource struct {
	counter
	cfg    KafkaConfig
	dialer dialer
}

// Kafka makes a source; it connects when it runs.
func Kafka(cfg KafkaConfig) (*KafkaSource, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	conf, err := cfg.TLS.config()
	if err != nil {
		return nil, err
	}
	s := &KafkaSource{cfg: cfg, dialer: dialer{cfg.Brokers, conf}}
	s.c.Lag = -1
	if cfg.SASL != "" { // a password that cannot be read is told at once
		if _, err := secret("password_file", cfg.Password); err != nil {
			return nil, err
		}
	}
	return s, nil
}

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

// Run implements input.Source.
func (s *KafkaSource) Run(ctx context.Context, take func(*input.Batch) error) error {
	return s.keepOn(ctx, func(ctx context.Context) (bool, error) {
		k := &kafkaSession{KafkaSource: s, give: giver{take: take, count: s.count}, owned: map[string]map[int32]*partition{}}
		err := k.run(ctx)
		return k.progress, err
	})
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
		p.block = block
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
	return nil
}

// suspend gives what the giver has of a block that stays open.
func (k *kafkaSession) suspend() error {
	if k.now == nil {
		return nil
	}
	k.now = nil
	return k.give.flush()
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

// assigned implements kgo.OnPartitionsAssigned.
func (k *kafkaSession) assigned(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
	names, err := topicNames(ctx, cl, parts)
	if err != nil { // blocks without the right name must not be: begin anew
		k.stop(err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for topic, numbers := range parts {
		if k.owned[topic] == nil {
			k.owned[topic] = map[int32]*partition{}
		}
		for _, n := range numbers {
			source := fmt.Sprintf("%s/%d", topic, n)
			k.owned[topic][n] = &partition{topic: topic, number: n, source: source, name: fmt.Sprintf("kafka:%s/%d", names[topic], n), block: -1, next: -1}
		}
	}
	k.count(func(c *Counts) { c.Rebalances++ })
}

// topicNames names topics so that another topic of that name, before, after or in another cluster, is another.
func topicNames(ctx context.Context, cl *kgo.Client, parts map[string][]int32) (map[string]string, error) {
	req := kmsg.NewPtrMetadataRequest()
	for topic := range parts {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
	}
	if len(req.Topics) == 0 {
		return nil, nil
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("asking what topics are called: %w", err)
	}
	names := map[string]string{}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil || t.Topic == nil {
			return nil, fmt.Errorf("asking what topics are called: %w", errors.Join(err, errors.New("one has no name")))
		}
		names[*t.Topic] = *t.Topic + "@" + hex.EncodeToString(t.TopicID[:])
		if t.TopicID == [16]byte{} && resp.ClusterID != nil { // brokers before 2.8
			names[*t.Topic] = *t.Topic + "@" + *resp.ClusterID
		}
	}
	return names, nil
}

// revoked implements kgo.OnPartitionsRevoked: nothing is in flight while it is called.
func (k *kafkaSession) revoked(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
	ctx, stop := context.WithTimeout(ctx, leaveTime)
	defer stop()
	k.failed(cl.CommitMarkedOffsets(ctx))
	k.lost(ctx, cl, parts)
}

// lost implements kgo.OnPartitionsLost.
func (k *kafkaSession) lost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for topic, numbers := range parts {
		for _, n := range numbers {
			if p := k.owned[topic][n]; p != nil {
				k.left = append(k.left, p)
				delete(k.owned[topic], n)
			}
		}
	}
}

// begin implements kgo.AdjustFetchOffsetsFn: whatever was committed, the beginning of its block is where it begins.
func (k *kafkaSession) begin(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var ends map[string]map[int32]int64
	for topic, parts := range offsets {
		for n, o := range parts {
			at := o.EpochOffset().Offset
			k.mu.Lock()
			p := k.owned[topic][n]
			if p == nil {
				p = &partition{} // it was taken away again
			}
			p.next = at
			k.mu.Unlock()
			if at < 0 { // no place is kept
				if k.cfg.From != "newest" {
					continue
				}
				if ends == nil {
					var err error
					if ends, err = k.ends(ctx, offsets); err != nil {
						return nil, err
					}
				}
				at = ends[topic][n]
				k.mu.Lock()
				p.start = at - at%blockSize
				k.mu.Unlock()
			}
			if down := at - at%blockSize; down != o.EpochOffset().Offset {
				parts[n] = kgo.NewOffset().At(down)
			}
		}
	}
	return offsets, nil
}

// ends asks where partitions end.
func (k *kafkaSession) ends(ctx context.Context, of map[string]map[int32]kgo.Offset) (map[string]map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = 1
	for topic, parts := range of {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for n := range parts {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	ends := map[string]map[int32]int64{}
	for _, shard := range k.cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, fmt.Errorf("asking where partitions end: %w", shard.Err)
		}
		resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if !ok {
			return nil, errors.New("asking where partitions end: another answer came")
		}
		for _, t := range resp.Topics {
			if ends[t.Topic] == nil {
				ends[t.Topic] = map[int32]int64{}
			}
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("asking where %s/%d ends: %w", t.Topic, p.Partition, err)
				}
				ends[t.Topic][p.Partition] = p.Offset
			}
		}
	}
	return ends, nil
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
