package stix

import (
	"strings"
	"time"
)

// Order is a timestamp (2.16) as an instant in a form that compares byte by byte as the instants do, to any precision: the trailing
// zeros of the fraction and the Z are left off. The error is an *Error.
func Order(version string) (string, error) {
	if !isTimestamp(version) {
		return "", &Error{Code: "timestamp.format", Section: "2.16.1", Message: "not a timestamp of the form 2026-01-31T12:00:00.000Z: " + quote(version)}
	}
	return order(version), nil
}

// order is Order of what isTimestamp has accepted. A leap second is the same instant as the second after it, which the calendar has.
func order(t string) string {
	t = t[:len(t)-1]
	if t[17:19] == "60" {
		if at, err := time.Parse("2006-01-02T15:04:05", t[:17]+"59"); err == nil && at.Year() < 9999 {
			t = at.Add(time.Second).Format("2006-01-02T15:04:05") + t[19:]
		}
	}
	if strings.IndexByte(t, '.') >= 0 {
		t = strings.TrimRight(t, "0")
		t = strings.TrimSuffix(t, ".")
	}
	return t
}

var monthDays = [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// isTimestamp tells whether s is an RFC 3339 timestamp in UTC with an upper-case T and Z and a day that exists (2.16.1).
func isTimestamp[T string | []byte](s T) bool {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return false
	}
	num := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			if s[i] < '0' || s[i] > '9' {
				return -1
			}
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second := num(11, 13), num(14, 16), num(17, 19)
	if year < 0 || month < 1 || month > 12 || day < 1 || day > monthDays[month] || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
		second < 0 || second > 60 || second == 60 && (hour != 23 || minute != 59) { // a leap second ends a day (RFC 3339 section 5.7)
		return false
	}
	if month == 2 && day == 29 && (year%4 != 0 || year%100 == 0 && year%400 != 0) {
		return false
	}
	if len(s) == 20 {
		return true
	}
	if s[19] != '.' || len(s) < 22 {
		return false
	}
	for i := 20; i < len(s)-1; i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
