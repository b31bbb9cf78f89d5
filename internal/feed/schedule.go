package feed

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schedule says when a feed runs. The zero value is never by itself.
type schedule struct {
	every time.Duration // between two runs; of daily and weekly ones a day and a week
	fixed bool          // at a time of day, UTC
	at    time.Duration // since midnight
	day   time.Weekday  // of weekly ones
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const week = 7 * 24 * time.Hour

// parseSchedule reads "15m", "2d", "daily 03:00", "weekly mon 03:00" or "manual".
func parseSchedule(s string) (schedule, bool) {
	words := strings.Fields(strings.ToLower(s))
	switch {
	case len(words) == 1 && words[0] == "manual":
		return schedule{}, true
	case len(words) == 2 && words[0] == "daily":
		at, ok := parseClock(words[1])
		return schedule{every: 24 * time.Hour, fixed: true, at: at}, ok
	case len(words) == 3 && words[0] == "weekly":
		at, ok := parseClock(words[2])
		day := slices.Index(weekdays, words[1])
		return schedule{every: week, fixed: true, at: at, day: time.Weekday(max(day, 0))}, ok && day >= 0
	case len(words) == 1:
		d, ok := parseDuration(words[0])
		return schedule{every: d}, ok && d >= time.Minute && d <= 365*24*time.Hour
	}
	return schedule{}, false
}

func parseClock(s string) (time.Duration, bool) {
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// parseDuration reads "90s", "15m", "36h" or "30d".
func parseDuration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= 0 && n <= 365*100
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// after is the next time after t; zero: never.
func (s schedule) after(t time.Time) time.Time {
	switch {
	case s.every == 0:
		return time.Time{}
	case !s.fixed:
		return t.Add(s.every)
	}
	t = t.UTC()
	next := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Add(s.at)
	for !next.After(t) || s.every == week && next.Weekday() != s.day {
		next = next.Add(24 * time.Hour)
	}
	return next
}

const (
	firstPause = 30 * time.Second
	maxPause   = 6 * time.Hour
	// maxAsked is the longest that a server can make us wait.
	maxAsked = 24 * time.Hour
)

// backoff is how long a feed waits after that many failures one after another: doubled each time, and what the server asks for at least.
func backoff(failures int, asked time.Duration) time.Duration {
	return max(min(firstPause<<min(max(failures-1, 0), 20), maxPause), min(asked, maxAsked))
}

// chance is a time from 0 to less than d.
func chance(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
