package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"entente/stix"
)

func (a *app) validateCmd() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use: "validate FILE...", Short: "Check STIX objects against the standard",
		Long: `Check STIX 2.1 objects against the standard: bundles, arrays, TAXII envelopes or objects one after another, compressed with gzip or not; - is the
standard input. No node is needed.

With --json, one line is printed per object, and one more for a bundle as a whole:

  {"id":"…","valid":true,"errors":[],"warnings":[]}
  {"bundle":true,"id":"…","valid":true,"errors":[],"warnings":[]}

Errors and warnings are objects with code, pointer (RFC 6901), section of the standard and message. With --strict, what the standard only
recommends (SHOULD) is an error too. The exit code is 1 when anything is invalid.`,
		Example: "  entente object validate --strict --json bundle.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			v := validator{strict: strict, asJSON: a.asJSON, out: bufio.NewWriterSize(a.out, 64<<10), whole: inMemory}
			for _, name := range files {
				if err := v.file(a.in, name); err != nil {
					return errors.Join(err, v.out.Flush())
				}
			}
			if !a.asJSON {
				fmt.Fprintf(v.out, "%s objects: %s valid, %s invalid, %s warnings\n", count(v.objects), count(v.objects-v.invalid), count(v.invalid), count(v.warnings))
			}
			if err := v.out.Flush(); err != nil {
				return err
			}
			if v.no {
				return no()
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "what the standard recommends is required")
	return c
}

// validator checks objects on all processors and prints what it finds in the order of the input.
type validator struct {
	strict, asJSON             bool
	out                        *bufio.Writer
	whole                      int64 // see inMemory
	objects, invalid, warnings int64
	no                         bool // something is invalid
}

// verdict is what was found on one object, bundle or file.
type verdict struct {
	bundle   bool
	id       string
	valid    bool
	findings []stix.Finding
}

// lot is a number of objects that one processor checks at a time.
type lot struct {
	raws     [][]byte
	printed  []byte
	invalid  int64
	warnings int64
	ready    chan struct{}
}

const (
	lotObjects = 128
	lotBytes   = 1 << 20
)

// inMemory is how much of an input, decompressed, is held at once: bundles up to it are also checked as a whole, which needs all of
// their objects together. What is longer is read as a stream.
const inMemory = 256 << 20

func (v *validator) file(stdin io.Reader, name string) error {
	file, closeFile, err := openInput(stdin, name)
	if err != nil {
		return err
	}
	defer closeFile()
	in, err := inflate(file)
	if err != nil {
		return v.print(name, unreadable(err))
	}
	head, err := io.ReadAll(io.LimitReader(in, v.whole+1))
	switch {
	case err != nil: // the stream meets the same error where it stands
		in = io.MultiReader(bytes.NewReader(head), failing{err})
	case int64(len(head)) > v.whole:
		in = io.MultiReader(bytes.NewReader(head), in)
	default:
		n, err := v.bundles(name, head)
		if err != nil {
			return err
		}
		if head = head[n:]; n > 0 && len(bytes.TrimSpace(head)) == 0 {
			return nil
		}
		in = bytes.NewReader(head)
	}
	return v.stream(name, in, bundleID(head))
}

var (
	bundleType = regexp.MustCompile(`"type"\s*:\s*"bundle"`)
	bundleName = regexp.MustCompile(`"id"\s*:\s*"(bundle--[^"]{0,64})"`)
)

