package sigma

import (
	"strconv"
	"time"
)

// timeLayouts are the forms in which logs write times. A fraction of a second may follow the seconds in all of them.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02"}

// milliseconds is from when on a number counts milliseconds and not seconds since 1970: as seconds it would be in the year 5138.
const milliseconds = 100_000_000_000

// timePart is a part of a time as the log writes it: the zone is not changed. A number is seconds or milliseconds since 1970 in UTC.
func timePart(text string, part TimePart) (number string, ok bool) {
	t, ok := parseTime(text)
	if !ok {
		return "", false
	}
	n := 0
	switch part {
	case Minute:
		n = t.Minute()
	case Hour:
		n = t.Hour()
	case Day:
		n = t.Day()
	case Week:
		_, n = t.ISOWeek()
	case Month:
		n = int(t.Month())
	case Year:
		n = t.Year()
	}
	return strconv.Itoa(n), true
}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	if _, ok := parseDecimal(text); !ok {
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f > milliseconds*1000 {
		return time.Time{}, false
	}
	if f >= milliseconds {
		f /= 1000
	}
	return time.Unix(int64(f), 0).UTC(), true // no part is smaller than a minute
}
