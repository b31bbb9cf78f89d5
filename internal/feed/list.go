package feed

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"io"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/observable"
)

// List is a plain list: one value a line.
type List struct{}

func (List) Kind() string { return "list" }

func (List) Check(c *Config) error { return nil }

// maxLine bounds one line of a list, in bytes.
const maxLine = 64 << 10

func (List) Pull(ctx context.Context, r *Run) error {
	d, err := r.Document(ctx)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	c := newCollector(r)
	lines := bufio.NewReaderSize(d, maxLine)
	for first := true; ; first = false {
		line, long, err := readLine(lines)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if long {
			c.drop("line.long", "the line is longer than a value can be", string(line[:100]))
			continue
		}
		if value := lineValue(string(line)); value != "" {
			if err := c.add(Entry{Confidence: r.c.Confidence}, "", value); err != nil {
				return err
			}
		}
	}
	return c.store(ctx, d)
}

// readLine reads to the end of a line. Of a line that is too long the beginning is returned, and the rest is passed over.
func readLine(b *bufio.Reader) (line []byte, long bool, err error) {
	line, err = b.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line = bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			_, err = b.ReadSlice('\n')
		}
		if err == io.EOF {
			err = nil
		}
		return line, true, err
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	return line, false, err
}

// lineValue is the value of a line: without comments, and the name of a line as hosts files have it.
func lineValue(line string) string {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' || strings.HasPrefix(line, "//") {
		return ""
	}
	for _, mark := range []string{" #", "\t#", " ;", "\t;"} {
		if before, _, ok := strings.Cut(line, mark); ok {
			line = strings.TrimSpace(before)
		}
	}
	if words := strings.Fields(line); len(words) == 2 && (words[0] == "0.0.0.0" || words[0] == "127.0.0.1") {
		return words[1]
	}
	return line
}

// collector gathers the entries of a list of values.
type collector struct {
	r       *Run
	words   map[string][]*observable.Kind // what the words of a type column mean
	entries []Entry
	lines   int // that should have been entries
	dropped int
}

func newCollector(r *Run) *collector { return &collector{r: r, words: map[string][]*observable.Kind{}} }

func (c *collector) drop(code, message, example string) {
	c.lines++
	c.dropped++
	c.r.Drop(code, message, example)
}

// reasons say why a value is unusable.
var reasons = map[string]string{
	"value.empty": "there is no value", "value.long": "the value is too long", "value.utf8": "the value is not UTF-8", "value.control": "the value has control characters",
	"value.unknown": "this is no value of a known kind", "value.url": "this is no absolute URL; the feed's scheme may help",
}

// add takes one value. word is its kind as the source names it; empty: the feed's, or found out.
func (c *collector) add(e Entry, word, value string) error {
	word = cmp.Or(word, c.r.c.Type)
	candidates, ok := c.words[word]
	if !ok {
		candidates = observable.Kinds(word)
		if len(c.words) < 1000 {
			c.words[word] = candidates
		}
	}
	if len(candidates) == 0 {
		c.drop("type.unknown", "the word for the kind of value is not known: map it in the feed's csv.types", word)
		return nil
	}
	k, canonical, code := observable.Read(candidates, value, c.r.c.Scheme)
	if k == nil {
		c.drop(code, cmp.Or(reasons[code], "the value is not of its kind"), value)
		return nil
	}
	if !e.Until.IsZero() && !e.Until.After(c.r.now) {
		c.lines++
		c.r.Drop("entry.expired", "the entry says that it is not valid any more", value)
		return nil
	}
	if from := e.details().From; !e.Until.IsZero() && !from.IsZero() && !e.Until.After(from) {
		e.Details.From = time.Time{}
	}
	c.lines++
	if len(c.entries) >= c.r.c.Limits.Entries {
		return fault.New(fault.TooLarge, "feed.entries", "the list has more than %d entries; nothing of it was taken", c.r.c.Limits.Entries).Try("raise the feed's limits.entries if that is right")
	}
	e.Kind, e.Value, e.ID = k, canonical, c.r.Name("indicator", k.Name+":"+canonical)
	c.entries = append(c.entries, e)
	return nil
}

// store hands the list on, unless so little of it is usable that it must have changed its form.
func (c *collector) store(ctx context.Context, d *Document) error {
	if c.dropped > 10 && c.dropped*100 > c.lines*c.r.c.Limits.Dropped || c.lines > 0 && len(c.entries) == 0 && c.dropped == c.lines {
		return fault.New(fault.Unprocessable, "feed.format", "%d of %d lines are unusable, so that the list seems to have changed its form; nothing of it was taken", c.dropped, c.lines).
			Try("look at the examples, and at the feed's kind, type and csv")
	}
	return c.r.Entries(ctx, "indicator", c.entries, nil, d)
}
