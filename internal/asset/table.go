package asset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"entente/internal/fault"
	"entente/register"
)

// Columns are the columns of the table that an import reads and an export writes. Only constituent is needed.
func Columns() []string {
	return []string{"constituent", "kind", "value", "name", "site", "criticality", "shared", "include_subdomains", "vendor", "product", "version", "count",
		"issuer", "subject", "role", "email", "phone", "hours", "languages", "webhook", "receives", "purpose", "pgp_key", "smime_certificate",
		"description", "aliases", "sectors", "country", "org", "id"}
}

// table is a CSV file under way.
type table struct {
	in      *csv.Reader
	columns []string
	at      map[string]int
	line    int
	cells   []string
}

// openTable reads the head of a CSV file: separated by commas, semicolons or tabs, as the first line shows.
func openTable(raw []byte) (*table, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	head, _, _ := bytes.Cut(raw, []byte("\n"))
	t := &table{in: csv.NewReader(bytes.NewReader(raw)), at: map[string]int{}}
	t.in.FieldsPerRecord = -1
	t.in.ReuseRecord = true
	for _, sep := range []rune{';', '\t'} {
		if bytes.ContainsRune(head, sep) && bytes.Count(head, []byte(string(sep))) > bytes.Count(head, []byte(string(t.in.Comma))) {
			t.in.Comma = sep
		}
	}
	cells, err := t.in.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Unprocessable, "import.empty", "the table is empty")
		}
		return nil, tableFault(err)
	}
	for i, c := range cells {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(c)), " ", "_")
		if _, twice := t.at[name]; twice && name != "" {
			return nil, fault.New(fault.Unprocessable, "import.columns", "two columns are called %q", clip(name))
		}
		t.at[name] = i
		t.columns = append(t.columns, name)
	}
	return t, nil
}

func tableFault(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return fault.New(fault.Unprocessable, "import.table", "line %d, column %d: %v; nothing of the table was taken", p.Line, p.Column, p.Err).By("RFC 4180")
	}
	return fault.New(fault.Unprocessable, "import.table", "this is no table").Because(err)
}

// next reads a row; false: there is none. Empty rows are passed over.
func (t *table) next() (bool, error) {
	for {
		cells, err := t.in.Read()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, tableFault(err)
		}
		t.cells = cells
		t.line, _ = t.in.FieldPos(0)
		if slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			return true, nil
		}
	}
}

// get is the cell of a column, the first of the given that the table has.
func (t *table) get(names ...string) string {
	for _, n := range names {
		if i, ok := t.at[n]; ok && i < len(t.cells) {
			return strings.TrimSpace(t.cells[i])
		}
	}
	return ""
}

// list is a cell of several words, separated by semicolons or bars.
func (t *table) list(name string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(t.get(name), func(r rune) bool { return r == ';' || r == '|' }) {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// cellError is what is wrong with one cell.
type cellError struct{ column, code, message string }

func (t *table) flag(name string) (bool, *cellError) {
	switch strings.ToLower(t.get(name)) {
	case "", "no", "false", "0", "n":
		return false, nil
	case "yes", "true", "1", "y", "x":
		return true, nil
	}
	return false, &cellError{name, "import.flag", "write yes or no"}
}

// readTable reads the table of Columns: every row is a constituent, a contact or an asset.
func readTable(raw []byte, p *plan) error {
	t, err := openTable(raw)
	if err != nil {
		return err
	}
	if _, ok := t.at["constituent"]; !ok {
		return fault.New(fault.Unprocessable, "import.columns", "the table has no column constituent").Try("the first line names the columns: " + strings.Join(Columns(), ", "))
	}
	for _, c := range t.columns {
		if c != "" && !slices.Contains(Columns(), c) {
			return fault.New(fault.Unprocessable, "import.columns", "there is no column %q", clip(c)).Try("use " + strings.Join(Columns(), ", "))
		}
	}
	for {
		more, err := t.next()
		if err != nil || !more {
			return err
		}
		if err := p.count(); err != nil {
			return err
		}
		name := t.get("constituent")
		if name == "" {
			p.refuse(t.line, "", "constituent", "import.name", "the row names no constituent")
			continue
		}
		// A row is read into a draft of its own first, so that a refused one leaves nothing behind.
		row := &draft{c: register.Constituent{Name: name, ID: t.get("id")}, kinds: map[string]bool{}}
		if e := t.read(row); e != nil {
			p.refuse(t.line, name, e.column, e.code, "%s", e.message)
			continue
		}
		if err := row.c.CheckDraft(); err != nil {
			pointer, code, message := problemOf(err)
			p.refuse(t.line, name, pointer, code, "%s", message)
			continue
		}
		d := p.of(name, t.line)
		if row.c.ID != "" {
			d.c.ID = row.c.ID
		}
		d.gather(row)
	}
}

// read reads one row.
func (t *table) read(d *draft) *cellError {
	c := &d.c
	kind := strings.ToLower(t.get("kind"))
	if kind == "" {
		kind = t.guess()
	}
	shared, e := t.flag("shared")
	if e != nil {
		return e
	}
	critical := register.Criticality(strings.ToLower(t.get("criticality")))
	switch kind {
	case "constituent":
		c.Criticality, c.Description, c.Country, c.Org = critical, t.get("description"), strings.ToUpper(t.get("country")), t.get("org")
		c.Aliases, c.Sectors, c.Languages = t.list("aliases"), t.list("sectors"), t.list("languages")
		return nil
	case "contact":
		x, e := t.contact()
		c.Contacts = []register.Contact{x}
		d.kinds[kind] = true
		return e
	case "network":
		c.Networks = []register.Network{{Range: t.get("value"), Name: t.get("name"), Site: t.get("site"), Criticality: critical, Shared: shared}}
	case "asn":
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(t.get("value")), "AS"), 10, 32)
		if err != nil {
			return &cellError{"value", "import.asn", "this is not the number of an autonomous system"}
		}
		c.ASNs = []uint32{uint32(n)}
	case "domain":
		below, e := t.flag("include_subdomains")
		if e != nil {
			return e
		}
		name := t.get("value")
		if rest, wild := strings.CutPrefix(name, "*."); wild {
			name, below = rest, true
		}
		c.Domains = []register.Domain{{Name: name, IncludeSubdomains: below, Criticality: critical, Shared: shared}}
	case "certificate":
		x := register.Certificate{SHA256: t.get("value"), Issuer: t.get("issuer"), Subject: t.get("subject")}
		if x.Issuer != "" && len(strings.ReplaceAll(x.SHA256, ":", "")) != 64 {
			x.SHA256, x.Serial = "", x.SHA256
		} else {
			x.SHA256 = strings.ToLower(strings.ReplaceAll(x.SHA256, ":", ""))
		}
		c.Certificates = []register.Certificate{x}
	case "software":
		x := register.Software{Vendor: t.get("vendor"), Product: t.get("product"), Version: t.get("version"), Criticality: critical}
		switch v := t.get("value"); {
		case strings.HasPrefix(strings.ToLower(v), "cpe:"):
			x.CPE = v
		case strings.HasPrefix(strings.ToLower(v), "pkg:"):
			x.PURL = v
		case x.Product == "":
			x.Product = v
		}
		if n := t.get("count"); n != "" {
			count, err := strconv.Atoi(n)
			if err != nil {
				return &cellError{"count", "import.count", "this is not a number"}
			}
			x.Count = count
		}
		c.Software = []register.Software{x}
	default:
		return &cellError{"kind", "import.kind", "the kind is one of constituent, contact, network, asn, domain, certificate and software"}
	}
	d.kinds[kind] = true
	return nil
}

