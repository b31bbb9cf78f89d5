package notify

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"entente/label"
	"entente/register"
)

var update = flag.Bool("update", false, "write the golden texts anew")

var placeForm = regexp.MustCompile(`\{[a-z]+\}`)

// TestLanguagesAreComplete holds every language to the phrases and places of English.
func TestLanguagesAreComplete(t *testing.T) {
	if len(Languages()) < 6 {
		t.Fatalf("only %v", Languages())
	}
	english := languages["en"]
	rtl := 0
	for _, tag := range Languages() {
		w := languages[tag]
		if w.rtl() {
			rtl++
		}
		for key, phrase := range english {
			if w[key] == "" {
				t.Errorf("%s has no %q", tag, key)
			}
			a, b := placeForm.FindAllString(phrase, -1), placeForm.FindAllString(w[key], -1)
			slices.Sort(a)
			slices.Sort(b)
			if d := cmp.Diff(a, b); d != "" {
				t.Errorf("%s %q has other places: %s", tag, key, d)
			}
		}
		for key, phrase := range w {
			if english[key] == "" && key != "direction" {
				t.Errorf("%s has %q, which English has not", tag, key)
			}
			if strings.ContainsFunc(phrase, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) || r < ' ' }) {
				t.Errorf("%s %q has characters that are not seen", tag, key)
			}
		}
	}
	if rtl < 2 {
		t.Errorf("%d languages are written from right to left", rtl)
	}
	// What the code asks for is there.
	files, err := filepath.Glob("*.go")
	must(t, err)
	asked := regexp.MustCompile(`w(?:\[|\.say\()"([a-z.]+)"[\],)]`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		for _, m := range asked.FindAllStringSubmatch(string(b), -1) {
			if english[m[1]] == "" && !strings.HasSuffix(m[1], ".") && m[1] != "direction" {
				t.Errorf("%s asks for %q, which is no phrase", f, m[1])
			}
		}
	}
}

// TestSpeak chooses a language.
func TestSpeak(t *testing.T) {
	for _, c := range []struct {
		want   string
		wishes []string
	}{{"en", nil}, {"de", []string{"de-AT"}}, {"ar", []string{"xx", "ar-KW", "en"}}, {"he", []string{"iw"}}, {"en", []string{"no such"}}, {"uk", []string{"tlh", "uk-UA"}}, {"fr", []string{"fr-CA", "en"}}} {
		if got := speak(c.wishes, "en"); got != c.want {
			t.Errorf("%v: %s, want %s", c.wishes, got, c.want)
		}
	}
}

// TestGoldenTexts writes one digest and one hint in every language. Run with -update to write them anew, and read what has changed.
func TestGoldenTexts(t *testing.T) {
	cfg, err := DefaultConfig().read("")
	must(t, err)
	cfg.Contact = "Utopia CERT, soc@utopia.example"
	zones := map[string]string{"ar": "Asia/Kuwait", "he": "Asia/Jerusalem", "uk": "Europe/Kyiv", "de": "Europe/Berlin", "en": "UTC", "fr": "Europe/Paris", "es": "America/Mexico_City"}
	at := time.Date(2026, 11, 21, 22, 30, 0, 0, time.UTC)
	l := label.For(label.Amber)
	l.PAP, l.NotAfter = label.PAPAmber, at.Add(90*day)
	caveats, err := label.NewSet("no-media")
	must(t, err)
	l.Caveat = caveats
	list := []*alert{
		{Alert: Alert{Severity: Critical, Title: "CVE-2026-0001", Object: "vulnerability--x", Matches: []Match{{Kind: register.SoftwareAsset, Asset: "Acme Door 2.1", Value: "Acme Door"}}, Source: "kev"},
			Facts: facts{Type: "vulnerability", Exploited: true, Due: "2026-12-24", Since: at}},
		{Alert: Alert{Severity: High, Title: "Beacon", Object: "indicator--x", Matches: []Match{{Kind: register.NetworkAsset, Asset: "203.0.113.0/24", Name: "Pumps", Value: "203.0.113.9"},
			{Kind: register.DomainAsset, Asset: "water.example", Value: "http://pay.water.example/x"}}}, Facts: facts{Type: "indicator", Since: at, Until: at.Add(7 * day)}},
	}
	for _, tag := range Languages() {
		zone, err := location(zones[tag])
		must(t, err)
		p := paper{w: languages[tag], zone: zone, c: &cfg}
		d := &Desk{o: Options{Nation: "UTO", Org: "Utopia CERT", Now: time.Now}, index: register.NewIndex()}
		var all strings.Builder
		for _, kind := range []Kind{Digest, Hint, Withdrawn} {
			n := &notification{Notification: Notification{ID: "notice-000000000000000000000001", Kind: kind, Name: "Utopia Water", Contact: "Water SOC", More: 3, TLP: l.TLP.String(), Language: tag}, Mark: mark{Label: l},
				Of: "notice-000000000000000000000000", OfTime: at}
			if kind == Digest {
				p.full(n, list)
			} else {
				p.short(n)
			}
			m := d.message(n)
			all.WriteString("Subject: " + m.Subject + "\n\n" + m.Text + "\n=====\n\n")
		}
		file := filepath.Join("testdata", "text."+tag+".txt")
		if *update {
			must(t, os.MkdirAll("testdata", 0o755))
			must(t, os.WriteFile(file, []byte(all.String()), 0o644))
		}
		want, err := os.ReadFile(file)
		must(t, err)
		if d := cmp.Diff(string(want), all.String()); d != "" {
			t.Errorf("%s (-want +got): %s", tag, d)
		}
		if strings.Contains(all.String(), "{") {
			t.Errorf("%s leaves a place unfilled", tag)
		}
		for at, line := range strings.Split(all.String(), "\n") {
			if strings.Count(line, isolate) != strings.Count(line, endIso) {
				t.Errorf("%s line %d: an isolate is not closed: %q", tag, at+1, line)
			}
		}
	}
}

