package feed

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/observable"
)

// Table is a list of values in columns.
type Table struct{}

func (Table) Kind() string { return "csv" }

// fields are what a column can be.
var fields = []string{"value", "type", "name", "description", "confidence", "valid_from", "valid_until", "labels", "link"}

func (Table) Check(c *Config) error {
	t := &c.CSV
	if s := separator(t.Separator); s == 0 {
		return bad("csv.separator", "%q is not one character, nor the word tab", t.Separator)
	}
	if t.Comment != "" && utf8.RuneCountInString(t.Comment) != 1 {
		return bad("csv.comment", "%q is not one character", t.Comment)
	}
	if t.Columns["value"] == "" {
		return bad("csv.columns", "nobody says in which column the value stands: write columns = { value = 1 } or a title")
	}
	for field, column := range t.Columns {
		if !slices.Contains(fields, field) {
			return bad("csv.columns", "%q is nothing that a column can be; there are %s", field, strings.Join(fields, ", "))
		}
		n, err := strconv.Atoi(column)
		if err == nil && (n < 1 || n > 1000) || err != nil && !t.Header {
			return bad("csv.columns", "column %q is neither a number from 1 nor a title, for which header must be true", column)
		}
	}
	for word, kind := range t.Types {
		if kind != "-" && len(observable.Kinds(kind)) == 0 {
			return bad("csv.types", "%q for %q is no kind of value; there are %s", kind, word, observable.Words())
		}
	}
	return nil
}

// separator is the character between fields; 0: there is no such.
func separator(s string) rune {
	switch s {
	case "":
		return ','
	case "tab", "\\t", "\t":
		return '\t'
	}
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || r == utf8.RuneError || r == '"' || r == '\n' || r == '\r' {
		return 0
	}
	return r
}

func (Table) Pull(ctx context.Context, r *Run) error {
	d, err := r.Document(ctx)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	t := &r.c.CSV
	in := bufio.NewReaderSize(d, maxLine)
	said, err := comments(in, t.Comment)
	if err != nil {
		return err
	}
	table := csv.NewReader(in)
	table.Comma, table.LazyQuotes, table.FieldsPerRecord, table.ReuseRecord, table.TrimLeadingSpace = separator(t.Separator), true, -1, true, t.Separator != "tab"
	if t.Comment != "" {
		table.Comment, _ = utf8.DecodeRuneInString(t.Comment)
	}
	columns, err := titles(t, table, said)
	if err != nil {
		return err
	}
	c := newCollector(r)
	for {
		row, err := table.Read()
		if err == io.EOF {
			break
		}
		var form *csv.ParseError
		if errors.As(err, &form) {
			c.drop("row.form", "the row cannot be read as a table's", "line "+strconv.Itoa(form.StartLine))
			continue
		}
		if err != nil {
			return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
		}
		if err := c.row(t, columns, row); err != nil {
			return err
		}
	}
	return c.store(ctx, d)
}

// comments reads the comment lines before a table and returns the last, in which some tables have their titles.
func comments(in *bufio.Reader, mark string) (string, error) {
	if bom, _ := in.Peek(3); string(bom) == "\ufeff" {
		in.Discard(3)
	}
	last := ""
	for mark != "" {
		head, _ := in.Peek(len(mark))
		if string(head) != mark {
			break
		}
		line, long, err := readLine(in)
		if err != nil && err != io.EOF {
			return "", fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
		}
		if long {
			continue
		}
		last = strings.TrimSpace(strings.TrimLeft(string(line), mark+" "))
	}
	return last, nil
}

// titles finds the place of every column.
func titles(t *CSV, table *csv.Reader, said string) (map[string]int, error) {
	var names []string
	find := func() (map[string]int, string) {
		out := map[string]int{}
		for field, column := range t.Columns {
			if n, err := strconv.Atoi(column); err == nil {
				out[field] = n - 1
				continue
			}
			i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), column) })
			if i < 0 {
				return nil, column
			}
			out[field] = i
		}
		return out, ""
	}
	if !t.Header {
		out, _ := find()
		return out, nil
	}
	if said != "" {
		line := csv.NewReader(strings.NewReader(said))
		line.Comma, line.LazyQuotes, line.TrimLeadingSpace = table.Comma, true, true
		names, _ = line.Read()
		if len(names) > 0 && names[0] == "fields" { // as Zeek writes them
			names = names[1:]
		}
		if out, missing := find(); missing == "" && len(names) > 1 {
			return out, nil
		}
	}
	row, err := table.Read()
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "feed.format", "the table has no line of titles; nothing of it was taken")
	}
	names = slices.Clone(row)
	out, missing := find()
	if missing != "" {
		return nil, fault.New(fault.Unprocessable, "feed.format", "the table has no column %q; it has %s; nothing of it was taken", missing, cut(strings.Join(names, ", "))).
			Try("look at the feed's csv.columns")
	}
	return out, nil
}

// row takes one row of the table.
func (c *collector) row(t *CSV, columns map[string]int, row []string) error {
	cell := func(field string) string {
		i, ok := columns[field]
		if !ok || i >= len(row) || len(row[i]) > maxLine {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	value := cell("value")
	word := cell("type")
	if kind, ok := t.Types[word]; ok {
		if kind == "-" {
			c.r.Drop("type.passed", "the feed's csv.types passes this kind over", word)
			return nil
		}
		word = kind
	}
	d := &Details{Name: valid(cell("name")), Description: valid(cell("description")), Link: link(cell("link"))}
	e := Entry{Confidence: c.r.c.Confidence, Details: d}
	if n := confidence(cell("confidence")); n > 0 {
		e.Confidence = n
	}
	for _, f := range []struct {
		name string
		into *time.Time
	}{{"valid_from", &d.From}, {"valid_until", &e.Until}} {
		text := cell(f.name)
		if text == "" {
			continue
		}
		at, ok := readTime(text, t.Time)
		if !ok {
			c.drop("row.time", f.name+" is no time that is understood: say its form in the feed's csv.time", text)
			return nil
		}
		*f.into = at
	}
	for _, l := range strings.FieldsFunc(cell("labels"), func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
		if l = valid(strings.TrimSpace(l)); l != "" && len(d.Labels) < 50 && !slices.Contains(d.Labels, l) {
			d.Labels = append(d.Labels, l)
		}
	}
	return c.add(e, word, value)
}

func valid(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\ufffd") }

func link(s string) string {
	if s, ok := observable.URL(s); ok && utf8.ValidString(s) {
		return s
	}
	return ""
}

// confidence reads a number up to 100, or a word of the scale None, Low, Med, High (STIX 2.1 appendix A).
func confidence(s string) int {
	switch strings.ToLower(s) {
	case "low":
		return 15
	case "med", "medium", "moderate":
		return 50
	case "high":
		return 85
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
	if err != nil || n < 0 || n > 100 {
		return 0
	}
	return n
}

var timeForms = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly, "2006/01/02", time.RFC1123Z, time.RFC1123}

func readTime(s, form string) (time.Time, bool) {
	forms := timeForms
	if form != "" {
		forms = []string{form}
	}
	for _, f := range forms {
		if t, err := time.Parse(f, s); err == nil {
			return t.UTC().Truncate(time.Millisecond), t.Year() >= 1970 && t.Year() < 9999
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); form == "" && err == nil && n > 1e8 && n < 1e11 {
		return time.Unix(n, 0).UTC(), true
	}
	return time.Time{}, false
}
