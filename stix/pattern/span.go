package pattern

import "time"

// span turns times into ticks from the earliest observation: nanoseconds, or microseconds where observations are centuries apart.
type span struct {
	origin time.Time
	micro  bool
}

// farTicks is beyond any observation; sums of two such numbers do not overflow.
const farTicks = 1 << 61

func makeSpan(obs []Observation) span {
	if len(obs) == 0 {
		return span{}
	}
	s := span{origin: obs[0].First}
	last := obs[0].Last
	for i := range obs {
		if obs[i].First.Before(s.origin) {
			s.origin = obs[i].First
		}
		if obs[i].Last.After(last) {
			last = obs[i].Last
		}
	}
	s.micro = last.Sub(s.origin) > farTicks-time.Second
	return s
}

// ticks rounds down.
func (s span) ticks(t time.Time) int64 {
	seconds := t.Unix() - s.origin.Unix()
	nanos := int64(t.Nanosecond()) - int64(s.origin.Nanosecond())
	scale, each := int64(1e9), int64(1)
	if s.micro {
		scale, each = 1e6, 1000
	}
	if seconds > farTicks/scale {
		return farTicks
	}
	if seconds < -farTicks/scale {
		return -farTicks
	}
	return seconds*scale + floorDiv(nanos, each)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// width is the greatest distance in ticks of two times that are within the given seconds of each other.
func (s span) width(c Constant, closed bool) int64 {
	scale := 1e9
	if s.micro {
		scale = 1e6
	}
	seconds := c.Float
	if c.Kind == Integer {
		seconds = float64(c.Int)
	}
	ticks := seconds * scale
	if ticks >= farTicks {
		return farTicks
	}
	whole := int64(ticks)
	if !closed && float64(whole) == ticks {
		whole--
	}
	return whole
}
