package accord

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	day         = 24 * time.Hour
	maxDuration = 36500 * day
)

var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{{"y", 365 * day}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}}

// parseDuration reads "365d", "24h", "30m" or "1y", which is 365 days.
func parseDuration(s string) (time.Duration, bool) {
	for _, u := range durationUnits {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			n, ok := parseCount(digits, int64(maxDuration/u.unit))
			return time.Duration(n) * u.unit, ok && n > 0
		}
	}
	return 0, false
}

// printDuration writes hours up to three days and days beyond, as agreements do.
func printDuration(d time.Duration) string {
	switch {
	case d%day == 0 && d > 3*day:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
}

var sizeUnits = []string{"B", "KiB", "MiB", "GiB", "TiB"}

const maxSize = 1 << 50

// parseSize reads "256KiB": a whole number of B, KiB, MiB, GiB or TiB.
func parseSize(s string) (int64, bool) {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if digits, ok := strings.CutSuffix(s, sizeUnits[i]); ok {
			n, ok := parseCount(digits, maxSize>>(10*i))
			return n << (10 * i), ok && n > 0
		}
	}
	return 0, false
}

func printSize(n int64) string {
	i := 0
	for ; n%1024 == 0 && n > 0 && i < len(sizeUnits)-1; i++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + sizeUnits[i]
}

// parseCount reads a decimal number without sign or leading zeros.
func parseCount(s string, most int64) (int64, bool) {
	if s == "" || len(s) > 18 || len(s) > 1 && s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n <= most
}

func parsePercent(s string) (int, bool) {
	digits, ok := strings.CutSuffix(s, "%")
	n, whole := parseCount(digits, 100)
	return int(n), ok && whole && n > 0
}

func parseDay(s string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil && t.Year() >= 1970
}

func printDay(t time.Time) string { return t.Format(time.DateOnly) }

// parseConsent reads what a number of parties is written as in quotes: "2/3" or "75%".
func parseConsent(s string) (string, bool) {
	if _, ok := parsePercent(s); ok {
		return s, true
	}
	k, n, ok := strings.Cut(s, "/")
	a, okA := parseCount(k, MaxParties)
	b, okB := parseCount(n, MaxParties)
	return s, ok && okA && okB && 0 < a && a <= b
}

// Unfilled is how a draft writes a digest that is not known yet. Nobody can sign such a text.
const Unfilled = "sha256:..."

func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == "" || s == Unfilled
}

// isWord tells whether s is a bare word: kinds, roles and origins are such.
func isWord(s string) bool {
	return s != "" && len(s) <= 100 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isOrg tells whether s can be the name of an organisation: what a key log and an audience may have as one. A / would end it there.
func isOrg(s string) bool {
	return s != "" && len(s) <= maxOrg && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == '/' })
}

const maxOrg = 128

// isName tells whether s can name an accord, a clause or a register.
func isName(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s[:1], ".-") != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// isPath tells whether s is a type or a property of one: "identity.name".
func isPath(s string) bool {
	if len(s) > 200 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// isHost tells whether s is a host's name or address, with or without a port.
func isHost(s string) bool {
	return s != "" && len(s) <= 260 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.:[]") == ""
}

const maxText = 500

// isText tells whether s is a line of prose that reads as it is stored: characters that no one sees, or that turn the direction of reading, would
// let a text say to its readers what it does not say.
func isText(s string) bool {
	return s != "" && len(s) <= maxText && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool {
		return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u200b' || c == '\u2060' || c == '\ufeff' || c == '\u2028' || c == '\u2029' || c == utf8.RuneError
	})
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", "$${", "%{", "%%{")

// quoted writes a string as HCL reads it.
func quoted(s string) string { return `"` + escapes.Replace(s) + `"` }

// cited writes foreign words into a message.
func cited(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%q", s)
}