// TestPlain makes any text one line that cannot change what stands around it.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		got := plain(s, 50)
		if strings.ContainsAny(got, "\n\r\t") || strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) }) || len(got) > 60 {
			t.Fatalf("%q", got)
		}
		if plain(got, 80) != got {
			t.Fatalf("%q is not as it stays: %q", got, plain(got, 80))
		}
	})
}

// TestHostileContent lets an object try to write headers, labels and directions into a notification.
func TestHostileContent(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	evil := "TLP:CLEAR\\r\\nBcc: all@evil.example\\r\\n\\r\\n.\\r\\n\\u202eelpmaxe"
	n := w.told(strings.Replace(indicator(1, 0, address("203.0.113.9"), ""), "Beacon 1", evil, 1))
	w.deliver()
	msg, text := readMail(t, m.mails()[0].body)
	if msg.Header.Get("Bcc") != "" || m.mails()[0].to != "soc@water.example" || strings.Contains(text, "\u202e") {
		t.Errorf("%v\n%s", msg.Header, text)
	}
	for line := range strings.Lines(text) {
		if line == "TLP:CLEAR\r\n" || line == ".\r\n" {
			t.Errorf("the object wrote the line %q", line)
		}
	}
	has(t, text, n.ID)
}

func TestDefang(t *testing.T) {
	for in, want := range map[string]string{"203.0.113.9": "203.0.113[.]9", "http://a.example/x.y": "hxxp://a[.]example/x.y", "https://a.example": "hxxps://a[.]example", "a@b.example": "a@b[.]example",
		"2001:db8::1": "2001:db8:[:]1", "cpe:2.3:a:x:y:1.0": "cpe:2.3:a:x:y:1.0", "Acme Door": "Acme Door", "water.example": "water[.]example", "": ""} {
		if got := defang(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzMail composes mails of any texts: what is read back is what was written, and headers stay headers.
func FuzzMail(f *testing.F) {
	f.Add("subject", "text", "SOC")
	f.Add("a\r\nBcc: x@y.example", ".\r\n.\n=3D\u202e", "\"<x@y.example>")
	f.Add("שלום "+strings.Repeat("א", 200), strings.Repeat("я", 500), "م")
	f.Fuzz(func(t *testing.T, subject, text, name string) {
		m := &Message{ID: "notice-1", At: time.Unix(1e9, 0), To: "soc@water.example", Name: name, Subject: subject, Text: text, Language: "en", TLP: label.Clear}
		p, err := composeMail(m, fromAddress, label.Green, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		msg, body := readAnyMail(t, p.Body)
		if got := msg.Header.Get("Bcc"); got != "" {
			t.Fatalf("Bcc: %s", got)
		}
		if list, err := msg.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != "soc@water.example" {
			t.Fatalf("%v %v in\n%s", list, err, p.Body)
		}
		if strings.Contains(text, "\x00") {
			return
		}
		if body != lines(text) {
			t.Fatalf("%q became %q", lines(text), body)
		}
	})
}