// bundleID looks for the id of a bundle at the beginning of an input that may be broken further on; nil when it is no bundle.
func bundleID(head []byte) *string {
	head = head[:min(len(head), 4096)]
	if !bundleType.Match(head) {
		return nil
	}
	id := ""
	if m := bundleName.FindSubmatch(head); m != nil {
		id = string(m[1])
	}
	return &id
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func inflate(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

// bundles checks the bundles at the beginning of an input, and returns where something else begins.
func (v *validator) bundles(name string, raw []byte) (int, error) {
	at := 0
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for d.PeekKind() == '{' {
		val, err := d.ReadValue()
		if err != nil {
			break
		}
		r, err := stix.ValidateBundle(val, stix.Options{})
		if err != nil {
			break
		}
		at = int(d.InputOffset())
		for _, o := range r.Objects {
			one := verdict{id: idOf(o.Raw), valid: stix.Valid(o.Findings, v.strict), findings: o.Findings}
			if o.Object != nil {
				one.id = o.Object.ID()
			}
			if err := v.print(name, one); err != nil {
				return at, err
			}
		}
		whole := verdict{bundle: true, id: r.ID, findings: r.Findings}
		v.verdictOnBundle(&whole, countInvalid(r, v.strict))
		if err := v.print(name, whole); err != nil {
			return at, err
		}
	}
	return at, nil
}

func countInvalid(r *stix.BundleResult, strict bool) (n int64) {
	for _, o := range r.Objects {
		if !stix.Valid(o.Findings, strict) {
			n++
		}
	}
	return n
}

// verdictOnBundle judges a bundle as a whole: it is valid when itself and all of its objects are.
func (v *validator) verdictOnBundle(d *verdict, invalid int64) {
	if invalid > 0 {
		d.findings = append(d.findings, stix.Finding{Level: stix.LevelError, Code: "bundle.objects", Pointer: "/objects", Section: "8",
			Message: fmt.Sprintf("%d of its objects are invalid", invalid)})
	}
	d.valid = stix.Valid(d.findings, v.strict)
}

// print counts and prints one verdict.
func (v *validator) print(name string, d verdict) error {
	v.no = v.no || !d.valid
	if !d.bundle {
		v.objects++
		if !d.valid {
			v.invalid++
		}
	}
	for _, f := range d.findings {
		if f.Level == stix.LevelWarning {
			v.warnings++
		}
	}
	_, err := v.out.Write(v.render(nil, name, d))
	return err
}

// stream checks the objects of an input on all processors and prints the verdicts in the order of the input.
func (v *validator) stream(name string, in io.Reader, bundle *string) error {
	workers := runtime.GOMAXPROCS(0)
	work := make(chan *lot, workers)
	order := make(chan *lot, 4*workers) // bounds what is in memory
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for l := range work {
				v.check(name, l)
				close(l.ready)
			}
		})
	}
	var failed error // of writing
	before := v.invalid
	wg.Go(func() {
		for l := range order {
			<-l.ready
			v.objects += int64(len(l.raws))
			v.invalid += l.invalid
			v.warnings += l.warnings
			if failed == nil {
				_, failed = v.out.Write(l.printed)
			}
		}
	})

	current, held := &lot{ready: make(chan struct{})}, 0
	send := func() {
		if len(current.raws) > 0 {
			order <- current
			work <- current
			current, held = &lot{ready: make(chan struct{})}, 0
		}
	}
	info, err := stix.Split(in, func(raw []byte) error {
		current.raws = append(current.raws, raw)
		if held += len(raw); len(current.raws) == lotObjects || held >= lotBytes {
			send()
		}
		return nil
	})
	send()
	close(work)
	close(order)
	wg.Wait()
	if failed != nil {
		return failed
	}
	v.no = v.no || v.invalid > 0
	switch {
	case err != nil:
		if err := v.print(name, unreadable(err)); err != nil {
			return err
		}
		if bundle != nil {
			return v.print(name, verdict{bundle: true, id: *bundle, findings: unreadable(err).findings})
		}
		return nil
	case info.Count == 0 && info.Kind != stix.KindBundle && info.BundleID == "":
		return v.print(name, verdict{findings: []stix.Finding{{Level: stix.LevelError, Code: "split.empty", Message: "there is no object in the input"}}})
	}
	if info.BundleID != "" {
		bundle = &info.BundleID
	}
	if info.Kind == stix.KindBundle || bundle != nil {
		whole := verdict{bundle: true}
		if bundle != nil {
			whole.id = *bundle
		}
		if v.invalid == before && info.Kind == stix.KindBundle {
			whole.findings = []stix.Finding{{Level: stix.LevelWarning, Code: "bundle.size", Section: "8",
				Message: fmt.Sprintf("the bundle has more than %s: its objects were checked one by one and not against each other", size(v.whole))}}
		}
		v.verdictOnBundle(&whole, v.invalid-before)
		return v.print(name, whole)
	}
	return nil
}

// check fills in what is to be printed about the objects of a lot.
func (v *validator) check(name string, l *lot) {
	for _, raw := range l.raws {
		o, err := stix.Parse(raw)
		var d verdict
		if err != nil {
			d = unreadable(err)
			d.id = idOf(raw)
		} else {
			fs := stix.Validate(o, stix.Options{})
			d = verdict{id: o.ID(), valid: stix.Valid(fs, v.strict), findings: fs}
		}
		if !d.valid {
			l.invalid++
		}
		for _, f := range d.findings {
			if f.Level == stix.LevelWarning {
				l.warnings++
			}
		}
		l.printed = v.render(l.printed, name, d)
	}
}

// openInput opens a file, or the standard input for "-".
func openInput(stdin io.Reader, name string) (io.Reader, func(), error) {
	if name == "-" {
		return stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}
