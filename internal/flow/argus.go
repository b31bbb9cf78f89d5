package flow

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// ArgusMagic is what a text file of Argus with columns begins with.
const ArgusMagic = "StartTim"

// Argus reads the text files that Argus's client writes, with the names of columns in the first line (.binetflow), as lines of JSON.
type Argus struct {
	Unread uint64 // lines that are no flows

	r       *bufio.Reader
	comma   []byte // or a tab
	columns []string
	line    []byte
	rest    []byte
}

// NewArgus reads the line with the names.
func NewArgus(r io.Reader) (*Argus, error) {
	a := &Argus{r: bufio.NewReaderSize(r, 64<<10)}
	line, err := a.r.ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading flows of Argus: %w", err)
	}
	if a.comma = []byte{','}; !bytes.Contains(line, a.comma) {
		a.comma = []byte{'\t'}
	}
	for _, c := range bytes.Split(bytes.TrimRight(line, "\r\n"), a.comma) {
		a.columns = append(a.columns, string(c))
	}
	return a, nil
}

// names are what columns are called here; those without one are left out.
var names = map[string]string{"SrcAddr": "id.orig_h", "Sport": "id.orig_p", "DstAddr": "id.resp_h", "Dport": "id.resp_p", "Proto": "proto", "Dur": "duration", "SrcBytes": "orig_bytes", "DstBytes": "resp_bytes",
	"SrcPkts": "orig_pkts", "DstPkts": "resp_pkts", "State": "argus.state", "Dir": "argus.direction", "Label": "argus.label", "TotPkts": "argus.packets", "TotBytes": "argus.bytes"}

// Read implements [io.Reader].
func (a *Argus) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		line, err := a.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // no flow is so long
			a.Unread++
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = a.r.ReadSlice('\n')
			}
			if err != nil {
				return 0, err
			}
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0):
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			a.flow(line)
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// flow makes a line of one of a file.
func (a *Argus) flow(line []byte) {
	cells := bytes.Split(line, a.comma)
	if len(cells) != len(a.columns) {
		a.Unread++
		return
	}
	at := slices.Index(a.columns, "StartTime")
	start := time.Time{}
	if at >= 0 {
		start, _ = time.Parse("2006/01/02 15:04:05", string(cells[at]))
	}
	if start.IsZero() {
		a.Unread++
		return
	}
	to := seconds(append(a.line[:0], `{"_path":"conn","ts":`...), start.UnixMicro())
	for i, column := range a.columns {
		name, cell := names[column], bytes.TrimSpace(cells[i])
		if name == "" || len(cell) == 0 {
			continue
		}
		ip, err := netip.ParseAddr(string(cell))
		if err != nil && (name == "id.orig_h" || name == "id.resp_h") { // of what is no flow of IP
			continue
		}
		to = append(append(append(to, `,"`...), name...), `":`...)
		if err == nil {
			to = append(ip.AppendTo(append(to, '"')), '"')
			continue
		}
		if n, err := strconv.ParseFloat(string(cell), 64); err == nil && jsontext.Value(cell).IsValid() && n >= 0 {
			to = append(to, cell...)
			continue
		}
		if name == "id.orig_p" || name == "id.resp_p" { // of ICMP they are hexadecimal
			if n, err := strconv.ParseUint(string(cell), 0, 16); err == nil {
				to = strconv.AppendUint(to, n, 10)
				continue
			}
		}
		to = appendText(to, cell)
	}
	a.line = append(to, '}', '\n')
	a.rest = a.line
}

func appendText(to, text []byte) []byte {
	out, err := jsontext.AppendQuote(to, bytes.ToValidUTF8(text, []byte("\ufffd")))
	if err != nil { // not reached: the text is UTF-8
		return append(to, `""`...)
	}
	return out
}
