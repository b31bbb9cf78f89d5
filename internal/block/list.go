package block

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// valueEntry is a value on a line.
func valueEntry(p *page, x *Entry) { p.put(x.Value, "\n") }

// stringEntry is a value as the datasets of Suricata of type string have it.
func stringEntry(p *page, x *Entry) {
	p.put(base64.StdEncoding.EncodeToString([]byte(x.Value)), "\n")
}

// jsonBegin opens the one object that the file is, with an entry on each line.
func jsonBegin(p *page) {
	b, err := json.Marshal(struct {
		Nation string    `json:"nation"`
		Org    string    `json:"org"`
		Realm  string    `json:"realm"`
		Serial uint32    `json:"serial"`
		Cursor string    `json:"cursor"`
		Time   time.Time `json:"time"`
	}{p.e.Nation, p.e.Org, p.e.Realm, p.e.Serial, p.e.Cursor(), p.e.Time})
	if err == nil {
		p.put(string(b[:len(b)-1]), `,"entries":[`)
	}
}

func jsonEntry(p *page, x *Entry) {
	b, err := json.Marshal(x.View())
	if err != nil {
		return
	}
	if p.count++; p.count > 1 {
		p.put(",")
	}
	p.put("\n", string(b))
}

func jsonEnd(p *page) { p.put("\n]}\n") }

// csvColumns is the first line of the table.
var csvColumns = []string{"type", "value", "subdomains", "valid_until", "confidence", "id", "version", "origin", "via", "accord", "tlp", "pap", "sources"}

func csvBegin(p *page) { row(p, csvColumns) }

func csvEntry(p *page, x *Entry) {
	var s Source
	if len(x.Sources) > 0 {
		s = x.Sources[0]
	}
	until := ""
	if !x.Until.IsZero() {
		until = x.Until.UTC().Format(time.RFC3339)
	}
	row(p, []string{x.Kind.String(), x.Value, strconv.FormatBool(x.Beneath), until, strconv.Itoa(s.Confidence), word(s.ID), word(s.Version), word(s.Origin), word(s.Via), word(s.Accord), word(s.TLP), word(s.PAP), strconv.Itoa(len(x.Sources))})
}

// row is a line of the table (RFC 4180).
func row(p *page, cells []string) {
	for i, c := range cells {
		if i > 0 {
			p.WriteByte(',')
		}
		if strings.ContainsAny(c, ",\"\r\n") || c != "" && c[0] == ' ' {
			p.put(`"`, strings.ReplaceAll(c, `"`, `""`), `"`)
		} else {
			p.WriteString(c)
		}
	}
	p.WriteByte('\n')
}

// noFormula refuses what a spreadsheet would take for a formula, and what has line ends in it.
func noFormula(x *Entry) string {
	if x.Value != "" && strings.ContainsRune("=+-@\t\r\n", rune(x.Value[0])) {
		return "a spreadsheet would take it for a formula"
	}
	return printable(x)
}
