package stream

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"entente/internal/input"
)

// blocks are what a source gives: how many lines of each block, by its number, and which of them ended.
type blocks struct {
	mu    sync.Mutex
	lines map[string]int
	names map[string]bool
	ended map[string]bool
	total int
}

func (b *blocks) take(g *input.Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines, b.names, b.ended = map[string]int{}, map[string]bool{}, map[string]bool{}
	}
	at := strings.LastIndexByte(g.Block, '/') + 1
	b.names[g.Block[:at]] = true
	b.lines[g.Block[at:]] += len(g.Lines)
	b.ended[g.Block[at:]] = g.Last
	b.total += len(g.Lines)
	return nil
}

func (b *blocks) got(n int) func() bool {
	return func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.total >= n }
}

func (b *blocks) read(t *testing.T, src source, n int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, b.take) }()
	untilOr(t, "all lines", b.got(n), func() any { return src.Counts() })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if b.total != n {
		t.Errorf("%d lines, want %d", b.total, n)
	}
}

// kfakeTopic adds a topic of one partition.
func kfakeTopic(name string) kfake.Opt { return kfake.SeedTopics(1, name) }

func keys(m map[string]bool) []string { return slices.Collect(maps.Keys(m)) }

// single is a Kafka topic of one partition, and a source for it.
func (k *kafka) single(t *testing.T, topic string, change func(*KafkaConfig)) *KafkaSource {
	t.Helper()
	cfg := k.config()
	cfg.Topics = []string{topic}
	if change != nil {
		change(&cfg)
	}
	src, err := Kafka(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func (k *kafka) fill(t *testing.T, topic string, n int, opts ...kgo.Opt) {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.DisableClientMetrics()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for range n {
		cl.Produce(context.Background(), kgo.StringRecord("x"), nil)
	}
	if err := cl.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestWhereKafkaBegins(t *testing.T) {
	k := newKafka(t, kfakeTopic("one"))
	k.fill(t, "one", 2500)
	// Somebody committed a place in the middle of a block: all of the block is read.
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = "moved"
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "one"
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset = 1700
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics, req.Generation = append(req.Topics, rt), -1
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.DisableClientMetrics(), kgo.MaxVersions(kversion.V3_0_0())) // which name topics
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if resp, err := req.RequestWith(context.Background(), cl); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal(resp, err)
	}
	var b blocks
	b.read(t, k.single(t, "one", func(c *KafkaConfig) { c.Group = "moved" }), 1500)
	if b.lines["1"] != 1000 || b.lines["2"] != 500 || !b.ended["1"] {
		t.Errorf("%+v", b.lines)
	}
	// The newest: from the beginning of the block that is being filled.
	b = blocks{}
	b.read(t, k.single(t, "one", func(c *KafkaConfig) { c.Group, c.From = "late", "newest" }), 500)
	// Which is the group's place from then on, though no block was done with.
	k.fill(t, "one", 1000)
	b = blocks{}
	b.read(t, k.single(t, "one", func(c *KafkaConfig) { c.Group, c.From = "late", "newest" }), 1500)
	// What was removed before anybody read it is counted where somebody had a place.
	if err := k.DeleteRecords("one", 0, 2200); err != nil {
		t.Fatal(err)
	}
	b = blocks{}
	late := k.single(t, "one", func(c *KafkaConfig) { c.Group = "late" })
	b.read(t, late, 1300)
	if b.lines["2"] != 800 || late.Counts().Gone != 200 {
		t.Errorf("%+v %+v", b.lines, late.Counts())
	}
	// Another topic of the same name is another.
	first := b.names
	if err := k.DeleteTopic("one"); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic("one", 1, nil); err != nil {
		t.Fatal(err)
	}
	k.fill(t, "one", 10)
	b = blocks{}
	b.read(t, k.single(t, "one", nil), 10)
	for name := range b.names {
		if first[name] {
			t.Error("the same name for another topic:", name)
		}
	}
}

// Offsets that no message has, as transactions and compaction leave them, end blocks too.
func TestOffsetsWithoutMessages(t *testing.T) {
	k := newKafka(t, kfakeTopic("one"))
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.DefaultProduceTopic("one"), kgo.TransactionalID("t"), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := context.Background()
	for _, n := range []int{999, 500, 700} { // each followed by the mark of its end: offsets 999, 1500 and 2201
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range n {
			cl.Produce(ctx, kgo.StringRecord("x"), nil)
		}
		if err := cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, n != 500); err != nil { // the second is taken back
			t.Fatal(err)
		}
	}
	var b blocks
	b.read(t, k.single(t, "one", nil), 1699)
	if b.lines["0"] != 999 || b.lines["1"] != 499 || b.lines["2"] != 201 || !b.ended["0"] || !b.ended["1"] {
		t.Errorf("%+v %+v", b.lines, b.ended)
	}
}

