package stream

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

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

// Run implements input.Source.
func (s *KafkaSource) Run(ctx context.Context, take func(*input.Batch) error) error {
	return s.keepOn(ctx, func(ctx context.Context) (bool, error) {
		k := &kafkaSession{KafkaSource: s, give: giver{take: take, count: s.count}, owned: map[string]map[int32]*partition{}}
		err := k.run(ctx)
		return k.progress, err
	})
}
