package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"
)

// isTerminal tells whether a person reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colourful tells whether w may get colours (https://no-color.org).
func colourful(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// line prints a value as one line of JSON.
func (a *app) line(v any) error {
	if a.exercise == "" {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.out.Write(marked(b.Bytes(), a.exercise))
	return err
}

// marked puts the name of the exercise first into what a JSON object says.
func marked(line []byte, exercise string) []byte {
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	if !ok {
		return line
	}
	name, err := json.Marshal(exercise)
	if err != nil {
		return line
	}
	out := append([]byte(`{"exercise":`), name...)
	if !bytes.HasPrefix(rest, []byte("}")) {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// table prints rows for people; what it shows may come from anyone, so control characters are made visible.
func (a *app) table(head []string, rows [][]string) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, clean(cell))
		}
		io.WriteString(w, "\n")
	}
	w.Flush()
	first, rest, _ := strings.Cut(b.String(), "\n")
	first = strings.TrimRight(first, " ")
	if colourful(a.out) {
		first = "\x1b[1m" + first + "\x1b[0m"
	}
	_, err := fmt.Fprintf(a.out, "%s\n%s", first, rest)
	return err
}

// listing prints what comes one by one: with --json each as a line as it comes, else a table with a row for each.
func listing[T any](a *app, head []string, every func(each func(T) error) error, row func(T) []string) error {
	var rows [][]string
	err := every(func(v T) error {
		if a.asJSON {
			return a.line(v)
		}
		rows = append(rows, row(v))
		return nil
	})
	if err != nil || a.asJSON {
		return err
	}
	return a.table(head, rows)
}

// over gives a listing what has come as a whole.
func over[T any](list []T, err error) func(each func(T) error) error {
	return func(each func(T) error) error {
		for i := 0; i < len(list) && err == nil; i++ {
			err = each(list[i])
		}
		return err
	}
}

// fields prints pairs of name and value for people, one a line; pairs without a value are left out.
func (a *app) fields(pairs ...string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", pairs[i], clean(pairs[i+1]))
		}
	}
	return w.Flush()
}

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

// clean makes control and direction characters visible, so that no data can command the terminal.
func clean(s string) string {
	bad := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if bad(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// short cuts a text for a table.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n int64) string {
	switch f := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", f/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", f/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	}
}