func (b *broker) reads(t *testing.T, change func(*NATSConfig), n int) *blocks {
	t.Helper()
	cfg := b.unhurried()
	if change != nil {
		change(&cfg)
	}
	src, err := NATS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got blocks
	got.read(t, src, n)
	return &got
}

func lines(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "x"
	}
	return all
}

func TestWhereNATSBegins(t *testing.T) {
	b := newBroker(t, nil).produces()
	b.produce("eve.a", lines(12_499)...)
	b.produce("eve.b", lines(3)...)
	b.produce("eve.a", lines(9_000)...)
	got := b.reads(t, nil, 21_502)
	if got.lines["0"] != 999 || got.lines["12"] != 1000 || got.lines["21"] != 503 {
		t.Errorf("%+v", got.lines)
	}
	// Some subjects only: blocks and claims without any message end too.
	some := b.reads(t, func(c *NATSConfig) { c.Group, c.Subjects = "some", []string{"eve.b"} }, 3)
	if some.lines["12"] != 3 || some.names[keys(got.names)[0]] {
		t.Errorf("%+v %v", some.lines, some.names)
	}
	// The newest: from the beginning of the block that is being filled, and that is the group's place.
	b.reads(t, func(c *NATSConfig) { c.Group, c.From = "late", "newest" }, 503)
	b.produce("eve.a", lines(10)...)
	b.reads(t, func(c *NATSConfig) { c.Group, c.From = "late", "newest" }, 513)
	// What was removed before anybody read it.
	if err := b.stream.Purge(context.Background(), jetstream.WithPurgeSequence(21_401)); err != nil {
		t.Fatal(err)
	}
	b.reads(t, func(c *NATSConfig) { c.Group = "late" }, 112)
	b.reads(t, func(c *NATSConfig) { c.Group = "other" }, 112)
	// Another stream of the same name is another.
	ctx := context.Background()
	if err := b.js.DeleteStream(ctx, "EVE"); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.stream, err = b.js.CreateStream(ctx, jetstream.StreamConfig{Name: "EVE", Subjects: []string{"eve.>"}}); err != nil {
		t.Fatal(err)
	}
	b.produce("eve.a", lines(10)...)
	if again := b.reads(t, nil, 10); again.names[keys(got.names)[0]] {
		t.Error("the same name for another stream")
	}
}

// A stream that is removed and made again while it is read is read from its beginning.
func TestAStreamIsMadeAnew(t *testing.T) {
	b := newBroker(t, nil).produces()
	b.produce("eve.a", lines(100)...)
	n := newNode()
	run := start(b.source(), &sensor{report: n.report})
	n.exactly(t, map[string]int{"x": 100})
	ctx := context.Background()
	if err := b.js.DeleteStream(ctx, "EVE"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreateStream(ctx, jetstream.StreamConfig{Name: "EVE", Subjects: []string{"eve.>"}}); err != nil {
		t.Fatal(err)
	}
	b.produce("eve.a", lines(50)...)
	n.exactly(t, map[string]int{"x": 150})
	run.end(t, nil)
}

// A stream that removes what somebody read cannot be shared so that nothing is lost: that is said.
func TestAQueueIsRefused(t *testing.T) {
	b := newBroker(t, nil).produces()
	if _, err := b.js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "QUEUE", Subjects: []string{"q"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	cfg := b.config()
	cfg.Stream = "QUEUE"
	src, err := NATS(cfg)
	fails(t, src, err)
	if !strings.Contains(src.Counts().Error, "retention") {
		t.Error(src.Counts().Error)
	}
}

// Nobody is done with anything until after the end: all of it is read again.
func TestWhatIsNotDoneWithComesAgain(t *testing.T) {
	b := newBroker(t, nil).produces()
	b.produce("eve.a", lines(45_000)...)
	n := newNode()
	s := &sensor{report: n.report, late: 1000}
	run := start(b.source(), s)
	n.exactly(t, map[string]int{"x": 45_000})
	run.end(t, nil)
	for _, done := range s.done { // too late: it has ended
		if err := done(); err != nil {
			t.Error(err)
		}
	}
	again := newNode()
	run = start(b.source(), &sensor{report: again.report})
	again.exactly(t, map[string]int{"x": 45_000})
	run.end(t, nil)
	if run.source.Counts().Redelivered == 0 {
		t.Error("what was taken over is counted")
	}
}
