package taxii

import (
	"errors"
	"strings"
	"time"
)

// TimeFormat is the layout of a TAXII timestamp: UTC with exactly six digits of a second (section 2).
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// FormatTime renders a TAXII timestamp.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }

var errTime = errors.New("want a timestamp such as 2026-01-31T12:00:00.000000Z, with at most nine digits of a second")

// ParseTime reads an RFC 3339 timestamp with zero to nine digits of a second. Offsets and lower case are accepted. A leap second is
// the same instant as the second after it.
func ParseTime(s string) (time.Time, error) {
	if len(s) > 40 {
		return time.Time{}, errTime
	}
	s = strings.ToUpper(s)
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		n := 0
		for j := i + 1; j < len(s) && s[j] >= '0' && s[j] <= '9'; j++ {
			n++
		}
		if s[i] == ',' || n == 0 || n > 9 {
			return time.Time{}, errTime
		}
	}
	leap := len(s) > 19 && s[16:19] == ":60"
	if leap {
		s = s[:16] + ":59" + s[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	t = t.UTC()
	if leap {
		if t.Hour() != 23 || t.Minute() != 59 { // RFC 3339 section 5.7
			return time.Time{}, errTime
		}
		t = t.Add(time.Second)
	}
	if err != nil || t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}, errTime
	}
	return t, nil
}

// looseLayouts are forms in which servers have been seen to send a date; the year comes first, so that a day is never taken for a month.
var looseLayouts = []string{
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"Mon Jan 02 2006 15:04:05 GMT-0700",
	time.RFC1123,
	time.RFC1123Z,
}

// parseLoose reads ParseTime's forms and those of servers that break the rule: no zone (taken as UTC), a space, the text of a
// JavaScript date, an HTTP date. More than nine digits of a second are not read.
func parseLoose(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := ParseTime(s); err == nil {
		return t, nil
	}
	if i := strings.Index(s, " ("); i > 0 {
		s = s[:i]
	}
	for _, layout := range looseLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errTime
}
