package indicator

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"

	"entente/internal/fault"
)

// maxLine bounds a line of a list, in bytes.
const maxLine = 64 << 10

// Lists have one of three forms: plain text with a value on each line, CSV, or the tab-separated files of Zeek's intelligence framework.
const (
	Plain = "plain"
	CSV   = "csv"
	Zeek  = "zeek"
)

// ListOptions say how a list is written.
type ListOptions struct {
	Format string // Plain, CSV or Zeek; empty: Zeek where the list begins with #fields, else Plain
	Kind   Kind   // of all values; 0: each is read as what it looks like
	Column string // of CSV: the name in its first line, or a number from 1; empty: 1
	Comma  rune   // of CSV; 0: a comma
}

// ReadList reads the values of a list as they come. What is no value is handed to left with its line, counted from 1; comments and empty lines
// are nothing. An error of add ends it and is returned.
func ReadList(r io.Reader, o ListOptions, add func(Value) error, left func(line int, l Left)) error {
	if _, known := KindNamed(o.Kind.String()); o.Kind != 0 && !known {
		return fault.New(fault.Invalid, "indicator.list.kind", "a list of %s", o.Kind).Try("name a kind of indicator, or none")
	}
	in := bufio.NewReaderSize(r, maxLine)
	if o.Format == "" {
		o.Format = Plain
		if head, _ := in.Peek(len("#fields")); string(head) == "#fields" {
			o.Format = Zeek
		}
	}
	l := &list{ListOptions: o, add: add, left: left}
	switch o.Format {
	case Plain:
		return l.lines(in, l.plain)
	case Zeek:
		return l.lines(in, l.zeek)
	case CSV:
		return l.csv(in)
	}
	return fault.New(fault.Invalid, "indicator.list.format", "a list of the form %q", o.Format).Try("say plain, csv or zeek")
}

type list struct {
	ListOptions
	add    func(Value) error
	left   func(int, Left)
	at     int
	fields []string // of Zeek, the columns
}

func (l *list) lines(in *bufio.Reader, take func([]byte) error) error {
	for {
		line, err := in.ReadSlice('\n')
		l.at++
		if errors.Is(err, bufio.ErrBufferFull) {
			l.left(l.at, Left{LeftLine, "it is longer than 64 KiB"})
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))); len(line) > 0 {
			if err := take(line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (l *list) plain(line []byte) error {
	if line[0] == '#' || line[0] == ';' || bytes.HasPrefix(line, []byte("// ")) {
		return nil
	}
	text := string(line)
	if l.Kind < FileName { // the others may have such signs in them
		if i := strings.IndexAny(text, " \t"); i > 0 && strings.HasPrefix(strings.TrimLeft(text[i:], " \t"), "#") {
			text = text[:i]
		}
	}
	return l.value(l.Kind, text)
}

func (l *list) value(k Kind, text string) error {
	v, err := Value{}, error(nil)
	if k == 0 {
		v, err = Of(text)
	} else {
		v, err = New(k, text)
	}
	if err != nil {
		code := "indicator"
		if f, ok := errors.AsType[*fault.Error](err); ok {
			code = f.Code
		}
		l.left(l.at, Left{code, err.Error()})
		return nil
	}
	return l.add(v)
}

// zeekKinds are the types of Zeek's intelligence framework that an index has; 0: the value says.
var zeekKinds = map[string]Kind{"Intel::ADDR": CIDR, "Intel::SUBNET": CIDR, "Intel::DOMAIN": Domain, "Intel::URL": URL, "Intel::EMAIL": Email,
	"Intel::FILE_HASH": 0, "Intel::FILE_NAME": FileName, "Intel::SOFTWARE": UserAgent}

func (l *list) zeek(line []byte) error {
	if rest, ok := bytes.CutPrefix(line, []byte("#fields\t")); ok {
		l.fields = strings.Split(string(rest), "\t")
		return nil
	}
	if line[0] == '#' {
		return nil
	}
	value, kind := "", ""
	for i, cell := range strings.Split(string(line), "\t") {
		switch {
		case i >= len(l.fields):
		case l.fields[i] == "indicator":
			value = cell
		case l.fields[i] == "indicator_type":
			kind = cell
		}
	}
	if value == "" || kind == "" {
		l.left(l.at, Left{LeftLine, "it has no indicator or no type below #fields"})
		return nil
	}
	k, ok := zeekKinds[kind]
	if !ok {
		l.left(l.at, Left{LeftList, kind})
		return nil
	}
	return l.value(k, value)
}

func (l *list) csv(in io.Reader) error {
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord, r.TrimLeadingSpace, r.Comment = -1, true, true, true, '#'
	if l.Comma != 0 {
		r.Comma = l.Comma
	}
	column, err := strconv.Atoi(l.Column)
	if l.Column == "" {
		column, err = 1, nil
	}
	named := err != nil
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			l.left(broken.Line, Left{LeftLine, "it is no line of CSV"})
			continue
		}
		if err != nil {
			return err
		}
		l.at, _ = r.FieldPos(0)
		switch {
		case named && column == 0:
			for i, name := range row {
				if strings.EqualFold(strings.TrimSpace(name), l.Column) {
					column = i + 1
				}
			}
			if column == 0 {
				return fault.New(fault.Invalid, "indicator.list.column", "the list has no column %q", l.Column).Try("name one of its first line, or give its number")
			}
		case column < 1 || column > len(row) || strings.TrimSpace(row[column-1]) == "":
			l.left(l.at, Left{LeftLine, "it has nothing in column " + strconv.Itoa(column)})
		default:
			if err := l.value(l.Kind, row[column-1]); err != nil {
				return err
			}
		}
	}
}
