package notify

import (
	"embed"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed words/*.json
var wordFiles embed.FS

// words is what notifications say in one language: phrases with {places} by name.
type words map[string]string

// languages is every language that notifications are written in, by its BCP 47 tag.
var languages = func() map[string]words {
	out := map[string]words{}
	files, err := wordFiles.ReadDir("words")
	if err != nil {
		panic(err) // embedded: the build is broken
	}
	for _, f := range files {
		raw, err := wordFiles.ReadFile("words/" + f.Name())
		if err != nil {
			panic(err)
		}
		var w words
		if err := json.Unmarshal(raw, &w); err != nil {
			panic(err)
		}
		out[strings.TrimSuffix(path.Base(f.Name()), ".json")] = w
	}
	return out
}()

// Languages is every language that notifications are written in.
func Languages() []string { return slices.Sorted(maps.Keys(languages)) }

// speak chooses among the languages that somebody prefers, the best first, the one that is spoken here; else the fallback.
func speak(preferred []string, fallback string) string {
	for _, tag := range preferred {
		t, err := language.Parse(tag)
		if err != nil {
			continue
		}
		base, _ := t.Base()
		if _, ok := languages[base.String()]; ok {
			return base.String()
		}
	}
	return fallback
}

// Isolates keep a text of another direction from moving what stands around it (Unicode UAX #9, section 2.4).
const (
	isolate = "\u2068"
	endIso  = "\u2069"
)

func (w words) rtl() bool { return w["direction"] == "rtl" }

// say fills a phrase. In a language that is written from right to left what is filled in is isolated.
func (w words) say(phrase string, places ...string) string {
	text := w[phrase]
	for i := 0; i+1 < len(places); i += 2 {
		text = strings.ReplaceAll(text, "{"+places[i]+"}", w.foreign(places[i+1]))
	}
	return text
}

// foreign is a text that is not of this language.
func (w words) foreign(s string) string {
	if s == "" || !w.rtl() {
		return s
	}
	return isolate + s + endIso
}

// at is a time as the language writes it, with its distance from UTC.
func (w words) at(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	offset := "UTC"
	if _, s := t.Zone(); s != 0 {
		offset += t.Format("-07:00")
	}
	return t.Format(w["time"]) + " " + offset
}

// plain is a text from outside on one line: without control characters, and without those that change the direction of writing, so that
// nobody can make a notification read otherwise than it was written.
func plain(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u061c', r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u206f', r == '\ufeff', r == '\ufffd':
			return -1
		}
		return r
	}, s)
	return clip(strings.Join(strings.Fields(s), " "), limit)
}

// defang makes a value that nobody clicks on by mistake: hxxp for http, and a bracketed dot or colon.
func defang(value string) string {
	switch {
	case strings.HasPrefix(value, "cpe:"), strings.HasPrefix(value, "pkg:"):
		return value
	case strings.Contains(value, "://"):
		scheme, rest, _ := strings.Cut(value, "://")
		host, more, slash := strings.Cut(rest, "/")
		if slash {
			more = "/" + more
		}
		if strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") {
			scheme = "hxxp" + scheme[4:]
		}
		return scheme + "://" + lastDot(host) + more
	case strings.ContainsAny(value, " "):
		return value
	case strings.Contains(value, "@"):
		user, host, _ := strings.Cut(value, "@")
		return user + "@" + lastDot(host)
	}
	return lastDot(value)
}

func lastDot(host string) string {
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		return host[:i] + "[.]" + host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.Count(host, ":") > 1 {
		return host[:i] + "[:]" + host[i+1:]
	}
	return host
}
