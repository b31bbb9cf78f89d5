package stream

import "entente/internal/input"

// Openers make the inputs of brokers, by their kinds: see [input.Open].
func Openers() map[string]input.Opener {
	return map[string]input.Opener{"kafka": opener(Kafka), "nats": opener(NATS)}
}

func opener[Config any, S interface {
	input.Source
	Counts() Counts
}](make func(Config) (S, error)) input.Opener {
	return func(t input.Table, _ string, _ input.Place) (*input.Opened, error) {
		var c Config
		if err := t.Into(&c); err != nil {
			return nil, err
		}
		s, err := make(c)
		if err != nil {
			return nil, err
		}
		return opened(s, s.Counts), nil
	}
}

// opened has the counts of a stream be those of an input.
func opened(s input.Source, counts func() Counts) *input.Opened {
	return &input.Opened{
		Source:  s,
		Counts:  func() input.Counts { c := counts(); c.Lost += c.Gone; return c.Counts },
		Lag:     func() int64 { return counts().Lag },
		Failing: func() string { return counts().Error },
	}
}
