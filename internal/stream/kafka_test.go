package stream

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafka is a broker in this process, with a topic of 4 partitions.
type kafka struct {
	t testing.TB
	*kfake.Cluster
	producer *kgo.Client
}

func newKafka(t testing.TB, opts ...kfake.Opt) *kafka {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(4, "eve"), kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := &kafka{t: t, Cluster: c}
	if k.producer, err = kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("eve"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.DisableClientMetrics()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.producer.Close)
	return k
}

func (k *kafka) produce(lines ...string) {
	k.t.Helper()
	records := make([]*kgo.Record, len(lines))
	for i, l := range lines {
		records[i] = &kgo.Record{Value: []byte(l)}
	}
	if err := k.producer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// quick are the times of tests.
func quick() []kgo.Opt {
	return []kgo.Opt{kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(50 * time.Millisecond), kgo.FetchMaxWait(50 * time.Millisecond), kgo.AutoCommitInterval(100 * time.Millisecond)}
}

func (k *kafka) config() KafkaConfig {
	return KafkaConfig{Brokers: k.ListenAddrs(), Topics: []string{"eve"}, Group: "sensors", TLS: TLS{Mode: "off"}, more: quick()}
}

func (k *kafka) source() *KafkaSource {
	k.t.Helper()
	s, err := Kafka(k.config())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

func TestKafka(t *testing.T) {
	k := newKafka(t)
	lines, want := events(0, 9500)
	k.produce(lines...)
	n := newNode()
	r := start(k.source(), &sensor{node: n})
	n.exactly(t, want)
	until(t, "no lag", func() bool { return r.source.Counts().Lag == 0 })
	more, sums := events(9500, 700)
	k.produce(more...)
	n.exactly(t, add(want, sums))
	r.end(t, nil)
	if c := r.source.Counts(); c.Messages != 10200 || c.Lines != 10200 || c.Errors != 0 {
		t.Errorf("%+v", c)
	}
	// Whole blocks are committed, and what comes after them is read again.
	again := newNode()
	r = start(k.source(), &sensor{node: again})
	until(t, "the open blocks", func() bool { return again.total() == 10200-8000 })
	r.end(t, nil)
	if r.sensor.lines != 2200 {
		t.Errorf("%d lines came again", r.sensor.lines)
	}
}
