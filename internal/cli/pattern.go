package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/stix/pattern"
)

func (a *app) patternCmd() *cobra.Command {
	c := &cobra.Command{Use: "pattern", Short: "Check STIX patterns and match them against observations"}
	c.AddCommand(a.patternCheckCmd(), a.patternMatchCmd())
	return c
}

// patternReport is the answer of pattern check.
type patternReport struct {
	Valid    bool              `json:"valid"`
	Errors   []pattern.Problem `json:"errors"`
	Warnings []pattern.Problem `json:"warnings"`
}

func (a *app) patternCheckCmd() *cobra.Command {
	return &cobra.Command{
		Use: "check PATTERN", Short: "Check a STIX pattern",
		Long: `Check a STIX 2.1 pattern; - reads it from the standard input. No node is needed. The exit code is 1 when the pattern is invalid.

With --json, one line is printed:

  {"valid":true,"errors":[],"warnings":[]}`,
		Example: `  entente pattern check "[file:size = 25536]"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			src, err := a.patternText(args[0])
			if err != nil {
				return err
			}
			r := patternReport{Valid: true, Errors: []pattern.Problem{}, Warnings: []pattern.Problem{}}
			for _, p := range pattern.Check(src) {
				if p.Level == pattern.LevelError {
					r.Valid = false
					r.Errors = append(r.Errors, p)
				} else {
					r.Warnings = append(r.Warnings, p)
				}
			}
			if a.asJSON {
				if err := a.line(r); err != nil {
					return err
				}
			} else {
				for _, p := range append(r.Errors, r.Warnings...) {
					fmt.Fprintf(a.out, "%s: line %d, column %d: %s [%s, section %s]\n", p.Level, p.Line, p.Col, clean(p.Message), p.Code, p.Section)
				}
				if r.Valid {
					fmt.Fprintln(a.out, "valid")
				}
			}
			if !r.Valid {
				return no()
			}
			return nil
		},
	}
}

func (a *app) patternText(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	b, err := readUpTo(a.in, pattern.MaxLength+1)
	return string(bytes.TrimRight(b, "\r\n")), err
}

// readUpTo reads all of r; what is longer is cut, for the reader's own limit to notice.
func readUpTo(r io.Reader, limit int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, limit)) }

func (a *app) patternMatchCmd() *cobra.Command {
	var src string
	c := &cobra.Command{
		Use: "match --pattern PATTERN FILE", Short: "Match a STIX pattern against observed data",
		Long: `Match a STIX 2.1 pattern against the observed-data objects in a file: a bundle, several bundles, or an array; - is the standard input. No node
is needed.

With --json, one line is printed: {"matched":true} or {"matched":false}, and the exit code is 0 for both. Where the standard makes the evaluation
an error, or the pattern or the data cannot be read, it is {"error":"…","code":"…"} and the exit code is 1. Without --json, the exit code is 1
also where the pattern does not match.`,
		Example: `  entente pattern match --json --pattern "[ipv4-addr:value = '198.51.100.7']" observed.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := a.patternText(src)
			if err != nil {
				return err
			}
			raw, err := a.observed(args[0])
			if err != nil {
				return err
			}
			matched, err := match(text, raw)
			switch {
			case err != nil && a.asJSON:
				f := evaluation(err)
				if err := a.line(map[string]string{"error": f.Message, "code": f.Code}); err != nil {
					return err
				}
				return no()
			case err != nil:
				return &exit{exitNo, evaluation(err)}
			case a.asJSON:
				return a.line(map[string]bool{"matched": matched})
			case matched:
				fmt.Fprintln(a.out, "matched")
				return nil
			}
			fmt.Fprintln(a.out, "not matched")
			return no()
		},
	}
	c.Flags().StringVar(&src, "pattern", "", "the `PATTERN`, or - to read it from the standard input")
	c.MarkFlagRequired("pattern")
	return c
}

func match(src string, raw []byte) (bool, error) {
	p, err := pattern.Parse(src)
	if err != nil {
		return false, err
	}
	obs, err := pattern.Observations(raw)
	if err != nil {
		return false, err
	}
	// As the reference matcher and its recorded cases have it: section 9.5.1 would leave out observations exactly at the limit of WITHIN.
	r, err := p.Match(obs, pattern.ClosedWithin())
	return r.Matched, err
}

// observed reads a file of observed data. Several values one after another are made one list.
func (a *app) observed(name string) ([]byte, error) {
	file, closeFile, err := openInput(a.in, name)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	in, err := inflate(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "input.gzip", "%s is not sound gzip data", name).Because(err)
	}
	raw, err := readUpTo(in, pattern.MaxData+1)
	if err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	joined := []byte("[")
	n := 0
	for ; ; n++ {
		v, err := d.ReadValue()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return raw, nil // the one who understands observed data says what is wrong
		}
		if n > 0 {
			joined = append(joined, ',')
		}
		joined = append(joined, v...)
	}
	if n < 2 {
		return raw, nil
	}
	return append(joined, ']'), nil
}

// evaluation is why a pattern could not be matched.
func evaluation(err error) *fault.Error {
	var syntax *pattern.Error
	var eval *pattern.EvalError
	var data *pattern.DataError
	f := fault.New(fault.Invalid, "pattern.match", "%v", err)
	switch {
	case errors.As(err, &syntax):
		f.Code = syntax.Code
	case errors.As(err, &eval):
		f.Code = eval.Code
	case errors.As(err, &data):
		f.Code = "data"
	}
	return f
}
