package register

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hours are the hours of a week in which somebody is there. Each day has spans such as "08:00-12:00,13:00-17:30"; one that ends
// before it begins goes on into the next day, and 24:00 is the day's end.
type Hours struct {
	Always bool   `json:"always,omitzero"`
	Zone   string `json:"zone,omitempty"` // IANA time zone, "Europe/Berlin"; needed unless Always
	Mon    string `json:"mon,omitempty"`
	Tue    string `json:"tue,omitempty"`
	Wed    string `json:"wed,omitempty"`
	Thu    string `json:"thu,omitempty"`
	Fri    string `json:"fri,omitempty"`
	Sat    string `json:"sat,omitempty"`
	Sun    string `json:"sun,omitempty"`
}

// Open tells whether somebody is there at t. zone is the location of Zone, which the caller looks up; without one nobody is, unless
// the hours are always.
func (h *Hours) Open(t time.Time, zone *time.Location) bool {
	switch {
	case h == nil:
		return false
	case h.Always:
		return true
	case zone == nil:
		return false
	}
	t = t.In(zone)
	now := t.Hour()*60 + t.Minute()
	today, yesterday := h.day(t.Weekday()), h.day((t.Weekday()+6)%7)
	for _, s := range spans(today) {
		if now >= s.from && (now < s.to || s.to < s.from) {
			return true
		}
	}
	for _, s := range spans(yesterday) {
		if s.to < s.from && now < s.to {
			return true
		}
	}
	return false
}

func (h *Hours) day(d time.Weekday) string {
	return [...]string{h.Sun, h.Mon, h.Tue, h.Wed, h.Thu, h.Fri, h.Sat}[d]
}

type span struct{ from, to int } // minutes of the day

// spans reads a day; parts that are none are left out, because Check has refused them.
func spans(day string) []span {
	var out []span
	for part := range strings.SplitSeq(day, ",") {
		if s, ok := readSpan(part); ok {
			out = append(out, s)
		}
	}
	return out
}

func readSpan(s string) (span, bool) {
	from, to, ok := strings.Cut(strings.TrimSpace(s), "-")
	a, okA := readClock(from)
	b, okB := readClock(to)
	return span{a, b}, ok && okA && okB && a != b && a < 24*60
}

func readClock(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	h, errH := strconv.ParseUint(s[:2], 10, 8)
	m, errM := strconv.ParseUint(s[3:], 10, 8)
	return int(h*60 + m), errH == nil && errM == nil && m < 60 && h*60+m <= 24*60
}

func (h *Hours) check() (at, message string) {
	days := []struct{ name, text string }{{"mon", h.Mon}, {"tue", h.Tue}, {"wed", h.Wed}, {"thu", h.Thu}, {"fri", h.Fri}, {"sat", h.Sat}, {"sun", h.Sun}}
	any := false
	for _, d := range days {
		if d.text == "" {
			continue
		}
		any = true
		if len(d.text) > maxWord {
			return "/" + d.name, "too long"
		}
		for part := range strings.SplitSeq(d.text, ",") {
			if _, ok := readSpan(part); !ok {
				return "/" + d.name, fmt.Sprintf("%s is not a span of hours: write 08:00-17:30", quote(part))
			}
		}
	}
	switch {
	case h.Always && (any || h.Zone != ""):
		return "", "hours that are always name neither days nor a zone"
	case h.Always:
		return "", ""
	case !any:
		return "", "the hours name no day: give one, or say always"
	case !isZone(h.Zone):
		return "/zone", fmt.Sprintf("%s is not an IANA time zone: write Europe/Berlin", quote(h.Zone))
	}
	return "", ""
}

// isZone looks at the form only: the zones of the world change, and the language holds no table of them.
func isZone(s string) bool {
	if s == "" || len(s) > 64 || s == "Local" || strings.Contains(s, "..") || s[0] == '/' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if i == 0 || !(c >= '0' && c <= '9' || c == '/' || c == '_' || c == '-' || c == '+') {
				return false
			}
		}
	}
	return true
}