// guess is the kind of a row that does not say it.
func (t *table) guess() string {
	v := t.get("value")
	lower := strings.ToLower(v)
	switch {
	case v == "" && (t.get("email") != "" || t.get("phone") != "" || t.get("role") != ""):
		return "contact"
	case v == "" && t.get("product") != "":
		return "software"
	case v == "":
		return "constituent"
	case strings.HasPrefix(lower, "cpe:"), strings.HasPrefix(lower, "pkg:"):
		return "software"
	case strings.HasPrefix(lower, "as") && strings.Trim(lower[2:], "0123456789") == "" && len(lower) > 2:
		return "asn"
	case len(strings.ReplaceAll(v, ":", "")) == 64 && strings.Trim(lower, "0123456789abcdef:") == "":
		return "certificate"
	}
	if _, err := register.ParseRange(v); err == nil || strings.Contains(v, "/") {
		return "network"
	}
	return "domain"
}

func (t *table) contact() (register.Contact, *cellError) {
	x := register.Contact{Name: t.get("name"), Role: t.get("role"), Email: t.get("email"), Phone: t.get("phone"), Languages: t.list("languages"), PGPKey: t.get("pgp_key"),
		SMIME: t.get("smime_certificate"), Webhook: t.get("webhook"), Purpose: t.get("purpose")}
	if x.Email == "" && strings.Contains(t.get("value"), "@") {
		x.Email = t.get("value")
	}
	if x.Name == "" {
		x.Name = x.Email
	}
	for _, s := range t.list("receives") {
		x.Receives = append(x.Receives, register.Subject(strings.ToLower(s)))
	}
	if h := t.get("hours"); h != "" {
		hours, ok := readHours(h)
		if !ok {
			return x, &cellError{"hours", "import.hours", "write always, or a time zone and spans: Europe/Berlin mon-fri 08:00-17:00; sat 09:00-12:00"}
		}
		x.Hours = &hours
	}
	return x, nil
}

var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func day(h *register.Hours, i int) *string {
	return []*string{&h.Mon, &h.Tue, &h.Wed, &h.Thu, &h.Fri, &h.Sat, &h.Sun}[i]
}

// readHours reads duty hours as a cell has them.
func readHours(s string) (register.Hours, bool) {
	if strings.EqualFold(s, "always") {
		return register.Hours{Always: true}, true
	}
	zone, rest, ok := strings.Cut(s, " ")
	h := register.Hours{Zone: zone}
	for part := range strings.SplitSeq(rest, ";") {
		which, spans, two := strings.Cut(strings.TrimSpace(part), " ")
		from, to, isRange := strings.Cut(strings.ToLower(which), "-")
		if !isRange {
			to = from
		}
		a, b := slices.Index(days, from), slices.Index(days, to)
		if !two || a < 0 || b < a {
			return h, false
		}
		for i := a; i <= b; i++ {
			*day(&h, i) = strings.ReplaceAll(spans, " ", "")
		}
	}
	return h, ok
}

// writeHours writes duty hours as readHours reads them.
func writeHours(h *register.Hours) string {
	switch {
	case h == nil:
		return ""
	case h.Always:
		return "always"
	}
	var parts []string
	for i := 0; i < len(days); i++ {
		spans := *day(h, i)
		if spans == "" {
			continue
		}
		last := i
		for last+1 < len(days) && *day(h, last+1) == spans {
			last++
		}
		name := days[i]
		if last > i {
			name += "-" + days[last]
		}
		parts = append(parts, name+" "+strings.ReplaceAll(spans, " ", ""))
		i = last
	}
	return h.Zone + " " + strings.Join(parts, "; ")
}
