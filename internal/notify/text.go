package notify

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"entente/label"
	"entente/register"
)

// paper writes notifications in one language. A message begins and ends with its label (TLP 2.0 section 3 of FIRST), and what a reader must
// observe stands at the end.
type paper struct {
	w    words
	zone *time.Location
	c    *Config
}

// full writes what alerts say.
func (p *paper) full(n *notification, list []*alert) {
	w, l := p.w, &n.Mark.Label
	if len(list) == 1 && n.More == 0 {
		n.Subject = w.say("subject", "org", n.Name, "what", what(w, list[0].Matches))
	} else {
		n.Subject = w.say("subject.digest", "org", n.Name, "n", strconv.Itoa(len(list)+n.More))
	}
	var b strings.Builder
	b.WriteString(w.say("greeting", "name", p.addressee(n)) + "\n\n" + w.say("intro", "org", n.Name) + "\n\n")
	heading(&b, w["seen"])
	var kinds []string
	for i, a := range list {
		p.item(&b, i+1, a)
		for _, m := range a.Matches {
			if k := phraseOf(m.Kind); !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
		n.Items = append(n.Items, Item{Severity: a.Severity, Object: a.Object, Type: a.Type, Name: a.Title, Version: a.Version, Matches: a.Matches, Source: a.Source})
	}
	if n.More > 0 {
		b.WriteString(w.say("more", "n", strconv.Itoa(n.More)) + "\n\n")
	}
	heading(&b, w["todo"])
	for _, k := range kinds {
		b.WriteString("- " + w["todo."+k] + "\n")
	}
	b.WriteString("- " + w["todo.report"] + "\n")
	n.Text = b.String()
	if l.PAP != label.PAPClear {
		n.PAP = l.PAP.String()
	}
	n.Handling = p.handling(n, l)
}

// short writes a hint or a withdrawal: nothing of a record.
func (p *paper) short(n *notification) {
	w := p.w
	body := w.say("hint", "org", n.Name)
	n.Subject = w.say("subject.hint", "org", n.Name)
	if n.Kind == Withdrawn {
		body = w.say("withdrawn", "ref", n.Of, "time", w.at(n.OfTime, p.zone))
		n.Subject = w.say("subject.withdrawn", "org", n.Name)
	}
	n.Level, n.TLP = label.Amber, label.Amber.String()
	n.Text = w.say("greeting", "name", p.addressee(n)) + "\n\n" + body + "\n"
	l := label.For(label.Amber)
	n.Handling = p.handling(n, &l)
}

func (p *paper) addressee(n *notification) string {
	if n.Contact != "" {
		return n.Contact
	}
	return n.Name
}

func heading(b *strings.Builder, text string) {
	b.WriteString(text + "\n" + strings.Repeat("-", utf8.RuneCountInString(text)) + "\n")
}

// shown is how many matches of one alert a text lists.
const shown = 5

func (p *paper) item(b *strings.Builder, number int, a *alert) {
	w := p.w
	line := func(name, value string) {
		if value != "" {
			b.WriteString("   " + w[name] + ": " + value + "\n")
		}
	}
	title := w["type."+a.Facts.Type]
	if a.Title != "" {
		title += ": " + w.foreign(defangName(a.Title))
	}
	b.WriteString(strconv.Itoa(number) + ". " + title + "\n")
	line("severity", w["severity."+string(a.Severity)])
	for i, m := range a.Matches {
		if i == shown {
			b.WriteString("   … +" + strconv.Itoa(len(a.Matches)-shown+a.More) + "\n")
			break
		}
		asset := w.foreign(m.Asset)
		for _, extra := range []string{m.Name, m.Site} {
			if extra != "" {
				asset += ", " + w.foreign(extra)
			}
		}
		line("asset", asset)
		line("value", w.foreign(defang(m.Value)))
	}
	line("time.seen", w.foreign(w.at(a.Facts.Since, p.zone)))
	line("source", w.foreign(a.Source))
	if a.Facts.Exploited {
		b.WriteString("   " + w["exploited"] + "\n")
	}
	if a.Facts.Due != "" {
		b.WriteString("   " + w.say("due", "date", a.Facts.Due) + "\n")
	}
	if !a.Facts.Until.IsZero() {
		b.WriteString("   " + w.say("valid", "time", w.at(a.Facts.Until, p.zone)) + "\n")
	}
	b.WriteString("\n")
}

// handling is what stands below every text and is not edited.
func (p *paper) handling(n *notification, l *label.Label) string {
	w := p.w
	var b strings.Builder
	heading(&b, w["handling"])
	line := func(text string) { b.WriteString("- " + text + "\n") }
	line(w.foreign(l.TLP.String()) + ": " + w[strings.ToLower(strings.Replace(l.TLP.String(), ":", ".", 1))])
	if l.PAP != label.PAPClear {
		line(w.foreign(l.PAP.String()) + ": " + w[strings.ToLower(strings.Replace(l.PAP.String(), ":", ".", 1))])
	}
	if l.Purpose != label.EveryPurpose {
		line(w.say("purpose", "list", strings.Join(l.Purpose.List(), ", ")))
	}
	if !l.Caveat.IsEmpty() {
		line(w.say("caveat", "list", plain(strings.Join(l.Caveat.List(), ", "), 1000)))
	}
	if !l.NotAfter.IsZero() {
		line(w.say("until", "time", w.at(l.NotAfter, p.zone)))
	}
	if l.Onward != label.OnwardFree {
		line(w["onward"])
	}
	if p.c.Contact != "" {
		b.WriteString("\n" + w.say("contact", "contact", p.c.Contact) + "\n")
	} else {
		b.WriteString("\n")
	}
	b.WriteString(w.say("reference", "id", n.ID) + "\n")
	return b.String()
}

// what says in a few words what is concerned.
func what(w words, matches []Match) string {
	phrase := ""
	for _, m := range matches {
		if k := phraseOf(m.Kind); phrase == "" {
			phrase = k
		} else if phrase != k {
			return w["what.several"]
		}
	}
	return w["what."+phrase]
}

func phraseOf(k register.Kind) string {
	switch k {
	case register.NetworkAsset, register.ASNAsset:
		return "address"
	case register.DomainAsset:
		return "domain"
	case register.CertificateAsset:
		return "certificate"
	case register.SoftwareAsset:
		return "software"
	}
	return "name"
}

// defangName makes the title of an object, which may be a value itself, harmless.
func defangName(title string) string {
	if strings.ContainsAny(title, " ") || strings.HasPrefix(title, "CVE-") {
		return title
	}
	return defang(title)
}

// message is a notification as it leaves.
func (d *Desk) message(n *notification) *Message {
	at, subject, top := n.Approved, n.Subject, ""
	if at.IsZero() {
		at = d.now()
	}
	if name, ok := label.Mode(d.o.Realm).Exercise(); ok { // nobody must take it for real
		top = "EXERCISE: " + name
		subject = "[" + top + "] " + subject
		top += "\n\n"
	}
	m := &Message{ID: n.ID, At: at, To: n.Address, Name: n.Contact, Language: n.Language, TLP: n.Level, Content: n.Kind == Single || n.Kind == Digest,
		Subject: "[" + n.TLP + "] " + subject,
		Text:    n.TLP + "\n\n" + top + strings.TrimRight(n.Text, "\n") + "\n\n" + strings.TrimRight(n.Handling, "\n") + "\n\n" + n.TLP + "\n"}
	if k := d.contact(n); k != nil {
		m.PGP, m.SMIME = k.PGPKey, k.SMIME
	}
	m.Data = &Data{ID: n.ID, At: at, From: d.o.Nation + "/" + d.o.Org, Realm: d.o.Realm, Constituent: n.Name, TLP: n.TLP, PAP: n.PAP, Language: n.Language, Subject: m.Subject, Text: m.Text,
		Items: n.Items}
	return m
}
